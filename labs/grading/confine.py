"""A child takes its own rights away, layer by layer, and records what held.

Order matters: limits and capabilities first, then Landlock (files, signals), then seccomp (system calls), all after
no-new-privs, so that no later `exec` gives anything back. The namespaces are the keeper's (`keeper.py`): they must
exist before the child does. Each layer that the machine refuses is recorded with the reason; what is left is the rung.

Sources: landlock(7), seccomp(2), capabilities(7), getrlimit(2); the denied calls follow Docker's default profile
(https://docs.docker.com/engine/security/seccomp/) plus what grading does not need.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labs import kernel

HELD = "held"
LAYERS = ("namespaces", "capabilities", "limits", "landlock", "seccomp", "separate user")
SOCKET_TYPES = 0xF  # of socket(2)'s second argument; the rest are flags
AUTHORITY = str(Path(__file__).with_name("authority.pem"))
"""The only certificate authority in a check, where nothing speaks TLS: each client reads one instead of all 140."""
STRANGER_UID = 61_184  # no account has it; used only where Landlock is missing and we are root

READABLE = (
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt/hostedtoolcache", "/nix/store",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/timezone", "/etc/passwd",
    "/etc/group", "/etc/nsswitch.conf", "/etc/hosts", "/etc/resolv.conf", "/etc/host.conf", "/etc/gai.conf",
    "/etc/protocols", "/etc/services", "/etc/mime.types", "/etc/alternatives", "/etc/ssl", "/etc/ca-certificates",
    "/etc/os-release", "/etc/debian_version", "/etc/locale.alias", "/etc/inputrc", "/etc/terminfo",
    "/proc", "/sys/devices/system/cpu", "/sys/fs/cgroup", "/sys/kernel/mm",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

DENIED_CALLS = (
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp",
    "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "fsopen", "fsmount", "fsconfig", "fspick",
    "move_mount", "open_tree", "mount_setattr", "name_to_handle_at", "open_by_handle_at",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd",
    "keyctl", "add_key", "request_key", "kexec_load", "kexec_file_load", "init_module", "finit_module",
    "delete_module", "acct", "quotactl", "swapon", "swapoff", "reboot", "sethostname", "setdomainname",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "iopl", "ioperm", "syslog", "vhangup",
    "mbind", "move_pages", "migrate_pages", "lookup_dcookie", "fanotify_init",
)  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What one child may do. `allowed` names the layers to try: fewer only to test a lower rung.

    `ports`: where on this machine's own loopback the services are that it may reach, if it has no network of its own.
    """

    writable: tuple[str, ...]
    readable: tuple[str, ...]
    memory_mb: int
    cpu_seconds: int
    processes: int
    disk_mb: int
    network: bool
    namespaced: bool
    ports: tuple[int, ...] = ()
    allowed: tuple[str, ...] = LAYERS


def confine(rules: Rules) -> dict[str, str]:
    """Confine this process for good. Returns layer → "held" or the reason why it did not hold."""
    layers: dict[str, str] = {}
    steps = (
        ("limits", _limit),
        ("capabilities", _drop),
        ("landlock", _landlock),
        ("separate user", _become_stranger),
        ("seccomp", _seccomp),
    )
    for name, step in steps:
        if name not in rules.allowed:
            layers[name] = "switched off"
        elif name == "separate user" and not needs_stranger(rules.allowed):
            continue  # a second uid adds nothing to Landlock, and only root has one to give
        else:
            layers[name] = _try(step, rules)
    return layers


def rung(layers: Mapping[str, str]) -> str:
    """The name of the rung that these layers reach: sealed, locked, separate user or open."""
    held = {name for name, state in layers.items() if state == HELD}
    if {"limits", "landlock", "seccomp"} <= held:
        return "sealed" if "namespaces" in held else "locked"
    return "separate user" if {"limits", "separate user"} <= held else "open"


def prepare() -> None:
    """Once, in the warm parent: landlockpy looks up the C library with a subprocess, which costs time, and which a
    process that has just made a pid namespace must not start."""
    with contextlib.suppress(Exception):
        import landlockpy

        landlockpy.abi_version()


def needs_stranger(allowed: Sequence[str]) -> bool:
    """Whether files must be guarded by another uid: root, without Landlock."""
    if os.geteuid() != 0 or "separate user" not in allowed:
        return False
    if "landlock" not in allowed:
        return True
    try:
        from landlockpy import abi_version
    except ImportError:
        return True
    return abi_version() == 0


def _try(step: object, rules: Rules) -> str:
    try:
        step(rules)  # type: ignore[operator]
    except (
        Exception
    ) as error:  # a missing library, an old kernel, a policy: all mean "this layer is not there"
        return f"refused: {error}" if str(error) else f"refused: {type(error).__name__}"
    return HELD


def _limit(rules: Rules) -> None:
    mb = 2**20
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_CPU, rules.cpu_seconds)
    _set(resource.RLIMIT_FSIZE, rules.disk_mb * mb)
    _set(resource.RLIMIT_NOFILE, 1024)
    if kernel.LINUX:
        # Address space is not memory: threads and libraries reserve a lot. The keeper watches the real sum.
        _set(resource.RLIMIT_AS, _address_space() + (rules.memory_mb + 2048) * mb)
        # Counts every thread of the user; a fresh user namespace starts from zero. Does not bind root: the keeper does.
        others = 0 if rules.namespaced else _threads_of_user()
        _set(resource.RLIMIT_NPROC, rules.processes * 4 + others)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def _set(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _threads_of_user() -> int:
    uid, total = os.getuid(), 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == uid:
                    total += len(os.listdir(f"/proc/{entry.name}/task"))
            except OSError:
                continue
    return total


def _drop(rules: Rules) -> None:
    if not needs_stranger(
        rules.allowed
    ):  # becoming another user needs a capability, and then drops them all anyway
        kernel.drop_capabilities()


def _landlock(rules: Rules) -> None:
    from landlockpy import (
        AccessFS,
        AccessNet,
        Ruleset,
        Scope,
        abi_version,
        fs_for_abi,
        net_for_abi,
        scope_for_abi,
    )

    abi = abi_version()
    if not abi:
        raise OSError("this kernel has no Landlock")
    everything = fs_for_abi(abi)
    read = (AccessFS.READ_FILE | AccessFS.READ_DIR | AccessFS.EXECUTE) & everything
    device = (AccessFS.READ_FILE | AccessFS.WRITE_FILE | AccessFS.TRUNCATE) & everything
    scope = scope_for_abi(abi) & (Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET)
    # In a network of its own, with nobody else in it, a child may use TCP as it likes; elsewhere not at all.
    net = AccessNet.NONE if rules.namespaced and rules.network else net_for_abi(abi)
    with Ruleset(handled_fs=everything, handled_net=net, scoped=scope) as ruleset:
        for port in rules.ports if net else ():
            ruleset.allow_port(port, AccessNet.CONNECT_TCP)
        for path in _existing((*READABLE, *_python_homes(), *rules.readable)):
            ruleset.allow_path(path, read if os.path.isdir(path) else read & ~AccessFS.READ_DIR)
        for path in _existing(DEVICES):
            ruleset.allow_path(path, device)
        for path in _existing(rules.writable):
            ruleset.allow_path(path, everything)
        ruleset.restrict()


def _python_homes() -> Sequence[str]:
    """Where this Python and its libraries live: the environment, its base, and editable source of `labs.world`."""
    labs = Path(__file__).resolve().parent.parent
    return (sys.prefix, sys.base_prefix, str(labs / "world"), str(labs / "__init__.py"), AUTHORITY)


def _ports_can_be_chosen() -> bool:
    """Whether Landlock can say to which ports a process may connect (since Linux 6.7)."""
    from landlockpy import abi_version

    return bool(abi_version() >= 4)


def _existing(paths: Sequence[str]) -> list[str]:
    return [path for path in dict.fromkeys(paths) if os.path.exists(path)]


def _become_stranger(rules: Rules) -> None:
    os.setgroups([])
    os.setresgid(STRANGER_UID, STRANGER_UID, STRANGER_UID)
    os.setresuid(STRANGER_UID, STRANGER_UID, STRANGER_UID)


def _seccomp(rules: Rules) -> None:
    import errno
    import socket

    import pyseccomp as seccomp

    refuse = seccomp.ERRNO(errno.EPERM)
    syscalls = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in DENIED_CALLS:
        try:
            syscalls.add_rule(refuse, name)
        except (ValueError, OSError):  # another architecture or an older libseccomp does not know it
            continue
    # clone3 hides its flags from filters; without it the C library falls back to clone, whose flags can be read.
    syscalls.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    syscalls.add_rule(
        refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, kernel.CLONE_NEWUSER, kernel.CLONE_NEWUSER)
    )
    # A pathname socket (Docker's, say) is outside Landlock's reach; socketpair, which asyncio needs, is another call.
    if rules.network and rules.namespaced:
        syscalls.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.EQ, socket.AF_UNIX))
        for family in (16, 17, 40):  # netlink, packet, vsock
            syscalls.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.EQ, family))
    elif rules.ports and _ports_can_be_chosen():
        # TCP alone, and Landlock says where to: not UDP, and no other family.
        syscalls.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.NE, socket.AF_INET))
        for other in (socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET, socket.SOCK_RDM):
            syscalls.add_rule(refuse, "socket", seccomp.Arg(1, seccomp.MASKED_EQ, SOCKET_TYPES, other))
    else:
        syscalls.add_rule(refuse, "socket")
    syscalls.load()
