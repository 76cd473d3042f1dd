"""Features as the trees like them: the columns, two ratios, and a code for the category."""

import numpy as np

CODES = {
    name: code
    for code, name in enumerate(
        ["groceries", "food", "transport", "utilities", "shopping", "travel", "gaming", "transfer"]
    )
}
PLAIN = [
    "hour_ist", "discount_percent", "min_amount_paise", "payer_mean_amount_30d_paise", "payer_txn_count_30d",
    "payer_account_age_days", "payer_merchant_txn_count_90d", "payer_offers_shown_7d", "distance_km",
]  # fmt: skip


def build(impressions):
    built = impressions[PLAIN].astype(float)
    built["category"] = impressions["merchant_category"].map(CODES).astype(float)
    built["reach"] = np.log(built["min_amount_paise"] / built["payer_mean_amount_30d_paise"])
    return built.reset_index(drop=True)
