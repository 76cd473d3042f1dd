"""Builds overlays as `kubectl kustomize` does, for the subset of the contract. What it does not know it refuses.

A test compares it with the real one. Source: https://kubectl.docs.kubernetes.io/references/kustomize/
"""

from __future__ import annotations

import copy
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import kustomize_places as places
import strict_yaml
from config_maps import content, hashed_name
from kustomize_places import DEFINITIONS, Obj
from labs.services.kubernetes import patches, schemas
from labs.services.kubernetes.statuses import ApiError

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
FIELDS = {
    "apiVersion", "kind", "metadata", "resources", "namespace", "namePrefix", "nameSuffix", "labels", "images",
    "replicas", "configMapGenerator", "generatorOptions", "patches",
}  # fmt: skip
INSTEAD = {
    "bases": "use `resources`",
    "commonLabels": "use `labels` with `includeSelectors: true`",
    "patchesStrategicMerge": "use `patches`",
    "patchesJson6902": "use `patches` with a `target`",
    "secretGenerator": "it would need the secret's value in the files",
}
_GENERATOR = {"name", "behavior", "literals", "envs", "files", "options"}


class CannotBuild(Exception):
    """Attributes: where, the file that is to be mended."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where


@dataclass
class Item:
    """An object on its way through the overlays. `names` are all that it has had; `hash`: its name gets a hash."""

    thing: Obj
    names: set[str] = field(default_factory=set)
    hash: bool = False

    @property
    def id(self) -> tuple[str, str]:
        return self.thing["kind"], self.thing["metadata"]["name"]


def build(files: Mapping[str, str], folder: str) -> list[Obj]:
    """The objects of a kustomization, namespaces first.

    Args:
        files: text by path.

    Raises: CannotBuild.
    """
    folder = posixpath.normpath(folder)
    try:
        return _built(_Folder(files, folder, ()).items())
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise CannotBuild(folder, "a field has a value of another type than kustomize expects") from None


def _built(items: list[Item]) -> list[Obj]:
    """Names with their hashes, references to them, and the order."""
    for one in items:
        if one.hash:
            one.names.add(one.thing["metadata"]["name"])
            one.thing["metadata"]["name"] = hashed_name(one.thing)
    for one in items:
        for kind, holder, key in places.references(one.thing):
            meant = [other for other in items if other.id[0] == kind and holder.get(key) in other.names]
            if meant:
                holder[key] = meant[0].id[1]
    return [one.thing for one in sorted(items, key=lambda one: (one.id[0] != "Namespace", one.id))]


class _Folder:
    """One folder with a kustomization."""

    def __init__(self, files: Mapping[str, str], folder: str, above: tuple[str, ...]) -> None:
        if folder in above:
            raise CannotBuild(folder, "it includes itself")
        self._files, self._folder, self._above = files, folder, (*above, folder)
        found = [one for name in NAMES if (one := posixpath.join(folder, name)) in files]
        if len(found) != 1:
            raise CannotBuild(folder, f"{len(found)} kustomization.yaml where one was expected")
        self._path = found[0]
        self._body = self._read(self._path)
        if not isinstance(self._body, dict):
            raise CannotBuild(self._path, "no map of fields")
        for key in self._body:
            if key not in FIELDS:
                raise self._wrong(
                    f"`{key}` is not in the subset" + (f": {INSTEAD[key]}" if key in INSTEAD else "")
                )

    def items(self) -> list[Item]:
        items: list[Item] = []
        for entry in self._texts("resources"):
            for one in self._resource(entry):
                if any(other.id == one.id for other in items):
                    raise self._wrong(f"{' '.join(one.id)} is there twice")
                items.append(one)
        for entry in self._list("configMapGenerator"):
            self._generate(entry, items)
        for entry in self._list("patches"):
            self._patch(entry, items)
        self._name(items)
        for entry in self._list("labels"):
            self._label(entry, items)
        for entry in self._list("replicas"):
            self._replicate(entry, items)
        for entry in self._list("images"):
            self._image(entry, items)
        return items

    def _wrong(self, why: str) -> CannotBuild:
        return CannotBuild(self._path, why)

    def _read(self, path: str, several: bool = False) -> Any:
        text = self._files[path]
        try:
            return strict_yaml.documents(text) if several else strict_yaml.document(text)
        except strict_yaml.NotYaml as error:
            raise CannotBuild(path, str(error)) from None

    def _list(self, key: str) -> list[Obj]:
        entries = self._body.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            raise self._wrong(f"`{key}` is no list of maps")
        return entries

    def _texts(self, key: str) -> list[str]:
        entries = self._body.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(one, str) for one in entries):
            raise self._wrong(f"`{key}` is no list of paths")
        return entries

    def _file(self, entry: str) -> str:
        """The path of a file in this folder or below, as kustomize allows."""
        path = posixpath.normpath(posixpath.join(self._folder, str(entry)))
        if not path.startswith(f"{self._folder}/"):
            raise self._wrong(f"`{entry}` lies outside of {self._folder}")
        if path not in self._files:
            raise self._wrong(f"there is no file `{entry}`")
        return path

    def _resource(self, entry: str) -> Iterator[Item]:
        if "://" in entry or entry.startswith(("github.com", "git@")):
            raise self._wrong(f"`{entry}`: resources from elsewhere are not in the subset")
        path = posixpath.normpath(posixpath.join(self._folder, entry))
        if any(one.startswith(f"{path}/") for one in self._files):
            yield from _Folder(self._files, path, self._above).items()
            return
        path = self._file(entry)
        for thing in self._read(path, several=True):
            meta = thing.get("metadata") if isinstance(thing, dict) else None
            if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
                raise CannotBuild(path, "an object without metadata.name")
            if thing.get("kind") not in DEFINITIONS or not isinstance(thing.get("apiVersion"), str):
                raise CannotBuild(path, f"the kind {thing.get('kind')} is not in the subset")
            yield Item(thing, {meta["name"]})

    def _generate(self, entry: Obj, items: list[Item]) -> None:
        if unknown := set(entry) - _GENERATOR:
            raise self._wrong(f"configMapGenerator: `{min(unknown)}` is not in the subset")
        name, how = entry.get("name"), entry.get("behavior", "create")
        options = {**(self._body.get("generatorOptions") or {}), **(entry.get("options") or {})}
        if set(options) - {"disableNameSuffixHash"}:
            raise self._wrong("options: only `disableNameSuffixHash` is in the subset")
        try:
            fresh = content(entry, lambda one: self._files[self._file(one)])
        except ValueError as error:
            raise self._wrong(f"configMapGenerator {name}: {error}") from None
        old = next((one for one in items if one.id[0] == "ConfigMap" and name in one.names), None)
        if how == "create" and old is None and isinstance(name, str):
            thing: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
            thing |= {"data": fresh} if fresh else {}
            items.append(Item(thing, {name}, not options.get("disableNameSuffixHash")))
        elif how in ("merge", "replace") and old is not None:
            kept = (old.thing.get("data") or {}) if how == "merge" else {}
            old.thing["data"] = {**kept, **fresh}
        else:
            state = "is there already" if old else "is not there"
            raise self._wrong(f"configMapGenerator {name} with behavior `{how}`: it {state}")

    def _patch(self, entry: Obj, items: list[Item]) -> None:
        target = entry.get("target")
        if set(entry) - {"patch", "path", "target"} or not isinstance(target, dict | None):
            raise self._wrong("patches: only `patch`, `path` and `target` are in the subset")
        path = self._file(entry["path"]) if entry.get("path") else self._path
        text = self._files[path] if entry.get("path") else str(entry.get("patch") or "")
        try:
            bodies = strict_yaml.documents(text)
        except strict_yaml.NotYaml as error:
            raise CannotBuild(path, f"patch: {error}") from None
        for body in bodies:
            if isinstance(body, dict) and target is None:
                kind, name = body.get("kind"), (body.get("metadata") or {}).get("name")
                chosen = [one for one in items if one.id[0] == kind and name in one.names]
                if not chosen:
                    raise CannotBuild(path, f"patch: there is no {kind} {name}")
            elif target is not None:
                chosen = [one for one in items if self._meant(target, one)]
            else:
                raise CannotBuild(path, "a JSON patch needs a `target`")
            for one in chosen:
                self._apply(body, one, items, path)

    def _meant(self, target: Obj, one: Item) -> bool:
        if set(target) - {"group", "version", "kind", "name"}:
            raise self._wrong("patches: `target` has kind, name, group and version in the subset")
        group, _, version = one.thing["apiVersion"].rpartition("/")
        own = {"group": [group], "version": [version], "kind": [one.id[0]], "name": sorted(one.names)}
        try:
            return all(any(re.fullmatch(str(target[key]), got) for got in own[key]) for key in target)
        except re.error:
            raise self._wrong("patches: `target` is no regular expression") from None

    def _apply(self, body: Any, one: Item, items: list[Item], path: str) -> None:
        kind, name = one.id
        if isinstance(body, dict) and body.get("$patch") == "delete":
            items.remove(one)
            return
        try:
            if isinstance(body, list):
                one.thing = patches.json_patch(one.thing, body)
            else:
                one.thing = patches.strategic_merge(one.thing, body, schemas.shape(DEFINITIONS[kind]))
        except (ApiError, KeyError, TypeError, ValueError, AttributeError) as error:
            told = error.body.get("message") if isinstance(error, ApiError) else str(error)
            raise CannotBuild(path, f"the patch of {kind} {name} does not apply: {told}") from None
        meta = one.thing.get("metadata")
        if one.thing.get("kind") != kind or not isinstance(meta, dict):
            raise CannotBuild(path, f"the patch of {kind} {name} makes another kind of it")
        meta["name"] = name  # kustomize keeps names through patches
        one.thing = copy.deepcopy(one.thing)  # parts of a patch are nobody else's

    def _name(self, items: list[Item]) -> None:
        space = self._body.get("namespace")
        before, after = (str(self._body.get(key) or "") for key in ("namePrefix", "nameSuffix"))
        for one in items:
            meta = one.thing["metadata"]
            if one.id[0] == "Namespace":
                meta["name"] = space or meta["name"]
                one.names.add(meta["name"])
                continue
            if space:
                meta["namespace"] = space
            meta["name"] = f"{before}{meta['name']}{after}"
            one.names.add(meta["name"])

    def _label(self, entry: Obj, items: list[Item]) -> None:
        pairs = entry.get("pairs") or {}
        if set(entry) - {"pairs", "includeSelectors", "includeTemplates"} or not isinstance(pairs, dict):
            raise self._wrong(
                "labels: only `pairs`, `includeSelectors` and `includeTemplates` are in the subset"
            )
        for one in items:
            targets = [one.thing["metadata"].setdefault("labels", {})]
            if entry.get("includeSelectors"):
                targets += places.selectors(one.thing)
            if entry.get("includeSelectors") or entry.get("includeTemplates"):
                targets += places.template_labels(one.thing)
            for target in targets:
                target.update(pairs)

    def _replicate(self, entry: Obj, items: list[Item]) -> None:
        chosen = [one for one in items if one.id[0] == "Deployment" and entry.get("name") in one.names]
        if not chosen:
            raise self._wrong(f"replicas: there is no Deployment {entry.get('name')}")
        for one in chosen:
            one.thing.setdefault("spec", {})["replicas"] = entry.get("count")

    def _image(self, entry: Obj, items: list[Item]) -> None:
        if set(entry) - {"name", "newName", "newTag", "digest"}:
            raise self._wrong("images: only `name`, `newName`, `newTag` and `digest` are in the subset")
        for one in items:
            for container in places.containers(one.thing):
                name, tag = places.split_image(str(container.get("image") or ""))
                if name == entry.get("name"):
                    new, digest = entry.get("newTag"), entry.get("digest")
                    if new or digest:
                        tag = (f":{new}" if new else "") + (f"@{digest}" if digest else "")
                    container["image"] = f"{entry.get('newName') or name}{tag}"
