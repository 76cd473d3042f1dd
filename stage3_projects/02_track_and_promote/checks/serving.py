"""Readers of the champion, as serving processes are, and what each of their answers must be."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from between import Asked, Between, nothing
from candidates import Model
from commands import Company
from labs.checks import Finished, Process, close, show
from planted import scores
from planting import FEATURES, Planted, plant, plant_again, record

ABS = 1e-9
PROCESSES, THREADS = 4, 2  # eight readers
ANSWERS = 3
ROWS = 4
READS_SECONDS, SILENT_SECONDS, ASKS_WITHIN_SECONDS = 60, 25.0, 5.0
FOLLOWS_WITHIN_SECONDS = 15.0  # the contract says 2: a crowded machine is not the learner's fault
PATIENCE = "How long does your client wait for a reply, how often does it try again, and who waits with it?"


def payment_rows(
    payments: pd.DataFrame, models: Iterable[Model], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Payments as a caller sends them: more columns than a model needs, in another order; JSON writes 3.0 as 3.

    For each model there is one with the very score that is its threshold.
    """
    on_it = [int(np.argmax(scores(payments, model.spec) == model.threshold)) for model in models]
    chosen = payments.iloc[[*rng.choice(len(payments), ROWS, replace=False), *on_it]]
    rows = chosen.drop(columns=["is_fraud", "event_time"]).to_dict("records")
    for row in rows:
        row["payer_account_age_days"] = int(row["payer_account_age_days"])
    names = list(rng.permutation(list(rows[0])))
    return [{name: row[name] for name in names} for row in rows]


def answer_of(planted: Planted, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What `decide` must answer while this version is the champion."""
    model = planted.record.model
    found = scores(pd.DataFrame(rows)[list(FEATURES)], model.spec)
    return {
        "version": planted.number,
        "threshold": model.threshold,
        "scores": found.tolist(),
        "block": (found >= model.threshold).tolist(),
    }


class Reader:
    """One serving process of the learner's, which ends when it answers with the version `until`."""

    def __init__(
        self, company: Company, rows: list[dict[str, Any]], until: int, threads: int = 1, **env: str
    ) -> None:
        self.rows = rows
        argv = (company.given("reader.py"), company.given("rows.json", json.dumps(rows)))
        self.process: Process = company.start(*argv, str(READS_SECONDS), str(until), str(threads), **env)
        self.did = "decide(rows), again and again"

    def said(self) -> list[dict[str, Any]]:
        """What it has said so far: each a kind of answer or an error."""
        return what_readers_said(self.process.stdout)

    def until(self, kind: str) -> None:
        """Wait until it has said something of this kind, "answer" or "error"."""
        deadline = time.monotonic() + SILENT_SECONDS
        while (
            self.process.alive and time.monotonic() < deadline and not any(kind in one for one in self.said())
        ):
            time.sleep(0.05)

    def count(self) -> int:
        """How many answers there were so far."""
        return sum(line[:1] in ("{", ".") for line in self.process.stdout.splitlines())

    def goes_on(self, lost: Callable[[], bool]) -> bool:
        """Whether it answers some times more, after it has found out what it `lost`, or has had the time to."""
        deadline = time.monotonic() + ASKS_WITHIN_SECONDS
        while self.process.alive and time.monotonic() < deadline and not lost():
            time.sleep(0.02)
        before = self.count()
        deadline = time.monotonic() + SILENT_SECONDS
        while self.process.alive and time.monotonic() < deadline and self.count() < before + ANSWERS:
            time.sleep(0.02)
        return self.count() >= before + ANSWERS

    def wait(self) -> tuple[Finished, list[dict[str, Any]]]:
        done = self.process.wait(60)
        done.did = self.did
        done.expect(status=0)
        said = what_readers_said(done.stdout)
        done.require(said, wanted="an answer", got="none")
        return done, said


def what_readers_said(output: str) -> list[dict[str, Any]]:
    """The lines of reader.py. Among them may be half a line, and what the learner's code prints."""
    found = []
    for line in output.splitlines():
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            found += [said] if isinstance(said, dict) and "reader" in said else []
    return found


def expect_one_of(
    done: Finished, found: dict[str, Any], versions: Iterable[Planted], rows: Any, hint: str = ""
) -> int:
    """Fail unless this is the whole answer of one of these versions; its number."""
    if "error" in found:
        done.fail(wanted="an answer", got=found["error"], hint=hint, measured=found["message"])
    answer = found["answer"]
    keys = ("version", "threshold", "scores", "block")
    if not isinstance(answer, dict) or not set(keys) <= set(answer):
        done.fail(wanted=f"a dict with {', '.join(keys)}", got=show(answer))
    wanted = {one.number: answer_of(one, rows) for one in versions}
    version = answer["version"]
    mine = wanted.get(version) if isinstance(version, int) else None
    done.require(
        mine is not None, wanted=f"the version {' or '.join(map(str, wanted))}", got=show(answer["version"])
    )
    assert mine is not None
    for key in keys:
        if not close(answer[key], mine[key], 0.0, ABS):
            others = [number for number, other in wanted.items() if close(answer[key], other[key], 0.0, ABS)]
            got = f"the `{key}` of version {others[0]}" if others else f"another `{key}`"
            next_step = (
                "A payment is blocked from the threshold on: score ≥ threshold." if key == "block" else hint
            )
            done.fail(
                wanted=f"the `{key}` of version {mine['version']}, which it names", got=got, hint=next_step
            )
    return int(mine["version"])


def expect_right_decisions(
    company: Company, payments: pd.DataFrame, models: tuple[Model, Model], rng: np.random.Generator
) -> tuple[Planted, Planted]:
    """One reader: a LookupError while there is no champion, then the first one, then the second one; both of them."""
    rows = payment_rows(payments, models, rng)
    reader = Reader(company, rows, until=2)
    reader.until("error")
    at_first = reader.said()
    first, second = (plant(company.api, company.name, record(model, company.name, rng)) for model in models)
    if at_first and "answer" not in at_first[0]:
        company.crown(first)
        reader.until("answer")
    company.crown(second)
    moved = time.monotonic()
    done, said = reader.wait()
    took = time.monotonic() - moved
    done.did = "decide(rows) while there is no champion"
    nothing = said[0].get("error", "an answer")
    done.require("LookupError" in said[0].get("kinds", []), wanted="a LookupError", got=nothing)
    done.did = "decide(rows), again and again, while the champion changes"
    loaded = since_loaded(done, said)
    found = [expect_one_of(done, one, (first, second), rows) for one in loaded]
    done.require(
        found[-1] == second.number and took < FOLLOWS_WITHIN_SECONDS,
        wanted="answers of the new champion, soon after the alias has moved",
        got="answers of the old one" if found[-1] != second.number else "only later",
        hint="Ask for the alias again from time to time; the contract says how often.",
        measured=f"{took:.1f} s",
    )
    return first, second


def expect_whole_answers(
    company: Company, payments: pd.DataFrame, planted: Sequence[Planted], rng: np.random.Generator, url: str
) -> None:
    """Eight readers in four processes. The alias moves after the first, second … question of each process."""
    rows = payment_rows(payments, [one.record.model for one in planted], rng)
    pairs = [
        Pair(replace(company, name=f"{company.name}-{number}"), planted, number + 1)
        for number in range(PROCESSES)
    ]
    hint = (
        "Ask once which version it is. Then take everything by that number, and exchange all of it at once."
    )
    with contextlib.ExitStack() as all_of_them:
        readers = []
        for pair in pairs:
            between = all_of_them.enter_context(Between(url, after=pair.count))
            address = between.give_to(company.work)
            readers.append(
                Reader(pair.company, rows, pair.second.number, THREADS, MLFLOW_TRACKING_URI=address)
            )
        for pair, reader in zip(pairs, readers, strict=True):
            reader.did = f"decide(rows), while the alias moves after question {pair.moves_after} to MLflow"
            done, said = reader.wait()
            for thread in range(THREADS):
                loaded = since_loaded(done, [one for one in said if one["reader"] == thread])
                found = [expect_one_of(done, one, (pair.first, pair.second), rows, hint) for one in loaded]
                done.require(
                    found[-1] == pair.second.number,
                    wanted="at last, the new champion",
                    got="only the old one",
                )


def since_loaded(done: Finished, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What it said without the first LookupErrors: on a crowded machine the first load may take its time."""
    later = list(itertools.dropwhile(lambda one: "LookupError" in one.get("kinds", ()), said))
    done.require(later, wanted="an answer", got="LookupError for a minute")
    return later


class Pair:
    """Two versions of one registered model. The alias moves from the first to the second after some requests."""

    def __init__(self, company: Company, planted: Iterable[Planted], moves_after: int) -> None:
        self.company, self.moves_after, self._asked = company, moves_after, 0
        self.first, self.second = (plant_again(company.api, company.name, one) for one in planted)
        company.crown(self.first)

    def count(self, asked: Asked) -> None:
        self._asked += 1
        if self._asked == self.moves_after:
            self.company.crown(self.second)


def expect_to_go_on(
    company: Company, payments: pd.DataFrame, planted: Sequence[Planted], rng: np.random.Generator, url: str
) -> None:
    """A reader that begins while MLflow is down, and loses it twice: all of it, then the files alone."""
    rows = payment_rows(payments, [one.record.model for one in planted], rng)
    first, second = (plant_again(company.api, company.name, one) for one in planted)
    company.crown(first)
    with Between(url, refusing=True) as between:
        reader = Reader(company, rows, second.number, MLFLOW_TRACKING_URI=between.give_to(company.work))
        reader.until("error")
        at_first = reader.said()
        between.refusing = False
        reader.until("answer")
        between.silent = True
        went_on = reader.goes_on(lambda: between.unanswered > 0)
        company.crown(second)
        between.gone, between.silent = lambda asked: asked.wants_a_file, False
        asked = len(between.asked)
        went_on &= reader.goes_on(lambda: any(one.wants_a_file for one in between.asked[asked:]))
        between.gone = nothing
        reader.did = "decide(rows), again and again, while MLflow never answers, then has lost its files"
        done, said = reader.wait()
    found = [
        expect_one_of(done, one, (first, second), rows, "The model that it has is still good.")
        for one in since_loaded(done, said)
    ]
    done.require(
        went_on, wanted="answers, with the champion of before", got="no answer within 25 s", hint=PATIENCE
    )
    done.require(
        found[-1] == second.number,
        wanted="the new champion, when MLflow answers again",
        got="the old one",
        hint="What did not load now may load the next time.",
    )
    done.did = "decide(rows), when MLflow has not answered since the process began"
    wanted, kinds = (
        "a LookupError",
        at_first[0].get("kinds", ["an answer"]) if at_first else ["nothing for 25 s"],
    )
    done.require("LookupError" in kinds, wanted=wanted, got=kinds[0], hint="Nobody could be found yet.")
