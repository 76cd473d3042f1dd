"""What a step sees of the world, and what it says through GITHUB_OUTPUT, GITHUB_ENV and GITHUB_PATH.

Sources: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands and
https://docs.github.com/actions/reference/workflows-and-actions/variables
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NOT_SETTABLE = re.compile(r"(GITHUB_|RUNNER_).*|NODE_OPTIONS|CI")


class BadFile(Exception):
    """A step wrote something into one of the files that GitHub cannot read. On GitHub the step fails."""


def assignments(text: str) -> dict[str, str]:
    """What is in GITHUB_OUTPUT or GITHUB_ENV: lines `name=value`, and `name<<WORD` … `WORD` for several lines.

    Raises:
        BadFile: a line is neither.
    """
    found: dict[str, str] = {}
    lines = iter(re.split(r"\r?\n", text))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc > 0 and (equals < 0 or heredoc < equals):
            name, end = line[:heredoc], line[heredoc + 2 :]
            value = []
            for inner in lines:
                if inner == end:
                    break
                value.append(inner)
            else:
                raise BadFile(f"`{name}<<{end}` does not end")
            found[name] = "\n".join(value)
        elif equals > 0:
            found[line[:equals]] = line[equals + 1 :]
        else:
            raise BadFile(f"`{line[:60]}` is not `name=value`")
    return found


@dataclass
class JobEnvironment:
    """The variables of one job, in the order in which they override each other."""

    fixed: dict[str, str]
    workflow_and_job: dict[str, str] = field(default_factory=dict)
    set_by_steps: dict[str, str] = field(default_factory=dict)
    added_paths: list[str] = field(default_factory=list)

    def context(self, step_env: dict[str, str]) -> dict[str, str]:
        """The `env` context of a step."""
        return {**self.workflow_and_job, **self.set_by_steps, **step_env}

    def of_step(self, step_env: dict[str, str]) -> dict[str, str]:
        """All variables of a step. GITHUB_* and RUNNER_* cannot be replaced."""
        given = self.context(step_env)
        kept = {
            name: value for name, value in given.items() if not NOT_SETTABLE.fullmatch(name) or name == "CI"
        }
        path = kept.get("PATH", self.fixed["PATH"])
        return {**self.fixed, **kept, "PATH": ":".join([*reversed(self.added_paths), path])}

    def learn(self, text: str) -> None:
        """Take over what a step wrote to GITHUB_ENV.

        Raises:
            BadFile: it is not in the format, or sets what cannot be set.
        """
        for name, value in assignments(text).items():
            if NOT_SETTABLE.fullmatch(name):
                raise BadFile(f"GITHUB_ENV cannot set `{name}`")
            self.set_by_steps[name] = value
