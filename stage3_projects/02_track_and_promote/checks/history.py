"""Champions that follow each other by the learner's own promote.py, and promotions that are watched or die."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from between import Asked, Between
from candidates import Model, shifted
from commands import Company, put_folder
from labs.checks import Finished, show
from planting import Planted, plant, record

EMERGENCY_TIMES = 6.0
TRIES = 4  # a pause of the machine is not the learner's fault


@dataclass(frozen=True)
class Story:
    """A registered model with champions that followed each other, and refused versions before and after them."""

    name: str
    champions: tuple[int, ...]
    refused: tuple[int, ...]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Story:
        found = json.loads(path.read_text())
        return cls(found["name"], tuple(found["champions"]), tuple(found["refused"]))


def plant_alike(
    company: Company, model: Model, rng: np.random.Generator, count: int, first: float = 0.1
) -> list[Planted]:
    """Versions that rank alike, with scores and thresholds of their own."""
    shifts = np.round(first + rng.uniform(0.1, 0.4, count).cumsum(), 3)
    return [
        plant(company.api, company.name, record(shifted(model, float(s)), company.name, rng)) for s in shifts
    ]


def climb(
    company: Company, first: Planted, refused: int, files: Mapping[str, bytes], rng: np.random.Generator
) -> Story:
    """Two more champions after the first one, of which the numbers do not follow each other; then a refusal."""
    put_folder(company.work, "few", files)
    planted = plant_alike(company, first.record.model, rng, 2)
    for version in reversed(planted):
        company.promote(version.number, "few").expect_promoted()
        company.tidy()
    bad = replace(record(first.record.model, company.name, rng), has_threshold=False, card=None)
    last = plant(company.api, company.name, bad).number
    verdict = company.promote(last, "few")
    verdict.expect_refused(["card", "threshold"])
    company.tidy()
    there = company.api.versions(company.name)
    verdict.done.require(there == list(range(1, last + 1)), wanted="every version kept", got=show(there))
    return Story(company.name, (first.number, planted[1].number, planted[0].number), (refused, last))


def told_again(company: Company, story: Story) -> Story:
    """The same story in a registered model of this check's own, at the moment at which its copy was made."""
    company.api.copy_model(story.name, company.name)
    return replace(story, name=company.name)


def expect_ways_back(company: Company, story: Story) -> None:
    """From the third champion to the second, to the first, and no further."""
    first, second, _ = story.champions
    hint = "Which version was champion before this one? Its number says nothing about that."
    for version in (second, first):
        done = company.roll_back().expect(status=0)
        company.expect_champion(done, version, hint)
        company.tidy()
    done = company.roll_back().expect(status=1, hint="Nothing was champion before the first one.")
    company.expect_champion(done, first)


def expect_a_way_back_to_one(company: Company, story: Story, rng: np.random.Generator) -> None:
    """`--to` goes to an earlier champion, and not to a version that never was one."""
    first, _, last = story.champions
    never = int(rng.choice(story.refused))
    done = company.roll_back("--to", str(never)).expect(status=1, hint="It has passed no gate.")
    company.expect_champion(done, last, "A version that was never champion has passed no gate.")
    done = company.roll_back("--to", str(first)).expect(status=0)
    company.expect_champion(done, first)
    for options in (("--to", str(last)), ()):
        done = company.roll_back(*options).expect(status=1, hint="What came after that version is forgotten.")
        company.expect_champion(done, first)


def expect_no_second_reign(company: Company, story: Story, files: Mapping[str, bytes]) -> None:
    """A version that was champion before the present one is not promoted again, or the history would be a circle."""
    put_folder(company.work, "few", files)
    hint = "`rollback.py --to` is the way back to it, however often it was refused."
    for _ in range(2):
        company.promote(story.champions[0], "few").expect_refused(["champion"], hint)


def expect_a_second_chance(company: Company, story: Story, model: Model, rng: np.random.Generator) -> None:
    """A version that was rolled back may be promoted again: it was not champion before the present one."""
    (late,) = plant_alike(company, model, rng, 1, first=1.0)
    for _ in range(2):
        hint = "Who was champion *before* the present one? What came after it is forgotten."
        company.promote(late.number, "few").expect_promoted(hint)
        done = company.roll_back().expect(status=0)
        hint = "What came after the version that `--to` named is forgotten."
        company.expect_champion(done, story.champions[0], hint)


def expect_to_survive(
    moment: str,
    company: Company,
    story: Story,
    model: Model,
    files: Mapping[str, bytes],
    rng: np.random.Generator,
    url: str,
) -> None:
    """A promotion is killed just before or just after it moves the alias; a rollback must find the champion before."""
    put_folder(company.work, "few", files)
    _, second, third = story.champions
    (late,) = plant_alike(company, model, rng, 1, first=1.0)
    reached, back_to = (late.number, third) if moment == "after" else (third, second)
    done = kill_promotion(company, late.number, moment, url)
    company.tidy()
    company.expect_champion(done, reached, "One request moves the alias, when all is judged.")
    back = company.roll_back()
    back.did = f"{done.did}; then python3 rollback.py"
    hint = "What is written first, the history or the alias? What if nothing comes after it?"
    back.expect(status=0, hint=hint)
    company.expect_champion(back, back_to, "What never became champion is no champion to go back to.")


def kill_promotion(company: Company, number: int, moment: str, url: str) -> Finished:
    """promote.py, killed just before or just after its request to move the alias is carried out."""

    def kill(asked: Asked) -> None:
        if asked.moves_an_alias:
            process.signal("SIGKILL", group=True)
            process.wait(20)
            raise ConnectionError

    with Between(url, **{moment: kill}) as between:
        argv = ("promote.py", "--version", str(number), "--data", "few")
        process = company.start(*argv, MLFLOW_TRACKING_URI=between.give_to(company.work))
        done = process.wait(60)
    done.did = f"python3 {' '.join(argv)}, killed just {moment} it moves the alias"
    return done


def expect_one_step(
    company: Company,
    story: Story,
    model: Model,
    files: Mapping[str, bytes],
    rng: np.random.Generator,
    url: str,
) -> None:
    """After each single request that rollback.py and promote.py make, the alias names the old or the new champion."""
    put_folder(company.work, "few", files)
    _, second, third = story.champions
    (new,) = plant_alike(company, model, rng, 1, first=1.0)
    seen: list[int | None] = []

    def look(asked: Asked) -> None:
        if asked.writes:
            seen.append(company.champion)

    for argv, start, end in (
        (("rollback.py",), third, second),
        (("promote.py", "--version", str(new.number), "--data", "few"), second, new.number),
    ):
        seen[:] = [start]
        with Between(url, after=look) as between:
            done = company.run(*argv, MLFLOW_TRACKING_URI=between.give_to(company.work))
        done.did = f"{done.did}, looking at the alias after each of its requests"
        done.expect(status=0)
        company.expect_champion(done, end)
        moves = [now for before, now in zip(seen, seen[1:], strict=False) if before != now]
        done.require(
            moves == [end],
            wanted=f"one move of the alias: from version {start} to version {end}",
            got=f"at versions, one after the other: {', '.join(str(one or 'none') for one in [start, *moves])}",
            hint="Setting an alias moves it. What do readers find between a delete and a set?",
        )
    done = company.roll_back().expect(status=0)
    company.expect_champion(done, second, "Who was champion when this version was promoted?")


def expect_a_quick_way_back(company: Company, story: Story, url: str) -> None:
    """A rollback from a cold start, with no file left in the artifact store."""
    before = company.api.versions(company.name)
    question = company.given("question.py")
    asking, seconds, tried = 0.0, math.inf, 0
    with Between(url, gone=lambda asked: asked.wants_a_file) as between:
        address = between.give_to(company.work)
        while tried < TRIES and seconds > EMERGENCY_TIMES * asking:  # it is slow, or the machine was
            one = told_again(replace(company, name=f"{company.name}-{tried}"), story)
            here = replace(company, name=one.name)
            asking = max(asking, here.cold(question, MLFLOW_TRACKING_URI=address).seconds)
            done = here.cold("rollback.py", MLFLOW_TRACKING_URI=address)
            done.did = "python3 rollback.py, from a cold start, without an artifact store"
            done.expect(status=0, hint="A rollback moves an alias. It needs no model and no file.")
            here.expect_champion(done, story.champions[-2])
            seconds, tried = min(seconds, done.seconds), tried + 1
    done.require(
        seconds <= EMERGENCY_TIMES * asking,
        wanted=f"at most {EMERGENCY_TIMES:g} times the time of one question to MLflow by `httpx`, from a cold start",
        got="longer",
        hint="Where do the seconds go? `python3 -X importtime rollback.py` tells.",
        measured=f"{seconds:.2f} s, the question {asking:.2f} s",
    )
    after = here.api.versions(here.name)
    done.require(after == before, wanted="the same versions as before", got=show(after))
