"""Predictions: who has a risk, why others have none, and what each account's answer holds."""

from dataclasses import replace

import numpy as np
import pytest

from models.archive import FingerprintMismatch, Models
from models.explanation import explain
from models.prediction import predict
from models.risk import HORIZONS
from tests.models.portfolio import DAY, matrix, portfolio, standing

NAN = float("nan")


def test_an_account_at_risk(models: Models) -> None:
    rows = portfolio(3, 1)
    whole = predict(models, rows)
    risk = models.risk.risk(rows.values, rows.standing.days_to_end)
    one = whole[1]
    assert (one.account_id, one.as_of, one.horizon) == ("account-1", 20_000 * DAY, 180)
    assert one.risk == dict(zip(HORIZONS, risk[1].tolist(), strict=True))
    assert one.not_at_risk is None
    assert one.value == 1000.0
    assert one.revenue_at_risk == 1000.0 * one.risk[180]
    assert one.stage.stage == "continuation or beyond"
    assert one.explanation is not None
    assert one.explanation.explanation.risk[1] == one.risk[180]
    assert one.reasons == one.explanation.reasons()
    assert one.reasons


def test_the_interval_is_the_model_s_at_every_horizon(models: Models) -> None:
    rows = portfolio(6, 9)
    facts = standing(6, rows.standing.days_to_end, at_risk=[True, False, True, True, True, True])
    whole = predict(models, replace(rows, standing=facts))
    ends = models.risk.interval(rows.values, rows.standing.days_to_end)
    for row, one in enumerate(whole):
        if row == 1:
            assert one.interval is None
            continue
        assert one.risk is not None
        assert one.interval is not None
        expected = [end for low_and_high in ends[row].tolist() for end in low_and_high]
        told = [end for low_and_high in one.interval.values() for end in low_and_high]
        assert told == pytest.approx(expected, abs=1e-12)
        assert list(one.interval) == list(one.risk)
        assert all(low <= one.risk[days] <= high for days, (low, high) in one.interval.items())


def test_intervals_can_be_left_out(models: Models) -> None:
    rows = portfolio(2, 6)
    plain = predict(models, rows, interval=False)
    assert [one.interval for one in plain] == [None, None]
    assert [one.risk for one in plain] == [one.risk for one in predict(models, rows)]


def test_the_risk_at_the_horizon(models: Models) -> None:
    facts = standing(2, at_risk=[True, False])
    first, second = predict(models, replace(portfolio(2, 3), standing=facts), 90)
    assert first.risk is not None
    assert (first.risk_at_horizon, second.risk_at_horizon) == (first.risk[90], None)


def test_who_has_no_risk_by_contract_and_why(models: Models) -> None:
    facts = standing(
        5,
        at_risk=[True, False, False, False, True],
        former=[False, True, False, False, False],
        wins=[2, 2, 0, 3, 1],
    )
    rows = replace(portfolio(5, 2), standing=facts)
    whole = predict(models, rows)
    assert [one.not_at_risk for one in whole] == [
        None,
        "former client",
        "no contract yet",
        "no contract end recorded",
        None,
    ]
    assert [one.risk is None for one in whole] == [False, True, True, True, False]
    assert [one.stage.stage for one in whole][1:3] == ["former", "courting"]
    without = whole[1]
    assert (without.revenue_at_risk, without.explanation, without.reasons) == (None, None, [])
    assert without.value == 1000.0
    # The last row keeps its own numbers although rows before it have none.
    last = whole[4]
    alone = predict(models, rows.take(np.array([4])))[0]
    assert last.explanation is not None
    assert alone.explanation is not None
    assert (last.risk, last.reasons) == (alone.risk, alone.reasons)
    assert last.explanation.signals() == alone.explanation.signals()


def test_who_has_no_risk_by_silence_and_why(silence: Models) -> None:
    facts = standing(
        5,
        own_touches=[5, 4, 20, 20, 0],
        silent_days=[45.0, 1.0, 45.1, 0.0, NAN],
        at_risk=[False] * 5,
        deals_recorded=[False] * 5,
    )
    whole = predict(silence, replace(portfolio(5, 3), standing=facts))
    reasons = [None, "too little history", "silent already", None, "too little history"]
    assert [one.not_at_risk for one in whole] == reasons
    assert whole[0].risk is not None
    assert list(whole[0].risk) == [45]
    assert whole[0].horizon == 45
    assert whole[0].stage.stage == "unknown"


def test_an_unknown_value_leaves_the_revenue_unknown(models: Models) -> None:
    facts = standing(2, value=[NAN, 0.0])
    first, second = predict(models, replace(portfolio(2, 4), standing=facts))
    assert (first.value, first.revenue_at_risk) == (None, None)
    assert (second.value, second.revenue_at_risk) == (0.0, 0.0)
    assert first.risk is not None


def test_another_horizon_is_explained_on_request(models: Models) -> None:
    rows = portfolio(2, 5)
    one = predict(models, rows, horizon=365)[0]
    assert one.explanation is not None
    np.testing.assert_array_equal(one.explanation.explanation.logit, explain(models.risk, rows, 365).logit)
    assert one.risk is not None
    assert one.revenue_at_risk == 1000.0 * one.risk[365]
    with pytest.raises(ValueError, match="horizon 60: this model knows 30, 90, 180, 365 days"):
        predict(models, rows, horizon=60)


def test_explaining_can_be_left_out(models: Models) -> None:
    rows = portfolio(2, 6)
    plain = predict(models, rows, explain=False)
    assert [one.explanation for one in plain] == [None, None]
    assert [one.risk for one in plain] == [one.risk for one in predict(models, rows)]


def test_nobody_and_nobody_at_risk(models: Models) -> None:
    rows = portfolio(2, 7)
    assert predict(models, rows.take(np.arange(0))) == []
    facts = standing(2, at_risk=[False, False])
    assert [one.risk for one in predict(models, replace(rows, standing=facts))] == [None, None]


def test_other_columns_are_refused(models: Models) -> None:
    with pytest.raises(FingerprintMismatch, match="train a new model"):
        predict(models, replace(portfolio(1, 8), fingerprint="0" * 64))


def test_a_client_of_whom_nothing_is_known_has_a_risk_all_the_same(models: Models) -> None:
    (one,) = predict(models, matrix(np.full((1, 7), NAN)))
    assert one.risk is not None
    assert all(reason.value is None for reason in one.reasons)
    assert all(reason.sentence.startswith("No evidence yet") for reason in one.reasons)
