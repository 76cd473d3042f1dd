"""A dot product and a logistic curve: nothing but NumPy is needed to serve it."""

import json

import numpy as np

from terms import ALWAYS, terms


def score(model, payments):
    with open(f"{model}/scorecard.json", encoding="utf-8") as file:
        card = json.load(file)
    absent = [name for name in (*ALWAYS, *card["numbers"]) if name not in payments]
    if absent:
        raise ValueError("missing: " + ", ".join(absent))
    if len(payments) == 0:
        return []
    # einsum adds each row up by itself; a matrix product may add in another order in a larger batch.
    logit = np.einsum("ij,j->i", terms(payments, card["numbers"]), np.array(card["weights"]))
    return (1 / (1 + np.exp(-logit))).tolist()
