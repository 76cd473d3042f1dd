"""The grader of lock_down_the_cluster: it applies the files to clusters of its own, and tries what must not be."""

from __future__ import annotations

import pytest

import distrust
import leaking
import may_checks
import network_checks
import pod_checks
import rotation_checks
import submission
from kube import Refused
from labs.checks import check
from labs.grading.evidence import Evidence
from paths import Town
from rotating import rotation
from submission import APPS

OLD_ID = "r0"


@pytest.fixture(scope="session")
def kept():
    """The objects, as the check that others wait for has read them."""
    return {}


@pytest.fixture
def password(rng):
    """The database password of this check: nobody has seen it before."""
    return f"Db-{rng.integers(10**14, 10**15)}-{rng.integers(10**14, 10**15)}"


@pytest.fixture
def kube(kept, tmp_path, password):
    """A cluster of this check's own, with the learner's objects."""
    found = submission.accepted(tmp_path / "cluster", kept["things"], password, OLD_ID)
    yield found
    found.close()


@pytest.fixture
def running(kube):
    """The same, a minute later."""
    kube.wait(60)
    return kube


@pytest.fixture
def person(rng):
    """The name of a user nobody has heard of."""
    return f"asha-{rng.integers(10**6)}"


@pytest.fixture
def town(kube, rng):
    """Pods and places around the learner's network policies."""
    return Town(kube, rng)


@pytest.fixture
def rotating(work, kept, tmp_path, rng):
    """rotate.py with a cluster and a database of this check's own."""
    with rotation(work, kept["things"], tmp_path / "cluster", rng) as found:
        yield found


@check(points=1)
def is_accepted_by_the_server(work, kept, tmp_path, password, real_cluster):
    """is accepted by the API server, strictly, with the objects of the contract"""
    things = submission.read(work)
    kube = submission.accepted(tmp_path / "cluster", things, password, OLD_ID)
    for name in APPS:
        try:
            kube.get("Deployment", name)
        except Refused:
            Evidence("kubectl apply -f k8s").fail(wanted=f"a Deployment {name}", got="no such object")
    others = sorted({one["metadata"]["name"] for one in kube.items("Deployment")} - set(APPS))
    Evidence("kubectl apply -f k8s").require(
        not others, wanted=f"no Deployment but {', '.join(APPS)}", got=f"the Deployment {', '.join(others)}"
    )
    kube.close()
    real_cluster.must_take("kubectl apply -f k8s", things)
    kept["things"] = things


@check(points=2, after=is_accepted_by_the_server)
def runs_its_own_pods(running):
    """has all its own pods ready, with less than `restricted` allows: read-only, one user, bounded memory"""
    pod_checks.runs_its_own_pods(running)


# Who may


@check(points=3, after=is_accepted_by_the_server)
def allows_what_each_needs(kube, person, rng):
    """allows each account and group what it needs: the calls are made"""
    may_checks.allows_what_each_needs(kube, person, rng)


@check(points=2, after=is_accepted_by_the_server)
def gives_nothing_to_everybody(kube, person):
    """gives nothing to the default account, to all accounts, to all who log in, or to others with the same name"""
    may_checks.gives_nothing_to_everybody(kube, person)


@check(points=3, after=is_accepted_by_the_server)
def keeps_secrets_by_name(kube, person):
    """shows the one Secret to the one account that rotates it, by name; nobody lists or watches Secrets"""
    may_checks.keeps_secrets_by_name(kube, person)


@check(points=3, after=is_accepted_by_the_server)
def closes_the_ways_up(kube, person):
    """leaves nobody a way to more rights: pods, shells and tokens of others, bindings, other people's names"""
    may_checks.closes_the_ways_up(kube, person)


@check(points=2, after=is_accepted_by_the_server)
def allows_nothing_more_in_its_namespace(kube, person, rng):
    """allows nothing that the contract does not name, in the namespace"""
    may_checks.allows_nothing_more_in_its_namespace(kube, person, rng)


@check(points=2, after=is_accepted_by_the_server)
def stays_in_its_namespace(kube, person):
    """gives no right in other namespaces, on the cluster's own objects, or at other addresses"""
    may_checks.stays_in_its_namespace(kube, person)


@check(points=2, after=is_accepted_by_the_server)
def follows_what_is_added_to_view(kube, person, rng):
    """lets on-call see what is added to the role `view` later, here and nowhere else, and nobody besides"""
    may_checks.follows_what_is_added_to_view(kube, person, rng)


@check(points=2, after=is_accepted_by_the_server, when=runs_its_own_pods)
def mounts_tokens_only_where_needed(running, rng):
    """mounts a token of the API server into `fraud` alone, under an account of its own for each Deployment"""
    pod_checks.mounts_tokens_only_where_needed(running, rng)


# The network


@check(points=3, after=is_accepted_by_the_server)
def lets_the_needed_through(town):
    """lets every connection of the contract through, at both ends"""
    network_checks.lets_the_needed_through(town)


@check(points=1, after=is_accepted_by_the_server)
def resolves_names(town):
    """lets every pod ask kube-dns, by UDP and by TCP"""
    network_checks.resolves_names(town)


@check(points=3, after=is_accepted_by_the_server)
def closes_everything_within(kube, town):
    """blocks everything else inside the namespace, both ways, also for pods that nobody has seen"""
    network_checks.closes_everything_within(kube, town)


@check(points=3, after=is_accepted_by_the_server)
def tells_namespaces_apart(kube, town):
    """blocks pods of other namespaces, also those whose labels look right"""
    network_checks.tells_namespaces_apart(kube, town)


@check(points=2, after=is_accepted_by_the_server)
def reaches_no_metadata_and_no_internet(kube, town):
    """blocks the cloud's metadata address, the internet, and what lies beside the database"""
    network_checks.reaches_no_metadata_and_no_internet(kube, town)


# Pods


@check(points=2, after=is_accepted_by_the_server)
def refuses_bad_pods(kube):
    """refuses every pod below the level `restricted`, of v1.32"""
    pod_checks.refuses_bad_pods(kube)


# The password


@check(points=3, after=is_accepted_by_the_server, when=runs_its_own_pods)
def keeps_the_password_in_a_file(running, password):
    """gives the password to `fraud` alone, in a file that only its process can read, and shows it nowhere"""
    pod_checks.keeps_the_password_in_a_file(running, password)


# What a rotation stands on; that the rotator has its rights, the fixture asks.
RIGHT = (runs_its_own_pods, keeps_the_password_in_a_file)


@check(points=3, after=is_accepted_by_the_server, when=RIGHT)
def rotates(rotating):
    """gives every pod a new password, and revokes the old one"""
    rotation_checks.rotates(rotating)


@check(points=4, after=is_accepted_by_the_server, when=rotates)
def locks_nobody_out(rotating):
    """never has a pod whose login fails, and never a ready pod less, while it rotates"""
    rotation_checks.locks_nobody_out(rotating)


@check(points=2, after=is_accepted_by_the_server, when=rotates)
def does_nothing_twice(rotating):
    """writes nothing when it is run again for a rotation that is done"""
    rotation_checks.does_nothing_twice(rotating)


@check(points=4, after=is_accepted_by_the_server, when=locks_nobody_out)
def goes_on_after_a_kill(rotating):
    """ends in the same good state when it is killed after any of its writes and started again"""
    rotation_checks.goes_on_after_a_kill(rotating)


@check(points=3, after=is_accepted_by_the_server, when=locks_nobody_out)
def survives_two_at_once(rotating):
    """ends in the same good state when two runs begin at the same moment"""
    rotation_checks.survives_two_at_once(rotating)


@check(points=2, after=is_accepted_by_the_server, when=locks_nobody_out)
def keeps_the_old_one_while_pods_are_not_ready(rotating):
    """keeps the old password valid when new pods do not become ready, and ends with status 4; later it goes on"""
    rotation_checks.keeps_the_old_one_while_pods_are_not_ready(rotating)


@check(points=3, after=is_accepted_by_the_server, when=locks_nobody_out)
def tells_no_secret(rotating):
    """leaves no password or token in its output, in files, in other objects or in addresses, also when calls fail"""
    rotation_checks.tells_no_secret(rotating)


# Leaks


@check(points=2)
def knows_every_form(work, rng):
    """finds a secret plain, as base64, in URLs and in JSON, and nothing that only looks alike"""
    leaking.in_every_form(work, rng)


@check(points=2)
def reads_in_pieces(work, rng, tmp_path):
    """reads large files in pieces, with little memory and no disk, and finds a secret that lies across two of them"""
    leaking.in_pieces(work, rng, tmp_path)


@check(points=2, needs=("git",))
def finds_what_a_repository_keeps(work, rng):
    """finds a secret in every object of a repository: other branches, tags, stashes, notes, messages, removed files"""
    leaking.in_git(work, rng)


@check(points=2)
def finds_what_an_image_keeps(work, rng):
    """finds a secret in every layer and every config of an image's archive, also what later layers remove"""
    leaking.in_images(work, rng)


@check(points=1, needs=("git",))
def says_what_it_could_not_read(work, rng):
    """says which place it could not read, with status 2, and looks at the others"""
    distrust.unread(work, rng)


@check(points=2, needs=("git",))
def trusts_no_place(work, rng):
    """runs nothing that a repository asks for, follows nothing that an archive says, and writes nothing"""
    distrust.trusting(work, rng)


@check(points=1, needs=("git",))
def shows_no_secret(work, rng):
    """prints no secret and no part of one, also where names and errors hold it"""
    distrust.showing(work, rng)
