"""A training done again: from its record alone, and with other labels in the holdout."""

from __future__ import annotations

from typing import Any

import numpy as np

from commands import Company, put_folder
from days import as_files, draw_days, fingerprint, in_order
from labels import with_another_holdout
from labs.checks import close, show
from training import DEFAULTS, as_argv, data_folder, look_at, metrics_of, params_of

ALIKE = 1e-9


def expect_same_again(company: Company, kept: Any, rng: np.random.Generator, seed: int) -> None:
    """Do the training again in another folder, with nothing but its record, and compare what came of it."""
    api, work = company.api, company.work
    code = api.below(f"{kept.run['info']['artifact_uri']}/code")
    kept.done.require(
        "train.py" in code,
        wanted="the run's artifact `code/train.py`",
        got=f"in `code`: {show(sorted(code))}",
    )
    put_folder(work, "again", code)
    folders = {"elsewhere/first": draw_days(seed, 1, 4, 2000), "elsewhere/second": kept.days}
    for folder, days in folders.items():
        data_folder(company, folder, days)
    params = params_of(kept.run)
    right = [f for f, days in folders.items() if fingerprint(as_files(days)) == params.get("data_sha256")]
    kept.done.require(
        right, wanted="the param `data_sha256` to find the data by", got="no folder that fits it"
    )
    options = as_argv({key: value for key, value in params.items() if key in DEFAULTS})
    process = company.start("train.py", "--data", f"../{right[0]}", *options, folder="again")
    process.did = (
        "train.py again: the run's code alone in a folder, the run's params, the data of its fingerprint"
    )
    done = process.wait(100)
    done.expect(status=0, hint="Log every file of your own that the training reads or imports.")
    found = api.alias(company.name, "challenger")
    done.require(found is not None, wanted="a new challenger", got="none")
    version = api.version(company.name, int(found or 0))
    done.require(version.run_id, wanted="a version that knows its run", got="a version without a run")
    first, second = metrics_of(kept.run), metrics_of(api.run(version.run_id))
    done.require(
        close(second, first, ALIKE, ALIKE),
        wanted="the same metrics as the first time",
        got="others",
        hint="What does the result depend on that is neither data, nor a param, nor logged code?",
        measured=f"{show(second)}; the first time {show(first)}",
    )
    fresh = in_order(draw_days(seed, 30, 1, 2000))
    _, (before, after) = look_at(
        company, fresh, (kept.name, kept.version.number), (company.name, version.number)
    )
    done.require(
        close(after["scores"], before["scores"], ALIKE, ALIKE) and after["threshold"] == before["threshold"],
        wanted="the same scores for fresh payments, and the same threshold, as the first time",
        got="others",
        hint="What does the result depend on that is neither data, nor a param, nor logged code?",
    )


def expect_the_holdout_apart(company: Company, kept: Any, rng: np.random.Generator, seed: int) -> None:
    """With other labels in the holdout alone, the same options give the same model with the same threshold."""
    category = str(rng.choice(["food", "groceries", "utilities"]))
    data = data_folder(company, "other", with_another_holdout(kept.days, category))
    done = company.train(data, *kept.options.argv).expect(status=0)
    done.did = "train.py again, on the same payments: only labels in the last fifth are others"
    found = company.api.alias(company.name, "challenger")
    done.require(found is not None, wanted="a new challenger", got="none")
    fresh = in_order(draw_days(seed, 30, 1, 2000))
    both = ((kept.name, kept.version.number), (company.name, int(found or 0)))
    _, (before, after) = look_at(company, fresh, *both)
    hint = "On which rows is it fitted, on which rows is the threshold chosen, and what ends the training?"
    same = after["scores"] is not None and close(after["scores"], before["scores"], ALIKE, ALIKE)
    done.require(same, wanted="a model that knows nothing of the holdout", got="another model", hint=hint)
    same = close(after["threshold"], before["threshold"], ALIKE, ALIKE)
    done.require(
        same, wanted="a threshold that knows nothing of the holdout", got="another threshold", hint=hint
    )
