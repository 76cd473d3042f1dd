"""The grader of package_with_helm: it has the real Helm render, install, upgrade and take back, and watches."""

from __future__ import annotations

import pytest

import arrivals
import chart_files
import helm_runs
import likeness
import reading
import releases
import verdicts
from company import BOTH
from labs.checks import check
from renders import Renders
from server import Server
from story import Story


@pytest.fixture(scope="session")
def kept():
    """What the checks that others wait for have found."""
    return {}


@pytest.fixture
def renders(kept):
    """Everything that was rendered."""
    return kept["renders"]


@pytest.fixture
def story(kept):
    """Everything that happened in the cluster."""
    return kept["story"]


# The chart


@check(points=2)
def is_a_clean_chart(work, kept, rng):
    """is a chart that lints without a warning, for both environments"""
    helm_runs.look_for_files(work)
    kept["renders"] = Renders(work, rng)
    chart_files.is_a_chart(kept["renders"])


@check(points=2, after=is_a_clean_chart)
def packages_the_chart_alone(renders):
    """packages itself, and no secrets, notebooks or test data that lie beside it"""
    chart_files.packages(renders)


@check(points=4, after=is_a_clean_chart)
def renders_what_the_server_accepts(renders, tmp_path, real_cluster):
    """renders every right set of values to objects that the server accepts, strictly"""
    server = Server(tmp_path / "cluster")
    try:
        reading.accepted(renders, server)
    finally:
        server.close()
    for env in BOTH:
        real_cluster.must_take(renders.cases[env.name].did, renders.objects(env.name))


@check(points=3, after=is_a_clean_chart)
def refuses_wrong_values(renders):
    """refuses values of a wrong type or size, before a template runs"""
    renders.must_refuse("values", "The contract's table says what each value may be.")


@check(points=2, after=is_a_clean_chart)
def refuses_unknown_keys(renders):
    """refuses keys that it does not know, at every level"""
    renders.must_refuse("keys", "A key that is misspelt does nothing, and nobody hears of it.")


@check(points=2, after=is_a_clean_chart)
def refuses_images_that_can_move(renders):
    """refuses an image without a whole digest"""
    renders.must_refuse("images", "A tag can move. A digest is the content.")


# What it becomes


@check(points=3, after=renders_what_the_server_accepts)
def keeps_texts_as_they_are(renders):
    """hands texts to the process as they are, whatever YAML or a template would make of them"""
    reading.texts_arrive(renders)


@check(points=2, after=renders_what_the_server_accepts)
def keeps_numbers_as_they_are(renders):
    """hands whole numbers and booleans to the process with all their digits"""
    reading.numbers_arrive(renders)


@check(points=1, after=renders_what_the_server_accepts)
def leaves_out_what_is_empty(renders):
    """leaves out what was not asked for, and makes no field without a value"""
    reading.nothing_is_null(renders)


@check(points=2, after=renders_what_the_server_accepts)
def refers_to_the_secret(renders):
    """refers to a Secret that is there, and makes none"""
    reading.secrets_stay_out(renders)


@check(points=3, after=renders_what_the_server_accepts)
def keeps_names_short_and_apart(renders):
    """gives names of at most 63 characters that stay apart, however long the release's is"""
    reading.names_fit(renders)
    reading.override_replaces_the_name(renders)


@check(points=2, after=renders_what_the_server_accepts)
def labels_everything_alike(renders):
    """puts the common labels on every object, and every object into the release's namespace"""
    reading.labels_are_common(renders)


@check(points=2, after=renders_what_the_server_accepts)
def selects_its_own_pods(renders):
    """selects the pods of its own Deployment, and none of a Job or of the release beside it"""
    reading.selects_its_own(renders)


@check(points=2, after=renders_what_the_server_accepts)
def keeps_the_environments_alike(renders):
    """differs between staging and prod as the contract says, and nowhere else"""
    likeness.environments_differ_as_stated(renders)


@check(points=3, after=renders_what_the_server_accepts)
def hangs_in_what_it_is_given(renders):
    """puts image, port, resources and every extension point where they belong, alone and together"""
    arrivals.extensions_arrive(renders)
    arrivals.values_arrive(renders)


# What it does


@check(
    points=2,
    after=renders_what_the_server_accepts,
    when=(
        packages_the_chart_alone,
        refuses_wrong_values,
        refuses_unknown_keys,
        refuses_images_that_can_move,
        keeps_texts_as_they_are,
        keeps_numbers_as_they_are,
        leaves_out_what_is_empty,
        refers_to_the_secret,
        keeps_names_short_and_apart,
        labels_everything_alike,
        selects_its_own_pods,
        keeps_the_environments_alike,
        hangs_in_what_it_is_given,
    ),
)
def installs_in_both_environments(work, services, kept, rng):
    """installs in both namespaces, and stores no secret value with the release"""
    services.up("kubernetes").give_to(work)
    kept["story"] = Story(work, rng)
    releases.installs(kept["story"])


@check(points=4, after=installs_in_both_environments)
def checks_the_model_first(story):
    """checks the new model, with the new settings, before any new pod starts"""
    verdicts.checks_the_model_first(story)


@check(points=3, after=installs_in_both_environments)
def changes_nothing_without_a_change(story):
    """changes nothing when it is released again as it is"""
    releases.upgrades_again(story)


@check(points=3, after=installs_in_both_environments)
def rolls_when_settings_change(story):
    """replaces its pods when a setting changes, and then all have the new one"""
    releases.rolls(story)


@check(points=2, after=installs_in_both_environments)
def upgrades_to_another_version(story):
    """lives beside a second release, and is upgraded to another version of the chart"""
    releases.takes_a_new_version(story)


@check(points=3, after=installs_in_both_environments)
def keeps_the_size_of_the_autoscaler(story, renders):
    """leaves its size to the autoscaler, where there is one"""
    reading.autoscaler_owns_the_size(renders)
    releases.keeps_the_size(story)


@check(points=4, after=installs_in_both_environments)
def holds_when_the_check_fails(story):
    """fails the release, and keeps the old pods serving, when the model check fails"""
    verdicts.holds_when_the_check_fails(story)


@check(points=3, after=installs_in_both_environments)
def goes_on_and_goes_back(story):
    """goes on after a failed release, and goes back with its settings and its pods"""
    releases.goes_on_afterwards(story)
    releases.rolls_back(story)


@check(points=2, after=installs_in_both_environments)
def leaves_nothing_behind(story):
    """leaves nothing behind when it is uninstalled"""
    releases.leaves_nothing(story)
