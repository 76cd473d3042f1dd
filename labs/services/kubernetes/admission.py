"""What happens to an object between its decoding and its storing: additions, and refusals by policy.

The plugins that labs meet: NamespaceLifecycle, ServiceAccount, DefaultTolerationSeconds, PodSecurity,
the allocation of service addresses, and the rules against granting more than one has.

Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

import ipaddress

from labs.services.kubernetes import objects, pod_security, rbac, unsupported
from labs.services.kubernetes.context import Context, Identities
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import NAMESPACES, SERVICEACCOUNTS, SERVICES, Resource
from labs.services.kubernetes.statuses import Cause, forbidden, invalid, not_found
from labs.services.kubernetes.store import Store
from labs.services.kubernetes.users import Attributes

_SERVICE_NET = ipaddress.ip_network("10.96.0.0/16")
_NODE_PORTS = range(30000, 32768)
_TOKEN_PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
_EVICTING = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class Admission:
    def __init__(self, store: Store, authorizer: rbac.Authorizer, identities: Identities) -> None:
        self._store, self._authorizer, self._identities = store, authorizer, identities

    def namespace(self, resource: Resource, space: str, name: str, ctx: Context) -> None:
        """New objects need a namespace that is there to stay.

        Raises:
            ApiError: 404 or 403.
        """
        if not resource.namespaced:
            return
        found = self._store.get(NAMESPACES, "", space)
        if found is None:
            raise not_found(NAMESPACES, space)
        if objects.deleting(found) and not (ctx.own and resource.kind == "Event"):
            raise forbidden(
                resource,
                name,
                f"unable to create new content in namespace {space} because it is being terminated",
                [
                    {
                        "reason": "NamespaceTerminating",
                        "message": f"namespace {space} is being terminated",
                        "field": "metadata.namespace",
                    }
                ],
            )

    def mutate(self, resource: Resource, thing: Obj, before: Obj | None, ctx: Context) -> None:
        """Add in place what the server adds."""
        match resource.kind:
            case "Pod" if before is None:
                self._service_account(resource, thing)
                _default_tolerations(thing["spec"])
            case "Service":
                self._addresses(resource, thing, before)
            case "ClusterRole" if thing.get("aggregationRule") and before is not None:
                thing.setdefault("rules", before.get("rules") or [])

    def validate(self, resource: Resource, thing: Obj, before: Obj | None, ctx: Context) -> None:
        """Raises: ApiError 403 or 501."""
        unsupported.check(resource, thing)
        if resource.kind == "Pod" and (before is None or before["spec"] != thing["spec"]):
            self._pod_security(resource, thing, thing["spec"], ctx, enforce=True)
        template = (thing.get("spec") or {}).get("template") if resource.generation else None
        if template and (before is None or before["spec"].get("template") != template):
            self._pod_security(resource, thing, template["spec"], ctx, enforce=False)
        if resource.kind == "Namespace":
            _security_labels(resource, thing)
        if resource.group == "rbac.authorization.k8s.io" and not ctx.own:
            self._escalation(resource, thing, before, ctx)

    def _service_account(self, resource: Resource, thing: Obj) -> None:
        spec, space = thing["spec"], objects.namespace(thing)
        account = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = account
        found = self._store.get(SERVICEACCOUNTS, space, account)
        if found is None:
            raise forbidden(
                resource,
                objects.name(thing),
                f'error looking up service account {space}/{account}: serviceaccount "{account}" not found',
            )
        if not spec.get("imagePullSecrets") and found.get("imagePullSecrets"):
            spec["imagePullSecrets"] = found["imagePullSecrets"]
        wanted = spec.get("automountServiceAccountToken")
        if wanted is None:
            wanted = found.get("automountServiceAccountToken")
        if wanted is not False:
            _mount_token(spec, f"kube-api-access-{self._identities.suffix()}")

    def _pod_security(
        self, resource: Resource, thing: Obj, spec: Obj, ctx: Context, *, enforce: bool
    ) -> None:
        space = self._store.get(NAMESPACES, "", objects.namespace(thing))
        labels = objects.labels(space or {})
        level, version = pod_security.level_of(labels, "enforce"), pod_security.version_of(labels, "enforce")
        if enforce and (found := pod_security.violations(level, spec)):
            raise forbidden(
                resource, objects.name(thing), f'violates PodSecurity "{level}:{version}": {", ".join(found)}'
            )
        level, version = pod_security.level_of(labels, "warn"), pod_security.version_of(labels, "warn")
        if found := pod_security.violations(level, spec):
            ctx.warn(f'would violate PodSecurity "{level}:{version}": {", ".join(found)}')

    def _escalation(self, resource: Resource, thing: Obj, before: Obj | None, ctx: Context) -> None:
        space, name = objects.namespace(thing), objects.name(thing)

        def may(verb: str, kind: str, about: str) -> bool:
            asked = Attributes(verb, resource.group, kind, "", space, about)
            return self._authorizer.decide(ctx.user, asked).allowed

        owned = self._authorizer.rules(ctx.user, space)
        if resource.kind in ("Role", "ClusterRole"):
            if thing.get("aggregationRule") and (
                before is None or before.get("aggregationRule") != thing["aggregationRule"]
            ):
                rules: list[Obj] = [
                    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                    {"nonResourceURLs": ["*"], "verbs": ["*"]},
                ]
            elif before is not None and before.get("rules") == thing.get("rules"):
                return
            else:
                rules = thing.get("rules") or []
            if may("escalate", resource.plural, name):
                return
        else:
            reference = thing["roleRef"]
            if before is not None and before.get("subjects") == thing.get("subjects"):
                return
            plural = "clusterroles" if reference["kind"] == "ClusterRole" else "roles"
            if may("bind", plural, reference["name"]):
                return
            found = self._authorizer.role_rules(reference, space)
            if found is None:
                raise forbidden(
                    resource, name, f'{plural}.rbac.authorization.k8s.io "{reference["name"]}" not found'
                )
            rules = found
        missing = [rule for rule in rules if not rbac.covers(owned, rule)]
        if missing:
            shown = "\n".join(_shown_rule(rule) for rule in missing)
            raise forbidden(
                resource,
                name,
                f'user "{ctx.user.name}" (groups={list(ctx.user.groups)}) is attempting to grant RBAC '
                f"permissions not currently held:\n{shown}",
            )

    def _addresses(self, resource: Resource, thing: Obj, before: Obj | None) -> None:
        spec, old = thing["spec"], (before or {}).get("spec") or {}
        if spec["type"] == "ExternalName":
            return
        others = [
            one["spec"]
            for one in self._store.every(SERVICES)
            if objects.uid(one) != objects.uid(before or {"": 0})
        ]
        if not spec.get("clusterIP"):
            spec["clusterIP"] = old.get("clusterIP") or _free_address(others)
        elif spec["clusterIP"] not in ("None", old.get("clusterIP")):
            self._wanted_address(resource, thing, others)
        spec["clusterIPs"] = [spec["clusterIP"]]
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if spec["type"] not in ("NodePort", "LoadBalancer"):
            if old.get("type") in ("NodePort", "LoadBalancer"):
                for port in spec.get("ports") or []:
                    port.pop("nodePort", None)
            return
        used = {port.get("nodePort") for one in others for port in one.get("ports") or []} - {None}
        kept = {(p.get("name"), p.get("port")): p.get("nodePort") for p in old.get("ports") or []}
        for index, port in enumerate(spec.get("ports") or []):
            wanted = port.get("nodePort") or kept.get((port.get("name"), port.get("port")))
            if wanted in used:
                raise invalid(
                    resource,
                    objects.name(thing),
                    [
                        Cause(
                            "FieldValueInvalid",
                            f"spec.ports[{index}].nodePort",
                            f"Invalid value: {wanted}: provided port is already allocated",
                        )
                    ],
                )
            port["nodePort"] = wanted or next(number for number in _NODE_PORTS if number not in used)
            used.add(port["nodePort"])

    def _wanted_address(self, resource: Resource, thing: Obj, others: list[Obj]) -> None:
        wanted, why = thing["spec"]["clusterIP"], ""
        try:
            if ipaddress.ip_address(wanted) not in _SERVICE_NET:
                why = f"the provided IP ({wanted}) is not in the valid range {_SERVICE_NET}"
        except ValueError:
            why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        if any(one.get("clusterIP") == wanted for one in others):
            why = "provided IP is already allocated"
        if why:
            cause = Cause("FieldValueInvalid", "spec.clusterIPs", f'Invalid value: ["{wanted}"]: {why}')
            raise invalid(resource, objects.name(thing), [cause])


def _free_address(others: list[Obj]) -> str:
    used = {one.get("clusterIP") for one in others}
    hosts = _SERVICE_NET.hosts()
    next(hosts)  # of the API server itself
    return next(text for host in hosts if (text := str(host)) not in used)


def _default_tolerations(spec: Obj) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for key in _EVICTING:
        if not any(one.get("key") in (None, "", key) for one in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )


def _mount_token(spec: Obj, volume: str) -> None:
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    bare = [
        one
        for one in containers
        if not any(mount.get("mountPath") == _TOKEN_PLACE for mount in one.get("volumeMounts") or [])
    ]
    for one in bare:
        mount = {"name": volume, "readOnly": True, "mountPath": _TOKEN_PLACE}
        one["volumeMounts"] = [*(one.get("volumeMounts") or []), mount]
    if bare:
        source = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
        spec["volumes"] = [
            *(spec.get("volumes") or []),
            {"name": volume, "projected": {"sources": [source], "defaultMode": 0o644}},
        ]


def _security_labels(resource: Resource, thing: Obj) -> None:
    causes = []
    for mode in ("enforce", "audit", "warn"):
        label = f"pod-security.kubernetes.io/{mode}"
        level = objects.labels(thing).get(label)
        if level is not None and level not in pod_security.LEVELS:
            causes.append(
                Cause(
                    "FieldValueInvalid",
                    f"metadata.labels[{label}]",
                    f'Invalid value: "{level}": must be one of privileged, baseline, restricted',
                )
            )
    if causes:
        raise invalid(resource, objects.name(thing), causes)


def _shown_rule(rule: Obj) -> str:
    keys = (
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("ResourceNames", "resourceNames"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("Verbs", "verbs"),
    )
    parts = [f"{shown}:{rule[key]}".replace("'", '"') for shown, key in keys if rule.get(key)]
    return "{" + ", ".join(parts) + "}"
