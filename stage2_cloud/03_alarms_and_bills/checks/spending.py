"""Judges what is said about money: by alarms every hour, and by the budget of the month."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from aws_account import BUDGET
from bills import play_budget
from judging import Seen, is_told
from labs.checks import close
from months import DAY, HOUR

BURNED = 75_000  # rupees beyond the usual
PERCENTS = (50, 80, 100)
SHARES = (0.42, 0.62, 0.93, 1.31, 50)  # of the budget that a month costs; the last finds any other line
PARTS = ("IncludeOtherSubscription", "IncludeRecurring", "IncludeSubscription", "IncludeSupport", "IncludeTax",
         "IncludeUpfront")  # fmt: skip
Line = tuple[str, float, tuple[str, ...]]


def runaway(seen: Seen) -> None:
    hint = "A bill of yesterday comes tomorrow. Which metric of money is there every hour?"
    for event in seen.bad.month.of("runaway job"):
        minutes = int(BURNED / event.severity) * HOUR
        first = is_told(seen, seen.bad, event, "finance", minutes, hint)
        same = replace(seen.bad, messages=tuple(one for one in seen.bad.messages if one.alarm == first.alarm))
        is_told(
            seen,
            same,
            event,
            "oncall",
            minutes,
            "`finance` knows the money, `oncall` can end the job: tell both.",
        )


def usual_bills(seen: Seen) -> None:
    for each in (seen.quiet, seen.bad):
        spans = [(event.start, event.end + DAY) for event in each.month.of("runaway job")]
        for alert in each.alerts(0, float("inf"), ["finance"]):
            seen.looked_at(f"replay: {each.month.when(alert.minute)}, when nothing runs away").require(
                any(start <= alert.minute <= end for start, end in spans),
                wanted="no message to `finance`",
                got=f"{alert.alarm}: {alert.state}",
                hint="Training costs more in an hour than a runaway job does. How long does each of them last?",
            )


def limit_is(seen: Seen, settings: dict, budgets: dict, hint: str) -> float:
    """The limit of the budget in dollars, which must be the one of these settings."""
    done = seen.looked_at(f"look at the budget {BUDGET}")
    done.require(
        BUDGET in budgets, wanted=f"a budget {BUDGET}", got=", ".join(sorted(budgets)) or "no budget"
    )
    budget = budgets[BUDGET]
    kind = (budget["BudgetType"], budget["TimeUnit"], "with" if "BudgetLimit" in budget else "without")
    done.require(
        kind == ("COST", "MONTHLY", "with"),
        wanted="a budget of COST, MONTHLY, with a BudgetLimit",
        got=f"{kind[0]}, {kind[1]}, {kind[2]} a BudgetLimit",
    )
    left_out = [name for name in ("CostFilters", "FilterExpression") if budget.get(name)]
    left_out += [name for name in PARTS if (budget.get("CostTypes") or {}).get(name) is False]
    done.require(
        not left_out,
        wanted="a budget over the whole bill",
        got=f"{left_out[0]}: a part of the bill does not count" if left_out else "",
        hint="A job that runs away does not ask in which part of the bill it appears.",
    )
    unit = budget["BudgetLimit"]["Unit"]
    try:
        limit = float(budget["BudgetLimit"]["Amount"])
    except ValueError:
        limit = float("nan")
    rupees, rate = settings["monthly_budget_rupees"], settings["rupees_per_dollar"]
    done.require(
        unit == "USD" and close(limit, rupees / rate, rel=0.005, abs=0),
        wanted=f"{rupees} rupees at {rate} rupees a dollar, in USD",
        got=f"{limit:g} {unit}",
        hint=hint,
    )
    return limit


def budget(seen: Seen, rng: np.random.Generator) -> None:
    hint = "The account is billed in US dollars. A budget of as many dollars as rupees never says anything."
    limit = limit_is(seen, seen.before, seen.first.budgets, hint)
    _speaks(seen, limit, seen.first.notifications[BUDGET], rng)


def new_budget(seen: Seen, rng: np.random.Generator) -> None:
    """The same of the budget after the settings changed."""
    hint = "UpdateBudget, or delete the budget and make it again."
    limit = limit_is(seen, seen.after, seen.third.budgets, hint)
    _speaks(seen, limit, seen.third.notifications[BUDGET], rng)


def _speaks(seen: Seen, limit: float, notifications: list, rng: np.random.Generator) -> None:
    for share in SHARES:
        spent = rng.uniform(0.9, 1.1, 30)
        said = play_budget(limit, notifications, spent / spent.sum() * limit * share)
        due: list[Line] = [("ACTUAL", percent, ("finance",)) for percent in PERCENTS if percent < share * 100]
        due += [("FORECASTED", 100, ("finance",))] * (share > 1)
        came = [(one.kind, round(one.percent), tuple(t.rpartition(":")[2] for t in one.told)) for one in said]
        seen.looked_at(f"play a month that costs {share:.0%} of the budget").require(
            sorted(came) == sorted(due),
            wanted=_spoken(due),
            got=_spoken(came),
            hint="A notification for each line of the contract and no other, each with one subscriber: an SNS topic.",
        )


def _spoken(lines: Iterable[Line]) -> str:
    words = (f"{kind} {percent:g} % to {' and '.join(to) or 'nobody'}" for kind, percent, to in sorted(lines))
    return ", ".join(words) or "nothing"
