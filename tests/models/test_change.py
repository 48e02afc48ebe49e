"""What changed between two dates: the parts lead exactly from the one risk to the other."""

import math
from dataclasses import replace

import numpy as np
import pytest

from features.matrix import Matrix, Rows
from models.archive import Models
from models.change import NOT_KNOWN, TIME, Change, what_changed
from models.explanation import NEGLIGIBLE
from models.prediction import NO_CONTRACT, Prediction, predict
from models.risk import CONTRACT_END
from tests.models.portfolio import DAY, PLACE, portfolio, silence_models, standing

NOW = 20_000 * DAY
SINCE = NOW - 90 * DAY


def earlier(rows: Matrix) -> Matrix:
    """The rows as of 90 days before."""
    return replace(rows, rows=Rows(rows.rows.account, rows.rows.as_of - 90 * DAY))


def both(models: Models, rows: int = 40, horizon: int = 180) -> tuple[list[Prediction], list[Prediction]]:
    """Predictions of the same accounts at two dates, with quite other figures."""
    return predict(models, earlier(portfolio(rows, 31)), horizon), predict(models, portfolio(rows, 32), horizon)


def changes(models: Models, rows: int = 40) -> list[Change]:
    return [what_changed(SINCE, before, after) for before, after in zip(*both(models, rows), strict=True)]


def test_the_parts_add_up_to_the_change(models: Models) -> None:
    for horizon in (30, 365):
        for before, after in zip(*both(models, horizon=horizon), strict=True):
            told = what_changed(SINCE, before, after)
            assert (told.since, told.not_at_risk_before) == (SINCE, None)
            assert (told.risk_before, told.risk) == (before.risk_at_horizon, after.risk_at_horizon)
            assert told.time is not None
            assert told.points is not None
            points = math.fsum([told.time.points, *(part.points for part in told.parts)])
            assert abs(points - told.points) < 1e-9
            log_odds = math.fsum([told.time.log_odds, *(part.log_odds for part in told.parts)])
            assert abs(log_odds - (logit(told.risk) - logit(told.risk_before))) < 1e-9


def logit(risk: float | None) -> float:
    assert risk is not None
    return math.log(risk) - math.log1p(-risk)


def test_each_part_is_the_difference_of_the_signal_s_shares(models: Models) -> None:
    end = PLACE[CONTRACT_END]
    for before, after, told in zip(*both(models), changes(models), strict=True):
        assert before.explanation is not None
        assert after.explanation is not None
        was, now = before.explanation.signals(), after.explanation.signals()
        ends = [float(one.explanation.log_odds[one.row, end]) for one in (before.explanation, after.explanation)]
        end_part = ends[1] - ends[0]
        expected = {signal: now[signal].log_odds - was[signal].log_odds for signal in now}
        expected["L5"] -= end_part
        assert {part.signal: part.log_odds for part in told.parts} == pytest.approx(expected, abs=1e-12)
        ahead = after.explanation.time_ahead.log_odds - before.explanation.time_ahead.log_odds
        assert told.time is not None
        assert told.time.log_odds == pytest.approx(ahead + end_part, abs=1e-12)
        assert (told.time.signal, told.time.column) == (TIME, CONTRACT_END)


def test_parts_have_the_sign_of_their_log_odds_and_come_in_order_of_size(models: Models) -> None:
    for told in changes(models):
        sizes = [abs(part.log_odds) for part in told.parts]
        assert sizes == sorted(sizes, reverse=True)
        assert all(part.raises == (part.points > 0) for part in told.parts if part.log_odds)
        assert [part.signal for part in told.told] == [
            part.signal for part in told.parts if abs(part.log_odds) >= NEGLIGIBLE
        ]


def test_a_part_is_told_by_a_figure_of_its_signal_at_both_dates(models: Models) -> None:
    first, then = portfolio(40, 31), portfolio(40, 32)
    for row, told in enumerate(changes(models)):
        for part in told.parts:
            values = [float(rows.values[row, PLACE[part.column]]) for rows in (first, then)]
            assert [part.before, part.after] == [None if math.isnan(value) else value for value in values]
            assert part.column.startswith(part.signal)
            assert part.column != CONTRACT_END
            assert "→" in part.sentence or "as before" in part.sentence


def test_where_nothing_changed_every_part_is_nothing(models: Models) -> None:
    rows = portfolio(10, 33)
    for before, after in zip(predict(models, earlier(rows)), predict(models, rows), strict=True):
        told = what_changed(SINCE, before, after)
        assert told.points == 0
        assert told.told == []
        assert {part.points for part in told.parts} == {0}


def test_an_account_that_was_not_known_or_not_at_risk_then_has_nothing_to_compare(models: Models) -> None:
    (_, after) = predict(models, portfolio(2, 34))
    assert after.risk is not None
    fresh = what_changed(SINCE, None, after)
    assert fresh == Change(SINCE, None, NOT_KNOWN, after.risk[180])
    assert (fresh.points, fresh.told) == (None, [])
    prospects = replace(portfolio(2, 35), standing=standing(2, at_risk=[False] * 2, wins=[0, 0]))
    (_, before) = predict(models, earlier(prospects))
    assert what_changed(SINCE, before, after) == Change(SINCE, None, NO_CONTRACT, after.risk[180])


def test_an_account_that_is_no_longer_at_risk_has_nothing_to_compare(models: Models) -> None:
    (before,) = predict(models, earlier(portfolio(1, 36)))
    left = replace(portfolio(1, 37), standing=standing(1, at_risk=[False], former=[True]))
    (after,) = predict(models, left)
    assert before.risk is not None
    assert what_changed(SINCE, before, after) == Change(SINCE, before.risk[180], None, None)


def test_silence_is_told_without_contracts() -> None:
    models = silence_models()
    before, after = (predict(models, one, 45) for one in (earlier(portfolio(3, 38)), portfolio(3, 39)))
    told = what_changed(SINCE, before[0], after[0])
    assert told.points is not None


def test_what_cannot_be_compared_is_refused(models: Models) -> None:
    before, after = both(models, 2)
    with pytest.raises(ValueError, match="one account and horizon"):
        what_changed(SINCE, before[1], after[0])
    with pytest.raises(ValueError, match="one account and horizon"):
        what_changed(SINCE, predict(models, earlier(portfolio(2, 31)), 30)[0], after[0])
    with pytest.raises(ValueError, match="the first of `since`"):
        what_changed(SINCE + 1, before[0], after[0])
    with pytest.raises(ValueError, match="explained"):
        what_changed(SINCE, replace(before[0], explanation=None), after[0])
    other = predict(silence_models(), portfolio(2, 32), 45)
    with pytest.raises(ValueError, match="one model"):
        what_changed(SINCE, replace(before[0], horizon=45, risk={45: 0.1}), other[0])


def test_unknown_figures_are_none_and_said(models: Models) -> None:
    rows, later = portfolio(1, 40, missing=0), portfolio(1, 41, missing=0)
    later.values[0, PLACE["D8f.silence.now"]] = np.nan
    told = what_changed(SINCE, predict(models, earlier(rows))[0], predict(models, later)[0])
    silence = next(part for part in told.parts if part.signal == "D8f")
    assert silence.after is None
    assert silence.sentence.endswith("→ no evidence any more.")
