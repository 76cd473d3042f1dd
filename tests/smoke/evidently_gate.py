"""Evidently: a drift report with tests passes on the same distribution and fails on a shifted one."""

from pathlib import Path

import numpy as np
import pandas as pd
from evidently import Report
from evidently.metrics import DriftedColumnsCount, ValueDrift
from evidently.tests import lte

rng = np.random.default_rng(0)
reference = pd.DataFrame({"amount": rng.normal(size=2000), "age": rng.normal(size=2000)})


def statuses(current: pd.DataFrame) -> list[str]:
    report = Report(
        [
            ValueDrift(column="amount", method="wasserstein", threshold=0.1, tests=[lte(0.2)]),
            DriftedColumnsCount(drift_share=0.2, tests=[lte(1)]),
        ]
    )
    snapshot = report.run(current, reference)
    snapshot.save_html("drift.html")
    return [test["status"].name for test in snapshot.dict()["tests"]]


assert statuses(reference.sample(frac=1, random_state=1)) == ["SUCCESS", "SUCCESS"]
assert statuses(reference + 2.0) == ["FAIL", "FAIL"]
assert Path("drift.html").stat().st_size > 100_000
