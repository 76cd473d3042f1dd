from fraudscore.money import fee_paise, needs_second_factor, rupees


def test_rupees_are_grouped_as_in_india():
    assert rupees(12345678) == "₹1,23,456.78"
    assert rupees(50) == "₹0.50"
    assert rupees(-100000) == "-₹1,000.00"


def test_fees_are_rounded_up():
    assert fee_paise(10_000, 30) == 30
    assert fee_paise(10_001, 30) == 31


def test_second_factor_from_five_thousand_rupees_on():
    assert needs_second_factor(500_000)
    assert not needs_second_factor(499_999)
