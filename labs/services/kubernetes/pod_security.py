"""The Pod Security Standards: why a pod violates baseline or restricted, in the words of the admission plugin.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from labs.services.kubernetes.objects import Obj

LEVELS = ("privileged", "baseline", "restricted")
_PREFIX = "pod-security.kubernetes.io/"
_BASELINE_CAPABILITIES = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}  # fmt: skip
_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
_SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
_SECCOMP = ("RuntimeDefault", "Localhost")


def level_of(labels: Mapping[str, str], mode: str) -> str:
    """The level that a namespace's labels set for enforce or warn; privileged if none or an unknown one."""
    level = labels.get(f"{_PREFIX}{mode}", "privileged")
    return level if level in LEVELS else "restricted"


def version_of(labels: Mapping[str, str], mode: str) -> str:
    return labels.get(f"{_PREFIX}{mode}-version", "latest")


def violations(level: str, spec: Obj) -> list[str]:
    """Why a pod's spec violates a level; empty if it does not."""
    return [text for check in _CHECKS[level] if (text := check(spec))]


def _containers(spec: Obj) -> list[Obj]:
    return [
        *(spec.get("initContainers") or []),
        *(spec.get("containers") or []),
        *(spec.get("ephemeralContainers") or []),
    ]


def _context(one: Obj) -> Obj:
    return one.get("securityContext") or {}


def _named(names: Iterable[str]) -> str:
    names = [f'"{name}"' for name in names]
    return ("container " if len(names) == 1 else "containers ") + ", ".join(names)


def _bad(spec: Obj, test: Callable[[Obj], bool]) -> list[str]:
    return [one.get("name") or "" for one in _containers(spec) if test(one)]


def _host_namespaces(spec: Obj) -> str:
    found = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return f"host namespaces ({', '.join(found)})" if found else ""


def _privileged(spec: Obj) -> str:
    bad = _bad(spec, lambda one: bool(_context(one).get("privileged")))
    return f"privileged ({_named(bad)} must not set securityContext.privileged=true)" if bad else ""


def _capabilities_baseline(spec: Obj) -> str:
    extra: dict[str, None] = {}

    def test(one: Obj) -> bool:
        added = set((_context(one).get("capabilities") or {}).get("add") or []) - _BASELINE_CAPABILITIES
        extra.update(dict.fromkeys(sorted(added)))
        return bool(added)

    bad = _bad(spec, test)
    listed = ", ".join(f'"{one}"' for one in sorted(extra))
    return (
        f"non-default capabilities ({_named(bad)} must not include {listed} in securityContext.capabilities.add)"
        if bad
        else ""
    )


def _host_path(spec: Obj) -> str:
    bad = [f'"{one.get("name")}"' for one in spec.get("volumes") or [] if one.get("hostPath") is not None]
    word = "volume" if len(bad) == 1 else "volumes"
    return f"hostPath volumes ({word} {', '.join(bad)})" if bad else ""


def _host_ports(spec: Obj) -> str:
    ports = [
        str(port["hostPort"])
        for one in _containers(spec)
        for port in one.get("ports") or []
        if port.get("hostPort")
    ]
    bad = _bad(spec, lambda one: any(port.get("hostPort") for port in one.get("ports") or []))
    word = "hostPort" if len(ports) == 1 else "hostPorts"
    uses = "uses" if len(bad) == 1 else "use"
    return f"hostPort ({_named(bad)} {uses} {word} {', '.join(ports)})" if bad else ""


def _proc_mount(spec: Obj) -> str:
    bad = _bad(spec, lambda one: _context(one).get("procMount") not in (None, "", "Default"))
    return f'procMount ({_named(bad)} must not set securityContext.procMount to "Unmasked")' if bad else ""


def _seccomp_baseline(spec: Obj) -> str:
    pod = (_context(spec).get("seccompProfile") or {}).get("type") == "Unconfined"
    bad = _bad(spec, lambda one: (_context(one).get("seccompProfile") or {}).get("type") == "Unconfined")
    who = [*(["pod"] if pod else []), *([_named(bad)] if bad else [])]
    text = 'must not set securityContext.seccompProfile.type to "Unconfined"'
    return f"seccompProfile ({' and '.join(who)} {text})" if who else ""


def _selinux(spec: Obj) -> str:
    def wrong(one: Obj) -> bool:
        options = _context(one).get("seLinuxOptions") or {}
        return (options.get("type") or "") not in _SELINUX or bool(options.get("user") or options.get("role"))

    bad = _bad(spec, wrong)
    who = [*(["pod"] if wrong(spec) else []), *([_named(bad)] if bad else [])]
    return f"seLinuxOptions ({' and '.join(who)} set forbidden securityContext.seLinuxOptions)" if who else ""


def _apparmor(spec: Obj) -> str:
    def wrong(one: Obj) -> bool:
        return (_context(one).get("appArmorProfile") or {}).get("type") == "Unconfined"

    bad = _bad(spec, wrong)
    who = [*(["pod"] if wrong(spec) else []), *([_named(bad)] if bad else [])]
    text = 'must not set AppArmor profile type to "Unconfined"'
    return f"forbidden AppArmor profile ({' and '.join(who)} {text})" if who else ""


def _sysctls(spec: Obj) -> str:
    bad = [one["name"] for one in _context(spec).get("sysctls") or [] if one["name"] not in _SYSCTLS]
    return f"forbidden sysctls ({', '.join(bad)})" if bad else ""


def _windows(spec: Obj) -> str:
    def wrong(one: Obj) -> bool:
        return bool((_context(one).get("windowsOptions") or {}).get("hostProcess"))

    bad = _bad(spec, wrong)
    who = [*(["pod"] if wrong(spec) else []), *([_named(bad)] if bad else [])]
    return (
        f"hostProcess ({' and '.join(who)} must not set securityContext.windowsOptions.hostProcess=true)"
        if who
        else ""
    )


def _volumes(spec: Obj) -> str:
    kinds: dict[str, list[str]] = {}
    for one in spec.get("volumes") or []:
        kind = next((key for key in one if key != "name"), "emptyDir")
        if kind not in _VOLUMES:
            kinds.setdefault(kind, []).append(f'"{one.get("name")}"')
    names = sorted(name for found in kinds.values() for name in found)
    if not names:
        return ""
    types = ", ".join(f'"{kind}"' for kind in sorted(kinds))
    one = len(names) == 1
    return (
        f"restricted volume types ({'volume' if one else 'volumes'} {', '.join(names)} "
        f"{'uses' if one else 'use'} restricted volume type{'' if len(kinds) == 1 else 's'} {types})"
    )


def _escalation(spec: Obj) -> str:
    bad = _bad(spec, lambda one: _context(one).get("allowPrivilegeEscalation") is not False)
    return (
        f"allowPrivilegeEscalation != false ({_named(bad)} must set "
        "securityContext.allowPrivilegeEscalation=false)"
        if bad
        else ""
    )


def _capabilities_restricted(spec: Obj) -> str:
    def keeps(one: Obj) -> bool:
        return "ALL" not in ((_context(one).get("capabilities") or {}).get("drop") or [])

    def adds(one: Obj) -> set[str]:
        return set((_context(one).get("capabilities") or {}).get("add") or []) - {"NET_BIND_SERVICE"}

    parts = []
    if bad := _bad(spec, keeps):
        parts.append(f'{_named(bad)} must set securityContext.capabilities.drop=["ALL"]')
    if bad := _bad(spec, lambda one: bool(adds(one))):
        extra = sorted(set().union(*(adds(one) for one in _containers(spec))))
        listed = ", ".join(f'"{one}"' for one in extra)
        parts.append(f"{_named(bad)} must not include {listed} in securityContext.capabilities.add")
    return f"unrestricted capabilities ({'; '.join(parts)})" if parts else ""


def _non_root(spec: Obj) -> str:
    pod = _context(spec).get("runAsNonRoot")
    explicit = _bad(spec, lambda one: _context(one).get("runAsNonRoot") is False)
    if explicit:
        return f"runAsNonRoot != true ({_named(explicit)} must not set securityContext.runAsNonRoot=false)"
    implicit = _bad(spec, lambda one: _context(one).get("runAsNonRoot") is None)
    if pod is False and implicit:
        return "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)"
    if pod is None and implicit:
        return f"runAsNonRoot != true (pod or {_named(implicit)} must set securityContext.runAsNonRoot=true)"
    return ""


def _root_user(spec: Obj) -> str:
    pod = ["pod"] if _context(spec).get("runAsUser") == 0 else []
    bad = _bad(spec, lambda one: _context(one).get("runAsUser") == 0)
    who = [*pod, *([_named(bad)] if bad else [])]
    return f"runAsUser=0 ({' and '.join(who)} must not set runAsUser=0)" if who else ""


def _seccomp_restricted(spec: Obj) -> str:
    pod = (_context(spec).get("seccompProfile") or {}).get("type")

    def profile(one: Obj) -> str | None:
        found: str | None = (_context(one).get("seccompProfile") or {}).get("type")
        return found

    text = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    if wrong := _bad(spec, lambda one: profile(one) not in (None, *_SECCOMP)):
        return f"seccompProfile ({_named(wrong)} must set {text})"
    unset = _bad(spec, lambda one: profile(one) is None)
    if pod not in (None, *_SECCOMP) and unset:
        return f"seccompProfile (pod must set {text})"
    if pod is None and unset:
        return f"seccompProfile (pod or {_named(unset)} must set {text})"
    return ""


_ALWAYS = [_host_namespaces, _privileged, _host_ports, _proc_mount, _selinux, _apparmor, _sysctls, _windows]
_BASELINE = [_host_path, _capabilities_baseline, _seccomp_baseline]
_RESTRICTED = [_escalation, _capabilities_restricted, _volumes, _non_root, _root_user, _seccomp_restricted]
_CHECKS: dict[str, list[Callable[[Obj], str]]] = {
    "privileged": [],
    "baseline": [*_ALWAYS, *_BASELINE],
    "restricted": [*_ALWAYS, *_RESTRICTED],
}
