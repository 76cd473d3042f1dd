"""What the server tells about itself: versions, groups, kinds, and the OpenAPI documents that kubectl asks for.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import orjson

from labs.services.kubernetes import schemas
from labs.services.kubernetes.objects import Obj
from labs.services.kubernetes.resources import RESOURCES, Resource, group_versions

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0",
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "embedded/labs",
}


def of_group_version(group: str, version: str) -> list[Resource]:
    return [one for one in RESOURCES if (one.group, one.version) == (group, version)]


def api_versions(address: str) -> Obj:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def _group(group: str, version: str) -> Obj:
    one = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [one], "preferredVersion": one}


def groups() -> Obj:
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(group, version) for group, version in group_versions() if group],
    }


def one_group(group: str) -> Obj | None:
    for known, version in group_versions():
        if known == group and group:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, version)}
    return None


def resource_list(group: str, version: str) -> Obj | None:
    """The APIResourceList of a group and version; None if the server does not have it."""
    found = of_group_version(group, version)
    if not found:
        return None
    listed: list[Obj] = []
    for one in found:
        entry: Obj = {
            "name": one.plural,
            "singularName": one.singular,
            "namespaced": one.namespaced,
            "kind": one.kind,
            "verbs": list(one.verbs),
        }
        if one.short:
            entry["shortNames"] = list(one.short)
        if one.categories:
            entry["categories"] = list(one.categories)
        listed.append(entry)
        for sub in one.subresources:
            below: Obj = {
                "name": f"{one.plural}/{sub.name}",
                "singularName": "",
                "namespaced": one.namespaced,
                "kind": sub.kind or one.kind,
                "verbs": list(sub.verbs),
            }
            if sub.kind:
                below.update(group=sub.group, version=sub.version)
            listed.append(below)
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": listed}


def aggregated(core: bool, version: str) -> Obj:
    """APIGroupDiscoveryList of the core group or of all others.

    Args:
        version: of the group apidiscovery.k8s.io, v2 or v2beta1.
    """
    items = []
    for group, group_version in group_versions():
        if (group == "") == core:
            kinds = [_discovered(one) for one in of_group_version(group, group_version)]
            versions = [{"version": group_version, "resources": kinds, "freshness": "Current"}]
            meta = {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None}
            items.append({"metadata": meta, "versions": versions})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _kind(resource: Resource) -> Obj:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _discovered(one: Resource) -> Obj:
    found: Obj = {
        "resource": one.plural,
        "responseKind": _kind(one),
        "scope": "Namespaced" if one.namespaced else "Cluster",
        "singularResource": one.singular,
        "verbs": list(one.verbs),
    }
    if one.short:
        found["shortNames"] = list(one.short)
    if one.categories:
        found["categories"] = list(one.categories)
    if one.subresources:
        found["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind}
                if sub.kind
                else _kind(one),
                "verbs": list(sub.verbs),
            }
            for sub in one.subresources
        ]
    return found


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


@cache
def openapi_index() -> bytes:
    """The root of OpenAPI v3, with a hash in each address so that clients may keep what they have."""
    paths = {}
    for group, version in group_versions():
        digest = hashlib.sha256(openapi(group, version) or b"").hexdigest().upper()
        path = _path(group, version)
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return orjson.dumps({"paths": paths})


@cache
def openapi(group: str, version: str) -> bytes | None:
    """The OpenAPI v3 document of a group and version: its kinds, and that every write knows `fieldValidation`."""
    found = of_group_version(group, version)
    if not found:
        return None
    paths: Obj = {}
    components: Obj = {}
    for one in found:
        _gather(one.definition, components)
        base = f"/{_path(group, version)}" + ("/namespaces/{namespace}" if one.namespaced else "")
        writes = {"post": ("create", "post"), "put": ("update", "put"), "patch": ("patch", "patch")}
        for verb, (name, action) in writes.items():
            if name in one.verbs:
                place = f"{base}/{one.plural}" + ("" if verb == "post" else "/{name}")
                paths.setdefault(place, {})[verb] = _operation(one, action)
        place = f"{base}/{one.plural}/{{name}}"
        if "get" in one.verbs:
            paths.setdefault(place, {})["get"] = _operation(one, "get")
    return orjson.dumps(
        {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
            "paths": paths,
            "components": {"schemas": components},
        }
    )


def _operation(resource: Resource, action: str) -> Obj:
    """Patches name no media types: kubectl then merges by the types that are built into it, with the same result, and
    does not read this document anew for each object (half of the time of applying 200)."""
    reference = {"$ref": f"#/components/schemas/{resource.definition}"}
    content = {"application/json": {"schema": reference}}
    found: Obj = {
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(resource),
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in (("dryRun", "fieldManager", "fieldValidation") if action != "get" else ())
        ],
    }
    if action in ("post", "put"):
        found["requestBody"] = {"content": {"*/*": {"schema": reference}}}
    return found


_REF = "#/$defs/"


def _gather(name: str, into: Obj) -> None:
    """One definition and all that it needs, in the dialect of OpenAPI 3.0."""
    if name in into:
        return
    into[name] = {}
    into[name] = _translated(schemas.definitions()[name], into)


def _translated(schema: Any, into: Obj) -> Any:
    if isinstance(schema, list):
        return [_translated(one, into) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found: Obj = {}
    for key, value in schema.items():
        if key == "$ref":
            below = value.removeprefix(_REF)
            _gather(below, into)
            found["allOf"] = [{"$ref": f"#/components/schemas/{below}"}]
        elif key == "type" and isinstance(value, list):
            found[key] = next(one for one in value if one != "null")
        elif key == "properties":
            found[key] = {name: _translated(one, into) for name, one in value.items()}
        elif not (key == "additionalProperties" and value is False) and key not in ("$schema", "$id"):
            found[key] = _translated(value, into)
    return found
