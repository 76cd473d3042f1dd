"""Helm for a machine without `helm`: the same engine, some of its commands. Run it in the folder that holds chart/.

    python practice.py template ENVIRONMENT [KEY=VALUE …]    what `helm template` prints
    python practice.py lint ENVIRONMENT [KEY=VALUE …]        what `helm lint --strict` says
    python practice.py package                               what `helm package` puts into the archive
    python practice.py release ENVIRONMENT [KEY=VALUE …]     install, or upgrade
    python practice.py rollback ENVIRONMENT REVISION         go back
    python practice.py uninstall ENVIRONMENT
    python practice.py tell images JSON                      how images behave: {name or pattern: {field: value}}
    python practice.py tell clock JSON                       {"speed": seconds for each second of yours}

The release is called `fraud`, unless `--name NAME` comes first. ENVIRONMENT is `staging` or `prod`; KEY=VALUE is what
follows `--set`. A digest is given for you, unless you give one. From `release` on all needs a cluster: `labs up
kubernetes`, then `source <(labs env)`. `release` makes namespace and Secret if need be.
"""

from __future__ import annotations

import contextlib
import json
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


def template(environment: str, settings: list[str], name: str) -> None:
    with helm.Chart.load("chart") as chart:
        files = chart.render(values(environment, settings), name=name, namespace=f"fraud-{environment}")
    for path, text in sorted(files.items()):
        if text.strip() and path.endswith((".yaml", ".yml")):
            print(f"---\n# {path}\n{text.strip()}")


def lint(environment: str, settings: list[str], name: str) -> None:
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


def release(environment: str, settings: list[str], name: str) -> None:
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
    there = any(one["name"] == name for one in at.list(all_states=True))
    done = (at.upgrade if there else at.install)("chart", name, given, timeout=300)
    print(f"{'upgraded' if there else 'installed'}: revision {done['revision']}, {done['status']}")
    print(done.get("notes") or "")


def rollback(environment: str, words: list[str], name: str) -> None:
    if len(words) != 1 or not words[0].isdigit():
        sys.exit(str(__doc__))
    Cluster().helm(f"fraud-{environment}").rollback(name, version=int(words[0]), timeout=300)
    print(f"back to revision {words[0]}")


def uninstall(environment: str, words: list[str], name: str) -> None:
    Cluster().helm(f"fraud-{environment}").uninstall(name, timeout=300)
    print("uninstalled")


def tell(what: str, text: str) -> None:
    """Use one of the cluster's own controls, and print its answer."""
    ways = {"images": "PATCH", "clock": "POST"}
    if what not in ways:
        sys.exit(str(__doc__))
    try:
        body = json.loads(text)
    except ValueError as error:
        sys.exit(f"no JSON: {error}")
    sent = body if what == "clock" else {what: body}
    print(json.dumps(Cluster().ask(ways[what], f"/labs/v1/{what}", sent), indent=2))


def main(words: list[str]) -> None:
    name = "fraud"
    if words[:1] == ["--name"] and len(words) > 1:
        name, words = words[1], words[2:]
    if words == ["package"]:
        return package()
    if words[:1] == ["tell"] and len(words) == 3:
        return tell(words[1], words[2])
    actions = {
        "template": template,
        "lint": lint,
        "release": release,
        "rollback": rollback,
        "uninstall": uninstall,
    }
    if len(words) < 2 or words[0] not in actions or words[1] not in ("staging", "prod"):
        sys.exit(str(__doc__))
    try:
        actions[words[0]](words[1], words[2:], name)
    except helm.HelmError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
