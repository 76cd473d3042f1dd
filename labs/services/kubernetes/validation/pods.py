"""What a pod's spec must keep, wherever it stands: in a Pod or in a template.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.quantities import quantity
from labs.services.kubernetes.validation.report import ENVIRONMENT, Report

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")


def check_spec(report: Report, spec: Obj, path: str) -> None:
    volumes = _volumes(report, spec.get("volumes") or [], f"{path}.volumes")
    if not spec.get("containers"):
        report.required(f"{path}.containers")
    seen: set[str] = set()
    for field in ("containers", "initContainers"):
        for index, one in enumerate(spec.get(field) or []):
            place = f"{path}.{field}[{index}]"
            _container(report, one, place, volumes, init=field == "initContainers")
            if one.get("name") in seen:
                report.duplicate(f"{place}.name", one["name"])
            seen.add(one.get("name") or "")
    if spec.get("ephemeralContainers"):
        report.forbidden(f"{path}.ephemeralContainers", "cannot be set on create")
    report.one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), ("Always", "OnFailure", "Never"))
    report.one_of(
        f"{path}.dnsPolicy",
        spec.get("dnsPolicy"),
        ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
    )
    report.between(f"{path}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"), 0)
    report.between(f"{path}.activeDeadlineSeconds", spec.get("activeDeadlineSeconds"), 1, 2**31 - 1)
    if spec.get("serviceAccountName"):
        report.subdomain(f"{path}.serviceAccountName", spec["serviceAccountName"])
    report.labels(f"{path}.nodeSelector", spec.get("nodeSelector"))
    _user(report, spec.get("securityContext") or {}, f"{path}.securityContext")
    _tolerations(report, spec.get("tolerations") or [], f"{path}.tolerations")
    _spread(report, spec.get("topologySpreadConstraints") or [], f"{path}.topologySpreadConstraints")


def _container(report: Report, one: Obj, path: str, volumes: set[str], *, init: bool) -> None:
    if not one.get("name"):
        report.required(f"{path}.name")
    else:
        report.label_name(f"{path}.name", one["name"])
    image = one.get("image") or ""
    if not image:
        report.required(f"{path}.image")
    elif image != image.strip():
        report.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    report.one_of(f"{path}.imagePullPolicy", one.get("imagePullPolicy"), ("Always", "IfNotPresent", "Never"))
    _ports(report, one.get("ports") or [], f"{path}.ports")
    for index, variable in enumerate(one.get("env") or []):
        _variable(report, variable, f"{path}.env[{index}]")
    for index, source in enumerate(one.get("envFrom") or []):
        if len(set(source) & {"configMapRef", "secretRef"}) != 1:
            report.invalid(
                f"{path}.envFrom[{index}]", source, "must specify one of: `configMapRef` or `secretRef`"
            )
    _mounts(report, one.get("volumeMounts") or [], f"{path}.volumeMounts", volumes)
    check_resources(report, one.get("resources") or {}, f"{path}.resources")
    probes = ("livenessProbe", "readinessProbe", "startupProbe")
    for name in probes:
        if one.get(name) is not None:
            if init and one.get("restartPolicy") != "Always":
                report.forbidden(
                    f"{path}.{name}", "may not be set for init containers without restartPolicy=Always"
                )
            else:
                _probe(report, one[name], f"{path}.{name}", once=name != "readinessProbe")
    if init and one.get("restartPolicy") not in (None, "Always"):
        report.one_of(f"{path}.restartPolicy", one["restartPolicy"], ("Always",))
    if not init and one.get("restartPolicy"):
        report.forbidden(f"{path}.restartPolicy", "may not be set for non-init containers")
    for hook in ("postStart", "preStop"):
        handler = (one.get("lifecycle") or {}).get(hook)
        if handler is not None:
            _handler(report, handler, f"{path}.lifecycle.{hook}", (*_HANDLERS[:3], "sleep"))
    context = one.get("securityContext") or {}
    _user(report, context, f"{path}.securityContext")
    if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
        report.invalid(
            f"{path}.securityContext",
            context,
            "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        )


def _user(report: Report, context: Obj, path: str) -> None:
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        report.between(f"{path}.{field}", context.get(field), 0, 2**31 - 1)


def _ports(report: Report, ports: list[Obj], path: str) -> None:
    names: set[str] = set()
    for index, port in enumerate(ports):
        place = f"{path}[{index}]"
        if name := port.get("name"):
            report.port_or_name(f"{place}.name", name)
            if name in names:
                report.duplicate(f"{place}.name", name)
            names.add(name)
        if not port.get("containerPort"):
            report.required(f"{place}.containerPort")
        report.port(f"{place}.containerPort", port.get("containerPort") or None)
        if port.get("hostPort"):
            report.port(f"{place}.hostPort", port["hostPort"])
        report.one_of(f"{place}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))


def _variable(report: Report, variable: Obj, path: str) -> None:
    name = variable.get("name") or ""
    if not name:
        report.required(f"{path}.name")
    elif not ENVIRONMENT.fullmatch(name):
        report.invalid(
            f"{path}.name",
            name,
            "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
            "and must not start with a digit",
        )
    source = variable.get("valueFrom")
    if source is None:
        return
    if variable.get("value"):
        report.invalid(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    known = {"fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"}
    if len(set(source) & known) != 1:
        report.invalid(
            f"{path}.valueFrom",
            source,
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        )
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if kind in source and not source[kind].get("name"):
            report.required(f"{path}.valueFrom.{kind}.name")


def _volumes(report: Report, volumes: list[Obj], path: str) -> set[str]:
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        name = volume.get("name") or ""
        report.label_name(f"{path}[{index}].name", name)
        if name in names:
            report.duplicate(f"{path}[{index}].name", name)
        names.add(name)
        if len(set(volume) - {"name"}) > 1:
            kind = sorted(set(volume) - {"name"})[1]
            report.forbidden(f"{path}[{index}].{kind}", "may not specify more than 1 volume type")
        for source, key in (
            ("secret", "secretName"),
            ("configMap", "name"),
            ("persistentVolumeClaim", "claimName"),
        ):
            if source in volume and not volume[source].get(key):
                report.required(f"{path}[{index}].{source}.{key}")
    return names


def _mounts(report: Report, mounts: list[Obj], path: str, volumes: set[str]) -> None:
    places: set[str] = set()
    for index, mount in enumerate(mounts):
        if mount.get("name") not in volumes:
            report.not_found(f"{path}[{index}].name", mount.get("name"))
        target = mount.get("mountPath")
        if target in places:
            report.invalid(f"{path}[{index}].mountPath", target, "must be unique")
        places.add(target or "")


def check_resources(report: Report, resources: Obj, path: str) -> None:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            report.amount(f"{path}.{kind}[{name}]", value)
            if (
                "/" not in name
                and name not in ("cpu", "memory", "ephemeral-storage")
                and not name.startswith("hugepages-")
            ):
                report.invalid(f"{path}.{kind}[{name}]", name, "must be a standard resource for containers")
    for name, request in requests.items():
        if name in limits and _more(request, limits[name]):
            report.invalid(
                f"{path}.requests",
                str(request),
                f"must be less than or equal to {name} limit of {limits[name]}",
            )
        elif "/" in name and name not in limits:
            report.required(f"{path}.limits", "Limit must be set for non overcommitable resources")


def _more(left: Any, right: Any) -> bool:
    try:
        return quantity(left) > quantity(right)
    except ValueError:
        return False


def _probe(report: Report, probe: Obj, path: str, *, once: bool) -> None:
    _handler(report, probe, path, _HANDLERS)
    report.between(f"{path}.initialDelaySeconds", probe.get("initialDelaySeconds"), 0)
    for field in ("timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        report.between(f"{path}.{field}", probe.get(field), 1)
    if once and (probe.get("successThreshold") or 1) != 1:
        report.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")
    if not once and probe.get("terminationGracePeriodSeconds") is not None:
        report.invalid(
            f"{path}.terminationGracePeriodSeconds",
            probe["terminationGracePeriodSeconds"],
            "must not be set for readinessProbes",
        )


def _handler(report: Report, handler: Obj, path: str, known: tuple[str, ...]) -> None:
    given = [kind for kind in known if handler.get(kind) is not None]
    if not given:
        report.required(path, "must specify a handler type")
    for extra in given[1:]:
        report.forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    for kind in ("httpGet", "tcpSocket"):
        if handler.get(kind):
            port = handler[kind].get("port")
            report.port_or_name(f"{path}.{kind}.port", 0 if port is None else port)
    if handler.get("httpGet"):
        report.one_of(f"{path}.httpGet.scheme", handler["httpGet"].get("scheme"), ("HTTP", "HTTPS"))
    if handler.get("grpc"):
        report.port(f"{path}.grpc.port", handler["grpc"].get("port") or 0)
    if handler.get("exec") is not None and not (handler["exec"] or {}).get("command"):
        report.required(f"{path}.exec.command")


def _tolerations(report: Report, tolerations: list[Obj], path: str) -> None:
    for index, one in enumerate(tolerations):
        place = f"{path}[{index}]"
        if not one.get("key") and one.get("operator", "Exists") != "Exists":
            report.invalid(
                f"{place}.operator", one.get("operator"), "operator must be Exists when `key` is empty"
            )
        if one.get("operator") == "Exists" and one.get("value"):
            report.invalid(f"{place}.operator", one, "value must be empty when `operator` is 'Exists'")
        if one.get("effect"):
            report.one_of(f"{place}.effect", one["effect"], ("NoSchedule", "PreferNoSchedule", "NoExecute"))


def _spread(report: Report, constraints: list[Obj], path: str) -> None:
    for index, one in enumerate(constraints):
        if (one.get("maxSkew") or 0) < 1:
            report.invalid(f"{path}[{index}].maxSkew", one.get("maxSkew"), "must be greater than zero")
        known = ("DoNotSchedule", "ScheduleAnyway")
        report.one_of(f"{path}[{index}].whenUnsatisfiable", one.get("whenUnsatisfiable"), known)
        selector = one.get("labelSelector")
        report.selector(f"{path}[{index}].labelSelector", selector)
        _label_keys(report, one.get("matchLabelKeys") or [], selector, f"{path}[{index}].matchLabelKeys")


def _label_keys(report: Report, keys: list[str], selector: Obj | None, path: str) -> None:
    if keys and selector is None:
        report.forbidden(path, "must not be specified when labelSelector is not set")
    selected = {
        *((selector or {}).get("matchLabels") or {}),
        *(one.get("key") for one in (selector or {}).get("matchExpressions") or []),
    }
    for index, key in enumerate(keys):
        if key in selected:
            report.invalid(f"{path}[{index}]", key, "exists in both matchLabelKeys and labelSelector")


def named_ports(spec: Obj) -> Iterator[tuple[str, int]]:
    """(name, number) of every named container port."""
    for container in spec.get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name"):
                yield port["name"], port["containerPort"]
