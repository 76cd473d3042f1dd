"""What stands in the columns of `kubectl get`: one function for each, from an object and the present moment.

Source: pkg/printers/internalversion/printers.go of Kubernetes
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labs.services.kubernetes import objects
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.subresources import selector_text

Cell = Callable[[Obj, float], Any]
NONE = "<none>"


def age(thing: Obj, now: float) -> str:
    return span(now - objects.seconds(objects.meta(thing).get("creationTimestamp")))


def span(seconds: float) -> str:
    """A length of time as kubectl writes it: 45s, 3m5s, 12m, 5h, 3d."""
    left = max(0, int(seconds))
    minutes, hours, days = left // 60, left // 3600, left // 86400
    if left < 120:
        return f"{left}s"
    if minutes < 10:
        return f"{minutes}m{left % 60}s" if left % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    return f"{days}d{hours % 24}h" if days < 8 and hours % 24 else f"{days}d"


def at(*path: str, empty: Any = "") -> Cell:
    def cell(thing: Obj, now: float) -> Any:
        found: Any = thing
        for piece in path:
            found = found.get(piece) if isinstance(found, dict) else None
        return empty if found is None else found

    return cell


def listed(values: list[str]) -> str:
    return ",".join(values) or NONE


def pod_status(pod: Obj, now: float) -> str:
    state = objects.status(pod)
    reason = state.get("reason") or state.get("phase") or "Unknown"
    for index, one in enumerate(state.get("initContainerStatuses") or []):
        ended = one["state"].get("terminated")
        if ended and ended.get("exitCode") == 0:
            continue
        total = len(state["initContainerStatuses"])
        waiting = one["state"].get("waiting") or {}
        if ended:
            reason = f"Init:{ended.get('reason') or 'ExitCode'}"
        elif waiting.get("reason") not in (None, "PodInitializing"):
            reason = f"Init:{waiting['reason']}"
        else:
            reason = f"Init:{index}/{total}"
        return "Terminating" if objects.deleting(pod) else reason
    for one in state.get("containerStatuses") or []:
        for kind in ("waiting", "terminated"):
            detail = one["state"].get(kind)
            if (
                detail
                and detail.get("reason")
                and not (kind == "terminated" and state["phase"] == "Succeeded")
            ):
                reason = detail["reason"]
    if state.get("phase") == "Succeeded":
        reason = "Completed"
    return "Terminating" if objects.deleting(pod) else reason


def pod_ready(pod: Obj, now: float) -> str:
    found = objects.status(pod).get("containerStatuses") or []
    ready = sum(1 for one in found if one.get("ready"))
    return f"{ready}/{len(objects.spec(pod).get('containers') or [])}"


def restarts(pod: Obj, now: float) -> str:
    found = objects.status(pod).get("containerStatuses") or []
    count = sum(one.get("restartCount", 0) for one in found)
    ended = [((one.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for one in found]
    last = max((objects.seconds(one) for one in ended if one), default=0.0)
    return f"{count} ({span(now - last)} ago)" if count and last else str(count)


def images(kind: str) -> Cell:
    def cell(thing: Obj, now: float) -> str:
        found = objects.spec(thing).get("template", {}).get("spec", {}).get("containers") or []
        return ",".join(one.get(kind) or "" for one in found)

    return cell


def selector(thing: Obj, now: float) -> str:
    return selector_text(objects.spec(thing).get("selector")) or NONE


def ports(service: Obj, now: float) -> str:
    return listed(
        [
            f"{one['port']}:{one['nodePort']}/{one['protocol']}"
            if one.get("nodePort")
            else f"{one['port']}/{one['protocol']}"
            for one in objects.spec(service).get("ports") or []
        ]
    )


def pairs(*path: str) -> Cell:
    read = at(*path, empty={})
    return lambda thing, now: listed([f"{k}={v}" for k, v in sorted(read(thing, now).items())])


def external(service: Obj, now: float) -> str:
    match objects.spec(service).get("type"):
        case "LoadBalancer":
            return "<pending>"
        case "ExternalName":
            return str(objects.spec(service).get("externalName"))
    return NONE


def endpoints(thing: Obj, now: float) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in thing.get("subsets") or []
        for port in subset.get("ports") or []
        for address in subset.get("addresses") or []
    ]
    return listed(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")


def roles(node: Obj, now: float) -> str:
    prefix = "node-role.kubernetes.io/"
    return listed([key.removeprefix(prefix) for key in objects.labels(node) if key.startswith(prefix)])


def node_status(node: Obj, now: float) -> str:
    ready = objects.condition(node, "Ready")
    text = "Ready" if ready and ready.get("status") == "True" else "NotReady"
    return f"{text},SchedulingDisabled" if objects.spec(node).get("unschedulable") else text


def ratio(have: str, want: str) -> Cell:
    return lambda thing, now: f"{objects.status(thing).get(have) or 0}/{objects.spec(thing).get(want, 0)}"


def job_status(job: Obj, now: float) -> str:
    for kind in ("Complete", "Failed", "Suspended"):
        found = objects.condition(job, kind)
        if found and found.get("status") == "True":
            return kind
    return "Terminating" if objects.deleting(job) else "Running"


def duration(job: Obj, now: float) -> str:
    state = objects.status(job)
    if not state.get("startTime"):
        return ""
    end = objects.seconds(state["completionTime"]) if state.get("completionTime") else now
    return span(end - objects.seconds(state["startTime"]))


def targets(scaler: Obj, now: float) -> str:
    current = objects.status(scaler).get("currentMetrics") or []
    parts = []
    for index, metric in enumerate(objects.spec(scaler).get("metrics") or []):
        kind = metric["type"][0].lower() + metric["type"][1:]
        target = metric[kind]["target"]
        seen = current[index].get(kind, {}).get("current", {}) if index < len(current) else {}
        if target["type"] == "Utilization":
            value = seen.get("averageUtilization")
            shown = f"{'<unknown>' if value is None else f'{value}%'}/{target['averageUtilization']}%"
            parts.append(f"{metric[kind]['name']}: {shown}")
        else:
            key = "averageValue" if target["type"] == "AverageValue" else "value"
            suffix = " (avg)" if key == "averageValue" else ""
            parts.append(f"{seen.get(key, '<unknown>')}/{target[key]}{suffix}")
    return ", ".join(parts) or NONE


def reference(scaler: Obj, now: float) -> str:
    target = objects.spec(scaler).get("scaleTargetRef") or {}
    return f"{target.get('kind')}/{target.get('name')}"


def rule_count(kind: str) -> Cell:
    return lambda thing, now: str(objects.spec(thing).get(kind, "N/A"))


def hosts(ingress: Obj, now: float) -> str:
    return ",".join(one.get("host") or "*" for one in objects.spec(ingress).get("rules") or []) or "*"


def role_reference(binding: Obj, now: float) -> str:
    return f"{binding['roleRef']['kind']}/{binding['roleRef']['name']}"


def subjects(kind: str) -> Cell:
    def cell(binding: Obj, now: float) -> str:
        found = [one for one in binding.get("subjects") or [] if one["kind"] == kind]
        return ", ".join(
            f"{one['namespace']}/{one['name']}" if one.get("namespace") else one["name"] for one in found
        )

    return cell


def seen(event: Obj, now: float) -> str:
    last = objects.seconds(event.get("lastTimestamp") or event.get("eventTime"))
    first = objects.seconds(event.get("firstTimestamp"))
    count = event.get("count") or 1
    return f"{span(now - last)} (x{count} over {span(now - first)})" if count > 1 else span(now - last)


def involved(event: Obj, now: float) -> str:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind')).lower()}/{about.get('name')}"


def size(*fields: str) -> Cell:
    return lambda thing, now: sum(len(thing.get(field) or {}) for field in fields)
