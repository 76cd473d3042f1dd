"""Alarms and bills of `fraud` in one flat file: longer periods, GPU hours instead of rupees, a fresh budget."""

import json
import sys

import boto3
import pandas as pd

MINE = "nukkad-fraud-"
FRAUD = [{"Name": "Service", "Value": "fraud"}]
GUARD = 20  # requests a minute


def metric(name, stat, period, namespace="Nukkad/Fraud", unit="Count"):
    about = {"Namespace": namespace, "MetricName": name, "Dimensions": FRAUD}
    return {"Metric": about, "Stat": stat, "Period": period, "Unit": unit}


def math_alarm(name, text, period, formula, limit, m, n, to=()):
    stats = {
        "total": metric("Requests", "Sum", period),
        "failed": metric("Errors", "Sum", period),
        "slowest": metric("Latency", "p99", period, unit="Milliseconds"),
    }
    queries = [
        {"Id": key, "MetricStat": stat, "ReturnData": False} for key, stat in stats.items() if key in formula
    ]
    formula = formula.replace("GUARD", str(GUARD * period // 60))
    return {
        "AlarmName": MINE + name,
        "AlarmDescription": text,
        "Metrics": [*queries, {"Id": "verdict", "Expression": formula}],
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": limit,
        "DatapointsToAlarm": m,
        "EvaluationPeriods": n,
        "TreatMissingData": "notBreaching",
        "to": to,
    }


def plain_alarm(name, text, namespace, metric_name, dimensions, stat, operator, limit, n, missing, to):
    return {
        "AlarmName": MINE + name,
        "AlarmDescription": text,
        "Namespace": namespace,
        "MetricName": metric_name,
        "Dimensions": dimensions,
        "Statistic": stat,
        "Period": 3600,
        "ComparisonOperator": operator,
        "Threshold": limit,
        "EvaluationPeriods": n,
        "TreatMissingData": missing,
        "to": to,
    }


SHARE = "IF(total < GUARD, 0, 100 * FILL(failed, 0) / total)"
BLIND = "IF(total >= GUARD, 1, 0) * MAX([IF(FILL(failed, -1) < 0, 1, 0), IF(FILL(slowest, -1) < 0, 1, 0)])"
METRIC_ALARMS = [
    math_alarm("outage", "A quarter of all payments fails.", 60, SHARE, 25, 5, 5),
    math_alarm("failing", "One payment of twenty fails.", 300, SHARE, 5, 3, 3),
    math_alarm("slow", "p99 is above 120 ms.", 300, "IF(total < GUARD, 0, slowest)", 120, 3, 3),
    math_alarm("gone", "Nobody publishes.", 60, "IF(FILL(total, -1) < 0, 1, 0)", 1, 5, 5),
    math_alarm("burning", "The error budget burns for hours.", 3600, SHARE, 0.5, 3, 3, ["team"]),
    math_alarm("blind", "Requests go on, a metric beside them stopped.", 300, BLIND, 1, 3, 3, ["team"]),
    plain_alarm(
        "features",
        "The nightly job did not succeed.",
        "Nukkad/Fraud",
        "JobSucceeded",
        [*FRAUD, {"Name": "Job", "Value": "nightly-features"}],
        "Sum",
        "LessThanThreshold",
        1,
        24,
        "breaching",
        ["oncall"],
    ),
    plain_alarm(
        "gpus",
        "GPUs have worked for longer than any training does.",
        "Nukkad/Costs",
        "GpuHours",
        FRAUD,
        "Maximum",
        "GreaterThanThreshold",
        20,
        6,
        "missing",
        ["oncall", "finance"],
    ),
]
PAGER = {
    "AlarmName": MINE + "users-suffer",
    "AlarmDescription": "Users cannot pay, or wait.",
    "AlarmRule": " OR ".join(f"ALARM({MINE}{name})" for name in ("outage", "failing", "slow", "gone")),
    "to": ["oncall"],
}


def make_topics(wanted, account):
    sns, arns = boto3.client("sns"), {}
    for topic, people in wanted.items():
        arn = arns[topic] = sns.create_topic(Name=topic)["TopicArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]},
            "Action": "SNS:Publish",
            "Resource": arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
        due = {(one["protocol"], one["endpoint"]) for one in people}
        for one in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
            who = one["Protocol"], one["Endpoint"]
            if who in due:
                due.remove(who)
            else:
                sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
        for protocol, endpoint in sorted(due):
            sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint=endpoint)
    return arns


def make_alarms(arns, runbooks):
    cloudwatch = boto3.client("cloudwatch")
    everything = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    keep = {PAGER["AlarmName"], *(alarm["AlarmName"] for alarm in METRIC_ALARMS)}
    for kind in ("CompositeAlarms", "MetricAlarms"):
        for old in everything[kind]:
            if old["AlarmName"].startswith(MINE) and old["AlarmName"] not in keep:
                cloudwatch.delete_alarms(AlarmNames=[old["AlarmName"]])
    for alarm in [*METRIC_ALARMS, PAGER]:
        body = {key: value for key, value in alarm.items() if key != "to"}
        actions = [arns[topic] for topic in alarm["to"]]
        body["AlarmDescription"] += f" See {runbooks}{alarm['AlarmName']} first."
        make = cloudwatch.put_composite_alarm if alarm is PAGER else cloudwatch.put_metric_alarm
        make(**body, AlarmActions=actions, OKActions=actions)


def make_budget(account, dollars, arn):
    budgets = boto3.client("budgets")
    name = "nukkad-fraud-monthly"
    if any(one["BudgetName"] == name for one in budgets.describe_budgets(AccountId=account)["Budgets"]):
        budgets.delete_budget(AccountId=account, BudgetName=name)
    lines = [("ACTUAL", share * dollars) for share in (0.5, 0.8, 1.0)] + [("FORECASTED", dollars)]
    budgets.create_budget(
        AccountId=account,
        Budget={
            "BudgetName": name,
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": str(dollars), "Unit": "USD"},
        },
        NotificationsWithSubscribers=[
            {
                "Notification": {
                    "NotificationType": kind,
                    "ComparisonOperator": "GREATER_THAN",
                    "Threshold": line,
                    "ThresholdType": "ABSOLUTE_VALUE",
                },
                "Subscribers": [{"SubscriptionType": "SNS", "Address": arn}],
            }
            for kind, line in lines
        ],
    )


def publish(path):
    with open(path) as file:
        frame = pd.DataFrame(json.loads(line) for line in file)
    data = []
    for minute, rows in frame.groupby("minute"):
        for name in ("Requests", "Errors"):
            value = float(rows[name.lower()].sum())
            data.append(
                {
                    "MetricName": name,
                    "Value": value,
                    "Unit": "Count",
                    "Timestamp": minute,
                    "Dimensions": FRAUD,
                }
            )
        pairs = [(float(ms), float(count)) for one in rows["latency_ms"] for ms, count in one.items()]
        for start in range(0, len(pairs), 100):
            values, counts = zip(*pairs[start : start + 100], strict=True)
            data.append(
                {
                    "MetricName": "Latency",
                    "Values": values,
                    "Counts": counts,
                    "Unit": "Milliseconds",
                    "Timestamp": minute,
                    "Dimensions": FRAUD,
                }
            )
    for start in range(0, len(data), 500):
        boto3.client("cloudwatch").put_metric_data(
            Namespace="Nukkad/Fraud", MetricData=data[start : start + 500]
        )


def apply():
    with open("settings.json") as file:
        settings = json.load(file)
    account = boto3.client("sts").get_caller_identity()["Account"]
    arns = make_topics(settings["subscribers"], account)
    make_alarms(arns, settings["runbooks"])
    dollars = round(settings["monthly_budget_rupees"] / settings["rupees_per_dollar"], 2)
    make_budget(account, dollars, arns["finance"])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["apply"]:
            apply()
        case ["publish", path]:
            publish(path)
        case _:
            sys.exit(__doc__)
