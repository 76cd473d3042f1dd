"""The monthly budget: it speaks at 50, 80 and 100 %, and when the month will end above."""

from __future__ import annotations

from typing import Any

import boto3

from settings import Settings

NAME = "nukkad-fraud-monthly"
FOUNDER = "devika@nukkad.example"
SPEAKS_AT = (("ACTUAL", 50.0), ("ACTUAL", 80.0), ("ACTUAL", 100.0), ("FORECASTED", 100.0))  # % of the budget


def apply_budget(settings: Settings, number: str, topic: str) -> None:
    """Make the budget, or change it in place, and let it tell `topic` (an ARN) and the founder."""
    budgets = boto3.client("budgets")
    budget = {
        "BudgetName": NAME,
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": f"{settings.monthly_budget_dollars:.2f}", "Unit": "USD"},
    }
    told = [{"SubscriptionType": "SNS", "Address": topic}, {"SubscriptionType": "EMAIL", "Address": FOUNDER}]
    ours = {"AccountId": number, "BudgetName": NAME}
    try:
        budgets.describe_budget(**ours)
    except budgets.exceptions.NotFoundException:
        wanted = [{"Notification": notification(*each), "Subscribers": told} for each in SPEAKS_AT]
        budgets.create_budget(AccountId=number, Budget=budget, NotificationsWithSubscribers=wanted)
        return
    budgets.update_budget(AccountId=number, NewBudget=budget)
    there = budgets.describe_notifications_for_budget(**ours)["Notifications"]
    kept = set()
    for one in there:
        speaks_at = (one["NotificationType"], float(one["Threshold"]))
        subscribers = budgets.describe_subscribers_for_notification(**ours, Notification=one)["Subscribers"]
        if speaks_at in SPEAKS_AT and subscribers == told:
            kept.add(speaks_at)
        else:
            budgets.delete_notification(**ours, Notification=one)
    for each in SPEAKS_AT:
        if each not in kept:
            budgets.create_notification(**ours, Notification=notification(*each), Subscribers=told)


def notification(kind: str, percent: float) -> dict[str, Any]:
    return {
        "NotificationType": kind,
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": percent,
        "ThresholdType": "PERCENTAGE",
    }
