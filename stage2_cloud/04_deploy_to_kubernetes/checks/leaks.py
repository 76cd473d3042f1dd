"""Secret values in a learner's files: in what they say, and in what they render.

What counts is in the contract: any value for FEATURE_STORE_URL, a setting whose name ends in PASSWORD, SECRET, TOKEN,
CREDENTIALS or API_KEY, ACCESS_KEY, SECRET_KEY, PRIVATE_KEY, an address with a password in it (RFC 3986, 3.2.1) and a
private key (RFC 7468); also where base64 (RFC 4648) hides it. A placeholder is no value.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

import kustomize
import strict_yaml
from fraud import BOTH, SECRET_VARIABLE
from kustomize_places import containers

_NAME = re.compile(
    r"(?:^|[^A-Za-z])(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|(?:API|ACCESS|SECRET|PRIVATE)_?KEY)$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"|…|\.\.\.|\*+|<[^<>]*>|\$\([^()]*\)|\$\{[^{}]*\}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s/:@\"']{0,200}:(?P<password>[^\s/@\"']{0,200})@")
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")
_ENCODED = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}")
_LINE = re.compile(r"(?:export )?[\"']?(?P<name>[A-Za-z_][\w.-]*)[\"']? *[=:](?P<value>.*)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_YAML = (".yaml", ".yml")


def secrets_in(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(what was looked at, what it is) of each secret value."""
    for path, text in files.items():
        did = f"read {path}"
        yield from ((did, kind) for kind in _in_text(text))
        if path.endswith(_YAML) or path.rpartition("/")[2] in kustomize.NAMES:
            yield from ((did, kind) for kind in _in_documents(text))
        else:
            found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
            yield from _in_settings(did, ((one["name"], one["value"].strip(" ,\"'")) for one in found if one))
    for env in BOTH:
        try:
            things = kustomize.build(files, env.folder)
        except kustomize.CannotBuild:
            continue  # the next check says so
        yield from _in_settings(f"render {env.folder}", _settings(things))


def _in_settings(did: str, settings: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    for name, value in settings:
        text = "" if value is None else str(value)
        if _PLACEHOLDER.fullmatch(text.strip()):
            continue
        if name == SECRET_VARIABLE or _NAME.search(_HUMP.sub("_", name)):
            yield did, f"a value for {name}"
        yield from ((did, f"{kind}, in {name}") for kind in _in_text(text))


def _settings(things: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(name, value) of what objects give to processes."""
    for thing in things:
        for field in ("data", "stringData", "binaryData"):
            data = thing.get(field)
            yield from (data.items() if isinstance(data, dict) else ())
        for container in containers(thing):
            env = container.get("env")
            for one in env if isinstance(env, list) else ():
                if isinstance(one, dict) and one.get("value") is not None:
                    yield str(one.get("name")), one["value"]


def _in_text(text: str, encoded: bool = False) -> Iterator[str]:
    """What is a secret wherever it stands."""
    how = ", encoded in base64" if encoded else ""
    if any(not _PLACEHOLDER.fullmatch(one["password"]) for one in _ADDRESS.finditer(text)):
        yield f"an address with a password{how}"
    if _PRIVATE.search(text):
        yield f"a private key{how}"
    if not encoded:
        for one in _ENCODED.findall(text):
            try:
                plain = base64.b64decode(one, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                continue
            yield from _in_text(plain, encoded=True)


def _in_documents(text: str) -> Iterator[str]:
    """What one YAML file holds, whether an overlay uses it or not."""
    try:
        found = [one for one in strict_yaml.documents(text) if isinstance(one, dict)]
    except strict_yaml.NotYaml:
        return  # the next check says so
    for one in found:
        if one.get("kind") == "Secret":
            yield "a Secret with its values"
        if one.get("secretGenerator"):
            yield "a secretGenerator: it makes the Secret from a value in the files"
        generators = one.get("configMapGenerator")
        for entry in generators if isinstance(generators, list) else ():
            literals = entry.get("literals") if isinstance(entry, dict) else None
            for literal in literals if isinstance(literals, list) else ():
                name, _, value = str(literal).partition("=")
                yield from (kind for _, kind in _in_settings("", iter([(name, value.strip("\"'"))])))
        yield from (kind for _, kind in _in_settings("", _settings([{"kind": "", **one}])))
