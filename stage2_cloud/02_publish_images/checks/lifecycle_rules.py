"""Evaluates a lifecycle policy as ECR documents it. Amazon ECR User Guide: "Lifecycle policy properties", "How
lifecycle policies work".

An image is expired by one rule or by none. An image that matches the tags of a rule cannot be expired by a rule with a
lower priority. A rule still counts images which another rule has expired.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

KINDS = {"tagged", "untagged", "any"}
MOST_RULES, MOST_WILDCARDS = 50, 4


class NoPolicy(Exception):
    """ECR would not take this text; the message says why."""


@dataclass(frozen=True)
class Stored:
    """An image in a repository: how many days ago it was pushed."""

    digest: str
    tags: tuple[str, ...]
    days: float


def expired(text: str, images: Iterable[Stored]) -> set[str]:
    """The digests of the images that the policy expires.

    Raises:
        NoPolicy: ECR would refuse it.
    """
    youngest_first = sorted(images, key=lambda one: one.days)
    gone: set[str] = set()
    spoken_for: set[str] = set()
    for rule in rules(text):
        selection = rule["selection"]
        chosen = [image for image in youngest_first if matches(selection, image)]
        number = selection["countNumber"]
        if selection["countType"] == "imageCountMoreThan":
            over = chosen[number:]
        else:
            over = [image for image in chosen if image.days > number]
        gone |= {image.digest for image in over} - spoken_for
        spoken_for |= {image.digest for image in chosen}
    return gone


def matches(selection: dict[str, Any], image: Stored) -> bool:
    """All of a rule's prefixes, or patterns, must be among the tags: one is not enough."""
    if selection["tagStatus"] == "any":
        return True
    if selection["tagStatus"] == "untagged":
        return not image.tags
    prefixes, patterns = selection.get("tagPrefixList", []), selection.get("tagPatternList", [])
    return all(any(tag.startswith(prefix) for tag in image.tags) for prefix in prefixes) and all(
        any(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), tag) for tag in image.tags)
        for pattern in patterns
    )


def rules(text: str) -> list[dict[str, Any]]:
    """The rules, the one with the lowest number first."""
    try:
        found = sorted(json.loads(text)["rules"], key=lambda rule: rule["rulePriority"])
        for rule in found:
            _check(rule["selection"], rule["action"])
    except NoPolicy:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoPolicy("it is no lifecycle policy") from error
    numbers = [rule["rulePriority"] for rule in found]
    if not found or len(found) > MOST_RULES:
        raise NoPolicy(f"a policy has 1 to {MOST_RULES} rules")
    if len(set(numbers)) < len(numbers):
        raise NoPolicy("two rules have the same rulePriority")
    if any(rule["selection"]["tagStatus"] == "any" for rule in found[:-1]):
        raise NoPolicy('a rule with tagStatus "any" must have the highest rulePriority')
    return found


def _check(selection: dict[str, Any], action: dict[str, Any]) -> None:
    tags = [name for name in ("tagPrefixList", "tagPatternList") if selection.get(name)]
    kind, count = selection["tagStatus"], selection["countNumber"]
    since = selection["countType"] == "sinceImagePushed"
    if kind not in KINDS or len(tags) != (kind == "tagged"):
        raise NoPolicy("tagStatus tagged needs a tagPrefixList or a tagPatternList, and only it takes one")
    if not all(isinstance(tag, str) for name in tags for tag in selection[name]):
        raise NoPolicy("prefixes and patterns are texts")
    if any(pattern.count("*") > MOST_WILDCARDS for pattern in selection.get("tagPatternList", [])):
        raise NoPolicy(f"a pattern has at most {MOST_WILDCARDS} wildcards")
    if not since and selection["countType"] != "imageCountMoreThan":
        raise NoPolicy("there is no such countType")
    if selection.get("countUnit") != ("days" if since else None):
        raise NoPolicy("countUnit goes with sinceImagePushed, and is days")
    if type(count) is not int or count < 1 or action != {"type": "expire"}:
        raise NoPolicy("a rule expires what is more than a whole number from 1")
