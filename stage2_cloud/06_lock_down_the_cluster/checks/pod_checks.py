"""Pods: their own, which run with little, and those of others, which are refused; and the file with the password."""

from __future__ import annotations

import bad_pods
import workloads
from kube import SPACE, Refused
from labs.grading.evidence import Evidence
from rotating import REPLICAS
from submission import APPS, FILE, SECRET


def runs_its_own_pods(running):
    """has all its own pods ready, with less than `restricted` allows: read-only, one user, bounded memory"""
    for app in APPS:
        wanted = REPLICAS if app == "fraud" else 1
        status = running.get("Deployment", app).get("status") or {}
        did = Evidence(f"wait a minute for {app}")
        ready = status.get("readyReplicas", 0)
        did.require(
            ready >= wanted,
            wanted=f"{wanted} ready pods" if wanted > 1 else "a ready pod",
            got=f"{ready}: {workloads.trouble(running, app)}",
            hint="The refusal names each field that is missing.",
        )
        for pod in workloads.pods_of(running, app):
            lacking = workloads.lacks(pod, f"registry.nukkad.example/{app}:1.4.0")
            did.require(not lacking, wanted="pods as in the contract", got=lacking)
            did.require(
                workloads.looks_for_readiness(pod, APPS[app]),
                wanted=f"a readiness probe at the port {APPS[app]}: of `/readyz`, or whether it is open",
                got="none",
                hint="Without one, a pod is ready before it can answer anybody.",
            )


def mounts_tokens_only_where_needed(running, rng):
    """mounts a token of the API server into `fraud` alone, under an account of its own for each Deployment"""
    for app in APPS:
        pods = workloads.pods_of(running, app)
        did = Evidence(f"look at the pods of {app}")
        did.require(pods, wanted="at least one pod", got=f"none: {workloads.trouble(running, app)}")
        for pod in pods:
            account = pod["spec"].get("serviceAccountName")
            did.require(
                account == app, wanted=f"the ServiceAccount {app}", got=f"the ServiceAccount {account}"
            )
            did.require(
                workloads.tokens(pod) == (app == "fraud"),
                wanted="a token" if app == "fraud" else "no token: it never speaks to the API server",
                got="a token" if workloads.tokens(pod) else "no token",
                hint="A pod gets one unless its account or its own spec says no.",
            )
    pod = running.create(bad_pods.good(f"unseen-{rng.integers(1000)}"))
    Evidence("create a pod that names no account").require(
        not workloads.tokens(pod),
        wanted="no token",
        got="a token of the default account",
        hint="The account `default` exists in every namespace. It has the same field.",
    )


def refuses_bad_pods(kube):
    """refuses every pod below the level `restricted`, of v1.32"""
    for title, pod in bad_pods.every().items():
        try:
            kube.create(pod, dryRun="All")
        except Refused as error:
            assert error.code in (403, 422), error.message
            continue
        Evidence(f"create a pod with {title}").fail(
            wanted="refused (403)",
            got="admitted",
            hint="The level is a label of the Namespace. `warn` and `audit` only talk.",
        )
    labels = kube.get("Namespace", SPACE)["metadata"].get("labels") or {}
    got = labels.get("pod-security.kubernetes.io/enforce-version", "none")
    Evidence("look at the version of the level").require(
        got == "v1.32",
        wanted="v1.32",
        got=str(got),
        hint="Without a version an upgrade of the cluster changes what is refused.",
    )


def keeps_the_password_in_a_file(running, password):
    """gives the password to `fraud` alone, in a file that only its process can read, and shows it nowhere"""
    where = workloads.shown(running, password)
    Evidence("look for the password in pods, variables and objects").require(
        not where,
        wanted="it stands in the Secret alone",
        got=f"it stands {where}",
        hint=(
            "A variable is inherited by every child and stands in every dump. A file is read "
            "by whom its mode allows."
        ),
    )
    for app in APPS:
        for pod in workloads.pods_of(running, app):
            files = [
                (one, each)
                for each in workloads.containers(pod)
                for one in workloads.secret_files(pod, each)
                if one.secret == SECRET
            ]
            mine = [one for one, _ in files]
            if app != "fraud":
                Evidence(f"look at the files of {app}").require(
                    not mine, wanted="no password", got=f"{SECRET} is mounted"
                )
                continue
            here = Evidence(f"read {FILE} in a pod of fraud")
            found = [one for one in mine if one.path == FILE and one.key == "password"]
            here.require(found, wanted="the password", got="no such file")
            loose = [one for one in mine if one.mode & 0o007]
            here.require(
                not loose,
                wanted="no right for others in its mode",
                got=f"mode {loose[0].mode:04o}" if loose else "",
                hint="`defaultMode` is 0644 unless it says otherwise.",
            )
            here.require(
                any(workloads.can_read(pod, each, one.mode) for one, each in files if one in found),
                wanted="a file that the process can read",
                got="it belongs to root, and the process is user 10001 without its group",
                hint="`fsGroup` gives the files of a volume to a group, and the process to that group.",
            )
