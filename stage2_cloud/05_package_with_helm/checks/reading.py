"""What the checks ask of rendered objects."""

from __future__ import annotations

import json
import re
from typing import Any

import company
import manifests
from company import PROD
from labs.grading.evidence import Evidence
from manifests import Obj, of_kind
from renders import APP_VERSION, VERSION, Renders
from server import Server

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def accepted(renders: Renders, server: Server) -> None:
    """Every right set of values renders, and the server takes every object of it."""
    for space in {case.space: "" for case in renders.cases.values()}:
        server.make_namespace(space)
    for key, case in renders.cases.items():
        things = renders.objects(key)
        for thing in things:
            told = server.refusal(thing, case.space)
            Evidence(f"{case.did}, and apply it strictly").require(
                not told,
                wanted="every object is accepted",
                got=told,
                hint="Read the object in what `helm template` prints: indentation and quotes first.",
            )


def wanted_variables(got: dict[str, Any], wanted: dict[str, str], seen: Evidence, hint: str) -> None:
    for name, text in wanted.items():
        seen.require(
            got.get(name) == text,
            wanted=f"{name} = {json.dumps(text, ensure_ascii=False)}",
            got=json.dumps(got.get(name), ensure_ascii=False),
            hint=hint,
        )


def variables(things: list[Obj]) -> dict[str, Any]:
    return manifests.environment(
        manifests.template(manifests.deployment(things))["spec"], manifests.config_maps(things)
    )


def texts_arrive(renders: Renders) -> None:
    things, seen = renders.objects("texts"), renders.seen("texts")
    values = renders.values_with_texts
    hint = "Who reads the text on its way? A template, YAML, and a kubelet, which knows `$(NAME)` in `value`."
    wanted = company.in_the_environment(company.STAGING, values) | {
        one["name"]: one["value"] for one in values["env"]
    }
    wanted_variables(variables(things), wanted, seen, hint)
    maps, settings = manifests.config_maps(things), company.in_the_environment(company.STAGING, values)
    for job in [
        one for one in of_kind(things, "Job") if manifests.hooks_of(one) & {*manifests.RELEASE_HOOKS}
    ]:
        got = manifests.environment(manifests.template(job)["spec"], maps)
        where = Evidence(f"{renders.cases['texts'].did}, and read the Job")
        wanted_variables(got, settings, where, hint)


def numbers_arrive(renders: Renders) -> None:
    wanted = {name: company.as_text(one) for name, one in renders.numbers.items()} | {
        "YES": "true",
        "NO": "false",
    }
    hint = "Numbers of values are floats in a template. What does `quote` make of a large one? And of false?"
    wanted_variables(variables(renders.objects("numbers")), wanted, renders.seen("numbers"), hint)


def nothing_is_null(renders: Renders) -> None:
    for key in ("empty", "fixed", *[one for one in renders.cases if one.startswith("only")]):
        things = renders.objects(key)
        empty = [f"{one['kind']} {path}" for one in things for path in manifests.nulls(one)]
        hint = "A key with nothing below it is null. `with` leaves the key out together with its value."
        renders.seen(key).require(
            not empty, wanted="no field without a value", got=", ".join(empty[:3]), hint=hint
        )
    things = renders.objects("empty")
    for kind, value in (("Ingress", "host"), ("HorizontalPodAutoscaler", "autoscaling.enabled")):
        renders.seen("empty").require(
            not of_kind(things, kind), wanted=f"no {kind} without {value}", got="one"
        )


def names_fit(renders: Renders) -> None:
    named = [("neighbour 0", key) for key in renders.cases if key.startswith("named ")]
    for pair in (("long 0", "long 1"), ("neighbour 0", "neighbour 1"), *named, ("override",)):
        taken: dict[tuple[str, str], str] = {}
        for key in pair:
            for thing in renders.objects(key):
                kind, name = thing["kind"], manifests.name_of(thing)
                renders.seen(key).require(
                    len(name) <= 63 and LABEL.fullmatch(name),
                    wanted="names of at most 63 characters that are DNS labels",
                    got=f"{kind} {name} ({len(name)} characters)",
                    hint="Shorten the stem so that stem and suffix fit together. What does the cut leave at the end?",
                )
                other = taken.setdefault((kind, name), key)
                both = "the same release" if other == key else f"the release {renders.cases[other].name}"
                first = not any(
                    one is not thing and one["kind"] == kind and manifests.name_of(one) == name
                    for one in renders.objects(key)
                )
                renders.seen(key).require(
                    other == key and first,
                    wanted="a name that no other object of its kind has, in this release and in its neighbour",
                    got=f"{kind} {name}, which is also in {both}",
                    hint="Release names differ within a namespace. Which step of the name loses the difference?",
                )


def override_replaces_the_name(renders: Renders) -> None:
    names = [
        {(one["kind"], manifests.name_of(one)) for one in renders.objects(key)}
        for key in ("override", "override, too", PROD.name)
    ]
    renders.seen("override, too").require(
        names[0] == names[1] and not names[0] & names[2],
        wanted="names that come of fullnameOverride, whatever the release is called",
        got="names that the release has a part in",
        hint="Which of your named templates asks for the release's name by itself?",
    )


def labels_are_common(renders: Renders) -> None:
    seen, chart = renders.seen("version"), f"fraud-{VERSION.replace('+', '_')}"
    wanted = {
        "app.kubernetes.io/name": "fraud",
        "app.kubernetes.io/instance": renders.cases["version"].name,
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/version": APP_VERSION.replace("+", "_"),
        "helm.sh/chart": chart,
    }
    for thing in renders.objects("version"):
        got = manifests.labels(thing)
        for key, value in wanted.items():
            seen.require(
                got.get(key) == value,
                wanted=f"{key}: {value}, on every object",
                got=f"{got.get(key)} on the {thing['kind']}",
                hint="One named template for all labels. A label may not hold a plus sign.",
            )
    for key in company.words_of_yaml():
        for thing in renders.objects(key):
            got = manifests.labels(thing).get("app.kubernetes.io/instance")
            renders.seen(key).require(
                got == renders.cases[key].name,
                wanted=f"app.kubernetes.io/instance: {json.dumps(renders.cases[key].name)}, on every object",
                got=f"{json.dumps(got)} on the {thing['kind']}",
                hint="YAML has its own idea of a text without quotes, and a name is a text.",
            )
    for thing in renders.objects(f"space {PROD.name}"):
        renders.seen(f"space {PROD.name}").require(
            manifests.meta(thing).get("namespace", renders.space) == renders.space,
            wanted=f"everything in {renders.space}",
            got=f"{thing['kind']} in {manifests.meta(thing).get('namespace')}",
        )


def secrets_stay_out(renders: Renders) -> None:
    things, seen = renders.objects("secret"), renders.seen("secret")
    hint = "Whoever reads the release reads its values. The chart refers to a Secret that somebody else has made."
    seen.require(not of_kind(things, "Secret"), wanted="no Secret among the objects", got="one", hint=hint)
    pod = manifests.template(manifests.deployment(things))["spec"]
    wanted = f"secret {renders.secret}/{company.SECRET_KEY}"
    got = variables(things).get(company.SECRET_VARIABLE)
    seen.require(
        got == wanted, wanted=f"{company.SECRET_VARIABLE} from the {wanted}", got=str(got), hint=hint
    )
    for one in pod["containers"][0].get("env") or []:
        optional = ((one.get("valueFrom") or {}).get("secretKeyRef") or {}).get("optional")
        seen.require(not optional, wanted="a pod that waits for its Secret", got="optional: true")


def selects_its_own(renders: Renders) -> None:
    both = [renders.objects(f"neighbour {index}") for index in (0, 1)]
    for index, things in enumerate(both):
        for kind in ("Service", "PodDisruptionBudget", "Deployment"):
            selector = of_kind(things, kind)[0]["spec"].get("selector")
            for other, others in enumerate(both):
                for thing in [*of_kind(others, "Deployment"), *of_kind(others, "Job")]:
                    mine = other == index and thing["kind"] == "Deployment"
                    got = manifests.selects(selector, manifests.labels(manifests.template(thing)))
                    whose = "its own release" if other == index else "the release beside it"
                    renders.seen(f"neighbour {index}").require(
                        got == mine,
                        wanted=f"a {kind} that selects the pods of its own Deployment, and no others",
                        got=f"it {'selects' if got else 'does not select'} the pods of the {thing['kind']} of {whose}",
                        hint="The pods of a Job have labels as well. What tells them from those that serve?",
                    )


def autoscaler_owns_the_size(renders: Renders) -> None:
    things, seen = renders.objects("neighbour 0"), renders.seen("neighbour 0")
    scalers = of_kind(things, "HorizontalPodAutoscaler")
    target = {"kind": "Deployment", "name": manifests.name_of(manifests.deployment(things))}
    got = [{key: (one["spec"].get("scaleTargetRef") or {}).get(key) for key in target} for one in scalers]
    seen.require(got == [target], wanted="one autoscaler, of the Deployment", got=json.dumps(got))
    size = manifests.deployment(things)["spec"].get("replicas")
    hint = "Two write one field. The release writes last, at the worst moment."
    seen.require(size is None, wanted="a Deployment without `replicas`", got=f"replicas: {size}", hint=hint)
    size = manifests.deployment(renders.objects("fixed"))["spec"].get("replicas")
    renders.seen("fixed").require(size == 7, wanted="replicas: 7", got=f"replicas: {size}")
