"""Render an overlay, and try it in a cluster of yours. Nothing here is needed on a real cluster: kubectl does it all.

    python practice.py render prod [FOLDER]     what `kubectl kustomize k8s/overlays/prod` prints
    python practice.py release prod [FOLDER]    apply it with the Secret, and watch the release
    python practice.py tell images JSON         how images behave: {name or pattern: {field: value}}
    python practice.py tell metrics JSON        what pods use: [{"namespace", "metric", "selector", "total"}]
    python practice.py tell clock JSON          {"advance": seconds}, or {"speed": seconds for each second of yours}

`release` and `tell` need the embedded cluster: `labs up kubernetes`, then `source <(labs env)`. Run `release` twice:
the second time is a release of another image. While it watches, it moves the cluster's clock on by itself. FOLDER holds
k8s/.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

import kustomize
from cluster import Cluster, Refused, Simulated
from connections import OverHttp
from fraud import BOTH, Environment, Fraud, draw_image
from labs.grading.evidence import Mismatch


def read(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("k8s/**/*"))
        if path.is_file()
    }


def render(files: dict[str, str], env: Environment) -> None:
    print(yaml.safe_dump_all(kustomize.build(files, env.folder), sort_keys=True), end="")


def _kubeconfig() -> str:
    if "KUBECONFIG" not in os.environ:
        sys.exit("There is no cluster yet: `labs up kubernetes`, then `source <(labs env)`.")
    return os.environ["KUBECONFIG"]


@contextmanager
def _moved_by_hand() -> Iterator[Simulated]:
    """The cluster with its clock stopped; afterwards it runs again, as fast as yours."""
    cluster = Simulated(OverHttp(_kubeconfig()))
    try:
        yield cluster
    finally:
        cluster.ask("POST", "/labs/v1/clock", {"speed": 1})


def tell(what: str, text: str) -> None:
    """Use one of the cluster's own controls, and print its answer."""
    ways = {"images": "PATCH", "metrics": "PUT", "clock": "POST"}
    if what not in ways:
        sys.exit(str(__doc__))
    try:
        body = json.loads(text)
    except ValueError as error:
        sys.exit(f"no JSON: {error}")
    sent = body if what == "clock" else {what: body}
    answer = Cluster(OverHttp(_kubeconfig())).ask(ways[what], f"/labs/v1/{what}", sent)
    print(json.dumps(answer, indent=2))


def release(files: dict[str, str], env: Environment) -> None:
    with _moved_by_hand() as cluster:
        _release(Fraud(cluster, files, env, np.random.default_rng()))


def _release(fraud: Fraud) -> None:
    fraud.prepare()
    image = fraud.know(draw_image(fraud.rng))
    print(
        f"an image that is pulled in {image.pull_seconds} s and listens {image.start_seconds} s after its start"
    )
    fraud.apply(image)
    before = None
    for passed in fraud.passing(1800):
        pods = fraud.pods()
        new = [one for one in pods if one["spec"]["containers"][0]["image"] == image.name]
        line = f"{len(new)} new pods, {len(pods) - len(new)} old, {len(fraud.endpoints())} ready endpoints"
        if line != before:
            print(f"{passed / 60:5.1f} min  {line}")
            before = line
        if pods and len(new) == len(pods) == len(fraud.endpoints()) >= fraud.env.least:
            return
    sys.exit(f"not up after half an hour: {fraud.trouble()}")


def main(words: list[str]) -> None:
    environments = {env.overlay: env for env in BOTH}
    actions = {"render": render, "release": release}
    try:
        if words[:1] == ["tell"] and len(words) == 3:
            tell(words[1], words[2])
            return
        if len(words) not in (2, 3) or words[0] not in actions or words[1] not in environments:
            sys.exit(str(__doc__))
        files = read(Path(words[2] if len(words) == 3 else "."))
        actions[words[0]](files, environments[words[1]])
    except (kustomize.CannotBuild, Refused) as error:
        sys.exit(str(error))
    except Mismatch as error:
        sys.exit(error.finding.got)


if __name__ == "__main__":
    main(sys.argv[1:])
