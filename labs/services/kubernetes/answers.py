"""One request to a resource, from its parsed address to a plain answer: the verbs.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.services.kubernetes import decoding, objects, requests
from labs.services.kubernetes.cluster import Cluster
from labs.services.kubernetes.context import Context
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.patches import PATCHES
from labs.services.kubernetes.reading import Selection
from labs.services.kubernetes.requests import MACHINE, Target
from labs.services.kubernetes.resources import NAMESPACES, PODS, SERVICEACCOUNTS, SERVICES
from labs.services.kubernetes.statuses import (
    ApiError,
    bad_request,
    method_not_allowed,
    not_done,
    success,
)
from labs.services.kubernetes.tables import table

WATCH_SECONDS = 1800
_RETURNED = (PODS, SERVICES, SERVICEACCOUNTS)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    body: bytes = b""
    content_type: str = ""
    accept: str = ""


@dataclass(frozen=True)
class Answer:
    """Attributes: either `body`, or `lines` of a watch."""

    code: int
    body: Obj = field(default_factory=dict)
    lines: AsyncIterator[bytes] | None = None


class Answers:
    def __init__(self, cluster: Cluster) -> None:
        self._c = cluster

    def answer(self, target: Target, verb: str, request: Request, ctx: Context) -> Answer:
        """Raises: ApiError for everything that is refused."""
        resource, below = target.resource, target.subresource
        if below:
            if why := MACHINE.get((resource.plural, below)):
                raise not_done(why)
            known = resource.subresource(below)
            if known is None or verb not in known.verbs:
                raise method_not_allowed(f"{verb} {resource.plural}/{below}")
            return self._subresource(target, verb, request, ctx)
        if verb not in resource.verbs:
            if verb == "create" and not target.name:
                raise not_done(f"let clients create {resource.plural}: they are simulated by the server")
            raise method_not_allowed(f"{verb} {resource.plural}")
        if resource.namespaced and not target.namespace and verb not in ("list", "watch"):
            raise bad_request(f"{resource.plural} are namespaced: the address names no namespace")
        if verb in ("update", "patch", "delete", "get") and not target.name:
            raise method_not_allowed(f"{verb} {resource.plural} without a name")
        match verb:
            case "get":
                return self._get(target, request)
            case "list":
                return self._list(target, request)
            case "watch":
                return self._watch(target, request)
            case "create":
                return self._create(target, request, ctx)
            case "delete":
                return self._delete(target, request, ctx)
            case "deletecollection":
                return self._delete_all(target, request, ctx)
        return self._change(target, verb, request, ctx)

    def _space(self, target: Target) -> str:
        return target.namespace if target.resource.namespaced else ""

    def _body(self, request: Request, ctx: Context) -> Any:
        return decoding.body(request.body, request.content_type, ctx) if request.body else {}

    def _get(self, target: Target, request: Request) -> Answer:
        thing = self._c.writer.current(target.resource, self._space(target), target.name)
        return Answer(200, self._shown(target, [thing], request, thing))

    def _shown(self, target: Target, items: list[Obj], request: Request, whole: Obj) -> Obj:
        """An answer as the client wants it: as it is, as a table, or its metadata only."""
        if "as=Table" in request.accept:
            include = request.query.get("includeObject", "Metadata")
            meta = objects.meta(whole)
            kept: Obj = {
                k: meta[k] for k in ("resourceVersion", "continue", "remainingItemCount") if k in meta
            }
            return table(target.resource, items, self._c.clock.now(), kept, include)
        if "as=PartialObjectMetadataList" in request.accept:
            rows = [{"metadata": one["metadata"]} for one in items]
            return {
                **_PARTIAL,
                "kind": "PartialObjectMetadataList",
                "metadata": whole["metadata"],
                "items": rows,
            }
        if "as=PartialObjectMetadata" in request.accept:
            return {**_PARTIAL, "kind": "PartialObjectMetadata", "metadata": whole["metadata"]}
        return whole

    def _selection(self, target: Target, request: Request) -> Selection:
        query = request.query
        return Selection(
            target.resource,
            self._space(target),
            target.name,
            query.get("labelSelector", ""),
            query.get("fieldSelector", ""),
        )

    def _list(self, target: Target, request: Request) -> Answer:
        query, resource = request.query, target.resource
        wanted = query.get("resourceVersion", "")
        if wanted.isdigit() and int(wanted) > self._c.store.version:
            raise ApiError(
                504,
                "Timeout",
                f"Too large resource version: {wanted}, current: {self._c.store.version}",
                {"retryAfterSeconds": 1},
            )
        limit = requests.number(query, "limit")
        page = self._c.reader.page(self._selection(target, request), limit, query.get("continue", ""))
        meta: Obj = {"resourceVersion": str(page.version)}
        if page.more:
            meta["continue"] = page.more
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                meta["remainingItemCount"] = page.remaining
        whole = {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": meta,
            "items": [
                {key: value for key, value in one.items() if key not in ("kind", "apiVersion")}
                for one in page.items
            ],
        }
        return Answer(200, self._shown(target, page.items, request, whole))

    def _watch(self, target: Target, request: Request) -> Answer:
        query = request.query
        wait = requests.number(query, "timeoutSeconds") or WATCH_SECONDS
        initial = requests.flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
        selection = self._selection(target, request)
        selection.test()  # a bad selector is refused before the stream begins
        lines = self._c.reader.watch(
            selection,
            query.get("resourceVersion", ""),
            lambda thing: self._shown(target, [thing], request, thing),
            bookmarks=requests.flag(query, "allowWatchBookmarks"),
            initial=initial,
            seconds=wait,
        )
        return Answer(200, lines=lines)

    def _create(self, target: Target, request: Request, ctx: Context) -> Answer:
        body = self._body(request, ctx)
        if not target.resource.stored:
            return Answer(201, self._c.reviews.answer(target.resource, target.namespace, body, ctx))
        thing = self._c.writer.create(target.resource, self._space(target), body, ctx)
        return Answer(201, self._shown(target, [thing], request, thing))

    def _change(self, target: Target, verb: str, request: Request, ctx: Context, part: str = "") -> Answer:
        place = target.resource, self._space(target), target.name
        body = self._body(request, ctx)
        if verb == "update":
            return Answer(200, self._c.writer.update(*place, body, ctx, part))
        kind = request.content_type.partition(";")[0].strip()
        _check_patch(kind == PATCHES[3], request.query)
        thing, new = self._c.writer.patch(*place, kind, body, ctx, part)
        return Answer(201 if new else 200, self._shown(target, [thing], request, thing))

    def _options(self, request: Request, ctx: Context) -> Obj:
        options = self._body(request, ctx)
        if not isinstance(options, dict) or options.get("kind") not in (None, "DeleteOptions"):
            raise bad_request("the body of a delete is a DeleteOptions object")
        query = request.query
        if "gracePeriodSeconds" in query:
            options["gracePeriodSeconds"] = requests.number(query, "gracePeriodSeconds")
        if "propagationPolicy" in query:
            options["propagationPolicy"] = query["propagationPolicy"]
        if "orphanDependents" in query:
            options["orphanDependents"] = requests.flag(query, "orphanDependents")
        ctx.dry_run = ctx.dry_run or "All" in (options.get("dryRun") or [])
        return options

    def _delete(self, target: Target, request: Request, ctx: Context) -> Answer:
        options = self._options(request, ctx)
        thing = self._c.writer.current(target.resource, self._space(target), target.name)
        if target.resource is NAMESPACES and target.name in ("default", "kube-system", "kube-public"):
            raise ApiError(
                403,
                "Forbidden",
                f'namespaces "{target.name}" is forbidden: this namespace may not be deleted',
                {"name": target.name, "kind": "namespaces"},
            )
        left, gone = self._c.deleter.delete(target.resource, thing, options, ctx)
        if gone and target.resource not in _RETURNED:
            return Answer(200, success(target.resource, target.name, objects.uid(thing)))
        return Answer(200, left)

    def _delete_all(self, target: Target, request: Request, ctx: Context) -> Answer:
        options = self._options(request, ctx)
        page = self._c.reader.page(self._selection(target, request))
        with self._c.store.transaction():
            for thing in page.items:
                self._c.deleter.delete(target.resource, thing, options, ctx)
        resource = target.resource
        return Answer(
            200,
            {
                "kind": f"{resource.kind}List",
                "apiVersion": resource.api_version,
                "metadata": {"resourceVersion": str(self._c.store.version)},
                "items": page.items,
            },
        )

    def _subresource(self, target: Target, verb: str, request: Request, ctx: Context) -> Answer:
        place = target.resource, self._space(target), target.name
        subs = self._c.subresources
        match target.subresource, verb:
            case "status", "get":
                return self._get(target, request)
            case "status", _:
                return self._change(target, verb, request, ctx, "status")
            case "finalize", _:
                return self._finalize(target, request, ctx)
            case "scale", "get":
                return Answer(200, subs.scale(*place))
            case "scale", "update":
                return Answer(200, subs.set_scale(*place, self._body(request, ctx), ctx))
            case "scale", _:
                kind = request.content_type.partition(";")[0].strip()
                return Answer(200, subs.patch_scale(*place, kind, self._body(request, ctx), ctx))
            case "eviction", _:
                return Answer(201, subs.evict(target.namespace, target.name, self._body(request, ctx), ctx))
            case "token", _:
                return Answer(201, subs.token(target.namespace, target.name, self._body(request, ctx), ctx))
        raise method_not_allowed(f"{verb} {target.resource.plural}/{target.subresource}")

    def _finalize(self, target: Target, request: Request, ctx: Context) -> Answer:
        before = self._c.writer.current(NAMESPACES, "", target.name)
        wanted = (self._body(request, ctx) or {}).get("spec") or {}
        after = {**before, "spec": {**before["spec"], "finalizers": wanted.get("finalizers") or []}}
        return Answer(200, before if ctx.dry_run else self._c.store.put(NAMESPACES, after))


def _check_patch(applies: bool, query: Mapping[str, str]) -> None:
    """Raises: ApiError 422, an apply without a manager, or another patch with `force`."""
    if applies and not query.get("fieldManager"):
        why = "fieldManager: Required value: is required for apply patch"
    elif not applies and "force" in query:
        why = "force: Forbidden: may not be specified for non-apply patch"
    else:
        return
    raise ApiError(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {why}')


_PARTIAL: Obj = {"apiVersion": "meta.k8s.io/v1"}
