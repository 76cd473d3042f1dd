"""What the checks ask of values that people hang in: image, port, resources, and every extension point."""

from __future__ import annotations

import json
from typing import Any

import company
import manifests
from company import PROD
from manifests import of_kind
from reading import variables, wanted_variables
from renders import Renders


def extensions_arrive(renders: Renders) -> None:
    for key in ("extensions", *(f"only {name}" for name in renders.extensions)):
        things, seen = renders.objects(key), renders.seen(key)
        pod = manifests.template(manifests.deployment(things))
        names = renders.extensions if key == "extensions" else [key.removeprefix("only ")]
        for name in names:
            value = renders.extensions[name]
            got: Any = pod["spec"].get(name)
            if name == "env":
                there = pod["spec"]["containers"][0].get("env") or []
                got = [one for one in there if one in value]
            elif name == "podAnnotations":
                there = manifests.meta(pod).get("annotations") or {}
                got = {one: there.get(one) for one in value}
            seen.require(
                got == value,
                wanted=f"{name} in the pods, as it was given: {json.dumps(value)[:200]}",
                got=json.dumps(got)[:200],
                hint="`toYaml` and `nindent` with the depth of the place. The number of spaces is the depth.",
            )
        kept = {"LOG_LEVEL": PROD.level, company.SECRET_VARIABLE: "secret fraud-feature-store/url"}
        wanted_variables(
            variables(things), kept, seen, "What is given comes to what is there. It does not replace it."
        )
        if "imagePullSecrets" in names:
            for job in of_kind(things, "Job"):
                got = manifests.template(job)["spec"].get("imagePullSecrets")
                seen.require(
                    got == renders.extensions["imagePullSecrets"],
                    wanted="imagePullSecrets in the model check as well",
                    got=json.dumps(got),
                    hint="It pulls the same image from the same registry.",
                )
    things = renders.objects("texts")
    notes = manifests.meta(manifests.template(manifests.deployment(things))).get("annotations") or {}
    hint = "YAML has its own idea of a text without quotes."
    wanted_variables(notes, renders.annotation, renders.seen("texts"), hint)


def values_arrive(renders: Renders) -> None:
    things, seen, given = renders.objects("given"), renders.seen("given"), renders.given
    container = manifests.template(manifests.deployment(things))["spec"]["containers"][0]
    service = of_kind(things, "Service")[0]
    ports = [one.get("port") for one in service["spec"].get("ports") or []]
    scaler = [one["spec"] for one in of_kind(things, "HorizontalPodAutoscaler")]
    aims = (
        [one["resource"]["target"].get("averageUtilization") for one in scaler[0].get("metrics") or []]
        if scaler
        else []
    )
    found = {
        "image": (f"{given['image']['repository']}@{renders.digest}", container.get("image")),
        "resources": (given["resources"], container.get("resources")),
        "service.port": ([given["service"]["port"]], ports),
        "autoscaling": ([(5, 11)], [(one.get("minReplicas"), one.get("maxReplicas")) for one in scaler]),
        "autoscaling.targetCPU": ([given["autoscaling"]["targetCPU"]], aims),
        "host": (
            [given["host"]],
            [rule.get("host") for one in of_kind(things, "Ingress") for rule in one["spec"]["rules"]],
        ),
    }
    for name, (wanted, got) in found.items():
        hint = "Compare the value's path with the one in your template."
        seen.require(got == wanted, wanted=f"{name}: {json.dumps(wanted)}", got=json.dumps(got), hint=hint)
    named = [one.get("name") for one in service["spec"].get("ports") or [] if one.get("name")]
    for ingress in of_kind(things, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in (rule.get("http") or {}).get("paths") or []:
                leads = ((path.get("backend") or {}).get("service") or {}).get("name")
                right = leads == manifests.name_of(service)
                seen.require(right, wanted="an Ingress that leads to the Service", got=f"it leads to {leads}")
                port = ((path.get("backend") or {}).get("service") or {}).get("port") or {}
                seen.require(
                    port.get("number") in ports or port.get("name") in named,
                    wanted=f"an Ingress that leads to a port of the Service: {given['service']['port']}, or its name",
                    got=f"it leads to {json.dumps(port)}",
                    hint="`service.port` is a value. Who else has to know it?",
                )
