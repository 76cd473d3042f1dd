"""Policy documents: JSON, taken apart once, and asked whether a statement is about a request.

Source: IAM User Guide, "IAM JSON policy elements reference" and "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.services.iam.conditions import QUESTION_MARK, STAR, Context, Operator, Unknown, check_key, like

VARIABLE = re.compile(r"\$\{([^}]*)\}")
LITERALS = {"*": STAR, "?": QUESTION_MARK, "$": "$"}
ELEMENTS = {
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
}


class Malformed(Exception):
    """No policy document; the message says why."""


@dataclass(frozen=True)
class Condition:
    """One line of a Condition: one operator, one key, the values that it may have."""

    operator: Operator
    key: str
    values: tuple[str, ...]

    def holds(self, context: Context) -> bool:
        values: list[str] = []
        for value in self.values:
            filled = substitute(value, context) if self.operator.takes_variables else value
            if filled is not None:
                values.append(filled)
        return self.operator.holds(values, context.get(self.key.lower()))


@dataclass(frozen=True)
class Statement:
    """One statement. `principals` is None where the element is missing, as in every identity-based policy."""

    effect: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] | None
    resources: tuple[str, ...] | None
    not_resources: tuple[str, ...] | None
    principals: Mapping[str, tuple[str, ...]] | None
    conditions: tuple[Condition, ...]
    sid: str = ""

    def is_about_action(self, action: str) -> bool:
        if self.not_actions is not None:
            return not any(like(pattern, action, ignore_case=True) for pattern in self.not_actions)
        return any(like(pattern, action, ignore_case=True) for pattern in self.actions)

    def is_about_resource(self, resource: str | None, context: Context) -> bool:
        """`resource` None: an ARN that nobody here can tell. Then only a statement on `*` can be judged.

        Raises:
            Unknown: the resource cannot be told, and the answer depends on it.
        """
        patterns = self.not_resources if self.not_resources is not None else self.resources
        if patterns is None:  # a trust policy: it is about the role that carries it
            return True
        if resource is None:
            if "*" not in patterns:
                raise Unknown(
                    f"which resource this action is about, and a policy asks for {', '.join(patterns)}"
                )
            return self.not_resources is None
        filled = (substitute(pattern, context) for pattern in patterns)
        found = any(pattern is not None and like(pattern, resource) for pattern in filled)
        return found != (self.not_resources is not None)

    def conditions_hold(self, context: Context) -> bool:
        return all(condition.holds(context) for condition in self.conditions)


@dataclass(frozen=True)
class Policy:
    statements: tuple[Statement, ...]
    name: str = ""

    @classmethod
    def parse(cls, text: str, name: str = "") -> Policy:
        """
        Raises:
            Malformed: it is no policy document.
            Unknown: it uses something that is not evaluated here.
        """
        try:
            document = json.loads(text)
        except ValueError as error:
            raise Malformed(f"this is no JSON: {error}") from error
        if not isinstance(document, dict) or "Statement" not in document:
            raise Malformed("a policy is a JSON object with a Statement")
        version = document.get("Version", "2008-10-17")
        if version not in ("2012-10-17", "2008-10-17"):
            raise Malformed(f'there is no Version "{version}" of the policy language')
        statements = document["Statement"]
        statements = statements if isinstance(statements, list) else [statements]
        return cls(tuple(_statement(one) for one in statements), name)


def substitute(text: str, context: Context) -> str | None:
    """`text` with its ${variables}; None where the request has no such key (then nothing matches it)."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        inner = match.group(1)
        if inner in LITERALS:
            return LITERALS[inner]
        key, comma, default = inner.partition(",")
        found = context.get(key.strip().lower())
        if found is not None and len(found) == 1:
            return found[0]
        if comma:
            return default.strip().strip("'")
        missing = True
        return ""

    filled = VARIABLE.sub(value, text)
    return None if missing else filled


def _statement(body: Any) -> Statement:
    if not isinstance(body, dict):
        raise Malformed("a statement is a JSON object")
    if strange := set(body) - ELEMENTS:
        raise Malformed(f"a statement has no element {', '.join(sorted(strange))}")
    if body.get("Effect") not in ("Allow", "Deny"):
        raise Malformed('the Effect of a statement is "Allow" or "Deny"')
    if ("Action" in body) == ("NotAction" in body):
        raise Malformed("a statement has either Action or NotAction")
    if "NotPrincipal" in body:  # AWS itself advises against it
        raise Unknown("NotPrincipal")
    return Statement(
        effect=body["Effect"],
        actions=_texts(body.get("Action", ())),
        not_actions=_texts(body["NotAction"]) if "NotAction" in body else None,
        resources=_texts(body["Resource"]) if "Resource" in body else None,
        not_resources=_texts(body["NotResource"]) if "NotResource" in body else None,
        principals=_principals(body["Principal"]) if "Principal" in body else None,
        conditions=_conditions(body.get("Condition", {})),
        sid=str(body.get("Sid", "")),
    )


def _conditions(body: Any) -> tuple[Condition, ...]:
    if not isinstance(body, dict):
        raise Malformed("a Condition is a JSON object")
    found = []
    for name, keys in body.items():
        operator = Operator(name)
        if not isinstance(keys, dict):
            raise Malformed(f"{name} in a Condition holds keys with values")
        for key, values in keys.items():
            check_key(key)
            found.append(Condition(operator, key, _texts(values)))
    return tuple(found)


def _principals(body: Any) -> Mapping[str, tuple[str, ...]]:
    if body == "*":
        return {"*": ("*",)}
    if not isinstance(body, dict) or set(body) - {"AWS", "Service", "Federated", "CanonicalUser"}:
        raise Malformed('a Principal is "*", or holds AWS, Service or Federated')
    if "CanonicalUser" in body:
        raise Unknown("a CanonicalUser as principal")
    principals = {kind: _texts(names) for kind, names in body.items()}
    for name in principals.get("AWS", ()):
        if "*" in name and name != "*":
            raise Malformed(f"the Principal {name}: a principal is named in full, or is *")
    return principals


def _texts(value: Any) -> tuple[str, ...]:
    """One text or a list of texts. Numbers and truth values are texts here: 3600, true."""
    values: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
    texts = []
    for one in values:
        if isinstance(one, bool):
            texts.append("true" if one else "false")
        elif isinstance(one, str | int | float):
            texts.append(str(one))
        else:
            raise Malformed(f"a text was expected, and not {json.dumps(one)}")
    return tuple(texts)
