"""Reads the JSON of a plan, and takes nothing for granted.

Source: https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

QUIET = ({"no-op"}, {"read"})
KNOWN = {"no-op", "read", "create", "update", "delete", "forget"}
DESTROYS = {"delete", "forget"}
INDEX = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[\d+\]')


class NoPlan(Exception):
    """This cannot be judged. The message holds no value of the plan."""


@dataclass(frozen=True)
class Change:
    """One resource that the plan would change. `after_unknown` has `true` where a value is not known yet.

    `arguments` are the names of those that somebody has written for it; None: the plan does not say.
    """

    address: str
    previous_address: str
    type: str
    actions: frozenset[str]
    before: dict[str, Any]
    after: dict[str, Any]
    after_unknown: dict[str, Any]
    arguments: frozenset[str] | None = None


@dataclass(frozen=True)
class Plan:
    environment: str
    made: datetime
    changes: tuple[Change, ...]
    digest: str


def read(path: Path) -> Plan:
    """The plan in this file.

    Raises:
        NoPlan: it is none, it is cut off, it failed, or it says something that this program does not know.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise NoPlan("the file cannot be read") from None
    except (ValueError, RecursionError):
        raise NoPlan("it is no JSON: was it cut off?") from None
    if not isinstance(said, dict) or str(said.get("format_version", "")).split(".")[0] != "1":
        raise NoPlan("its format_version is not 1.x")
    if said.get("errored") is not False:
        raise NoPlan("planning failed, or nobody says that it did not")
    if said.get("complete") is False or said.get("deferred_changes"):
        raise NoPlan("it is not complete")
    if not isinstance(said.get("resource_changes"), list):
        raise NoPlan("it holds no resource_changes")
    changes = [
        replace(change, arguments=_arguments(said, change.address))
        for change in map(_change, said["resource_changes"])
    ]
    loud = tuple(each for each in changes if each.actions not in QUIET)
    return Plan(_environment(said), _made(said), loud, _digest(said["resource_changes"]))


def _environment(said: dict[str, Any]) -> str:
    try:
        return str(said["variables"]["environment"]["value"])
    except (KeyError, TypeError):
        raise NoPlan("it does not say its environment") from None


def _made(said: dict[str, Any]) -> datetime:
    try:
        made = datetime.fromisoformat(said["timestamp"])
    except (KeyError, TypeError, ValueError):
        raise NoPlan("it does not say when it was made") from None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _change(each: Any) -> Change:
    try:
        change = each["change"]
        actions = frozenset(change["actions"])
        found = Change(
            each["address"],
            each.get("previous_address") or "",
            each["type"],
            actions,
            *(
                value if isinstance(value := change.get(key), dict) else {}
                for key in ("before", "after", "after_unknown")
            ),
        )
    except (KeyError, TypeError, AttributeError):
        raise NoPlan("a change in it has no address, type or actions") from None
    if not actions or not actions <= KNOWN or not isinstance(found.address, str):
        raise NoPlan("a change in it has an action that nobody knows")
    return found


def _arguments(said: dict[str, Any], address: str) -> frozenset[str] | None:
    """What `configuration` says of a resource. Instances share one entry, without their keys."""
    try:
        *modules, kind, name = INDEX.sub("", address).split(".")
        place = said["configuration"]["root_module"]
        for module in modules[1::2]:
            place = place["module_calls"][module]["module"]
        entry = next(each for each in place["resources"] if each["address"] == f"{kind}.{name}")
        return frozenset(entry.get("expressions") or {})
    except (KeyError, TypeError, AttributeError, StopIteration, ValueError):
        return None


def _digest(changes: list[dict[str, Any]]) -> str:
    """Of what would change: the same plan made again has the same one."""
    loud = [
        {
            **{key: each.get(key) for key in ("address", "previous_address", "deposed")},
            **{key: each["change"].get(key) for key in ("actions", "before")},
        }
        for each in changes
        if set(each["change"]["actions"]) not in QUIET
    ]
    loud.sort(key=lambda each: (each["address"], each["deposed"] or ""))
    return hashlib.sha256(json.dumps(loud, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
