"""The grader of batch_training_pipeline: nights with accidents at exact moments, and readers who look at once."""

from __future__ import annotations

import pytest

import accidents
import bad_days
import leases
import quality
import season as seasons
import tables
import told
from labs.checks import check
from landing import delivery
from nights import LEASE_KEY, Nights, expect, expect_each, said_by_one_line
from published import must_read, proper_ranking, restore, snapshot
from quality import as_good_as_trees, big_day, little_more, many_rows, ranked_by_its_scores, scored
from season import Season


@pytest.fixture(scope="session")
def season(seed):
    return Season(seed)


@pytest.fixture(scope="session")
def memory():
    return {}  # what `publishes_a_date` leaves for the others: its run, its lake, and what a reader saw there


@pytest.fixture
def nights(work, services, season, request):
    """This check's nights, with the window's days landed."""
    nights = Nights(work, services.up("prefect"), services.up("redis"), database_of(request.node.name))
    nights.land(*season.deliveries)
    return nights


def database_of(name):
    """Of sixteen. Those with the same one never run side by side: one of them waits for the other (`when`)."""
    return 0 if name == publishes_the_same_bytes_again.__name__ else 1 + CHECKS.index(name) % 15


@pytest.fixture
def first(work, memory):
    """What was published, in a lake as `publishes_a_date` left it."""
    restore(work, memory["lake"])
    return memory["first"]


@check(points=3)
def publishes_a_date(work, nights, season, memory):
    """publishes the ranking of a date, trained on the days before it"""
    records = nights.tell_prefect()
    nights.land(season.first_delivery())
    finished = expect(nights.run(season.day), 0)
    said_by_one_line(finished, season.day, 0)
    found = must_read(work)
    proper_ranking(found, season.day, season.in_time, 3)
    tables.latest_is(found, season.day)
    tables.trained_on(found, season)
    memory |= {"first": found, "lake": snapshot(work), "run": finished, "records": records}


@check(points=2, after=publishes_a_date)
def publishes_the_same_bytes_again(work, nights, season, first):
    """publishes the same bytes when a date is run again, and in an empty lake"""
    nights.land(season.first_delivery())
    finished = expect(nights.run(season.day), 0)
    tables.the_same_bytes(finished, must_read(work), first, "in the same lake")
    finished = expect(nights.run(season.day, "another-lake", warm=False), 0)
    tables.the_same_bytes(
        finished, must_read(work, "another-lake"), first, "in an empty lake, by another process"
    )


@check(points=2, after=publishes_a_date)
def tells_prefect_each_step(season, memory):
    """shows flow, parameters, tags and six tasks in Prefect's API"""
    told.each_step(memory["records"], memory["run"], season.day)


@check(points=3, after=publishes_a_date)
def ranks_by_its_model(nights, season, first, rng):
    """scores rows with the published model, one by one, and ranks by these scores"""
    rows = season.in_time.sample(frac=1, random_state=int(rng.integers(1000)))
    few = rows.iloc[: len(rows) // 7]
    finished, scores = ranked_by_its_scores(nights, first, season.day, rows)
    tables.row_by_row(finished, scores[: len(few)], scored(nights, few, "some.parquet")[1])


@check(points=2, after=publishes_a_date)
def counts_a_row_once(work, nights, season, first, rng):
    """counts a part that is listed twice, and rows that are delivered twice, once"""
    nights.land(season.delivered_twice(rng), season.training_day_delivered_often())
    finished = expect(nights.run(season.day), 0)
    found, rows = must_read(work), season.in_time
    tables.counted(finished, found, season.day, len(rows))
    proper_ranking(found, season.day, rows, 3)
    ranked_by_its_scores(nights, found, season.day, rows)
    tables.about_the_same_scores(finished, found, first, season.day, "Rows of training days count once, too.")


@check(points=2, after=publishes_a_date)
def refuses_a_half_written_part(work, nights, season, first, rng):
    """publishes nothing while a part is not what the manifest says, to the byte"""
    nights.set_up(min_rows_ratio=0.1, max_rows_ratio=10.0, min_auc=0.0)
    days, hints, whole = bad_days.half_written(season, rng)
    nights.land(*days)
    finished = nights.backfill(hints)
    expect_each(finished, dict.fromkeys(hints, 6), hints)
    tables.still(finished, work, first)
    finished = expect(nights.run(whole), 0, "This date is whole. Some of the days before it are not.")
    tables.learned_from(finished, must_read(work), whole, [season.before[-1]], hints)


# What is dear, or makes sense only for a pipeline that does its work on an ordinary night, waits for these.
ORDINARY = (tells_prefect_each_step, ranks_by_its_model)
DELIVERED = (*ORDINARY, counts_a_row_once, refuses_a_half_written_part)


@check(points=4, after=publishes_a_date, when=ORDINARY)
def survives_a_kill_at_any_step(work, nights, season, memory, first, rng):
    """shows the old table or the new one after a kill at any moment, and ends as if nothing had happened"""
    nights.land(season.second_delivery())
    restore(work, memory["lake"], "quiet-lake")
    expect(nights.run(season.day, "quiet-lake", EFFECTS="effects.txt"), 0)
    new = must_read(work, "quiet-lake")
    for accident in accidents.in_every_step(nights.effects(), rng):
        accidents.killed(work, nights, season, accident, old=first, new=new)
    finished = expect(nights.run(season.day), 0)
    tables.the_same_bytes(finished, must_read(work), new, "than without these kills", accidents.HALF)


@check(points=3, after=publishes_a_date, when=ORDINARY)
def backfills_in_any_order(work, nights, season, rng):
    """backfills dates given in any order, and goes on after those that fail"""
    wanted, deliveries = bad_days.fourteen_dates(season, rng)
    nights.set_up(window_days=15, min_auc=0.3, max_auc_drop=0.7, retry_delays_seconds=[0.05])
    nights.land(*deliveries)
    finished = nights.backfill([list(wanted)[place] for place in rng.permutation(14)])
    expect_each(finished, wanted, {day: bad_days.WHY[status] for day, status in wanted.items()})
    found, last = must_read(work), tables.good_dates(finished, must_read(work), wanted)[-1]
    finished = expect(nights.command(("backfill", "--start", str(last), "--end", str(last)), "lone-lake"), 0)
    tables.whatever_ran_before(finished, must_read(work, "lone-lake").entry(last), found.entry(last))


@check(points=2, after=publishes_a_date, when=publishes_the_same_bytes_again)
def learns_what_lasts(nights, season, seed):
    """publishes a model that is good on the days after, without what is known only later"""
    nights.set_up(window_days=4)
    days = many_rows(seed, [*season.before[1:], season.day, season.next_day])
    for day in (*season.before[1:], season.day):
        nights.land(delivery(day, days[day]))
    expect(nights.run(season.day), 0)
    as_good_as_trees(nights, days[season.next_day], [days[day] for day in season.before[1:]])


@check(points=2, after=publishes_a_date, when=ORDINARY)
def gives_up_on_a_missing_upstream(work, nights, season, first):
    """gives up on an upstream that does not come, after pauses that grow, and says so"""
    records = nights.tell_prefect()
    nights.set_up(retry_delays_seconds=[0.4, 0.8, 1.6])
    finished = expect(nights.run(season.next_day), 6)
    told.pauses(records, finished, season.next_day, [0.4, 0.8, 1.6])
    tables.still(finished, work, first)


@check(points=3, after=publishes_a_date, when=ORDINARY)
def stops_at_the_data_gate(work, nights, season, first, rng):
    """publishes nothing of a day that fails the data gate"""
    nights.set_up(window_days=15)
    days = bad_days.closing_the_data_gate(season, rng)
    finished, said = bad_days.all_end_with(4, nights, days)
    for bad, one in zip(days, said, strict=True):
        bad.must_be_named(finished, one["reason"])
    tables.still(finished, work, first, hint=tables.GATE)


@check(points=2, after=publishes_a_date, when=ORDINARY)
def keeps_to_the_limits(work, nights, season, rng):
    """trains on days whose values are exactly at the limits, and on none with one row beyond them"""
    today, fit, unfit, deliveries = bad_days.within_the_limits(season, rng)
    nights.set_up(window_days=len(deliveries), max_null_share=1 / 16, min_rows_ratio=0.25, min_auc=0.0)
    nights.land(today, *deliveries)
    finished = expect(
        nights.run(today.day), 0, "It has min_rows_ratio times the usual rows. Unfit days have one bad row."
    )
    tables.learned_from(finished, must_read(work), today.day, fit, unfit)


@check(points=2, after=publishes_a_date, when=ORDINARY)
def stops_at_the_eval_gate(work, nights, season, first):
    """publishes nothing of a model that fails the eval gate, and says why in Prefect"""
    records = nights.tell_prefect()
    nights.land(delivery(season.next_day, seasons.upside_down(season.frame(season.next_day))))
    for changed, words in (({"max_auc_drop": 1.0}, ("auc",)), ({"min_auc": 0.01}, ("auc", "drop"))):
        nights.set_up(**changed)
        finished = expect(nights.run(season.next_day), 5, f"With {changed}, and labels turned round.")
        told.closed_by_the_eval_gate(records, finished, season.next_day, *words)
        tables.still(finished, work, first, hint=tables.GATE)
    nights.land(delivery(season.before[-1], seasons.upside_down(season.frame(season.before[-1]))))
    expect(nights.run(season.before[-1]), 0, f"{season.day} is published, and it is not before this date.")


@check(points=2, after=publishes_a_date, when=ORDINARY)
def lets_a_dead_runs_lease_end(nights, season):
    """takes over after LEASE_SECONDS when the holder is dead"""
    nights.land(season.first_delivery())
    dead = expect(nights.run(season.day, AT=":1", DO="SIGKILL", LEASE_SECONDS="30"), -9)
    nights.lease_ends_within(dead, 30)
    nights.redis.pexpire(LEASE_KEY, 60_000)  # time stands still: this machine may be slow
    expect(nights.run(season.day), 3, hint="The lease of a dead run is a lease until it ends.")
    nights.end_the_lease()
    expect(nights.run(season.day), 0)


@check(points=2, after=publishes_a_date, when=ORDINARY)
def lets_one_run_work_at_a_time(work, nights, season):
    """ends with 3 at once while another run holds the lease, and lets go of its own"""
    nights.land(season.first_delivery())
    nights.give_the_lease_to_another()
    nights.changes_nothing(expect(nights.run(season.day, "empty-lake"), 3), "empty-lake")
    nights.free_the_lease()
    leases.gone_however_it_ends(nights, [(season.day, 0), (season.next_day, 6)])
    leases.gone_after_a_fault(nights, {season.day: 1, season.next_day: 6})


@check(points=2, after=publishes_a_date, when=ORDINARY)
def renews_its_lease(work, nights, season):
    """keeps one lease for all dates, also while a step takes longer than LEASE_SECONDS"""
    nights.land(season.first_delivery())
    days = [season.day, season.next_day]  # nothing is delivered for the second
    finished, kept = leases.slow_backfill(nights, days, lasts=6.5, lease=3)
    kept.must_be_one_lease(finished)
    expect_each(finished, {days[0]: 0, days[1]: 6}, {days[0]: "A step took 6.5 seconds, the lease 3."})


@check(points=2, after=publishes_a_date, when=ORDINARY)
def never_publishes_without_its_lease(work, nights, season, first):
    """publishes nothing when it was paused past its lease and another run took over"""
    nights.land(season.first_delivery())
    nights.set_up(offers_per_payer=1)
    for taken, days in ((True, [season.day]), (False, [season.day, season.next_day])):
        finished = leases.lost_while_paused(nights, days, taken)
        tables.still(finished, work, first, "the table as it was")


@check(points=2, after=publishes_a_date, when=ORDINARY)
def waits_for_a_late_upstream(work, nights, season, rng):
    """tries again while the upstream is late, and publishes when it has come"""
    records, delays, attempts = nights.tell_prefect(), [0.5, 1, 3, 15, 15], int(rng.integers(1, 3))
    nights.set_up(retry_delays_seconds=delays)
    finished = accidents.late_by(attempts, nights, records, season)
    told.tried_again(records, finished, season.day, attempts, delays)
    proper_ranking(must_read(work), season.day, season.in_time, 3)


@check(points=3, after=publishes_a_date, when=ORDINARY)
def takes_late_rows_in(work, nights, season, first):
    """takes rows that came late into their own date, and changes no other"""
    nights.land(season.first_delivery(), delivery(season.next_day, season.frame(season.next_day)))
    expect(nights.run(season.next_day), 0)
    before = must_read(work)
    nights.land(season.second_delivery())
    finished = expect(nights.run(season.day), 0)
    after = must_read(work)
    proper_ranking(after, season.day, season.today, 3)
    tables.only_this_date_changed(finished, work, before, after, season.next_day, latest=season.next_day)
    tables.not_trained_on_itself(finished, before, after, season.day, season.late)
    ranked_by_its_scores(nights, after, season.next_day, season.frame(season.next_day))
    tables.learned_anew(expect(nights.run(season.next_day), 0), before, must_read(work), season.next_day)


@check(points=2, after=publishes_a_date, when=DELIVERED)
def uses_the_code_of_today(work, nights, season, memory):
    """uses no result that is older than its code or its settings"""
    nights.land(season.first_delivery())
    with quality.knowing_nothing(work):
        nights.set_up(min_auc=0.0)
        expect(nights.run(season.day), 0, hint="With features that are noise, and no bar for the AUC.")
    nights.set_up(offers_per_payer=1)
    finished = expect(nights.run(season.day), 0, tables.NOISE_BEFORE)
    tables.same_model(finished, must_read(work), memory["first"], season.day)
    proper_ranking(must_read(work), season.day, season.in_time, 1)


@check(points=1, after=publishes_a_date, when=DELIVERED)
def stays_small_on_a_large_day(nights, season, memory, seed):
    """takes little more memory for a day that is many times larger"""
    nights.set_up(max_rows_ratio=10_000)
    nights.land(season.first_delivery())
    small = (memory["run"], expect(nights.run(season.day), 0))
    large, rows = big_day(seed, season.day)
    nights.land(large)
    little_more(expect(nights.run(season.day), 0), small, rows - len(season.in_time))


CHECKS = [name for name, thing in globals().items() if hasattr(thing, "__lab_check__")]
