"""Create, update, patch and apply: how a body becomes a stored object.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from typing import Any

from labs.services.kubernetes import apply, decoding, defaults, objects, patches, schemas, validation
from labs.services.kubernetes.admission import Admission
from labs.services.kubernetes.apply import Manager, Owners
from labs.services.kubernetes.context import Context, Identities
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.patches import PATCHES
from labs.services.kubernetes.quality import quality
from labs.services.kubernetes.resources import Resource
from labs.services.kubernetes.statuses import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
)
from labs.services.kubernetes.store import Store

_SERVERS_OWN = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
_FIRST_STATUS: dict[str, Obj] = {
    "Namespace": {"phase": "Active"},
    "Pod": {"phase": "Pending"},
    "Service": {"loadBalancer": {}},
    "Ingress": {"loadBalancer": {}},
    "Deployment": {},
    "ReplicaSet": {"replicas": 0},
    "Job": {},
    "PodDisruptionBudget": {
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "disruptionsAllowed": 0,
        "expectedPods": 0,
    },
    "HorizontalPodAutoscaler": {"currentReplicas": 0, "desiredReplicas": 0},
}


class Writer:
    """Every write to the store but deletion goes through here, those of the controllers as well."""

    def __init__(self, store: Store, admission: Admission, identities: Identities) -> None:
        self._store, self._admission, self._identities = store, admission, identities

    def current(self, resource: Resource, namespace: str, name: str) -> Obj:
        """Raises: ApiError 404."""
        found = self._store.get(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def create(self, resource: Resource, namespace: str, body: Any, ctx: Context) -> Obj:
        thing = self._named(resource, namespace, decoding.typed(resource, body, ctx))
        if objects.meta(thing).get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        thing["metadata"].pop("managedFields", None)
        return self._insert(resource, thing, ctx, None)

    def _named(self, resource: Resource, namespace: str, thing: Obj) -> Obj:
        meta = thing["metadata"] = dict(thing.get("metadata") or {})
        if resource.namespaced:
            if meta.get("namespace") not in (None, "", namespace):
                raise bad_request(
                    f"the namespace of the provided object does not match the namespace sent on the request "
                    f"({meta['namespace']} is not {namespace})"
                )
            meta["namespace"] = namespace
        elif meta.get("namespace"):
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = f"{meta['generateName'][:58]}{self._identities.suffix()}"
        return thing

    def _insert(self, resource: Resource, thing: Obj, ctx: Context, owners: Owners | None) -> Obj:
        name, space = objects.name(thing), objects.namespace(thing)
        for field in (*_SERVERS_OWN, "generation"):
            thing["metadata"].pop(field, None)
        if resource.has_status:
            thing.pop("status", None)
            thing["status"] = dict(_FIRST_STATUS.get(resource.kind) or {})
        self._admission.namespace(resource, space, name, ctx)
        defaults.fill(resource.kind, thing)
        if owners is None and not ctx.own:  # of what was sent and its defaults, not of what is added below
            manager = Manager(ctx.manager, "Update", resource.api_version)
            owners = apply.update({}, _unstatused(thing), {}, manager, schemas.shape(resource.definition))
        thing["metadata"].update(uid=self._identities.uid(), creationTimestamp=objects.timestamp(ctx.now))
        if resource.kind == "Job":
            _job_labels(thing)
        self._admission.mutate(resource, thing, None, ctx)
        if causes := validation.causes(resource, thing, None):
            raise invalid(resource, name, causes)
        self._admission.validate(resource, thing, None, ctx)
        if self._store.get(resource, space, name) is not None:
            raise already_exists(resource, name)
        if resource.generation:
            thing["metadata"]["generation"] = 1
        if resource.kind == "Pod":
            thing["status"]["qosClass"] = quality(thing["spec"])
        if owners:
            thing["metadata"]["managedFields"] = apply.write(owners, None, objects.timestamp(ctx.now))
        return thing if ctx.dry_run else self._store.put(resource, thing)

    def update(
        self, resource: Resource, namespace: str, name: str, body: Any, ctx: Context, part: str = ""
    ) -> Obj:
        """Replace an object, or its status if `part` is "status"."""
        thing = self._named(resource, namespace, decoding.typed(resource, body, ctx))
        if objects.name(thing) != name:
            raise bad_request(
                f"the name of the object ({objects.name(thing)}) does not match the name on the URL ({name})"
            )
        return self._replace(resource, self.current(resource, namespace, name), thing, ctx, None, part)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        kind: str,
        body: Any,
        ctx: Context,
        part: str = "",
    ) -> tuple[Obj, bool]:
        """The patched object, and whether it is new (only server-side apply makes one)."""
        if kind == PATCHES[3]:
            return self._apply(resource, namespace, name, body, ctx, part)
        before = self.current(resource, namespace, name)
        after = decoding.typed(resource, patched(before, kind, body, schemas.shape(resource.definition)), ctx)
        if objects.name(after) != name or objects.namespace(after) != objects.namespace(before):
            raise bad_request("the name and namespace of an object cannot be changed by a patch")
        return self._replace(resource, before, after, ctx, None, part), False

    def _apply(
        self, resource: Resource, namespace: str, name: str, body: Any, ctx: Context, part: str
    ) -> tuple[Obj, bool]:
        if not isinstance(body, dict) or not body.get("apiVersion") or not body.get("kind"):
            raise bad_request("an applied configuration must have apiVersion and kind")
        wanted = self._named(resource, namespace, decoding.typed(resource, body, ctx))
        if objects.meta(wanted).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if wanted["metadata"].setdefault("name", name) != name:
            raise bad_request(f"name in the configuration ({objects.name(wanted)}) is not {name}")
        before = self._store.get(resource, namespace, name)
        shape = schemas.shape(resource.definition)
        manager = Manager(ctx.manager, "Apply", resource.api_version, part)
        if part and before is None:
            raise not_found(resource, name)
        base: Obj = objects.copy(before) if before else {"metadata": {}}
        stated = {"metadata": wanted["metadata"], part: wanted.get(part)} if part else _unstatused(wanted)
        after, owners = apply.apply(base, apply.read(base), stated, manager, shape, force=ctx.force)
        after = {**after, "apiVersion": resource.api_version, "kind": resource.kind}
        if before is None:
            after["metadata"].pop("resourceVersion", None)
            return self._insert(resource, after, ctx, owners), True
        return self._replace(resource, before, after, ctx, owners, part), False

    def _replace(
        self, resource: Resource, before: Obj, after: Obj, ctx: Context, owners: Owners | None, part: str
    ) -> Obj:
        name, meta, old = objects.name(before), after["metadata"], objects.meta(before)
        if meta.get("resourceVersion") not in (None, "", old["resourceVersion"]):
            raise conflict(resource, name)
        if meta.get("uid") not in (None, "", old["uid"]):
            raise conflict(
                resource,
                name,
                f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {old['uid']}",
            )
        after = objects.copy(after)
        meta = after["metadata"]
        for field in (*_SERVERS_OWN, "generation", "resourceVersion", "generateName"):
            meta.pop(field, None)
            if field in old:
                meta[field] = old[field]
        if part == "status":
            after = {**before, "status": after.get("status") or {}, "metadata": _status_metadata(old, meta)}
        elif resource.has_status:
            after["status"] = before.get("status") or {}
        if part != "status":
            defaults.fill(resource.kind, after)
            self._admission.mutate(resource, after, before, ctx)
            if causes := validation.causes(resource, after, before):
                raise invalid(resource, name, causes)
            self._admission.validate(resource, after, before, ctx)
            if resource.generation and _content(after) != _content(before):
                after["metadata"]["generation"] = old.get("generation", 0) + 1
        self._own_fields(resource, before, after, ctx, owners, part)
        return self.store_updated(resource, before, after, ctx)

    def _own_fields(
        self, resource: Resource, before: Obj, after: Obj, ctx: Context, owners: Owners | None, part: str
    ) -> None:
        given, had = after["metadata"].get("managedFields"), objects.meta(before).get("managedFields") or []
        if owners is None and given is not None and given != had:
            if given in ([], [{}]):
                after["metadata"].pop("managedFields")
                return
            owners = apply.read(after)
        elif owners is None:
            old, new = (before, after) if part else (_unstatused(before), _unstatused(after))
            manager = Manager(ctx.manager, "Update", resource.api_version, part or ctx.via)
            owners = apply.update(old, new, apply.read(before), manager, schemas.shape(resource.definition))
        entries = apply.write(owners, before, objects.timestamp(ctx.now))
        if entries or had:
            after["metadata"]["managedFields"] = entries

    def store_updated(self, resource: Resource, before: Obj, after: Obj, ctx: Context) -> Obj:
        """Store what changed; take away what waited only for its last finalizer."""
        if after == before:
            return before
        if ctx.dry_run:
            return after
        meta = after["metadata"]
        last_finalizer = bool(objects.meta(before).get("finalizers")) and not meta.get("finalizers")
        waits = resource.kind == "Pod" and meta.get("deletionGracePeriodSeconds")
        if objects.deleting(after) and last_finalizer and not waits and resource.kind != "Namespace":
            return self._store.remove(resource, after)
        return self._store.put(resource, after)


def patched(before: Obj, kind: str, body: Any, shape: schemas.Shape) -> Obj:
    """Raises: ApiError 400, 415 or 422."""
    if kind == PATCHES[0]:
        return patches.json_patch(before, body)
    if not isinstance(body, dict):
        raise bad_request("a patch is an object")
    if kind == PATCHES[1]:
        merged: Obj = patches.merge_patch(before, body)
        return merged
    if kind == PATCHES[2]:
        found: Obj = patches.strategic_merge(objects.copy(before), body, shape)
        return found
    raise ApiError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format - accepted media types include: {', '.join(PATCHES)}",
    )


def _unstatused(thing: Obj) -> Obj:
    return {key: value for key, value in thing.items() if key != "status"}


def _content(thing: Obj) -> Obj:
    return {key: value for key, value in thing.items() if key not in ("metadata", "status")}


def _status_metadata(old: Obj, new: Obj) -> Obj:
    """A status update changes labels, annotations and finalizers as well, and nothing else of the metadata."""
    merged = dict(old)
    for field in ("labels", "annotations", "finalizers", "managedFields"):
        if field in new:
            merged[field] = new[field]
    return merged


def _job_labels(thing: Obj) -> None:
    """A Job selects its own pods by a label with its uid."""
    spec, uid = thing["spec"], objects.uid(thing)
    if spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    own = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": objects.name(thing),
        "controller-uid": uid,
        "job-name": objects.name(thing),
    }
    meta = spec["template"].setdefault("metadata", {})
    meta["labels"] = {**(meta.get("labels") or {}), **own}
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
