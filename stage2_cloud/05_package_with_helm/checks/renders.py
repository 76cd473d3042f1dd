"""Everything that is rendered in one go, in one process of Helm, and what the checks read in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import company
import helm_runs
import wrong_values
from company import BOTH, PROD, STAGING, Environment
from labs.checks import Work
from labs.grading.evidence import Evidence
from manifests import Obj

VERSION, APP_VERSION = "1.4.0+ci.77", "2026.10+7"
IGNORED = (".env", ".env.prod", "signing.pem", "server.key", "look.ipynb", "testdata/payments.csv")
KEPT = ("Chart.yaml", "values.yaml", "values.schema.json")


@dataclass(frozen=True)
class Case:
    """One render. `did`: how one would say it; `space` and `name`: of the release."""

    did: str
    layers: list[Any]
    name: str = "fraud"
    space: str = "fraud-prod"
    more: tuple[tuple[str, str], ...] = ()

    def step(self) -> Obj:
        return {
            "do": "render",
            "layers": self.layers,
            "name": self.name,
            "space": self.space,
            **dict(self.more),
        }


class Renders:
    """The cases of one seed and Helm's answers. Values are kept beside them: they are what is wanted."""

    def __init__(self, work: Work, rng: np.random.Generator) -> None:
        self.digest = company.digest(rng)
        self.texts, self.extensions = company.odd_settings(rng), company.extensions(rng)
        self.numbers = {
            "ONE": int(rng.integers(2, 90)) * 10_000_000,
            "TWO": int(rng.integers(10**9, 10**12)),
            "THREE": -int(rng.integers(1_000_000, 9_000_000)),
            "FOUR": 0,
        }
        self.annotation = {
            f"nukkad.example/odd-{index}": text for index, text in enumerate(self.texts.values())
        }
        self.values_with_texts = {
            "settings": self.texts,
            "model": {"version": f"0{int(rng.integers(2, 8))}e{int(rng.integers(2, 8))}"},
            "podAnnotations": self.annotation,
            "env": [
                {"name": f"EXTRA_{index}", "value": text}
                for index, text in enumerate(self.texts.values())
                if "$"
                not in text  # in `env` that is a reference: what is given there is a variable of a container
            ],
        }
        self.given = {
            "image": {"repository": f"registry.nukkad.example/{company.word(rng)}/fraud"},
            "service": {"port": int(rng.integers(1024, 65536))},
            "resources": {"requests": {"cpu": "2", "memory": "1536Mi"}, "limits": {"memory": "2Gi"}},
            "autoscaling": {"minReplicas": 5, "maxReplicas": 11, "targetCPU": int(rng.integers(40, 90))},
            "host": f"{company.word(rng)}.nukkad.example",
        }
        self.long_names = company.longest_names(rng)
        self.override = "f" + rng.bytes(31).hex()
        self.secret = f"{company.word(rng)}-store"
        self.space = f"{company.word(rng)}-{int(rng.integers(10, 99))}"
        word = company.word(rng)
        self.neighbours = [word, f"{word}-fraud"]
        self.cases = dict(self._cases(rng))
        bad = {
            "values": wrong_values.bad_values() | wrong_values.small_prod(),
            "images": wrong_values.bad_images(rng),
            "keys": wrong_values.unknown_keys(rng),
        }
        refused = {
            (group, f"environments/prod.yaml, a digest, and then {name}"): self._on(PROD, values)
            for group, cases in bad.items()
            for name, values in cases.items()
        }
        refused["values", "a digest, and no file of an environment"] = [{"image": {"digest": self.digest}}]
        refused["images", "environments/prod.yaml and no digest"] = [PROD.file]
        self.planted = [*IGNORED, *(f"{company.word(rng)}/{one}" for one in IGNORED)]
        plan = [{"do": "metadata"}, {"do": "package", "plant": self.planted}]
        plan += [{"do": "lint", "layers": self._on(env)} for env in BOTH]
        plan.append({**self.cases["neighbour 0"].step(), "do": "neighbours"})
        plan += [one.step() for one in self.cases.values()]
        plan += [{"do": "render", "layers": one} for one in refused.values()]
        answers = helm_runs.run(work, plan)
        self.metadata, self.package, *self.lints = answers[:4]
        self.answers = dict(zip(self.cases, answers[5:], strict=False))
        self.refusals = dict(zip(refused, answers[5 + len(self.cases) :], strict=True))
        self.named_alike = answers[4].get("neighbours") or {}
        for name, answer in self.named_alike.items():
            key = f"named {name}"
            self.cases[key] = Case(f"helm template for the release {name}", self._on(PROD), name=name)
            self.answers[key] = answer

    def _on(self, env: Environment, *more: Obj) -> list[Any]:
        return company.layers(env, self.digest, *more)

    def _cases(self, rng: np.random.Generator) -> dict[str, Case]:
        found = {
            env.name: Case(
                f"helm template with environments/{env.name}.yaml and a digest",
                self._on(env),
                space=env.space,
            )
            for env in BOTH
        }
        for name, layers in company.good(rng).items():
            found[f"good: {name}"] = Case(f"helm template with {name}", layers)
        fixed = {"autoscaling": {"enabled": False}, "replicas": 7}
        found["texts"] = Case(
            "helm template with texts that YAML could read as something else",
            self._on(STAGING, self.values_with_texts),
        )
        found["numbers"] = Case(
            "helm template with large numbers in settings",
            self._on(PROD, {"settings": {**self.numbers, "YES": True, "NO": False}}),
        )
        found["fixed"] = Case("helm template with 7 replicas and no autoscaler", self._on(PROD, fixed))
        found["empty"] = Case(
            "helm template with no host, no settings and no autoscaler",
            self._on(PROD, {**fixed, "host": "", "settings": {}}),
        )
        found["secret"] = Case(
            f"helm template with existingSecret: {self.secret}",
            self._on(PROD, {"existingSecret": self.secret}),
        )
        found["override"] = Case(
            "helm template with a fullnameOverride of 63 characters",
            self._on(PROD, {"fullnameOverride": self.override}),
        )
        found["override, too"] = Case(
            "helm template with the same fullnameOverride for another release",
            self._on(PROD, {"fullnameOverride": self.override}),
            name=f"{company.word(rng)}-other",
        )
        found["given"] = Case(
            "helm template with values of its own for image, port and resources",
            self._on(PROD, self.given),
            name=f"{company.word(rng)}-given",
        )
        for index, name in enumerate(self.long_names):
            found[f"long {index}"] = Case(
                "helm template for a release name of 53 characters", self._on(PROD), name=name
            )
        for index, name in enumerate(self.neighbours):
            found[f"neighbour {index}"] = Case(
                f"helm template for the release {name}", self._on(PROD), name=name
            )
        version = (("version", VERSION), ("app_version", APP_VERSION))
        found["version"] = Case(
            f"helm template of the chart in version {VERSION}, appVersion {APP_VERSION}",
            self._on(PROD),
            name=f"{company.word(rng)}-versions",
            more=version,
        )
        for env in BOTH:
            space = self.space if env is PROD else f"{self.space}-too"
            found[f"space {env.name}"] = Case(
                f"helm template with {env.file} in the namespace {space}", self._on(env), space=space
            )
        for key, (name, values) in company.words_of_yaml().items():
            found[key] = Case(f"helm template for {key}", self._on(PROD, values), name=name)
        found["extensions"] = Case("helm template with all extension points", self._on(PROD, self.extensions))
        for name, value in self.extensions.items():
            found[f"only {name}"] = Case(
                f"helm template with {name}, and no other extension point", self._on(PROD, {name: value})
            )
        return found

    def objects(self, key: str) -> list[Obj]:
        """What a case became."""
        return helm_runs.objects(self.answers[key], self.cases[key].did)

    def seen(self, key: str) -> Evidence:
        return Evidence(self.cases[key].did)

    def must_refuse(self, group: str, hint: str) -> None:
        """Fail unless each bad set of a group was refused, by the schema."""
        for (of, name), answer in self.refusals.items():
            if of != group:
                continue
            seen = Evidence(f"helm template with {name}")
            seen.require(
                "error" in answer,
                wanted="refused by values.schema.json",
                got="it renders",
                hint=hint,
            )
            seen.require(
                answer["kind"] == helm_runs.SCHEMA,
                wanted="refused by values.schema.json, with the path of the value",
                got=f"a template that fails: {helm_runs.first_line(answer)}",
                hint="The schema is asked before any template runs, by lint, template, install and upgrade.",
            )
