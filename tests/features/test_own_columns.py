"""The user's own columns in the matrix: dated or declared static, with declared directions, known as anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.catalogue import entries
from features.histories.checks import check_records
from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import TABLES, Dataset
from features.matrix import Matrix, Rows, build_matrix, indicators_of
from features.own_columns import OwnColumn, own_columns, own_indicators
from features.reference import Reference
from features.sources.files import read_tables
from features.sources.importing import import_to_folder

BEGIN = 1_500_000_000
Row = dict[str, Any]


def day(number: int) -> str:
    return str(np.datetime64(BEGIN + number * DAY, "s")) + "Z"


def touch(number: int, **more: Any) -> Row:
    row = {"interaction_id": f"i{number}", "account_id": "A", "at": day(number), "kind": "message", "actor": "client"}
    return {**row, **more}


def asked(history: History, days: list[int], own: tuple[OwnColumn, ...]) -> Matrix:
    moments = np.array([BEGIN + one * DAY for one in days])
    rows = Rows(np.zeros(len(moments), np.int32), moments)
    return build_matrix(history, rows, evidence=True, reference=Reference(own=own))


def column(matrix: Matrix, name: str) -> list[float | None]:
    values = matrix.values[:, matrix.columns.index(name)]
    return [None if np.isnan(value) else float(value) for value in values]


def history_of(accounts: list[Row], interactions: list[Row], dataset: Dataset | None = None) -> History:
    rows = {"accounts": accounts, "interactions": interactions}
    good = {}
    for name, given in rows.items():
        good[name], rejects, _ = check_records(TABLES[name], given, name)
        assert not rejects
    return History.from_records(good, dataset or Dataset())


def test_a_dated_figure_of_the_account_holds_from_its_date_on() -> None:
    accounts = [
        {"account_id": "A", "x_score": 3, "valid_from": day(10)},
        {"account_id": "A", "x_score": 8, "valid_from": day(20), "recorded_at": day(30)},
    ]
    history = history_of(accounts, [touch(0)])
    own, left_out = own_columns(history)
    assert own == (OwnColumn("accounts", "x_score"),)
    assert left_out == []
    matrix = asked(history, [9, 10, 29, 30], own)
    assert column(matrix, "x_score.x_score.now") == [None, 3.0, 3.0, 8.0]


def test_an_undated_figure_counts_only_if_it_is_declared_static() -> None:
    accounts = [{"account_id": "A", "x_region": 4}]
    undeclared = history_of(accounts, [touch(0)])
    assert own_columns(undeclared)[0] == ()
    assert "x_region" in own_columns(undeclared)[1][0]
    # Even where another account has dates: what has none says nothing of any day.
    assert column(asked(undeclared, [5], (OwnColumn("accounts", "x_region"),)), "x_region.x_region.now") == [None]

    declared = history_of(accounts, [touch(0)], Dataset(static=frozenset({"x_region"})))
    own, _ = own_columns(declared)
    assert own == (OwnColumn("accounts", "x_region", static=True),)
    assert column(asked(declared, [0, 5], own), "x_region.x_region.now") == [4.0, 4.0]


@pytest.mark.parametrize("static", [False, True])
def test_a_figure_that_took_the_place_of_another_tells_of_no_day(static: bool) -> None:
    """Known from the change on, it would be known early of those accounts that nobody touched since."""
    name = "x_score"
    dataset = Dataset(static=frozenset({name} if static else ()))
    own = (OwnColumn("accounts", name, static=static),)
    changed = {"account_id": "A", name: 3, "updated_at": day(20)}
    alone = history_of([changed], [touch(0)], dataset)
    assert own_columns(alone)[0] == ()
    assert ("updated_at" if static else "no dates") in own_columns(alone)[1][0]
    assert column(asked(alone, [10, 30], own), f"{name}.{name}.now") == [None, None]
    entered = history_of([{**changed, "recorded_at": day(5)}], [touch(0)], dataset)
    assert column(asked(entered, [10, 30], own), f"{name}.{name}.now") == [None, None]
    # As it was entered, and after a version that is still there, it counts.
    unchanged = history_of([{**changed, "recorded_at": day(20)}], [touch(0)], dataset)
    assert column(asked(unchanged, [10, 30], own), f"{name}.{name}.now") == [None, 3.0]
    later = history_of([{"account_id": "A", name: 2, "recorded_at": day(5)}, changed], [touch(0)], dataset)
    assert column(asked(later, [4, 10, 30], own), f"{name}.{name}.now") == [None, 2.0, 3.0]


def test_a_figure_of_interactions_is_their_mean_as_far_as_known() -> None:
    moods = [1.0, 2.0, 3.0, 4.0, 4.5, "n/a", None, True]
    interactions = [touch(number, x_mood=mood) for number, mood in enumerate(moods)]
    interactions[4]["recorded_at"] = day(40)  # entered late
    own = (OwnColumn("interactions", "x_mood", "up"),)
    matrix = asked(history_of([], interactions), [3, 7, 40], own)
    # Four values by day 3; without the late one 1, 2, 3, 4 and True by day 7; with it by day 40.
    assert column(matrix, "x_mood.x_mood.90d") == [None, 11 / 5, 15.5 / 6]
    assert matrix.evidence is not None
    assert matrix.evidence[:, matrix.columns.index("x_mood.x_mood.90d")].tolist() == [4, 5, 6]


def test_directions_become_constraints() -> None:
    (rising, *_) = own_indicators((OwnColumn("interactions", "x_mood", "up"),))
    (falling,) = own_indicators((OwnColumn("accounts", "x_debts", "down"),))
    (neither,) = own_indicators((OwnColumn("accounts", "x_region"),))
    assert [one.constraint for one in (rising, falling, neither)] == [-1, 1, 0]


def test_they_stand_in_the_catalogue_beside_the_documented_ones() -> None:
    own = (OwnColumn("accounts", "x_region", "down", static=True), OwnColumn("interactions", "x_mood"))
    told = entries(indicators_of(Reference(own=own)))[-5:]
    assert [one.column for one in told] == [
        "x_region.x_region.now",
        *(f"x_mood.x_mood.{window}" for window in ("90d", "365d", "all", "trend")),
    ]
    assert {(one.family, one.source) for one in told} == {("own", "own")}
    assert [one.better for one in told[:2]] == ["down", "informative"]


def test_a_record_without_the_column_is_unknown_not_wrong() -> None:
    own = (OwnColumn("accounts", "x_score"), OwnColumn("interactions", "x_mood"))
    matrix = asked(history_of([{"account_id": "A"}], [touch(0)]), [1], own)
    assert column(matrix, "x_score.x_score.now") == [None]
    assert column(matrix, "x_mood.x_mood.all") == [None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("own")
    (source / "accounts.csv").write_text(
        "account_id,valid_from,x_score,x_region,x_tier\n"
        "A,2017-07-01T00:00:00Z,3,2,gold\nA,2017-08-01T00:00:00Z,7,2,\nB,2017-07-01T00:00:00Z,,5,silver\n"
    )
    lines = [f"i{one},A,{day(one)},message,client,{one / 3:.4f}" for one in range(12)]
    (source / "interactions.csv").write_text("interaction_id,account_id,at,kind,actor,x_mood\n" + "\n".join(lines))
    (source / "dataset.toml").write_text('[dataset]\nstatic = ["x_region"]\ndirections = { x_score = "up" }\n')
    out = source / "tables"
    import_to_folder([source], out)
    return out


def test_own_columns_go_from_a_file_to_the_matrix_as_from_a_request(folder: Path) -> None:
    tables = read_tables(folder)
    batch = History.from_tables(tables)
    own, left_out = own_columns(batch)
    assert own == (
        OwnColumn("accounts", "x_region", None, static=True),
        OwnColumn("accounts", "x_score", "up"),
        OwnColumn("interactions", "x_mood"),
    )
    assert left_out == []  # x_tier is a category: it stays in the tables
    names = ("accounts", "interactions")
    sent = {
        name: [
            {key: value for key, value in row.items() if value is not None} for row in getattr(tables, name).to_pylist()
        ]
        for name in names
    }
    sent = json.loads(json.dumps(sent, default=str))
    request = history_of([row for row in sent["accounts"] if row["account_id"] == "A"], sent["interactions"])
    one, other = asked(batch, [5, 11, 300], own), asked(request, [5, 11, 300], own)
    assert np.array_equal(one.values, other.values, equal_nan=True)
    assert column(one, "x_region.x_region.now") == [2.0, 2.0, 2.0]
    assert column(one, "x_mood.x_mood.all") == [
        pytest.approx(sum(round(one / 3, 4) for one in range(n)) / n) for n in (6, 12, 12)
    ]


def test_wrong_directions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("account_id,x_score\nA,3\n")
    (tmp_path / "dataset.toml").write_text('[dataset]\ndirections = { x_score = "higher" }\n')
    with pytest.raises(ValueError, match=r'directions: .*"up" or "down"'):
        import_to_folder([tmp_path], tmp_path / "tables")


def test_what_a_model_needs_of_them_is_kept_with_it() -> None:
    own = (OwnColumn("accounts", "x_region", None, static=True), OwnColumn("interactions", "x_mood", "up"))
    assert Reference.from_json(json.loads(json.dumps(Reference(own=own).to_json()))) == Reference(own=own)
