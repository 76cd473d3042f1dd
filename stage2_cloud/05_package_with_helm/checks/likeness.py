"""Where two environments differ, besides what the contract lets differ."""

from __future__ import annotations

import json
import re
from typing import Any

import manifests
from company import BOTH, Environment
from labs.grading.evidence import Evidence
from manifests import Obj, config_maps, meta, name_of, of_kind
from reading import variables
from renders import Renders

MAY_DIFFER = ("LOG_LEVEL", "ENVIRONMENT")
HASH = re.compile(r"(?=.*\d)[0-9a-f]{8,}")


def reduced(things: list[Obj], env: Environment, space: str, hashes: set[str]) -> dict[str, Any]:
    """The objects of an environment by kind and name, without what may differ.

    The namespace of the release counts as equal wherever it is written. Names of ConfigMaps and Jobs may hold a hash of
    the settings, and so may the pods' annotations that `hashes` names: their values count as equal.
    """
    text = json.dumps(things).replace(space, "NAMESPACE")
    maps = sorted(config_maps(things).items(), key=lambda one: json.dumps(sorted(one[1])))
    numbered = [(f"settings {index}", name) for index, (name, _) in enumerate(maps)]
    numbered += [(f"job {index}", name_of(one)) for index, one in enumerate(of_kind(things, "Job"))]
    for plain, name in numbered:
        text = text.replace(f'"{name.replace(space, "NAMESPACE")}"', f'"{plain}"')
    found = {}
    for thing in json.loads(text):
        spec = thing.get("spec") or {}
        if thing["kind"] == "ConfigMap":
            thing["data"] = {
                key: value for key, value in (thing.get("data") or {}).items() if key not in MAY_DIFFER
            }
        if thing["kind"] == "HorizontalPodAutoscaler":
            spec["minReplicas"] = spec["maxReplicas"] = 0
        if thing["kind"] == "Ingress":
            thing["spec"] = json.loads(json.dumps(spec).replace(env.host, "HOST"))
        if "template" in spec:
            spec.pop("replicas", None)
            notes = meta(spec["template"]).pop("annotations", None) or {}
            meta(spec["template"])["annotations"] = {
                key: "HASH" if key in hashes or HASH.fullmatch(str(value)) else value
                for key, value in notes.items()
            }
            for container in spec["template"]["spec"].get("containers") or []:
                container["env"] = [
                    one for one in container.get("env") or [] if one["name"] not in MAY_DIFFER
                ]
                for group in (container.get("resources") or {}).values():
                    group.pop("cpu", None)
        found[f"{thing['kind']} {name_of(thing)}"] = thing
    return found


def sizes(things: list[Obj]) -> dict[str, Any]:
    """What an environment is allowed to differ in, as it came out."""
    found: dict[str, Any] = {"pods": "no autoscaler"}
    for one in of_kind(things, "HorizontalPodAutoscaler"):
        found["pods"] = f"{one['spec'].get('minReplicas')} to {one['spec'].get('maxReplicas')}"
    container = manifests.template(manifests.deployment(things))["spec"]["containers"][0]
    asked = (container.get("resources") or {}).get("requests") or {}
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    found |= {"CPU request": asked.get("cpu"), "memory": f"{asked.get('memory')}, at most {limit}"}
    found["host"] = ", ".join(
        str(rule.get("host")) for one in of_kind(things, "Ingress") for rule in one["spec"].get("rules") or []
    )
    got = variables(things)
    return found | {name: got.get(name) for name in ("LOG_LEVEL", "ENVIRONMENT")}


def environments_differ_as_stated(renders: Renders) -> None:
    for env in BOTH:
        got = sizes(renders.objects(env.name))
        for what, value in _stated(env).items():
            renders.seen(env.name).require(got[what] == value, wanted=f"{what}: {value}", got=f"{got[what]}")
    hashes, both = hashes_of_settings(renders), [f"space {env.name}" for env in BOTH]
    where = manifests.difference(
        *(
            reduced(renders.objects(key), env, renders.cases[key].space, hashes)
            for key, env in zip(both, BOTH, strict=True)
        )
    )
    Evidence("compare what both environments render").require(
        where is None,
        wanted="the same, but for what the contract names",
        got=f"a difference at {where}",
        hint="What is true everywhere belongs into values.yaml. What staging lacks, staging cannot test.",
    )


def hashes_of_settings(renders: Renders) -> set[str]:
    """The annotations of pods that change with the settings or the log level, in one environment."""
    notes = [
        meta(manifests.template(manifests.deployment(renders.objects(key)))).get("annotations") or {}
        for key in ("staging", "good: the log level error", "good: odd texts in settings")
    ]
    return {key for key, value in notes[0].items() if any(one.get(key) != value for one in notes[1:])}


def _stated(env: Environment) -> dict[str, str]:
    return {
        "pods": f"{env.least} to {env.most}",
        "CPU request": env.cpu,
        "memory": "1Gi, at most 1Gi",
        "host": env.host,
        "LOG_LEVEL": env.level,
        "ENVIRONMENT": env.name,
    }
