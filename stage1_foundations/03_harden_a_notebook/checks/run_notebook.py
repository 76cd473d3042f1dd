"""Runs the code of a notebook in fresh processes, without Jupyter, and says what its figure is worth.

    python run_notebook.py NOTEBOOK DATA

First from top to bottom; then twice in the order of its execution counts. Whatever file the notebook asks for, it gets
the rows of DATA/history. In the end its `predict` is asked about every fourth row of DATA/later: days that it never
saw.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cell = tuple[int | None, str]


def code_cells(notebook: Path) -> list[Cell]:
    """(execution count, source) of each code cell, in the order of the file."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        (cell["execution_count"], "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"
    ]


def executable(source: str) -> str:
    """The source without the lines that only IPython understands."""
    return "".join(line for line in source.splitlines(keepends=True) if not line.startswith(("%", "!")))


def run(notebook: Path, data: Path, by_count: bool) -> str:
    """Run the cells in this process. Returns a sentence on how it went."""
    rows = [
        line
        for file in sorted((data / "history").glob("*.jsonl"))
        for line in file.read_text().splitlines(True)
    ]
    _serve_rows("".join(rows))
    cells = list(enumerate(code_cells(notebook), start=1))
    if by_count:
        cells.sort(key=lambda each: each[1][0] or 0)
    names: dict[str, Any] = {"__name__": "__main__"}
    for place, (count, source) in cells:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(executable(source), f"cell {place}", "exec"), names)
        except Exception as error:
            return f"stops at cell {place}, In [{count}]: {type(error).__name__}: {error}"
    later = [json.loads(line) for file in sorted((data / "later").glob("*.jsonl")) for line in file.open()]
    later = later[::4]  # its predict() takes milliseconds for a row
    auc = _auc([row["is_fraud"] for row in later], [_ask(names["predict"], row) for row in later])
    return f"AUC {names['auc']:.4f} as the notebook counts; {auc:.4f} on ten later days, asked through its predict()"


def _serve_rows(text: str) -> None:
    """Whatever file the notebook reads, it reads these rows."""
    import pandas as pd

    read_json = pd.read_json
    pd.read_json = lambda _path, **options: read_json(io.StringIO(text), **options)


def _ask(predict: Callable[[dict[str, Any]], float], row: dict[str, Any]) -> float:
    return float(predict({name: value for name, value in row.items() if name != "is_fraud"}))


def _auc(labels: list[bool], scores: list[float]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    orders = {"top to bottom": False, "in the order of its counts": True, "the same once more": True}
    with fresh.Pool(1, maxtasksperchild=1) as pool:
        for words, by_count in orders.items():
            print(f"{words + ':':<28}{pool.apply(run, (given.notebook, given.data, by_count))}", flush=True)


if __name__ == "__main__":
    main()
