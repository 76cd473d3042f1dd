"""What the checks ask of the chart as files: what it says about itself, and what its package holds."""

from __future__ import annotations

import re

from company import BOTH
from labs.grading.evidence import Evidence
from renders import KEPT, Renders

SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)([-+].+)?")


def is_a_chart(renders: Renders) -> None:
    seen = Evidence("read chart/Chart.yaml")
    found = renders.metadata.get("metadata") or {}
    seen.require(
        "error" not in renders.metadata, wanted="a chart", got=str(renders.metadata.get("error"))[:300]
    )
    seen.require(found.get("apiVersion") == "v2", wanted="apiVersion: v2", got=str(found.get("apiVersion")))
    seen.require(found.get("name") == "fraud", wanted="name: fraud", got=str(found.get("name")))
    version = str(found.get("version"))
    seen.require(SEMVER.fullmatch(version), wanted="a version such as 1.0.0", got=version)
    for key in ("appVersion", "kubeVersion"):
        seen.require(
            found.get(key), wanted=f"{key}", got="nothing", hint="The contract says what each of them is for."
        )
    for env, report in zip(BOTH, renders.lints, strict=True):
        worst = [
            f"{one['path']}: {one['error']}" for one in report.get("messages", []) if one["severity"] >= 2
        ]
        lint = Evidence(f"helm lint --strict with {env.file} and a digest")
        told = worst[0][:300] if worst else str(report.get("error", ""))[:300]
        lint.require(not told, wanted="neither errors nor warnings", got=told)


def packages(renders: Renders) -> None:
    files = renders.package.get("files") or []
    seen = Evidence(f"put {', '.join(renders.planted)} into the chart, and helm package")
    seen.require(
        "error" not in renders.package, wanted="a package", got=str(renders.package.get("error"))[:300]
    )
    inside = [one for one in renders.planted if one in files]
    seen.require(
        not inside,
        wanted="none of them in the package",
        got=", ".join(inside),
        hint="A package is pushed to a registry. chart/.helmignore says what stays at home, at every depth.",
    )
    missing = [one for one in KEPT if one not in files]
    whole = not missing and any(one.startswith("templates/") for one in files)
    seen.require(
        whole, wanted="the chart itself in the package", got=f"no {', '.join(missing) or 'templates'}"
    )
