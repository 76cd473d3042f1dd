"""Render an overlay, and try it in a cluster of yours. Nothing here is needed on a real cluster: kubectl does it all.

    python practice.py render prod [FOLDER]     what `kubectl kustomize k8s/overlays/prod` prints
    python practice.py release prod [FOLDER]    apply it with the Secret, and watch the release

`release` needs the embedded cluster: `labs up kubernetes`, then `source <(labs env)`. Run it twice: the second time
is a release of another image. It stops the cluster's clock, and moves it on by itself. FOLDER holds k8s/.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import yaml

import kustomize
from cluster import Refused, Simulated
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


def release(files: dict[str, str], env: Environment) -> None:
    if "KUBECONFIG" not in os.environ:
        sys.exit("There is no cluster yet: `labs up kubernetes`, then `source <(labs env)`.")
    cluster = Simulated(OverHttp(os.environ["KUBECONFIG"]))
    fraud = Fraud(cluster, files, env, np.random.default_rng())
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
        if pods and len(new) == len(pods) == len(fraud.endpoints()) >= env.least:
            return
    sys.exit(f"not up after half an hour: {fraud.trouble()}")


def main(words: list[str]) -> None:
    environments = {env.overlay: env for env in BOTH}
    actions = {"render": render, "release": release}
    if len(words) not in (2, 3) or words[0] not in actions or words[1] not in environments:
        sys.exit(str(__doc__))
    files = read(Path(words[2] if len(words) == 3 else "."))
    try:
        actions[words[0]](files, environments[words[1]])
    except (kustomize.CannotBuild, Refused) as error:
        sys.exit(str(error))
    except Mismatch as error:
        sys.exit(error.finding.got)


if __name__ == "__main__":
    main(sys.argv[1:])
