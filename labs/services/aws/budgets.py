"""What moto's Budgets lacks: changing a budget in place, who is subscribed to a notification, and AWS's limits.

Source: AWS Budgets API Reference, UpdateBudget, DescribeSubscribersForNotification, CreateNotification, Notification
("one SNS subscriber and up to 10 email subscribers").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labs.services.aws.answers import Refusal
from labs.services.aws.request import HttpRequest

Notice = Mapping[str, Any]
MOST_NOTIFICATIONS, MOST_EMAILS = 10, 10


def complete_moto() -> None:
    """Add the two operations to moto's answers."""
    from moto.budgets.exceptions import NotFoundException
    from moto.budgets.models import Budget
    from moto.budgets.responses import BudgetsResponse

    def update_budget(self: Any) -> str:
        new: dict[str, Any] = self._get_param("NewBudget")
        kept = self.backend.budgets[self._get_param("AccountId")]
        if new["BudgetName"] not in kept:
            raise NotFoundException(f"Unable to get budget: {new['BudgetName']} - the budget doesn't exist.")
        notifications = kept[new["BudgetName"]].notifications
        kept[new["BudgetName"]] = Budget(new, [])
        kept[new["BudgetName"]].notifications = notifications
        return "{}"

    def describe_subscribers_for_notification(self: Any) -> str:
        asked = self._get_param("Notification")
        budget = self.backend.budgets[self._get_param("AccountId")].get(self._get_param("BudgetName"))
        for one in budget.notifications if budget else ():
            if _same(one.details, asked):
                return json.dumps({"Subscribers": one.subscribers})
        raise NotFoundException("Unable to get subscribers - the notification doesn't exist.")

    for operation in (update_budget, describe_subscribers_for_notification):
        setattr(BudgetsResponse, operation.__name__, operation)


def refuse_too_many(request: HttpRequest, account: str) -> None:
    """
    Raises:
        Refusal: the notifications are more, or have more subscribers, than AWS allows, or one is there already.
    """
    if request.operation == "CreateBudget":
        new = request.parameters.get("NotificationsWithSubscribers") or []
        there: list[Notice] = []
    elif request.operation == "CreateNotification":
        from moto.budgets.models import budgets_backends

        new = [request.parameters]
        budget = (
            budgets_backends[account]["aws"].budgets[account].get(str(request.parameters.get("BudgetName")))
        )
        there = [one.details for one in budget.notifications] if budget else []
    else:
        return
    for one in new:
        _refuse_subscribers(one.get("Subscribers") or [])
        if any(_same(one["Notification"], other) for other in there):
            raise Refusal(400, "DuplicateRecordException", "The notification already exists.")
        there.append(one["Notification"])
    if len(there) > MOST_NOTIFICATIONS:
        raise Refusal(400, "CreationLimitExceededException", "A budget has at most 10 notifications.")


def _refuse_subscribers(subscribers: Sequence[Notice]) -> None:
    kinds = [one.get("SubscriptionType") for one in subscribers]
    if not kinds:
        raise Refusal(400, "InvalidParameterException", "A notification has at least one subscriber.")
    if kinds.count("SNS") > 1 or kinds.count("EMAIL") > MOST_EMAILS:
        text = "A notification has at most one subscriber of type SNS and 10 of type EMAIL."
        raise Refusal(400, "CreationLimitExceededException", text)


def _same(one: Notice, other: Notice) -> bool:
    """Whether AWS takes both for one notification."""
    return _identity(one) == _identity(other)


def _identity(notice: Notice) -> tuple[Any, ...]:
    return (
        notice.get("NotificationType"),
        notice.get("ComparisonOperator"),
        float(notice.get("Threshold", 0)),
        notice.get("ThresholdType") or "PERCENTAGE",
    )
