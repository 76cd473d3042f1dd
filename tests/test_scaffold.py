"""`labs new` writes a lab that verifies as it stands, or nothing at all."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from labs import catalog as catalogs
from labs import scaffold, verify
from labs.catalog import Catalog
from labs.errors import LabsError


@pytest.fixture
def course(tmp_path: Path) -> Catalog:
    for name, coming in (("stage1_first", ""), ("stage4_later", '[coming]\nplanned_there = "Planned"\n')):
        folder = tmp_path / "course" / name
        folder.mkdir(parents=True)
        (folder / "stage.toml").write_text(f'title = "T"\nmonths = "0–1"\n{coming}', encoding="utf-8")
    return catalogs.load(tmp_path / "course")


def whole_tree(course: Catalog) -> list[str]:
    return sorted(path.relative_to(course.root).as_posix() for path in course.root.rglob("*"))


def test_a_fresh_scaffold_verifies_through_all_ten_gates_with_the_real_grader(course: Catalog) -> None:
    folder = scaffold.new(course, "stage4_later", "warm_the_cache", 'Warm the "cache" – früh')
    assert folder.name == "01_warm_the_cache"
    assert catalogs.load(course.root).lab("warm_the_cache").title == 'Warm the "cache" – früh'
    out = io.StringIO()
    assert verify.main(("warm_the_cache",), fresh=True, root=course.root, out=out) == 0, out.getvalue()
    assert out.getvalue().count("✓") == 11


def test_no_placeholder_is_left(course: Catalog) -> None:
    folder = scaffold.new(course, "1", "warm_the_cache", "Warm")
    for path in folder.rglob("*"):
        assert "{{" not in path.name and "SLUG" not in path.name and not path.name.endswith(".template")
        if path.is_file():
            assert "{{" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("stage", ["1", "stage1", "stage1_first", "stage1_first/", "somewhere/stage1_first"])
def test_the_next_free_number(course: Catalog, stage: str) -> None:
    (course.root / "stage1_first" / "06_not_written_yet").mkdir()
    assert scaffold.new(course, stage, "warm_the_cache", "Warm").name == "07_warm_the_cache"
    again = catalogs.load(course.root)
    assert scaffold.new(again, stage, "cool_the_cache", "Cool").name == "08_cool_the_cache"


@pytest.mark.parametrize(
    ("stage", "slug", "title", "says"),
    [
        ("stage9", "fine", "Fine", "There is no stage `stage9`; there are: stage1_first, stage4_later."),
        ("", "fine", "Fine", "There is no stage"),
        ("1", "Not-Fine", "Fine", "'Not-Fine' cannot be"),
        ("1", "../escape", "Fine", "cannot be"),
        ("1", "", "Fine", "cannot be"),
        ("1", "9_lives", "Fine", "cannot be"),
        ("1", "fine\n", "Fine", "cannot be"),
        ("1", "two__lines", "Fine", "cannot be"),
        ("1", "lambda", "Fine", "cannot be"),
        ("1", "a" * 41, "Fine", "has 41 letters"),
        ("1", "planned_there", "Fine", "is planned in stage4_later"),
        ("1", "fine", "  ", "is not one line of text"),
        ("1", "fine", "two\nlines", "is not one line of text"),
    ],
)
def test_what_is_refused_leaves_nothing(
    course: Catalog, stage: str, slug: str, title: str, says: str
) -> None:
    before = whole_tree(course)
    with pytest.raises(LabsError) as refused:
        scaffold.new(course, stage, slug, title)
    assert says in refused.value.message
    assert refused.value.next_step
    assert whole_tree(course) == before


def test_a_slug_is_taken_once(course: Catalog) -> None:
    scaffold.new(course, "1", "warm_the_cache", "Warm")
    with pytest.raises(LabsError, match="is taken by"):
        scaffold.new(catalogs.load(course.root), "4", "warm_the_cache", "Warm")
    with pytest.raises(LabsError, match="is in the way"):  # a catalog that was read before
        scaffold.new(course, "4", "warm_the_cache", "Warm")


def test_number_99_is_the_last(course: Catalog) -> None:
    (course.root / "stage1_first" / "99_the_end").mkdir()
    with pytest.raises(LabsError, match="number 99"):
        scaffold.new(course, "1", "warm_the_cache", "Warm")


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_stays(
    course: Catalog, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    before = whole_tree(course)
    real, written = Path.write_text, 0

    def write_text(path: Path, *args: object, **kwargs: object) -> int:
        nonlocal written
        written += 1
        if written == 5:
            raise stop
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.raises((LabsError, KeyboardInterrupt)) as stopped:
        scaffold.new(course, "1", "warm_the_cache", "Warm")
    if isinstance(stop, OSError):
        assert "No space left" in str(stopped.value)
    assert whole_tree(course) == before
