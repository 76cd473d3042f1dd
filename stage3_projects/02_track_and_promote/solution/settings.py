"""Names and limits that the commands share. The limits are the contract's: change them there first."""

from __future__ import annotations

import os

CHAMPION, CHALLENGER = "champion", "challenger"
CARD_FILE = "model_card.json"
SLICE_COLUMNS = ("channel", "merchant_category")
BLOCKED_LEGITIMATE_RUPEES = 80.0
PAISE_PER_RUPEE = 100.0


def model_name() -> str:
    """The registered model, which is also the name of the experiment."""
    return os.environ.get("MODEL_NAME", "fraud")
