"""The grader of alarms_and_bills: the learner's code fills an account; months are played to what lies there then."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import aws_account as aws
import counting
import people
import spending
import two_months
from judging import Seen, at_most, by_nine, is_not_woken, is_over, is_told
from labs.checks import check
from months import DAY, RARE
from paging import TOPICS

OUTAGE, DEAD, ERRORS, SLOW, STOPPED, BURN, OVER = 10, 10, 20, 20, 60, 360, 150  # minutes
PATIENCE = 120  # seconds for one run of theirs, which takes one or two: less than the lab's wall_seconds


@pytest.fixture(scope="session")
def kept():
    """What the checks that others wait for have seen."""
    return {}


@pytest.fixture
def seen(kept) -> Seen:
    return kept["seen"]


@pytest.fixture
def account(services):
    return aws.Account(services.up("aws").variables)


def apply(work, settings):
    work.put("settings.json", json.dumps(settings, indent=2))
    done = work.run("python3", "monitoring.py", "apply", warm=True, timeout=PATIENCE)
    return replace(done, did="python monitoring.py apply")


# From code, again and again


@check(points=1)
def applies_to_an_empty_account(work, services, account, rng, kept):
    """fills an empty account: three topics, and alarms with its prefix"""
    services.up("aws").give_to(work)
    before, after = aws.draw_settings(rng)
    inboxes = account.inboxes(aws.queues(before) | aws.queues(after))
    done = apply(work, before).expect(status=0, hint="Try it: `labs up aws`, `source <(labs env)`.")
    first = account.snapshot()
    for topic in TOPICS:
        done.require(topic in first.subscriptions, wanted=f"a topic `{topic}`", got="no such topic")
    strange = sorted(first.names - first.own.names)
    done.require(
        bool(first.names) and not strange,
        wanted=f"alarms, and all of them with names that begin with {aws.PREFIX}",
        got=f"{strange[0]}" if strange else "no alarm",
    )
    again, second = apply(work, before), account.snapshot()
    account.leave_things_behind()
    later, third = apply(work, after), account.snapshot()
    kept["seen"] = Seen(done, before, after, inboxes, first, again, second, later, third)


@check(points=2, after=applies_to_an_empty_account)
def changes_nothing_twice(seen):
    """changes nothing when it is applied again"""
    people.nothing_changed(seen)


@check(points=3, after=applies_to_an_empty_account)
def removes_what_is_gone(seen):
    """removes its own alarms that are no longer in the code, and touches no others"""
    people.old_alarms_went(seen)


@check(points=2, after=applies_to_an_empty_account)
def watches_what_is_published(seed, seen):
    """watches only metrics that somebody publishes: namespace, name, dimensions and unit"""
    two_months.watch(seen, seed)


@check(points=2, after=watches_what_is_published)
def pages_for_an_outage(seen):
    """pages `oncall` within 10 minutes when half of the payments fail"""
    for event in seen.bad.month.of("outage"):
        is_told(
            seen, seen.incidents, event, "oncall", OUTAGE, "How many bad minutes does your alarm wait for?"
        )


@check(points=2, after=watches_what_is_published, when=pages_for_an_outage)
def pages_once(seen):
    """pages once for one outage, though errors and latency both break"""
    for event in seen.bad.month.of("outage"):
        at_most(seen, event, 1, 15, "One composite alarm can page for all of them.")


@check(points=2, after=watches_what_is_published)
def survives_flapping(seen):
    """sends at most two pages in four hours of flapping, and somebody hears of it"""
    for event in seen.bad.month.of("flapping"):
        at_most(seen, event, 2, 30, "M out of N: how many of how many points must be bad?")
        seen.replayed(event).require(
            bool(seen.incidents.alerts(event.start, event.end, ["oncall", "team"])),
            wanted="a message to `oncall` or `team` while it lasts",
            got="none",
            hint="A quarter of bad minutes, for hours, is a slow burn of the error budget.",
        )


@check(points=3, after=watches_what_is_published)
def pages_for_errors(seen):
    """pages `oncall` within 20 minutes when 12 % fail: in the morning, in the evening, and on one replica"""
    hint = (
        "What share of the fleet's requests fails? A number of errors says little, and one replica says less."
    )
    for event in seen.bad.month.of("errors"):
        is_told(seen, seen.incidents, event, "oncall", ERRORS, hint)


@check(points=2, after=watches_what_is_published)
def pages_for_slow_answers(seen):
    """pages `oncall` within 20 minutes when p99 is far above its objective"""
    for event in seen.bad.month.of("slow"):
        slow = 2 if event.what == RARE else 6
        hint = f"Of 100 requests {slow} take 300 ms, {100 - slow} take 12 ms. What is the mean? What is p99?"
        is_told(seen, seen.incidents, event, "oncall", SLOW, hint)


@check(points=3, after=watches_what_is_published)
def pages_when_the_service_is_dead(seen):
    """pages `oncall` within 10 minutes when nothing is published any more, by day and by night"""
    hint = "What does your alarm make of missing data, and how many points does it look at?"
    for event in seen.bad.month.of("dead"):
        is_told(seen, seen.incidents, event, "oncall", DEAD, hint)


@check(points=2, after=watches_what_is_published)
def pages_for_a_dead_nightly_job(seen):
    """pages `oncall` before 09:00 IST when the nightly job has not succeeded"""
    hint = "A job that does not run publishes nothing. Turn what is missing into a number, or let it breach."
    for event in seen.bad.month.of("dead job"):
        is_told(seen, seen.incidents, event, "oncall", by_nine(event), hint)


@check(points=2, after=watches_what_is_published)
def tickets_a_metric_that_stops(seen):
    """tells `team`, not `oncall`, within an hour when Errors or Latency stops while requests go on"""
    for event in seen.bad.month.of("metric stops"):
        hint = f"{event.what} stopped: nothing computed from it has a value. Who notices? FILL gives one."
        is_told(seen, seen.incidents, event, "team", STOPPED, hint)
        is_not_woken(seen, seen.incidents, event, "Users feel nothing of this: it can wait.", ["oncall"])


@check(points=3, after=watches_what_is_published)
def tickets_a_slow_burn(seen):
    """tells `team`, not `oncall`, within 6 hours when the error budget burns slowly, and when it is over"""
    hint = "1 % of errors is no outage. In ten hours it takes a seventh of the month's error budget."
    for event in seen.bad.month.of("slow burn"):
        first = is_told(seen, seen.incidents, event, "team", BURN, hint)
        is_not_woken(seen, seen.incidents, event, "A slow burn is a ticket: nobody must get up.", ["oncall"])
        is_over(
            seen,
            event,
            first,
            OVER,
            "A short window beside the long one ends the alarm soon. OKActions tell.",
        )


@check(points=2, after=watches_what_is_published, when=(pages_for_an_outage, pages_when_the_service_is_dead))
def says_when_it_is_over(seen):
    """tells `oncall` within 30 minutes that an incident is over"""
    for event in seen.bad.month.of("outage", "errors", "slow", "dead"):
        for page in seen.incidents.alerts(event.start, event.end, ["oncall"]):
            is_over(seen, event, page, 30, "OKActions. Without them people go on looking for what is mended.")


@check(points=2, after=watches_what_is_published)
def sleeps_through_quiet_nights(seen):
    """tells nobody at night when there are fewer than 20 requests a minute and three of ten fail or are slow"""
    for event in seen.quiet.month.of("errors at night", "slow at night"):
        is_not_woken(
            seen, seen.quiet, event, "A share of so few requests says nothing: IF(requests >= …, share, 0)."
        )


@check(points=1, after=watches_what_is_published)
def sleeps_when_nobody_pays(seen):
    """tells nobody while there are no payments at all: the service lives, and publishes 0"""
    hint = "0 requests and no data are two things. Without requests there are no latencies, and no rate."
    for event in seen.quiet.month.of("no payments"):
        is_not_woken(seen, seen.quiet, event, hint)


@check(points=1, after=watches_what_is_published)
def waits_for_a_late_job(seen):
    """tells nobody when the nightly job is late, but before 04:15 IST"""
    for event in seen.quiet.month.of("late job"):
        on_time_next = replace(event, end=event.end + DAY)
        hint = "From 02:10 of one night to 04:15 of the next are 26 hours and 5 minutes."
        is_not_woken(seen, seen.quiet, on_time_next, hint)


@check(points=2, after=watches_what_is_published)
def sleeps_through_festivals(seen):
    """tells nobody on Diwali and on salary days"""
    hint = "Much traffic is good news. Alarm on what users feel, not on what might be its cause."
    for event in seen.quiet.month.of("festival"):
        is_not_woken(seen, seen.quiet, replace(event, end=event.end - 31), hint)


@check(points=2, after=watches_what_is_published)
def ignores_spikes_and_deployments(seen):
    """tells nobody of one bad minute, or of the seven minutes of a deployment"""
    hint = "It is over before anybody is at a keyboard. How many points must be bad, of how many?"
    for event in seen.quiet.month.of("spike", "slow spike", "deployment"):
        is_not_woken(seen, seen.quiet, event, hint)


@check(points=3, after=watches_what_is_published)
def stops_a_runaway_job(seen):
    """tells `finance` and `oncall` before a job that never ends has burned ₹75,000 more than usual"""
    spending.runaway(seen)


@check(points=1, after=watches_what_is_published)
def accepts_usual_bills(seen):
    """does not tell `finance` of training, of retraining, of Diwali or of the end of a month"""
    spending.usual_bills(seen)


@check(points=1, after=watches_what_is_published)
def is_silent_otherwise(seen):
    """tells nobody when nothing happens, and nobody hours later of what is over, in either month"""
    two_months.nothing_else(seen)


@check(points=3, after=applies_to_an_empty_account)
def keeps_a_budget(rng, seen):
    """tells `finance` at 50, 80 and 100 % of the monthly budget and when the forecast is above it, and nothing else"""
    spending.budget(seen, rng)


@check(points=2, after=applies_to_an_empty_account, when=keeps_a_budget)
def follows_its_settings(rng, seen):
    """follows `settings.json`: the budget has its new limit and tells as before"""
    spending.new_budget(seen, rng)


@check(points=3, after=applies_to_an_empty_account)
def lets_services_publish(seen):
    """lets alarms and budgets of this account publish to its topics, and nobody outside of it do anything"""
    for topic in TOPICS:
        people.publishers(seen, topic)


@check(points=2, after=applies_to_an_empty_account)
def reaches_the_people(account, seen):
    """delivers to all subscribers in `settings.json` and only to them, and who stays keeps the subscription"""
    people.inboxes(seen, account)


@check(points=1, after=applies_to_an_empty_account)
def links_its_runbooks(seen):
    """links a runbook in the description of every alarm that tells somebody"""
    people.runbooks(seen)


@check(points=3)
def publishes_the_fleet(work, services, account, rng, kept):
    """publishes requests and errors of the whole fleet, in the minute in which they were, and 0 as 0"""
    services.up("aws").give_to(work)
    age = timedelta(minutes=int(rng.integers(24, 96)) * 60)
    first = datetime.now(UTC).replace(second=0, microsecond=0) - age
    lines = counting.draw_lines(rng, first)
    work.put("minutes.jsonl", counting.as_file(lines))
    done = work.run("python3", "monitoring.py", "publish", "minutes.jsonl", warm=True, timeout=PATIENCE)
    kept["published"] = (
        replace(done, did="python monitoring.py publish minutes.jsonl").expect(status=0),
        lines,
        first,
    )
    for name in ("Requests", "Errors"):
        counting.judge(*kept["published"], account.cloudwatch, name, {"Sum": f"the sum of {name}"})


@check(points=2, after=publishes_the_fleet)
def publishes_latency_as_a_distribution(account, kept):
    """publishes every latency of the fleet, so that CloudWatch can take p99 of any period"""
    counting.judge(*kept["published"], account.cloudwatch, "Latency", counting.OF_A_DISTRIBUTION)
