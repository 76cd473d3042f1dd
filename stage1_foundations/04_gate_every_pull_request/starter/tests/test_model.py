from fraudscore.model import features, score
from fraudscore.payments import Payment

PAYMENT = Payment("t1", 100_000, 3, 10, "collect", False)


def test_features_of_a_payment():
    assert features(PAYMENT) == {
        "bias": 1.0,
        "log_amount": 0.0,
        "is_night": 1.0,
        "is_new_payer": 1.0,
        "is_collect": 1.0,
    }


def test_a_score_is_a_probability():
    weights = dict.fromkeys(features(PAYMENT), 0.0)
    assert score(PAYMENT, weights) == 0.5
