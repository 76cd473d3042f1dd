"""The AWS account of one grading: what lies in it, before and after the learner's code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
import numpy as np
from botocore.config import Config

NUMBER, REGION = "123456789012", "ap-south-1"
PREFIX, BUDGET = "nukkad-fraud-", "nukkad-fraud-monthly"
TOPICS = ("oncall", "team", "finance")
VARIES = ("AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp", "StateReason", "StateReasonData",
          "StateValue", "StateTransitionedTimestamp", "LastUpdatedTime", "TimePeriod")  # fmt: skip
Described = Mapping[str, Any]


@dataclass
class Snapshot:
    alarms: list[Described] = field(default_factory=list)
    composites: list[Described] = field(default_factory=list)
    subscriptions: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    budgets: dict[str, Described] = field(default_factory=dict)
    notifications: dict[str, list[Described]] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        return {one["AlarmName"] for one in (*self.alarms, *self.composites)}

    @property
    def own(self) -> Snapshot:
        """Without the alarms of other teams."""
        mine = [
            [one for one in alarms if one["AlarmName"].startswith(PREFIX)]
            for alarms in (self.alarms, self.composites)
        ]
        return Snapshot(*mine, self.subscriptions, self.attributes, self.budgets, self.notifications)

    def people(self, topic: str) -> set[tuple[str, str]]:
        return {(protocol, endpoint) for protocol, endpoint, _ in self.subscriptions.get(topic, [])}


class Account:
    """Clients of the account's administrator."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables

    def client(self, service: str) -> Any:
        return self._session.client(
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            config=Config(retries={"max_attempts": 1}),
        )

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )

    @cached_property
    def cloudwatch(self) -> Any:
        return self.client("cloudwatch")

    @cached_property
    def sns(self) -> Any:
        return self.client("sns")

    @cached_property
    def sqs(self) -> Any:
        return self.client("sqs")

    @cached_property
    def budgets(self) -> Any:
        return self.client("budgets")

    def snapshot(self) -> Snapshot:
        described = self.cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        found = Snapshot(_steady(described["MetricAlarms"]), _steady(described["CompositeAlarms"]))
        for each in self.sns.list_topics()["Topics"]:
            arn = each["TopicArn"]
            name = arn.rpartition(":")[2]
            listed = self.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
            found.subscriptions[name] = sorted(
                (one["Protocol"], one["Endpoint"], one["SubscriptionArn"]) for one in listed
            )
            found.attributes[name] = self.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        for budget in _steady(self.budgets.describe_budgets(AccountId=NUMBER)["Budgets"]):
            name = {"AccountId": NUMBER, "BudgetName": budget["BudgetName"]}
            found.budgets[budget["BudgetName"]] = budget
            found.notifications[budget["BudgetName"]] = [
                {
                    **one,
                    "Subscribers": self.budgets.describe_subscribers_for_notification(
                        **name, Notification=one
                    )["Subscribers"],
                }
                for one in self.budgets.describe_notifications_for_budget(**name)["Notifications"]
            ]
        return found

    def inboxes(self, names: set[str]) -> dict[str, str]:
        """A queue for each name: where its messages can be read."""
        return {name: self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in sorted(names)}

    def received(self, url: str) -> list[str]:
        """The messages that came, oldest first; empties the queue."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for one in messages:
                found.append(_message(one["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return found

    def leave_things_behind(self) -> None:
        """What an earlier version of the code made, and what belongs to another team."""
        alarm = {"Namespace": "Nukkad/Offers", "MetricName": "Errors", "Statistic": "Sum", "Period": 300,
                 "EvaluationPeriods": 2, "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold"}  # fmt: skip
        for name in (f"{PREFIX}old-latency", f"{PREFIX}old-errors", "nukkad-offers-errors", "offers-errors"):
            self.cloudwatch.put_metric_alarm(AlarmName=name, **alarm)
        for name, child in ((f"{PREFIX}an-old-page", "old-latency"), (f"{PREFIX}old-page", "old-errors")):
            self.cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{PREFIX}{child}")')
        self.cloudwatch.put_composite_alarm(AlarmName="offers-page", AlarmRule="ALARM(offers-errors)")


OTHERS = {"nukkad-offers-errors", "offers-errors", "offers-page"}


def draw_settings(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings, and the same a month later: somebody left, somebody came, the money and the pages moved."""
    mark = int(rng.integers(1000, 9999))

    def queue(name: str) -> dict[str, str]:
        return {"protocol": "sqs", "endpoint": f"arn:aws:sqs:{REGION}:{NUMBER}:{name}-{mark}"}

    def mail(name: str) -> dict[str, str]:
        return {"protocol": "email", "endpoint": f"{name}-{mark}@nukkad.example"}

    before = {
        "monthly_budget_rupees": int(rng.integers(300, 900)) * 1000,
        "rupees_per_dollar": float(rng.integers(8200, 9500)) / 100,
        "runbooks": f"https://runbooks.nukkad.example/fraud-{mark}/",
        "subscribers": {
            "oncall": [queue("pager"), queue("phone"), mail("asha")],
            "team": [queue("tickets")],
            "finance": [queue("ledger"), mail("ravi")],
        },
    }
    after = {
        "monthly_budget_rupees": before["monthly_budget_rupees"] + 150_000,
        "rupees_per_dollar": round(before["rupees_per_dollar"] + 1.37, 2),
        "runbooks": f"https://wiki.nukkad.example/{mark}/",
        "subscribers": {
            "oncall": [queue("pager"), queue("watch")],
            "team": [queue("tickets"), mail("meera")],
            "finance": [queue("ledger"), mail("ravi")],
        },
    }
    return before, after


def queues(settings: dict[str, Any]) -> set[str]:
    everybody = (one for people in settings["subscribers"].values() for one in people)
    return {one["endpoint"].rpartition(":")[2] for one in everybody if one["protocol"] == "sqs"}


def _message(body: str) -> str:
    """What was published: SNS wraps it in JSON, unless the subscription has RawMessageDelivery."""
    try:
        return str(json.loads(body)["Message"])
    except (ValueError, TypeError, KeyError):
        return body


def _steady(described: list[dict[str, Any]]) -> list[Described]:
    return [{key: value for key, value in one.items() if key not in VARIES} for one in described]
