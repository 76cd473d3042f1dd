"""Records with which something is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from planting import Record


def without_a_figure(right: Record, rng: np.random.Generator) -> Record:
    """A card that is silent about one of the run's metrics."""
    silent_about = str(rng.choice(sorted(right.metrics)))
    metrics = {name: value for name, value in right.metrics.items() if name != silent_about}
    return right.with_card(metrics=metrics)


def with_a_figure_of_its_own(right: Record) -> Record:
    """A card with one more metric than the run has."""
    return right.with_card(metrics={**right.metrics, "pr_auc.channel.autopay": 0.61})


def wrong_card(right: Record, rng: np.random.Generator) -> tuple[Record, list[str]]:
    """A card with a fault in nearly every field, and the reasons."""
    card = right.card or {}
    words = ["owner", "intended_use", "not_for", "limitations"]
    missing, empty = (str(name) for name in rng.choice(words, 2, replace=False))
    metrics = dict(right.metrics)
    flattered = str(rng.choice(sorted(metrics)))
    metrics[flattered] = round(metrics[flattered] * 1.0001, 9)
    features = [card["features"][1], card["features"][0], *card["features"][2:]]
    many = right.with_card(
        **{missing: None, empty: "  "},
        model="offers",
        data_sha256=rng.bytes(32).hex(),
        features=features,
        threshold=round(card["threshold"] + 0.001, 4),
        metrics=metrics,
    )
    names = (missing, empty, "model", "data_sha256", "features", "threshold", "metrics")
    return many, [f"card.{name}" for name in names]


def turned_round(right: Record, rng: np.random.Generator) -> Record:
    """The same model with two of its inputs in each other's place; the card knows it."""
    names = list(right.features)
    one, other = sorted(rng.choice(len(names), 2, replace=False).tolist())
    names[one], names[other] = names[other], names[one]
    features = {name: right.features[name] for name in names}
    return replace(right, features=features).with_card(features=names)


def misfit(right: Record, rng: np.random.Generator) -> Record:
    """The same model with one input of another type, without a threshold, and with a card that leaves a figure out."""
    features = dict(right.features)
    changed = str(rng.choice(list(features)[2:]))
    features[changed] = "double" if features[changed] == "long" else "float"
    return replace(without_a_figure(right, rng), features=features, has_threshold=False)
