"""Remembers what verified, so that an unchanged lab is not graded again. Kept in .labs/verify/<slug>.json.

What verified by its named checks alone (`Case.named`) stands beside it: a lab that verified whole has done that, too.
"""

from __future__ import annotations

import json
from pathlib import Path

from labs.catalog import Catalog, Lab
from labs.fingerprint import of_rules
from labs.machine import EMBEDDED
from labs.workspace import write_whole


def remembers(catalog: Catalog, lab: Lab, tier: str = EMBEDDED, named: bool = False) -> bool:
    """Has exactly this verified before?"""
    mark = of_rules(lab)
    return _kept(catalog, lab, tier, False) == mark or (named and _kept(catalog, lab, tier, True) == mark)


def remember(catalog: Catalog, lab: Lab, mark: str, tier: str = EMBEDDED, named: bool = False) -> None:
    """Keep that `mark` verified, unless the lab has changed since. A read-only checkout stays as it is."""
    if of_rules(lab) != mark:
        return
    path = _path(catalog, lab, tier, named)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"lab": lab.slug, "verified": mark}))
    except OSError:
        return


def forget(catalog: Catalog, lab: Lab, tier: str = EMBEDDED) -> None:
    for named in (False, True):
        try:
            _path(catalog, lab, tier, named).unlink(missing_ok=True)
        except OSError:
            return


def _kept(catalog: Catalog, lab: Lab, tier: str, named: bool) -> object:
    try:
        body = json.loads(_path(catalog, lab, tier, named).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return body.get("verified") if isinstance(body, dict) else None


def _path(catalog: Catalog, lab: Lab, tier: str, named: bool) -> Path:
    name = lab.slug if tier == EMBEDDED else f"{lab.slug}.{tier}"
    name += ".named" if named else ""
    return catalog.root / ".labs" / "verify" / f"{name}.json"
