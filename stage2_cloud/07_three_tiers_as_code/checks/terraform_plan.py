"""Plans a root module: every resource that it describes with these variables, and its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph import Graph, Resource
from hcl_expressions import evaluate
from hcl_values import CannotEvaluate, to_bool
from terraform import Module
from terraform_blocks import Files, content

__all__ = ["Files", "Module", "plan"]


def plan(files: Files, given: Mapping[str, Any]) -> tuple[Graph, Module]:
    """Every resource that the root module describes with these variables.

    Raises:
        hcl_files.NotHcl, Wrong: Terraform would refuse it.
        CannotEvaluate: nothing may be concluded.
    """
    graph: dict[str, Resource] = {}
    root = Module(files, "", "", (), given, graph, {})
    root.default_tags = _default_tags(root)
    root.collect()
    outputs = {}
    for block in root._of("output"):
        hidden = block.body.attributes.get("sensitive")
        is_hidden = hidden is not None and to_bool(evaluate(hidden, root.scope), "sensitive")
        outputs[block.labels[0]] = (root.output(block.labels[0]), is_hidden)
    return Graph(graph, outputs), root


def _default_tags(root: Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for block in root._of("provider"):
        if block.labels == ("aws",):
            if "alias" in block.body.attributes:
                raise CannotEvaluate("provider aliases")
            for tags in block.body.of("default_tags"):
                found |= content(tags.body, root.scope).get("tags") or {}
    return found
