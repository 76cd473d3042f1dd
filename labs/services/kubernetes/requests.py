"""A request's address and options: which verb on which resource it is.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labs.services.kubernetes import resources
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.statuses import bad_request, no_such_path
from labs.services.kubernetes.users import Attributes

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_OF_NAMESPACE = ("status", "finalize")
# Subresources of real clusters for what only a real machine can do: refused after authorisation, each in its words.
MACHINE = {
    ("pods", "log"): "keep logs: its pods are simulated, no container runs",
    ("pods", "exec"): "run commands in pods: its pods are simulated, no container runs",
    ("pods", "attach"): "attach to pods: its pods are simulated, no container runs",
    ("pods", "portforward"): "forward ports: its pods are simulated, no container listens",
    ("pods", "proxy"): "proxy to pods: its pods are simulated, no container listens",
    ("services", "proxy"): "proxy to services: its pods are simulated, no container listens",
    ("nodes", "proxy"): "proxy to nodes: they are simulated",
    ("pods", "ephemeralcontainers"): "add ephemeral containers (kubectl debug)",
    ("pods", "binding"): "let clients bind pods; its own scheduler does",
    ("pods", "resize"): "resize running pods",
}


@dataclass(frozen=True)
class Target:
    """What a resource address names."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def attributes(self, verb: str) -> Attributes:
        return Attributes(
            verb, self.resource.group, self.resource.plural, self.subresource, self.namespace, self.name
        )


def parse(path: str) -> Target | None:
    """The target of an address below /api/v1 or /apis; None for an address that is not of a resource.

    Raises:
        ApiError: 404, a kind that this server does not have.
    """
    pieces = [piece for piece in path.split("/") if piece]
    if pieces[:1] == ["api"] and len(pieces) > 2:
        group, version, rest = "", pieces[1], pieces[2:]
    elif pieces[:1] == ["apis"] and len(pieces) > 3:
        group, version, rest = pieces[1], pieces[2], pieces[3:]
    else:
        return None
    space = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _OF_NAMESPACE:
        space, rest = rest[1], rest[2:]
    found = resources.by_path(group, version, rest[0])
    if found is None or len(rest) > 3 or (space and not found.namespaced):
        known = (found and len(rest) > 3) and (rest[0], rest[2]) in MACHINE
        if not known:
            raise no_such_path(path)
    assert found is not None
    name, below = (rest[1] if len(rest) > 1 else ""), (rest[2] if len(rest) > 2 else "")
    if found is resources.NAMESPACES:
        space = name
    if below and not found.subresource(below) and (rest[0], below) not in MACHINE:
        raise no_such_path(path)
    return Target(found, space, name, below)


def verb_of(method: str, target: Target, query: Mapping[str, str]) -> str:
    verb = _VERBS.get(method, method.lower())
    if target.name:
        return "watch" if verb == "get" and flag(query, "watch") else verb
    if verb == "get":
        return "watch" if flag(query, "watch") else "list"
    return "deletecollection" if verb == "delete" else verb


def flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true", "t")


def number(query: Mapping[str, str], name: str, otherwise: int = 0) -> int:
    text = query.get(name, "")
    if not text:
        return otherwise
    if not text.lstrip("-").isdigit():
        raise bad_request(f"{name}: {text!r} is not a whole number")
    return int(text)


def dry_run(query: Mapping[str, str]) -> bool:
    text = query.get("dryRun", "")
    if text not in ("", "All"):
        raise bad_request(f'dryRun: Unsupported value: "{text}": supported values: "All"')
    return text == "All"
