"""scale, eviction and token: what can be asked of an object apart from the object itself.

Source: https://kubernetes.io/docs/reference/kubernetes-api/ (each kind), https://kubernetes.io/docs/concepts/
scheduling-eviction/api-eviction/ and https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/
token-request-v1/
"""

from __future__ import annotations

from typing import Any

from labs.services.kubernetes import objects, patches, schemas, selectors
from labs.services.kubernetes.context import Context
from labs.services.kubernetes.deleting import Deleter
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import BUDGETS, PODS, SECRETS, SERVICEACCOUNTS, Resource
from labs.services.kubernetes.statuses import (
    ApiError,
    Cause,
    bad_request,
    conflict,
    invalid,
    not_found,
    status,
    too_many,
)
from labs.services.kubernetes.store import Store
from labs.services.kubernetes.tokens import ISSUER, LONGEST, SHORTEST, USUAL, Tokens
from labs.services.kubernetes.writing import Writer, patched


def selector_text(selector: Obj | None) -> str:
    """A LabelSelector as text: a=b,c in (d,e)."""
    parts = [f"{key}={value}" for key, value in sorted(((selector or {}).get("matchLabels") or {}).items())]
    for one in (selector or {}).get("matchExpressions") or []:
        values = ",".join(sorted(one.get("values") or []))
        parts.append(
            {
                "In": f"{one['key']} in ({values})",
                "NotIn": f"{one['key']} notin ({values})",
                "Exists": one["key"],
                "DoesNotExist": f"!{one['key']}",
            }[one["operator"]]
        )
    return ",".join(parts)


class Subresources:
    def __init__(self, store: Store, writer: Writer, deleter: Deleter, tokens: Tokens) -> None:
        self._store, self._writer, self._deleter, self._tokens = store, writer, deleter, tokens

    def scale(self, resource: Resource, namespace: str, name: str) -> Obj:
        thing = self._writer.current(resource, namespace, name)
        meta = objects.meta(thing)
        kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {key: meta[key] for key in kept},
            "spec": {"replicas": objects.spec(thing).get("replicas", 0)},
            "status": {
                "replicas": objects.status(thing).get("replicas", 0),
                "selector": selector_text(objects.spec(thing).get("selector")),
            },
        }

    def set_scale(self, resource: Resource, namespace: str, name: str, body: Any, ctx: Context) -> Obj:
        if not isinstance(body, dict) or body.get("kind") not in (None, "Scale"):
            raise bad_request("the body of the request is not a Scale")
        wanted = (body.get("spec") or {}).get("replicas", 0)
        if not isinstance(wanted, int) or isinstance(wanted, bool):
            raise bad_request("Scale.spec.replicas: a whole number was expected")
        if wanted < 0:
            cause = Cause(
                "FieldValueInvalid",
                "spec.replicas",
                f"Invalid value: {wanted}: must be greater than or equal to 0",
            )
            raise invalid(resource, name, [cause])
        before = self._writer.current(resource, namespace, name)
        version = objects.meta(body).get("resourceVersion")
        if version and version != objects.meta(before)["resourceVersion"]:
            raise conflict(resource, name)
        after = {**before, "spec": {**before["spec"], "replicas": wanted}}
        ctx.via = "scale"
        stored = self._writer.update(resource, namespace, name, after, ctx)
        found = self.scale(resource, namespace, name)
        found["spec"]["replicas"] = objects.spec(stored).get("replicas", 0)
        return found

    def patch_scale(
        self, resource: Resource, namespace: str, name: str, kind: str, body: Any, ctx: Context
    ) -> Obj:
        before = self.scale(resource, namespace, name)
        if kind.startswith("application/apply-patch"):
            after = patches.merge_patch(before, body)
        else:
            after = patched(before, kind, body, schemas.shape("io.k8s.api.autoscaling.v1.Scale"))
        return self.set_scale(resource, namespace, name, after, ctx)

    def evict(self, namespace: str, name: str, body: Any, ctx: Context) -> Obj:
        """Delete a pod if the disruption budgets allow it.

        Raises:
            ApiError: 429, a budget does not allow it now.
        """
        pod = self._writer.current(PODS, namespace, name)
        options = (body or {}).get("deleteOptions") or {}
        ctx.dry_run = ctx.dry_run or "All" in (options.get("dryRun") or [])
        done = status(201, "", "")
        phase = objects.status(pod).get("phase")
        if phase in ("Succeeded", "Failed", "Pending") or objects.deleting(pod):
            self._deleter.delete(PODS, pod, options, ctx)
            return {**done, "code": 201}
        budgets = [
            one
            for one in self._store.every(BUDGETS, namespace)
            if selectors.matches(objects.spec(one).get("selector"), objects.labels(pod))
        ]
        if len(budgets) > 1:
            raise ApiError(
                500,
                "InternalError",
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            )
        with self._store.transaction():
            for budget in budgets:
                self._take_from(budget, pod, ctx)
            self._deleter.delete(PODS, pod, options, ctx)
        return {**done, "code": 201}

    def _take_from(self, budget: Obj, pod: Obj, ctx: Context) -> None:
        state, spec = objects.status(budget), objects.spec(budget)
        ready = objects.condition(pod, "Ready")
        healthy = state.get("currentHealthy", 0) >= state.get("desiredHealthy", 0) > 0
        if not ready or ready.get("status") != "True":
            always = spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
            if always or healthy:
                return
        observed = state.get("observedGeneration", 0) >= objects.meta(budget).get("generation", 0)
        if state.get("disruptionsAllowed", 0) < 1 or not observed:
            needs, has = state.get("desiredHealthy", 0), state.get("currentHealthy", 0)
            name = objects.name(budget)
            why = (
                f"The disruption budget {name} needs {needs} healthy pods and has {has} currently"
                if observed
                else f"The disruption budget {name} is still being processed by the server."
            )
            raise too_many(
                "Cannot evict pod as it would violate the pod's disruption budget.",
                [{"reason": "DisruptionBudget", "message": why}],
                retry=0 if observed else 10,
            )
        if ctx.dry_run:
            return
        after = objects.copy(budget)
        after["status"]["disruptionsAllowed"] -= 1
        disrupted = after["status"].setdefault("disruptedPods", {})
        disrupted[objects.name(pod)] = objects.timestamp(ctx.now)
        self._store.put(BUDGETS, after)

    def token(self, namespace: str, name: str, body: Any, ctx: Context) -> Obj:
        """A TokenRequest with its token."""
        account = self._writer.current(SERVICEACCOUNTS, namespace, name)
        spec = dict((body or {}).get("spec") or {})
        lifetime = spec.get("expirationSeconds") or USUAL
        if not SHORTEST <= lifetime <= LONGEST:
            raise ApiError(
                422,
                "Invalid",
                f'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: {lifetime}: '
                "may not specify a duration less than 10 minutes",
            )
        audiences = list(spec.get("audiences") or [ISSUER])
        bound = self._bound(namespace, spec.get("boundObjectRef"))
        text = self._tokens.mint(account, ctx.now, lifetime, audiences, bound)
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "creationTimestamp": objects.timestamp(ctx.now),
            },
            "spec": {
                "audiences": audiences,
                "expirationSeconds": lifetime,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": text, "expirationTimestamp": objects.timestamp(ctx.now + lifetime)},
        }

    def _bound(self, namespace: str, reference: Obj | None) -> Obj | None:
        if not reference:
            return None
        resource = {"Pod": PODS, "Secret": SECRETS}.get(reference.get("kind") or "")
        if resource is None:
            raise bad_request(f"cannot bind token for object of type {reference.get('kind')}")
        found = self._store.get(resource, namespace, reference.get("name") or "")
        if found is None:
            raise not_found(resource, reference.get("name") or "")
        return found
