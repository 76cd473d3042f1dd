"""How likely each payment is to be fraud, whether it was, and when anybody finds out."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

import numpy as np

from labs.world.draws import (
    Bools,
    Columns,
    Floats,
    Ints,
    Purpose,
    lognormal_table,
    share,
    sixteen_bits,
    stream,
    uniforms,
)
from labs.world.population import FIRST_MERCHANT_ID, population

ATTACK_PROBABILITY = 0.9  # of a payment that the attack made; the rest are victims' own
INTERCEPT = -8.9
FRIENDLY_FRAUD = 0.0002  # a payer disputes his own payment: no column can tell
CHANNEL_RISK = np.array([-0.5, 0.0, 1.2, -1.5])
CATEGORY_RISK = np.array([-0.8, -0.5, -1.0, -0.4, 0.5, 0.4, 1.5, 0.9])

CHARGEBACK_WINDOW = timedelta(days=30)
REPORTED_SHARE = 0.35  # the victim notices and calls; the others wait for the statement
REPORTED = (0.8, 0.8)  # median days, sigma of the log
CHARGED_BACK = (6.5, 0.7)
DAY_US = 86_400_000_000


def fraud_probability(seed: int, columns: Columns, attacked: Bools) -> Floats:
    """The true probability that each payment is fraud, from the columns as they really were.

    A logistic model with interactions and with one thing that no column shows (the merchant's risk).
    """
    log_ratio = np.log(columns["amount_paise"] / columns["payer_mean_amount_30d_paise"])
    new_merchant = columns["payer_merchant_is_new"].astype(np.float64)
    young_device = np.exp(columns["device_age_days"] * (-1 / 6))
    young_account = np.exp(columns["payer_account_age_days"] * (-1 / 30))
    far = np.log1p(columns["distance_km"] / 20)
    busy = np.log1p(columns["payer_txn_count_24h"])
    at_night = _night()[columns["hour_ist"]]
    channel, category = columns["channel"], columns["merchant_category"]
    dear = np.maximum(log_ratio, 0.0)
    collect = channel == 2
    logit = CHANNEL_RISK[channel] + CATEGORY_RISK[category] + INTERCEPT
    logit += dear * (0.7 + 1.3 * new_merchant + 0.9 * young_device)
    logit += new_merchant * (0.5 + 1.0 * at_night + 1.5 * collect)
    logit += young_device * (4.0 + 1.5 * collect)
    logit += young_account * (1.8 + 1.0 * busy)
    logit += far * (0.5 + 1.2 * at_night)
    logit += 0.4 * at_night
    logit += 2.0 * young_device * young_account
    logit += population(seed).merchant_risk[columns["merchant_id"] - FIRST_MERCHANT_ID]
    probability = FRIENDLY_FRAUD + (1 - FRIENDLY_FRAUD) / (1 + np.exp(-logit))
    probability[attacked] = ATTACK_PROBABILITY
    return np.asarray(probability)


def draw_labels(seed: int, day: int, event_time: Ints, probability: Floats) -> tuple[Bools, Ints]:
    """Whether each payment is fraud, and when (microseconds since 1970, UTC) its label arrives.

    A fraud is known when the victim reports it or the chargeback comes, always within the window; a payment
    nobody disputed is known to be legitimate when the window of 30 days closes.
    """
    rows = event_time.size
    is_fraud = uniforms(stream(seed, day, Purpose.LABEL), rows) < probability
    which, delay = sixteen_bits(stream(seed, day, Purpose.LABEL_DELAY), 2, rows)
    days = np.where(
        share(which, REPORTED_SHARE), lognormal_table(*REPORTED)[delay], lognormal_table(*CHARGED_BACK)[delay]
    )
    window = CHARGEBACK_WINDOW // timedelta(microseconds=1)
    waited = np.minimum((days * DAY_US).astype(np.int64), window - 1)
    return is_fraud, event_time + np.where(is_fraud, waited, window)


@lru_cache(maxsize=1)
def _night() -> Floats:
    """How much of a night each hour is: 1 from midnight to 5 am, less at the edges."""
    night = np.zeros(24)
    night[[0, 1, 2, 3, 4]] = 1.0
    night[[23, 5]] = 0.5
    return night
