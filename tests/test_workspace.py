"""The learner's folder: nothing of theirs is overwritten, no half copy stays, no link is written through."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fake_course import make_course

from labs import workspace as module
from labs.catalog import Lab, load
from labs.errors import LabsError
from labs.progress import Progress, Store
from labs.results import CheckResult, LabResult, State
from labs.workspace import Workspace, compose, copy_tree, write_whole


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return load(make_course(tmp_path / "course")).lab("sort_logs")


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_start_copies_the_starter_and_makes_it_writable(work: Workspace, lab: Lab) -> None:
    (lab.starter / "app.py").chmod(0o444)
    (lab.starter / "conf").chmod(0o555)
    assert work.start(lab) is True
    assert tree(work.folder(lab.slug)) == tree(lab.starter)
    assert (work.folder(lab.slug) / "app.py").stat().st_mode & 0o777 == 0o644
    assert (work.folder(lab.slug) / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (work.folder(lab.slug) / "conf").stat().st_mode & 0o200


def test_start_leaves_what_is_there(work: Workspace, lab: Lab) -> None:
    work.start(lab)
    (work.folder(lab.slug) / "app.py").write_text("mine")
    assert work.start(lab) is False
    assert (work.folder(lab.slug) / "app.py").read_text() == "mine"


def test_reset_keeps_every_file_in_a_backup(work: Workspace, lab: Lab) -> None:
    work.start(lab)
    (work.folder(lab.slug) / "app.py").write_text("mine")
    (work.folder(lab.slug) / "notes.txt").write_text("also mine")
    before = tree(work.folder(lab.slug))
    first = work.reset(lab)
    second = work.reset(lab)  # within the same second: another name
    assert first is not None and second is not None and first != second
    assert tree(first) == before
    assert tree(work.folder(lab.slug)) == tree(lab.starter)
    assert first.parent == work.root / ".backups"


def test_reset_without_work_only_starts(work: Workspace, lab: Lab) -> None:
    assert work.reset(lab) is None
    assert tree(work.folder(lab.slug)) == tree(lab.starter)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_copy_that_breaks_off_leaves_no_trace(
    work: Workspace, lab: Lab, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    real = shutil.copyfile

    def fails_at_the_second(source: str, target: Path) -> None:
        if Path(source).name == "run.sh":
            raise error
        real(source, target)

    monkeypatch.setattr(shutil, "copyfile", fails_at_the_second)
    with pytest.raises((LabsError, KeyboardInterrupt)) as caught:
        work.start(lab)
    assert not work.folder(lab.slug).exists()
    assert list((work.root / ".labs").iterdir()) == []
    if isinstance(caught.value, LabsError):
        assert "disk is full" in caught.value.message


def test_a_reset_that_breaks_off_puts_the_old_work_back(
    work: Workspace, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.start(lab)
    (work.folder(lab.slug) / "app.py").write_text("mine")
    real = Path.rename

    def fails_for_the_starter(self: Path, target: Path) -> Path:
        if self.name == "copy":
            raise OSError(errno.EIO, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", fails_for_the_starter)
    with pytest.raises(LabsError, match="Input/output error"):
        work.reset(lab)
    assert (work.folder(lab.slug) / "app.py").read_text() == "mine"


def test_nothing_is_written_through_a_link(work: Workspace, lab: Lab, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.py").write_text("precious")
    work.root.mkdir()
    work.folder(lab.slug).symlink_to(outside)
    assert work.start(lab) is False
    with pytest.raises(LabsError, match="writes nothing through a link"):
        work.reset(lab)
    (work.root / ".backups").symlink_to(outside)
    work.folder(lab.slug).unlink()
    work.start(lab)
    with pytest.raises(LabsError, match="writes nothing through a link"):
        work.reset(lab)
    assert tree(outside) == {"app.py": "precious"}
    assert work.started(lab.slug)


def test_the_hidden_folder_may_not_be_a_link(work: Workspace, lab: Lab, tmp_path: Path) -> None:
    work.root.mkdir()
    (work.root / ".labs").symlink_to(tmp_path)
    with pytest.raises(LabsError, match="writes nothing through a link"):
        work.start(lab)
    store = Store(work)
    store.started(lab.slug)
    assert "not saved" in store.warnings[0]
    assert not (tmp_path / f"{lab.slug}.json").exists()


def test_work_itself_may_be_a_link_to_another_disk(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "work").symlink_to(tmp_path / "disk")
    linked = Workspace(tmp_path / "work")
    linked.start(lab)
    assert linked.reset(lab) is not None


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_something_else_with_the_labs_name_is_reported(work: Workspace, lab: Lab, kind: str) -> None:
    work.root.mkdir()
    if kind == "file":
        work.folder(lab.slug).write_text("x")
    else:
        work.folder(lab.slug).symlink_to("nowhere")
    with pytest.raises(LabsError, match="not a folder"):
        work.start(lab)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EROFS, "read-only disk"),
        (errno.EACCES, "No permission to write"),
        (errno.ENOTDIR, "cannot be used"),
    ],
)
def test_what_the_system_refuses_becomes_a_sentence(
    work: Workspace, lab: Lab, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(work.root))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(LabsError) as caught:
        work.start(lab)
    assert said in caught.value.message
    assert caught.value.next_step


def test_a_work_folder_below_a_file_is_refused(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabsError) as caught:
        Workspace(tmp_path / "file" / "work").start(lab)
    assert "LABS_WORK" in caught.value.next_step


def test_the_solution_lands_beside_the_work_and_only_once(work: Workspace, lab: Lab) -> None:
    work.start(lab)
    target, copied = work.copy_solution(lab)
    assert copied and tree(target) == tree(lab.solution)
    (target / "app.py").write_text("my notes on it")
    assert work.copy_solution(lab) == (target, False)
    assert (target / "app.py").read_text() == "my notes on it"


# --- compose -----------------------------------------------------------------------------------------------------


def files(folder: Path, contents: dict[str, str]) -> Path:
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_compose_lays_a_variant_over_the_solution(tmp_path: Path) -> None:
    base = files(
        tmp_path / "base", {"app.py": "right", "deep/a.py": "a", "deep/b.py": "b", "__pycache__/x.pyc": ""}
    )
    over = files(
        tmp_path / "over",
        {
            "app.py": "wrong",
            "deep/c.py": "c",
            "expected.txt": "",
            "removed.txt": "deep/a.py\n\n",
            "deep/expected.txt": "e",
        },
    )
    compose(base, over, tmp_path / "target")
    assert tree(tmp_path / "target") == {
        "app.py": "wrong",
        "deep/b.py": "b",
        "deep/c.py": "c",
        "deep/expected.txt": "e",
    }
    assert tree(base)["app.py"] == "right"


@pytest.mark.parametrize("name", ["gone.py", "../base/app.py", "/etc/hostname", "deep"])
def test_compose_refuses_to_remove_what_is_no_file_of_the_base(tmp_path: Path, name: str) -> None:
    base = files(tmp_path / "base", {"app.py": "", "deep/a.py": ""})
    over = files(tmp_path / "over", {"removed.txt": name})
    with pytest.raises(LabsError, match=r"removed\.txt"):
        compose(base, over, tmp_path / "target")
    assert (base / "app.py").exists()


def test_compose_needs_its_folders(tmp_path: Path) -> None:
    with pytest.raises(LabsError, match="no such folder"):
        compose(tmp_path / "a", tmp_path / "b", tmp_path / "c")


def test_an_overlay_replaces_a_link_and_does_not_follow_it(tmp_path: Path) -> None:
    victim = files(tmp_path, {"victim.txt": "precious"}) / "victim.txt"
    base = files(tmp_path / "base", {"x": ""})
    (base / "app.py").symlink_to(victim)
    over = files(tmp_path / "over", {"app.py": "mine"})
    compose(base, over, tmp_path / "target")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "target" / "app.py").is_symlink()


def test_links_are_copied_as_links(tmp_path: Path) -> None:
    source = files(tmp_path / "source", {"a": "1"})
    (source / "out").symlink_to("/etc/passwd")
    copy_tree(source, tmp_path / "target")
    assert (tmp_path / "target" / "out").is_symlink()


# --- what is remembered ------------------------------------------------------------------------------------------


def a_result(state: State) -> LabResult:
    return LabResult("sort_logs", 7, (CheckResult("starts", "starts", 12, state),))


def test_progress_survives_and_the_first_pass_is_kept(work: Workspace) -> None:
    store = Store(work)
    store.started("sort_logs")
    store.checked(a_result(State.PASSED))
    store.hinted("sort_logs", "starts", 2)
    store.checked(a_result(State.FAILED))
    seen = Store(work).read("sort_logs")
    assert seen.passed > 0
    assert seen.hints == {"starts": 2}
    assert seen.result == a_result(State.FAILED)
    store.forget("sort_logs")
    assert replace(store.read("sort_logs"), started=0.0) == Progress(passed=seen.passed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"schema": 1}',
        '{"schema": 99}',
        '{"schema":1,"started":0,"passed":0,"hints":[],"result":null}',
        "\x00",
    ],
)
def test_a_corrupt_progress_file_is_set_aside(work: Workspace, text: str) -> None:
    store = Store(work)
    store.started("sort_logs")
    path = work.root / ".labs" / "sort_logs.json"
    path.write_text(text)
    assert store.read("sort_logs") == Progress()
    assert "could not be read" in store.warnings[0]
    aside = list(path.parent.glob("sort_logs.json.corrupt-*"))
    assert [kept.read_text() for kept in aside] == [text]
    assert not path.exists()


def test_progress_that_is_not_text_is_set_aside(work: Workspace) -> None:
    path = work.hidden(".labs") / "sort_logs.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert Store(work).read("sort_logs") == Progress()
    assert not path.exists()


def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files(tmp_path, {"a.json": "old"}) / "a.json"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert tree(tmp_path) == {"a.json": "old"}
