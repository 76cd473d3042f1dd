"""Reads the protobuf bodies that kubectl and Helm send. Answers are always JSON, which those clients read as well.

protobuf_messages.json holds the messages of k8s.io/api 0.32 that can be reached from the kinds of this server, as
{message: {field number: [field, type]}}, taken from the descriptors in kubectl; "inline" fields have no name in JSON.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from labs.services.kubernetes import resources
from labs.services.kubernetes.objects import Obj

MAGIC = b"k8s\x00"
_OTHER_KINDS = {
    "DeleteOptions": "meta.v1.DeleteOptions",
    "Eviction": "policy.v1.Eviction",
    "TokenRequest": "authentication.v1.TokenRequest",
    "Scale": "autoscaling.v1.Scale",
}
# In Go these are pointers, so that 0 was written on purpose; elsewhere 0 means that nothing was written.
_ZERO_COUNTS = {
    "activeDeadlineSeconds", "backoffLimit", "completions", "fsGroup", "gracePeriodSeconds", "minReplicas",
    "parallelism", "progressDeadlineSeconds", "replicas", "revisionHistoryLimit", "runAsGroup", "runAsUser",
    "stabilizationWindowSeconds", "terminationGracePeriodSeconds", "tolerationSeconds", "ttlSecondsAfterFinished",
    "minAvailable", "maxUnavailable", "maxSurge", "seconds", "leaseTransitions",
}  # fmt: skip


class Unreadable(Exception):
    """The body is not protobuf of a kind that this server has."""


@cache
def _messages() -> Mapping[str, Mapping[str, tuple[str, str]]]:
    found: dict[str, dict[str, tuple[str, str]]] = orjson.loads(
        (Path(__file__).parent / "protobuf_messages.json").read_bytes()
    )
    return found


def decode(data: bytes) -> Obj:
    """An object with its apiVersion and kind.

    Raises:
        Unreadable: not this format, or an unknown kind.
    """
    if not data.startswith(MAGIC):
        raise Unreadable("the body does not start as Kubernetes' protobuf does")
    try:
        version = kind = ""
        raw = b""
        for number, value in _fields(data[len(MAGIC) :]):
            if number == 1:
                about = dict(_fields(value))
                version, kind = about.get(1, b"").decode(), about.get(2, b"").decode()
            elif number == 2:
                raw = value
        resource = resources.by_kind(version, kind)
        message = resource.message if resource else _OTHER_KINDS.get(kind)
        if message is None:
            raise Unreadable(
                f"this embedded API server does not read protobuf of {version} {kind}; send JSON"
            )
        return {"apiVersion": version, "kind": kind, **_message(raw, message)}
    except (IndexError, struct.error, UnicodeDecodeError, AttributeError, TypeError, ValueError) as error:
        raise Unreadable(f"the protobuf body is damaged: {error}") from None


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            case 1:
                yield tag >> 3, struct.unpack_from("<d", data, at)[0]
                at += 8
            case 2:
                size, at = _varint(data, at)
                if at + size > len(data):
                    raise ValueError("cut short")
                yield tag >> 3, data[at : at + size]
                at += size
            case 5:
                yield tag >> 3, struct.unpack_from("<f", data, at)[0]
                at += 4
            case other:
                raise ValueError(f"unknown wire type {other}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _message(data: bytes, name: str) -> Obj:
    table = _messages()[name]
    found: Obj = {}
    for number, value in _fields(data):
        if str(number) not in table:
            continue
        field, kind = table[str(number)]
        if kind.startswith("list "):
            found.setdefault(field, []).append(_value(value, kind[5:]))
        elif kind.startswith("map "):
            entry = dict(_fields(value))
            empty = b"" if kind[4:] in ("string", "bytes") else 0
            found.setdefault(field, {})[entry.get(1, b"").decode()] = _value(entry.get(2, empty), kind[4:])
        elif kind.startswith("inline "):
            found.update(_message(value, kind[7:]))
        else:
            plain = _value(value, kind)
            if plain is None or plain == "" or (plain == 0 and kind == "int" and field not in _ZERO_COUNTS):
                continue
            if plain == {} and field == "status":
                continue
            found[field] = plain
    return found


def _value(value: Any, kind: str) -> Any:
    match kind:
        case "string":
            return value.decode()
        case "bytes":
            return base64.b64encode(value).decode()
        case "bool":
            return bool(value)
        case "int":
            return _signed(value)
        case "double":
            return value
    match kind.rpartition(".")[2]:
        case "Quantity":
            return dict(_fields(value)).get(1, b"").decode()
        case "IntOrString":
            parts = dict(_fields(value))
            return parts.get(3, b"").decode() if parts.get(1) else _signed(parts.get(2, 0))
        case "Time" | "MicroTime" as which:
            return _time(dict(_fields(value)), micro=which == "MicroTime")
        case "FieldsV1" | "RawExtension":
            raw = dict(_fields(value)).get(1, b"")
            return json.loads(raw) if raw else None
    return _message(value, kind)


def _time(parts: dict[int, int], *, micro: bool) -> str | None:
    if not parts:
        return None
    seconds = _signed(parts.get(1, 0))
    if seconds <= 0:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    if micro:
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{parts.get(2, 0) // 1000:06d}Z"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
