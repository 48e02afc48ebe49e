"""Drift between two months: what is compared with what, what is called drift, and how rarely it is without one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, wilcoxon

import features.signals  # noqa: F401  (registers every indicator)
from features import settings
from features.histories.log import Array
from features.indicators import REGISTRY
from training.drift import (
    AGEING,
    DRAWS,
    LEAST_ACCOUNTS,
    LEAST_DISTANCE,
    LEAST_KNOWN,
    POINTS,
    Drift,
    Sample,
    compare,
    days_needed,
)

ANY = np.zeros(1)


def sample(values: Array, first: int = 0, observed: float = 1000.0) -> Sample:
    """Rows with one or more columns, of the accounts from ``first`` on."""
    values = values.reshape(len(values), -1)
    return Sample(first + np.arange(len(values)), values, np.full(len(values), observed))


def one(now: Array, then: Array, level: float = 0.05) -> Drift:
    (drift,) = compare(["x"], ANY, sample(now), sample(then), level)
    return drift


@pytest.mark.parametrize("moved", [0.8, -0.8])
def test_figures_that_moved_have_drifted(moved: float) -> None:
    random = np.random.default_rng(1)
    drift = one(random.normal(moved, 1, 400), random.normal(0, 1, 400))
    assert drift.drifted
    assert (drift.accounts_now, drift.accounts_then) == (400, 400)
    assert drift.middle_now - drift.middle_then == pytest.approx(moved, abs=0.2)
    assert drift.size == drift.distance > 0.2
    assert drift.probability == 1 / (DRAWS + 1)


def test_a_spread_that_grew_is_drift_though_the_middle_stayed() -> None:
    random = np.random.default_rng(2)
    assert one(random.normal(0, 4, 400), random.normal(0, 1, 400)).drifted


def test_figures_no_longer_known_have_drifted_though_those_known_are_the_same() -> None:
    then = np.random.default_rng(3).normal(0, 1, 400)
    now = np.where(np.arange(400) % 8 < 2, np.nan, then)
    drift = one(now, then)
    assert (drift.drifted, drift.known_then, drift.known_now) == (True, 1.0, 0.75)
    assert drift.distance < LEAST_DISTANCE < drift.size == 0.25


def test_what_moved_little_is_no_drift_however_many_accounts_there_are() -> None:
    random = np.random.default_rng(4)
    now, then = random.normal(0.15, 1, 20_000), random.normal(0, 1, 20_000)
    assert ks_2samp(now, then).pvalue < 1e-30
    drift = one(now, then)
    assert (drift.drifted, drift.probability) == (False, 1.0)
    assert 0.03 < drift.distance < LEAST_DISTANCE


def test_the_chance_is_that_of_drawn_signs_of_whole_accounts() -> None:
    """Worked out slowly: fifty accounts now, fifty then, thirty of them the same."""
    random = np.random.default_rng(5)
    now, then = random.normal(0.9, 1, 50), random.normal(0, 1, 50)
    new, old = sample(now, first=20), sample(then)
    points = np.unique(np.quantile(np.concatenate((now, then)), np.arange(POINTS) / POINTS, method="lower"))
    parts = np.zeros((70, len(points)))
    for place, point in enumerate(points):
        usual = np.mean(np.concatenate((now, then)) <= point)
        for row in range(50):
            parts[20 + row, place] += ((now[row] <= point) - usual) / 50
            parts[row, place] -= ((then[row] <= point) - usual) / 50
    difference = np.abs([(now <= point).mean() - (then <= point).mean() for point in points])
    assert np.abs(parts.sum(axis=0)) == pytest.approx(difference)
    signs = 2 * np.random.default_rng(7).integers(0, 2, (DRAWS, 70)) - 1
    drawn = np.array([np.abs(flipped @ parts).max() for flipped in signs])
    expected = (1 + (drawn >= difference.max()).sum()) / (1 + DRAWS)
    (drift,) = compare(["x"], ANY, new, old, 0.05, seed=7)
    assert drift.probability == pytest.approx(expected, abs=2 / DRAWS)
    assert 0.002 < expected < 0.05


def test_clients_who_stay_and_fade_are_no_drift_while_others_come_and_go() -> None:
    """Every client starts at 3, loses about 1 a year and leaves after four; as many come as go. Pairs all fell."""
    random = np.random.default_rng(11)
    begun = np.repeat(np.arange(5), 60)
    level = 3.0 - begun + random.normal(0, 0.3, len(begun))
    account = np.arange(len(begun))
    then, now = (begun >= 1), (begun <= 3)
    before = Sample(account[then], (level + 1)[then][:, None], np.full(then.sum(), 999.0))
    after = Sample(account[now], level[now][:, None], np.full(now.sum(), 999.0))
    both = then & now
    assert wilcoxon(level[both], (level + 1)[both]).pvalue < 1e-30
    (drift,) = compare(["x"], ANY, after, before, 0.05)
    assert not drift.drifted
    assert drift.distance < LEAST_DISTANCE


def test_pairing_finds_what_a_test_of_independent_rows_would_miss() -> None:
    """Accounts differ much from each other, and each moves by a little."""
    random = np.random.default_rng(12)
    then = random.normal(0, 3, 200)
    now = then + 0.6 + random.normal(0, 0.1, 200)
    assert ks_2samp(now, then).pvalue > 0.05
    assert one(now, then, 0.01).drifted


def test_among_many_columns_only_what_stands_out_of_all_their_noise_counts() -> None:
    random = np.random.default_rng(13)
    now, then = random.normal(0, 1, (150, 200)), random.normal(0, 1, (150, 200))
    now[:, 17] += 1.0
    found = compare([str(place) for place in range(200)], np.zeros(200), sample(now), sample(then), 0.05)
    assert [drift.column for drift in found if drift.drifted] == ["17"]
    alone = [one(now[:, place], then[:, place]).drifted for place in range(200)]
    assert sum(alone) > 5


@given(
    st.lists(st.integers(0, 6), min_size=LEAST_KNOWN, max_size=60),
    st.lists(st.integers(0, 6), min_size=LEAST_KNOWN, max_size=60),
)
def test_the_distance_is_that_of_all_accounts(now: list[int], then: list[int]) -> None:
    drift = one(np.array(now, dtype=float), np.array(then, dtype=float))
    assert drift.distance == pytest.approx(ks_2samp(now, then, method="asymp").statistic, abs=1e-12)
    assert 0 <= drift.probability <= 1


def test_too_few_known_figures_are_not_compared_but_that_they_are_few_is() -> None:
    then = np.random.default_rng(6).normal(0, 1, 200)
    now = np.where(np.arange(200) < LEAST_KNOWN - 1, 5.0, np.nan)
    drift = one(now, then)
    assert math.isnan(drift.distance)
    assert drift.drifted
    assert drift.size == pytest.approx(1 - (LEAST_KNOWN - 1) / 200)


def test_nothing_known_in_either_month_is_no_drift() -> None:
    drift = one(np.full(50, np.nan), np.full(50, np.nan))
    assert (drift.drifted, drift.probability, drift.known_now) == (False, 1.0, 0.0)
    assert math.isnan(drift.middle_now)


def test_accounts_observed_for_too_short_do_not_count() -> None:
    now, then = sample(np.zeros(60)), sample(np.zeros(60))
    now.values[:30] = 9.0
    now = replace(now, observed=np.where(np.arange(60) < 30, 364.0, 365.0))
    found = compare(["year", "quarter"], np.array([365.0, 90.0]), _twice(now), _twice(then), 0.05)
    assert [(drift.accounts_now, drift.middle_now, drift.drifted) for drift in found] == [
        (30, 0.0, False),
        (60, 4.5, True),
    ]


def _twice(given: Sample) -> Sample:
    return replace(given, values=np.repeat(given.values, 2, axis=1))


def test_too_few_accounts_are_not_compared() -> None:
    enough, few = np.zeros(LEAST_ACCOUNTS), np.ones(LEAST_ACCOUNTS - 1)
    assert [one(few, enough).drifted, one(enough, few).drifted, one(1 - enough, enough).drifted] == [False, False, True]
    assert [one(few, enough).compared, one(enough, few).compared, one(enough, enough).compared] == [False, False, True]
    (drift,) = compare(["x"], np.array([2000.0]), sample(np.zeros(50)), sample(np.ones(50)), 0.05)
    assert (drift.accounts_now, drift.drifted, drift.size) == (0, False, 0.0)
    assert compare([], np.empty(0), sample(np.zeros(50)), sample(np.ones(50)), 0.05) == []


def test_false_alarms_keep_the_level_where_accounts_and_columns_hang_together() -> None:
    """Accounts much the same as they were, some gone and some new, and columns in families of ten alike."""
    random = np.random.default_rng(7)
    months, accounts, families, alike = 100, 90, 3, 8
    shape = (accounts, families)
    alarms = 0
    for _ in range(months):
        lasting = random.normal(size=(*shape, 1))
        then, now = (
            lasting + 0.7 * random.normal(size=(*shape, 1)) + 0.3 * random.normal(size=(*shape, alike)) for _ in "12"
        )
        columns = [str(number) for number in range(families * alike)]
        new, old = sample(now[20:].reshape(70, -1), first=20), sample(then[:70].reshape(70, -1))
        alarms += any(drift.drifted for drift in compare(columns, np.zeros(len(columns)), new, old, 0.1))
    assert 0.02 < alarms / months < 0.15


def test_every_indicator_is_compared_over_a_window_of_its_own_or_left_out_for_ageing() -> None:
    figures = {one.column: f"{one.signal.id}.{one.name}" for one in REGISTRY.in_order()}
    needed = {one.column: days_needed(one) for one in REGISTRY.in_order()}
    assert set(figures.values()) >= AGEING
    for column, days in needed.items():
        window = column.rpartition(".")[2]
        if window in ("all", "since") or figures[column] in AGEING:
            assert days is None
        else:
            assert days == (730 if window == settings.LONGER_WINDOW[0] else 365)
    assert 250 < sum(days is not None for days in needed.values()) < 350
