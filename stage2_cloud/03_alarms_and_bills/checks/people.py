"""Judges whom messages reach, what stands in them, and what repeated runs leave in the account."""

from __future__ import annotations

from dataclasses import replace

import aws_account as aws
from judging import Seen
from labs.services.iam import Malformed, Unknown
from paging import TOPICS
from topic_policies import ANOTHER, service_may, strangers_may


def publishers(seen: Seen, topic: str) -> None:
    attributes = seen.first.attributes[topic]
    done = seen.looked_at(f"look at the policy of `{topic}`")
    arn, policy = attributes["TopicArn"], attributes.get("Policy", "")
    sources = {"cloudwatch": f"arn:aws:cloudwatch:{aws.REGION}:{aws.NUMBER}:alarm:{aws.PREFIX}x"}
    if topic == "finance":
        sources["budgets"] = f"arn:aws:budgets::{aws.NUMBER}:budget/{aws.BUDGET}"
    try:
        for name, source in sources.items():
            service = f"{name}.amazonaws.com"
            done.require(
                service_may(policy, arn, service, source),
                wanted=f"{service} may publish for this account",
                got="it may not",
                hint="Name the service as principal. A new policy replaces the whole old one.",
            )
            done.require(
                not service_may(policy, arn, service, source.replace(aws.NUMBER, ANOTHER), ANOTHER),
                wanted=f"{service} may not publish for another account",
                got="it may",
                hint="The service is the same principal for all accounts. aws:SourceAccount says for whom it acts.",
            )
        who, action = next(strangers_may(policy, arn), ("", ""))
        done.require(
            not who,
            wanted="nobody outside of this account may do anything with it",
            got=f"{who} may {action}",
            hint="Read each statement: who is the principal, and which condition names your account?",
        )
    except (Malformed, Unknown) as error:
        done.fail(wanted="a policy that this lab can judge", got=f"cannot be judged: {error}")
    done.require(
        "alias/aws/sns" not in attributes.get("KmsMasterKeyId", ""),
        wanted="no encryption with the key alias/aws/sns",
        got="that key: alarms and budgets may not use it, so nothing arrives",
        hint="Leave the topic unencrypted, or use a key of your own whose policy lets the services in.",
    )


def inboxes(seen: Seen, account: aws.Account) -> None:
    """Publishes to every topic, and looks into every inbox."""
    done = replace(seen.later, did="publish to each topic after the last `apply`, and look into the inboxes")
    for url in seen.inboxes.values():
        account.received(url)
    for topic in TOPICS:
        account.sns.publish(TopicArn=seen.third.attributes[topic]["TopicArn"], Message=topic)
    people = seen.after["subscribers"]
    due = {one["endpoint"].rpartition(":")[2]: topic for topic, ones in people.items() for one in ones}
    for name, url in sorted(seen.inboxes.items()):
        came = account.received(url)
        done.require(
            came == ([due[name]] if name in due else []),
            wanted=f"{name}: one message to `{due[name]}`"
            if name in due
            else f"{name}: nothing, it has left",
            got=", ".join(came) or "nothing",
            hint="Compare who is subscribed with who is in settings.json, in both directions.",
        )
    for topic, ones in people.items():
        difference = {(one["protocol"], one["endpoint"]) for one in ones} ^ seen.third.people(topic)
        done.require(
            not difference,
            wanted=f"the subscribers of `{topic}` in settings.json",
            got=f"a difference: {', '.join(sorted(endpoint for _, endpoint in difference))}",
        )
        anew = sorted(
            endpoint
            for protocol, endpoint, arn in seen.second.subscriptions[topic]
            if (protocol, endpoint) in seen.third.people(topic)
            and (protocol, endpoint, arn) not in seen.third.subscriptions[topic]
        )
        done.require(
            not anew,
            wanted=f"who was subscribed to `{topic}` before, and still is, keeps the subscription",
            got=f"subscribed anew: {', '.join(anew)}",
            hint="Who is unsubscribed and subscribed again must confirm again, and hears nothing until then.",
        )


def runbooks(seen: Seen) -> None:
    runs = [(seen.before, seen.first.own), (seen.after, seen.third.own)]
    for settings, snapshot in runs if seen.later.status == 0 else runs[:1]:
        base = settings["runbooks"]
        for alarm in (*snapshot.alarms, *snapshot.composites):
            acts = alarm.get("AlarmActions") or alarm.get("InsufficientDataActions")
            words = str(alarm.get("AlarmDescription") or "").split()
            seen.looked_at(f"read the description of {alarm['AlarmName']}").require(
                not acts or any(word.startswith(base) and len(word) > len(base) for word in words),
                wanted=f"a link to a page below {base}",
                got="none",
                hint="At 3 AM nobody remembers. AlarmDescription is part of the message.",
            )


def nothing_changed(seen: Seen) -> None:
    done = replace(seen.again, did="python monitoring.py apply, a second time").expect(status=0)
    for what in ("alarms", "composites", "subscriptions", "attributes", "budgets", "notifications"):
        done.require(
            getattr(seen.first, what) == getattr(seen.second, what),
            wanted=f"the same {what} as before",
            got="a difference",
            hint="Look at what is there before you make anything. Who is unsubscribed must confirm again.",
        )


def old_alarms_went(seen: Seen) -> None:
    done = replace(seen.later, did="python monitoring.py apply, with old alarms in the account")
    done.expect(status=0, hint="AWS deletes a composite alarm before its parts, and only one in a request.")
    wanted, left = seen.first.own.names, seen.third.own.names
    done.require(
        left == wanted,
        wanted=f"of the alarms {aws.PREFIX}… those of the code, and only those",
        got=f"a difference: {', '.join(sorted(left ^ wanted))}",
        hint=f"Every alarm whose name begins with {aws.PREFIX} belongs to the code.",
    )
    gone = aws.OTHERS - seen.third.names
    done.require(
        not gone,
        wanted="the alarms of other teams as they were",
        got=f"no {', '.join(sorted(gone))} any more",
        hint="Remove only what has your prefix.",
    )
