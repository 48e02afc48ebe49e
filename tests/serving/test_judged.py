"""Scorecards alone: what can be told without a model, as a table, as files, as a page."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.histories.tables import Dataset
from features.judgements.scorecards import gauntlet
from features.judgements.warmth import warmth
from features.matrix import build_matrix, rows_at, snapshots
from features.measuring import measure_portfolio
from features.reference import Reference
from features.sources.importing import import_to_folder
from serving.judged import JudgedPortfolio, judge_histories
from serving.judged_report import TEMPLATE, judged_page
from serving.portfolio import Profile
from serving.reports import render
from serving.schemas import Scorecards as ScorecardsSchema
from serving.scorecards import COLUMNS, card_document, flat_cards
from serving.writing import CARD_COLUMNS, write_scorecards
from tests.serving.clients import AS_OF, BEGIN, DAY, Records, history, write_csv
from tests.serving.pages import EVIL, Tags


@pytest.fixture(scope="module")
def judged(tables: Path) -> JudgedPortfolio:
    return judge_histories(tables, AS_OF)


def test_every_account_is_judged_as_over_the_whole_portfolio(judged: JudgedPortfolio, made: Records) -> None:
    whole = history(made)
    reference = Reference(measure_portfolio(whole, snapshots(BEGIN, AS_OF)))
    matrix = build_matrix(whole, rows_at(whole, np.array([AS_OF])), reference=reference)
    cards = {one.account_id: one.cards for one in judged.accounts}
    assert set(cards) == set(matrix.account_ids)
    assert [cards[account].gauntlet for account in matrix.account_ids] == gauntlet(matrix)
    assert [cards[account].warmth for account in matrix.account_ids] == warmth(matrix)
    assert judged.nothing_known == 0


def test_clients_come_first_the_most_valuable_first(judged: JudgedPortfolio) -> None:
    others = {one.account_id: one.no_client for one in judged.accounts[-2:]}
    assert others == {"C000": "no contract yet", "C001": "former client"}
    clients = judged.accounts[:-2]
    assert {one.no_client for one in clients} == {None}
    values = [one.value for one in clients]
    assert values[0] == 49_000
    assert values == sorted(values, key=lambda value: (value is None, -(value or 0)))
    assert {one.stage.stage for one in clients} == {"continuation or beyond"}


def test_what_was_not_known_yet_is_left_out(tables: Path, made: Records) -> None:
    early = judge_histories(tables, BEGIN + 60 * DAY)
    assert early.nothing_known + len(early.accounts) == len(made["accounts"])
    before = judge_histories(tables, BEGIN - 4000 * DAY)
    assert (before.accounts, before.nothing_known) == ([], len(made["accounts"]))
    assert "0 clients" in judged_page(before)["headline"]


def test_unknown_is_said_to_be_unknown(judged: JudgedPortfolio) -> None:
    # The records of this portfolio hold neither meetings nor advice.
    for one in judged.accounts:
        assert one.cards.depth.signals[1].verdict == "unknown"
        row = flat_cards(one.cards)
        assert row["depth_2"] == "unknown"
        assert row["gauntlet_known"] == sum(row[f"gauntlet_{step}"] != "unknown" for step in range(1, 8))
        ScorecardsSchema.model_validate_json(json.dumps(card_document(one.cards)), strict=True)
    prospect = next(one for one in judged.accounts if one.account_id == "C000")
    assert prospect.value is None


def test_the_files_hold_the_same(judged: JudgedPortfolio, tmp_path: Path) -> None:
    for suffix in (".csv", ".json"):
        write_scorecards(judged, tmp_path / f"cards{suffix}")
    with (tmp_path / "cards.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    told = json.loads((tmp_path / "cards.json").read_text(encoding="utf-8"))
    assert list(told) == ["as_of", "accounts"]
    assert list(rows[0]) == list(CARD_COLUMNS)
    for row, account, one in zip(rows, told["accounts"], judged.accounts, strict=True):
        assert row["account_id"] == account["account_id"] == one.account_id
        assert row["name"] == account["name"] == f"Client {int(one.account_id[1:])} & Söhne"
        expected = flat_cards(one.cards)
        assert set(expected) == set(COLUMNS)
        assert {name: row[name] for name in COLUMNS} == {
            name: "" if value is None else str(value) for name, value in expected.items()
        }
        assert account["scorecards"] == json.loads(json.dumps(card_document(one.cards)))
    assert len(list(tmp_path.iterdir())) == 2


def test_another_ending_is_refused(judged: JudgedPortfolio, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end with one of \.csv, \.json"):
        write_scorecards(judged, tmp_path / "cards.parquet")
    assert list(tmp_path.iterdir()) == []


def test_the_page_says_that_there_is_no_model_and_why(judged: JudgedPortfolio) -> None:
    told = judged_page(judged)
    text = Tags(render(told, TEMPLATE)).text
    assert told["headline"] == "38 clients by their scorecards; no risk is predicted"
    assert "Why no risk of leaving is told" in text
    assert "No model has been trained" in text
    assert "too few clients who left" in text
    assert "% (" not in text
    assert [len([one for one in told["accounts"] if one["cards"]]), len(told["accounts"])] == [30, 38]
    assert [group["why"] for group in told["others"]] == ["Former client", "No contract yet"]
    assert "Simulated data" not in text
    simulated = replace(judged, dataset=Dataset(simulated=True), nothing_known=2)
    text = Tags(render(judged_page(simulated), TEMPLATE)).text
    assert "Simulated data" in text
    assert "Left out: 2 accounts of which nothing was known" in text


def test_the_page_tells_the_verdicts_with_a_figure_that_misses(judged: JudgedPortfolio) -> None:
    account = next(one for one in judged_page(judged)["accounts"] if one["id"] == "C036")
    first, second = account["cards"]["gauntlet"][:2]
    assert (first["name"], first["verdict"], first["chip"]) == ("They answer us", "not passed", "missed")
    assert ", mark " in first["missed"]
    known = next(one for one in judged.accounts if one.account_id == "C036").cards
    assert (
        second["verdict"] == {"pass": "passed", "fail": "not passed", "unknown": "unknown"}[known.gauntlet[1].verdict]
    )
    assert account["gauntlet"] == f"{known.steps_passed} of {known.steps_known}"


def test_a_long_list_is_cut_and_says_so(judged: JudgedPortfolio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.judged_report.LISTED", 20)
    told = judged_page(judged, most=5)
    assert len(told["accounts"]) == 25
    assert told["hidden"] == "Not shown: 13 more clients of lower rank."


def test_names_cannot_become_markup_and_nothing_comes_from_elsewhere(judged: JudgedPortfolio) -> None:
    def named(name: str) -> Tags:
        profiles = {one: Profile(name, name, name) for one in judged.profiles}
        return Tags(render(judged_page(replace(judged, profiles=profiles)), TEMPLATE))

    attacked = named(EVIL)
    assert attacked.tags == named("plain").tags
    assert EVIL in attacked.text
    attacked.check_self_contained()


def test_where_no_deals_are_recorded_every_account_is_taken_for_a_client(made: Records, tmp_path: Path) -> None:
    without = {table: rows for table, rows in made.items() if table != "deals"}
    import_to_folder([write_csv(without, tmp_path / "raw")], tmp_path / "tables")
    judged = judge_histories(tmp_path / "tables", AS_OF)
    assert {(one.no_client, one.stage.stage) for one in judged.accounts} == {(None, "unknown")}
