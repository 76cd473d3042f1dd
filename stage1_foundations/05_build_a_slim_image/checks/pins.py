"""When an image's name may mean another image tomorrow. The policy is the contract's."""

from __future__ import annotations

import re

from image_model import understand_base


def wanted_of(image: str) -> str:
    """What the contract wants of this image's name."""
    if understand_base(image) is None:
        return "a full version of the image, such as `name:1.2.3`, or a digest"
    return "a tag that says Python's minor version and Debian's release, or a digest"


def how_it_moves(image: str) -> str:
    """Why this name is not pinned; "" when it is."""
    if re.search(r"@sha256:[0-9a-f]{64}$", image):
        return ""
    base = understand_base(image)
    tag = image.rpartition(":")[2] if ":" in image.rsplit("/", 1)[-1] else ""
    if not tag:
        return "no tag, which means `latest`"
    if base is not None:
        if not base.python:
            return f"`{tag}` does not say which 3.x"
        if not base.release and base.libc == "glibc":
            return f"`{tag}` does not say which release of Debian"
        return ""
    return "" if re.search(r"\d+\.\d+\.\d+", tag) else f"`{tag}` is no full version: three numbers"
