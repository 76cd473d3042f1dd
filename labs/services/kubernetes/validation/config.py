"""ConfigMaps and Secrets.

Source: https://kubernetes.io/docs/concepts/configuration/
"""

from __future__ import annotations

import base64
import binascii
import json
import re

from labs.services.kubernetes.objects import Obj, notes
from labs.services.kubernetes.validation.report import Report

_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_MOST_BYTES = 1024 * 1024
_NEEDED = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _keys(report: Report, data: Obj, path: str) -> None:
    for key in data:
        if not _KEY.fullmatch(key) or key in (".", "..") or len(key) > 253:
            report.invalid(
                f"{path}[{key}]",
                key,
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
            )


def configmap(report: Report, thing: Obj) -> None:
    data, binary = thing.get("data") or {}, thing.get("binaryData") or {}
    _keys(report, data, "data")
    _keys(report, binary, "binaryData")
    for key in data:
        if key in binary:
            report.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    size = sum(len(str(value).encode()) for value in [*data.values(), *binary.values()])
    if size > _MOST_BYTES:
        report.add("FieldValueTooLong", "", f"Too long: may not be more than {_MOST_BYTES} bytes")


def secret(report: Report, thing: Obj) -> None:
    data = thing.get("data") or {}
    _keys(report, data, "data")
    size = 0
    for key, value in data.items():
        try:
            size += len(base64.b64decode(value or "", validate=True))
        except (binascii.Error, ValueError):
            report.invalid(f"data[{key}]", "<value omitted>", "illegal base64 data")
    if size > _MOST_BYTES:
        report.add("FieldValueTooLong", "data", f"Too long: may not be more than {_MOST_BYTES} bytes")
    kind = thing.get("type") or ""
    for key in _NEEDED.get(kind, ()):
        if key not in data:
            report.required(f"data[{key}]")
    if kind == "kubernetes.io/dockerconfigjson" and not report.causes:
        try:
            json.loads(base64.b64decode(data[".dockerconfigjson"]))
        except ValueError:
            report.invalid(
                "data[.dockerconfigjson]", "<secret contents redacted>", "invalid character: not JSON"
            )
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        report.required("data[username]")
    if kind == "kubernetes.io/service-account-token" and not notes(thing).get(
        "kubernetes.io/service-account.name"
    ):
        report.required("metadata.annotations[kubernetes.io/service-account.name]")
