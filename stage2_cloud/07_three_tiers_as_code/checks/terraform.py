"""Evaluates a root module and its child modules, as `terraform plan` would before it asks any API.

Sources: https://developer.hashicorp.com/terraform/language, pages modules/syntax, meta-arguments/for_each and count,
expressions/dynamic-blocks, values/variables (the order of precedence).
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from graph import TYPES, Resource
from hcl_expressions import Lazy, Scope, evaluate
from hcl_files import Block
from hcl_values import (
    CannotEvaluate,
    Set,
    Wrong,
    known,
    mark,
    placed,
    to_bool,
    to_number,
)
from provider_types import converted
from terraform_blocks import META, Files, as_written, content
from terraform_types import convert, validate

MOST_RESOURCES, MOST_DEPTH = 2_000, 8


class Module:
    """One instance of a module: its variables, and everything in it, evaluated when it is asked for."""

    def __init__(
        self,
        files: Files,
        folder: str,
        path: str,
        names: tuple[str, ...],
        given: Mapping[str, Any],
        graph: dict[str, Resource],
        default_tags: Mapping[str, Any],
    ) -> None:
        if len(names) > MOST_DEPTH:
            raise CannotEvaluate("modules that are nested too deeply")
        self.files, self.folder, self.path, self.names, self.graph = files, folder, path, names, graph
        self.default_tags = default_tags
        self.blocks = [block for body in files.module(folder) for block in body.blocks]
        self.scope = Scope(self._root, files.budget, files=files.files)
        self._done: dict[str, Any] = {}
        self._doing: set[str] = set()
        self.locals = {
            name: tree for block in self._of("locals") for name, tree in block.body.attributes.items()
        }
        self.declared = {block.labels[0]: block for block in self._of("variable")}
        self.variables = self._variables(given)

    def _of(self, kind: str) -> list[Block]:
        return [block for block in self.blocks if block.kind == kind]

    def _variables(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, block in self.declared.items():
            about = block.body.attributes
            if name in given and (given[name] is not None or "default" not in about):
                value = given[name]
            elif "default" in about:
                value = evaluate(about["default"], self.scope)
            else:
                raise Wrong(f"the variable {name} of {self.path or 'the root module'} has no value")
            found[name] = convert(value, about.get("type"), self.scope, f"the variable {name}")
        self.variables = found
        for block in self.declared.values():
            for rule in block.body.of("validation"):
                validate(rule, block.labels[0], self.scope)
        return found

    # What names mean

    def _root(self, name: str) -> Any:
        if name == "var":
            return Lazy("var", self._variable)
        if name == "local":
            return Lazy("local", lambda each: self._once(f"local.{each}", lambda: self._local(each)))
        if name == "module":
            return Lazy("module", self.call)
        if name == "data":
            return Lazy("data", lambda kind: Lazy(kind, lambda each: self._data(kind, each)))
        if name == "path":
            return {"module": self.folder or ".", "root": ".", "cwd": "."}
        if name == "terraform":
            raise CannotEvaluate("terraform.workspace: the environment is a variable in this lab")
        if name in ("each", "count", "self"):
            raise Wrong(f"`{name}` has no meaning here")
        return Lazy(name, lambda each: self.resource(name, each))

    def _variable(self, name: str) -> Any:
        if name not in self.variables:
            raise Wrong(f"there is no variable {name} in {self.path or 'the root module'}")
        return self.variables[name]

    def _local(self, name: str) -> Any:
        if name not in self.locals:
            raise Wrong(f"there is no local value {name}")
        return evaluate(self.locals[name], self.scope)

    def _data(self, kind: str, name: str) -> Any:
        block = next((b for b in self._of("data") if b.labels == (kind, name)), None)
        if block is None:
            raise Wrong(f"there is no data.{kind}.{name}")
        if "for_each" in block.body.attributes or "count" in block.body.attributes:
            raise CannotEvaluate(f"data.{kind}.{name}: data sources with count or for_each")
        address = self._address(f"data.{kind}.{name}")
        return Lazy(address, lambda attribute: mark(address, attribute))

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._done:
            if key in self._doing:
                raise Wrong(f"{key} depends on itself")
            self._doing.add(key)
            try:
                self._done[key] = make()
            finally:
                self._doing.discard(key)
        return self._done[key]

    def _address(self, short: str) -> str:
        return f"{self.path}.{short}" if self.path else short

    # Resources

    def instances(self, block: Block, short: str) -> dict[str, Scope]:
        """Address → scope of every instance of a resource or a module."""
        about = block.body.attributes
        if "provider" in about or block.body.of("provisioner"):
            raise CannotEvaluate(f"{short}: provider aliases and provisioners")
        if "count" in about:
            number = to_number(known(evaluate(about["count"], self.scope), f"count of {short}"), "count")
            if number > MOST_RESOURCES:
                raise CannotEvaluate(f"{short}: {number} instances")
            return {
                f"{short}[{n}]": self.scope.with_names({"count": {"index": n}}) for n in range(int(number))
            }
        if "for_each" not in about:
            return {short: self.scope}
        chosen = evaluate(about["for_each"], self.scope)
        if isinstance(chosen, Set):
            chosen = {key: key for key in known(chosen, f"for_each of {short}")}
        if not isinstance(chosen, dict) or not all(isinstance(key, str) for key in chosen):
            raise Wrong(f"for_each of {short}: a map or a set of texts is wanted")
        for key in chosen:
            known(key, f"for_each of {short}")
        return {
            f'{short}["{key}"]': self.scope.with_names({"each": {"key": key, "value": value}})
            for key, value in sorted(chosen.items())
        }

    def _block(self, kind: str, name: str) -> Block:
        for block in self._of("resource"):
            if block.labels == (kind, name):
                return block
        raise Wrong(f"there is no {kind}.{name} in {self.path or 'the root module'}")

    def resource(self, kind: str, name: str) -> Any:
        """What `aws_vpc.main` means: an object, a list of them, or a map of them."""
        block, short = self._block(kind, name), f"{kind}.{name}"
        found = self._once(f"instances of {short}", lambda: self.instances(block, short))
        return as_written(block, {key: self._instance(block, key, scope) for key, scope in found.items()})

    def _instance(self, block: Block, short: str, scope: Scope) -> Lazy:
        address = self._address(short)

        def get(attribute: str) -> Any:
            tree = block.body.attributes.get(attribute)
            if tree is None or attribute in META:
                return mark(address, attribute)
            value = self._once(f"{short}.{attribute}", lambda: evaluate(tree, scope))
            return mark(address, attribute) if value is None else value

        return Lazy(address, get)

    def call(self, name: str) -> Any:
        """What `module.app` means."""
        block = next((each for each in self._of("module") if each.labels == (name,)), None)
        if block is None:
            raise Wrong(f"there is no module {name} in {self.path or 'the root module'}")
        found = self.calls(block)
        return as_written(block, {key: Lazy(key, module.output) for key, module in found.items()})

    def calls(self, block: Block) -> dict[str, Module]:
        short = f"module.{block.labels[0]}"
        return self._once(
            f"calls of {short}",
            lambda: {
                key: self._child(block, key, scope) for key, scope in self.instances(block, short).items()
            },
        )

    def _child(self, block: Block, short: str, scope: Scope) -> Module:
        about = block.body.attributes
        if "providers" in about:
            raise CannotEvaluate(f"{short}: `providers`")
        source = evaluate(about["source"], self.scope) if "source" in about else None
        if not isinstance(source, str) or not source.startswith(("./", "../")):
            raise CannotEvaluate(f"{short}: a module that is not in this folder, {source!r}")
        folder = posixpath.normpath(posixpath.join(self.folder, source))
        if folder.startswith(".."):
            raise CannotEvaluate(f"{short}: {source} leads out of the folder")
        # Evaluated when the module asks for them: modules may refer to each other's outputs.
        asked = {
            name: (lambda tree=tree: evaluate(tree, scope))
            for name, tree in about.items()
            if name not in (*META, "source", "version")
        }
        return _LaterModule(
            self.files,
            folder,
            self._address(short),
            (*self.names, block.labels[0]),
            asked,
            self.graph,
            self.default_tags,
        )

    def output(self, name: str) -> Any:
        block = next((each for each in self._of("output") if each.labels == (name,)), None)
        if block is None:
            raise Wrong(f"there is no output {name} in {self.path}")
        return self._once(f"output.{name}", lambda: evaluate(block.body.attributes["value"], self.scope))

    def collect(self) -> None:
        """Put every resource of this module, and of those that it calls, into the graph."""
        self.check_variables()
        for block in self._of("resource"):
            with placed(block.place):
                self._collect(block)
        for block in self._of("module"):
            with placed(block.place):
                modules = self.calls(block)
            for module in modules.values():
                module.collect()

    def _collect(self, block: Block) -> None:
        if len(block.labels) != 2:
            raise Wrong(f"{block.place}: a resource has a type and a name")
        kind, name = block.labels
        if kind not in TYPES and not kind.startswith(("terraform_data", "null_", "random_")):
            raise CannotEvaluate(f"the resource type {kind}")
        for short, scope in self.instances(block, f"{kind}.{name}").items():
            address = self._address(short)
            self.graph[address] = self._collected(block, address, scope)
            if len(self.graph) > MOST_RESOURCES:
                raise CannotEvaluate(f"more than {MOST_RESOURCES} resources")

    def check_variables(self) -> None:
        """The root's are checked when they are given."""

    def _collected(self, block: Block, address: str, scope: Scope) -> Resource:
        inputs = converted(block.labels[0], content(block.body, scope), address)
        lifecycle = next(iter(block.body.of("lifecycle")), None)
        rule = lifecycle.body.attributes.get("prevent_destroy") if lifecycle else None
        protected = rule is not None and to_bool(evaluate(rule, self.scope), "prevent_destroy")
        own = inputs.get("tags")
        tags = {**self.default_tags, **(own if isinstance(own, dict) else {})}
        return Resource(address, block.labels[0], self.names, inputs, protected, tags)


class _LaterModule(Module):
    """A child module: its variables are evaluated one by one."""

    def _variables(self, given: Mapping[str, Any]) -> dict[str, Any]:
        for name in given:
            if name not in self.declared:
                raise Wrong(f"{self.path} has no variable {name}")
        self.given = given
        return {}

    def _variable(self, name: str) -> Any:
        if name not in self.declared:
            raise Wrong(f"there is no variable {name} in {self.path}")
        return self._once(f"var.{name}", lambda: self._value(name))

    def _value(self, name: str) -> Any:
        about = self.declared[name].body.attributes
        value = self.given[name]() if name in self.given else None
        if value is None and "default" in about:
            value = evaluate(about["default"], self.scope)
        elif name not in self.given:
            raise Wrong(f"the variable {name} of {self.path} has no value")
        return convert(value, about.get("type"), self.scope, f"the variable {name}")

    def check_variables(self) -> None:
        for name, block in self.declared.items():
            self._variable(name)
            for rule in block.body.of("validation"):
                validate(rule, name, self.scope)
