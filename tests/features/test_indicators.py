"""One contract for every registered indicator, and the second opinion of the oracle."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features import frame as frame_module
from features import settings as own_settings
from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import Dataset
from features.indicators import REGISTRY, Indicator
from features.matrix import Rows, build_matrix, fingerprint
from tests.features.helpers import differences, matrix_at, matrix_of
from tests.features.oracle import figures
from tests.features.worlds import ALL_KINDS, BEGIN, SPAN, random_world, truncated

INDICATORS = list(REGISTRY.indicators.values())
MOMENTS = [BEGIN + days * DAY for days in (40, 200, 420, 499)]


@pytest.mark.parametrize("indicator", INDICATORS, ids=lambda indicator: indicator.column)
def test_every_indicator_says_what_it_is(indicator: Indicator) -> None:
    assert re.fullmatch(r"[A-Z]\d[a-z]?\.[a-z_]+\.(90d|365d|730d|all|trend|since|now)", indicator.column)
    assert indicator.column == f"{indicator.signal.id}.{indicator.name}.{indicator.window}"
    assert re.fullmatch(r"00[0-4](, 00[0-4])*", indicator.signal.source)
    for text in (indicator.meaning, indicator.formula, indicator.unit, indicator.signal.meaning):
        assert text.strip()
    assert indicator.meaning[0].isupper()
    assert not indicator.meaning.endswith(".")
    assert indicator.minimum >= 1
    assert indicator.low < indicator.high
    if indicator.mark is not None:
        assert indicator.better is not None
    if indicator.context:
        assert indicator.mark is None
        assert indicator.constraint == 0
    assert indicator.constraint == (0 if indicator.context else {"up": -1, "down": 1}.get(indicator.better or "", 0))


def test_names_are_unique_and_a_second_registration_is_refused() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        REGISTRY.add([INDICATORS[0]])
    with pytest.raises(ValueError, match="registered twice"):
        REGISTRY.signal("G1a", "again", "again", "000")


def test_the_fingerprint_follows_the_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint()
    fingerprint.cache_clear()
    monkeypatch.setattr(own_settings, "MINIMUM_OBSERVATIONS", 6)
    assert fingerprint() != before
    monkeypatch.undo()
    fingerprint.cache_clear()
    assert fingerprint() == before


@hypothesis_settings(max_examples=40)
@given(seed=st.integers(0, 10**9), touches=st.sampled_from([10, 60, 250]))
def test_the_oracle_agrees(seed: int, touches: int) -> None:
    world = random_world(seed, accounts=2, touches=touches)
    dice = random.Random(seed)
    moments = sorted(BEGIN + dice.randrange(SPAN // 3, SPAN) for _ in range(2))
    matrix = matrix_at(world, moments)
    for row in range(len(matrix)):
        t, account = int(matrix.rows.as_of[row]), matrix.account_ids[row]
        expected = figures(truncated(world, t), account, t)
        assert expected.keys() == set(matrix.columns)
        for column, value in zip(matrix.columns, matrix.values[row], strict=True):
            wanted = expected[column]
            if wanted is None:
                assert np.isnan(value), column
            else:
                assert value == pytest.approx(wanted, rel=1e-9, abs=1e-9), column


def test_the_oracle_knows_every_column_somewhere() -> None:
    """Agreement would mean little if a column were always unknown."""
    known: set[str] = set()
    worlds = [random_world(seed, touches=800) for seed in range(8)]
    # What is seen once in a while only comes often enough where nothing else happens.
    worlds += [random_world(1, touches=1200, kinds=(kind,)) for kind in ALL_KINDS]
    worlds += [random_world(1, touches=1200, kinds=("gesture", "meeting"))]
    worlds += [random_world(seed, touches=5) for seed in range(30)]
    for world in worlds:
        for t in MOMENTS[2:]:
            cut = truncated(world, t)
            for account in ("A0", "A1", "A2"):
                known |= {column for column, value in figures(cut, account, t).items() if value is not None}
    assert known == {column for column, one in REGISTRY.indicators.items() if not one.portfolio}


@pytest.fixture(scope="module", params=range(6))
def world(request: pytest.FixtureRequest) -> dict[str, list[dict[str, object]]]:
    return random_world(1000 + request.param, accounts=6, touches=150)


def test_the_same_input_gives_the_same_output(world: dict[str, list[dict[str, object]]]) -> None:
    history = History.from_records(world, Dataset())
    assert differences(matrix_of(history, MOMENTS), matrix_of(history, MOMENTS)) == []


def test_the_order_of_records_and_their_fields_does_not_matter(world: dict[str, list[dict[str, object]]]) -> None:
    dice = random.Random(5)
    mixed = {}
    for table, rows in world.items():
        mixed[table] = [dict(dice.sample(list(row.items()), len(row))) for row in rows]
        dice.shuffle(mixed[table])
    assert differences(matrix_at(world, MOMENTS), matrix_at(mixed, MOMENTS)) == []


def test_cutting_the_accounts_into_parts_does_not_matter(
    world: dict[str, list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = matrix_at(world, MOMENTS)
    for size in (1, 2, 5):
        monkeypatch.setattr(frame_module, "ACCOUNTS_AT_ONCE", size)
        assert differences(whole, matrix_at(world, MOMENTS)) == []


def test_other_accounts_do_not_matter(world: dict[str, list[dict[str, object]]]) -> None:
    whole = matrix_at(world, MOMENTS)
    for account in whole.accounts:
        alone = {table: [row for row in rows if row["account_id"] == account] for table, rows in world.items()}
        rows = np.flatnonzero(np.array(whole.account_ids) == account)
        assert differences(whole.take(rows), matrix_at(alone, MOMENTS)) == []


def test_each_snapshot_alone_gives_what_all_together_give(world: dict[str, list[dict[str, object]]]) -> None:
    whole = matrix_at(world, MOMENTS)
    for t in MOMENTS:
        assert differences(whole.take(np.flatnonzero(whole.rows.as_of == t)), matrix_at(world, [t])) == []


def test_an_empty_history_is_unknown() -> None:
    world = random_world(3)
    accounts = [{"account_id": row["account_id"]} for row in world["accounts"]]
    world = {table: (accounts if table == "accounts" else []) for table in world}
    matrix = matrix_at(world, MOMENTS)
    assert len(matrix) == 3 * len(MOMENTS)
    assert np.isnan(matrix.values).all()
    assert matrix.evidence is not None
    assert not matrix.evidence.any()


def test_ranges_types_and_evidence_hold(world: dict[str, list[dict[str, object]]]) -> None:
    matrix = matrix_at(world, MOMENTS)
    assert matrix.values.dtype == np.float64
    assert matrix.evidence is not None
    for column, indicator in enumerate(matrix.indicators):
        values = matrix.values[:, column]
        known = values[~np.isnan(values)]
        assert ((known >= indicator.low) & (known <= indicator.high)).all(), indicator.column
        assert np.isfinite(known).all(), indicator.column
        if indicator.window not in ("trend", "now", "since"):
            assert (matrix.evidence[:, column][~np.isnan(values)] >= indicator.minimum).all(), indicator.column


def test_rows_must_be_sorted() -> None:
    with pytest.raises(ValueError, match="sorted"):
        Rows(np.array([1, 0], dtype=np.int32), np.array([5, 5]))
    with pytest.raises(ValueError, match="sorted"):
        Rows(np.array([0, 0], dtype=np.int32), np.array([6, 5]))


def test_no_rows_give_an_empty_matrix() -> None:
    history = History.from_records(random_world(1), Dataset())
    matrix = build_matrix(history, Rows(np.empty(0, np.int32), np.empty(0, np.int64)))
    assert matrix.values.shape == (0, len(INDICATORS))
