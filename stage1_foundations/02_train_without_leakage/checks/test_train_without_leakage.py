"""What training without leakage means, watched on days that came after the export."""

from __future__ import annotations

import numpy as np
import pytest

import rewriting
from export_maker import ON_A_LIMIT, make
from labs.checks import check
from model_run import (
    SAME,
    SECONDS,
    Trained,
    clear_out,
    give_export,
    left_behind,
    log_odds,
    read_metrics,
    same_scores,
    scores,
    scores_of_parts,
    train,
)
from nothing_to_learn import nothing_to_learn
from right_figures import cost_rupees, expected_pr_auc, ranking_figures, share_saved

LEAST_SHARE_OF_BEST = 0.65  # of the PR AUC that the true probabilities reach
LEAST_SHARE_SAVED = 0.70  # of the rupees that the true probabilities save
MOST_LOST_BY_THRESHOLD = 0.15  # of the rupees that these scores could save
MOST_LIFTED_BY_COPIES = 1.0  # log-odds; a hundred copies lift by 2 to 5, luck by at most 0.6
MOST_BLOCKED_FOR_NOTHING = 0.03  # of payments; who chose on learned rows blocks 5 to 18 %, luck at most 1.5 %


@pytest.fixture(scope="session")
def made(seed):
    return make(seed)


@pytest.fixture(scope="session")
def files(made):
    return made.files()


@pytest.fixture(scope="session")
def kept():
    return Trained()


@pytest.fixture
def model(work, kept):
    """The model of the first check, in a folder that holds nothing else of it."""
    kept.deploy(work)
    return kept


@pytest.fixture
def some(made):
    """Two thousand of the later payments, as the service sees them."""
    return made.requests(made.later.iloc[:2_000])


@check(points=2)
def trains_and_scores(work, made, files, some, kept):
    """trains on an export, and scores the payments of later days with nothing but what it left in OUT"""
    _, kept.document, kept.metrics = train(work, files)
    kept.files = left_behind(work)
    batches = {
        "the holdout": made.requests(made.holdout),
        "later days": made.requests(made.later),
        "some": some,
    }
    for name, payments in batches.items():
        kept.scored[name] = scores(work, payments, f"payments of {name}", fresh=not kept.scored)


# What counts


@check(points=2, after=trains_and_scores)
def counts_each_payment_once(made, kept):
    """counts each payment once, however often the loader wrote its row"""
    read = len(made.exported)
    copies = read - made.exported["transaction_id"].nunique()
    expect_rows(kept, "A payment has one `transaction_id`, in all its copies.", read=read, copies=copies)


@check(points=2, after=trains_and_scores)
def waits_for_final_labels(made, kept):
    """learns and measures nothing of payments that are too young to have a final label, labelled or not"""
    hint = "Of payments younger than `label_final_after_days` only frauds have a label. What would a model learn?"
    times = made.history["event_time"]
    waiting = int(((times > made.final_until) & (times < made.exported_at)).sum())
    expect_rows(kept, hint, made.rows_since(made.exported_at), waiting=waiting)


@check(points=2, after=trains_and_scores)
def splits_by_time(made, kept):
    """keeps the last `holdout_days` days with final labels as the holdout, and trains on the days before"""
    hint = "Split at a moment of `event_time`: copies, and the order of the file, have no say in it."
    training = int((made.history["event_time"] < made.holdout_from).sum())
    other = made.rows_since(made.final_until)
    expect_rows(kept, hint, other, holdout=len(made.holdout))
    expect_rows(kept, hint, train=training)
    wanted, found = int(made.holdout["is_fraud"].sum()), kept.metrics["holdout"]["frauds"]
    kept.document.require(found == wanted, wanted=f"`holdout.frauds` = {wanted}", got=f"{found}", hint=hint)


def expect_rows(kept, hint, of_other_terms=(), **wanted):
    for name, rows in wanted.items():
        found = kept.metrics["rows"][name]
        if abs(found - rows) == ON_A_LIMIT:
            hint = "A few payments lie exactly on a limit. To which side does the contract count the limit itself?"
        elif found in of_other_terms:
            hint = "Which days? Read the terms from export.json: they differ in each export."
        kept.document.require(found == rows, wanted=f"`rows.{name}` = {rows:,}", got=f"{found:,}", hint=hint)


@check(points=2, after=trains_and_scores)
def learns_from_each_payment_once(work, made, kept, rng):
    """learns no more from a payment that the loader wrote a hundred times"""
    nothing = nothing_to_learn(made, rng)
    answer, _, metrics = train(
        work, nothing.files, "an export with other columns, in which a few payments come 100 times"
    )
    parts = {"later days": nothing.later, "copies": nothing.stuck, "others": nothing.written_once}
    few = nothing.later.iloc[:1_000]
    for name, cells in nothing.changed.items():
        parts[f"later days, with other values in `{name}`"] = few.assign(
            **{name: rng.choice(cells, len(few))}
        )
    kept.changed_nothing = [*parts][3:]
    kept.scored_nothing = scores_of_parts(work, parts, "payments of that export", fresh=True)
    kept.threshold_nothing = metrics["threshold"]
    stuck, others = (log_odds(kept.scored_nothing[name][1]).mean() for name in ("copies", "others"))
    answer.require(
        stuck - others <= MOST_LIFTED_BY_COPIES,
        wanted="about the same scores for frauds that come 100 times as for frauds that come once",
        got="much higher scores for those that come 100 times",
        hint="Counting each payment once is not enough: fit on each payment once, too.",
        measured=f"{stuck - others:+.1f} in log-odds",
    )


# Leaks


@check(points=3, after=trains_and_scores)
def ignores_what_is_filled_in_later(work, made, model, some, rng):
    """does not look at a column that is empty at the payment and is filled in when somebody complains"""
    states = rng.choice(made.exported[made.roles.later].dropna().unique(), len(some))
    hint = "When is this column written? Compare the export with what the service saw: requests.parquet."
    does_not_look_at(work, some, {made.roles.later: states.astype(object)}, hint)


@check(points=3, after=trains_and_scores)
def ignores_what_was_written_over(work, made, model, some, rng):
    """does not look at a column of which the export holds another value than the service saw"""
    hint = "It was written again after the payment, when labels were known. Are *all* cells as in requests.parquet?"
    for name in made.roles.rewritten:
        does_not_look_at(work, some, {name: rng.choice(made.exported[name].to_numpy(), len(some))}, hint)


@check(points=2, after=trains_and_scores)
def ignores_the_order_of_labels(work, made, model, some, rng):
    """does not look at a number that was given in the order in which labels arrived"""
    numbers = made.exported[made.roles.closed].dropna().to_numpy()
    hint = "A row number is no property of a payment. Who gave it, and when?"
    does_not_look_at(work, some, {made.roles.closed: rng.choice(numbers, len(some))}, hint)


@check(points=2, after=learns_from_each_payment_once)
def compares_every_cell_of_every_request(kept):
    """does not look at a column of which two or three requests differ from the export, whatever the dictionary says"""
    hint = "One request that differs is enough, in any column, by however little; empty on one side only differs, too."
    _, before = kept.scored_nothing["later days"]
    for name in kept.changed_nothing:
        answer, after = kept.scored_nothing[name]
        same_scores(answer, after, before[: len(after)], hint)


def does_not_look_at(work, payments, columns, hint):
    _, before = scores(work, payments)
    for name, values in columns.items():
        others = payments.assign(**{name: values})
        answer, after = scores(work, others, f"the same payments with other values in `{name}`")
        same_scores(answer, after, before, hint)


@check(points=3, after=trains_and_scores)
def learns_from_the_training_days_alone(work, made, kept, model, some, rng):
    """gets the same model and threshold when all is different in the holdout and in the payments that wait"""
    strangers = rewriting.by_a_new_channel(some.iloc[:500])
    payments = {"later payments": some, "later payments by a channel that no training day has": strangers}
    before = {what: scores(work, these, what)[1] for what, these in payments.items()}
    others = rewriting.with_other_later_days(made, rng)
    what = "an export with other labels, people, merchants and amounts after the training days"
    answer, _, metrics = train(work, others, what)
    hint = "The holdout is for measuring. Whatever is fitted, counted or chosen, is so on the training days alone."
    for what, these in payments.items():
        _, found = scores(work, these, what, fresh=what == "later payments")
        moved = np.abs(found - before[what]).max() > SAME
        answer.require(not moved, wanted=f"the scores of before, of {what}", got="other scores", hint=hint)
    moved = abs(metrics["threshold"] - kept.threshold) > SAME
    answer.require(not moved, wanted="the threshold of before", got="another threshold", hint=hint)


# Honest figures


@check(points=3, after=trains_and_scores)
def reports_what_the_holdout_shows(made, kept):
    """reports PR AUC, ROC AUC and recall that the same model shows on the same payments, as the service sees them"""
    answer, found = kept.scored["the holdout"]
    reviewed = made.terms["reviews_per_day"] * made.terms["holdout_days"]
    low, high = ranking_figures(made.holdout, found, reviewed)
    for name in low:
        said = kept.metrics["holdout"][name]
        answer.require(
            low[name] - 2e-6 <= said <= high[name] + 2e-6,
            wanted=f"in metrics.json the `holdout.{name}` that these scores give",
            got="metrics.json says more" if said > high[name] else "metrics.json says less",
            hint="If the model cannot repeat it, it was taken of other rows or columns, or it is another figure.",
            measured=f"metrics.json says {said:.6f}, these scores give {high[name]:.6f}",
        )


@check(points=2, after=trains_and_scores)
def reports_its_costs(made, kept):
    """reports what its decisions cost on the holdout, in rupees"""
    answer, found = kept.scored["the holdout"]
    costs = made.terms["costs_rupees"]
    for name, blocked in {
        "cost_allowing_all_rupees": np.zeros(len(found), dtype=bool),
        "cost_rupees": found >= kept.threshold,
    }.items():
        said, wanted = kept.metrics["holdout"][name], cost_rupees(made.holdout, blocked, costs)
        answer.require(
            abs(said - wanted) < 0.02 + 1e-9 * wanted,
            wanted=f"in metrics.json the `holdout.{name}` that these decisions cost",
            got="metrics.json says more" if said > wanted else "metrics.json says less",
            hint="Take the costs from export.json. How many paise are a rupee? Who is blocked: `score >= threshold`.",
            measured=f"metrics.json says ₹{said:,.2f}, these scores give ₹{wanted:,.2f}",
        )


# What it is worth


@check(points=3, after=trains_and_scores)
def holds_on_later_days(made, kept):
    """reaches on later days at least 65 % of the PR AUC that is possible"""
    answer, found = kept.on_later_days
    truth = made.later["fraud_probability"].to_numpy()
    share = expected_pr_auc(truth, found) / expected_pr_auc(truth, truth)
    answer.require(
        share >= LEAST_SHARE_OF_BEST,
        wanted=f"at least {LEAST_SHARE_OF_BEST:.0%} of the best possible PR AUC",
        got="less",
        hint="Either it learned what later days do not have, or it left out what they have.",
        measured=f"{share:.1%} of the best possible",
    )


@check(points=3, after=trains_and_scores)
def chooses_its_threshold_by_cost(made, kept):
    """chooses a threshold that costs on later days little more than the cheapest one"""
    answer, found = kept.on_later_days
    worth = share_saved(made.later, found, kept.threshold, made.terms["costs_rupees"])
    answer.require(
        worth.saved >= (1 - MOST_LOST_BY_THRESHOLD) * worth.possible,
        wanted=f"a threshold that saves at least {1 - MOST_LOST_BY_THRESHOLD:.0%} of what these scores can save",
        got=f"a threshold that is too {worth.too}",
        hint="Which payments did you choose it on, by which costs, and on whose scores?",
        measured=f"{worth.saved / worth.possible:.1%} of what these scores can save",
    )


@check(points=3, after=learns_from_each_payment_once)
def chooses_its_threshold_on_unseen_payments(kept):
    """chooses its threshold on scores of payments that the model had not learned from"""
    answer, found = kept.scored_nothing["later days"]
    answer.did = 'score("deployed", payments of an export in which no column tells of fraud)  in score.py'
    blocked = (found >= kept.threshold_nothing).mean()
    answer.require(
        blocked <= MOST_BLOCKED_FOR_NOTHING,
        wanted=f"at most {MOST_BLOCKED_FOR_NOTHING:.0%} of them blocked: nothing is known of any of them",
        got="more",
        hint="Only on rows that the model has learned does it seem to pay. Choose on scores of rows it has not seen.",
        measured=f"{blocked:.1%} blocked",
    )


@check(points=2, after=trains_and_scores)
def saves_what_can_be_saved(made, kept):
    """saves on later days at least 70 % of the rupees that can be saved"""
    answer, found = kept.on_later_days
    worth = share_saved(made.later, found, kept.threshold, made.terms["costs_rupees"])
    answer.require(
        worth.saved >= LEAST_SHARE_SAVED,
        wanted=f"at least {LEAST_SHARE_SAVED:.0%} of the rupees that the best possible scores would save",
        got="less",
        hint="Model and threshold save together. The checks before this one say which of them to mend.",
        measured=f"{worth.saved:.1%} of the rupees",
    )


# A good neighbour


@check(points=2, after=trains_and_scores)
def gives_the_same_result_again(work, files, made, kept, some):
    """gives the same metrics.json and scores from the command line, and exits 1 for data it cannot use"""
    command = "mkdir again && cd again && exec python3 ../train.py --data {data} --out model"
    running = work.start("bash", "-c", command.format(data=give_export(work, files)))

    unusable, name = rewriting.without_amounts(made)
    folder = give_export(work, unusable, "unusable")
    words = ("python3", "train.py", "--data", folder, "--out", "refused/model")
    refused = work.start(*words, warm=True).wait(SECONDS)
    refused.did = f"python3 train.py --data export --out refused/model  (an export without a column `{name}`)"

    again = running.wait(SECONDS)
    again.did = "python3 ../train.py --data export --out model  (the same export, from another folder)"
    again.expect(status=0, hint="Run it yourself, from another folder.")
    read_metrics(work.read("again/model/metrics.json"))
    same = work.read("again/model/metrics.json").bytes == kept.document.bytes
    hint = "Look for the clock, for chance without a seed, and for the order of a set."
    again.require(same, wanted="metrics.json, byte for byte", got="another metrics.json", hint=hint)
    work.run("mv", "again/model", "deployed")
    answer, found = scores(work, some, "payments of later days")
    same_scores(answer, found, kept.scored["some"][1], hint)

    refused.expect(status=1, hint="Whoever calls the script reads its exit status, and nothing else.")
    said = f"a sentence on stderr that names `{name}`"
    refused.require(name in refused.stderr, wanted=said, got="none", hint="Print the ValueError's message.")


@check(points=2, after=trains_and_scores)
def scores_each_payment_by_itself(work, model, some, rng):
    """gives a payment the same score alone, in any batch, and with its columns in any order"""
    few = some.iloc[:200].reset_index(drop=True)
    gaps = {"channel": "aeps", "device_age_days": np.nan, "distance_km": np.nan}
    rows = rng.permutation(len(few))[: 10 * len(gaps)].reshape(len(gaps), -1)
    for (name, value), some_rows in zip(gaps.items(), rows, strict=True):
        few.loc[some_rows, name] = value
    what = "payments, some by a new channel, some with an empty `device_age_days` or `distance_km`"
    _, before = scores(work, few, what)
    hint = "Whatever a score needs of other payments was learned in training. At 3 AM a payment comes alone."
    alone = {
        "one of them alone": int(np.setdiff1d(np.arange(len(few)), rows)[0]),
        "alone: the one by a new channel": rows[0, 0],
        "alone: one with an empty `device_age_days`": rows[1, 0],
        "alone: one with an empty `distance_km`": rows[2, 0],
    }
    order = rng.permutation(len(few))
    for what, payments, wanted in (
        ("the same in another order", few.iloc[order].reset_index(drop=True), before[order]),
        *((what, few.iloc[[row]].reset_index(drop=True), before[[row]]) for what, row in alone.items()),
        ("the same with the columns in another order", few[rng.permutation(few.columns).tolist()], before),
        ("the same with one more column", few.assign(colour="red"), before),
        ("no payment at all", few.iloc[:0], before[:0]),
    ):
        answer, after = scores(work, payments, what)
        same_scores(answer, after, wanted, hint)


@check(points=2, after=trains_and_scores)
def needs_what_it_declares(work, model, some):
    """needs the columns that `features` names, no others, and says so when one is missing"""
    few = some.iloc[:50].reset_index(drop=True)
    answer, before = scores(work, few)
    features = model.metrics["features"]
    strange = [name for name in features if name not in few]
    answer.require(
        not strange,
        wanted="in `features`: columns that a request has",
        got=f"`{(strange or [''])[0]}`",
        hint="`features` names what the service must send, not what you make of it.",
    )
    answer, after = scores(work, few[features], "payments with only the columns in `features`")
    same_scores(answer, after, before, "Something else than `features` is read.")
    for name in features:
        answer, _ = scores(work, few.drop(columns=name), f"payments without `{name}`", may_raise=True)
        error = answer.error
        answer.require(
            error is not None and "ValueError" in (error.type, *error.bases) and name in error.message,
            wanted=f"a ValueError whose message names `{name}`",
            got="scores" if error is None else str(error.type),
            hint="A gap that is filled in silently looks like a payment. Compare the columns first; then score.",
        )


@check(points=2, after=trains_and_scores)
def refuses_data_it_cannot_use(work, made):
    """refuses an export that nothing can be learned from: says why, and leaves OUT as it was"""
    clear_out(work)
    old = b'{"threshold": 0.5}\n'
    work.put("model/metrics.json", old)
    hint = "Look at the data before you fit, and make and write only when all is computed."
    answers = {}
    for number, (what, (files, name)) in enumerate(rewriting.unusable(made).items()):
        folder = give_export(work, files, f"case-{number}")
        for out in (f"new-{number}/model", "model"):
            answer = work.call("train.py:train", folder, out, timeout=SECONDS, may_raise=True)
            answer.did = f'train("export", "{out}") on an export {what}  in train.py'
            error = answer.error
            answer.require(
                error is not None and "ValueError" in (error.type, *error.bases) and name in error.message,
                wanted="a ValueError" + (f" whose message names `{name}`" if name else ""),
                got="no error" if error is None else str(error.type),
                hint=hint,
            )
            answers[out] = answer
        left = [path for path in work.files() if path.startswith("model/")]
        new = [path for path in left if path != "model/metrics.json"]
        got = "`model/metrics.json` is gone" if not left else "`model/metrics.json` has changed"
        got = f"`{new[0]}` is new there" if new else got
        untouched = left == ["model/metrics.json"] and work.read("model/metrics.json").bytes == old
        answer.require(untouched, wanted="OUT as it was", got=got, hint=hint)
    made_now = work.run("bash", "-c", "shopt -s nullglob; echo new-*").stdout.split()
    for out, answer in answers.items():
        is_new = out.removesuffix("/model") in made_now
        answer.require(not is_new, wanted="no OUT, for there was none", got="a new folder", hint=hint)
