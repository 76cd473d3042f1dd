"""Who pays whom: the payers' lasting traits, the merchants, and the day's people as the nightly job sees
them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from labs.world.draws import Bits, Floats, Ints, Purpose, normal_table, pair_bits, sixteen_bits, stream

PAYERS = 1 << 17
MERCHANTS_PER_CATEGORY = 1 << 10
FIRST_PAYER_ID = 10_000_000
FIRST_MERCHANT_ID = 500_000
CHANNELS = ("qr", "intent", "collect", "autopay")
CATEGORIES = ("groceries", "food", "transport", "utilities", "shopping", "travel", "gaming", "transfer")
# What a payer usually spends per payment: e**5.2 is about 181 rupees at the median.
PAYER_MEAN_LOG_RUPEES, PAYER_MEAN_SIGMA = 5.2, 0.7
MERCHANT_RISK_SIGMA = 1.0
NIGHTLY_SIGMA = 0.05  # how much a payer's 30-day mean moves from night to night


@dataclass(frozen=True)
class Population:
    """Traits by payer slot (131,072 of them) and by merchant (8 × 1,024). A slot is one person until the
    account closes.

    A closed account is followed at once by a new person in the same slot with a new payer_id, so the mix of
    young and old accounts stays the same for ever, and the state on any day is known without the days before
    it.
    """

    log_mean_paise: Floats  # log of the usual amount
    daily_count: Floats  # usual payments in 24 hours
    account_life: Ints  # days until the account closes
    account_phase: Ints
    device_life: Ints  # days until the phone is replaced
    device_phase: Ints
    merchant_risk: Floats  # added to the log-odds of fraud; no column shows it
    merchant_log_price: Floats

    def account_age(self, slots: Ints, day: int) -> tuple[Ints, Ints]:
        """Whole days since the account was opened, and how many people had this slot before."""
        generation, age = np.divmod(self.account_phase[slots] + day, self.account_life[slots])
        return age, generation

    def device_age(self, slots: Ints, day: int) -> Ints:
        """Whole days since the payer's usual phone was first seen."""
        age: Ints = (self.device_phase[slots] + day) % self.device_life[slots]
        return age

    def nightly_mean_paise(self, slots: Ints, day: int, seed: int) -> Floats:
        """The 30-day mean amount that the nightly job wrote for `day`: one value per payer and night."""
        noise = normal_table()[pair_bits(slots, seed * 1_000_003 + day)]
        mean: Floats = np.exp(self.log_mean_paise[slots] + NIGHTLY_SIGMA * noise)
        return mean


@lru_cache(maxsize=4)
def population(seed: int) -> Population:
    """The people of the world with this seed (about 10 MB; the last four are kept)."""
    source = stream(seed, 0, Purpose.POPULATION)
    mean, count, account, account_at, device, device_at = sixteen_bits(source, 6, PAYERS)
    risk, price = sixteen_bits(source, 2, len(CATEGORIES) * MERCHANTS_PER_CATEGORY)
    normal = normal_table()
    account_life = _days(900, 0.8, 90, account)
    device_life = _days(600, 0.6, 60, device)
    return Population(
        log_mean_paise=PAYER_MEAN_LOG_RUPEES + np.log(100) + PAYER_MEAN_SIGMA * normal[mean],
        daily_count=2.5 * np.exp(0.7 * normal[count]),
        account_life=account_life,
        account_phase=(account_at * account_life) >> 16,
        device_life=device_life,
        device_phase=(device_at * device_life) >> 16,
        merchant_risk=MERCHANT_RISK_SIGMA * normal[risk],
        merchant_log_price=0.35 * normal[price],
    )


def _days(median: float, sigma: float, shortest: int, bits: Bits) -> Ints:
    days = median * np.exp(sigma * normal_table()[bits])
    return np.maximum(days.astype(np.int64), shortest)
