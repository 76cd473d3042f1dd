"""The few kernel calls that Python has no name for. Linux only; on other systems every call raises OSError."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys

LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None

# linux/sched.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
# linux/prctl.h
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 36, 38, 47, 4
# linux/mount.h
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x40000
# asm-generic/mman-common.h
MADV_COLLAPSE = 25
HUGE_PAGE = 2 * 2**20
CAPABILITY_VERSION_3 = 0x20080522
LAST_CAPABILITY = 63


def _call(name: str, *args: object) -> int:
    if _libc is None:
        raise OSError(errno.ENOSYS, f"{name}: only on Linux")
    result = int(getattr(_libc, name)(*args))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int = 0, extra: int = 0) -> int:
    return _call("prctl", option, ctypes.c_ulong(value), ctypes.c_ulong(extra), 0, 0)


def unshare(flags: int) -> None:
    _call("unshare", flags)


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    _call(
        "mount",
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode(),
    )


def drop_capabilities() -> None:
    """Give up every capability, for this process and whatever it starts."""
    for capability in range(LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == errno.EINVAL:  # past the last one that this kernel knows
                break
            if error.errno != errno.EPERM:  # an ordinary user has none to drop
                raise
    with contextlib.suppress(OSError):
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    _call("capset", header, bytes(24))


def die_with_parent(signal_number: int) -> None:
    if LINUX:
        prctl(PR_SET_PDEATHSIG, signal_number)


def bring_up_loopback() -> None:
    """Set the interface `lo` up in this network namespace (netdevice(7): SIOCSIFFLAGS with IFF_UP)."""
    set_flags, up_and_running = 0x8914, 0x1 | 0x40
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, set_flags, struct.pack("16sh22x", b"lo", up_and_running))


def use_huge_pages() -> None:
    """Move this process's own memory into huge pages, where the kernel can: MADV_COLLAPSE of madvise(2), Linux 6.1.

    A fork then copies one entry of a page table in place of 512.
    """
    if not LINUX:
        return
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
        areas = [line.split() for line in file]
    for span, rights, *_, name in (area if len(area) > 5 else [*area, ""] for area in areas):
        if rights != "rw-p" or name not in ("", "[heap]"):
            continue
        first, end = (int(place, 16) for place in span.split("-"))
        for place in range(-(-first // HUGE_PAGE) * HUGE_PAGE, end - HUGE_PAGE + 1, HUGE_PAGE):
            with contextlib.suppress(OSError):  # an older kernel, no memory that lies together
                _call("madvise", ctypes.c_void_p(place), ctypes.c_size_t(HUGE_PAGE), MADV_COLLAPSE)
