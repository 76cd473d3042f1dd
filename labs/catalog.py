"""Finds stages and labs on disk. A stage is any folder `stage<digit>_*`; a lab is any folder in it with a lab.toml."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from labs.errors import LabsError

# The course: this checkout, or the folder that LABS_ROOT names (`labs verify` runs briefs in a scratch course).
ROOT = Path(os.environ.get("LABS_ROOT") or Path(__file__).parent.parent).resolve()
STAGE_NAME = re.compile(r"stage(\d)_\w+")
LAB_NAME = re.compile(r"(\d\d)_([a-z0-9_]+)")
SLUG = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Limits:
    """What a learner's processes may use, summed over all of them. Megabytes are 2**20 bytes."""

    memory_mb: int = 1536
    cpu_seconds: int = 120
    wall_seconds: int = 120
    processes: int = 64
    disk_mb: int = 256
    output_mb: int = 16


@dataclass(frozen=True)
class Lab:
    """One lab as its lab.toml states it. `check_seconds` is the wall time that a check of the solution may take.

    `side_by_side`: checks for each core at a time; more than 1 where they wait more than they compute.
    """

    slug: str
    title: str
    minutes: int
    points: int
    seed: int
    files: tuple[str, ...]
    folder: Path
    stage: str
    number: int
    after: tuple[str, ...] = ()
    warm: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    check_seconds: float = 15.0
    side_by_side: int = 1
    limits: Limits = field(default_factory=Limits)

    @property
    def starter(self) -> Path:
        return self.folder / "starter"

    @property
    def solution(self) -> Path:
        return self.folder / "solution"

    @property
    def checks(self) -> Path:
        return self.folder / "checks" / f"test_{self.slug}.py"

    @property
    def mistakes(self) -> tuple[Path, ...]:
        return _folders(self.folder / "mistakes")

    @property
    def alternatives(self) -> tuple[Path, ...]:
        return _folders(self.folder / "alternatives")


@dataclass(frozen=True)
class Stage:
    """A stage of the roadmap. `coming` lists labs (slug, title) that are on the roadmap and not written yet."""

    name: str
    number: int
    title: str
    months: str
    folder: Path
    labs: tuple[Lab, ...]
    coming: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Catalog:
    root: Path
    stages: tuple[Stage, ...]

    @property
    def labs(self) -> tuple[Lab, ...]:
        return tuple(lab for stage in self.stages for lab in stage.labs)

    def lab(self, slug: str) -> Lab:
        """The lab with this slug; the number of its folder may stand in front.

        Raises:
            LabsError: no such lab; names the nearest.
        """
        wanted = re.sub(r"^\d\d_", "", slug.strip("/").rsplit("/", 1)[-1])
        by_slug = {lab.slug: lab for lab in self.labs}
        if wanted in by_slug:
            return by_slug[wanted]
        coming = {slug for stage in self.stages for slug, _ in stage.coming}
        if wanted in coming:
            raise LabsError(
                f"The lab `{wanted}` is on the roadmap and not written yet.", "See what is: labs list"
            )
        near = difflib.get_close_matches(wanted, by_slug, n=1, cutoff=0.5)
        step = f"Did you mean `{near[0]}`?" if near else "See all labs: labs list"
        raise LabsError(f"There is no lab `{slug}`.", step)

    def select(self, names: tuple[str, ...]) -> tuple[Lab, ...]:
        """Labs by slug or by stage (`stage1`, `stage1_foundations`, `1`), in roadmap order, each once."""
        chosen: dict[str, Lab] = {}
        for name in names:
            stage = self._stage(name)
            for lab in stage.labs if stage else (self.lab(name),):
                chosen[lab.slug] = lab
        return tuple(lab for lab in self.labs if lab.slug in chosen)

    def _stage(self, name: str) -> Stage | None:
        name = name.strip("/").rsplit("/", 1)[-1]
        return next((s for s in self.stages if name in (s.name, f"stage{s.number}", str(s.number))), None)


def load(root: Path = ROOT, malformed: dict[Path, LabsError] | None = None) -> Catalog:
    """Read every stage below `root`.

    With `malformed`, labs whose lab.toml cannot be read are put there, by folder, and left out.

    Raises:
        LabsError: a stage.toml or lab.toml is malformed; names the file and the value.
    """
    if not root.is_dir():
        raise LabsError(f"{root}: no such folder.", "Unset LABS_ROOT, or point it at a checkout.")
    stages = [
        _stage(folder, int(match[1]), malformed)
        for folder in sorted(root.iterdir())
        if folder.is_dir()
        and (match := STAGE_NAME.fullmatch(folder.name))
        and (folder / "stage.toml").exists()
    ]
    catalog = Catalog(root, tuple(stages))
    seen: dict[str, Lab] = {}
    for lab in catalog.labs:
        if lab.slug in seen:
            raise LabsError(
                f"{lab.folder / 'lab.toml'}: the slug `{lab.slug}` is taken by {seen[lab.slug].folder}.",
                "Give one of the two labs another slug.",
            )
        seen[lab.slug] = lab
    return catalog


def read_lab(folder: Path) -> Lab:
    """One lab from its folder.

    Raises:
        LabsError: lab.toml is malformed; names the file and the value.
    """
    path = folder / "lab.toml"
    body = _toml(path)
    known = {f.name for f in fields(Lab)} - {"folder", "stage", "number"}
    _refuse_unknown(path, body, known)
    slug = _get(path, body, "slug", str)
    match = LAB_NAME.fullmatch(folder.name)
    if not SLUG.fullmatch(slug) or not match or match[2] != slug:
        raise LabsError(
            f"{path}: slug = {slug!r} in a folder named {folder.name!r}.",
            "Name the folder two digits, an underscore and the slug, such as 01_first_lab.",
        )
    limits = body.get("limits", {})
    if not isinstance(limits, dict):
        raise LabsError(f"{path}: limits = {limits!r} is no table.", "Write a [limits] section.")
    _refuse_unknown(path, limits, {f.name for f in fields(Limits)})
    return Lab(
        slug=slug,
        title=_get(path, body, "title", str),
        minutes=_positive(path, body, "minutes"),
        points=_positive(path, body, "points"),
        seed=_positive(path, body, "seed"),
        files=_names(path, body, "files"),
        folder=folder,
        stage=folder.parent.name,
        number=int(match[1]),
        after=_names(path, body, "after"),
        warm=_names(path, body, "warm"),
        services=_names(path, body, "services"),
        needs=_names(path, body, "needs"),
        side_by_side=_positive(path, {"side_by_side": body.get("side_by_side", 1)}, "side_by_side"),
        check_seconds=float(
            _positive(path, {"check_seconds": body.get("check_seconds", 15)}, "check_seconds")
        ),
        limits=Limits(**{key: _positive(path, limits, key) for key in limits}),
    )


def _labs(stage: Path, malformed: dict[Path, LabsError] | None) -> Iterator[Lab]:
    for folder in _folders(stage):
        if (folder / "lab.toml").exists():
            try:
                yield read_lab(folder)
            except LabsError as error:
                if malformed is None:
                    raise
                malformed[folder] = error


def _stage(folder: Path, number: int, malformed: dict[Path, LabsError] | None) -> Stage:
    path = folder / "stage.toml"
    body = _toml(path)
    _refuse_unknown(path, body, {"title", "months", "coming"})
    labs = tuple(_labs(folder, malformed))
    coming = body.get("coming", {})
    if not isinstance(coming, dict) or not all(isinstance(title, str) for title in coming.values()):
        raise LabsError(f"{path}: coming = {coming!r}.", 'Write [coming] with slug = "title" lines.')
    written = {lab.slug for lab in labs}
    return Stage(
        name=folder.name,
        number=number,
        title=_get(path, body, "title", str),
        months=_get(path, body, "months", str),
        folder=folder,
        labs=labs,
        coming=tuple((slug, title) for slug, title in coming.items() if slug not in written),
    )


def _folders(parent: Path) -> tuple[Path, ...]:
    if not parent.is_dir():
        return ()
    return tuple(sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabsError(f"{path}: not there.", "docs/lab-anatomy.md shows one.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabsError(
            f"{path}: not TOML: {error}.", "Mend that line; docs/lab-anatomy.md shows one."
        ) from None


def _refuse_unknown(path: Path, body: Mapping[str, Any], known: set[str]) -> None:
    for key in body:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            step = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(sorted(known))}."
            raise LabsError(f"{path}: unknown key `{key}`.", step)


def _get(path: Path, body: Mapping[str, Any], key: str, kind: type) -> Any:
    value = body.get(key)
    if not isinstance(value, kind) or isinstance(value, bool) or value == "":
        said = "missing" if value is None else f"{value!r}"
        raise LabsError(
            f"{path}: {key} is {said}.", f"Give {key} a {kind.__name__}; see docs/lab-anatomy.md."
        )
    return value


def _positive(path: Path, body: Mapping[str, Any], key: str) -> int:
    value = _get(path, body, key, int)
    if value <= 0:
        raise LabsError(f"{path}: {key} = {value}.", f"Give {key} a whole number above zero.")
    return int(value)


def _names(path: Path, body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = body.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise LabsError(f"{path}: {key} = {value!r}.", f'Write {key} as a list of names: ["…"].')
    return tuple(value)
