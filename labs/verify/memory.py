"""Remembers what verified, so that an unchanged lab is not graded again. Kept in .labs/verify/<slug>.json."""

from __future__ import annotations

import json
from pathlib import Path

from labs.catalog import Catalog, Lab
from labs.fingerprint import of_rules
from labs.machine import EMBEDDED
from labs.workspace import write_whole


def remembers(catalog: Catalog, lab: Lab, tier: str = EMBEDDED) -> bool:
    """Has exactly this verified before?"""
    try:
        body = json.loads(_path(catalog, lab, tier).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(body, dict) and body.get("verified") == of_rules(lab)


def remember(catalog: Catalog, lab: Lab, mark: str, tier: str = EMBEDDED) -> None:
    """Keep that `mark` verified, unless the lab has changed since. A read-only checkout stays as it is."""
    if of_rules(lab) != mark:
        return
    path = _path(catalog, lab, tier)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"lab": lab.slug, "verified": mark}))
    except OSError:
        return


def forget(catalog: Catalog, lab: Lab, tier: str = EMBEDDED) -> None:
    try:
        _path(catalog, lab, tier).unlink(missing_ok=True)
    except OSError:
        return


def _path(catalog: Catalog, lab: Lab, tier: str) -> Path:
    name = lab.slug if tier == EMBEDDED else f"{lab.slug}.{tier}"
    return catalog.root / ".labs" / "verify" / f"{name}.json"
