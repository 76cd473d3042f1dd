"""Where the one secret of the contract may stand, and where it must not."""

from __future__ import annotations

import hidden
from graph import texts
from submission import Described


def keeps_secrets(described: Described, written: list[tuple[str, str]]) -> None:
    for path, what in written:
        described.evidence("staging").fail(
            wanted="no secret in any file",
            got=f"{what}, in {path}",
            hint="git forgets nothing. The pipeline hands it in.",
        )
    for name, graph in described.all().items():
        seen, secret = described.evidence(name), described.third.secret
        parts = (secret, secret.split(":")[2].split("@")[0])
        for database in graph.of("aws_db_instance"):
            seen.require(
                not database.get("password") and database.get("manage_master_user_password") is True,
                wanted="a password that RDS makes and keeps (manage_master_user_password)",
                got="another one, which would be in the state",
            )
        places = 0
        for each in graph.resources.values():
            for field, value in {**each.inputs, "tags": each.tags}.items():
                if not any(hidden.holds(text, parts) for text in texts(value)):
                    continue
                is_home = each.type == "aws_secretsmanager_secret_version" and field in (
                    "secret_string",
                    "secret_string_wo",
                    "secret_binary",
                )
                seen.require(
                    is_home,
                    wanted="feature_store_url in its secret and nowhere else",
                    got=f"it is in {field} of {each.address}",
                    hint="Whoever may describe the resource can read it there. Pass on where the secret is.",
                )
                if described.tool == "pulumi":
                    seen.require(
                        any(path.startswith(field) for path in each.secrets),
                        wanted="feature_store_url encrypted in the state",
                        got="it is a plain text there",
                        hint="How does a program read a setting so that Pulumi knows it is secret?",
                    )
                places += 1
        seen.require(places, wanted="feature_store_url in a secret of Secrets Manager", got="it is nowhere")
        for output, (value, is_marked) in graph.outputs.items():
            seen.require(
                not any(hidden.holds(text, parts) for text in texts(value)),
                wanted="no secret in the outputs",
                got=f"it is in the output {output}" + (", which is marked as sensitive" if is_marked else ""),
                hint="Whoever may read the state asks for an output by its name, and gets it in plain text.",
            )
    if not described.sensitive:
        described.evidence("prod").fail(
            wanted="feature_store_url as a sensitive input without a default and without a value in a file",
            got="it would be shown in plans and logs"
            if described.tool == "terraform"
            else "it is a plain text in a stack's file",
            hint="`sensitive = true`, or Pulumi's secrets.",
        )
