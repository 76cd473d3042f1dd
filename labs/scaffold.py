"""`labs new`: the folder of a new lab, small but whole, which verifies as it stands.

The files come from labs/template/. Their text says what an author replaces.
"""

from __future__ import annotations

import json
import keyword
import tempfile
from pathlib import Path

from labs.catalog import LAB_NAME, SLUG, Catalog, Stage
from labs.errors import LabsError

TEMPLATE = Path(__file__).resolve().parent / "template"
SUFFIX = ".template"  # so that no tool takes the template's files for code of the engine
LONGEST_SLUG = 40


def new(catalog: Catalog, stage_name: str, slug: str, title: str) -> Path:
    """Make the folder of a new lab at the end of a stage; returns it.

    Raises:
        LabsError: no such stage, a slug that is taken or malformed, a long title, no room to write.
    """
    stage = _stage(catalog, stage_name)
    _refuse_slug(catalog, stage, slug)
    title = title.strip()
    if not title or not title.isprintable():
        raise LabsError(
            f"The title {title!r} is not one line of text.", "Say in a few words what the lab is about."
        )
    target = stage.folder / f"{_next_number(stage):02d}_{slug}"
    values = {
        "{{slug}}": slug,
        "{{title}}": title,
        "{{title_as_toml}}": json.dumps(title, ensure_ascii=False),
    }
    try:
        # Hidden, and in the same folder: nobody sees it half written, and a rename cannot fail across disks.
        with tempfile.TemporaryDirectory(
            prefix=".new-", dir=stage.folder, ignore_cleanup_errors=True
        ) as made:
            whole = Path(made) / slug
            _fill(whole, values, slug)
            whole.rename(target)
    except OSError as error:
        raise LabsError(
            f"{target}: could not be made: {error.strerror or error}.",
            "Nothing was kept. Mend that, then try again.",
        ) from error
    return target


def _fill(target: Path, values: dict[str, str], slug: str) -> None:
    for source in sorted(TEMPLATE.rglob(f"*{SUFFIX}")):
        name = source.relative_to(TEMPLATE).as_posix().removesuffix(SUFFIX).replace("SLUG", slug)
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_with_values(source.read_text(encoding="utf-8"), values), encoding="utf-8")


def _with_values(text: str, values: dict[str, str]) -> str:
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def _stage(catalog: Catalog, name: str) -> Stage:
    wanted = name.strip("/").rsplit("/", 1)[-1]
    for stage in catalog.stages:
        if wanted in (stage.name, f"stage{stage.number}", str(stage.number)):
            return stage
    known = ", ".join(stage.name for stage in catalog.stages) or "none"
    raise LabsError(
        f"There is no stage `{name}`; there are: {known}.",
        "A new stage is a folder `stage<digit>_<name>` with a stage.toml.",
    )


def _refuse_slug(catalog: Catalog, stage: Stage, slug: str) -> None:
    like = "Choose lower-case words with underscores, such as warm_the_cache."
    if not SLUG.fullmatch(slug) or "__" in slug or slug.endswith("_") or keyword.iskeyword(slug):
        raise LabsError(f"The slug {slug!r} cannot be a lab's name.", like)
    if len(slug) > LONGEST_SLUG:
        raise LabsError(f"The slug {slug!r} has {len(slug)} letters; {LONGEST_SLUG} are the most.", like)
    taken = next((lab for lab in catalog.labs if lab.slug == slug), None)
    if taken:
        raise LabsError(f"The slug `{slug}` is taken by {taken.folder}.", "Choose another.")
    for other in catalog.stages:
        if other.name != stage.name and slug in dict(other.coming):
            step = f"Make it there, or take it out of {other.folder / 'stage.toml'}."
            raise LabsError(f"The lab `{slug}` is planned in {other.name}.", step)
        for folder in other.folder.iterdir():  # also folders that are no lab yet
            match = LAB_NAME.fullmatch(folder.name)
            if match and match[2] == slug:
                raise LabsError(f"{folder} is in the way.", "Move it elsewhere, or choose another slug.")


def _next_number(stage: Stage) -> int:
    names = (LAB_NAME.fullmatch(path.name) for path in stage.folder.iterdir())
    number = max((int(match[1]) for match in names if match), default=0) + 1
    if number > 99:
        raise LabsError(
            f"{stage.folder} has a lab number 99.", "Number its folders anew; the slug is the identity."
        )
    return number
