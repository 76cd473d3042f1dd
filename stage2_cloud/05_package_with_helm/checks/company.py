"""What the contract says, and values that people give: good ones, bad ones, and texts that YAML misreads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Values = dict[str, Any]
REPOSITORY = "123456789012.dkr.ecr.ap-south-1.amazonaws.com/fraud"
SECRET_VARIABLE, SECRET_KEY = "FEATURE_STORE_URL", "url"
FILES = ("chart/Chart.yaml", "chart/values.yaml", "chart/values.schema.json", "environments/staging.yaml",
         "environments/prod.yaml")  # fmt: skip
WORDS = (
    "amla",
    "bel",
    "chiku",
    "dalia",
    "imli",
    "jamun",
    "kokum",
    "litchi",
    "nimbu",
    "papad",
    "rasam",
    "tulsi",
)


@dataclass(frozen=True)
class Environment:
    """What the contract says of an environment."""

    name: str
    least: int
    most: int
    cpu: str
    host: str
    level: str

    @property
    def space(self) -> str:
        return f"fraud-{self.name}"

    @property
    def file(self) -> str:
        return f"environments/{self.name}.yaml"


STAGING = Environment("staging", 2, 4, "250m", "fraud.staging.nukkad.example", "debug")
PROD = Environment("prod", 4, 12, "500m", "fraud.nukkad.example", "info")
BOTH = (STAGING, PROD)


def digest(rng: np.random.Generator) -> str:
    return f"sha256:{rng.bytes(32).hex()}"


def layers(env: Environment, digest: str, *more: Values) -> list[Any]:
    """The values files and maps of one release, first to last."""
    return [env.file, {"image": {"digest": digest}}, *more]


def word(rng: np.random.Generator) -> str:
    return str(rng.choice(WORDS))


def odd_texts(rng: np.random.Generator) -> list[str]:
    """Texts that must arrive as they are."""
    one, number = word(rng), int(rng.integers(2, 9))
    always = [
        "on", "no", "null", "~", "true", f"0{number}23", f"{number}e3", f"0x{number}F", f"{number}_000", "12:30", "",
        f"{one}: {number}", f"{one} #{number}", f"# {one}", f'"{one}"', f"it's {one}", f"{one}\\n\\{one}",
        f"{one}\nand {number}\n", f"\n---\nkind: {one}", f"भुगतान ₹{number}", f"{{{{ .Release.Name }}}}-{one}",
        "{{ fail \"no\" }}", f"- {one}", f"[{one}]", f"{{{one}: {number}}}", f"*{one}", f"&{one}", f"!{one}", "|",
        f"@{one}", f"`{one}`", f"%{one}", f"  {one} ", f"{one}\ttab", "2026-11-22", ".5", f"{number}.10",
        f"$(ENVIRONMENT) {one}", f"$(NOBODY) ${one}", f"$${one} $$(ENVIRONMENT) ${{{one}}}",
    ]  # fmt: skip
    return [always[index] for index in rng.permutation(len(always))]


def odd_settings(rng: np.random.Generator) -> dict[str, str]:
    return {f"ODD_{index}": text for index, text in enumerate(odd_texts(rng))}


def extensions(rng: np.random.Generator) -> Values:
    """A value for each extension point, some of several lines."""
    one, other = word(rng), word(rng)
    field = {"fieldRef": {"fieldPath": "spec.nodeName"}}
    terms = [
        {"matchExpressions": [{"key": f"nukkad.example/{one}", "operator": "In", "values": [other, "on"]}]}
    ]
    pods = {"labelSelector": {"matchLabels": {"app": one}}, "topologyKey": "kubernetes.io/hostname"}
    return {
        "env": [
            {"name": "NOTE", "value": f"{one}: 1\n  {other} #2\n"},
            {"name": "NODE", "valueFrom": field},
            {"name": "NUMBER", "value": "0123"},
            {"name": "NUMBERED", "value": "$(NUMBER)-$$(NUMBER)"},
        ],
        "nodeSelector": {f"nukkad.example/{one}": "true", "disk": "on"},
        "tolerations": [
            {"key": one, "operator": "Equal", "value": "yes", "effect": "NoSchedule"},
            {"key": other, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
        ],
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}},
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7, "podAffinityTerm": pods}]
            },
        },
        "podAnnotations": {f"nukkad.example/{one}": "1e3", "note": f"first line\n  {other}: second\n"},
        "imagePullSecrets": [{"name": f"{one}-registry"}, {"name": f"{other}-registry"}],
    }


def good(rng: np.random.Generator) -> dict[str, list[Any]]:
    """Values that are right, by what is special about them."""
    fixed = {"autoscaling": {"enabled": False}}
    big = {"AMOUNT_LIMIT_PAISE": int(rng.integers(2, 90)) * 10_000_000, "SHADOW": True, "OFFSET": -3}
    cases: dict[str, tuple[Environment, Values]] = {
        "no autoscaler, 2 pods": (STAGING, {**fixed, "replicas": 2}),
        "no autoscaler, 20 pods": (PROD, {**fixed, "replicas": 20}),
        "service.port 1": (PROD, {"service": {"port": 1}}),
        "service.port 65535": (STAGING, {"service": {"port": 65535}}),
        "no host": (PROD, {"host": ""}),
        "settings of all types": (PROD, {"settings": big}),
        "the log level error": (STAGING, {"logLevel": "error"}),
        "the log level warning": (PROD, {"logLevel": "warning"}),
        "a model 0123": (PROD, {"model": {"version": "0123"}}),
        "odd texts in settings": (STAGING, {"settings": odd_settings(rng)}),
    }
    return {name: layers(env, digest(rng), values) for name, (env, values) in cases.items()}


def longest_names(rng: np.random.Generator) -> list[str]:
    """Two release names as long as Helm allows, which differ at their end only."""
    stem = f"f{rng.bytes(25).hex()}"
    return [stem + "-a", stem + "-b"]


def words_of_yaml() -> dict[str, tuple[str, Values]]:
    """Releases with names that YAML reads as something else, and values; by how one would say them.

    Sources: YAML 1.1, "Boolean Language-Independent Type" and "Null Language-Independent Type".
    """
    return {
        "a release called on": ("on", {"existingSecret": "null"}),
        "a release called null": ("null", {"existingSecret": "yes", "host": "no"}),
        "a release called true, with fullnameOverride: off": ("true", {"fullnameOverride": "off"}),
    }


def as_text(value: Any) -> str:
    """What a setting is in the environment of a process."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def in_the_environment(env: Environment, values: Mapping[str, Any]) -> dict[str, str]:
    """The variables that values ask for."""
    found = {name: as_text(one) for name, one in (values.get("settings") or {}).items()}
    found |= {
        "ENVIRONMENT": values.get("environment", env.name),
        "LOG_LEVEL": values.get("logLevel", env.level),
    }
    if "model" in values:
        found["MODEL_VERSION"] = values["model"]["version"]
    return found
