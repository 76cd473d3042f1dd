"""Services, Ingresses and NetworkPolicies.

Source: https://kubernetes.io/docs/concepts/services-networking/
"""

from __future__ import annotations

import ipaddress

from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.validation.report import Report

NODE_PORTS = range(30000, 32768)


def service(report: Report, thing: Obj) -> None:
    spec = thing["spec"]
    kind = spec.get("type")
    report.one_of("spec.type", kind, ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"))
    report.one_of("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    report.labels("spec.selector", spec.get("selector"))
    ports = spec.get("ports") or []
    headless = spec.get("clusterIP") == "None"
    if kind == "ExternalName":
        if not spec.get("externalName"):
            report.required("spec.externalName")
    elif not ports and not headless:
        report.required("spec.ports")
    if headless and kind in ("NodePort", "LoadBalancer"):
        report.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    names: set[str] = set()
    pairs: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        place = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            report.required(f"{place}.name")
        if name := port.get("name"):
            report.label_name(f"{place}.name", name)
            if name in names:
                report.duplicate(f"{place}.name", name)
            names.add(name)
        report.port(f"{place}.port", port.get("port"))
        report.one_of(f"{place}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
        report.port_or_name(f"{place}.targetPort", port.get("targetPort"))
        if port.get("nodePort"):
            if kind not in ("NodePort", "LoadBalancer"):
                report.forbidden(f"{place}.nodePort", f"may not be used when `type` is '{kind}'")
            elif port["nodePort"] not in NODE_PORTS:
                report.invalid(
                    f"{place}.nodePort",
                    port["nodePort"],
                    "provided port is not in the valid range. The range of valid ports is 30000-32767",
                )
        pair = (port.get("protocol") or "", port.get("port") or 0)
        if pair in pairs:
            report.duplicate(place, port)
        pairs.add(pair)


def ingress(report: Report, thing: Obj) -> None:
    spec = thing.get("spec") or {}
    if not spec.get("defaultBackend") and not spec.get("rules"):
        report.invalid("spec", spec, "either `defaultBackend` or `rules` must be specified")
    for index, rule in enumerate(spec.get("rules") or []):
        for number, path in enumerate((rule.get("http") or {}).get("paths") or []):
            place = f"spec.rules[{index}].http.paths[{number}]"
            report.one_of(
                f"{place}.pathType", path.get("pathType"), ("Exact", "ImplementationSpecific", "Prefix")
            )
            text = path.get("path") or ""
            if path.get("pathType") in ("Exact", "Prefix") and not text.startswith("/"):
                report.invalid(f"{place}.path", text, "must be an absolute path")
            _backend(report, path.get("backend") or {}, f"{place}.backend")
    if spec.get("defaultBackend"):
        _backend(report, spec["defaultBackend"], "spec.defaultBackend")


def _backend(report: Report, backend: Obj, path: str) -> None:
    if bool(backend.get("service")) == bool(backend.get("resource")):
        report.required(path, "exactly one of `service` and `resource` must be specified")
    elif backend.get("service"):
        port = backend["service"].get("port") or {}
        if bool(port.get("number")) == bool(port.get("name")):
            report.required(f"{path}.service.port", "port name or number is required")


def network_policy(report: Report, thing: Obj) -> None:
    spec = thing.get("spec") or {}
    report.selector("spec.podSelector", spec.get("podSelector"))
    for index, kind in enumerate(spec.get("policyTypes") or []):
        report.one_of(f"spec.policyTypes[{index}]", kind, ("Egress", "Ingress"))
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or []):
            for number, port in enumerate(rule.get("ports") or []):
                place = f"spec.{direction}[{index}].ports[{number}]"
                report.one_of(f"{place}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
                if port.get("port") is not None:
                    report.port_or_name(f"{place}.port", port["port"])
                if port.get("endPort") is not None and not isinstance(port.get("port"), int):
                    report.required(f"{place}.port", "must be a number when `endPort` is specified")
            for number, peer in enumerate(rule.get(side) or []):
                _peer(report, peer, f"spec.{direction}[{index}].{side}[{number}]")


def _peer(report: Report, peer: Obj, path: str) -> None:
    block = peer.get("ipBlock")
    if block is None:
        if not {"podSelector", "namespaceSelector"} & {
            key for key, value in peer.items() if value is not None
        }:
            report.required(path, "must specify a peer")
        report.selector(f"{path}.podSelector", peer.get("podSelector"))
        report.selector(f"{path}.namespaceSelector", peer.get("namespaceSelector"))
        return
    if "podSelector" in peer or "namespaceSelector" in peer:
        report.forbidden(path, "may not specify both ipBlock and another peer")
    try:
        network = ipaddress.ip_network(block.get("cidr") or "")
    except ValueError:
        report.invalid(f"{path}.ipBlock.cidr", block.get("cidr"), "not a valid CIDR")
        return
    for index, text in enumerate(block.get("except") or []):
        try:
            inside = ipaddress.ip_network(text).subnet_of(network)  # type: ignore[arg-type]
        except (ValueError, TypeError):
            inside = False
        if not inside:
            report.invalid(f"{path}.ipBlock.except[{index}]", text, "must be a strict subset of `cidr`")
