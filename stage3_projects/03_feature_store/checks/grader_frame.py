"""Calls training_set as a notebook does: with a part of a bigger frame, which is needed again afterwards.

The check puts this file beside features.py. It tells what came back, and whether the caller's frame is as it was.
"""

from __future__ import annotations

from typing import Any

import pandas as pd


def train(entities: pd.DataFrame, service: str) -> dict[str, Any]:
    import features

    entities.index = pd.Index([3 * place + 7 for place in reversed(range(len(entities)))])
    before = entities.copy(deep=True)
    answer = features.training_set(entities, service)
    if isinstance(answer, pd.DataFrame):
        answer = answer.reset_index(drop=True)
    return {"same": before.equals(entities), "answer": answer}
