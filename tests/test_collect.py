"""Reading what a learner left behind follows nothing, blocks on nothing and is bounded."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.grading import collect
from labs.grading.documents import Document
from labs.grading.evidence import Mismatch


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "box").mkdir()
    fd = os.open(tmp_path / "box", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_reads_and_writes_plain_files(root: int) -> None:
    collect.write_file(root, "a/b/c.txt", b"hello")
    assert collect.read_file(root, "a/b/c.txt") == b"hello"
    assert collect.read_file(root, "a/b/none.txt") is None
    assert collect.read_file(root, "none/none.txt") is None
    assert collect.list_files(root) == ["a/b/c.txt"]


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret", "", "."])
def test_paths_that_leave_the_folder_are_refused(root: int, path: str) -> None:
    with pytest.raises(collect.Unreadable):
        collect.read_file(root, path)


def test_links_are_never_followed(root: int, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden")
    box = tmp_path / "box"
    (box / "file").symlink_to(tmp_path / "secret")
    (box / "folder").symlink_to(tmp_path)
    for path in ("file", "folder/secret"):
        with pytest.raises(collect.Unreadable, match="is a link"):
            collect.read_file(root, path)
        with pytest.raises(collect.Unreadable, match="is a link"):
            collect.write_file(root, path, b"overwritten")
    assert (tmp_path / "secret").read_text() == "hidden"


def test_pipes_devices_and_sparse_files_are_refused_at_once(root: int, tmp_path: Path) -> None:
    box = tmp_path / "box"
    os.mkfifo(box / "pipe")
    with open(box / "sparse", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(collect.Unreadable, match="a named pipe"):
        collect.read_file(root, "pipe")
    with pytest.raises(collect.Unreadable, match="at most"):
        collect.read_file(root, "sparse")


def test_staging_copies_plain_files_and_says_what_it_left_out(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / ".git").mkdir(parents=True)
    (source / ".git" / "config").write_text("x")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("/etc/passwd")
    deep = source.joinpath(*["d"] * (collect.MAX_DEPTH + 3))
    deep.mkdir(parents=True)
    notes = collect.stage(source, tmp_path / "target")
    assert (tmp_path / "target" / "run.sh").stat().st_mode & 0o111
    assert not (tmp_path / "target" / ".git").exists()
    assert not (tmp_path / "target" / "link").exists()
    assert any("`link` is a link" in note for note in notes)
    assert any("nested too deeply" in note for note in notes)


def test_a_folder_that_is_a_link_is_not_staged(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "app.py").write_text("x")
    (tmp_path / "mine").symlink_to("theirs")
    notes = collect.stage(tmp_path / "mine", tmp_path / "target")
    assert notes == ["your folder is a link; links are not followed."]
    assert list((tmp_path / "target").iterdir()) == []


@pytest.fixture
def unreadable() -> Iterator[Path]:
    """A folder in which nothing may be read by the user that the test becomes, root or not."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    user = os.geteuid()
    for name in ("ours.py", "theirs.py", "closed/inside.py"):
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / name).write_text("x")
    (folder / "source" / "theirs.py").chmod(0)
    (folder / "source" / "closed").chmod(0)
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    (folder / "source").chmod(0o755)
    (folder / "source" / "closed").chmod(0o755)
    shutil.rmtree(folder)


def test_what_cannot_be_read_is_named_and_the_rest_is_graded(unreadable: Path) -> None:
    notes = collect.stage(unreadable / "source", unreadable / "target")
    assert [path.name for path in (unreadable / "target").iterdir()] == ["ours.py"]
    assert any("`theirs.py` cannot be read (Permission denied)" in note for note in notes)
    assert any("`closed` is a folder that cannot be read" in note for note in notes)


def test_a_folder_that_cannot_be_read_is_said(unreadable: Path) -> None:
    notes = collect.stage(unreadable / "source" / "closed", unreadable / "target")
    assert notes == ["your folder cannot be read (Permission denied)."]


def test_staging_bounds_the_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MAX_FILES", 10)
    source = tmp_path / "source"
    source.mkdir()
    for number in range(30):
        (source / f"{number}.txt").write_text("x")
    notes = collect.stage(source, tmp_path / "target")
    assert len(list((tmp_path / "target").iterdir())) == 10
    assert any("more than 10 files" in note for note in notes)


def test_a_database_with_a_view_is_not_queried(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "store.db"
    with sqlite3.connect(path) as db:
        db.execute("create table runs (id integer)")
        db.execute("insert into runs values (7)")
    document = Document("read store.db", path="store.db", bytes=path.read_bytes())
    assert document.sqlite("select id from runs") == [(7,)]
    endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c"
    with pytest.raises(Mismatch, match="interrupted"):
        document.sqlite(f"select count(*) from ({endless})")
    with sqlite3.connect(path) as db:
        db.execute("drop table runs")
        db.execute(f"create view runs as {endless}")
    with pytest.raises(Mismatch, match="is a view"):
        Document("read store.db", path="store.db", bytes=path.read_bytes()).sqlite("select x from runs")
    with pytest.raises(Mismatch, match="SQLite says"):
        Document("read store.db", path="store.db", bytes=b"not a database").sqlite("select 1 from x")


def test_documents_that_are_not_what_they_say_fail_in_plain_words() -> None:
    for method, data in (("json", b"{"), ("text", b"\xff\xfe"), ("csv", b""), ("parquet", b"PAR1junk")):
        with pytest.raises(Mismatch):
            getattr(Document("read x", path="x", bytes=data), method)()
    assert Document("read x", path="x", bytes=b"a,b\n1,2\n").csv().to_dict("list") == {"a": ["1"], "b": ["2"]}
