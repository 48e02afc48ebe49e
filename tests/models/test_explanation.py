"""Explanations: they add up, and what they say agrees with sign, mark and evidence."""

from decimal import Decimal, getcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.archive import Models, load, save
from models.explanation import NEGLIGIBLE, Explanation, RowExplanation, by_signal, chord, explain, reasons
from models.risk import CONTRACT_END, HORIZONS, RiskModel
from tests.models.portfolio import COLUMNS, FINGERPRINT, PLACE, matrix, portfolio


def told(value: dict[str, float], share: dict[str, float]) -> RowExplanation:
    """One row with the given figures (others unknown) and shares in log odds (others none); one point for each."""
    values, log_odds = np.full((1, len(COLUMNS)), np.nan), np.zeros((1, len(COLUMNS)))
    for column, figure in value.items():
        values[0, PLACE[column]] = figure
    for column, part in share.items():
        log_odds[0, PLACE[column]] = part
    nothing = np.zeros(1)
    columns_of = {"G1a": [0, 1], "D8f": [2], "P1b": [3], "W1a": [4], "L5": [5, 6]}
    explanation = Explanation(180, columns_of, 0.0, 0.5, nothing, nothing, log_odds, nothing, log_odds / 10, nothing)
    evidence = np.arange(len(COLUMNS))[None, :] + 10
    return RowExplanation(explanation, matrix(values, evidence=evidence), 0)


@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.3, 1.0]), horizon=st.sampled_from(HORIZONS))
def test_shares_add_up_to_the_risk(model: RiskModel, seed: int, missing: float, horizon: int) -> None:
    rows = portfolio(40, seed, missing)
    one = explain(model, rows, horizon)
    np.testing.assert_array_equal(
        one.risk, model.risk(rows.values, rows.standing.days_to_end)[:, HORIZONS.index(horizon)]
    )
    np.testing.assert_allclose(one.base + one.time_ahead + one.log_odds.sum(1), one.logit, rtol=0, atol=1e-9)
    whole = one.base_risk + one.time_ahead_points + one.points.sum(1)
    np.testing.assert_allclose(whole, one.risk, rtol=0, atol=1e-9)
    assert (np.sign(one.points) == np.sign(one.log_odds)).all()


def test_they_add_up_after_saving_and_loading_too(models: Models, tmp_path: Path) -> None:
    rows = portfolio(200, 1)
    save(models, tmp_path / "models")
    loaded = load(tmp_path / "models", FINGERPRINT)
    for horizon in HORIZONS:
        before, after = explain(models.risk, rows, horizon), explain(loaded.risk, rows, horizon)
        assert before.base == after.base
        for name in ("logit", "risk", "log_odds", "time_ahead", "points", "time_ahead_points"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
        np.testing.assert_allclose(
            after.base_risk + after.time_ahead_points + after.points.sum(1), after.risk, rtol=0, atol=1e-9
        )


def test_an_account_is_explained_alike_alone_and_among_others(model: RiskModel) -> None:
    rows = portfolio(600, 2)
    whole = explain(model, rows)
    for row in (0, 1, 599):
        alone = explain(model, rows.take(np.array([row])))
        for name in ("logit", "risk", "log_odds", "time_ahead", "points", "time_ahead_points"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(whole, name)[row])
        one, among = RowExplanation(alone, rows.take(np.array([row])), 0), RowExplanation(whole, rows, row)
        assert one.signals() == among.signals()
        assert one.reasons() == among.reasons()


def test_the_view_of_the_contract_end_is_told_with_it_and_the_horizon_apart(model: RiskModel) -> None:
    rows = portfolio(20, 3)
    raw = model.blend.contributions(rows.values, rows.standing.days_to_end, 90)
    one, a, end = explain(model, rows, 90), model.calibration.a, PLACE[CONTRACT_END]
    columns = len(COLUMNS)
    assert np.abs(raw[:, columns + 1]).max() > 0.01
    np.testing.assert_allclose(one.log_odds[:, end], a * (raw[:, end] + raw[:, columns + 1]), atol=1e-12)
    np.testing.assert_allclose(one.time_ahead, a * raw[:, columns], atol=1e-12)
    assert one.base == pytest.approx(a * raw[0, -1] + model.calibration.b[1])


def test_one_horizon_has_nothing_ahead(silence: Models) -> None:
    one = explain(silence.risk, portfolio(20, 4), 45)
    assert (one.time_ahead == 0).all()
    with pytest.raises(ValueError, match="horizon 180: this model knows 45 days"):
        explain(silence.risk, portfolio(20, 4))


def test_no_rows_are_explained_as_none(model: RiskModel) -> None:
    none = explain(model, portfolio(20, 5).take(np.arange(0)))
    assert none.base == explain(model, portfolio(20, 5)).base
    assert none.log_odds.shape == none.points.shape == (0, len(COLUMNS))
    assert len(none.risk) == 0


@given(z=st.floats(-60, 60), apart=st.one_of(st.floats(-1e-6, 1e-6), st.floats(-30, 30)))
def test_the_chord_agrees_with_many_digits(z: float, apart: float) -> None:
    getcontext().prec = 80
    base = z - apart if abs(apart) > 1e-30 else z
    exact_z, exact_base = Decimal(z), Decimal(base)

    def sigma(x: Decimal) -> Decimal:
        return 1 / (1 + (-x).exp())

    rise = sigma(exact_z) - sigma(exact_base)
    slope = sigma(exact_z) * (1 - sigma(exact_z)) if z == base else rise / (exact_z - exact_base)
    assert chord(np.array([z]), base)[0] == pytest.approx(float(slope), rel=1e-12)


def test_signals_sum_their_columns(model: RiskModel) -> None:
    rows = portfolio(30, 6)
    one = explain(model, rows)
    summed = by_signal(one)
    assert list(summed) == ["G1a", "D8f", "P1b", "W1a", "L5"]
    np.testing.assert_allclose(sum(summed.values()) + one.base + one.time_ahead, one.logit, atol=1e-9)
    row = RowExplanation(one, rows, 7)
    assert {signal: share.log_odds for signal, share in row.signals().items()} == pytest.approx(
        {signal: shares[7] for signal, shares in summed.items()}
    )
    points = sum(share.points for share in row.signals().values())
    assert one.base_risk + row.time_ahead.points + points == pytest.approx(one.risk[7], abs=1e-9)
    assert row.time_ahead.log_odds == one.time_ahead[7]


def test_a_signal_is_told_by_the_figure_that_carries_it() -> None:
    row = told(
        {"G1a.response_rate.365d": 0.5, "G1a.response_rate.trend": 0.1, "D8f.silence.now": 10.0},
        {"G1a.response_rate.365d": 0.4, "G1a.response_rate.trend": -0.7, "D8f.silence.now": -0.2},
    )
    first, second = row.reasons()
    assert (first.signal, first.column, first.raises) == ("G1a", "G1a.response_rate.trend", False)
    assert first.log_odds == pytest.approx(-0.3)
    assert first.points == pytest.approx(-0.03)
    assert (second.signal, second.column) == ("D8f", "D8f.silence.now")


def test_a_reason_carries_everything_about_its_figure() -> None:
    (reason,) = told({"G1a.response_rate.365d": 0.5}, {"G1a.response_rate.365d": 0.4}).reasons()
    assert reason.name == "response"
    assert reason.sentence == ("The response rate (last 365 days): 50 %, which misses the mark of at least 75 %.")
    assert (reason.value, reason.unit, reason.mark, reason.mark_met) == (0.5, "share", ">= 0.75", False)
    assert (reason.documented, reason.direction, reason.source) == (True, "up", "000")
    assert (reason.evidence, reason.evidence_unit, reason.raises) == (10, "touches", True)


def test_the_unknown_is_told_as_unknown() -> None:
    (reason,) = told({}, {"G1a.response_rate.365d": 0.4}).reasons()
    assert (reason.value, reason.mark_met, reason.mark) == (None, None, ">= 0.75")
    assert reason.sentence.startswith("No evidence yet: the response rate")


def test_contract_facts_are_neither_merit_nor_failing() -> None:
    (reason,) = told({CONTRACT_END: 20.0}, {CONTRACT_END: 0.4}).reasons()
    assert (reason.mark, reason.mark_met, reason.documented, reason.direction) == (
        None,
        None,
        None,
        "context",
    )
    assert reason.sentence == "The days to contract end: 20 days; clients like this left more often."


def test_reasons_are_few_strongest_first_and_none_that_hardly_count() -> None:
    share = dict(zip(COLUMNS[1:], (0.1, -0.5, 0.3, NEGLIGIBLE / 2, 0.2, 0.01), strict=True))
    row = told({}, share)
    assert [reason.signal for reason in row.reasons()] == ["D8f", "P1b", "L5", "G1a"]
    assert [reason.signal for reason in row.reasons(most=2)] == ["D8f", "P1b"]


def test_evidence_is_unknown_where_it_was_not_counted(model: RiskModel) -> None:
    rows = portfolio(1, 7)
    assert all(reason.evidence is None for reason in reasons(explain(model, rows), rows, 0))


@given(seed=st.integers(0, 10_000))
def test_no_reason_speaks_against_its_sign_or_its_mark(model: RiskModel, seed: int) -> None:
    rows = portfolio(10, seed)
    one = explain(model, rows)
    for row in range(10):
        for reason in reasons(one, rows, row, most=10):
            text = reason.sentence
            assert reason.raises == (reason.log_odds > 0) == (reason.points > 0)
            assert ("meets" in text) == (reason.mark_met is True)
            assert ("misses" in text) == (reason.mark_met is False)
            assert ("No evidence yet" in text) == (reason.value is None)
            agrees = reason.mark_met is not None and reason.mark_met != reason.raises
            assert ("left more often" in text) == (reason.raises and not agrees)
            assert ("left less often" in text) == (not reason.raises and not agrees)
            place = PLACE[reason.column]
            assert np.sign(one.log_odds[row, place]) == np.sign(reason.log_odds)
