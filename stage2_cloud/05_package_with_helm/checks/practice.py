"""Helm for a machine without `helm`: the same engine, four of its commands. Run it in the folder that holds chart/.

    python practice.py template ENVIRONMENT [KEY=VALUE …]    what `helm template` prints
    python practice.py lint ENVIRONMENT [KEY=VALUE …]        what `helm lint --strict` says
    python practice.py package                               what `helm package` puts into the archive
    python practice.py release ENVIRONMENT [KEY=VALUE …]     install, or upgrade, the release `fraud`

ENVIRONMENT is `staging` or `prod`; KEY=VALUE is what follows `--set`. A digest is given for you, unless you give one.
`release` needs a cluster: `labs up kubernetes`, then `source <(labs env)`. It makes namespace and Secret if need be.
"""

from __future__ import annotations

import contextlib
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import helm_python as helm

from helm_cluster import Cluster
from helm_inside import merged

DIGEST = "sha256:" + 8 * "5a1c0de4"


def values(environment: str, settings: list[str]) -> dict[str, Any]:
    found = helm.values_from_yaml(Path(f"environments/{environment}.yaml").read_text(encoding="utf-8"))
    return merged(merged(found, {"image": {"digest": DIGEST}}), helm.parse_set_string(",".join(settings)))


def template(environment: str, settings: list[str]) -> None:
    with helm.Chart.load("chart") as chart:
        files = chart.render(values(environment, settings), name="fraud", namespace=f"fraud-{environment}")
    for path, text in sorted(files.items()):
        if text.strip() and path.endswith((".yaml", ".yml")):
            print(f"---\n# {path}\n{text.strip()}")


def lint(environment: str, settings: list[str]) -> None:
    messages = helm.lint("chart", values(environment, settings), strict=True)["messages"]
    names = ("unknown", "info", "warning", "error")
    for one in messages:
        print(f"{names[one['severity']]}: {one['path']}: {one['error']}")
    if any(one["severity"] > 1 for one in messages):
        sys.exit(1)


def package() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        tarfile.open(helm.package("chart", destination=folder)) as archive,
    ):
        print("\n".join(sorted(archive.getnames())))


def release(environment: str, settings: list[str]) -> None:
    cluster, space = Cluster(), f"fraud-{environment}"
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    things: list[tuple[str, dict[str, Any]]] = [
        ("namespaces", {"metadata": {"name": space, "labels": level}}),
        (
            f"namespaces/{space}/secrets",
            {"metadata": {"name": "fraud-feature-store"}, "stringData": {"url": "redis://here"}},
        ),
    ]
    for path, body in things:
        with contextlib.suppress(RuntimeError):  # it is there already
            cluster.ask("POST", f"/api/v1/{path}", body)
    at, given = cluster.helm(space), values(environment, settings)
    there = any(one["name"] == "fraud" for one in at.list(all_states=True))
    done = (at.upgrade if there else at.install)("chart", "fraud", given, timeout=300)
    print(f"{'upgraded' if there else 'installed'}: revision {done['revision']}, {done['status']}")
    print(done.get("notes") or "")


def main(words: list[str]) -> None:
    if words == ["package"]:
        return package()
    actions = {"template": template, "lint": lint, "release": release}
    if len(words) < 2 or words[0] not in actions or words[1] not in ("staging", "prod"):
        sys.exit(str(__doc__))
    try:
        actions[words[0]](words[1], words[2:])
    except helm.HelmError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
