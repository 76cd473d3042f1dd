"""Tests of the service. They run in CI, never in the image."""

from app.rules import new_payer


def test_a_large_amount_from_a_new_account_fires():
    assert new_payer.fires({"payer_account_age_days": 0.2, "amount_paise": 900_000})
