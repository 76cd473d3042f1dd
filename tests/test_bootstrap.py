"""infra/bootstrap/environment.sh, run for real in copies of the checkout: what works, and each way in which it cannot.

Nothing here needs a network: the copies lock one tiny wheel made on the spot, and get this environment's uv as a wheel.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv/uv/bin/uv"
BACKEND = """
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "labs-0.1.0-py3-none-any.whl"
    info = "labs-0.1.0.dist-info"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: labs\\nVersion: 0.1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "labs"
version = "0.1.0"
"""


def write_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes | Path]) -> str:
    """A wheel with these files; the answer is its line in a lock."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, content in files.items():
            if isinstance(content, Path):
                wheel.write(content, inside)
            else:
                wheel.writestr(inside, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@dataclass(frozen=True)
class Checkout:
    """A copy of what the bootstrap reads, in a folder with a space in its name."""

    folder: Path
    tools: Path
    env: dict[str, str] = field(default_factory=dict)

    def command(self) -> list[str]:
        return ["make", "--no-print-directory", "environment"]

    def bootstrap(
        self, python: Path | None = Path(sys.executable), **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(),
            cwd=self.folder,
            env=self.variables(python, **more),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def variables(self, python: Path | None, **more: str) -> dict[str, str]:
        pythons = self.folder.parent / "pythons"
        shutil.rmtree(pythons, ignore_errors=True)
        pythons.mkdir()
        if python:
            write_script(pythons / "python3", f'exec "{python}" "$@"')
        return {**self.env, "PATH": f"{pythons}:{self.tools}", **more}


def write_script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with the system's commands, and no Python among them."""
    folder = tmp_path_factory.mktemp("tools")
    for source in (Path("/bin"), Path("/usr/bin")):
        for command in source.iterdir():
            link = folder / command.name
            if not command.name.startswith(("python", "pypy", "pip")) and not link.exists():
                link.symlink_to(command)
    return folder


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands in for the package index: uv itself, and a package of 4 MB that does not compress."""
    assert UV.exists(), "this test takes uv from .venv/uv: run it by `make test`"
    folder = tmp_path_factory.mktemp("wheels")
    version = subprocess.run([UV, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    lines = {
        "uv.lock": write_wheel(folder, "uv", version, {f"uv-{version}.data/scripts/uv": UV}),
        "requirements.lock": write_wheel(
            folder, "tiny", "1.0", {"tiny.py": b"", "tiny.bin": os.urandom(4 << 20)}
        ),
    }
    for name, line in lines.items():
        (folder / name).write_text(line)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, tools: Path, wheels: Path) -> Checkout:
    folder = tmp_path / "a course"
    (folder / "infra/bootstrap").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "infra/bootstrap/environment.sh", folder / "infra/bootstrap")
    shutil.copy(wheels / "uv.lock", folder / "infra/bootstrap/uv.lock")
    shutil.copy(wheels / "requirements.lock", folder)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    home = tmp_path / "home"
    home.mkdir()
    env = {
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "UV_FIND_LINKS": str(wheels),
        "UV_OFFLINE": "1",
        "UV_NO_CONFIG": "1",
    }
    return Checkout(folder, tools, env)


@pytest.fixture(scope="session")
def dead_index() -> str:
    """An address at which nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/index"


def refuses(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """Not zero, one sentence with a next step, no traceback."""
    assert done.returncode != 0, done.stderr
    for text in (*said, "  next  "):
        assert text in done.stderr, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    message = done.stderr.strip().split("\n\n")[-1].splitlines()
    assert len([line for line in message if not line.startswith("make: ")]) == 2, done.stderr


def succeeds(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr


def has_tiny(checkout: Checkout) -> bool:
    python = checkout.folder / ".venv/bin/python"
    return subprocess.run([python, "-Ic", "import tiny"], capture_output=True).returncode == 0


def test_makes_the_environment_and_a_second_run_is_quick_and_changes_nothing(checkout: Checkout) -> None:
    succeeds(checkout.bootstrap())
    assert has_tiny(checkout)
    assert list((checkout.folder / ".venv").glob("lib/*/site-packages/__pycache__/tiny.*.pyc")), "no bytecode"
    before = (checkout.folder / ".venv/made-from").stat().st_mtime_ns
    started = time.monotonic()
    again = checkout.bootstrap(python=None)
    succeeds(again)
    assert again.stderr == "" and time.monotonic() - started < 2
    assert (checkout.folder / ".venv/made-from").stat().st_mtime_ns == before


def test_a_changed_lock_is_installed_and_what_it_no_longer_names_is_removed(
    checkout: Checkout, wheels: Path, tmp_path: Path
) -> None:
    succeeds(checkout.bootstrap())
    links = tmp_path / "links"
    links.mkdir()
    (checkout.folder / "requirements.lock").write_text(write_wheel(links, "other", "2.0", {"other.py": b""}))
    succeeds(checkout.bootstrap(UV_FIND_LINKS=str(links)))
    assert not has_tiny(checkout)
    succeeds(subprocess.run([checkout.folder / ".venv/bin/python", "-Ic", "import other, pip"], text=True))


def test_a_moved_checkout_gets_a_new_environment(checkout: Checkout) -> None:
    succeeds(checkout.bootstrap())
    moved = Checkout(
        checkout.folder.rename(checkout.folder.with_name("moved here")), checkout.tools, checkout.env
    )
    done = moved.bootstrap()
    succeeds(done)
    assert "Making .venv" in done.stderr and has_tiny(moved)


def test_ctrl_c_leaves_something_that_the_next_run_finishes(checkout: Checkout) -> None:
    running = subprocess.Popen(
        checkout.command(),
        cwd=checkout.folder,
        env=checkout.variables(Path(sys.executable)),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A shell's background job, as CI may be, ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.monotonic() + 30
    while not (checkout.folder / ".venv/bin").exists() and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(10) != 0
    assert not (checkout.folder / ".venv/made-from").exists()
    succeeds(checkout.bootstrap())
    assert has_tiny(checkout)


def old_pythons() -> Iterator[Path]:
    for folder in sorted(Path.home().glob(".pyenv/versions/*")):
        if folder.name.startswith(("2.", "3.6.", "3.9.", "3.10.", "3.14.")):
            yield folder / "bin/python"


@pytest.mark.parametrize(
    "python", [*old_pythons(), None], ids=lambda path: path.parts[-3] if path else "pretended"
)
def test_a_python_outside_the_range_is_named(checkout: Checkout, python: Path | None, tmp_path: Path) -> None:
    if python is None:
        python = tmp_path / "python3.9"
        write_script(python, "echo 3.9.18")
    version = subprocess.run([python, "-V"], capture_output=True, text=True)
    wanted = (version.stdout + version.stderr).split()[-1]
    refuses(checkout.bootstrap(python), "This course needs Python 3.11, 3.12 or 3.13", f"found: {wanted}.")
    assert not (checkout.folder / ".venv").exists()


def test_no_python_at_all(checkout: Checkout) -> None:
    refuses(checkout.bootstrap(python=None), "found: none.")


def test_a_python_that_was_asked_for_and_is_not_there(checkout: Checkout) -> None:
    refuses(checkout.bootstrap(PYTHON="/nowhere/python3.12"), "PYTHON=/nowhere/python3.12 is not a command")


def test_a_python_without_its_venv_module_as_debian_ships_it(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without/ensurepip.py").write_text("raise ImportError(name='ensurepip')")
    bare = tmp_path / "bare"
    write_script(bare, f'PYTHONPATH="{tmp_path}/without" exec "{sys.executable}" "$@"')
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    refuses(
        checkout.bootstrap(bare),
        f"Python {minor} is here, but without its venv",
        f"apt install python{minor}-venv",
    )


def test_a_dead_network_while_pip_brings_uv(checkout: Checkout, dead_index: str) -> None:
    dead = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": dead_index}
    refuses(checkout.bootstrap(**dead), "The package index could not be reached")


def test_a_dead_network_while_uv_installs(checkout: Checkout, dead_index: str) -> None:
    dead = {"UV_OFFLINE": "0", "UV_FIND_LINKS": "", "UV_DEFAULT_INDEX": dead_index, "UV_HTTP_RETRIES": "0"}
    refuses(checkout.bootstrap(**dead), "The package index could not be reached")
    succeeds(checkout.bootstrap())  # and when it is back, the same command goes on from there


def test_a_package_that_is_not_the_one_in_the_lock(checkout: Checkout) -> None:
    lock = checkout.folder / "requirements.lock"
    lock.write_text(lock.read_text().split("sha256:")[0] + "sha256:" + "0" * 64 + "\n")
    refuses(checkout.bootstrap(), "is not the one that requirements.lock names")
    assert not has_tiny(checkout)


def test_a_missing_lock(checkout: Checkout) -> None:
    (checkout.folder / "requirements.lock").unlink()
    refuses(checkout.bootstrap(), "requirements.lock is missing", "git checkout -- requirements.lock")


@pytest.mark.skipif(sys.platform != "linux", reason="a small disk is made with a Linux mount")
@pytest.mark.parametrize(
    "where, said",
    [
        ("the checkout", "The disk is too full: 1 MB are free here"),
        ("the download cache", "The disk of the download cache, or of temporary files, is full"),
    ],
)
def test_a_full_disk(checkout: Checkout, tmp_path: Path, where: str, said: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    mount = 'mount -t tmpfs -o size=2m none "$1" && shift && '
    if subprocess.run([*namespace, "sh", "-c", mount + "true", "sh", disk], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    more = {"UV_CACHE_DIR": str(disk)}
    program = mount + '"$@"'
    if where == "the checkout":
        more = {}
        program = mount + 'cp -R . "$0" && cd "$0" && "$@"'
    done = subprocess.run(
        [*namespace, "sh", "-c", program.replace('"$0"', f'"{disk}"'), "sh", disk, *checkout.command()],
        cwd=checkout.folder,
        env=checkout.variables(Path(sys.executable), **more),
        capture_output=True,
        text=True,
        timeout=120,
    )
    refuses(done, said)


def test_a_checkout_that_cannot_be_written(checkout: Checkout) -> None:
    modes = [checkout.folder, checkout.folder / "infra", checkout.folder / "infra/bootstrap"]
    for folder in modes:
        folder.chmod(0o555)
    command, more = checkout.command(), {}
    if os.geteuid() == 0:  # root may write anywhere: be nobody, and let nobody come here
        temporary = Path(tempfile.gettempdir())
        for folder in (checkout.tools, *checkout.folder.parents):
            if temporary in folder.parents and folder.owner() == "root":
                folder.chmod(folder.stat().st_mode | 0o055)
        more = {"user": 65534, "group": 65534, "extra_groups": []}
    done = subprocess.run(
        command,
        cwd=checkout.folder,
        env=checkout.variables(Path(sys.executable)),
        capture_output=True,
        text=True,
        timeout=60,
        **more,
    )
    for folder in modes:
        folder.chmod(0o755)
    refuses(done, "cannot be written to")
