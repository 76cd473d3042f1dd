"""What a check holds in its hand: an answer, a reply, a finished command. Each can say what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from labs import advice
from labs.grading.compare import (
    as_set,
    close,
    exit_words,
    is_kind,
    limit_words,
    names,
    parse_json,
    same,
    shorten,
    show,
    type_name,
    type_names,
)
from labs.results import Finding

UNSET: Any = object()


class Mismatch(Exception):
    """The learner's work did something else than the contract says."""

    def __init__(self, finding: Finding, output: str = "") -> None:
        super().__init__(f"{finding.did}: wanted {finding.wanted}, got {finding.got}")
        self.finding = finding
        self.output = output


class NotStarted(Exception):
    """The learner has not begun this part."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.got)
        self.finding = finding


class CouldNotCheck(Exception):
    """Something that the check needs is not there. `lacks` names it if it is a real thing of labs.machine."""

    def __init__(self, because: str, lacks: str = "") -> None:
        super().__init__(because)
        self.lacks = lacks


@dataclass
class Evidence:
    """What was done, kept for the message."""

    did: str
    output: str = field(default="", kw_only=True)

    def fail(self, *, wanted: str, got: str, hint: str = "", measured: str = "") -> NoReturn:
        raise Mismatch(Finding(self.did, wanted, got, hint, measured), self.output)

    def require(self, condition: Any, *, wanted: str, got: str, hint: str = "", measured: str = "") -> None:
        if not condition:
            self.fail(wanted=wanted, got=got, hint=hint, measured=measured)


@dataclass(frozen=True)
class Raised:
    """An exception in the learner's code. `where` is the last line of theirs that it passed, such as "drift.py:41"."""

    type: str
    message: str
    where: str
    line: str = ""
    bases: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        message = self.message.strip().splitlines()
        return f"{self.type}: {message[0]}{place}" if message else f"{self.type}{place}"


@dataclass
class Answer(Evidence):
    """The result of a call, as plain data; or the exception, when the check allowed one."""

    value: Any = None
    error: Raised | None = None

    def expect(
        self,
        *,
        value: Any = UNSET,
        approx: Any = UNSET,
        rel: float = 1e-9,
        abs: float = 0.0,
        type: type | tuple[type, ...] | None = None,
        keys: Iterable[str] | None = None,
        hint: str = "",
    ) -> Answer:
        """Fail unless the result is `value`, or is within `rel` and `abs` of `approx`, has `type`, or has `keys`."""
        if type is not None and not is_kind(self.value, type):
            self.fail(
                wanted=f"{type_names(type)}", got=f"{type_name(self.value)}: {show(self.value)}", hint=hint
            )
        if keys is not None:
            self._expect_keys(set(keys), hint)
        if value is not UNSET and not same(self.value, value):
            self.fail(wanted=show(value), got=show(self.value), hint=hint)
        if approx is not UNSET and not close(self.value, approx, rel, abs):
            slack = f"± {abs:g}" if abs else f"within {rel:g} of it"
            self.fail(wanted=f"{show(approx)} ({slack})", got=show(self.value), hint=hint)
        return self

    def _expect_keys(self, keys: set[str], hint: str) -> None:
        if not isinstance(self.value, Mapping):
            self.fail(
                wanted=f"a dict with {names(keys)}",
                got=f"{type_name(self.value)}: {show(self.value)}",
                hint=hint,
            )
        missing = keys - set(self.value)
        if missing:
            has = names(self.value) or "nothing"
            self.fail(
                wanted=f"a dict with {names(keys)}", got=f"no {names(missing)}; it has {has}", hint=hint
            )


@dataclass
class Reply(Evidence):
    """An HTTP reply. `seconds` is the time from sending the request to the last byte, as the grader measured it."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self, hint: str = "Reply with a JSON body.") -> Any:
        try:
            return parse_json(self.body)
        except ValueError:
            self.fail(wanted="a JSON body", got=self._said(), hint=hint)

    def expect(
        self,
        *,
        status: int | Iterable[int] | None = None,
        json: Mapping[str, Any] | None = None,
        keys: Iterable[str] | None = None,
        hint: str = "",
    ) -> Reply:
        """Fail unless the status is (one of) `status`, and the JSON body holds `json` as a part and has `keys`."""
        if self.status == 501:
            raise NotStarted(Finding(self.did, _statuses(status), "status 501: not started"))
        if status is not None and self.status not in as_set(status):
            self.fail(wanted=_statuses(status), got=self._said(), hint=hint)
        if json is not None or keys is not None:
            body = self.json()
            wanted = {*(json or {}), *(keys or ())}
            if not isinstance(body, Mapping) or not wanted <= set(body):
                self.fail(wanted=f"a JSON object with {names(wanted)}", got=show(body), hint=hint)
            for key, value in (json or {}).items():
                if not same(body[key], value):
                    self.fail(
                        wanted=f"`{key}` = {show(value)}", got=f"`{key}` = {show(body[key])}", hint=hint
                    )
        return self

    def _said(self) -> str:
        text = " ".join(self.text.split())
        return f"status {self.status}" + (f", {shorten(text, 160)}" if text and self.status >= 400 else "")


@dataclass
class Finished(Evidence):
    """A process that has ended. `status` is negative for a signal; `killed` says which limit ended it, if one did."""

    status: int = 0
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0
    killed: str = ""

    def expect(self, *, status: int | Iterable[int] | None = None, hint: str = "") -> Finished:
        """Fail unless the exit status is (one of) `status`."""
        if status is not None and self.status not in as_set(status):
            last = next((line for line in reversed(self.stderr.splitlines()) if line.strip()), "")
            said = f", {shorten(last.strip(), 160)}" if last else ""
            why = f": {limit_words(self.killed)}" if self.killed else ""
            wanted = " or ".join(str(code) for code in sorted(as_set(status)))
            self.fail(wanted=f"exit status {wanted}", got=f"{exit_words(self.status)}{why}{said}", hint=hint)
        return self


def raised(did: str, error: Raised, output: str = "", wanted: str = "a result") -> Mismatch:
    hint = advice.next_step(error.type, error.message, error.where)
    return Mismatch(Finding(did, wanted, str(error), hint), output)


def _statuses(status: int | Iterable[int] | None) -> str:
    if status is None:
        return "a reply"
    return "status " + " or ".join(str(code) for code in sorted(as_set(status)))
