"""What a monitor of drift must do, watched on days that it has never seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from labs.checks import check, close
from labs.world import World
from replay import Alert
from report_page import days_in_three_versions, is_evidently, is_html, remote_addresses, sample, series
from right_answers import psi, quality, rounded, with_rows_on_the_edges, z_score
from seasons import (
    around_diwali,
    ordinary,
    that_comes_back,
    with_disguised_deploy,
    with_good_deploy,
    with_metres,
    with_quiet_festival,
    with_slow_shift,
)
from watching import CALL_SECONDS, begin, observe, read_alerts, watch


@check(points=2)
def measures_psi(work, rng):
    """computes PSI exactly as the contract defines it, on bins of the reference"""
    wide, narrow = np.round(rng.lognormal(6, 1.0, 900)), np.round(rng.lognormal(6.5, 0.4, 500))
    few, more = rng.poisson(0.4, 700), rng.poisson(0.9, 300)
    for reference, current in ((wide, narrow), (narrow, wide), (few, more)):
        answer = work.call("drift.py:psi", reference, current, timeout=CALL_SECONDS)
        hint = "The bins come from the reference alone."
        if close(answer.value, psi(reference.tolist(), current.tolist(), closed="left"), 1e-6, 0):
            hint = "A value on an edge belongs to the bin below it: `low < x <= high`."
        answer.expect(approx=psi(reference.tolist(), current.tolist()), rel=1e-6, hint=hint)


@check(points=2, after=measures_psi)
def counts_what_is_missing_or_new(work, rng):
    """counts nulls, and text that the reference does not know, in bins of their own"""
    numbers, holes = rng.normal(50, 9, 800).round(1), rng.normal(50, 9, 600).round(1)
    holes[rng.random(600) < 0.3] = np.nan
    names = np.array(["qr", "intent", "collect", "autopay"], dtype=object)
    known, renamed = rng.choice(names, 800), rng.choice(names, 600)
    renamed[renamed == "collect"] = "upi_collect"
    renamed[rng.random(600) < 0.1] = None
    for reference, current in ((numbers, holes), (holes, numbers), (known, renamed), (renamed, known)):
        work.call("drift.py:psi", reference, current, timeout=CALL_SECONDS).expect(
            approx=psi(reference.tolist(), current.tolist()),
            rel=1e-6,
            hint="A null is something that happened, and so is a new value: count them.",
        )


@check(points=1)
def measures_a_z_score(work, rng):
    """computes the z-score of a day, also where days are missing or all alike"""
    history = rng.normal(20, 3, 30).round(1)
    history[rng.choice(30, 4, replace=False)] = np.nan
    today = round(float(rng.normal(26, 3)), 1)
    work.call("drift.py:z_score", history, today, timeout=CALL_SECONDS).expect(
        approx=z_score(history.tolist(), today), rel=1e-6
    )
    hint = "Without spread, any change is infinitely unusual; none is none. A rounding error is no spread."
    # Of three days at 0.1, the mean is 0.1 and a little, and the standard deviation is not 0.
    for usual, days in ((float(rng.integers(1, 9)), 20), (0.1, 3), (0.1, int(rng.integers(6, 40)))):
        still = np.full(days, usual)
        for now, wanted in ((usual, 0.0), (usual - 1, -np.inf), (usual * 2, np.inf)):
            work.call("drift.py:z_score", still, now, timeout=CALL_SECONDS).expect(approx=wanted, hint=hint)
    hint = "One day has no spread."
    work.call("drift.py:z_score", history[:1], today, timeout=CALL_SECONDS).expect(approx=np.nan, hint=hint)


@check(points=3)
def finds_a_unit_switch(work, seed, rng):
    """pages when a column comes in another unit, and does not blame the model for it"""
    replay = ordinary(seed)
    for column in ("amount_paise", "payer_mean_amount_30d_paise"):
        replay = replay.hit(rng, "unit_switch", column)
    hint = "Which factor would bring the strange values back among the usual ones?"
    watch(work, with_metres(replay, rng)).expect_found(hint)


@check(points=2)
def finds_a_null_spike(work, seed, rng):
    """opens a ticket when a column begins to lose its values"""
    replay = ordinary(seed)
    for column in rng.permutation(["distance_km", "device_age_days", "payer_mean_amount_30d_paise"]):
        replay = replay.hit(rng, "null_spike", str(column))
    watch(work, replay).expect_found("Compare the share of nulls before anything drops them.")


@check(points=2)
def finds_a_renamed_category(work, seed, rng):
    """opens a ticket when a value of a text column gets another name"""
    replay = ordinary(seed)
    for column in rng.permutation(["channel", "merchant_category"]):
        replay = replay.hit(rng, "renamed_category", str(column))
    watch(work, replay).expect_found("Text has no mean: watch for values that the reference does not know.")


@check(points=1)
def finds_stale_features(work, seed, rng):
    """opens one ticket when the streamed features are hours old"""
    hint = "`feature_age_minutes` says how old they are."
    watch(work, ordinary(seed).hit(rng, "stale_features")).expect_found(hint)


@check(points=3)
def finds_a_dead_job(work, seed, rng):
    """finds that the nightly job died, although every distribution looks as always"""
    hint = "A frozen table has the right shape. Follow one payer from yesterday to today."
    watch(work, ordinary(seed).hit(rng, "dead_upstream_job")).expect_found(hint)


@check(points=3)
def survives_a_broken_schema(work, seed, rng):
    """pages for missing, empty and retyped columns and for an empty day, and goes on watching"""
    numeric = ["amount_paise", "device_age_days", "payer_txn_count_24h", "distance_km"]
    gone, empty, retyped = map(str, rng.permutation(numeric)[:3])
    replay = ordinary(seed, days=9)
    begin(work, replay)
    breaks = {
        1: (lambda day: day.drop(columns=gone), gone, "is missing"),
        3: (lambda day: day.assign(**{empty: np.nan}), empty, "holds no value"),
        5: (lambda day: day.assign(**{retyped: day[retyped].astype(str)}), retyped, "holds text"),
        6: (lambda day: day.drop(columns="score"), "score", "is missing"),
        7: (lambda day: day.iloc[:0], None, "has no rows"),
    }
    for number, day, today, labels in replay:
        spoil, column, what = breaks.get(number, (lambda day: day, None, ""))
        what = f"whose `{column}` {what}" if column else f"that {what or 'is healthy'}"
        answer = observe(work, spoil(day), today, labels, f"{today['date']}, a day {what}")
        said = [alert for alert in read_alerts(answer) if alert.wakes_somebody]
        wanted = [Alert(0, "schema_break", column)] if number in breaks else []
        answer.require(
            said == wanted,
            wanted=", ".join(map(str, wanted)) or "no page and no ticket",
            got=", ".join(map(str, said)) or "no alert",
            hint="Look at the schema before any statistic, and leave a broken column out of what follows.",
        )


@check(points=3)
def rolls_back_the_bad_deploy(work, seed, rng):
    """accepts a good new model version, and asks to roll back a bad one, even under the old name"""
    replay = with_good_deploy(ordinary(seed), day=int(rng.integers(2, 5)))
    replay = replay.hit(rng, "bad_deploy", day=int(rng.integers(8, 11)))
    hint = "A new version is no incident; its scores may be. Compare them with the reference's."
    watch(work, with_disguised_deploy(replay, rng)).expect_found(hint)


@check(points=3)
def finds_a_fraud_attack(work, seed, rng):
    """finds an attack that the model does not see, from the first labels that come back"""
    replay = ordinary(seed).hit(rng, "fraud_attack", day=int(rng.integers(4, 8)))
    hint = "Count frauds reported within a few days; compare with as young reports of the reference."
    watch(work, replay).expect_found(hint)


@check(points=3)
def finds_a_slow_shift(work, seed, rng):
    """opens a ticket for a drift so slow that no day differs from the day before"""
    replay = with_slow_shift(ordinary(seed), rng, first=int(rng.integers(2, 5)), days=25)
    hint = "A baseline that follows the drift never sees it. Keep one that stands still."
    watch(work, replay).expect_found(hint)


@check(points=2, after=finds_a_unit_switch)
def sleeps_through_an_ordinary_month(work, seed):
    """wakes nobody in a healthy month with weekends, salary days and growth"""
    hint = "Compare a day with days of its kind; the calendar tells you which."
    watch(work, ordinary(seed, days=30)).expect_quiet(hint)


@check(points=3, after=finds_a_unit_switch)
def accepts_diwali(work, seed):
    """notes the Diwali surge as expected, decision `accept`, and wakes nobody"""
    replay, diwali = around_diwali(seed, before=9, after=5)
    replay, quiet_festival = with_quiet_festival(replay)
    watched = watch(work, replay)
    watched.expect_quiet("The calendar explains a festival: accept it.")
    noted = {alert.day for alert in watched.alerts if alert.feature == "amount_paise"}
    watched.answers[diwali].require(
        noted & {diwali - 2, diwali - 1, diwali},
        wanted="`expected_change` for `amount_paise` on at least one of the three days up to Diwali",
        got="none of the three days has it",
        hint="Amounts jump: measure it, look at the calendar, and say so to the people of the morning.",
    )
    for day, answer in enumerate(watched.answers):
        today = replay.calendar(day)
        reason = (today.festival or today.is_salary_day) and day != quiet_festival
        answer.require(
            reason or day not in noted,
            wanted="no `expected_change`: amounts are as on other days",
            got="`expected_change` for `amount_paise`",
            hint="It needs both: amounts that differ much from ordinary days, and a reason in the calendar.",
        )


@check(points=2, after=finds_a_unit_switch)
def stays_awake_at_diwali(work, seed, rng):
    """pages for a unit switch in the middle of the Diwali surge"""
    replay, diwali = around_diwali(seed, before=5, after=2)
    replay = replay.hit(rng, "unit_switch", "amount_paise", day=diwali - int(rng.integers(0, 3)), days=1)
    hint = "A festival explains bigger amounts. It does not explain amounts 100 times too small."
    watch(work, replay).expect_found(hint)


@check(points=2, after=finds_a_unit_switch)
def pages_once(work, seed, rng):
    """pages once for an incident of many days, and again when it comes back"""
    replay = that_comes_back(ordinary(seed), rng)
    first, after_two_days, after_three_days = replay.strikes
    # The last day is a bad one: a monitor that does not forget it in `begin` says nothing when it starts again.
    watched = watch(work, replace(replay, days=after_three_days.last + 1))
    hint = "Keep what is open, close it after three days without it, page for what is new."
    watched.expect_once(first, hint)
    watched.expect_silence(after_two_days, f"{hint} Two days are not three.")
    watched.expect_once(after_three_days, hint)
    replay = ordinary(seed).hit(rng, "unit_switch", "amount_paise", day=0, last_day=0)
    watched = watch(work, replace(replay, days=1))
    watched.expect_once(replay.strikes[0], "`begin` was called again: forget what was open before.")


@check(points=3)
def waits_for_late_labels(work, seed, rng):
    """measures quality on days whose labels are all in, and lets the young ones wait"""
    world, days = World(int(rng.integers(1, 2**31)), transactions_per_day=500), int(rng.integers(40, 50))
    columns = ["transaction_id", "event_time", "score"]
    transactions = pd.concat([world.served(day)[columns] for day in range(days)])
    everything = pd.concat([world.labels(day) for day in range(days)], ignore_index=True)
    # One bank in ten sends its file late, so that a payment may be old and still have no label.
    late = rng.random(len(everything)) < 0.1
    everything.loc[late, "labelled_at"] += pd.to_timedelta(rng.integers(5, 20, late.sum()), unit="D")
    threshold = round(float(rng.uniform(0.02, 0.05)), 3)
    for until, hint in (
        (
            days,
            "No label yet is not the same as no fraud. A payment counts when it is 30 days old and its label is here.",
        ),
        (20, "When no payment is 30 days old there is nothing to measure: say None."),
    ):
        as_of = world.calendar(until).start
        seen = transactions[transactions["event_time"] < as_of].reset_index(drop=True)
        labels = everything
        if until == days:
            seen, labels = with_rows_on_the_edges(rng, seen, everything, as_of)
        right = quality(seen, labels, as_of, threshold)
        answer = work.call("quality.py:quality", seen, labels, as_of, threshold, timeout=CALL_SECONDS)
        answer.expect(type=dict, keys=set(right))
        said = {key: answer.value[key] for key in right}
        answer.require(close(said, right, 1e-6, 0), wanted=rounded(right), got=rounded(said), hint=hint)


@check(points=2)
def writes_a_page_to_read(work, rng):
    """writes an HTML report with Evidently that shows every column and opens without a network"""
    own = f"feature_{rng.integers(16**6):06x}"
    reference = sample(rng, own)
    versions, same_and_other = days_in_three_versions(rng, own)
    pages = []
    for current in versions:
        folder = f"reports/{own}/{len(pages)}"
        work.call("report.py:report", reference, current, folder, timeout=CALL_SECONDS)
        pages.append(work.read(f"{folder}/report.html").expect())
    page = pages[0]
    page.require(is_html(page.text()), wanted="an HTML page", got="no <html> and no <body>")
    unnamed = [name for name in reference if name not in page.text()]
    page.require(
        not unnamed,
        wanted="every column of the reference on the page, also one that is missing today",
        got=f"nothing about {', '.join(f'`{name}`' for name in unnamed)}",
        hint="Evidently does not mention a missing column: say it yourself.",
    )
    remote = remote_addresses(page.text())
    page.require(
        not remote,
        wanted="a page that fetches nothing: it is read from a laptop in a train",
        got=f"it loads {'; '.join(remote[:3])}",
        hint="Put scripts and styles into the page; Evidently's `save_html` does.",
    )
    page.require(
        is_evidently(page.text()),
        wanted="a page that Evidently wrote, with its pictures",
        got="a page without Evidently's viewer",
        hint="`Report([…]).run(current, reference)` gives a snapshot; its `save_html` writes the page.",
    )
    drawn = [series(each.text()) for each in pages]
    for column, (one, two, other) in same_and_other.items():
        page.require(
            (drawn[one] & drawn[two]) - drawn[other],
            wanted=f"how the values of `{column}` are distributed that day",
            got=f"the same pictures, whatever is in `{column}`",
            hint="Give Evidently a metric for each column, such as `ValueDrift(column=…)`.",
        )


@check(points=3)
def reports_with_a_verdict(work, rng):
    """gives a verdict that is right for a healthy day, a drifted one, a missing column and an empty one"""
    own = f"feature_{rng.integers(16**6):06x}"
    reference = sample(rng, own)
    drifted = sample(rng, own).assign(**{own: rng.gamma(6, 50, len(reference))})
    drifted["channel"] = drifted["channel"].replace("intent", "upi_intent")
    rupees = sample(rng, own)
    rupees.loc[rng.random(len(rupees)) < 0.5, "amount_paise"] //= 100
    cases = (
        ("a healthy day", sample(rng, own), [], []),
        (f"a day on which `channel` and `{own}` drifted", drifted, sorted(["channel", own]), []),
        ("a day on which half of `amount_paise` came in rupees", rupees, ["amount_paise"], []),
        (f"a day without `{own}`", sample(rng, own).drop(columns=own), [], [own]),
        (
            "a day whose `distance_km` is all null",
            sample(rng, own).assign(distance_km=np.nan),
            [],
            ["distance_km"],
        ),
    )
    for what, current, moved, missing in cases:
        answer = work.call("report.py:report", reference, current, "out", timeout=CALL_SECONDS)
        answer.did = f"report(reference, {what}, 'out')  in report.py"
        answer.expect(type=dict, keys={"ok", "tests", "drifted", "missing"})
        right = {"ok": not moved and not missing, "drifted": moved, "missing": missing}
        answer.require(
            {key: answer.value[key] for key in right} == right,
            wanted=str(right),
            got=str({key: answer.value[key] for key in right}),
            hint="No test, no failure; a missing column is skipped in silence; equal bins do not see money.",
        )
        tests = answer.value["tests"]
        answer.require(
            isinstance(tests, int) and tests >= reference.shape[1],
            wanted=f"`tests` at least {reference.shape[1]}: one for each column of the reference",
            got=f"`tests` = {tests!r}",
            hint="A verdict that tested nothing is no verdict.",
        )
        work.read("out/report.json").require(
            work.read("out/report.json").json() == answer.value,
            wanted="report.json with the verdict that was returned",
            got="something else",
        )
