"""The page a person reads about one day, and the verdict a machine reads beside it."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pandas as pd
from evidently import Report
from evidently.metrics import ValueDrift

from drift import Bins, is_text

PSI_LIMIT = 0.1


def report(reference: pd.DataFrame, current: pd.DataFrame, folder: str) -> dict[str, Any]:
    """Compare every column of `reference` with `current`; write report.html and report.json into `folder`.

    Three things Evidently 0.7 leaves to its user: it says nothing about a column that is missing, it stops at one
    without values, and its PSI cuts numbers into bins of equal width, so that nearly all amounts share one bin. So
    broken columns are found before, and Evidently gets the deciles of the reference as categories.
    """
    broken = [name for name in reference if not _comparable(reference, current, name)]
    bins = {name: Bins.of(reference[name]) for name in reference if name not in broken}
    metrics = [
        ValueDrift(column=name, method="psi", threshold=PSI_LIMIT) for name in bins
    ]
    snapshot = Report(metrics).run(_binned(bins, current), _binned(bins, reference))
    tests = snapshot.dict()["tests"]
    drifted = [
        test["metric_config"]["params"]["column"] for test in tests if test["status"].name != "SUCCESS"
    ]
    verdict = {
        "ok": not drifted and not broken,
        "tests": len(tests) + len(broken),
        "drifted": sorted(drifted),
        "missing": sorted(broken),
    }
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    page = snapshot.get_html_str(as_iframe=False).replace("<body>", "<body>" + _banner(verdict), 1)
    (target / "report.html").write_text(page, encoding="utf-8")
    (target / "report.json").write_text(json.dumps(verdict, indent=2), encoding="utf-8")
    return verdict


def _comparable(reference: pd.DataFrame, current: pd.DataFrame, name: str) -> bool:
    there = name in current and current[name].notna().any()
    return there and is_text(current[name]) == is_text(reference[name])


def _binned(bins: dict[str, Bins], frame: pd.DataFrame) -> pd.DataFrame:
    """Each row's bin instead of its value, with names that sort as the bins do."""
    columns = {}
    for name, own in bins.items():
        names = [f"{number:02d}: {label}" for number, label in enumerate(own.labels, start=1)]
        columns[name] = pd.Categorical.from_codes(own.positions(frame[name]), names).astype(object)
    return pd.DataFrame(columns)


def _banner(verdict: dict[str, Any]) -> str:
    lines = [f"<h1>{'No drift' if verdict['ok'] else 'Drift'}: {verdict['tests']} columns tested</h1>"]
    for key in ("missing", "drifted"):
        if verdict[key]:
            lines.append(f"<p>{key.capitalize()}: {html.escape(', '.join(verdict[key]))}</p>")
    return f'<header style="font-family: sans-serif; padding: 1rem">{"".join(lines)}</header>'
