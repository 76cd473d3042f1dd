"""The virtual clock: only its driver moves it, and timers fire in one order."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from labs.world import Clock

START = datetime(2026, 1, 1)
HOUR = timedelta(hours=1)


def test_time_moves_only_when_moved() -> None:
    clock = Clock(START)
    assert clock.now() == START
    clock.advance(HOUR)
    clock.sleep(90)
    clock.sleep(timedelta(minutes=1))
    assert clock.now() == START + HOUR + timedelta(seconds=150)


def test_it_says_that_it_is_simulated() -> None:
    assert str(Clock(START)) == "2026-01-01 00:00:00 UTC (simulated)"
    assert "simulated" in repr(Clock(START))


def test_an_aware_start_is_converted_to_utc() -> None:
    ist = timezone(timedelta(hours=5, minutes=30))
    assert Clock(datetime(2026, 1, 1, 5, 30, tzinfo=ist)).now() == START
    assert Clock(START.replace(tzinfo=UTC)).now() == START


def test_timers_fire_in_order_at_their_own_time() -> None:
    clock, fired = Clock(START), []
    for name, after in (("late", 3), ("first", 1), ("second", 1), ("never", 9)):
        clock.call_at(START + after * HOUR, lambda name=name: fired.append((name, clock.now())))
    clock.advance(5 * HOUR)
    assert fired == [("first", START + HOUR), ("second", START + HOUR), ("late", START + 3 * HOUR)]
    assert clock.now() == START + 5 * HOUR


def test_a_timer_may_set_the_next_one() -> None:
    clock, ticks = Clock(START), []

    def tick() -> None:
        ticks.append(clock.now())
        clock.call_later(HOUR, tick)

    clock.call_later(HOUR, tick)
    clock.advance(timedelta(hours=3, minutes=30))
    assert ticks == [START + HOUR, START + 2 * HOUR, START + 3 * HOUR]


def test_a_timer_may_sleep_past_the_others() -> None:
    clock, fired = Clock(START), []
    clock.call_at(START + HOUR, lambda: clock.sleep(5 * HOUR))
    clock.call_at(START + 2 * HOUR, lambda: fired.append(clock.now()))
    clock.advance(3 * HOUR)
    assert fired == [START + 2 * HOUR]
    assert clock.now() == START + 6 * HOUR


def test_a_cancelled_timer_stays_silent_and_a_past_one_fires_at_once() -> None:
    clock, fired = Clock(START), []
    clock.call_at(START + HOUR, lambda: fired.append("cancelled")).cancel()
    clock.call_at(START - HOUR, lambda: fired.append("past"))
    clock.advance(timedelta(0))
    assert fired == ["past"] and clock.now() == START
    clock.advance(2 * HOUR)
    assert fired == ["past"]


def test_an_error_in_a_timer_comes_out_with_the_clock_at_its_time() -> None:
    clock = Clock(START)
    clock.call_at(START + HOUR, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        clock.advance(3 * HOUR)
    assert clock.now() == START + HOUR


def test_with_a_speed_it_really_waits() -> None:
    clock, began = Clock(START, speed=36_000), time.monotonic()
    clock.advance(HOUR)
    assert time.monotonic() - began >= 0.1


def test_without_a_speed_it_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waited"))
    Clock(START).sleep(86_400)


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed is"):
        Clock(START, speed=speed)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="time cannot go back"):
        Clock(START).sleep(-1)
