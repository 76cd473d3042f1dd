"""Pods that the level `restricted` refuses, each for one reason, and one that it admits.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from kube import SPACE, Obj


def good(name: str, space: str = SPACE) -> Obj:
    """A pod that keeps the standard, with the namespace's default account."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space},
        "spec": {
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": f"registry.nukkad.example/{name}:1",
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def _first(pod: Obj) -> Obj:
    found: Obj = pod["spec"]["containers"][0]["securityContext"]
    return found


def _init_as_root(pod: Obj) -> None:
    main = copy.deepcopy(pod["spec"]["containers"][0])
    main["name"] = "before"
    main["securityContext"]["runAsUser"] = 0
    pod["spec"]["initContainers"] = [main]


def _privileged(pod: Obj) -> None:
    _first(pod).update(privileged=True, allowPrivilegeEscalation=True)


WAYS: dict[str, Callable[[Obj], object]] = {
    "a privileged container": _privileged,
    "a hostPath volume": lambda pod: pod["spec"].update(
        volumes=[{"name": "v", "hostPath": {"path": "/var/run"}}]
    ),
    "the network of the node": lambda pod: pod["spec"].update(hostNetwork=True),
    "the processes of the node": lambda pod: pod["spec"].update(hostPID=True),
    "the user root": lambda pod: pod["spec"]["securityContext"].update(runAsUser=0),
    "no promise that it is not root": lambda pod: pod["spec"]["securityContext"].pop("runAsNonRoot"),
    "an init container that is root": _init_as_root,
    "a capability added (NET_ADMIN)": lambda pod: _first(pod)["capabilities"].update(add=["NET_ADMIN"]),
    "capabilities that are not dropped": lambda pod: _first(pod).pop("capabilities"),
    "no seccomp profile": lambda pod: pod["spec"]["securityContext"].pop("seccompProfile"),
    "privilege escalation": lambda pod: _first(pod).pop("allowPrivilegeEscalation"),
}


def every() -> dict[str, Obj]:
    """By what is wrong with it."""
    found = {}
    for number, (title, change) in enumerate(WAYS.items()):
        pod = good(f"planted-{number}")
        change(pod)
        found[title] = pod
    return found
