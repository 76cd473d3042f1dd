"""The environments for which a description is evaluated: the two of the house, and one drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

BOTH = ("staging", "prod")
NAMES = ("amber", "basil", "cedar", "daisy", "elder", "fennel", "ginger", "hazel", "indigo")
FIRST = ("perf", "demo", "audit", "blue", "drill")


@dataclass(frozen=True)
class Environment:
    """What the contract's inputs say. `more` is a server name that comes between the others."""

    name: str
    vpc_cidr: str
    zones: tuple[str, str]
    ami: str
    app_instances: dict[str, str]
    certificate_arn: str
    secret: str
    more: str = ""

    def inputs(self) -> dict[str, Any]:
        return {
            "environment": self.name,
            "vpc_cidr": self.vpc_cidr,
            "zones": list(self.zones),
            "ami": self.ami,
            "app_instances": dict(self.app_instances),
            "certificate_arn": self.certificate_arn,
            "feature_store_url": self.secret,
        }

    def grown(self) -> Environment:
        """The same with one server more."""
        servers = {**self.app_instances, self.more: self.zones[0]}
        return replace(self, app_instances=dict(sorted(servers.items())))


def draw(seed: int) -> Environment:
    """A third environment, of which no file of the learner's knows."""
    rng = np.random.default_rng([seed, 7])
    names = sorted(str(each) for each in rng.choice(NAMES, 4, replace=False))
    more = names.pop(1)
    letters = sorted(str(each) for each in rng.choice(list("abc"), 2, replace=False))
    region = str(rng.choice(["ap-south-1", "ap-southeast-1", "eu-west-1"]))
    zones = (f"{region}{letters[0]}", f"{region}{letters[1]}")
    return Environment(
        name=f"{rng.choice(FIRST)}-{rng.bytes(2).hex()}",
        vpc_cidr=f"10.{rng.integers(64, 250)}.0.0/16",
        zones=zones,
        ami=f"ami-{rng.bytes(8).hex()}",
        app_instances={name: zones[at % 2] for at, name in enumerate(names)},
        certificate_arn=f"arn:aws:acm:{region}:123456789012:certificate/{rng.bytes(8).hex()}",
        secret=f"redis://fraud:pw-{rng.bytes(12).hex()}@features.internal:6379/0",
        more=more,
    )
