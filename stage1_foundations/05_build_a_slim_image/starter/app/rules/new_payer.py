"""A large amount from an account that is hours old."""

LARGE_PAISE = 500_000


def fires(payment):
    return payment["payer_account_age_days"] < 1 and payment["amount_paise"] >= LARGE_PAISE
