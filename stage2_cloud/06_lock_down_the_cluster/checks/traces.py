"""What a rotation leaves of passwords and tokens: in its output, in files, in objects, in addresses."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from kube import SPACE, Obj
from labs.grading.evidence import Finished
from rotating import Rotation

PART = 8  # characters in a row
_SCANNED = ("Pod", "ConfigMap", "Deployment", "ReplicaSet", "ServiceAccount", "Event", "Job", "NetworkPolicy")
_FINDER = Path(__file__).with_name("find_in_files.py")
_SECONDS = 30.0


class Traces:
    """Looks at files whenever rotate.py waits for the answer to a write: a `kill -9` would leave them as they are."""

    def __init__(self, rotating: Rotation) -> None:
        self._rotating = rotating
        self._finder = rotating.work.give(_FINDER.name, _FINDER)
        self._in_a_file = ("", "")
        rotating.between.after_each_write = self._look_at_files

    def told_in(self, finished: Finished) -> str:
        """What of it stands in the output, also a part of it; empty if nothing."""
        text = finished.stdout + "\n" + finished.stderr
        for title, value in self._rotating.hidden():
            if _holds(text, _forms(value)):
                return title
        for title, value in self._rotating.hidden():
            if _holds(text, _parts(value)):
                return f"a part of {title}"
        return ""

    def left_behind(self) -> tuple[str, str]:
        """(where, what) of a secret that stands where it must not, or stood there; empty if there is none."""
        self._look_at_files()
        if any(self._in_a_file):
            return self._in_a_file
        seen = self._rotating.between.seen
        for where, text in (*self._things(), *seen.written):
            if found := self._leak(text):
                return where, found
        for target in seen.targets:
            if found := self._leak(target):
                return "the address of a request, so in every log on its way", found
        return "", ""

    def _leak(self, text: str) -> str:
        """What of it stands in a text whole, plain or merely encoded."""
        return next((title for title, value in self._rotating.hidden() if _holds(text, _forms(value))), "")

    def _look_at_files(self) -> None:
        if any(self._in_a_file):
            return
        texts = {form: title for title, value in self._rotating.hidden() for form in _forms(value)}
        look = self._rotating.work.start(sys.executable, "-I", self._finder, stdin=json.dumps(texts).encode())
        found = look.wait(_SECONDS)
        assert found.status == 0, found.output
        for line in found.stdout.splitlines():
            what, _, where = line.partition("\t")
            self._in_a_file = f"the file {where}", what

    def _things(self) -> Iterator[tuple[str, str]]:
        kube = self._rotating.kube
        for kind in _SCANNED:
            for one in kube.items(kind):
                yield f"{kind} {SPACE}/{_title(one)}", json.dumps(one)


def _title(thing: Obj) -> str:
    return str(thing["metadata"].get("name", "")).partition("-")[0]


def _holds(text: str, forms: Iterable[str]) -> bool:
    return any(form in text for form in forms)


def _forms(value: str) -> set[str]:
    raw = value.encode()
    return {
        value,
        quote(value, safe=""),
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        repr(value)[1:-1],
    }


def _parts(value: str) -> set[str]:
    """So many characters in a row, in each writing. Base64 has four letters for three of them."""
    found = set[str]()
    for at in range(len(value) - PART + 1):
        part = value[at : at + PART]
        found |= {part, quote(part, safe=""), part.encode().hex(), repr(part)[1:-1]}
    width = -(-PART * 4 // 3)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(value.encode()).decode().rstrip("=")
        found |= {whole[at : at + width] for at in range(len(whole) - width + 1)}
    return found
