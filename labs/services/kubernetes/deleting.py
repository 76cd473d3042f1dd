"""Deletion: grace, finalizers, preconditions and what happens to dependents.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ and
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from __future__ import annotations

from labs.services.kubernetes import objects
from labs.services.kubernetes.context import Context
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import JOBS, NAMESPACES, PODS, Resource
from labs.services.kubernetes.statuses import bad_request, conflict
from labs.services.kubernetes.store import Store

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_POLICIES = ("Background", "Foreground", "Orphan")


class Deleter:
    def __init__(self, store: Store) -> None:
        self._store = store

    def delete(self, resource: Resource, thing: Obj, options: Obj, ctx: Context) -> tuple[Obj, bool]:
        """Delete, or begin to.

        Args:
            options: a DeleteOptions object.

        Returns:
            The object as it is now, and whether it is gone.
        """
        self._check(resource, thing, options)
        thing = objects.copy(thing)
        meta = thing["metadata"]
        policy = self._policy(resource, options, ctx)
        finalizers = [one for one in meta.get("finalizers") or [] if one not in (FOREGROUND, ORPHAN)]
        if policy == "Foreground" and self._has_dependents(thing):
            finalizers.append(FOREGROUND)
        elif policy == "Orphan" and self._has_dependents(thing):
            finalizers.append(ORPHAN)
        grace = self._grace(resource, thing, options)
        before = dict(meta)
        if resource is NAMESPACES:
            thing["status"] = {**objects.status(thing), "phase": "Terminating"}
        elif not grace and not finalizers:
            if not ctx.dry_run:
                thing = self._store.remove(resource, thing)
            return thing, True
        if finalizers != (meta.get("finalizers") or []):
            meta["finalizers"] = finalizers
        left = meta.get("deletionGracePeriodSeconds")
        if not meta.get("deletionTimestamp") or (left is not None and grace < left):
            meta["deletionTimestamp"] = objects.timestamp(ctx.now + grace)
            meta["deletionGracePeriodSeconds"] = grace
            if resource.generation:
                meta["generation"] = meta.get("generation", 0) + 1
        if meta != before and not ctx.dry_run:
            thing = self._store.put(resource, thing)
        return thing, False

    @staticmethod
    def _check(resource: Resource, thing: Obj, options: Obj) -> None:
        wanted = options.get("preconditions") or {}
        for field, shown in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if wanted.get(field) and wanted[field] != objects.meta(thing).get(field):
                raise conflict(
                    resource,
                    objects.name(thing),
                    f"Precondition failed: {shown} in precondition: {wanted[field]}, "
                    f"{shown} in object meta: {objects.meta(thing).get(field)}",
                )

    @staticmethod
    def _policy(resource: Resource, options: Obj, ctx: Context) -> str:
        policy = options.get("propagationPolicy")
        if policy and policy not in _POLICIES:
            raise bad_request(
                f"invalid deletion propagation policy {policy!r}: needed one of {', '.join(_POLICIES)}"
            )
        if policy and options.get("orphanDependents") is not None:
            raise bad_request("orphanDependents and deletionPropagation cannot be both set")
        if options.get("orphanDependents"):
            return "Orphan"
        if not policy and resource is JOBS and not ctx.own:
            ctx.warn(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
                "them or set propagationPolicy=Orphan to suppress this warning"
            )
            return "Orphan"
        return policy or "Background"

    @staticmethod
    def _grace(resource: Resource, thing: Obj, options: Obj) -> int:
        """Seconds; only pods that run on a node have any."""
        if resource is not PODS:
            return 0
        spec = objects.spec(thing)
        if not spec.get("nodeName") or objects.status(thing).get("phase") in ("Succeeded", "Failed"):
            return 0
        asked = options.get("gracePeriodSeconds")
        return int(spec.get("terminationGracePeriodSeconds", 30) if asked is None else max(0, asked))

    def _has_dependents(self, thing: Obj) -> bool:
        return bool(self._store.owned(objects.uid(thing)))
