"""Who handed in what, as learning systems and people name it."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labs import catalog
from labs.cohort.submissions import Submission, find
from labs.errors import LabsError

LABS = {lab.slug: lab for lab in catalog.load(catalog.ROOT).labs}
LAB = next(lab for lab in LABS.values() if lab.files)


def put(path: Path, text: str = "x = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def pack(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name in names:
            packed.writestr(name, "x = 1\n")
    return path


def found(source: Path, scratch: Path) -> dict[str, Submission]:
    return {one.learner: one for one in find(source, scratch)}


def test_clones_work_folders_and_archives_in_one_folder(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    put(cohort / "asha" / "work" / LAB.slug / LAB.files[0])
    put(cohort / "ravi" / LAB.slug / LAB.files[0])
    put(cohort / "meena" / LAB.files[0])
    pack(cohort / "kabir.zip", f"kabir-main/work/{LAB.slug}/{LAB.files[0]}")
    put(cohort / "readme.txt", "not a submission")
    put(cohort / ".hidden" / "x")
    every = found(cohort, tmp_path / "scratch")
    assert sorted(every) == ["asha", "kabir", "meena", "ravi"]
    for learner in ("asha", "ravi", "kabir"):
        place = every[learner].work(LAB, only=False)
        assert place is not None
        assert (place / LAB.files[0]).is_file()
    assert every["meena"].work(LAB, only=False) is None
    assert every["meena"].work(LAB, only=True) == cohort / "meena"


def test_an_export_of_moodle_as_one_archive(tmp_path: Path) -> None:
    inner = pack(tmp_path / "w.zip", f"{LAB.slug}/{LAB.files[0]}")
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as packed:
        packed.write(inner, "Asha Rao_123456_assignsubmission_file_/work.zip")
        packed.write(inner, "Ravi Iyer_123457_assignsubmission_file_work.zip")
    every = found(tmp_path / "export.zip", tmp_path / "scratch")
    assert sorted(every) == ["Asha-Rao-123456", "Ravi-Iyer-123457"]
    for one in every.values():
        place = one.work(LAB, only=False)
        assert place is not None and (place / LAB.files[0]).is_file()
    assert every["Ravi-Iyer-123457"].name == "Ravi Iyer"


def test_an_archive_in_a_learners_folder_is_opened_unless_it_lies_among_their_own_files(
    tmp_path: Path,
) -> None:
    cohort = tmp_path / "cohort"
    put(cohort / "Asha Rao_1_assignsubmission_file_" / "note.txt")
    for place in (cohort / "Asha Rao_1_assignsubmission_file_", cohort / "ravi"):
        place.mkdir(parents=True, exist_ok=True)
        pack(place / "work.zip", f"{LAB.slug}/{LAB.files[0]}")
    put(cohort / "meena" / LAB.slug / LAB.files[0])
    pack(cohort / "meena" / "data.zip", "data.csv")
    every = found(cohort, tmp_path / "scratch")
    places = {learner: one.work(LAB, only=False) for learner, one in every.items()}
    assert all(place is not None and (place / LAB.files[0]).is_file() for place in places.values()), places
    assert (every["Asha-Rao-1"].folder / "note.txt").is_file()
    assert every["meena"].folder == cohort / "meena", "their own archive is left alone"
    assert (cohort / "ravi" / "work.zip").is_file(), "nothing that was handed in is changed"


def test_names_of_canvas_and_blackboard(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    pack(cohort / "raoasha_LATE_4411_99120_work.zip", f"{LAB.slug}/{LAB.files[0]}")
    pack(cohort / "iyerravi_4412_99121_work-1.zip", f"{LAB.slug}/{LAB.files[0]}")
    pack(cohort / "Lab 6_meena7_attempt_2026-11-08-12-30-00_work.zip", f"{LAB.slug}/{LAB.files[0]}")
    every = found(cohort, tmp_path / "scratch")
    assert {name: one.late for name, one in every.items()} == {
        "raoasha-4411": True, "iyerravi-4412": False, "meena7": False,
    }  # fmt: skip
    assert every["meena7"].at == datetime(2026, 11, 8, 12, 30, tzinfo=UTC)
    assert all(one.work(LAB, only=False) for one in every.values())


def test_an_export_of_gradescope(tmp_path: Path) -> None:
    cohort = tmp_path / "assignment_7_export"
    put(cohort / "submission_9001" / LAB.files[0])
    put(cohort / "submission_9002" / "work" / LAB.slug / LAB.files[0])
    listed = """
submission_9001:
  :submitters:
  - :name: Asha Rao
    :sid: CS21
    :email: asha@example.com
  :created_at: 2026-11-08 12:30:00 +0530
submission_9002:
  :submitters:
  - :name: Ravi Iyer
    :email: ravi@example.com
"""
    put(cohort / "submission_metadata.yml", listed)
    every = found(cohort, tmp_path / "scratch")
    assert sorted(every) == ["CS21", "ravi@example-com"]
    assert every["CS21"].name == "Asha Rao"
    assert every["CS21"].at is not None


def test_several_files_of_one_learner_are_brought_together(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    for name in ("app.py", "notes.txt"):
        put(cohort / f"Asha Rao_123456_assignsubmission_file_{name}")
    pack(cohort / "Asha Rao_123456_assignsubmission_file_work.zip", f"{LAB.slug}/{LAB.files[0]}")
    [one] = find(cohort, tmp_path / "scratch")
    assert one.work(LAB, only=False) is not None
    assert {path.name for path in one.folder.rglob("*") if path.is_file()} >= {
        "app.py",
        "notes.txt",
        Path(LAB.files[0]).name,
    }


def test_one_broken_archive_stops_nobody_else(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    put(cohort / "broken.zip", "this is no zip")
    pack(cohort / "good.zip", f"{LAB.slug}/{LAB.files[0]}")
    every = found(cohort, tmp_path / "scratch")
    assert "cannot be unpacked" in every["broken"].error
    assert every["good"].error == ""


def test_nothing_to_grade(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(LabsError):
            find(source, tmp_path / "scratch")


def test_a_second_time_gives_the_same(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    pack(cohort / "kabir.zip", f"work/{LAB.slug}/{LAB.files[0]}")
    first, second = (find(cohort, tmp_path / "scratch") for _ in range(2))
    assert first == second
