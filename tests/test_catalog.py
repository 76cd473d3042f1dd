"""The catalog: what it finds, and what it says about a malformed file."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_course import make_course, make_lab

from labs.catalog import Limits, load
from labs.errors import LabsError


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return make_course(tmp_path)


def test_finds_stages_and_labs_in_the_order_of_their_numbers(course: Path) -> None:
    catalog = load(course)
    assert [stage.number for stage in catalog.stages] == [1, 2]
    assert [lab.slug for lab in catalog.labs] == ["sort_logs", "serve_things"]
    assert catalog.lab("serve_things").after == ("sort_logs",)
    assert catalog.lab("sort_logs").limits == Limits()


def test_a_lab_that_is_written_is_no_longer_coming(course: Path) -> None:
    assert load(course).stages[0].coming == (("train_things", "Train things"),)


@pytest.mark.parametrize("name", ["sort_logs", "01_sort_logs", "stage1_first/01_sort_logs/", "01_sort_logs/"])
def test_a_lab_answers_to_its_slug_and_to_its_folder(course: Path, name: str) -> None:
    assert load(course).lab(name).slug == "sort_logs"


@pytest.mark.parametrize(
    ("name", "message", "step"),
    [
        ("sort_log", "There is no lab `sort_log`.", "Did you mean `sort_logs`?"),
        ("zzz", "There is no lab `zzz`.", "See all labs: labs list"),
        (
            "ship_things",
            "The lab `ship_things` is on the roadmap and not written yet.",
            "See what is: labs list",
        ),
    ],
)
def test_an_unknown_lab_names_the_way_out(course: Path, name: str, message: str, step: str) -> None:
    with pytest.raises(LabsError) as caught:
        load(course).lab(name)
    assert (caught.value.message, caught.value.next_step) == (message, step)


@pytest.mark.parametrize("name", ["1", "stage1", "stage1_first", "stage1_first/"])
def test_a_stage_selects_its_labs_once_and_in_order(course: Path, name: str) -> None:
    chosen = load(course).select(("serve_things", name))
    assert [lab.slug for lab in chosen] == ["sort_logs", "serve_things"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("points = 0", "points = 0"),
        ("points = true", "points is True"),
        ('points = "ten"', "points is 'ten'"),
        ("point = 3", "unknown key `point`"),
        ("files = [1]", "files = [1]"),
        ("limits = 3", "limits = 3"),
        ("not toml at all", "not TOML"),
        ("", "points is missing"),
    ],
)
def test_a_malformed_lab_toml_names_the_file_and_the_value(tmp_path: Path, line: str, said: str) -> None:
    course = make_course(tmp_path)
    path = course / "stage1_first" / "01_sort_logs" / "lab.toml"
    kept = [
        row
        for row in path.read_text().splitlines()
        if not row.startswith(("points", line.split(" ")[0] or "-"))
    ]
    whole = line.startswith(("points", "not")) or not line
    path.write_text("\n".join([*kept, line, "" if whole else "points = 12"]))
    with pytest.raises(LabsError) as caught:
        load(course)
    assert str(path) in caught.value.message
    assert said in caught.value.message
    assert caught.value.next_step


def test_two_labs_with_one_slug_are_refused(course: Path) -> None:
    make_lab(course / "stage2_second" / "03_sort_logs")
    with pytest.raises(LabsError, match="the slug `sort_logs` is taken"):
        load(course)


def test_the_folder_of_a_lab_carries_its_slug(course: Path) -> None:
    (course / "stage1_first" / "01_sort_logs").rename(course / "stage1_first" / "01_other")
    with pytest.raises(LabsError, match="in a folder named '01_other'"):
        load(course)


def test_folders_that_are_no_stage_are_passed_over(course: Path) -> None:
    (course / "stage3_without_a_toml").mkdir()
    (course / "work").mkdir()
    assert len(load(course).stages) == 2
