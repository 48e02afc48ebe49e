"""Streams of records: what came in each month as it was known at its end, what fell, and what stopped."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from features.histories.log import DAY, NEVER, Array
from features.matrix import snapshots
from tests.serving.clients import history, records
from training.streams import (
    EVERYTHING,
    LEAST_RECORDS_A_YEAR,
    Freshness,
    Months,
    Stream,
    Volume,
    compare_volumes,
    count_months,
    freshness,
    streams,
)

ENDS = snapshots(0, 200 * DAY)
"""Month starts of 1970: January has 31 days, February 28, March 31 …"""


def stream(*rows: tuple[int, float, float | None, float | None]) -> Stream:
    """Rows of account, day it happened, day it was known from and day it was replaced (None: at once, never)."""
    account, at, known, replaced = zip(*rows, strict=True)
    return Stream(
        np.array(account),
        np.array([int(day * DAY) for day in at]),
        np.array([int((at[place] if day is None else day) * DAY) for place, day in enumerate(known)]),
        np.array([NEVER if day is None else int(day * DAY) for day in replaced]),
    )


def everyone(accounts: int, months: int) -> Array:
    return np.ones((accounts, months), dtype=bool)


def test_months_take_what_was_known_at_their_end() -> None:
    found = stream(
        (0, 10, None, None),
        (0, 31, None, None),  # the first of February, midnight: still January's
        (0, 31.5, None, None),
        (1, 20, 40, None),  # January's, but recorded in February: too late for it
        (1, 40, None, 50),  # replaced within its month
        (1, 45, 50, None),  # the version that replaced it
        (1, 70, None, 100),  # replaced after its month
    )
    months = count_months({EVERYTHING: found}, ENDS[:4], everyone(2, 3))
    assert months.ends.tolist() == ENDS[1:4].tolist()
    a_working_month = [21 / 22, 21 / 20, 21 / 22]
    assert months.rates[EVERYTHING] == pytest.approx(
        [count / 2 * days for count, days in zip((2, 2, 1), a_working_month, strict=True)]
    )
    assert months.late == pytest.approx([0.0, 0.5, 0.0])


def test_only_scored_accounts_count_as_of_the_month_s_end() -> None:
    found = stream(*((account, day, None, None) for account in (0, 1) for day in (5, 35, 40, 65)))
    scored = everyone(2, 3)
    scored[0, 1] = False
    scored[:, 2] = False
    months = count_months({EVERYTHING: found}, ENDS[:4], scored)
    assert months.accounts.tolist() == [2, 1, 0]
    assert months.rates[EVERYTHING][:2] == pytest.approx([1 * 21 / 22, 2 * 21 / 20])
    assert math.isnan(months.rates[EVERYTHING][2])
    assert math.isnan(months.without[2])


def test_accounts_without_records_are_those_silent_for_three_months() -> None:
    months = count_months({EVERYTHING: stream((0, 5, None, None))}, ENDS[:6], everyone(2, 5))
    assert months.without.tolist() == [0.5, 0.5, 0.5, 1.0, 1.0]


def test_the_streams_of_a_history_are_its_channels_kinds_sides_and_tables() -> None:
    made = records(accounts=6, touches=20)
    found = streams(history(made))
    assert list(found) == [
        EVERYTHING,
        "channel email",
        "kind message",
        "kind commitment",
        "by client",
        "by us",
        "deals",
    ]
    counts = {name: len(one.at) for name, one in found.items()}
    rows = made["interactions"]
    assert counts[EVERYTHING] == len(rows) == counts["by client"] + counts["by us"]
    assert counts["channel email"] == counts["kind message"] == sum(row["kind"] == "message" for row in rows)
    assert counts["deals"] == len(made["deals"])


def test_without_interactions_there_is_their_empty_stream() -> None:
    made = records(accounts=3, touches=20) | {"interactions": []}
    assert {name: len(one.at) for name, one in streams(history(made)).items()} == {
        EVERYTHING: 0,
        "deals": len(made["deals"]),
    }


# Volume


def volumes(before: list[float], now: float, accounts: int = 1000, level: float = 0.005) -> list[Volume]:
    """One stream that fell or not, beside twenty that are as ever."""
    steady = np.random.default_rng(1).normal(2.0, 0.1, (20, len(before) + 1))
    rates = {"watched": np.array([*before, now])} | {str(place): row for place, row in enumerate(steady)}
    counts = np.full(len(before) + 1, accounts)
    months = Months(np.arange(len(before) + 1), rates, counts, counts * 0.0, counts * 0.0)
    return compare_volumes(months, np.arange(len(before)), len(before), level)


USUAL = [2.0, 2.2, 1.9, 2.1, 2.0, 1.8, 1.2, 1.9, 2.1, 2.2, 2.0, 1.9]


def test_a_stream_that_came_to_an_end_fell_and_the_others_did_not() -> None:
    first, *others = volumes(USUAL, 0.0)
    assert (first.stream, first.now, first.fallen) == ("watched", 0.0, True)
    assert first.usual == pytest.approx(np.mean(USUAL))
    assert first.probability < 0.005
    assert not any(volume.fallen for volume in others)


@pytest.mark.parametrize(
    ("now", "why"), [(1.4, "more than two thirds of the usual"), (1.9, "as ever"), (6.0, "more is no alarm here")]
)
def test_what_is_not_gone_by_a_third_did_not_fall(now: float, why: str) -> None:
    assert not volumes(USUAL, now)[0].fallen, why


def test_a_stream_that_swings_widely_does_not_fall_by_swinging() -> None:
    assert not volumes([0.5, 3.5] * 6, 0.3)[0].fallen


def test_few_records_fall_by_chance() -> None:
    steady = [2.0] * 12
    assert volumes(steady, 1.3, accounts=1000)[0].fallen
    assert not volumes(steady, 1.3, accounts=20)[0].fallen
    assert math.isnan(volumes(steady, 0.0, accounts=9)[0].probability)


def test_too_few_months_to_compare_with_tell_nothing() -> None:
    found = volumes(USUAL[:5], 0.0)[0]
    assert math.isnan(found.probability)
    assert not found.fallen


# Freshness


def daily(last: float, every: float = 2.0, begin: float = 0.0) -> Stream:
    return stream(*((0, day, None, None) for day in np.arange(begin, last + 0.01, every)))


def fresh(found: Stream, learned_until: float, as_of: float) -> Freshness:
    (one,) = freshness({"x": found}, int(learned_until * DAY), int(as_of * DAY))
    return one


@pytest.mark.parametrize(("silent", "stopped"), [(1.0, False), (6.9, False), (7.0, True), (30.0, True)])
def test_a_stream_stops_after_a_week_and_three_times_its_longest_silence(silent: float, stopped: bool) -> None:
    found = fresh(daily(500), 400, 500 + silent)
    assert found.silent_days == pytest.approx(silent)
    assert (found.longest_silence, found.stopped) == (2.0, stopped)
    assert found.records_a_year == pytest.approx(182, abs=1)


def test_a_stream_with_holidays_may_be_silent_for_longer() -> None:
    pause = daily(100)
    after = daily(500, begin=120)
    whole = replace(
        pause, **{name: np.concatenate((getattr(pause, name), getattr(after, name))) for name in vars(pause)}
    )
    assert fresh(whole, 400, 559).longest_silence == pytest.approx(20)
    assert [fresh(whole, 400, 500 + silent).stopped for silent in (59, 60)] == [False, True]


def test_a_stream_with_few_records_is_never_said_to_have_stopped() -> None:
    every = 365 / (LEAST_RECORDS_A_YEAR - 1)
    found = fresh(daily(400, every), 400, 900)
    assert (found.records_a_year < LEAST_RECORDS_A_YEAR, found.stopped) == (True, False)


def test_a_record_is_a_sign_of_life_when_it_comes_in_whatever_time_it_tells_of() -> None:
    found = stream(*((0, day, None, None) for day in range(0, 401, 2)), (0, 450, 401, None), (0, 405, 460, None))
    assert fresh(found, 400, 420).silent_days == pytest.approx(19)
    assert fresh(found, 400, 455).silent_days == pytest.approx(54)
    assert fresh(found, 400, 465).silent_days == pytest.approx(5)


def test_what_never_came_has_no_age() -> None:
    found = fresh(daily(500, begin=450), 400, 440)
    assert math.isnan(found.silent_days)
    assert (found.records_a_year, found.longest_silence, found.stopped) == (0, 365.0, False)
