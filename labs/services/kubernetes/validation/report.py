"""Collects the causes of an Invalid answer in the words of the real server; small rules that many kinds share.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and …/labels/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.quantities import is_percent, quantity
from labs.services.kubernetes.statuses import Cause

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
RFC1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
ENVIRONMENT = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class Report:
    def __init__(self) -> None:
        self.causes: list[Cause] = []

    def add(self, reason: str, field: str, message: str) -> None:
        self.causes.append(Cause(reason, field, message))

    def required(self, field: str, why: str = "") -> None:
        self.add("FieldValueRequired", field, f"Required value: {why}" if why else "Required value")

    def invalid(self, field: str, value: Any, why: str) -> None:
        self.add("FieldValueInvalid", field, f"Invalid value: {_shown(value)}: {why}")

    def duplicate(self, field: str, value: Any) -> None:
        self.add("FieldValueDuplicate", field, f"Duplicate value: {_shown(value)}")

    def forbidden(self, field: str, why: str) -> None:
        self.add("FieldValueForbidden", field, f"Forbidden: {why}")

    def not_found(self, field: str, value: Any) -> None:
        self.add("FieldValueNotFound", field, f"Not found: {_shown(value)}")

    def one_of(self, field: str, value: Any, known: Iterable[str]) -> bool:
        """Whether a value is among those known; says so if not."""
        known = list(known)
        if value in known:
            return True
        supported = ", ".join(_shown(one) for one in known)
        self.add(
            "FieldValueNotSupported",
            field,
            f"Unsupported value: {_shown(value)}: supported values: {supported}",
        )
        return False

    def between(self, field: str, value: Any, low: int, high: int | None = None) -> None:
        if not isinstance(value, int):
            return
        if high is None and value < low:
            bound = (
                "must be greater than or equal to 0"
                if low == 0
                else f"must be greater than or equal to {low}"
            )
            self.invalid(field, value, bound)
        elif high is not None and not low <= value <= high:
            self.invalid(field, value, f"must be between {low} and {high}, inclusive")

    def port(self, field: str, value: Any) -> None:
        self.between(field, value, 1, 65535)

    def port_or_name(self, field: str, value: Any) -> None:
        if isinstance(value, int):
            self.port(field, value)
        elif not _is_port_name(str(value)):
            self.invalid(
                field,
                value,
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), at most 15",
            )

    def label_name(self, field: str, value: str) -> None:
        if len(value) > 63:
            self.invalid(field, value, "must be no more than 63 characters")
        elif not LABEL.fullmatch(value):
            self.invalid(field, value, _LABEL_TEXT)

    def rfc1035(self, field: str, value: str) -> None:
        if len(value) > 63:
            self.invalid(field, value, "must be no more than 63 characters")
        elif not RFC1035.fullmatch(value):
            self.invalid(field, value, _1035_TEXT)

    def subdomain(self, field: str, value: str) -> None:
        if len(value) > 253:
            self.invalid(field, value, "must be no more than 253 characters")
        elif not SUBDOMAIN.fullmatch(value):
            self.invalid(field, value, _SUBDOMAIN_TEXT)

    def qualified(self, field: str, key: str) -> None:
        """The key of a label or annotation: `name` or `example.com/name`."""
        prefix, slash, last = key.rpartition("/")
        if slash and not SUBDOMAIN.fullmatch(prefix):
            self.invalid(field, key, "prefix part " + _SUBDOMAIN_TEXT)
        if len(last) > 63:
            self.invalid(field, key, "name part must be no more than 63 characters")
        elif not QUALIFIED.fullmatch(last):
            self.invalid(field, key, _QUALIFIED_TEXT if last else "name part must be non-empty")

    def labels(self, field: str, labels: dict[str, Any] | None) -> None:
        for key, value in (labels or {}).items():
            self.qualified(field, key)
            text = value or ""
            if len(text) > 63:
                self.invalid(field, text, "must be no more than 63 characters")
            elif text and not QUALIFIED.fullmatch(text):
                self.invalid(
                    field,
                    text,
                    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                    "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
                    "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
                )

    def selector(self, field: str, selector: Obj | None) -> None:
        """A LabelSelector."""
        self.labels(f"{field}.matchLabels", (selector or {}).get("matchLabels"))
        for index, one in enumerate((selector or {}).get("matchExpressions") or []):
            place = f"{field}.matchExpressions[{index}]"
            operators = ("In", "NotIn", "Exists", "DoesNotExist")
            operator, values = one.get("operator"), one.get("values") or []
            if operator not in operators:
                self.invalid(f"{place}.operator", operator, "not a valid selector operator")
            elif operator in ("In", "NotIn") and not values:
                self.required(f"{place}.values", "must be specified when `operator` is 'In' or 'NotIn'")
            elif operator in ("Exists", "DoesNotExist") and values:
                self.forbidden(
                    f"{place}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                )
            self.qualified(f"{place}.key", one.get("key") or "")

    def amount(self, field: str, value: Any) -> None:
        """A quantity that is not negative."""
        try:
            if quantity(value) < 0:
                self.invalid(field, value, "must be greater than or equal to 0")
        except ValueError as error:
            self.invalid(field, value, str(error))

    def count_or_percent(self, field: str, value: Any, *, at_most_100: bool = False) -> None:
        if isinstance(value, int):
            self.between(field, value, 0)
        elif not is_percent(value):
            self.invalid(
                field,
                value,
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
                "regex used for validation is '[0-9]+%')",
            )
        elif at_most_100 and int(value[:-1]) > 100:
            self.invalid(field, value, "must not be greater than 100%")


def _is_port_name(text: str) -> bool:
    good = re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", text) and len(text) <= 15
    return bool(good and re.search(r"[a-z]", text) and "--" not in text)
