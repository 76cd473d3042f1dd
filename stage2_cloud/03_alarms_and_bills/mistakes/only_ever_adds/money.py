"""The monthly budget: it speaks at 50, 80 and 100 %, and when the month will end above."""

from __future__ import annotations

from typing import Any

import boto3

from settings import Settings

NAME = "nukkad-fraud-monthly"
SPEAKS_AT = (("ACTUAL", 50.0), ("ACTUAL", 80.0), ("ACTUAL", 100.0), ("FORECASTED", 100.0))  # % of the budget


def apply_budget(settings: Settings, number: str, topic: str) -> None:
    """Make the budget, unless it is there, and let it tell `topic` (an ARN) and nobody else."""
    budgets = boto3.client("budgets")
    budget = {
        "BudgetName": NAME,
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": f"{settings.monthly_budget_dollars:.2f}", "Unit": "USD"},
    }
    told = [{"SubscriptionType": "SNS", "Address": topic}]
    ours = {"AccountId": number, "BudgetName": NAME}
    there = {one["BudgetName"] for one in budgets.describe_budgets(AccountId=number).get("Budgets", [])}
    if NAME not in there:
        wanted = [{"Notification": notification(*each), "Subscribers": told} for each in SPEAKS_AT]
        budgets.create_budget(AccountId=number, Budget=budget, NotificationsWithSubscribers=wanted)


def notification(kind: str, percent: float) -> dict[str, Any]:
    return {
        "NotificationType": kind,
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": percent,
        "ThresholdType": "PERCENTAGE",
    }
