"""Versions that the gate must see through: the first one, a boaster, one whose files were changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from between import Asked, Between
from candidates import Model, Workshop
from cards import misfit, turned_round, with_a_figure_of_its_own
from commands import Company, Verdict
from planting import MARKER, Planted, changed_code, plant, plant_again, record

SLOW_MS = 500  # of the limit's 200
MEASURE = "Measure it on --data, also the p95 of single rows; say every reason, and none that is not true."


@dataclass(frozen=True)
class Begun:
    """A registered model with its first champion, and a version that was refused before it."""

    name: str
    first: Planted
    chance: Planted

    def again(self, company: Company) -> Planted:
        """Both under the company's own name, and the first one champion."""
        planted = plant_again(company.api, company.name, self.first)
        company.crown(planted)
        plant_again(company.api, company.name, self.chance)  # the version before the next one is no champion
        return planted


def expect_a_first_champion(
    gate: Company, workshop: Workshop, model: Model, rng: np.random.Generator
) -> Begun:
    """One that ranks as chance does and whose card lacks a field is refused; then a good one is promoted."""
    boaster = record(workshop.model(9.0), gate.name, rng, pr_auc=0.97).with_card(owner=None)
    chance = plant(gate.api, gate.name, boaster)
    hint = "With no champion: five times the share of frauds, on --data; and the card must be whole all the same."
    gate.promote(chance.number).expect_refused(["card.owner", "pr_auc"], hint)
    first = plant(gate.api, gate.name, record(model, gate.name, rng))
    gate.promote(first.number).expect_promoted()
    return Begun(gate.name, first, chance)


def expect_every_reason(gate: Company, workshop: Workshop, champion: Model, rng: np.random.Generator) -> None:
    """One that is worse, dearer and slow is refused for all of it, and for the figure that only its run claims."""
    bad = workshop.worse_and_dearer(champion, slow_ms=SLOW_MS)
    boaster = with_a_figure_of_its_own(record(bad, gate.name, rng, pr_auc=0.93, cost_rupees=1.0))
    planted = plant(gate.api, gate.name, boaster)
    reasons = ["card.metrics", "latency", *bad.reasons_against(champion)]
    gate.promote(planted.number).expect_refused(reasons, MEASURE)


def expect_only_equals(gate: Company, model: Model, rng: np.random.Generator) -> None:
    """Another type, and no threshold; then nothing but another order."""
    planted = plant(gate.api, gate.name, misfit(record(model, gate.name, rng), rng))
    reasons = ["card.metrics", "card.threshold", "signature", "threshold"]
    hint = "Compare the signature with the champion's, and the card with the record. Say every reason."
    gate.promote(planted.number).expect_refused(reasons, hint)
    planted = plant(gate.api, gate.name, turned_round(record(model, gate.name, rng), rng))
    hint = "The callers do not change on the day of the promotion: names, types and order must be equal."
    gate.promote(planted.number).expect_refused(["signature"], hint)


def expect_changed_files_refused(gate: Company, model: Model, rng: np.random.Generator) -> None:
    """One whose code was changed after it was logged is refused before it runs."""
    planted = plant(gate.api, gate.name, replace(record(model, gate.name, rng), card=None))
    gate.api.put(planted.address, {"planted.py": changed_code()})
    verdict = gate.promote(planted.number)
    verdict.expect_refused(
        ["artifact", "card"], "The version has the fingerprint of its files from the day it was logged."
    )
    _must_not_have_run(gate, verdict, "To load a model is to run its code: compare the files first.")


def expect_what_was_looked_at_to_run(gate: Company, model: Model, rng: np.random.Generator, url: str) -> None:
    """One whose code is changed as soon as the gate has read it: the changed code must not run."""
    planted = plant(gate.api, gate.name, record(model, gate.name, rng))

    def change(asked: Asked) -> None:
        if asked.wants_a_file and asked.path.endswith(f"/{planted.model_id}/artifacts/planted.py"):
            gate.api.put(planted.address, {"planted.py": changed_code()})

    with Between(url, after=change) as between:
        verdict = gate.promote(planted.number, MLFLOW_TRACKING_URI=between.give_to(gate.work))
    verdict.done.did += ", and the model's code is changed in the store as soon as it was read"
    hint = (
        "Load the very files that you have compared. A version's address may give other ones a moment later."
    )
    _must_not_have_run(gate, verdict, hint)


def _must_not_have_run(gate: Company, verdict: Verdict, hint: str) -> None:
    verdict.done.require(
        MARKER not in gate.work.files(), wanted="the changed code not run", got="it ran", hint=hint
    )
