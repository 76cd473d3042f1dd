from fraudscore import nightly


def test_one_line_for_each_payment(tmp_path):
    out = tmp_path / "scores.csv"
    written = nightly.rescore(out)
    assert len(out.read_text().splitlines()) == written + 1


def test_the_night_has_one_job(tmp_path):
    assert len(nightly.plan(tmp_path / "scores.csv").jobs) == 1
