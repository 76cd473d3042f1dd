"""Decides as AWS IAM would: may this principal do this action on this resource, now?

Written from the IAM User Guide: "Policy evaluation logic" (how policies of several kinds add up), "IAM JSON policy
elements reference" (what each element means) and "IAM JSON policy elements: Condition operators". What it does not know
it refuses with `Unknown` and never guesses: a condition key or an operator that is not in its tables, service control
policies, resource control policies, access control lists, and principals of other accounts.

    document = Policy.parse(text)                      # raises Malformed, Unknown
    verdict = decide(Request(caller, "s3:GetObject", arn, context), identity=[document])
    verdict.allowed, verdict.because
"""

from labs.services.iam.conditions import KNOWN_KEYS, Context, Unknown, like
from labs.services.iam.decision import Caller, Request, Verdict, decide, trusts
from labs.services.iam.documents import Malformed, Policy, Statement

__all__ = [
    "KNOWN_KEYS", "Caller", "Context", "Malformed", "Policy", "Request", "Statement", "Unknown", "Verdict",
    "decide", "like", "trusts",
]  # fmt: skip
