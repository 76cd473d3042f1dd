"""Who handed in what, as learning systems and people name it."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from labs import catalog
from labs.cohort import submissions
from labs.cohort.archives import Limits
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
    assert every["CS21"].at == datetime(2026, 11, 8, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["../elsewhere:\n  :submitters: []\n", "- a list\n", "a: [", "a: b\n", ""])
def test_a_list_of_gradescope_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    put(tmp_path / "in" / "submission_metadata.yml", text)
    with pytest.raises(LabsError, match=r"submission_metadata\.yml: cannot be read"):
        find(tmp_path / "in", tmp_path / "scratch")


def test_a_group_of_gradescope_and_who_has_no_folder(tmp_path: Path) -> None:
    cohort = tmp_path / "assignment_7_export"
    put(cohort / "submission_9001" / LAB.files[0])
    listed = """
submission_9001:
  :submitters:
  - :name: Asha Rao
    :sid: CS21
  - :name: Ravi Iyer
    :sid: CS22
  :created_at: 2026-11-08 12:30:00.123456789
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    tests: []
submission_9002:
  :submitters:
  - :name: Meena
    :sid: CS23
  :created_at: 2026-11-08 12:30:00.123456789 +0530
"""
    put(cohort / "submission_metadata.yml", listed)
    every = {one.learner: one for one in find(cohort, tmp_path / "scratch", ZoneInfo("Asia/Kolkata"))}
    assert {learner: one.name for learner, one in every.items()} == {
        "CS21": "Asha Rao", "CS22": "Ravi Iyer", "CS23": "Meena",
    }  # fmt: skip
    for learner in ("CS21", "CS22"):
        assert every[learner].work(LAB, only=True) == cohort / "submission_9001"
    assert every["CS23"].work(LAB, only=True) is None and not every["CS23"].error
    assert {one.at and one.at.replace(microsecond=0) for one in every.values()} == {
        datetime(2026, 11, 8, 7, 0, tzinfo=UTC)
    }
    assert [every[learner].no_offset for learner in sorted(every)] == [True, True, False]


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


@pytest.mark.parametrize("to", ["../../other/work", "../asha/work", "../asha"])
def test_a_link_is_nobodys_work(to: str, tmp_path: Path) -> None:
    """Wherever it stands: as the work, on the way to it, as an archive, as the whole submission."""
    cohort = tmp_path / "cohort"
    for whose in (cohort / "asha", tmp_path / "other"):
        put(whose / "work" / LAB.slug / LAB.files[0])
    pack(tmp_path / "other.zip", f"{LAB.slug}/{LAB.files[0]}")
    for name in ("bela", "chen", "dina", "emil"):
        (cohort / name).mkdir()
    (cohort / "bela" / "work").symlink_to(to)
    (cohort / "chen" / "homework").symlink_to(to)
    put(cohort / "dina" / "README")
    (cohort / "dina" / LAB.slug).symlink_to(cohort / "asha" / "work" / LAB.slug)
    (cohort / "emil" / "work.zip").symlink_to(tmp_path / "other.zip")
    (cohort / "farah").symlink_to(cohort / "asha")
    (cohort / "gita.zip").symlink_to(tmp_path / "other.zip")
    every = found(cohort, tmp_path / "scratch")
    assert sorted(every) == ["asha", "bela", "chen", "dina", "emil", "farah", "gita"]
    for only in (False, True):
        assert [one.learner for one in every.values() if one.work(LAB, only)] == ["asha"]
    assert every["bela"].notes_on(LAB, only=False) == ("`work` is a link: links are not followed.",)
    assert "is a link" in every["farah"].error and "is a link" in every["gita"].error


def test_one_large_archive_in_an_export_is_one_learners_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound for one file is for what a learner packed, not for the archive that they packed it into."""
    work = pack(tmp_path / "w.zip", f"{LAB.slug}/{LAB.files[0]}")
    with zipfile.ZipFile(tmp_path / "large.zip", "w") as packed:
        packed.writestr(f"{LAB.slug}/{LAB.files[0]}", "x = 1\n")
        packed.writestr("data.bin", bytes(3000))
    with zipfile.ZipFile(tmp_path / "huge.zip", "w") as packed:
        packed.writestr("data.bin", bytes(9000))
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as packed:
        packed.write(work, "ashax_1_501_work.zip")
        packed.write(tmp_path / "large.zip", "monax_2_502_work.zip")
        packed.write(tmp_path / "huge.zip", "noorx_3_503_work.zip")
        packed.write(tmp_path / "huge.zip", "olga/data.bin")
    monkeypatch.setattr(submissions, "EXPORT", Limits(files=10, bytes=2**20, file_bytes=8000))
    monkeypatch.setattr(submissions, "Limits", lambda: Limits(file_bytes=2000))
    every = found(tmp_path / "export.zip", tmp_path / "scratch")
    assert sorted(every) == ["ashax-1", "monax-2", "noorx-3", "olga"]
    assert every["olga"].notes == ("`olga/data.bin` is larger than 0 MiB: left out.",)
    assert every["monax-2"].work(LAB, only=False) is not None
    assert every["monax-2"].notes == ("`data.bin` is larger than 0 MiB: left out.",)
    assert "`noorx_3_503_work.zip` is larger than" in every["noorx-3"].error


def test_the_bounds_of_a_learner_are_for_all_of_their_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = tmp_path / "cohort"
    (cohort / "asha").mkdir(parents=True)
    for number in range(3):
        pack(cohort / "asha" / f"{number}.zip", *(f"{number}-{one}" for one in range(4)))
    monkeypatch.setattr(submissions, "Limits", lambda: Limits(files=8))
    [one] = find(cohort, tmp_path / "scratch")
    assert "2.zip: holds more than 0 files" in one.error
    assert len([path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]) == 8


@pytest.mark.parametrize("end", ["", "_"])
def test_files_and_online_text_of_moodle_are_one_learner(end: str, tmp_path: Path) -> None:
    """Moodle 4 writes no underscore at the end of the folder's name; before, it did."""
    cohort = tmp_path / "cohort"
    for name in LAB.files:
        put(cohort / f"Pia P_4800_assignsubmission_file{end}" / name)
    put(cohort / f"Pia P_4800_assignsubmission_onlinetext{end}" / "onlinetext.html")
    folder = cohort / f"Asha Rao_4711_assignsubmission_file{end}"
    put(folder / "notes.txt")
    pack(folder / "work.zip", *LAB.files)
    every = found(cohort, tmp_path / "scratch")
    assert sorted(every) == ["Asha-Rao-4711", "Pia-P-4800"]
    for one in every.values():
        place = one.work(LAB, only=True)
        assert place is not None and (place / LAB.files[0]).is_file()
        assert one.notes_on(LAB, only=True) == ()
        assert (one.system, one.number) == ("moodle", one.learner[-4:])


def test_an_export_of_one_learner(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as packed:
        for name in ("notes.txt", LAB.files[0]):
            packed.writestr(f"Asha Rao_4711_assignsubmission_file/{name}", "x")
    assert sorted(found(tmp_path / "export.zip", tmp_path / "scratch")) == ["Asha-Rao-4711"]


@pytest.mark.parametrize(
    ("one", "other"), [("a.b", "a-b"), ("a b", "a-b"), ("ann", "ann.zip"), ("Ann", "ann.tar.gz")]
)
def test_different_entries_never_become_one_learner(one: str, other: str, tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    for name in (one, other):
        put(cohort / name) if name.startswith("ann.") else put(cohort / name / "x.py")
    with pytest.raises(LabsError, match="are both the learner") as raised:
        find(cohort, tmp_path / "scratch")
    assert f"`{one}`" in raised.value.message and f"`{other}`" in raised.value.message


def test_a_file_that_was_handed_in_to_canvas_again_has_its_own_name(tmp_path: Path) -> None:
    name = Path(LAB.files[0])
    put(tmp_path / "cohort" / f"raoasha_4411_99120_{name.stem}-2{name.suffix}")
    [one] = find(tmp_path / "cohort", tmp_path / "scratch")
    place = one.work(LAB, only=True)
    assert place is not None and (place / name).is_file()
    put(tmp_path / "cohort" / f"raoasha_4411_99121_{name}", "mine")
    [one] = find(tmp_path / "cohort", tmp_path / "scratch")
    assert (one.folder / name).read_text() == "mine", "a file of that name counts first"


def test_of_several_attempts_in_blackboard_the_last_counts(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    for at, name in (("2026-11-08-12-30-00", "old.zip"), ("2026-11-09-12-30-00", "new.zip")):
        cohort.mkdir(exist_ok=True)
        pack(cohort / f"Lab 6_meena7_attempt_{at}_{name}", f"{LAB.slug}/{LAB.files[0]}", name)
    [one] = find(cohort, tmp_path / "scratch", ZoneInfo("Asia/Kolkata"))
    assert one.at == datetime(2026, 11, 9, 7, 0, tzinfo=UTC) and one.no_offset
    place = one.work(LAB, only=False)
    assert place is not None and (place.parent / "new.zip").is_file()
    assert one.notes == ("Earlier attempts (2026-11-08 07:00 UTC) are left out.",)


def test_files_that_lie_elsewhere_are_said(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    put(cohort / "emil" / "work" / LAB.slug / "train.ipynb")
    for name in LAB.files:
        put(cohort / "karl" / "homework" / "one" / name)
    put(cohort / "karl" / "README")
    for name in ("lena", "nina"):
        (cohort / name).mkdir()
    pack(cohort / "nina" / "work.zip", "work/")
    put(cohort / "mona" / "work" / "another_lab" / "app.py")
    every = found(cohort, tmp_path / "scratch")
    assert "holds none of" in every["emil"].notes_on(LAB, only=True)[0]
    assert "`train.ipynb`" in every["emil"].notes_on(LAB, only=False)[0]
    for only in (False, True):
        assert f"`homework/one/{LAB.files[0]}`" in every["karl"].notes_on(LAB, only)[0]
        assert every["lena"].notes_on(LAB, only) == ()
    assert every["nina"].notes_on(LAB, only=True) == ("work.zip holds no files.",)
    assert every["mona"].notes_on(LAB, only=False) == (), "what was handed in for another lab is no news"


def test_a_broken_archive_beside_the_work_is_a_note(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    put(cohort / "asha" / LAB.slug / LAB.files[0])
    put(cohort / "asha" / "data.zip", "no archive")
    put(cohort / "ravi" / "work.zip", "no archive")
    put(cohort / "ravi" / "notes.txt")
    every = found(cohort, tmp_path / "scratch")
    assert (
        every["asha"].work(LAB, only=False) and "cannot be unpacked" in every["asha"].notes_on(LAB, False)[0]
    )
    assert every["ravi"].work(LAB, only=True) is None and "cannot be unpacked" in every["ravi"].error


def test_a_second_time_gives_the_same(tmp_path: Path) -> None:
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    pack(cohort / "kabir.zip", f"work/{LAB.slug}/{LAB.files[0]}")
    first, second = (find(cohort, tmp_path / "scratch") for _ in range(2))
    assert first == second
