"""Reads a workflow file as GitHub reads it: YAML 1.2 scalars, no duplicate keys, no merge keys, everything bounded.

Sources: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax and
https://yaml.org/spec/1.2.2/#103-core-schema. In YAML 1.1, which PyYAML speaks, the key `on` is the boolean true and
12:30 is a number; here they are texts, as on GitHub.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from labs.workflows.errors import Malformed

MAX_BYTES = 512 * 1024
MAX_NODES = 20_000  # counted after aliases are followed: a file of a few lines may otherwise hold billions
MAX_DEPTH = 60


@dataclass(frozen=True)
class Step:
    """One step. Exactly one of `run` and `uses` is set. Values may hold `${{ }}`."""

    number: int
    run: str | None
    uses: str | None
    id: str = ""
    name: str = ""
    condition: Any = None
    inputs: Mapping[str, Any] | None = None
    env: Any = None
    shell: Any = None
    working_directory: Any = None
    continue_on_error: Any = False
    timeout_minutes: Any = None

    @property
    def label(self) -> str:
        """What people see of the step before its name is evaluated."""
        first = (self.run or "").strip().splitlines()
        return self.name or self.uses or (first[0] if first else f"step {self.number}")


@dataclass(frozen=True)
class Job:
    """One job as it is written. `body` is the whole mapping, for what this class does not name."""

    id: str
    body: Mapping[str, Any]
    steps: tuple[Step, ...]
    needs: tuple[str, ...]

    @property
    def condition(self) -> Any:
        return self.body.get("if")

    @property
    def uses(self) -> Any:
        """The reusable workflow that the job calls, if it calls one."""
        return self.body.get("uses")


@dataclass(frozen=True)
class Workflow:
    """One workflow file. `path` is relative to the repository."""

    path: str
    body: Mapping[str, Any]
    jobs: Mapping[str, Job]

    @property
    def name(self) -> str:
        return str(self.body.get("name") or self.path)

    @property
    def triggers(self) -> dict[str, Mapping[str, Any]]:
        """Event → its filters."""
        on = self.body["on"]
        if isinstance(on, str):
            return {on: {}}
        if isinstance(on, list):
            return {str(event): {} for event in on}
        return {
            str(event): filters if isinstance(filters, dict) else {"cron": filters} if filters else {}
            for event, filters in on.items()
        }


class _Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
    """SafeLoader with the scalars of YAML 1.2, and no keys given twice."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    text = loader.construct_scalar(node)
    try:
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    except ValueError:
        return float(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def read(path: str, data: bytes) -> Workflow | None:
    """One workflow; None for a file that holds nothing but comments.

    Raises:
        Malformed: GitHub would refuse it. The message names the place.
    """
    body = _yaml(path, data)
    if body is None:
        return None
    if not isinstance(body, dict):
        raise Malformed(path, "a workflow is a mapping with `on` and `jobs`")
    for key in ("on", "jobs"):
        if not body.get(key):
            raise Malformed(path, f"`{key}` is missing")
    if not isinstance(body["jobs"], dict):
        raise Malformed(path, "`jobs` is a mapping from a job's id to the job")
    if not isinstance(body["on"], (str, list, dict)):
        raise Malformed(path, "`on` is an event, a list of events or a mapping")
    jobs = {job_id: _job(path, job_id, job) for job_id, job in body["jobs"].items()}
    for job in jobs.values():
        for need in job.needs:
            if need not in jobs:
                raise Malformed(path, f"job `{job.id}` needs `{need}`, and there is no such job")
    return Workflow(path, body, jobs)


def _yaml(path: str, data: bytes) -> Any:
    if len(data) > MAX_BYTES:
        raise Malformed(path, f"it has {len(data):,} bytes; at most {MAX_BYTES:,} are read")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(path, "it is not text in UTF-8") from None
    loader = _Loader(text) if _printable(text) else None
    if loader is None:
        raise Malformed(path, "it holds characters that YAML does not allow")
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _bounded(path, node)
        return loader.construct_document(node)
    except Malformed:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise Malformed(path, f"{where}{getattr(error, 'problem', None) or 'this is no YAML'}") from None
    except (ValueError, RecursionError, TypeError, OverflowError):
        raise Malformed(path, "this is no YAML that a workflow can hold") from None
    finally:
        loader.dispose()


def _printable(text: str) -> bool:
    return yaml.reader.Reader.NON_PRINTABLE.search(text) is None


def _bounded(path: str, root: Any) -> None:
    """Refuse what GitHub refuses (keys twice, merge keys) and what grows without end (an alias inside itself)."""
    seen = 0
    pending = [(root, 0)]
    while pending:
        node, depth = pending.pop()
        seen += 1
        if seen > MAX_NODES or depth > MAX_DEPTH:
            raise Malformed(path, "with its aliases followed, it is too large or nested too deeply")
        if isinstance(node, yaml.SequenceNode):
            pending += [(child, depth + 1) for child in node.value]
        elif isinstance(node, yaml.MappingNode):
            keys = set()
            for key, value in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    raise Malformed(path, f"line {line}: a key is a text")
                if key.value == "<<":
                    raise Malformed(path, f"line {line}: GitHub does not support merge keys (`<<`)")
                if key.value in keys:
                    raise Malformed(path, f"line {line}: the key `{key.value}` stands there twice")
                keys.add(key.value)
                key.tag = "tag:yaml.org,2002:str"
                pending.append((value, depth + 1))


def _job(path: str, job_id: str, body: Any) -> Job:
    where = f"job `{job_id}`"
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", job_id):
        raise Malformed(path, f"{where}: an id is letters, digits, `-` and `_`")
    if not isinstance(body, dict):
        raise Malformed(path, f"{where} is no mapping")
    needs = body.get("needs") or []
    needs = [needs] if isinstance(needs, str) else needs
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        raise Malformed(path, f"{where}: `needs` is the id of a job, or a list of them")
    for key in ("env", "outputs", "strategy"):
        if not isinstance(body.get(key) or {}, (dict, str)):
            raise Malformed(path, f"{where}: `{key}` is a mapping")
    if "uses" in body:
        return Job(job_id, body, (), tuple(needs))
    if "runs-on" not in body:
        raise Malformed(path, f"{where}: `runs-on` is missing")
    steps = body.get("steps")
    if not isinstance(steps, list) or not steps:
        raise Malformed(path, f"{where}: `steps` is a list of steps")
    made = tuple(_step(path, where, number, step) for number, step in enumerate(steps, 1))
    ids = [step.id for step in made if step.id]
    if len(ids) != len(set(ids)):
        raise Malformed(path, f"{where}: two steps have the same `id`")
    return Job(job_id, body, made, tuple(needs))


def _step(path: str, where: str, number: int, body: Any) -> Step:
    where = f"{where}, step {number}"
    if not isinstance(body, dict):
        raise Malformed(path, f"{where} is no mapping")
    run, uses = body.get("run"), body.get("uses")
    if (run is None) == (uses is None):
        raise Malformed(path, f"{where} has one of `run` and `uses`, and not both")
    inputs = body.get("with")
    if inputs is not None and not isinstance(inputs, dict):
        raise Malformed(path, f"{where}: `with` is a mapping")
    if not isinstance(body.get("env") or {}, (dict, str)):
        raise Malformed(path, f"{where}: `env` is a mapping")
    return Step(
        number=number,
        run=None if run is None else str(run),
        uses=None if uses is None else str(uses),
        id=str(body.get("id") or ""),
        name=str(body.get("name") or ""),
        condition=body.get("if"),
        inputs=inputs,
        env=body.get("env"),
        shell=body.get("shell"),
        working_directory=body.get("working-directory"),
        continue_on_error=body.get("continue-on-error", False),
        timeout_minutes=body.get("timeout-minutes"),
    )
