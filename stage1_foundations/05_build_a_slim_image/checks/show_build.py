"""Shows a build without building: what is sent, what each step brings, what is built again. Then hadolint's advice.

python show_build.py work/build_a_slim_image
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from build_graph import follow
from copying import Build, ContextFile
from diagnosis import why_not
from dockerignore import read_patterns, sent
from image_model import BuildProblem, Step

KB = 1024
CODE = "app/scorecard.py"


def read_folder(folder: Path) -> dict[str, ContextFile]:
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            executable = bool(path.stat().st_mode & 0o100)
            files[path.relative_to(folder).as_posix()] = ContextFile(path.read_bytes(), executable)
    return files


def let_through(files: dict[str, ContextFile]) -> dict[str, ContextFile]:
    ignore = files.get(".dockerignore")
    patterns = read_patterns(ignore.content) if ignore else []
    return {path: files[path] for path in sent(files, patterns)}


def brings(step: Step) -> str:
    """What a step puts into its layer, in a few words."""
    kinds = [node.kind for node in step.layer.values()]
    files = kinds.count("file")
    said = [f"{files} file" + ("s" if files > 1 else "")] if files else []
    said += [
        kind for kind in ("packages", "wheels", "program", "build tool", "cache", "secret") if kind in kinds
    ]
    return ", ".join(said) or "–"


def show(build: Build, again: Build) -> None:
    known = build.steps()
    anew = {step.line for key, step in again.steps().items() if key not in known}
    for stage in build.needed():
        print(f"\nstage {stage.name or 'without a name'}, from {stage.external or 'another stage'}")
        for step in stage.steps:
            mark = "again" if step.line in anew else "cache"
            print(f"  line {step.line:>3}  {step.name:<11} {mark}  {brings(step)}")
        for line, what, _ in stage.unclear:
            print(f"  line {line:>3}  cannot be followed: {what}")
        for line, what in stage.logged:
            print(f"  line {line:>3}  prints a secret: {what}")
    config = build.final.config
    print(
        f"\nuser {config.user or 'root'}, ports {' '.join(sorted(config.ports)) or 'none'}, starts {config.cmd}"
    )
    why, _ = why_not(build.final, [*(config.entrypoint or []), *(config.cmd or [])])
    if why:
        print(why)


def advice(dockerfile: Path) -> None:
    """hadolint's remarks: advice, never points."""
    program = shutil.which("hadolint", path=str(Path(sys.prefix) / "bin")) or shutil.which("hadolint")
    if program is None:
        print("\nhadolint is not here")
        return
    told = subprocess.run(
        [program, "--no-color", "-"], stdin=dockerfile.open("rb"), capture_output=True, text=True, check=False
    )
    remarks = [line.removeprefix("-:") for line in told.stdout.splitlines()]
    many = "1 remark" if len(remarks) == 1 else f"{len(remarks)} remarks"
    print(f"\nhadolint has {many}" + (":" if remarks else ""))
    for remark in remarks:
        print(f"  line {remark}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Show a build without building.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    if not (folder / "Dockerfile").is_file():
        print(f"{folder} holds no Dockerfile", file=sys.stderr)
        return 1
    files = read_folder(folder)
    try:
        context = let_through(files)
        print(f"sent to the builder: {len(context)} of {len(files)} files, "
              f"{sum(len(file.content) for file in context.values()) // KB:,} KiB")  # fmt: skip
        dockerfile = files["Dockerfile"].content
        build = follow(dockerfile, context)
        changed = dict(files)
        if CODE in files:
            changed[CODE] = ContextFile(files[CODE].content + b"\n")
        show(build, follow(dockerfile, let_through(changed)))
    except (BuildProblem, ValueError) as problem:
        print(f"the builder stops: line {getattr(problem, 'line', '?')}: {problem}")
    advice(folder / "Dockerfile")
    return 0


if __name__ == "__main__":
    sys.exit(main())
