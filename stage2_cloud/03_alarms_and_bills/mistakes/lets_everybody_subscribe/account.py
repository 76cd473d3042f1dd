"""Topics, their subscribers, and alarms: what is, compared with what should be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import boto3

from alarms import PREFIX
from settings import Endpoint, Settings

MOST_IN_ONE_REQUEST = 100


def publishers(arn: str, number: str) -> str:
    """The policy of a topic: alarms and budgets of this account may publish to it; who wants to know may listen."""

    def allow(principal: dict[str, str], **condition: Any) -> dict[str, Any]:
        return {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": number}, **condition},
        }

    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                allow(
                    {"Service": "cloudwatch.amazonaws.com"},
                    ArnLike={"aws:SourceArn": f"arn:aws:cloudwatch:*:{number}:alarm:*"},
                ),
                allow(
                    {"Service": "budgets.amazonaws.com"},
                    ArnLike={"aws:SourceArn": f"arn:aws:budgets::{number}:*"},
                ),
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": ["sns:Subscribe", "sns:Receive"],
                    "Resource": arn,
                },
            ],
        }
    )


def apply_topics(settings: Settings, number: str) -> dict[str, str]:
    """ARNs of the topics by name. Who is still in the settings keeps the subscription that they confirmed."""
    sns = boto3.client("sns")
    arns: dict[str, str] = {}
    for name, wanted in settings.subscribers.items():
        arn = arns[name] = sns.create_topic(Name=name)["TopicArn"]
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=publishers(arn, number))
        there = {
            Endpoint(one["Protocol"], one["Endpoint"]): one["SubscriptionArn"]
            for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
            for one in page["Subscriptions"]
        }
        for one in sorted(wanted - there.keys(), key=lambda one: one.endpoint):
            sns.subscribe(TopicArn=arn, Protocol=one.protocol, Endpoint=one.endpoint)
        for gone in there.keys() - wanted:
            if there[gone].startswith("arn:"):  # AWS says PendingConfirmation until somebody confirmed it
                sns.unsubscribe(SubscriptionArn=there[gone])
    return arns


def apply_alarms(wanted: Iterable[Mapping[str, Any]]) -> None:
    """Make these alarms, and remove what has our prefix and is none of them."""
    cloudwatch = boto3.client("cloudwatch")
    names = set()
    for alarm in wanted:
        put = cloudwatch.put_composite_alarm if "AlarmRule" in alarm else cloudwatch.put_metric_alarm
        put(**alarm)
        names.add(alarm["AlarmName"])
    composites: list[str] = []
    metrics: list[str] = []
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=PREFIX, AlarmTypes=["CompositeAlarm", "MetricAlarm"]
    )
    for page in pages:
        composites += [one["AlarmName"] for one in page["CompositeAlarms"] if one["AlarmName"] not in names]
        metrics += [one["AlarmName"] for one in page["MetricAlarms"] if one["AlarmName"] not in names]
    for name in composites:  # one at a time, and before their parts: AWS refuses anything else
        cloudwatch.delete_alarms(AlarmNames=[name])
    for start in range(0, len(metrics), MOST_IN_ONE_REQUEST):
        cloudwatch.delete_alarms(AlarmNames=metrics[start : start + MOST_IN_ONE_REQUEST])
