"""The Condition element of a policy: operators, their set forms, and keys that a request can be asked about.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Creating a condition with multiple keys or
values", "Multivalued context keys" and "AWS global condition context keys"; Service Authorization Reference for the
keys of single services.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Context = Mapping[str, Sequence[str]]
"""What is known of a request, by lower-case key; a key that the request does not have is absent. One value mostly,
several for multivalued keys such as `aws:TagKeys`."""


class Unknown(Exception):
    """Something of IAM that is not evaluated here; the message names it."""


# Without the part after a slash: `aws:PrincipalTag/team` is asked for as `aws:principaltag/`.
KEYS_BY_SERVICE = {
    "aws": (
        "currenttime epochtime multifactorauthpresent principalaccount principalarn principaltag/ "
        "principaltype referer requestedregion requesttag/ resourceaccount resourcetag/ securetransport "
        "sourceaccount sourcearn sourceip sourceowner tagkeys useragent userid username"
    ),
    "s3": (
        "delimiter existingobjecttag/ if-match if-none-match locationconstraint max-keys prefix "
        "requestobjecttag/ requestobjecttagkeys tlsversion versionid x-amz-acl x-amz-copy-source "
        "x-amz-metadata-directive x-amz-server-side-encryption x-amz-server-side-encryption-aws-kms-key-id "
        "x-amz-storage-class"
    ),
    "sts": "externalid rolesessionname",
    "iam": "permissionsboundary policyarn",
    "ecr": "resourcetag/",
    "secretsmanager": "secretid versionstage",
    "cloudwatch": "namespace",
}
KNOWN_KEYS = frozenset(
    f"{service}:{key}" for service, keys in KEYS_BY_SERVICE.items() for key in keys.split()
)
TOKEN_CLAIMS = frozenset({"aud", "sub", "amr", "azp", "email", "oaud"})
"""Claims of an identity provider's token, asked for as `<host of the provider>:<claim>`."""


def check_key(key: str) -> None:
    """Raises Unknown for a context key that no request here carries."""
    name, slash, _ = key.lower().partition("/")
    if name + slash in KNOWN_KEYS:
        return
    prefix, _, claim = key.lower().rpartition(":")
    if "." in prefix and claim in TOKEN_CLAIMS:  # token.actions.githubusercontent.com:sub
        return
    raise Unknown(f"the condition key {key}")


STAR, QUESTION_MARK = "\ue000", "\ue001"  # what ${*} and ${?} stand for: the characters, and no wildcards
MEANS = {"*": ".*", "?": ".", STAR: r"\*", QUESTION_MARK: r"\?"}


def like(pattern: str, text: str, ignore_case: bool = False) -> bool:
    """`*` stands for any text, `?` for one character; nothing else is special."""
    parts = (MEANS.get(character) or re.escape(character) for character in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def arn_like(pattern: str, arn: str) -> bool:
    """Each of the six parts of an ARN is matched alone, so `*` does not reach across a colon (but in the last part)."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) == 6 and all(map(like, patterns, parts))


def _number(text: str) -> float:
    return float(text)


def _moment(text: str) -> datetime:
    """ISO 8601, or seconds since 1970; in UTC where nothing else is said."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _compares(read: Callable[[str], Any], holds: Callable[[Any, Any], bool]) -> Callable[[str, str], bool]:
    """A test of two texts that are numbers or times. What cannot be read does not match."""

    def test(wanted: str, got: str) -> bool:
        try:
            return holds(read(got), read(wanted))
        except ValueError:
            return False

    return test


def _in_network(wanted: str, got: str) -> bool:
    try:
        return ipaddress.ip_address(got) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _same_bytes(wanted: str, got: str) -> bool:
    try:
        return base64.b64decode(wanted, validate=True) == base64.b64decode(got, validate=True)
    except binascii.Error:
        return False


def _same_truth(wanted: str, got: str) -> bool:
    return wanted.lower() == got.lower() and wanted.lower() in ("true", "false")


# By name: (whether one wanted value fits one value of the request, whether the operator says that none may fit).
OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (lambda wanted, got: wanted == got, False),
    "StringNotEquals": (lambda wanted, got: wanted == got, True),
    "StringEqualsIgnoreCase": (lambda wanted, got: wanted.lower() == got.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda wanted, got: wanted.lower() == got.lower(), True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
    "NumericEquals": (_compares(_number, lambda got, wanted: got == wanted), False),
    "NumericNotEquals": (_compares(_number, lambda got, wanted: got == wanted), True),
    "NumericLessThan": (_compares(_number, lambda got, wanted: got < wanted), False),
    "NumericLessThanEquals": (_compares(_number, lambda got, wanted: got <= wanted), False),
    "NumericGreaterThan": (_compares(_number, lambda got, wanted: got > wanted), False),
    "NumericGreaterThanEquals": (_compares(_number, lambda got, wanted: got >= wanted), False),
    "DateEquals": (_compares(_moment, lambda got, wanted: got == wanted), False),
    "DateNotEquals": (_compares(_moment, lambda got, wanted: got == wanted), True),
    "DateLessThan": (_compares(_moment, lambda got, wanted: got < wanted), False),
    "DateLessThanEquals": (_compares(_moment, lambda got, wanted: got <= wanted), False),
    "DateGreaterThan": (_compares(_moment, lambda got, wanted: got > wanted), False),
    "DateGreaterThanEquals": (_compares(_moment, lambda got, wanted: got >= wanted), False),
    "Bool": (_same_truth, False),
    "BinaryEquals": (_same_bytes, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    "ArnEquals": (arn_like, False),
    "ArnLike": (arn_like, False),
    "ArnNotEquals": (arn_like, True),
    "ArnNotLike": (arn_like, True),
}
TAKES_VARIABLES = ("String", "Arn")


class Operator:
    """`ForAllValues:StringLikeIfExists`, taken apart."""

    def __init__(self, name: str) -> None:
        """Raises Unknown for an operator that does not exist."""
        self.name = name
        quantifier, colon, plain = name.partition(":")
        self.quantifier = quantifier if colon else ""
        plain = plain if colon else name
        self.if_exists = plain.endswith("IfExists")
        plain = plain.removesuffix("IfExists")
        self.is_null = plain == "Null"
        known = plain in OPERATORS or (self.is_null and not self.if_exists)
        if not known or self.quantifier not in ("", "ForAllValues", "ForAnyValue"):
            raise Unknown(f"the condition operator {name}")
        self.fits, self.negated = OPERATORS.get(plain, (_same_truth, False))
        self.takes_variables = plain.startswith(TAKES_VARIABLES)

    def holds(self, wanted: Sequence[str], got: Sequence[str] | None) -> bool:
        """Whether a request with these values of the key (None: it has no such key) meets one line of a condition."""
        if self.is_null:
            return any(_same_truth(value, "true" if got is None else "false") for value in wanted)
        if got is None:
            # A request without the key fails what it should equal, and meets what it should not equal.
            return (
                self.if_exists or self.quantifier == "ForAllValues" or (self.negated and not self.quantifier)
            )
        if self.quantifier == "ForAllValues":
            return all(self._one(wanted, value) for value in got)
        if self.quantifier == "ForAnyValue":
            return any(self._one(wanted, value) for value in got)
        if self.negated:
            return all(self._one(wanted, value) for value in got)
        return any(self._one(wanted, value) for value in got)

    def _one(self, wanted: Sequence[str], value: str) -> bool:
        return any(self.fits(each, value) for each in wanted) != self.negated
