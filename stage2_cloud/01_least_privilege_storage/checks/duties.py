"""What each role must be able to do, and nothing else: the matrix of calls, role by role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import by_hand
import matrix
import on_paper
from account import Account
from identities import become, become_ci
from matrix import Cell, Matrix
from on_paper import Duties
from world import Plan

SPARE = 16  # calls that must be denied, drawn for each role that is not looked at in full
LEAST = "Allow what its work needs, named in full; what no statement allows is denied."
OF_NO_MODEL = ("no-model",)
OVER_HTTP = {"X-Labs-Transport": "http"}
Outcomes = list[tuple[str, bool, str]]
Settings = Mapping[str, Any]


def of_trainers(
    account: Account, plan: Plan, cells: Matrix, settings: Settings, rng: np.random.Generator
) -> None:
    for model in plan.stem_first:
        role = f"artifacts-trainer-{model}"
        keys = become(account, f"{model}-training", role)
        tag = f"by-{role}"
        looked = [*cells.reads([model]), *cells.destroys(tag), *cells.creates([model], tag)]
        looked += [*cells.moves_pointers([model], tag), *cells.configures(role), *cells.settings(False)]
        looked = looked if model == plan.stem else _some(rng, looked)
        matrix.judge(role, matrix.outcomes(account, keys, looked), LEAST)
        _on_paper(settings, plan, role, Duties((model,), (model,), (model,)))


def of_servers(
    account: Account, plan: Plan, cells: Matrix, settings: Settings, rng: np.random.Generator
) -> None:
    for model in plan.stem_first:
        role = f"artifacts-server-{model}"
        keys = become(account, f"{model}-serving", role)
        looked = [*cells.reads([model]), *_writes_nothing(cells, role), *cells.settings(False)]
        looked = looked if model == plan.stem else _some(rng, looked)
        matrix.judge(role, matrix.outcomes(account, keys, looked), LEAST)
        _on_paper(settings, plan, role, Duties((model,)))


def of_ci(account: Account, plan: Plan, cells: Matrix, settings: Settings, rng: np.random.Generator) -> None:
    keys, role = become_ci(account, plan), "artifacts-ci"
    looked = [*cells.reads(plan.models), *cells.moves_pointers(plan.models, "by-ci")]
    looked += [*cells.creates(OF_NO_MODEL, "by-ci"), *cells.destroys("by-ci"), *cells.configures(role)]
    looked += _some(rng, list(cells.settings(False)))
    matrix.judge(role, matrix.outcomes(account, keys, looked), LEAST)
    _on_paper(settings, plan, role, Duties(plan.models, moves=plan.models))


def of_the_auditor(
    account: Account, plan: Plan, cells: Matrix, settings: Settings, rng: np.random.Generator
) -> None:
    role = "artifacts-auditor"
    keys = become(account, "partner-audit", role, ExternalId=plan.external_id)
    looked = [*cells.settings(True), *cells.reads(OF_NO_MODEL), *cells.configures(role)]
    looked += _some(rng, _writes_nothing(cells, role))
    matrix.judge(role, matrix.outcomes(account, keys, looked), LEAST)
    _on_paper(settings, plan, role, Duties(settings=True))


def _on_paper(settings: Settings, plan: Plan, role: str, duties: Duties) -> None:
    """All other calls. They are looked at last: a real call says more."""
    calls = on_paper.all_calls(plan, role, duties)
    matrix.judge(role, on_paper.role_of(settings, plan, role).outcomes(calls), LEAST)


def over_plain_http(account: Account, plan: Plan, settings: Settings) -> None:
    """The same calls of an administrator with TLS and without. (No user of a role has more than an administrator.)"""
    cells = Matrix(plan, {}, "")
    looked = [cells.get("notes.txt", True), cells.listing("", True), *cells.settings_of_the_bucket(True)]
    tls = list(matrix.outcomes(account, account.admin, looked))
    matrix.judge("an administrator", tls, "Only plain HTTP is to be refused.")
    plain = account.in_a_fork()
    events = plain.client("s3").meta.events
    events.register("before-send", lambda request, **_: request.headers.update(OVER_HTTP))
    outcomes = [(call, False, outcome) for call, _, outcome in matrix.outcomes(plain, plain.admin, looked)]
    hint = "A bucket policy can deny everybody by a condition. It names the bucket, and what is in it."
    matrix.judge("an administrator, over plain HTTP", outcomes, hint)
    http = on_paper.administrator_over_http(settings, plan)
    hint = "Reading is not all that one can do with a bucket and with an object."
    matrix.judge("an administrator, over plain HTTP", http.outcomes(on_paper.of_the_bucket(plan)), hint)


def with_too_much(account: Account, plan: Plan, rng: np.random.Generator) -> dict[str, Outcomes]:
    """What trainers can do whom somebody gives everything, by role: (call, whether it is allowed, outcome)."""
    cells, keys_of = Matrix(plan, *by_hand.plant(account, plan)), by_hand.help_all_trainers(account, plan)
    found = {}
    for model in plan.stem_first:
        role, tag = f"artifacts-trainer-{model}", "with-too-much"
        looked = [*cells.destroys(tag), *cells.creates([model], tag), *cells.moves_pointers([model], tag)]
        looked += [*cells.reads([model]), *cells.settings(False), *cells.configures(role)]
        looked = _some(rng, looked, 3 * SPARE if model == plan.stem else SPARE)
        found[role] = list(matrix.outcomes(account, keys_of[role], [*looked, *cells.governs(role)]))
    by_hand.stop_helping(account, plan)
    return found


def with_too_much_on_paper(settings: Settings, plan: Plan) -> dict[str, Outcomes]:
    """The same, for all other calls."""
    found = {}
    for model in plan.stem_first:
        role, duties = f"artifacts-trainer-{model}", Duties((model,), (model,), (model,))
        helped = on_paper.role_of(settings, plan, role, on_paper.HELP)
        found[role] = helped.outcomes(on_paper.all_calls(plan, role, duties))
    return found


def _writes_nothing(cells: Matrix, role: str) -> list[Cell]:
    tag = f"by-{role}"
    writes = [*cells.creates(OF_NO_MODEL, tag), *cells.moves_pointers(OF_NO_MODEL, tag), *cells.destroys(tag)]
    return [*writes, *cells.configures(role)]


def _some(rng: np.random.Generator, cells: Sequence[Cell], spare: int = SPARE) -> list[Cell]:
    """Those that must work, and some of the others."""
    denied = [cell for cell in cells if not cell.allowed]
    drawn = rng.choice(len(denied), min(spare, len(denied)), replace=False)
    return [*(cell for cell in cells if cell.allowed), *(denied[place] for place in sorted(drawn))]
