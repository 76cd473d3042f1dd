"""Cuts a template that is not quoted (a here-document, a file) into text and code, and trims its text.

Source: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md, "Template Expressions". A literal is one line; `~`
trims the one literal beside it; then `<<-` takes the smallest indentation of all lines away.
"""

from __future__ import annotations

from collections.abc import Iterator

Piece = tuple[str, bool]
"""A text, and whether it is code: `${ }` or `%{ }`."""


def read(text: str, indented: bool) -> list[Piece]:
    """The pieces, with their markers for trimming carried out and taken away."""
    found = _trimmed([line for piece in _cut(text) for line in _lines(piece)])
    return _flushed(found) if indented else found


def _lines(piece: Piece) -> list[Piece]:
    text, is_code = piece
    return [piece] if is_code else [(line, False) for line in text.splitlines(keepends=True)]


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    found: list[Piece] = []
    trims_next = False
    for text, is_code in pieces:
        if not is_code:
            found.append((text.lstrip() if trims_next else text, False))
            trims_next = False
            continue
        if text[2:3] == "~":
            text = text[:2] + text[3:]
            if found and not found[-1][1]:
                found[-1] = (found[-1][0].rstrip(), False)
        trims_next = text.endswith("~}")
        found.append((f"{text[:-2]}}}" if trims_next else text, True))
    return found


def _flushed(pieces: list[Piece]) -> list[Piece]:
    starts: dict[int, int] = {}
    begins_line = True
    for at, (text, is_code) in enumerate(pieces):
        if begins_line and (is_code or text.strip() or not text.endswith("\n")):
            starts[at] = 0 if is_code else len(text) - len(text.lstrip())
        begins_line = not is_code and text.endswith("\n")
    shared = min(starts.values(), default=0)
    return [
        (text[shared:] if at in starts and not is_code else text, is_code)
        for at, (text, is_code) in enumerate(pieces)
    ]


def _cut(text: str) -> Iterator[Piece]:
    """A template's text and its code, in turn."""
    position = start = 0
    while position < len(text):
        if text.startswith(("$${", "%%{"), position):
            position += 3
        elif text.startswith(("${", "%{"), position):
            if start < position:
                yield text[start:position], False
            start, depth, quoted = position, 0, False
            while position < len(text):
                sign = text[position]
                if sign == "\\" and quoted:
                    position += 1
                elif sign == '"':
                    quoted = not quoted
                elif not quoted:
                    depth += (sign == "{") - (sign == "}")
                    if sign == "}" and depth == 0:
                        break
                position += 1
            position += 1
            yield text[start:position], True
            start = position
        else:
            position += 1
    if start < len(text):
        yield text[start:], False
