"""`labs doctor`: what this machine can do, found by trying it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labs.catalog import ROOT
from labs.grading import Grader
from labs.grading.canaries import Flight, fly
from labs.grading.sandbox import SandboxBroken
from labs.grading.trust import remember
from labs.machine import cores
from labs.services import KINDS

if TYPE_CHECKING:
    from rich.console import Console

SUPPORTED = ((3, 11), (3, 13))
DISK_MB = 1024
MEMORY_MB = 2048
TOOLS = {
    "git": "version control; needed",
    "bash": "scripts of the first lab; needed",
    "docker": "optional: builds images for real",
    "kubectl": "optional: a real client for Kubernetes labs",
    "terraform": "optional: real plans and state",
}
RUNGS = {
    "sealed": "Your work runs in a sealed sandbox. Results can be used as grades.",
    "locked": "Your work runs locked (files and system calls), without a network. Results can be used as grades.",
    "separate user": "Your work runs as another user. Grades only where the instructor accepts this rung.",
    "open": "Your work runs without isolation: for practice only, never for a graded result.",
}


@dataclass(frozen=True)
class Item:
    """One thing that was looked at. `ok` is None for what is merely good to know."""

    name: str
    ok: bool | None
    found: str
    next: str = ""


def main(as_json: bool = False, root: Path = ROOT) -> int:
    """Print what was found. Exit status 0 when labs can be done here, 1 when something must be mended first."""
    machine = examine(root)
    flight, trouble = _fly(root)
    ok = all(item.ok is not False for item in machine) and flight is not None and not flight.works
    if as_json:
        body = {"schema": 1, "ok": ok, "machine": [asdict(item) for item in machine]}
        body["services"] = [asdict(service) for service in services()]
        if flight is not None:
            body["isolation"] = {**asdict(flight), "trusted": flight.trusted}
        print(json.dumps(body, indent=2))
        return 0 if ok else 1
    _print(machine, flight, trouble)
    return 0 if ok else 1


@dataclass(frozen=True)
class Offer:
    """A service: the tiers that this machine has, and what would bring another one."""

    name: str
    tiers: tuple[str, ...]
    next: str


def services() -> list[Offer]:
    """What `labs up` can start here."""
    offers = []
    for kind in KINDS.values():
        here = tuple(name for name, tier in kind.tiers.items() if tier.here)
        ways = [f"{name}: {tier.get_it}" for name, tier in kind.tiers.items() if name not in here]
        offers.append(Offer(kind.name, here, "; ".join(ways)))
    return offers


def examine(root: Path) -> list[Item]:
    """Everything but isolation."""
    items = [_python(), _environment(root), _disk(root), _memory(), _writable(root)]
    for tool, purpose in TOOLS.items():
        path = shutil.which(tool)
        needed = "needed" in purpose
        found = f"{_version(tool)}" if path else "not found"
        items.append(
            Item(
                tool,
                bool(path) if needed else None,
                f"{found} ({purpose})",
                "" if path or not needed else f"Install {tool}.",
            )
        )
    return items


def _python() -> Item:
    have = sys.version_info[:2]
    ok = SUPPORTED[0] <= have <= SUPPORTED[1]
    words = f"{platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}"
    return Item("Python", ok, words, "" if ok else "Use Python 3.11, 3.12 or 3.13, then: make start")


def _environment(root: Path) -> Item:
    """Whether the installed libraries are those of the lock; a few that matter most stand for all."""
    from importlib.metadata import PackageNotFoundError, version

    locked = {}
    lock = root / "requirements.lock"
    for line in lock.read_text().splitlines() if lock.exists() else ():
        name, found, rest = line.partition("==")
        if found and not line.startswith((" ", "#")) and ";" not in line:
            locked[name.strip()] = rest.split()[0]
    wrong = []
    for name, wanted in locked.items():
        try:
            have = version(name)
        except PackageNotFoundError:
            have = "not installed"
        if have != wanted:
            wrong.append(f"{name} {have}, locked {wanted}")
    if wrong:
        return Item(
            "libraries", False, f"{len(wrong)} differ from requirements.lock: {wrong[0]}", "Run: make start"
        )
    return Item("libraries", True, f"{len(locked)} as in requirements.lock")


def _disk(root: Path) -> Item:
    free = min(shutil.disk_usage(path).free for path in (root, Path("/tmp"))) // 2**20
    return Item(
        "disk", free >= DISK_MB, f"{free:,} MiB free", "" if free >= DISK_MB else f"Free {DISK_MB:,} MiB."
    )


def _memory() -> Item:
    import psutil

    available = psutil.virtual_memory().available // 2**20
    ok = available >= MEMORY_MB
    return Item(
        "memory",
        ok,
        f"{available:,} MiB free, {cores()} cores",
        "" if ok else "Close other programs first.",
    )


def _writable(root: Path) -> Item:
    work = Path(os.environ.get("LABS_WORK", root / "work"))
    ok = os.access(work if work.exists() else work.parent, os.W_OK)
    return Item("work folder", ok, str(work), "" if ok else "Set LABS_WORK to a folder that you can write.")


def _version(tool: str) -> str:
    arguments = {"kubectl": ["version", "--client"], "terraform": ["version"]}.get(tool, ["--version"])
    try:
        done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return "found, and does not answer"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0][:60] if lines else "found"


def _fly(root: Path) -> tuple[Flight | None, str]:
    try:
        with Grader(root) as grader:
            flight = fly(grader.place)
            remember(flight, grader.allowed, root)
            return flight, ""
    except (SandboxBroken, OSError) as error:
        return None, str(error)


def _print(machine: list[Item], flight: Flight | None, trouble: str) -> None:
    from rich.console import Console

    out = Console(highlight=False)
    for item in machine:
        out.print(f"{_mark(item.ok)} {item.name:14} {item.found}", soft_wrap=True)
        if item.next:
            out.print(f"  {'next':14} {item.next}")
    out.print("\nservices, and the tiers at which this machine has them (docs/services.md):")
    for offer in services():
        out.print(f"{_mark(None)} {offer.name:14} {', '.join(offer.tiers) or 'not here'}", soft_wrap=True)
        if offer.next:
            out.print(f"  {'next':14} {offer.next}", soft_wrap=True)
    out.print()
    if flight is None:
        out.print(f"[red]✗[/] isolation      no sandbox could be made: {trouble}", soft_wrap=True)
        out.print("  next           Run labs doctor again; if it stays, report it with this output.")
        return
    _print_flight(flight, out)


def _print_flight(flight: Flight, out: Console) -> None:
    if flight.works:
        out.print(f"[red]✗[/] honest work fails in the sandbox: {flight.works}", soft_wrap=True)
    for canary in flight.canaries:
        mark = "[green]✓[/] stopped" if canary.stopped else "[yellow]✗ got through[/]"
        out.print(f"{mark}  {canary.name}" + ("" if canary.stopped else f": {canary.harm}"))
    refused = [f"{layer} ({state})" for layer, state in flight.isolation.layers.items() if state != "held"]
    out.print()
    out.print(f"isolation: [bold]{flight.trusted}[/]. {RUNGS[flight.trusted]}", soft_wrap=True)
    if refused:
        out.print(f"  did not hold: {', '.join(refused)}", soft_wrap=True)
        out.print(f"  next          {_raise(flight)}", soft_wrap=True)


def _raise(flight: Flight) -> str:
    """One thing to do for a better rung."""
    if sys.platform != "linux":
        return "For graded results use Linux: a Codespace, a container, or CI."
    layers = flight.isolation.layers
    if layers.get("landlock", "held") != "held":
        return "Use a kernel with Landlock (5.13 or newer, enabled at boot)."
    if layers.get("seccomp", "held") != "held":
        return "Install the library libseccomp (Debian, Ubuntu: apt install libseccomp2)."
    return (
        'In a container, allow namespaces: "runArgs": ["--security-opt", "seccomp=unconfined"]. On Ubuntu 24.04: '
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0."
    )


def _mark(ok: bool | None) -> str:
    return {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]·[/]"}[ok]
