"""Files of a description, and what stands in a block: arguments, nested blocks, `dynamic` ones."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import hcl_files
from hcl_expressions import evaluate
from hcl_files import Block, Body, name_of, trees
from hcl_scope import Budget, Lazy, Scope
from hcl_values import CannotEvaluate, Set, Wrong

META = ("for_each", "count", "provider", "depends_on")
NOT_READ = ("lifecycle", "timeouts")


class Files:
    """All `.tf` files of a folder tree, read once: path → bytes, relative to the folder of the root module."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self._bodies: dict[str, list[Body]] = {}
        self.budget = Budget()

    def module(self, folder: str) -> list[Body]:
        if folder not in self._bodies:
            mine = [path for path in sorted(self.files) if posixpath.dirname(path) == folder]
            for path in mine:
                if path.endswith(".tf.json") or path.endswith("override.tf"):
                    raise CannotEvaluate(f"{path}: JSON and override files")
            found = [hcl_files.read(path, self.files[path]) for path in mine if path.endswith(".tf")]
            if not found:
                raise Wrong(f"there is no module in {folder or '.'}")
            self._bodies[folder] = found
        return self._bodies[folder]

    def values(self, path: str) -> dict[str, Any]:
        """A file of variables. Terraform allows only values in it."""
        body = hcl_files.read(path, self.files[path])
        return {name: evaluate(tree, self._nothing()) for name, tree in body.attributes.items()}

    def _nothing(self) -> Scope:
        def refuse(name: str) -> Any:
            raise Wrong(f"a file of variables holds values only, and no {name}")

        return Scope(refuse, self.budget)


def as_written(block: Block, found: Mapping[str, Any]) -> Any:
    if "count" in block.body.attributes:
        return list(found.values())
    if "for_each" in block.body.attributes:
        return {key.split('["', 1)[1][:-2]: value for key, value in found.items()}
    return next(iter(found.values()))


def content(body: Body, scope: Scope) -> dict[str, Any]:
    """Arguments and nested blocks; `dynamic` ones as well."""
    found = {name: evaluate(tree, scope) for name, tree in body.attributes.items() if name not in META}
    for value in found.values():
        if isinstance(value, Lazy):
            raise CannotEvaluate(f"all of {value.what} as one value")
    for block in body.blocks:
        if block.kind in NOT_READ:
            continue
        if block.kind == "dynamic":
            made = _dynamic(block, scope)
            found.setdefault(block.labels[0], []).extend(made)
        else:
            found.setdefault(block.kind, []).append(content(block.body, scope))
    return found


def _dynamic(block: Block, scope: Scope) -> list[dict[str, Any]]:
    about = block.body.attributes
    name = name_of(trees(about["iterator"])[0]) if "iterator" in about else block.labels[0]
    chosen = evaluate(about["for_each"], scope)
    inner = block.body.of("content")[0].body
    if isinstance(chosen, dict):
        pairs = sorted(chosen.items())
    elif isinstance(chosen, Set):
        pairs = [(each, each) for each in chosen]
    elif isinstance(chosen, list):
        pairs = list(enumerate(chosen))
    else:
        raise Wrong(f"for_each of dynamic {block.labels[0]}: a collection is wanted")
    return [content(inner, scope.with_names({name: {"key": key, "value": value}})) for key, value in pairs]
