"""The learner's `infra`, as graphs of resources: by Terraform's language or by a Pulumi program."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi_graph
import terraform_plan
from environments import BOTH, Environment
from graph import Graph
from hcl_expressions import evaluate
from hcl_files import NotHcl
from hcl_values import CannotEvaluate, Wrong, to_bool
from labs.checks import CouldNotCheck
from labs.grading.evidence import Evidence, NotStarted
from labs.results import Finding
from provider_types import converted

MOST_FILES, MOST_BYTES = 300, 200_000
THIRD, GROWN = "third", "grown"
PULUMI_SECONDS = 200
READ = "read the folder infra"
PASSWORD = re.compile(r"[a-z][a-z0-9+]*://[^\s:/@\"'{}$]*:[^\s@/\"'{}$<>…*]{3,}@")
KEY = re.compile(r"\bAKIA[0-9A-Z]{16}\b")


@dataclass
class Described:
    """Graphs by environment (`staging`, `prod`, `third`, `grown`), and what only one of the two tools has."""

    tool: str
    third: Environment
    graphs: dict[str, Graph] = field(default_factory=dict)
    backends: dict[str, dict[str, Any]] = field(default_factory=dict)
    sensitive: bool = True
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def all(self) -> dict[str, Graph]:
        """Name of the environment → its graph, without the grown one."""
        return {self.says(key): self.graphs[key] for key in (*BOTH, THIRD)}

    def says(self, key: str) -> str:
        return self.third.name if key in (THIRD, GROWN) else key

    def evidence(self, name: str) -> Evidence:
        verb = "evaluate the Terraform files" if self.tool == "terraform" else "run the Pulumi program"
        other = f", with {', '.join(self.third.app_instances)} as servers" if name == self.third.name else ""
        return Evidence(f"{verb} for {name}{other}")


def files(work) -> dict[str, bytes]:
    """All files of `infra`, by path inside it."""
    paths = [path for path in work.files() if path.startswith("infra/")]
    if len(paths) > MOST_FILES:
        Evidence(READ).fail(wanted=f"at most {MOST_FILES} files", got=str(len(paths)))
    return {path.removeprefix("infra/"): work.read(path).bytes for path in paths if _is_read(path)}


def _is_read(path: str) -> bool:
    return "/.terraform/" not in path and "__pycache__" not in path


def describe(work, third: Environment) -> Described:
    """Evaluate everything, once. What is wrong fails the check in the learner's terms."""
    found = files(work)
    is_terraform = any(path.endswith(".tf") and "/" not in path for path in found)
    is_pulumi = "Pulumi.yaml" in found
    if is_terraform and is_pulumi:
        Evidence(READ).fail(
            wanted="Terraform files or a Pulumi program",
            got="both",
            hint="Two descriptions drift apart. Keep one.",
        )
    if not is_terraform and not is_pulumi:
        raise NotStarted(
            Finding(READ, "infra/*.tf, or infra/Pulumi.yaml and infra/__main__.py", "none of them")
        )
    described = Described("terraform" if is_terraform else "pulumi", third)
    try:
        if is_terraform:
            _terraform(described, found)
        else:
            _pulumi(described, found, work)
    except NotHcl as error:
        Evidence(READ).fail(
            wanted="Terraform's language",
            got=f"a syntax error: {error}",
            hint="`terraform fmt` finds it too.",
        )
    except CannotEvaluate as error:
        where = f" ({error.place})" if error.place else ""
        raise CouldNotCheck(
            f"the reader of this lab cannot do {error}{where}; the contract says what it can"
        ) from None
    if not any(graph.resources for graph in described.graphs.values()):
        raise NotStarted(Finding(READ, "the resources of three tiers", "no resource"))
    return described


def _terraform(described: Described, found: dict[str, bytes]) -> None:
    source = terraform_plan.Files(found)
    automatic: dict[str, Any] = {}
    for path in (
        "terraform.tfvars",
        *sorted(each for each in found if each.endswith(".auto.tfvars") and "/" not in each),
    ):
        if path in found:
            automatic |= source.values(path)
    secret = {"feature_store_url": described.third.secret}
    for name in BOTH:
        path = f"envs/{name}.tfvars"
        if path not in found:
            _nothing_for(name, f"infra/{path}")
        with _told(described.evidence(name)):
            own = source.values(path)
            if "feature_store_url" in own or "feature_store_url" in automatic:
                described.sensitive = False
            described.graphs[name], root = terraform_plan.plan(source, {**automatic, **own, **secret})
            described.backends[name] = _backend(root, source, f"envs/{name}.tfbackend")
    for key, environment in ((THIRD, described.third), (GROWN, described.third.grown())):
        with _told(described.evidence(described.third.name)):
            described.graphs[key], root = terraform_plan.plan(source, {**automatic, **environment.inputs()})
    about = root.declared["feature_store_url"].body.attributes if "feature_store_url" in root.declared else {}
    hidden = about.get("sensitive")
    is_hidden = hidden is not None and to_bool(evaluate(hidden, root.scope), "sensitive")
    described.sensitive = described.sensitive and is_hidden and "default" not in about


def _nothing_for(name: str, path: str) -> None:
    if name == "staging":
        raise NotStarted(Finding(READ, f"the file {path}", "there is none"))
    Evidence(READ).fail(wanted=f"the file {path}", got="there is none")


def _backend(root: terraform_plan.Module, source: terraform_plan.Files, path: str) -> dict[str, Any]:
    """The settings of the backend, with the file that `-backend-config` names."""
    for block in root._of("terraform"):
        for backend in block.body.of("backend"):
            own = {name: evaluate(tree, root.scope) for name, tree in backend.body.attributes.items()}
            given = source.values(path) if path in source.files else {}
            return {"kind": backend.labels[0], **converted("backend", {**own, **given}, "the backend")}
    return {}


def _pulumi(described: Described, found: dict[str, bytes], work) -> None:
    scenarios = {}
    secret = {"nukkad:feature_store_url": described.third.secret}
    with _told(Evidence(READ)):
        described.configs["project"] = pulumi_graph.configuration(found["Pulumi.yaml"], "infra/Pulumi.yaml")
        for name in BOTH:
            path = f"Pulumi.{name}.yaml"
            if path not in found:
                _nothing_for(name, f"infra/{path}")
            stack = pulumi_graph.configuration(found[path], f"infra/{path}")
            described.configs[name] = stack
            config = stack.get("config") or {}
            if isinstance(config.get("nukkad:feature_store_url"), str):
                described.sensitive = False
            scenarios[name] = {**pulumi_graph.as_settings(config), **secret}
    for key, environment in ((THIRD, described.third), (GROWN, described.third.grown())):
        scenarios[key] = pulumi_graph.as_settings(
            {f"nukkad:{name}": value for name, value in environment.inputs().items()}
        )
    probe = work.give("pulumi_probe.py", (Path(__file__).parent / "pulumi_probe.py").read_bytes())
    asked = work.give("scenarios.json", json.dumps(scenarios))
    ran = work.run("python3", probe, asked, "_graded", timeout=PULUMI_SECONDS)
    ran.did = "run infra/__main__.py for four environments, with Pulumi's mocks"
    if ran.killed:
        ran.fail(
            wanted=f"an end within {PULUMI_SECONDS} s, and within the limits of the lab",
            got=f"it was stopped: {ran.killed}",
        )
    for name in scenarios:
        document = work.read(f"_graded/{name}.json")
        if not document.exists:
            ran.fail(
                wanted=f"the resources of {described.says(name)}", got="the program ended before its end"
            )
        answer = document.json()
        if "todo" in answer:
            raise NotStarted(
                Finding("run infra/__main__.py", "the resources of three tiers", "NotImplementedError")
            )
        with _told(described.evidence(described.says(name))):
            described.graphs[name] = pulumi_graph.graph(answer)


class _told:
    """What the tool would refuse fails the check."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Wrong):
            self.evidence.fail(
                wanted="a description that can be evaluated",
                got=str(error),
                hint="The inputs of the contract are all that a new environment gives; everything else has a default.",
            )


def secrets_in_files(work) -> list[tuple[str, str]]:
    """(path, what) of passwords and keys that are written down, in all files that are handed in."""
    found = []
    for path in work.files()[:MOST_FILES]:
        text = work.read(path).bytes[:MOST_BYTES].decode("utf-8", "replace")
        if PASSWORD.search(text):
            found.append((path, "an address with a password in it"))
        if KEY.search(text):
            found.append((path, "an access key"))
    return found
