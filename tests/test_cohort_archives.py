"""Archives of strangers: whatever they hold, nothing leaves the folder, and one bad file stops only itself."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from labs.cohort.archives import Limits, unpack
from labs.errors import LabsError


def zipped(path: Path, *entries: tuple[str, bytes], mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, data)
    return path


def tarred(
    path: Path, *entries: tuple[str, bytes], change: Callable[[tarfile.TarInfo], None] | None = None
) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if change:
                change(info)
            packed.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()
    }


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_plain_files_arrive(pack: Callable[..., Path], tmp_path: Path) -> None:
    name = "a.zip" if pack is zipped else "a.tar.gz"
    archive = pack(
        tmp_path / name, ("work/lab/app.py", b"x = 1\n"), ("work/lab/deep/b.txt", b""), ("./c", b"3")
    )
    done = unpack(archive, tmp_path / "out")
    assert files(tmp_path / "out") == {"work/lab/app.py": b"x = 1\n", "work/lab/deep/b.txt": b"", "c": b"3"}
    assert (done.files, done.notes) == (3, [])


OUTSIDE = [
    "../evil",
    "a/../../evil",
    "/etc/evil",
    "..\\evil",
    "C:/evil",
    "a\nb",
    "",
    "x" * 300,
    "d/" * 40 + "f",
]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_lead_elsewhere_are_left_out(pack: Callable[..., Path], name: str, tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    archive = pack(inner / ("a.zip" if pack is zipped else "a.tar.gz"), ("good", b"1"), (name, b"2"))
    before = {path for path in tmp_path.rglob("*") if "out" not in path.parts}
    done = unpack(archive, inner / "out")
    assert files(inner / "out").get("good") == b"1"
    assert {path for path in tmp_path.rglob("*") if "out" not in path.parts} == before
    assert files(inner / "out") == {"good": b"1"}
    assert len(done.notes) == 1


def test_a_zip_of_windows(tmp_path: Path) -> None:
    """Backslashes, and folders with entries of their own: empty files they are not."""
    entries = [
        ("work\\", b""),
        ("work\\lab\\", b""),
        ("work\\lab\\app.py", b"x = 1\n"),
        ("work\\empty.py", b""),
    ]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name, data in [*entries, ("docs", b"")]:
            info = zipfile.ZipInfo(name)
            info.external_attr = 0x10 if name.endswith("\\") or name == "docs" else 0x20
            packed.writestr(info, data)
    done = unpack(tmp_path / "a.zip", tmp_path / "out")
    assert files(tmp_path / "out") == {"work/lab/app.py": b"x = 1\n", "work/empty.py": b""}
    assert done.notes == []


def test_links_devices_and_fifos_are_left_out(tmp_path: Path) -> None:
    def be(kind: bytes) -> Callable[[tarfile.TarInfo], None]:
        def change(info: tarfile.TarInfo) -> None:
            info.type, info.linkname, info.size = kind, "/etc/passwd", 0

        return change

    for number, kind in enumerate(
        (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE)
    ):
        archive = tarred(tmp_path / f"{number}.tar.gz", ("bad", b""), change=be(kind))
        done = unpack(archive, tmp_path / f"out{number}")
        assert list((tmp_path / f"out{number}").iterdir()) == []
        assert len(done.notes) == 1
    done = unpack(zipped(tmp_path / "l.zip", ("bad", b"/etc/passwd"), mode=0o120777), tmp_path / "outz")
    assert list((tmp_path / "outz").iterdir()) == []
    assert "is a link" in done.notes[0]


def test_a_link_cannot_be_written_through(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        link = tarfile.TarInfo("work")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "victim")
        packed.addfile(link)
        file = tarfile.TarInfo("work/evil.txt")
        file.size = 4
        packed.addfile(file, io.BytesIO(b"evil"))
    (tmp_path / "victim").mkdir()
    unpack(tmp_path / "a.tar", tmp_path / "out")
    assert list((tmp_path / "victim").iterdir()) == []
    assert files(tmp_path / "out") == {"work/evil.txt": b"evil"}


def test_modes_are_not_taken_over(tmp_path: Path) -> None:
    def odd(info: tarfile.TarInfo) -> None:
        info.mode = 0o6777

    unpack(tarred(tmp_path / "a.tar.gz", ("run.sh", b"#!/bin/sh\n"), change=odd), tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out" / "run.sh").stat().st_mode) == 0o755


def test_names_that_differ_only_in_case_and_twins(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        archive = zipped(tmp_path / "a.zip", ("App.py", b"1"), ("app.py", b"2"), ("b", b"3"), ("b", b"4"))
    done = unpack(archive, tmp_path / "out")
    assert files(tmp_path / "out") == {"App.py": b"1", "b": b"3"}
    assert len(done.notes) == 2


def test_a_file_where_a_folder_is(tmp_path: Path) -> None:
    done = unpack(zipped(tmp_path / "a.zip", ("a", b"1"), ("a/b", b"2"), ("c", b"3")), tmp_path / "out")
    assert files(tmp_path / "out") == {"a": b"1", "c": b"3"}
    assert done.notes == ["`a/b` is a file here and a folder there: left out."]


def test_bombs_are_stopped_by_what_comes_out(tmp_path: Path) -> None:
    small = Limits(files=100, bytes=1 << 20, file_bytes=1 << 19)
    bomb = zipped(tmp_path / "bomb.zip", *((f"{n}", bytes(1 << 19)) for n in range(8)))
    assert bomb.stat().st_size < 10_000
    with pytest.raises(LabsError, match="holds more than 1 MiB"):
        unpack(bomb, tmp_path / "out", small)
    assert sum(len(data) for data in files(tmp_path / "out").values()) <= 1 << 20
    one = unpack(
        zipped(tmp_path / "one.zip", ("big", bytes(1 << 20)), ("good", b"1")),
        tmp_path / "out2",
        Limits(file_bytes=1000),
    )
    assert files(tmp_path / "out2") == {"good": b"1"}
    assert len(one.notes) == 1


def test_a_hundred_thousand_files_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as packed:
        for number in range(3_000):
            packed.writestr(f"{number}", b"")
    with pytest.raises(LabsError, match="more than 500 files"):
        unpack(tmp_path / "many.zip", tmp_path / "out", Limits(files=500))
    assert sum(len(names) for _, _, names in os.walk(tmp_path / "out")) == 500


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "flipped"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_damaged_archives_say_so(pack: Callable[..., Path], damage: str, tmp_path: Path) -> None:
    archive = pack(
        tmp_path / ("a.zip" if pack is zipped else "a.tar.gz"), ("a", os.urandom(50_000)), ("b", b"2")
    )
    whole = archive.read_bytes()
    archive.write_bytes({
        "empty": b"", "cut": whole[: len(whole) // 2], "noise": b"\x00\xff" * 500,
        "flipped": whole[:3000] + bytes(one ^ 0x5A for one in whole[3000:3100]) + whole[3100:],
    }[damage])  # fmt: skip
    with pytest.raises(LabsError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "out")
