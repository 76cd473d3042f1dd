"""Follows a build without an engine: which files reach which stage, what each step's cache key depends on.

The rules are those of https://docs.docker.com/reference/dockerfile/ and
https://docs.docker.com/build/cache/invalidation/: a RUN is cached by its text, its parent and what is mounted from the
context; COPY and ADD by the content of what they copy; an ARG counts from the line that declares it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace

from copying import Build, Context, bound, copy, key_of, stage_number
from dockerfile_syntax import NUMBER, Instruction, SyntaxProblem, expand, pairs, parse, words
from dockerignore import NoPattern
from image_model import (
    PATH,
    BuildProblem,
    Config,
    Health,
    Node,
    Stage,
    Step,
    base_tree,
    below,
    understand_base,
)
from permissions import READ, Access
from shell_commands import Shell
from shell_words import FROM_SECRET
from text_tools import TextTools

SECRETS = ("pip_conf",)
IN_MOUNT = "/run/secrets"
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def follow(dockerfile: bytes, context: Context, text_tools: TextTools | None = None) -> Build:
    """Follow the whole Dockerfile over the files that are sent to the builder.

    `text_tools` runs `grep`, `sed` and their like over the bytes of files; without it what they write is not known.

    Raises:
        BuildProblem: at this line a builder stops.
    """
    try:
        return _follow(parse(dockerfile), Build(context, text_tools))
    except SyntaxProblem as problem:
        raise BuildProblem(problem.line, problem.why) from None


def _follow(instructions: list[Instruction], build: Build) -> Build:
    outside: dict[str, str] = {}
    for instruction in instructions:
        if instruction.name == "FROM":
            build.stages.append(_start(build, instruction, outside))
        elif not build.stages:
            if instruction.name != "ARG":
                raise BuildProblem(instruction.line, f"{instruction.name} before the first FROM")
            outside |= {
                name: outside.get(name, value) for name, value in pairs(instruction.text, outside).items()
            }
        else:
            try:
                _apply(build, build.final, instruction, outside)
            except NoPattern as problem:
                raise BuildProblem(instruction.line, str(problem)) from None
    if not build.stages:
        raise BuildProblem(0, "no FROM: nothing to build from")
    return build


def _start(build: Build, instruction: Instruction, outside: Mapping[str, str]) -> Stage:
    split = [expand(word, outside) for word in words(instruction.text)]
    if len(split) not in (1, 3) or (len(split) == 3 and split[1].lower() != "as") or not split[0]:
        raise BuildProblem(instruction.line, f"`FROM {instruction.text}` names no image")
    name = split[2].lower() if len(split) == 3 else ""
    stage = Stage(name, instruction.line)
    parent = stage_number(build, split[0])
    if parent is not None:
        above = build.stages[parent]
        stage = replace(
            above, name=name, line=instruction.line, tree=dict(above.tree), dirs=set(above.dirs), args={},
            folders=dict(above.folders), users=dict(above.users), groups=dict(above.groups),
            config=above.config.copy(), steps=list(above.steps), onbuild=[], installs=list(above.installs),
            unclear=list(above.unclear), logged=list(above.logged), needs={parent},
        )  # fmt: skip
        for text in above.onbuild:
            _apply(build, stage, replace(parse(text.encode())[0], line=instruction.line), outside)
        return stage
    stage.key = key_of("FROM", split[0])
    stage.base = understand_base(split[0])
    stage.config.env["PATH"] = PATH
    if split[0] != "scratch":
        build.images.append((instruction.line, split[0]))
        stage.external = split[0]
    if stage.base is not None:
        stage.tree = base_tree(stage.base)
        stage.config.cmd = ["python3"]
    return stage


def _apply(build: Build, stage: Stage, instruction: Instruction, outside: Mapping[str, str]) -> None:
    """One instruction: its effect on the stage, its cache key, its layer."""
    before = dict(stage.tree)
    installs = len(stage.installs)
    name, text = instruction.name, instruction.text
    compared = ""
    if name in ("COPY", "ADD"):
        compared = copy(build, stage, instruction)
    elif name == "RUN":
        compared = _run(build, stage, instruction)
    elif name == "ARG":
        declared = pairs(text, stage.variables)
        stage.args |= {one: value or outside.get(one, "") for one, value in declared.items()}
    elif name == "ENV":
        stage.config.env |= pairs(text, stage.variables)
    elif name == "WORKDIR":
        stage.config.workdir = stage.absolute(expand(text, stage.variables))
        stage.make_folder(stage.config.workdir, owner=stage.identity())
    elif name == "ONBUILD":
        stage.onbuild.append(text)
    else:
        _configure(stage.config, instruction, stage.variables)
    seen = expand(text, stage.variables) if name != "RUN" else ""
    stage.key = key_of(stage.key, instruction.source, seen, compared)
    layer = {path: node for path, node in stage.tree.items() if before.get(path) is not node}
    stage.steps.append(Step(instruction.line, name, stage.key, layer, len(stage.installs) > installs))


def _configure(config: Config, instruction: Instruction, known: Mapping[str, str]) -> None:
    name, text = instruction.name, instruction.text
    argv = instruction.argv()
    if name in ("CMD", "ENTRYPOINT"):
        run = argv if argv is not None else [*config.shell, text]
        if name == "CMD":
            config.cmd, config.cmd_is_inherited = run, False
        else:
            config.entrypoint, config.entrypoint_is_shell = run, argv is None
            if config.cmd_is_inherited:  # an ENTRYPOINT forgets the base's CMD, and not this stage's own
                config.cmd = None
    elif name == "USER":
        config.user = expand(text, known)
    elif name == "EXPOSE":
        config.ports |= {expand(word, known) for word in words(text)}
    elif name == "SHELL" and argv:
        config.shell = argv
    elif name == "STOPSIGNAL":
        config.stop_signal = expand(text, known)
    elif name == "HEALTHCHECK":
        config.health = _health(config, instruction)


def _health(config: Config, instruction: Instruction) -> Health:
    kind, _, rest = instruction.text.partition(" ")
    if kind.upper() == "NONE":
        return Health(instruction.line, None)
    if kind.upper() != "CMD" or not rest.strip():
        raise BuildProblem(instruction.line, "HEALTHCHECK needs CMD, or NONE")
    command = replace(instruction, text=rest.strip())
    argv = command.argv()
    health = Health(instruction.line, argv if argv is not None else [*config.shell, rest.strip()])
    for flag, attribute in (
        ("interval", "interval"),
        ("timeout", "timeout"),
        ("start-period", "start_period"),
    ):
        if (value := instruction.flag(flag)) is not None:
            health = replace(
                health, **{attribute: _seconds(value, instruction.line) or getattr(health, attribute)}
            )
    if (value := instruction.flag("retries")) is not None:
        if not NUMBER.fullmatch(value):
            raise BuildProblem(instruction.line, f"`--retries={value}` is no number")
        health = replace(health, retries=int(value) or 3)
    return health


def _seconds(text: str, line: int) -> float:
    found = DURATION.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise BuildProblem(line, f"`{text}` is no duration", "A number and its unit: 5s, 1m30s.")
    return sum(float(number) * SECONDS[unit] for number, unit in found)


def _run(build: Build, stage: Stage, instruction: Instruction) -> str:
    """RUN, with what is mounted into it. Returns what the cache compares besides its text: variables and mounts."""
    before = dict(stage.tree)
    mounted: dict[str, Node] = {}
    throwaway: list[str] = []
    seen: list[str] = []
    told: dict[str, str] = {}
    for flag in instruction.every("mount"):
        options = dict(part.partition("=")[::2] for part in expand(flag, stage.variables).split(","))
        target = options.get("target") or options.get("dst") or options.get("destination") or ""
        kind = options.get("type", "bind")
        if kind == "secret" and options.get("env") and options.get("id") in SECRETS:
            told[options["env"]] = FROM_SECRET
        elif kind == "secret":
            mounted |= _secret(stage, options, target, instruction)
        elif kind in ("cache", "tmpfs"):
            throwaway.append(stage.absolute(target))
        elif kind == "bind":
            files = bound(build, stage, instruction, options, stage.absolute(target))
            seen += [f"{path}={node.digest}" for path, node in sorted(files.items())]
            mounted |= files
    stage.tree.update(mounted)
    known = {"HOME": stage.home(), **stage.variables, **told}
    variables = key_of(*(f"{name}={value}" for name, value in sorted(stage.args.items())))
    key = key_of(stage.key, instruction.source, *seen, variables)
    shell = Shell(
        stage, instruction.line, key, tuple(throwaway), variables=known, text_tools=build.text_tools
    )
    argv = instruction.argv()
    if argv is not None:
        shell.run_argv([expand(word, {}) if "$" not in word else word for word in argv])
    elif instruction.heredocs and re.fullmatch(r"<<-?[\"']?\w+[\"']?", instruction.text):
        content = instruction.heredocs[0].content
        if content.startswith("#!") and "sh" not in content.splitlines()[0]:
            shell.unclear(content.splitlines()[0])
        else:
            shell.run(content)
    elif instruction.heredocs:
        shell.unclear(instruction.text)
    else:
        shell.run(instruction.text)
    stage.shut_out.clear()
    for path in mounted:
        if stage.tree.get(path) is mounted[path]:
            del stage.tree[path]
        if path in before:
            stage.tree[path] = before[path]
    for folder in throwaway:
        for path in below(list(stage.tree), folder):
            if stage.tree[path] is not before.get(path):
                del stage.tree[path]
    return key_of(*seen, variables)


def _secret(
    stage: Stage, options: Mapping[str, str], target: str, instruction: Instruction
) -> dict[str, Node]:
    """A secret that the builder was given, at its place; without it nothing, or an error if it is required."""
    name = options.get("id") or posixpath.basename(target)
    if name not in SECRETS:
        if options.get("required", "false") not in ("false", "0"):
            raise BuildProblem(instruction.line, f"the builder was given no secret `{name}`")
        return {}
    at = stage.absolute(target) if target else f"{IN_MOUNT}/{name}"
    node = Node(f"secret {name}", "secret", access=_access_of_secret(options), origin=f"secret {name}")
    if not node.access.allows(stage.identity(), READ):
        stage.shut_out[at] = instruction.line
        return {}
    return {at: node}


def _access_of_secret(options: Mapping[str, str]) -> Access:
    """mode 0400 and root's, unless the mount says something else."""
    mode, uid, gid = (options.get(name, "") for name in ("mode", "uid", "gid"))
    return Access(
        int(mode, 8) if re.fullmatch(r"[0-7]{1,4}", mode) else 0o400,
        int(uid) if NUMBER.fullmatch(uid) else 0,
        int(gid) if NUMBER.fullmatch(gid) else 0,
    )
