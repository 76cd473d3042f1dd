"""Who may do what with a topic, by its policy alone.

Source: IAM User Guide, "Cross-account policy evaluation logic" (both sides must allow) and "The confused deputy
problem" (a service of AWS is one principal for all accounts; aws:SourceAccount and aws:SourceArn say for whom it acts).
"""

from __future__ import annotations

from collections.abc import Iterator

from aws_account import NUMBER, REGION
from labs.services.iam import Caller, Policy, Request, decide, trusts

ANOTHER = "999999999999"
PUBLISH = "sns:Publish"
ACTIONS = (PUBLISH, "sns:Subscribe", "sns:SetTopicAttributes", "sns:AddPermission", "sns:RemovePermission",
           "sns:DeleteTopic", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic")  # fmt: skip
EVERYTHING = Policy.parse(
    '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
)


def service_may(
    policy: str, topic: str, service: str, source: str, account: str = NUMBER, action: str = PUBLISH
) -> bool:
    """Whether a service of AWS, acting for `source` (an ARN) of `account`, may do this with `topic` (an ARN).

    Raises:
        Malformed, Unknown: the policy cannot be judged.
    """
    context = {
        "aws:sourceaccount": [account],
        "aws:sourcearn": [source],
        "aws:principaltype": ["Service"],
    }
    if service == "cloudwatch.amazonaws.com":
        context["aws:sourceowner"] = [account]
    asked = Request(Caller(service=service), action, topic, context)
    return decide(asked, resource=Policy.parse(policy)).allowed


def strangers_may(policy: str, topic: str) -> Iterator[tuple[str, str]]:
    """Everybody outside of this account who may do something with the topic, in words, and what.

    Raises:
        Malformed, Unknown: the policy cannot be judged.
    """
    parsed = Policy.parse(policy)
    for action in ACTIONS:
        if decide(Request(Caller(), action, topic, {}), resource=parsed).allowed:
            yield "everybody", action
        for caller in _people_elsewhere(parsed):
            context = {"aws:principalaccount": [caller.account], "aws:principalarn": [caller.arn]}
            context |= {"aws:principaltype": ["User"], "aws:sourceowner": [caller.account]}
            if trusts(parsed, Request(caller, action, topic, context), [EVERYTHING]).allowed:
                yield f"account {caller.account}", action
        for service in sorted(_named(parsed, "Service") | {"cloudwatch.amazonaws.com"}):
            source = f"arn:aws:{service.partition('.')[0]}:{REGION}:{ANOTHER}:anything"
            if service_may(policy, topic, service, source, ANOTHER, action):
                yield f"{service}, for another account,", action


def _people_elsewhere(policy: Policy) -> Iterator[Caller]:
    """A user of an account that nobody named, and all whom the policy names outside of this account."""
    for name in sorted({ANOTHER} | _named(policy, "AWS")):
        parts = name.split(":")
        account = parts[4] if len(parts) > 5 else name
        if account not in ("*", NUMBER):
            named = len(parts) > 5 and parts[5] != "root"
            yield Caller(account, arn=name if named else f"arn:aws:iam::{account}:user/somebody")


def _named(policy: Policy, kind: str) -> set[str]:
    return {name for each in policy.statements for name in (each.principals or {}).get(kind, ())}
