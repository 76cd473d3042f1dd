"""The grader of track_and_promote: it reads MLflow's own records, and plants versions that tempt the gate."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import gatekeeping
from again import expect_same_again, expect_the_holdout_apart
from candidates import BETTER_NOISE, CHAMPION_NOISE, Market, Workshop
from cards import wrong_card
from commands import Company, put_folder
from days import as_files, in_order
from history import (
    Story,
    climb,
    expect_a_quick_way_back,
    expect_a_second_chance,
    expect_a_way_back_to_one,
    expect_no_second_reign,
    expect_one_step,
    expect_to_survive,
    expect_ways_back,
    told_again,
)
from labels import days_to_judge_on, days_to_train_on
from labs.checks import check
from mlflow_api import Api
from planting import plant, record
from serving import expect_right_decisions, expect_to_go_on, expect_whole_answers
from training import (
    draw_options,
    expect_a_challenger,
    expect_a_true_card,
    expect_a_usable_model,
    expect_data,
    expect_options,
    expect_signed_files,
    expect_true_metrics,
    true_metrics,
)

# what one check leaves for others, in the folder of this grading
FIRST, STORY, PAIR = Path("first.pickle"), Path("story.json"), Path("pair.pickle")
SLICES = "An average hides who pays for it: look at each slice alone. With fewer than 50 frauds nobody can judge it."


@pytest.fixture(scope="session")
def kept():
    """What a check that others name leaves for them."""
    return SimpleNamespace()


@pytest.fixture(scope="session")
def days(seed):
    return days_to_judge_on(seed)


@pytest.fixture(scope="session")
def workshop(days):
    return Workshop(Market(in_order(days)))


@pytest.fixture(scope="session")
def champion_model(workshop):
    return workshop.model(CHAMPION_NOISE)


@pytest.fixture(scope="session")
def better_model(workshop):
    return workshop.model(BETTER_NOISE)


@pytest.fixture(scope="session")
def eval_files(days):
    return as_files(days)


@pytest.fixture(scope="session")
def few_files(eval_files):
    """Payments for promotions that are not about the payments."""
    return dict([next(iter(eval_files.items()))])


@pytest.fixture(scope="session", autouse=True)
def computed_once(champion_model, better_model, eval_files, few_files):
    """So that the checks which begin later, as forks of the judge, find all of them."""


@pytest.fixture
def company(work, services, rng):
    """The learner's commands, and a registered model that only this check knows."""
    mlflow = services.up("mlflow")
    mlflow.give_to(work)
    return Company(work, Api(mlflow.url), f"fraud-{rng.bytes(3).hex()}", frozenset(work.files()))


@pytest.fixture
def gate(company, eval_files):
    """A company with payments to judge on, in the folder `eval`."""
    put_folder(company.work, "eval", eval_files)
    return company


@pytest.fixture
def begun():
    """What `promotes_a_first_champion` left: the name, the first champion, and a version that was refused."""
    return pickle.loads(FIRST.read_bytes())


@pytest.fixture
def incumbent(company, begun):
    """A version that is champion when the check begins."""
    return begun.again(company)


@pytest.fixture
def pair():
    """The two versions that `decides_with_the_champion` planted."""
    return pickle.loads(PAIR.read_bytes())


@pytest.fixture
def story(company):
    """Champions that followed each other by the learner's own promotions, as `rolls_back` wrote it down."""
    return told_again(company, Story.read(STORY))


# The record of a training


@check(points=2)
def registers_a_challenger(company, kept, seed, rng):
    """trains, and registers the model with the alias `challenger`"""
    expect_a_challenger(company, kept, days_to_train_on(seed), draw_options(rng))


@check(points=1, after=registers_a_challenger)
def logs_every_option(kept):
    """logs every option as a param of the run, given or not"""
    expect_options(kept)


@check(points=2, after=registers_a_challenger)
def knows_its_data(kept):
    """names the data by what they hold: a param, and a dataset of the run"""
    expect_data(kept)


@check(points=2, after=registers_a_challenger)
def logs_a_model_that_can_be_used(company, kept):
    """logs a model that gives probabilities, with signature, example and threshold"""
    expect_a_usable_model(company, kept)


@check(points=2, after=registers_a_challenger)
def signs_its_files(company, kept):
    """tags the version with the fingerprint of the files that were logged"""
    expect_signed_files(company, kept)


@check(points=3, after=logs_a_model_that_can_be_used)
def logs_true_figures(kept):
    """logs the figures that the model earns on the last fifth of the payments"""
    true = true_metrics(kept.holdout, kept.said["scores"], kept.said["threshold"])
    expect_true_metrics(kept.done, kept.run, true)


@check(points=2, after=logs_a_model_that_can_be_used)
def writes_a_true_card(company, kept):
    """writes a model card in which everything is there, and true"""
    expect_a_true_card(company, kept)


@check(points=3, after=logs_a_model_that_can_be_used)
def keeps_the_holdout_apart(company, kept, rng, seed):
    """trains the same model with the same threshold, whatever happened in the last fifth of the payments"""
    expect_the_holdout_apart(company, kept, rng, seed)


@check(points=3, after=logs_a_model_that_can_be_used)
def can_be_repeated(company, kept, rng, seed):
    """can be repeated from its record alone: same data, same params, same code, same model"""
    expect_same_again(company, kept, rng, seed)


# The gate


@check(points=2)
def promotes_a_first_champion(gate, workshop, champion_model, rng):
    """promotes a first champion that ranks much better than chance, and refuses one that does not"""
    FIRST.write_bytes(pickle.dumps(gatekeeping.expect_a_first_champion(gate, workshop, champion_model, rng)))


@check(points=3, when=promotes_a_first_champion)
def promotes_a_good_challenger(gate, incumbent, workshop, champion_model, rng):
    """promotes a challenger that is worse by less than the limits, by figures of today"""
    model = workshop.just_good_enough(champion_model, rng)
    modest = record(model, gate.name, rng, pr_auc=0.01, cost_rupees=9e9)
    verdict = gate.promote(plant(gate.api, gate.name, modest).number)
    verdict.expect_promoted(
        "Measure both on --data, each at its own threshold; what a run claims decides nothing."
    )
    verdict.expect_figures(challenger=model, champion=champion_model)


@check(points=4, when=promotes_a_first_champion)
def names_every_reason(gate, incumbent, workshop, champion_model, rng):
    """refuses a challenger that is worse today, costs more and is slow, whatever its run claims, and says all of it"""
    gatekeeping.expect_every_reason(gate, workshop, champion_model, rng)


@check(points=4, when=promotes_a_first_champion)
def guards_every_slice(gate, incumbent, workshop, champion_model, rng):
    """refuses a challenger that is better overall and worse in one slice, if that slice is large"""
    model = workshop.worse_in_a_slice(champion_model, rng)
    planted = plant(gate.api, gate.name, record(model, gate.name, rng))
    gate.promote(planted.number).expect_refused(model.reasons_against(champion_model), SLICES)


@check(points=3, when=promotes_a_first_champion)
def refuses_what_cannot_take_its_place(gate, incumbent, better_model, rng):
    """refuses another signature than the champion's, and a model without a threshold"""
    gatekeeping.expect_only_equals(gate, better_model, rng)


@check(points=3, when=promotes_a_first_champion)
def refuses_a_false_card(gate, incumbent, better_model, rng):
    """refuses a model card in which a field is missing, empty or not true"""
    wrong, reasons = wrong_card(record(better_model, gate.name, rng), rng)
    planted = plant(gate.api, gate.name, wrong)
    gate.promote(planted.number).expect_refused(reasons, "Compare every field with what MLflow knows.")


@check(points=3, when=promotes_a_first_champion)
def refuses_changed_files(gate, incumbent, better_model, services, rng):
    """refuses a version without a card whose files were changed after they were logged, and does not run them"""
    gatekeeping.expect_changed_files_refused(gate, better_model, rng)
    gatekeeping.expect_what_was_looked_at_to_run(gate, better_model, rng, services.up("mlflow").url)


# Champions


@check(points=3, when=promotes_a_first_champion)
def rolls_back(company, begun, few_files, rng):
    """rolls back to the champion before, again and again, whatever was refused in between"""
    company = replace(company, name=begun.name)
    told = climb(company, begun.first, begun.chance.number, few_files, rng)
    company.api.copy_model(told.name, f"{told.name}-copy")
    replace(told, name=f"{told.name}-copy").write(STORY)
    expect_ways_back(company, told)


@check(points=2, when=rolls_back)
def rolls_back_to_a_version(company, story, champion_model, few_files, rng):
    """goes back to an earlier champion by `rollback.py --to`, never to another version, and never by a promotion"""
    expect_no_second_reign(company, story, few_files)
    expect_a_way_back_to_one(company, story, rng)
    expect_a_second_chance(company, story, champion_model, rng)


@check(points=3, when=rolls_back)
def rolls_back_in_an_emergency(company, story, services):
    """rolls back at once, also while the artifact store is gone"""
    expect_a_quick_way_back(company, story, services.up("mlflow").url)


@check(points=2, when=rolls_back)
def survives_a_death_before_the_move(company, story, champion_model, few_files, rng, services):
    """keeps a right history when a promotion dies just before it moves the alias"""
    expect_to_survive("before", company, story, champion_model, few_files, rng, services.up("mlflow").url)


@check(points=1, when=rolls_back)
def survives_a_death_after_the_move(company, story, champion_model, few_files, rng, services):
    """keeps a right history when a promotion dies just after it moves the alias"""
    expect_to_survive("after", company, story, champion_model, few_files, rng, services.up("mlflow").url)


@check(points=3, when=rolls_back)
def moves_the_alias_in_one_step(company, story, champion_model, few_files, rng, services):
    """never leaves the alias empty, or at a third version, while it promotes or rolls back"""
    expect_one_step(company, story, champion_model, few_files, rng, services.up("mlflow").url)


@check(points=3)
def decides_with_the_champion(company, workshop, champion_model, better_model, rng):
    """decides with the champion's own model, columns and threshold, and follows the alias"""
    models = (champion_model, better_model)
    planted = expect_right_decisions(company, workshop.market.payments, models, rng)
    PAIR.write_bytes(pickle.dumps(planted))


@check(points=3, when=decides_with_the_champion)
def never_mixes_two_versions(company, workshop, pair, rng, services):
    """gives eight readers whole answers of one version, whenever the alias moves between their questions"""
    expect_whole_answers(company, workshop.market.payments, pair, rng, services.up("mlflow").url)


@check(points=2, when=decides_with_the_champion)
def goes_on_without_the_registry(company, workshop, pair, rng, services):
    """goes on deciding while MLflow does not answer, and follows it again afterwards"""
    expect_to_go_on(company, workshop.market.payments, pair, rng, services.up("mlflow").url)
