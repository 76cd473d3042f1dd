"""The rules of the house that no linter knows. Each test names every offender."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from labs import catalog

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "labs"
MODULES = sorted(ENGINE.rglob("*.py"))
MOST_LINES = 300
HEAVY = {
    "mlflow",
    "feast",
    "prefect",
    "evidently",
    "pandas",
    "sklearn",
    "numpy",
    "pyarrow",
    "fastapi",
    "pytest",
}

# Imports point one way: cli → (cohort, verify) → grading → results. What may not be imported, by who imports.
# A part is a module or package directly below labs; the parts that stand here import nothing but `allowed`.
LEAVES = {
    "errors": set(),
    "results": {"errors"},
    "catalog": {"errors"},
    "world": {"errors"},
    "advice": {"errors"},
}
UPWARDS = {
    "grading": {"cli", "commands", "cohort", "verify"},
    "verify": {"cli", "commands", "cohort"},
    "cohort": {"cli", "commands", "verify"},
    "services": {"grading", "verify", "cohort", "desk"},
}
ABOVE_ALL = {"cli", "commands", "author_commands", "cohort_commands", "service_commands", "__main__"}

# Addresses of package registries and places of one machine; in pieces, so that this file passes its own test.
HOSTS = ["py" + "pi.org", "files.python" + "hosted.org", "registry.npm" + "js.org", "deb.deb" + "ian.org"]
PLACES = [
    "/wo" + "rk/main",
    "/wo" + "rk/shared",
    "/wo" + "rk/steering",
    "/ro" + "ot/",
    "/opt/" + "wheels",
    "/opt/" + "pypi",
]
# What a Dockerfile rightly says of the image's own root user.
IN_IMAGES = ["/root/.cache/pip", "/root/.config/pip/pip.conf", 'startswith("/root/")']
PLACES += [f"{ROOT}/"] if len(ROOT.parts) > 3 else []


def part(path: Path) -> str:
    """The part of the engine that a module belongs to: labs/grading/wire.py is in grading, labs/cli.py is cli."""
    inside = path.relative_to(ENGINE)
    name = inside.parts[0] if len(inside.parts) > 1 else inside.stem
    return "grading" if name == "checks" else name  # labs.checks is grading's face towards check files


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """(part, line) of every import of the engine's own, inside functions as well."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively; write it in full"
            module = node.module or ""
            names = [f"labs.{alias.name}" for alias in node.names] if module == "labs" else [module]
        else:
            continue
        for name in names:
            pieces = name.split(".")
            if pieces[0] == "labs" and len(pieces) > 1 and not pieces[1].startswith("__"):
                yield part(ENGINE / f"{pieces[1]}.py"), node.lineno


def shown(path: Path, line: int, text: str) -> str:
    return f"{path.relative_to(ROOT)}:{line} {text}"


def test_imports_point_one_way() -> None:
    offenders = []
    for path in MODULES:
        own = part(path)
        for other, line in imported(path):
            leaf_breaks = own in LEAVES and other not in LEAVES[own] | {own}
            upwards = other in UPWARDS.get(own, set()) or (other in ABOVE_ALL and own not in ABOVE_ALL)
            if leaf_breaks or upwards:
                offenders.append(shown(path, line, f"{own} imports {other}"))
    assert not offenders, "\n".join(offenders)


def test_no_two_parts_import_each_other() -> None:
    needs: dict[str, set[str]] = {}
    for path in MODULES:
        needs.setdefault(part(path), set()).update(
            other for other, _ in imported(path) if other != part(path)
        )
    while free := [name for name, others in needs.items() if not others & needs.keys()]:
        for name in free:
            del needs[name]
    assert not needs, f"a circle of imports among {sorted(needs)}"


def slugs() -> set[str]:
    course = catalog.load(ROOT)
    return {lab.slug for lab in course.labs} | {slug for stage in course.stages for slug, _ in stage.coming}


def test_the_engine_names_no_lab() -> None:
    names = re.compile(r"(?<![a-z])(" + "|".join(sorted(slugs())) + r")(?![a-z])")
    offenders = [
        shown(path, number, line.strip())
        for path in MODULES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if names.search(line)
    ]
    assert not offenders, "\n".join(offenders)


def test_a_new_stage_needs_no_engine_code(tmp_path: Path) -> None:
    lab = tmp_path / "stage9_later" / "01_try_it"
    lab.mkdir(parents=True)
    (lab.parent / "stage.toml").write_text('title = "Later"\nmonths = "36"\n')
    (lab / "lab.toml").write_text(
        'slug = "try_it"\ntitle = "Try"\nminutes = 1\npoints = 1\nseed = 1\nfiles = ["a.py"]\n'
    )
    assert [found.slug for found in catalog.load(tmp_path).labs] == ["try_it"]


def test_modules_are_read_in_one_sitting() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    offenders = [
        f"{path.relative_to(ROOT)}: {lines} lines" for path, lines in sizes.items() if lines > MOST_LINES
    ]
    assert not offenders, f"over {MOST_LINES} lines:\n" + "\n".join(offenders)


def files_of_the_repository() -> list[Path]:
    """Tracked and new files that git does not ignore; without git, all but what .gitignore is known to name."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listing.returncode == 0 and listing.stdout:
        return [
            path for name in listing.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()
        ]
    hidden = {".venv", ".git", "work", "build", ".labs"}
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.relative_to(ROOT).parts[0] not in hidden
        and not any(piece == "__pycache__" or piece.endswith("_cache") for piece in path.parts)
    ]


def test_no_file_names_a_package_registry_or_a_place_on_one_machine() -> None:
    offenders = []
    for path in files_of_the_repository():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for inside in IN_IMAGES:
            text = text.replace(inside, "")
        if suspects := [piece for piece in HOSTS + PLACES if piece in text]:
            starts = "|".join(
                rf"(?<![\w/.]){re.escape(piece)}" if piece in PLACES else re.escape(piece)
                for piece in suspects
            )
            for number, line in enumerate(text.splitlines(), 1):
                if found := re.search(starts, line):
                    offenders.append(shown(path, number, found[0]))
    assert not offenders, "\n".join(offenders)


def test_the_lock_names_hashes_and_no_index() -> None:
    for name in ("requirements.lock", "infra/bootstrap/uv.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text and "--index" not in text and "--find-links" not in text, name
        pins = re.split(r"(?m)^(?=[a-z0-9])", text)[1:]
        assert pins and all("--hash=sha256:" in pin for pin in pins), name


def test_every_requirement_is_locked() -> None:
    locked = set(re.findall(r"(?m)^([a-z0-9._-]+)(?:\[[^]]*\])?==", (ROOT / "requirements.lock").read_text()))
    wanted = set(re.findall(r"(?m)^([a-z0-9_-]+)", (ROOT / "requirements.in").read_text()))
    assert wanted <= locked, f"not in requirements.lock: {sorted(wanted - locked)}; run: make lock"


@pytest.mark.parametrize("module", ["labs.cli", "labs.commands"])
def test_the_command_imports_nothing_heavy(module: str) -> None:
    code = f"import {module}, sys; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-Ic", code], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_every_module_says_what_it_is_for() -> None:
    offenders = [str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(tree(path))]
    assert not offenders, "no docstring: " + ", ".join(offenders)
