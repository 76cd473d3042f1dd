"""Requests made from a service's own OpenAPI document: some that it says it accepts, some with one thing broken.

Small and our own, because it must be quick, the same everywhere for the same seed, and safe: the document is the
learner's, so no reference out of it is followed, no pattern in it is run, and what it asks for has a limit.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from labs.checks import Reply

LONGEST = 200_000  # bytes of a document
DEEPEST = 12  # levels of a body, references counted
MOST_ITEMS = 600
MOST_PARTS = 50_000  # of one body
GOOD, BROKEN = 30, 60  # bodies for each route
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e-320, 1e308, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**40,
    "", "0", "NaN", "true", "null", " ", "\x00", "₹", "\U0001f4b8", "a" * 5000, "'; --", "../../etc/passwd",
    [], [None], [[[]]], {}, {"": None}, {"$ref": "#"}, {"amount": {"paise": 1}},
)  # fmt: skip
Choose = Callable[[float, float, random.Random], float]


def documented(reply: Reply, method: str, path: str) -> set[str]:
    """The statuses that the document in `reply` names for a route: "200", "4XX", "default"."""
    return set(map(str, _operation(reply, method, path)["responses"]))


def covers(statuses: set[str], status: int) -> bool:
    return bool({str(status), f"{status // 100}XX", f"{status // 100}xx", "default"} & statuses)


def bodies(reply: Reply, path: str, seed: int) -> list[Any]:
    """Bodies to send to `POST path`, from the document in `reply`.

    The first two hold the smallest and the largest of everything. A document that does not say what the route takes
    fails the check.
    """
    operation = _operation(reply, "POST", path)
    draw = random.Random(f"{seed} {path}")
    try:
        schema = next(iter(operation["requestBody"]["content"].values()))["schema"]
        maker = Maker(reply.json(), draw)
        good = [maker.body(schema, choose) for choose in (_least, _most, *[_somewhere] * GOOD)]
    except (
        LookupError,
        TypeError,
        ValueError,
        ArithmeticError,
        AttributeError,
        StopIteration,
        RecursionError,
    ):
        reply.fail(
            wanted="a document from which requests can be made",
            got=f"none can be made from what it says of POST {path}",
            hint="Describe the body with a plain JSON schema.",
        )
    return [*good, *(broken(draw.choice(good), draw) for _ in range(BROKEN))]


class Maker:
    """Makes values that fit a JSON schema, as far as it is plain."""

    def __init__(self, document: Mapping[str, Any], draw: random.Random) -> None:
        self.document, self.draw = document, draw
        self.parts = 0

    def body(self, schema: Any, choose: Choose) -> Any:
        self.parts = 0
        return self.make(schema, choose)

    def make(self, schema: Any, choose: Choose, depth: int = 0) -> Any:
        self.parts += 1
        if depth > DEEPEST or self.parts > MOST_PARTS:
            raise RecursionError
        if not isinstance(schema, Mapping):
            return self.draw.choice(STRANGE)
        if "$ref" in schema:
            return self.make(self._found(schema["$ref"]), choose, depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.draw.choice(list(schema["enum"]))
        for key in ("anyOf", "oneOf", "allOf"):
            if schema.get(key):
                rest = {name: value for name, value in schema.items() if name != key}
                return self.make({**rest, **self._one_of(schema[key], choose)}, choose, depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else None)
        if isinstance(kind, list):
            kind = kind[0] if choose is not _somewhere else self.draw.choice(kind)
        if schema.get("nullable") and choose is _somewhere and self.draw.random() < 0.3:
            return None
        return self._of_kind(kind, schema, choose, depth)

    def _of_kind(self, kind: Any, schema: Mapping[str, Any], choose: Choose, depth: int) -> Any:
        if kind == "object":
            names = [name for name in schema.get("properties", {}) if self._wanted(name, schema)]
            return {name: self.make(schema["properties"][name], choose, depth + 1) for name in names}
        if kind == "array":
            least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", 5))
            count = round(choose(min(least, MOST_ITEMS), min(most, MOST_ITEMS), self.draw))
            count = count if choose is not _somewhere else min(count, max(least, 5))
            return [self.make(schema.get("items"), choose, depth + 1) for _ in range(count)]
        if kind in ("integer", "number"):
            least = schema.get("minimum", schema.get("exclusiveMinimum", -1e6))
            most = schema.get("maximum", schema.get("exclusiveMaximum", 1e6))
            found = choose(least, most, self.draw)
            return round(found) if kind == "integer" else found
        if kind == "string":
            least, most = (
                min(schema.get(key, usual), 4000) for key, usual in (("minLength", 0), ("maxLength", 40))
            )
            return "a" * round(choose(least, most, self.draw))
        return {"boolean": self.draw.random() < 0.5, "null": None}.get(kind, self.draw.choice(STRANGE))

    def _wanted(self, name: str, schema: Mapping[str, Any]) -> bool:
        return name in schema.get("required", ()) or self.draw.random() < 0.7

    def _one_of(self, schemas: Any, choose: Choose) -> Mapping[str, Any]:
        one = schemas[0] if choose is not _somewhere else self.draw.choice(schemas)
        return dict(one)

    def _found(self, reference: str) -> Any:
        """What a reference inside of the document points to (RFC 6901)."""
        start, *names = str(reference).split("/")
        if start != "#":
            raise ValueError("a reference out of the document")
        place: Any = self.document
        for name in names:
            place = place[name.replace("~1", "/").replace("~0", "~")]
        return place


def broken(body: Any, draw: random.Random) -> Any:
    """`body` with one place in it changed, removed or added."""
    body = copy.deepcopy(body)
    places = list(_places(body))[:200]
    if not places or draw.random() < 0.05:
        return draw.choice(STRANGE)
    parent, key = draw.choice(places)
    what = draw.random()
    if what < 0.15:
        del parent[key]
    elif what < 0.25 and isinstance(parent, dict):
        parent[draw.choice(("extra", "", "__class__", "amount_paise "))] = draw.choice(STRANGE)
    else:
        parent[key] = draw.choice(STRANGE)
    return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of everything inside of `value`."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _least(least: float, most: float, draw: random.Random) -> float:
    return least


def _most(least: float, most: float, draw: random.Random) -> float:
    return most


def _somewhere(least: float, most: float, draw: random.Random) -> float:
    near = (least, most, min(max(0, least), most), least + (most - least) / 1000)
    return draw.choice(near) if draw.random() < 0.4 else draw.uniform(least, most)


def _operation(reply: Reply, method: str, path: str) -> Mapping[str, Any]:
    try:
        operation = reply.json()["paths"][path][method.lower()]
        fine = len(reply.body) <= LONGEST and isinstance(operation["responses"], Mapping)
    except (LookupError, TypeError, ValueError):
        fine = False
    reply.require(
        fine,
        wanted="a document that describes the contract's routes",
        got=f"one that does not say what {method} {path} answers",
        hint="FastAPI writes it by itself; elsewhere it is yours to write.",
    )
    return dict(operation)
