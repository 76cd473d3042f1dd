"""Evidently's own preset, with a schema check in front of it."""

import json
from pathlib import Path

from evidently import Report
from evidently.presets import DataDriftPreset


def report(reference, current, folder):
    absent = {name for name in reference if name not in current or current[name].isna().all()}
    there = [name for name in reference if name not in absent]
    snapshot = Report([DataDriftPreset(columns=there)], include_tests=True).run(
        current[there], reference[there]
    )
    by_column = {}
    for test in snapshot.dict()["tests"]:
        column = test["metric_config"]["params"].get("column")
        if column is not None:
            by_column[column] = test["status"].name
    drifted = sorted(name for name, status in by_column.items() if status != "SUCCESS")
    verdict = {
        "ok": not drifted and not absent,
        "tests": len(by_column) + len(absent),
        "drifted": drifted,
        "missing": sorted(absent),
    }
    Path(folder).mkdir(exist_ok=True, parents=True)
    html = Path(folder, "report.html")
    snapshot.save_html(str(html))
    with html.open("a") as page:
        page.write("".join(f"<p>The column <b>{name}</b> is missing.</p>" for name in sorted(absent)))
    Path(folder, "report.json").write_text(json.dumps(verdict))
    return verdict
