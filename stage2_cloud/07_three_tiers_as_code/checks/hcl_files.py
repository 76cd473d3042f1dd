"""Reads Terraform files with python-hcl2, and gives their blocks as trees of its parser.

Source: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import hcl2
from lark import Token, Tree
from lark.exceptions import LarkError, UnexpectedInput

import hcl_pieces
from hcl_values import CLOSE, OPEN, CannotEvaluate, Wrong

MOST_BYTES = 200_000
SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
ESCAPE = re.compile(r"\\(?:([nrt\"\\])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")


@dataclass(frozen=True)
class Body:
    """What stands in a block: attributes (name → tree of the expression) and blocks."""

    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def of(self, kind: str) -> list[Block]:
        return [block for block in self.blocks if block.kind == kind]


@dataclass(frozen=True)
class Block:
    """`kind "label" … { body }`."""

    kind: str
    labels: tuple[str, ...]
    body: Body
    place: str


class NotHcl(Exception):
    """A syntax error, with its place."""

    def __init__(self, path: str, line: int, column: int) -> None:
        super().__init__(f"{path}, line {line}, column {column}")


def read(path: str, data: bytes) -> Body:
    """The body of one file.

    Raises:
        NotHcl: a syntax error.
        CannotEvaluate: it is too large.
    """
    if len(data) > MOST_BYTES:
        raise CannotEvaluate(f"{path}: more than {MOST_BYTES:,} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise NotHcl(path, before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1) from None
    if OPEN in text or CLOSE in text:
        raise CannotEvaluate(f"{path}: characters of Unicode's private area")
    tree = _parse(path, text if text.endswith("\n") else text + "\n")
    return _body(_only(tree, "body"), path)


@lru_cache(maxsize=512)
def _parse(path: str, text: str) -> Tree:
    try:
        return hcl2.parses_to_tree(text)
    except UnexpectedInput as error:
        if "${~" in text:
            raise CannotEvaluate(f"{path}: `${{~` in a quoted text") from None
        raise NotHcl(path, max(error.line, 1), max(error.column, 1)) from None
    except (LarkError, RecursionError):
        raise NotHcl(path, text.count("\n"), 1) from None


def children(tree: Tree) -> list[Any]:
    """Those that mean something: without line ends and comments."""
    return [
        child
        for child in tree.children
        if child is not None and not (isinstance(child, Tree) and child.data == "new_line_or_comment")
    ]


def trees(tree: Tree) -> list[Tree]:
    return [child for child in children(tree) if isinstance(child, Tree)]


def tokens(tree: Tree) -> list[str]:
    return [str(child).strip() for child in tree.children if isinstance(child, Token)]


def name_of(tree: Tree) -> str:
    """Of an identifier, a keyword or a literal in their place."""
    return str(tree.children[0])


def _only(tree: Tree, kind: str) -> Tree:
    return next(child for child in trees(tree) if child.data == kind)


def _body(tree: Tree, path: str) -> Body:
    body = Body()
    for child in trees(tree):
        parts = trees(child)
        if child.data == "attribute":
            name = name_of(parts[0])
            if name in body.attributes:
                raise Wrong(f"{path}: the attribute {name} is given twice in one block")
            body.attributes[name] = parts[1]
        else:
            *words, inner = parts
            labels = tuple(_label(word) for word in words[1:])
            kind = name_of(words[0])
            line = getattr(child.meta, "line", 0)
            body.blocks.append(Block(kind, labels, _body(inner, path), f"{path}:{line}"))
    return body


def _label(tree: Tree) -> str:
    return "".join(name_of(part) for part in trees(tree)) if tree.data == "string" else name_of(tree)


def unescape(text: str) -> str:
    """What a quoted text means: its escapes, and `$${` and `%%{`."""

    def one(found: re.Match[str]) -> str:
        return SIMPLE_ESCAPES[found[1]] if found[1] else chr(int(found[2] or found[3], 16))

    return ESCAPE.sub(one, text).replace("$${", "${").replace("%%{", "%{")


def heredoc(written: str, indented: bool) -> Tree:
    """The tree of a here-document, which python-hcl2 leaves as it is written."""
    lines = written.rstrip("\n").replace("\r\n", "\n").split("\n")[1:-1]
    return template("".join(f"{line}\n" for line in lines), indented)


def template(text: str, indented: bool = False) -> Tree:
    """The tree of a template that is not quoted."""
    quoted = "".join(
        piece if is_code else piece.replace("\\", "\\\\").replace('"', '\\"')
        for piece, is_code in hcl_pieces.read(text, indented)
    )
    tree = _parse("a here-document", f'x = "{quoted}"\n')
    attribute = next(child for child in trees(_only(tree, "body")) if child.data == "attribute")
    return trees(attribute)[1]
