"""Scores from a history and from a request's records, and the answers made of them."""

import json
import math
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic_core import to_json

from features.histories.tables import ACCOUNTS, Dataset
from serving.answers import document, flat, ranked
from serving.champion import Champion
from serving.portfolio import Portfolio, profiles, score_histories
from serving.predictor import NothingToScore, TooManyAccounts, score_records
from serving.schemas import AccountScore
from tests.serving.clients import AS_OF, DAY, Records, part


def test_every_account_scores_the_same_alone_and_among_others(
    portfolio: Portfolio, champion: Champion, made: Records
) -> None:
    batch = {one.account_id: document(one) for one in portfolio.predictions}
    assert len(batch) == len(made["accounts"])
    for account in ("C000", "C001", "C002", "C005", "C036"):
        alone = score_records(champion.models, part(made, account), Dataset(), AS_OF)
        assert [document(one) for one in alone.predictions] == [batch[account]]


def test_answers_are_as_the_schema_says_and_hold_no_nan(portfolio: Portfolio) -> None:
    for prediction in portfolio.predictions:
        text = to_json(document(prediction), inf_nan_mode="constants")
        AccountScore.model_validate_json(text, strict=True)
        json.loads(text, parse_constant=pytest.fail)


def test_shares_lead_from_the_base_to_the_risk(portfolio: Portfolio) -> None:
    told = [document(one)["explanation"] for one in portfolio.predictions if one.risk]
    assert len(told) == 38
    for explanation in told:
        for unit, base, whole in (("log_odds", "base_log_odds", "log_odds"), ("points", "base_risk", "risk")):
            parts = [explanation[base], explanation["time_ahead"][unit]]
            for shares in ("indicators", "signals"):
                total = math.fsum([*parts, *(share[unit] for share in explanation[shares])])
                assert total == pytest.approx(explanation[whole], abs=1e-9)


def test_unknown_figures_are_none_and_meet_no_mark(portfolio: Portfolio) -> None:
    explanation = document(portfolio.predictions[0])["explanation"]
    shares = {share["column"]: share for share in explanation["indicators"]}
    # The records of this portfolio hold no meetings.
    unknown = [share for share in shares.values() if share["signal"] == "G2b"]
    assert unknown
    assert all(share["value"] is None and share["mark_met"] is None for share in unknown)
    known = shares["P1b.client_share_of_touches.all"]
    assert known["mark_met"] == (0.35 <= known["value"] <= 0.65)
    assert known["evidence"] >= 5


def test_the_order_is_revenue_then_risk_then_id(portfolio: Portfolio) -> None:
    order = portfolio.predictions
    assert ranked(reversed(order)) == order
    revenues = [one.revenue_at_risk for one in order if one.revenue_at_risk is not None]
    assert revenues == sorted(revenues, reverse=True)
    kinds = [(one.risk is None, one.revenue_at_risk is None) for one in order]
    assert kinds == sorted(kinds)
    assert {kind: kinds.count(kind) for kind in kinds} == {(False, False): 32, (False, True): 6, (True, True): 2}
    unvalued = [one.risk[180] for one in order if one.risk and one.revenue_at_risk is None]
    assert unvalued == sorted(unvalued, reverse=True)


def test_who_has_no_risk_is_told_why(portfolio: Portfolio) -> None:
    told = {one.account_id: one for one in portfolio.predictions}
    prospect, former = told["C000"], told["C001"]
    assert (prospect.risk, prospect.not_at_risk, prospect.explanation) == (None, "no contract yet", None)
    assert (former.risk, former.not_at_risk, former.stage.stage) == (None, "former client", "former")
    row = flat(prospect, 39)
    assert row["rank"] is None
    assert "risk_180" not in row


def test_bad_rows_are_told_and_the_good_ones_count(champion: Champion, made: Records) -> None:
    good = part(made, "C005")
    bad = {
        **good,
        "interactions": [
            {"interaction_id": "x", "account_id": "C005", "at": "yesterday", "kind": "message", "actor": "us"},
            *good["interactions"],
            {
                "interaction_id": "y",
                "account_id": "C005",
                "at": "2024-01-01",
                "kind": "shout",
                "actor": "us",
                "loud": 1,
            },
        ],
    }
    scores = score_records(champion.models, bad, Dataset(), AS_OF)
    assert [(one.file, one.row, one.column, one.value) for one in scores.rejects] == [
        ("interactions", 1, "at", "yesterday"),
        ("interactions", len(good["interactions"]) + 2, "kind", "shout"),
    ]
    assert "one of message, call" in scores.rejects[1].allowed
    assert scores.ignored == {"interactions": ["loud"]}
    expected = score_records(champion.models, good, Dataset(), AS_OF)
    assert document(scores.predictions[0]) == document(expected.predictions[0])


def test_what_is_recorded_later_changes_nothing(champion: Champion, made: Records) -> None:
    early = score_records(champion.models, part(made, "C005"), Dataset(), AS_OF - 300 * DAY)
    known = part(made, "C005")
    known["interactions"] = [row for row in known["interactions"] if row["at"] < "2024-08-24"]
    without = score_records(champion.models, known, Dataset(), AS_OF - 300 * DAY)
    assert document(without.predictions[0]) == document(early.predictions[0])


def test_an_account_of_which_nothing_is_known_yet_is_named(champion: Champion, made: Records) -> None:
    new = {"account_id": "N1"}
    document_ = {**part(made, "C005"), "accounts": [{"account_id": "C005"}, new]}
    scores = score_records(champion.models, document_, Dataset(), AS_OF)
    assert (len(scores.predictions), scores.nothing_known) == (1, ["N1"])


def test_a_request_without_a_good_row_is_refused(champion: Champion) -> None:
    with pytest.raises(NothingToScore, match="holds no rows"):
        score_records(champion.models, {}, Dataset(), AS_OF)
    with pytest.raises(NothingToScore, match="no row is left") as caught:
        score_records(champion.models, {"accounts": [{"name": "nameless"}]}, Dataset(), AS_OF)
    assert [one.column for one in caught.value.rejects] == ["account_id"]


def test_too_many_accounts_are_refused(champion: Champion) -> None:
    accounts = {"accounts": [{"account_id": str(number)} for number in range(11)]}
    with pytest.raises(TooManyAccounts, match="11 accounts; at most 10"):
        score_records(champion.models, accounts, Dataset(), AS_OF, most_accounts=10)


def test_a_horizon_that_the_model_does_not_know_is_refused(champion: Champion, made: Records) -> None:
    with pytest.raises(ValueError, match="30, 90, 180, 365"):
        score_records(champion.models, part(made, "C005"), Dataset(), AS_OF, horizon=60)


def test_another_horizon_weighs_and_explains_by_it(champion: Champion, tables: Path, portfolio: Portfolio) -> None:
    near = score_histories(champion, tables, AS_OF, 30)
    assert near.horizon == 30
    for one, other in zip(
        sorted(near.predictions, key=lambda one: one.account_id),
        sorted(portfolio.predictions, key=lambda one: one.account_id),
        strict=True,
    ):
        assert one.risk == other.risk
        if one.risk and one.value is not None:
            assert one.revenue_at_risk == one.value * one.risk[30]
            assert document(one)["explanation"]["risk"] == pytest.approx(one.risk[30], abs=1e-12)


def test_a_profile_is_the_latest_that_was_known() -> None:
    rows = [
        {"account_id": "A", "name": "Old", "valid_from": None},
        {"account_id": "A", "name": "New", "valid_from": 2000, "owner": "Ida"},
        {"account_id": "A", "name": "Newer", "valid_from": 3000},
        {"account_id": "B", "name": None},
        {"account_id": "B", "name": "Late", "recorded_at": 2500},
    ]
    accounts = pa.Table.from_pylist(rows, ACCOUNTS.schema())
    assert [profiles(accounts, as_of)["A"].name for as_of in (1999, 2000, 3000)] == ["Old", "New", "Newer"]
    assert profiles(accounts, 2000)["A"].owner == "Ida"
    assert [profiles(accounts, as_of)["B"].name for as_of in (2499, 2500)] == ["B", "Late"]
