"""The grader of feature_store: it keeps a slow store of its own and asks both the same questions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from comparing import compare_freshness, shown
from drawing import Draw, given_rows
from driving import Driver, give_database, without_warnings
from labs.checks import check, close
from one_night import Night
from release import bring_out, judge_reader
from slow_store import DAY, MAX_AGE, MINUTE, SECOND, SERVICES, VIEWS, Asked
from training import train_everything

AMOUNTS = "2500, 100, 100 and 100"
REQUESTS, KNOWN, BUSY = 10_000, 2_500, 1_500  # payers asked for; with a nightly row; with a row of the stream


@pytest.fixture(scope="session")
def kept():
    """What the checks that others wait for have seen."""
    return {}


def printed(done):
    """The last line that a script of ours printed, whatever a learner's modules print before."""
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        done.fail(wanted="a Feast registry", got="something else")


# The catalogue


@check(points=2)
def registers_its_features(work):
    """registers the entity, the views with their greatest age, and the feature service in `data/registry.db`"""
    drive = Driver(work)
    drive.apply()
    drive.apply()
    work.read("data/registry.db").expect(exists=True)
    script = work.give("look_inside.py", Path(__file__).parent / "look_inside.py")
    done = replace(work.run("python3", script, warm=True), did="look into data/registry.db after apply()")
    done.output = without_warnings(done.stderr)
    found = printed(done.expect(status=0, hint="Let Feast write this file."))
    done.require(
        found["entities"].get("payer") == "payer_id",
        wanted="an entity `payer` with the join key payer_id",
        got=", ".join(sorted(found["entities"])) or "no entity",
    )
    for view in VIEWS:
        done.require(
            found["views"].get(view) == MAX_AGE[view],
            wanted=f"the view {view} with a ttl of {MAX_AGE[view] // SECOND} s",
            got=f"{found['views'][view] // SECOND} s" if view in found["views"] else "no such view",
            hint="The `ttl` says how long a value may be used. Feast's 0 means: for ever offline, a year online.",
        )
    wanted = sorted(SERVICES["fraud_v1"])
    done.require(
        found["services"].get("fraud_v1") == wanted,
        wanted=f"the service fraud_v1 with {', '.join(wanted)}",
        got=", ".join(found["services"].get("fraud_v1", [])) or "no such service",
        hint="A feature service names what one version of the model gets: nothing more.",
    )
    done.did = (
        f"run the on-demand view {found['on_demand']} of fraud_v1, as Feast runs it, for {AMOUNTS} paise"
    )
    done.require(
        not found["trouble"] and close(found["ratios"], [2.5, 0.004, None, None], 1e-9, 0),
        wanted="amount_to_mean_30d = 2.5, 0.004, null, null for means of 1000, 25000, 0 and null paise",
        got=found["trouble"] or ", ".join(map(shown, found["ratios"])),
        hint="Other teams have Feast run it. Its source stands in the registry: what it uses is imported inside.",
    )


# Training: what was known then


@check(points=3)
def keeps_every_row(work, rng, kept):
    """returns every row of the entity frame once, in its order, with its columns unchanged"""
    kept["training"] = train_everything(work, rng)
    seen = kept["training"].seen["naive"]
    for number, given in enumerate(given_rows(seen.asked)):
        for name, value in given.items():
            seen.answer.require(
                close(seen.got[number][name], value, 0, 0),
                wanted=f"row {number} with the {name} that it came with",
                got="another value in its place",
                hint="A join may change the order, and a frame may have a column that is called as one of yours.",
            )
    kept["training"].part.answer.require(
        kept["training"].part_is_same,
        wanted="the frame of the caller as it was before",
        got="a frame with other columns or values",
        hint="Work on a copy: the caller needs the frame again.",
    )
    kept["training"].part.expect(hint="pandas puts columns together by index: number the rows anew before.")


@check(points=3, after=keeps_every_row)
def knows_only_the_past(kept):
    """uses the latest row of the moment of each payment, and none from after it"""
    kept["training"].expect("past", hint="Compare times, not days. A row of the same microsecond counts.")
    kept["training"].expect(
        "rows", hint="A value counts from its row on and up to its greatest age; else it is null."
    )


@check(points=2, after=keeps_every_row)
def learns_late_rows_late(kept):
    """uses a row that came late only for payments after it was created"""
    kept["training"].expect(
        "late", hint="When was this row known? `created_timestamp` says so, not `event_timestamp`."
    )


@check(points=2, after=keeps_every_row)
def settles_equal_times(kept):
    """uses, of rows with the same event time, the one created last by then"""
    kept["training"].expect(
        "ties", hint="A correction has the same event time and a later `created_timestamp`."
    )


@check(points=2, after=keeps_every_row)
def forgets_at_the_limit(kept):
    """uses a value at its greatest age, and not a microsecond longer"""
    kept["training"].expect("limits", hint="A value may be exactly as old as the view's greatest age.")


@check(points=2, after=keeps_every_row)
def hides_the_deleted(kept):
    """gives null for a deleted payer, and no older value in its place"""
    kept["training"].expect(
        "deleted", hint="First find the row that counts. Then see whether it says deleted."
    )


@check(points=2, after=keeps_every_row)
def computes_the_ratio(kept):
    """computes `amount_to_mean_30d` in paise, and gives null where there is no mean to divide by"""
    kept["training"].expect("ratio", hint="A mean that is null or 0 gives null: no 0, no 1, no infinity.")


@check(points=2, after=keeps_every_row)
def reads_every_time_zone(kept):
    """reads times without a zone as UTC, and the same moments in UTC and in India alike"""
    hint = "A time without a zone is UTC: say so before anything else looks at it."
    for times in kept["training"].seen:
        kept["training"].expect("zones", hint=hint, times=times)


# Online: what is known now


@check(points=4, after=keeps_every_row)
def serves_what_it_trains_on(work, rng):
    """gives 10,000 payers the same features online as in a training set of the same moment"""
    draw, drive = Draw(rng), Driver(work)
    payers = draw.payers(REQUESTS)
    end = draw.night + 30 * MINUTE
    now = end + 20 * MINUTE + draw.micros()
    drive.apply()
    drive.ingest([draw.nightly(one, draw.night - draw.seconds(0, DAY)) for one in payers[:KNOWN]])
    drive.materialize(end)
    drive.push([draw.stream(one, end - draw.seconds(0, 30 * MINUTE)) for one in draw.shuffled(payers)[:BUSY]])
    asked = [Asked(one, now, draw.amount(), "one of 10,000 payers") for one in draw.shuffled(payers)]
    names = SERVICES["fraud_v1"]
    drive.online(asked).expect(names=names, hint="One definition of a feature, used on both sides.")
    drive.train(asked).expect(names=names, hint="One definition of a feature, used on both sides.")


@check(points=3)
def answers_online(work, services, rng, kept):
    """answers for each payer in the order of the request, with the status and the age of each view"""
    url = give_database(services.up("redis", "night"), work, 3)
    kept["night"] = night = Night(work, rng).play()
    night["known"].expect(hint="What was materialized and pushed by now is what a payment needs.")
    with redis.Redis.from_url(url) as client:
        night["known"].answer.require(
            client.dbsize() > 0,
            wanted="the online store in Redis, in the database that REDIS_URL names",
            got="an empty database at REDIS_URL",
            hint="Read the variable when the store is opened, its /number as well; SQLite is for when it is not set.",
        )


@check(points=2, after=answers_online)
def says_what_is_missing(kept):
    """says `missing` and `deleted` with nulls, and never a number that nobody measured"""
    for seen in (kept["night"]["empty"][0], kept["night"]["odd"]):
        seen.expect(hint="0 is a value. A payer whom nobody knows has none.")
    for seen in (kept["night"]["long gone"], kept["night"]["long deleted"]):
        seen.expect(hint="A deletion never grows too old: look at it before the age.")


@check(points=3, after=answers_online)
def refuses_old_values(kept):
    """serves a value at its greatest age, and refuses it as `stale` one microsecond later"""
    for seen in kept["night"]["edges"]:
        seen.expect(hint="Feast returns a value of any age: the time of the event comes along with it.")


@check(points=2, after=answers_online)
def shows_a_push_at_once(kept):
    """shows a push online at once, and in training sets from its creation on"""
    kept["night"]["pushed"].expect(hint="A push goes to the online store and to the history.")
    kept["night"]["pushed in training"].expect(
        hint="What the model saw online must be there when it is trained again."
    )


@check(points=3, after=answers_online)
def keeps_the_newer_row(kept):
    """keeps the newest event online, and of equal events the one created last, in whatever order they come"""
    kept["night"]["orders"].expect(hint="The last writer is not the newest. Compare with what is there.")


@check(points=3, after=answers_online)
def brings_late_rows_online(kept):
    """brings rows online that came after the run for their night, and none over a newer row"""
    before, after = kept["night"]["late"]
    before.expect(hint="`ingest` adds to the history. Online nothing changes before `materialize`.")
    after.expect(hint="Which rows does a run look at that begins where the last one ended?")


@check(points=2, after=answers_online)
def changes_nothing_when_run_again(kept):
    """gives the same answers after the same run again, and after an older run"""
    for seen in kept["night"]["again"]:
        seen.expect(hint="An older run knows less than what is online.")


@check(points=3, after=answers_online)
def measures_freshness(kept):
    """reports the payers, the 95th percentile of age, the stale share and the objective of each view"""
    for answer, wanted in (kept["night"]["empty"][1], *kept["night"]["fresh"], *kept["night"]["exact"]):
        compare_freshness(answer, wanted)


@check(points=2, after=answers_online)
def finds_a_dead_job(kept):
    """misses the objective on the first morning on which the nightly job brought nothing new"""
    for answer, wanted in kept["night"]["dead job"]:
        compare_freshness(answer, wanted, views=VIEWS[:1])


@check(points=3)
def runs_on_a_laptop(work, rng):
    """gives the same answers with SQLite, when REDIS_URL is not set"""
    night = Night(work, rng).play(without=("pushed in training", "fresh", "exact", "dead job"))
    for seen in (*(night[stop] for stop in ("known", "odd", "pushed", "orders")), *night["late"]):
        seen.expect(hint="What one store does by itself, another one may not.")
    for seen in (*night["again"], *night["edges"]):
        seen.expect(hint="What one store does by itself, another one may not.")


# A change of the schema


@check(points=4)
def rolls_out_beside_a_reader(work, services, rng, kept):
    """brings version 2 out while a reader of version 1 sees no error, no null and no mixed row"""
    give_database(services.up("redis", "release"), work, 0)
    kept["release"] = found = bring_out(work, rng)
    judge_reader(found)


@check(points=2, after=rolls_out_beside_a_reader)
def serves_both_versions(kept):
    """serves version 1 and version 2 side by side, online and in training"""
    for seen in kept["release"].second.values():
        seen.expect(hint="Both versions come from the same rows.")


@check(points=2, after=rolls_out_beside_a_reader)
def rolls_back(kept):
    """takes version 2 back with a KeyError for who still asks for it, and can bring it out again"""
    found = kept["release"]
    for answer in found.gone:
        answer.require(
            answer.error is not None and "KeyError" in (answer.error.type, *answer.error.bases),
            wanted="a KeyError: fraud_v2 is not registered any more",
            got=str(answer.error) if answer.error else "an answer",
            hint="Ask the registry which services there are.",
        )
    for seen in found.again:
        seen.expect(hint="What came before the rollback, and after it, is still needed.")
