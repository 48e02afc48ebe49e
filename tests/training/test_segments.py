"""Parts of the test: who belongs where as it was known then, and what is said of parts that are too small."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from features.histories.history import History
from features.histories.log import DAY, Array
from features.matrix import Matrix, build_matrix, rows_at
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from training.segments import (
    FEW,
    MOST_NAMES,
    NOT_KNOWN,
    Parting,
    judge_parts,
    parted_by_band,
    parted_by_name,
    periods,
    segments,
)

ACCOUNTS = """account_id,industry,owner,potential,valid_from,recorded_at
B,retail,,900,,
A,finance,Ann,100,2020-01-01T00:00:00Z,2020-01-01T00:00:00Z
A,retail,Ann,100,2023-01-01T00:00:00Z,2023-03-01T00:00:00Z
C,,Ben,,,
"""
INTERACTIONS = """interaction_id,account_id,at,kind,actor,channel
1,A,2022-01-01T00:00:00Z,message,client,email
2,B,2022-01-01T00:00:00Z,message,client,email
3,C,2022-01-01T00:00:00Z,message,client,email
"""
DEALS = """deal_id,account_id,opened_at,closed_at,kind,outcome,amount,starts_on,ends_on
d,A,2022-01-01T00:00:00Z,2022-02-01T00:00:00Z,new,won,500,2022-02-01T00:00:00Z,2025-01-31T00:00:00Z
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Parting], Matrix]:
    raw = tmp_path_factory.mktemp("raw")
    for name, rows in (("accounts", ACCOUNTS), ("interactions", INTERACTIONS), ("deals", DEALS)):
        (raw / f"{name}.csv").write_text(rows, encoding="utf-8")
    import_to_folder([raw], raw / "tables")
    tables = read_tables(raw / "tables")
    history = History.from_tables(tables)
    moments = np.array(["2022-06-01", "2023-02-01", "2023-04-01", "2024-06-01"], "datetime64[s]").astype(np.int64)
    matrix = build_matrix(history, rows_at(history, moments))
    return {one.name: one for one in segments(tables.accounts, history, matrix)}, matrix


def told(parting: Parting, matrix: Matrix, account: str) -> list[str]:
    """The part of an account at each date."""
    rows = zip(matrix.account_ids, parting.member.tolist(), strict=True)
    return [parting.labels[place] for one, place in rows if one == account]


def test_an_account_is_what_was_known_of_it_then(world: tuple[dict[str, Parting], Matrix]) -> None:
    found, matrix = world
    # retail since January 2023, which nobody had written down before March
    assert told(found["industry"], matrix, "A") == ["finance", "finance", "retail", "retail"]
    assert told(found["industry"], matrix, "B") == ["retail"] * 4
    assert told(found["industry"], matrix, "C") == [NOT_KNOWN] * 4
    assert told(found["owner"], matrix, "A") == ["Ann"] * 4
    assert told(found["owner"], matrix, "B") == [NOT_KNOWN] * 4


def test_tenure_counts_from_the_first_win_else_from_the_first_event(
    world: tuple[dict[str, Parting], Matrix],
) -> None:
    found, matrix = world
    # won in February 2022; B never won, and is known since January
    expected = ["below 1 year", "1 year to 2 years", "1 year to 2 years", "2 years to 4 years"]
    assert told(found["tenure"], matrix, "A") == expected
    assert told(found["tenure"], matrix, "B") == expected


def test_size_is_money_a_year_in_thirds(world: tuple[dict[str, Parting], Matrix]) -> None:
    found, matrix = world
    sizes = {account: set(told(found["contract size"], matrix, account)) for account in "ABC"}
    assert sizes["C"] == {NOT_KNOWN}
    assert len(sizes["A"]) == len(sizes["B"]) == 1
    assert sizes["B"] == {found["contract size"].labels[-2]}  # 900 a year against 167


def test_nothing_recorded_is_one_part_not_none(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text(INTERACTIONS, encoding="utf-8")
    import_to_folder([tmp_path], tmp_path / "tables")
    tables = read_tables(tmp_path / "tables")
    history = History.from_tables(tables)
    matrix = build_matrix(history, rows_at(history, np.array([1_700_000_000])))
    found = {one.name: one.labels for one in segments(tables.accounts, history, matrix)}
    assert found == {
        "industry": (NOT_KNOWN,),
        "owner": (NOT_KNOWN,),
        "tenure": ("1 year to 2 years",),
        "contract size": (NOT_KNOWN,),
    }


def test_the_names_of_few_accounts_go_together() -> None:
    names = [f"n{number:02}" for number in range(MOST_NAMES + 3)]
    values = np.array([*names, "n14", "n14", None], dtype=object)
    account = np.arange(len(values))
    found = parted_by_name("owner", values, account)
    assert found.labels == ("n14", *names[: MOST_NAMES - 1], "the other 3", NOT_KNOWN)
    assert [found.labels[place] for place in found.member[11:]] == ["the other 3"] * 3 + ["n14"] * 3 + [NOT_KNOWN]
    # accounts count, not rows
    assert parted_by_name("owner", np.array(["a", "b", "b", "b"], dtype=object), np.array([0, 1, 1, 1])).labels == (
        "a",
        "b",
    )


def test_bands_begin_at_their_edge() -> None:
    found = parted_by_band("size", np.array([0.5, 1.0, 1.9, 2.0, 7.0]), [1, 2], ["1", "2"])
    assert (found.labels, found.member.tolist()) == (("below 1", "1 to 2", "2 or more"), [0, 1, 1, 2, 2])
    assert parted_by_band("size", np.array([np.nan]), [], []).labels == (NOT_KNOWN,)


def test_periods_are_cut_between_dates() -> None:
    moments = np.array(["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01"], "M8[s]")
    as_of = np.tile(moments.astype(np.int64), 2)
    usable = np.tile([False, True, True, True, True, True], 2)
    found = periods(as_of, usable)
    assert found.labels == ("2024-02-01 to 2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01")
    assert found.member.tolist() == [0, 0, 0, 1, 2, 3] * 2
    assert periods(as_of, np.zeros(12, bool)).labels == ()
    assert len(periods(as_of[:2], np.ones(2, bool)).labels) == 2


def sample(seed: int = 1) -> tuple[Array, Array, Array]:
    random = np.random.default_rng(seed)
    account = np.repeat(np.arange(120), 4)
    risk = np.repeat(random.random(120) / 2, 4)
    return risk, np.repeat(random.random(120), 4) < risk, account


def test_parts_are_judged_apart() -> None:
    risk, lost, account = sample()
    member = (account >= 60).astype(np.int64)
    halves = judge_parts(Parting("half", ("first", "second", "none"), member), risk, lost, account, account, 7)
    assert [part.label for part in halves] == ["first", "second"]
    assert [part.rows for part in halves] == [240, 240]
    for part, inside in zip(halves, (member == 0, member == 1), strict=True):
        assert part.accounts == 60
        assert part.lost_accounts == len(np.unique(account[inside & lost]))
        assert part.stated == pytest.approx(risk[inside].mean())
        assert part.observed.value == pytest.approx(lost[inside].mean())
        assert part.gap.value == pytest.approx(part.observed.value - part.stated)
        assert part.gap.low < 0 < part.gap.high  # risks that are true
        assert part.auc.low > 0.5


def test_a_part_that_is_wrong_is_told() -> None:
    risk, lost, account = sample()
    wrong = np.where(account < 60, risk, np.minimum(3 * risk, 1))
    good, bad = judge_parts(
        Parting("half", ("good", "bad"), (account >= 60).astype(np.int64)), wrong, lost, account, account, 7
    )
    assert good.gap.low < 0 < good.gap.high
    assert bad.gap.high < 0


@pytest.mark.parametrize("turned", [False, True])
def test_too_few_losses_or_too_few_kept_are_no_figure(turned: bool) -> None:
    account = np.repeat(np.arange(30), 2)
    lost = (account < FEW - 1) ^ turned
    (few,) = judge_parts(Parting("all", ("all",), np.zeros(60, int)), np.full(60, 0.2), lost, account, account, 7)
    assert (few.rows, few.accounts, few.lost_accounts) == (60, 30, 26 if turned else 4)
    assert few.observed.value == pytest.approx(lost.mean())
    for figure in (few.observed.low, few.observed.high, few.gap.value, few.auc.value):
        assert math.isnan(figure)


def test_a_part_without_rows_is_not_told() -> None:
    as_of = np.array([0, 400 * DAY])
    parts = judge_parts(
        periods(as_of, np.ones(2, bool)).at(np.array([True, False])),
        np.array([0.5]),
        np.array([True]),
        np.array([0]),
        np.array([0]),
        7,
    )
    assert [part.label for part in parts] == ["1970-01-01"]
