"""Every refusal as the `Status` object that the real server sends.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ and
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labs.services.kubernetes.objects import DOCS, Obj
from labs.services.kubernetes.resources import Resource


@dataclass(frozen=True)
class Cause:
    """One reason of an Invalid answer.

    Attributes:
        reason: FieldValueRequired, FieldValueInvalid, FieldValueDuplicate, FieldValueForbidden, …
        field: path such as spec.template.spec.containers[0].name.
    """

    reason: str
    field: str
    message: str

    def as_json(self) -> Obj:
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """An answer that is not a success."""

    def __init__(self, code: int, reason: str, message: str, details: Obj | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    @property
    def body(self) -> Obj:
        return status(self.code, self.reason, self.message, self.details)

    @property
    def retry_after(self) -> int | None:
        return (self.details or {}).get("retryAfterSeconds")


def status(code: int, reason: str, message: str, details: Obj | None = None) -> Obj:
    found: Obj = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success" if code < 400 else "Failure",
        "message": message,
        "reason": reason,
        "details": details or {},
        "code": code,
    }
    return {key: value for key, value in found.items() if value or key in ("metadata",)}


def success(resource: Resource, name: str, uid: str) -> Obj:
    """What a finished delete answers."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": name, "group": resource.group, "kind": resource.plural, "uid": uid},
    }


def _details(resource: Resource, name: str, **more: Any) -> Obj:
    found = {"name": name, "group": resource.group, "kind": resource.plural, **more}
    return {key: value for key, value in found.items() if value}


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def no_such_path(path: str) -> ApiError:
    return ApiError(
        404,
        "NotFound",
        f"the server could not find the requested resource: this embedded API server does not serve {path}; {DOCS}",
    )


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(
        409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _details(resource, name)
    )


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}',
        _details(resource, name),
    )


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    shown = [f"{cause.field}: {cause.message}" for cause in causes]
    text = shown[0] if len(shown) == 1 else "[" + ", ".join(shown) + "]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return ApiError(
        422,
        "Invalid",
        f'{kind} "{name}" is invalid: {text}',
        {
            "name": name,
            "group": resource.group,
            "kind": resource.kind,
            "causes": [c.as_json() for c in causes],
        },
    )


def forbidden(resource: Resource, name: str, why: str, causes: Sequence[Obj] = ()) -> ApiError:
    about = f'{resource.qualified} "{name}"' if name else resource.qualified
    return ApiError(
        403, "Forbidden", f"{about} is forbidden: {why}", _details(resource, name, causes=list(causes))
    )


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def too_many(message: str, causes: Sequence[Obj] = (), retry: int = 10) -> ApiError:
    return ApiError(429, "TooManyRequests", message, {"retryAfterSeconds": retry, "causes": list(causes)})


def method_not_allowed(what: str) -> ApiError:
    return ApiError(
        405,
        "MethodNotAllowed",
        f"the server does not allow this method on the requested resource: this embedded API server does not {what}; "
        f"{DOCS}",
    )


def not_done(what: str) -> ApiError:
    """What Kubernetes does and this server does not: never accepted in silence."""
    return ApiError(501, "NotImplemented", f"this embedded API server does not {what}; {DOCS}")
