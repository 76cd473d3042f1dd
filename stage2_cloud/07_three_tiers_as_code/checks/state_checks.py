"""Where the state lies, for either tool.

Sources: https://developer.hashicorp.com/terraform/language/backend/s3 and
https://www.pulumi.com/docs/iac/concepts/state-and-backends/ (a bucket as backend: Pulumi locks it by itself).
"""

from __future__ import annotations

from typing import Any

from environments import BOTH
from labs.grading.evidence import Evidence
from submission import Described


def remote(described: Described) -> None:
    """Where the state lies, for either tool."""
    if described.tool == "terraform":
        _terraform_state(described)
    else:
        _pulumi_state(described)


def _terraform_state(described: Described) -> None:
    places: dict[tuple[Any, Any], str] = {}
    for name, found in described.backends.items():
        seen = Evidence(f"read the backend, with infra/envs/{name}.tfbackend")
        seen.require(
            found.get("kind") == "s3",
            wanted='a backend "s3"',
            got=found.get("kind", "none: the state would be a file"),
        )
        for field in ("bucket", "key", "region"):
            seen.require(found.get(field), wanted=f"a {field}", got="none")
        seen.require(
            found.get("encrypt") is True,
            wanted="encrypt = true",
            got=str(found.get("encrypt")),
            hint="A state holds everything that an API answers.",
        )
        locked = found.get("use_lockfile") is True or found.get("dynamodb_table")
        seen.require(
            locked,
            wanted="a lock: use_lockfile or a table",
            got="none",
            hint="What happens when two people apply in the same minute?",
        )
        keys = {"access_key", "secret_key", "token"} & found.keys()
        seen.require(not keys, wanted="no key in the backend", got=", ".join(sorted(keys)))
        place = (found["bucket"], found["key"])
        seen.require(
            place not in places,
            wanted="a state of its own for each environment",
            got=f"the place of {places.get(place)}",
            hint="An apply in staging must not see prod.",
        )
        places[place] = name


def _pulumi_state(described: Described) -> None:
    seen = Evidence("read infra/Pulumi.yaml")
    backend = described.configs["project"].get("backend")
    url = backend.get("url", "") if isinstance(backend, dict) else ""
    seen.require(
        str(url).startswith("s3://"),
        wanted="backend.url in a bucket (s3://…)",
        got=str(url) or "none: whatever the laptop is logged in to",
    )
    seen.require(
        described.configs["project"].get("name") == "nukkad",
        wanted="the project nukkad",
        got=str(described.configs["project"].get("name")),
    )
    providers: dict[str, str] = {}
    for name in BOTH:
        seen = Evidence(f"read infra/Pulumi.{name}.yaml")
        said = str(described.configs[name].get("secretsprovider", ""))
        seen.require(
            said.startswith("awskms://"),
            wanted="secrets encrypted with a key of KMS",
            got=said or "a passphrase",
        )
        seen.require(
            said not in providers,
            wanted="a key of its own for each environment",
            got=f"that of {providers.get(said)}",
        )
        providers[said] = name
