"""Requests done for real, as whoever asks: with a token of their own, or by impersonation."""

from __future__ import annotations

import contextlib

from kube import ADMIN, SPACE, Kube, Refused
from labs.services.kubernetes import resources
from labs.services.kubernetes.users import Attributes
from rights import Subject

_METHODS = {
    "get": "GET", "list": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE",
    "deletecollection": "DELETE", "post": "POST",
}  # fmt: skip
_VERSIONS = {"autoscaling": "v2"}


def can_be_done(asked: Attributes) -> bool:
    """Whether a single request asks this: a watch would never end, and some verbs are no requests."""
    return asked.verb in _METHODS and not asked.path.startswith("/labs")


def is_known(asked: Attributes) -> bool:
    """Whether the server has this resource: otherwise it says 404 to everybody, before it asks who is there."""
    return any(
        one.group == asked.group and one.plural == asked.resource
        and (not asked.subresource or asked.subresource in [sub.name for sub in one.subresources])
        for one in resources.RESOURCES
    )  # fmt: skip


def refused(kube: Kube, subject: Subject, asked: Attributes) -> bool:
    """Do it, and say whether the server forbids it. Nothing changes: writes are dry runs.

    Any other answer (no such object, a body that it does not understand, no logs in a simulation) comes after the
    permission was given.
    """
    token, who = "", subject.who
    if who.user.startswith(f"system:serviceaccount:{SPACE}:"):
        name = who.user.rpartition(":")[2]
        with contextlib.suppress(Refused):  # an account that nobody has made: only its name is known
            token, who = kube.token(name), ADMIN
    kind = "application/merge-patch+json" if asked.verb == "patch" else "application/json"
    body = b"{}" if asked.verb in ("create", "update", "patch", "post") else b""
    status, reply = kube.send(_METHODS[asked.verb], _address(asked), body, kind, token=token, who=who)
    return status == 403 and b"cannot" in reply


def _address(asked: Attributes) -> str:
    if asked.path:
        return asked.path
    root = f"/apis/{asked.group}/{_VERSIONS.get(asked.group, 'v1')}" if asked.group else "/api/v1"
    within = f"/namespaces/{asked.namespace}" if asked.namespace else ""
    last = "".join(f"/{one}" for one in (asked.name, asked.subresource) if one)
    dry = "" if asked.verb in ("get", "list") else "?dryRun=All"
    return f"{root}{within}/{asked.resource}{last}{dry}"
