"""What the record of a training must say: options, figures, and everything that it takes to do it again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from candidates import BLOCKED_LEGITIMATE_RUPEES
from commands import Company, last_object, put_folder
from days import as_files, fingerprint, in_order
from labels import holdout
from labs.checks import Finished, close, show
from mlflow_api import NOWHERE, as_json

CARD_WORDS = ("owner", "intended_use", "not_for", "limitations")
DEFAULTS = {"seed": 0, "learning_rate": 0.1, "max_leaf_nodes": 15, "max_iter": 60}
LEAST_FRAUDS = 20


@dataclass(frozen=True)
class Options:
    """What a training is started with, and what it must therefore log."""

    argv: tuple[str, ...]
    all: Mapping[str, float]


def draw_options(rng: np.random.Generator) -> Options:
    """Three of the four options, drawn; the other one keeps its default."""
    drawn = {
        "seed": int(rng.integers(1, 10**6)),
        "learning_rate": round(float(rng.uniform(0.06, 0.19)), 4),
        "max_leaf_nodes": int(rng.choice([7, 9, 11, 13])),
        "max_iter": int(rng.integers(25, 45)),
    }
    left_out = str(rng.choice(["learning_rate", "max_leaf_nodes"]))
    given = {name: value for name, value in drawn.items() if name != left_out}
    return Options(as_argv(given), {**DEFAULTS, **given})


def as_argv(options: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))
    )


def data_folder(company: Company, folder: str, days: Mapping[str, pd.DataFrame]) -> str:
    return put_folder(company.work, folder, as_files(days))


def params_of(run: Mapping[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in run["data"].get("params", [])}


def metrics_of(run: Mapping[str, Any]) -> dict[str, float]:
    return {one["key"]: float(one["value"]) for one in run["data"].get("metrics", [])}


def number_in(params: Mapping[str, str], name: str) -> float | None:
    """A param as a number; None if it is none."""
    try:
        return float(params[name])
    except (KeyError, ValueError):
        return None


def look_at(
    company: Company, payments: pd.DataFrame, *versions: tuple[str, int]
) -> tuple[Finished, list[dict[str, Any]]]:
    """What versions of the registry say of themselves, and which scores they give these payments."""
    payments.to_parquet(buffer := io.BytesIO(), index=False)
    path = company.work.give("rows.parquet", buffer.getvalue())
    numbers = " and ".join(str(number) for _, number in versions)
    did = f"mlflow.pyfunc.load_model(…version {numbers}…).predict(payments)"
    done = company.script("look.py", path, *(f"{name}/{number}" for name, number in versions), did=did)
    done.expect(
        status=0, hint="Load it yourself: can it be loaded, and does it take what its signature says?"
    )
    found = last_object(done)["versions"]
    for said in found:
        said["scores"] = np.array(said["scores"]) if "scores" in said else None
    return done, found


def true_metrics(holdout: pd.DataFrame, scores: np.ndarray, threshold: float) -> dict[str, float]:
    """The contract's metrics of these scores."""
    frauds = holdout["is_fraud"].to_numpy(bool)
    amount = holdout["amount_paise"].to_numpy() / 100
    blocked = scores >= threshold
    lost = amount[frauds & ~blocked].sum() + BLOCKED_LEGITIMATE_RUPEES * (blocked & ~frauds).sum()
    found = {"pr_auc": float(average_precision_score(frauds, scores)), "cost_rupees": float(lost)}
    for column in ("channel", "merchant_category"):
        for value in sorted(holdout[column].unique()):
            rows = (holdout[column] == value).to_numpy()
            if frauds[rows].sum() >= LEAST_FRAUDS:
                found[f"pr_auc.{column}.{value}"] = float(average_precision_score(frauds[rows], scores[rows]))
    return found


SLICES = f"A slice has a metric from {LEAST_FRAUDS} frauds in the holdout on. Count them there, not in all payments."


def expect_true_metrics(done: Finished, run: Mapping[str, Any], true: Mapping[str, float]) -> None:
    logged = metrics_of(run)
    for name, wanted in true.items():
        done.require(
            name in logged, wanted=f"the metric `{name}`", got="the run has no such metric", hint=SLICES
        )
        done.require(
            close(logged[name], wanted, 1e-6, 1e-9),
            wanted=f"the metric `{name}`, of the last fifth of the payments",
            got="another value",
            hint="On which rows was it measured? And is it the model that was registered which earns it?",
            measured=f"logged {logged[name]:.6f}, earned {wanted:.6f}",
        )
    others = sorted(name for name in logged if name.startswith("pr_auc.") and name not in true)
    done.require(
        not others,
        wanted=f"no metric of a slice with fewer than {LEAST_FRAUDS} frauds in the holdout",
        got=show(others),
        hint=SLICES,
    )


def expect_options(kept: Any) -> None:
    """Every option is a param with the value that was used."""
    for name, wanted in kept.options.all.items():
        found = number_in(params_of(kept.run), name)
        kept.done.require(
            found is not None and close(found, float(wanted), 1e-12, 0.0),
            wanted=f"the param `{name}` = {wanted}",
            got="no such param" if found is None else show(found),
            hint="Log what the training used, not what you think that the defaults are.",
        )


def expect_data(kept: Any) -> None:
    """The data are named by their fingerprint."""
    wanted = fingerprint(as_files(kept.days))
    found = params_of(kept.run).get("data_sha256")
    hint = "The same bytes elsewhere have the same fingerprint: no folder and no time is part of it."
    got = "no such param" if found is None else "another value"
    kept.done.require(
        found == wanted, wanted="the param `data_sha256`: the folder's fingerprint", got=got, hint=hint
    )
    inputs = kept.run.get("inputs", {}).get("dataset_inputs", [])
    found = sorted((one["dataset"].get("name", ""), one["dataset"].get("digest", "")) for one in inputs)
    kept.done.require(
        found == [("payments", wanted[:32])],
        wanted="one dataset of the run: `payments`, its digest the first 32 characters of the fingerprint",
        got=f"{len(found)} datasets, or another name or digest",
        hint="`mlflow.data.from_pandas(…, name=…, digest=…)` and `mlflow.log_input`.",
    )


def expect_a_usable_model(company: Company, kept: Any) -> None:
    """The model is whole, and predicts probabilities; they are kept for later checks."""
    payments = in_order(kept.days)
    kept.holdout = holdout(payments)
    done, (kept.said,) = look_at(company, kept.holdout, (kept.name, kept.version.number))
    done.require(kept.said["features"], wanted="a signature that names the inputs", got="none")
    done.require(kept.said["has_outputs"], wanted="a signature with outputs", got="none")
    strange = sorted(set(kept.said["features"]) - set(payments.drop(columns="is_fraud")))
    done.require(not strange, wanted="inputs that are columns of the payments", got=show(strange))
    done.require(kept.said["has_example"], wanted="a model with an input example", got="none")
    threshold = kept.said["threshold"]
    is_number = isinstance(threshold, float) and 0 < threshold < 1
    done.require(is_number, wanted="metadata with a `threshold` between 0 and 1", got=show(threshold))
    done.require(
        kept.said["scores"] is not None,
        wanted="from `predict`, two columns of probabilities",
        got=f"{'no' if len(kept.said['shape']) < 2 else kept.said['shape'][1]} columns, or no probabilities",
        hint="A pyfunc model predicts labels unless it is logged with something else.",
    )


def expect_signed_files(company: Company, kept: Any) -> None:
    """The version has the fingerprint of its files."""
    address = company.api.address(kept.version)
    kept.done.require(
        address, wanted="a version whose files lie in MLflow's artifact store", got="another place"
    )
    right = kept.version.tags.get("artifact_sha256") == fingerprint(company.api.below(address))
    kept.done.require(
        right,
        wanted="the version's tag `artifact_sha256`: the fingerprint of its files",
        got="another value" if "artifact_sha256" in kept.version.tags else "no such tag",
        hint="Which files does MLflow's store hold for the version, and what does a download add?",
    )


def expect_a_true_card(company: Company, kept: Any) -> None:
    """The card has every field, and says what is so."""
    card = as_json(company.api.get(f"{kept.run['info']['artifact_uri']}/model_card.json"))
    done = kept.done
    done.require(isinstance(card, dict), wanted="the run's artifact `model_card.json`: an object", got="none")
    for name in CARD_WORDS:
        said = card.get(name)
        done.require(isinstance(said, str) and said.strip(), wanted=f"`{name}` in words", got=show(said))
    facts = {
        "model": kept.name,
        "data_sha256": fingerprint(as_files(kept.days)),
        "features": kept.said["features"],
        "threshold": kept.said["threshold"],
        "metrics": metrics_of(kept.run),
    }
    for name, true in facts.items():
        done.require(
            close(card.get(name), true, 0.0, 1e-9),
            wanted=f"in the card, `{name}` as it is",
            got="something else" if name in card else "nothing",
            hint="Let the code write it: what people type is true on the day on which they type it.",
            measured=f"{show(card.get(name))}; it is {show(true)}",
        )


def expect_a_challenger(
    company: Company, kept: Any, days: Mapping[str, pd.DataFrame], options: Options
) -> None:
    """One training gives one version, with the alias and a finished run; all is kept for later checks."""
    kept.days, kept.options = days, options
    data = data_folder(company, "exports/this one", kept.days)
    done = company.train(data, *kept.options.argv).expect(status=0)
    versions = company.api.versions(company.name)
    done.require(
        len(versions) == 1, wanted="one version of the model that MODEL_NAME names", got=show(versions)
    )
    found = company.api.alias(company.name, "challenger")
    done.require(found == versions[0], wanted="the alias `challenger` at the new version", got=show(found))
    done.require(company.champion is None, wanted="no alias `champion`", got="the training set it")
    kept.name, kept.version = company.name, company.api.version(company.name, versions[0])
    done.require(kept.version.run_id, wanted="a version that knows its run", got="a version without a run")
    kept.run = company.api.run(kept.version.run_id)
    status = kept.run["info"]["status"]
    done.require(status == "FINISHED", wanted="a run that is FINISHED", got=f"it is {status}")
    is_ours = str(kept.run["info"]["artifact_uri"]).startswith(NOWHERE)
    done.require(is_ours, wanted="a run whose artifacts lie in MLflow's own store", got="another place")
    kept.done = done
