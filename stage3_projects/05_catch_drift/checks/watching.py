"""Drives a learner's monitor through a replay, day after day, and says what it missed and what it made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from labs.checks import Answer, Work, show
from replay import Alert, Replay, Strike

FIX, ROLL_BACK, RETRAIN, ACCEPT = "fix upstream", "roll back", "retrain", "accept"
# cause: severity, route, decision
HANDLING: Mapping[str, tuple[str, str, str]] = {
    "schema_break": ("page", "data-oncall", FIX),
    "unit_switch": ("page", "data-oncall", FIX),
    "null_spike": ("ticket", "data-team", FIX),
    "renamed_category": ("ticket", "data-team", FIX),
    "stale_features": ("ticket", "data-team", FIX),
    "dead_upstream_job": ("ticket", "data-team", FIX),
    "bad_deploy": ("page", "fraud-oncall", ROLL_BACK),
    "fraud_attack": ("page", "fraud-oncall", RETRAIN),
    "population_shift": ("ticket", "ml-team", RETRAIN),
    "expected_change": ("info", "digest", ACCEPT),
}
NOTHING_WRONG = (
    "What did the monitor compare this day with, and is the difference bigger than between healthy days?"
)
TOO_MANY_REPORTS = (
    "A day with more payments brings more reports. How many do the payments of these days lead you to expect?"
)
CALL_SECONDS = 120  # of wall time, on a busy machine; the contract speaks of CPU time
SAY_WHAT = "Say what was measured, and what is usual."
KEYS = ("severity", "route", "cause", "feature", "decision", "message")
WHY = {
    FIX: "Wrong data: a model that is trained again on them learns the fault.",
    ROLL_BACK: "The data are right and the new version is wrong.",
    RETRAIN: "Data and model are as they were built: the world has changed.",
    ACCEPT: "The calendar explains it.",
}


class Watched:
    """Everything that a monitor said during one replay."""

    def __init__(self, replay: Replay, alerts: list[Alert], answers: list[Answer]) -> None:
        self.replay, self.alerts, self.answers = replay, alerts, answers

    def expect_found(self, hint: str) -> None:
        """Every strike of the replay has its alert in time, with its cause and a guilty feature, and nobody was woken
        for anything else. The first thing that went wrong, in the order of days, fails the check."""
        due = sorted(self.replay.strikes, key=lambda strike: strike.by)
        for strike in due:
            self._expect_no_false_alarm(range(strike.by + 1), NOTHING_WRONG)
            self._expect_in_time(strike, hint)
        self._expect_no_false_alarm(range(self.replay.days), NOTHING_WRONG)

    def expect_quiet(self, hint: str) -> None:
        """No page and no ticket."""
        self._expect_no_false_alarm(range(self.replay.days), hint)

    def expect_silence(self, strike: Strike, hint: str) -> None:
        """No alert for a strike which belongs to an incident that has had its alert."""
        for alert in self.alerts:
            if strike.explains(alert):
                self.answers[alert.day].fail(
                    wanted="no alert: that incident is still open", got=str(alert), hint=hint
                )

    def expect_once(self, strike: Strike, hint: str) -> None:
        """One alert for one strike, not one each day."""
        days = [alert.day for alert in self.alerts if strike.explains(alert)]
        if len(days) != 1:
            self.answers[days[-1] if days else min(strike.by, len(self.answers) - 1)].fail(
                wanted=f"one alert `{strike.cause}` for the incident of {self._dates(strike.first, strike.last)}",
                got=f"{len(days)} alerts: {', '.join(self._date(day) for day in days)}" if days else "none",
                hint=hint,
            )

    def _expect_no_false_alarm(self, days: range, hint: str) -> None:
        for alert in self.alerts:
            explained = any(strike.explains(alert) for strike in self.replay.strikes)
            if alert.day in days and alert.wakes_somebody and not explained:
                wrong = [strike for strike in self.replay.strikes if strike.first <= alert.day <= strike.last]
                wanted = "no page and no ticket: all is well that day"
                if wrong:
                    wanted = f"nothing but {_names(wrong)}"
                    hint = "One incident, one cause: what follows from it is no alert of its own."
                elif alert.cause == "fraud_attack":
                    hint = TOO_MANY_REPORTS
                self.answers[alert.day].fail(wanted=wanted, got=str(alert), hint=hint)

    def _expect_in_time(self, strike: Strike, hint: str) -> None:
        found = [alert for alert in self.alerts if strike.explains(alert)]
        if found and found[0].day <= strike.by:
            return
        features = " or ".join(f"`{feature}`" for feature in strike.features)
        wanted = f"`{strike.cause}` for {features}, by {self._date(strike.by)} (it began on {self._date(strike.first)})"
        since = [a for a in self.alerts if strike.first <= a.day <= strike.by and a.wakes_somebody]
        said = "; ".join(f"{alert} on {self._date(alert.day)}" for alert in since) or "no alert"
        late = f"; it came on {self._date(found[0].day)}" if found else ""
        self.answers[strike.by].fail(wanted=wanted, got=said + late, hint=hint)

    def _date(self, day: int) -> str:
        return self.replay.calendar(day).date.strftime("%-d %b")

    def _dates(self, first: int, last: int) -> str:
        return f"{self._date(first)} to {self._date(last)}" if last > first else self._date(first)


def watch(work: Work, replay: Replay) -> Watched:
    """Begin with the reference, then one day after the other: day N + 1 is sent when day N is answered."""
    begin(work, replay)
    alerts: list[Alert] = []
    answers: list[Answer] = []
    for day, frame, today, arrived in replay:
        special = today["festival"] or ("salary day" if today["is_salary_day"] else today["weekday"])
        what = f"{today['date']}, {special}, {len(frame):,} transactions"
        answer = observe(work, frame, today, arrived, what)
        answers.append(answer)
        alerts += read_alerts(answer, day)
    return Watched(replay, alerts, answers)


def begin(work: Work, replay: Replay) -> None:
    """Give the monitor the healthy days of a replay."""
    work.call("monitor.py:begin", *replay.reference(), timeout=CALL_SECONDS)


def observe(
    work: Work, frame: pd.DataFrame, today: Mapping[str, Any], labels: pd.DataFrame, what: str
) -> Answer:
    """Give the monitor one day; a crash says which day it was."""
    answer = work.call("monitor.py:observe", frame, today, labels, timeout=CALL_SECONDS, may_raise=True)
    answer.did = f"observe(…) of {what}  in monitor.py"
    if answer.error is not None:
        hint = "A monitor that stops is a monitor that sees nothing. What was different on that day?"
        answer.fail(wanted="a list of alerts", got=str(answer.error), hint=hint)
    return answer


def read_alerts(answer: Answer, day: int = 0) -> list[Alert]:
    """The alerts of one day, each as the contract says."""
    answer.expect(type=list, hint="Return a list of alerts; an empty one when all is well.")
    alerts = []
    for said in answer.value:
        if not isinstance(said, Mapping) or not set(KEYS) <= set(said):
            wanted = f"alerts that are dicts with {', '.join(f'`{key}`' for key in KEYS)}"
            answer.fail(wanted=wanted, got=show(said), hint="`routing.py` of the starter builds one.")
        cause = said["cause"]
        if not isinstance(cause, str) or cause not in HANDLING:
            answer.fail(wanted=f"a cause among {', '.join(HANDLING)}", got=f"`cause` = {show(cause)}")
        _expect_handling(answer, said, cause)
        if not isinstance(said["message"], str) or not said["message"].strip():
            wanted = f"`{cause}` with a `message`: a sentence for the person who reads it"
            answer.fail(wanted=wanted, got=f"`message` = {show(said['message'])}", hint=SAY_WHAT)
        alerts.append(Alert(day, cause, said["feature"] if isinstance(said["feature"], str) else None))
    return alerts


def _expect_handling(answer: Answer, said: Mapping[str, Any], cause: str) -> None:
    severity, route, decision = HANDLING[cause]
    for key, wanted in (("severity", severity), ("route", route), ("decision", decision)):
        if said[key] != wanted:
            answer.fail(
                wanted=f"`{cause}`: {key} = {show(wanted)}",
                got=f"`{cause}`: {key} = {show(said[key])}",
                hint=WHY[decision]
                if key == "decision"
                else "The table of the contract says who hears of which cause.",
            )


def _names(strikes: list[Strike]) -> str:
    return " and ".join(f"`{strike.cause}` for `{'` or `'.join(strike.features)}`" for strike in strikes)
