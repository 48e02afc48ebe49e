"""What would help: the risk with a signal's figures at their marks, against a slow and obvious computation of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.hands import HANDS
from features.indicators import Mark, Signal
from features.matrix import Matrix
from models import help as helping
from models.help import Help, nearest, what_would_help
from models.prediction import predict
from models.risk import RiskModel
from tests.models.portfolio import COLUMNS, INDICATORS, PLACE, contract_models, indicator, matrix, portfolio

NAN = float("nan")
IN_HANDS = ("G1a", "D8f", "P1b", "W1a")


def one_row(**figures: float) -> Matrix:
    """A client whose figures all meet their marks, but for those given by signal."""
    usual = {"G1a": 0.9, "D8f": 10.0, "P1b": 0.5, "W1a": 12.0} | figures
    row = [usual["G1a"], 0.0, usual["D8f"], usual["P1b"], usual["W1a"], 100.0, 800.0]
    return matrix(np.array([row]))


def brought(rows: Matrix, row: int, signals: tuple[str, ...]) -> np.ndarray:
    """The figures (1, columns) of a row with the missed ones of some signals at their marks, one by one."""
    figures = rows.values[row].copy()
    for place, one in enumerate(INDICATORS):
        value = float(figures[place])
        if one.signal.id not in signals or one.mark is None or one.mark.met(value) is not False:
            continue
        if one.mark.upper is not None:
            figures[place] = one.mark.value if value < one.mark.value else one.mark.upper
        else:
            figures[place] = one.mark.value
    return np.array([figures])


def risk_of(model: RiskModel, rows: Matrix, row: int, figures: np.ndarray, horizon: int) -> float:
    place = model.horizon_index(horizon)
    return float(model.risk(figures, rows.standing.days_to_end[row : row + 1])[0, place])


@pytest.mark.parametrize("horizon", [30, 180])
def test_every_row_is_helped_by_what_a_slow_computation_finds(
    model: RiskModel, horizon: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helping, "ROWS_AT_ONCE", 7)
    rows = portfolio(60, 21)
    for row, told in enumerate(what_would_help(model, rows, horizon)):
        now = risk_of(model, rows, row, rows.values[row : row + 1], horizon)
        assert told.horizon == horizon
        assert told.risk == pytest.approx(now, abs=1e-12)
        then = {signal: risk_of(model, rows, row, brought(rows, row, (signal,)), horizon) for signal in IN_HANDS}
        helps = {signal: risk for signal, risk in then.items() if now - risk >= max(0.001, 0.01 * now)}
        assert {step.signal: step.risk for step in told.steps} == pytest.approx(helps, abs=1e-12)
        assert [step.change for step in told.steps] == sorted(step.change for step in told.steps)
        assert all(step.change == pytest.approx(step.risk - now, abs=1e-12) for step in told.steps)
        assert told.together == tuple(step.signal for step in told.steps[:3])
        together = risk_of(model, rows, row, brought(rows, row, told.together), horizon)
        assert told.risk_together == pytest.approx(together, abs=1e-12)
        assert told.change_together == told.risk_together - told.risk


def test_several_together_are_not_their_sum(model: RiskModel) -> None:
    several = [one for one in what_would_help(model, portfolio(60, 21)) if len(one.together) > 1]
    sums = [sum(step.change for step in one.steps[:3]) for one in several]
    assert len(several) >= 5
    assert max(abs(one.change_together - total) for one, total in zip(several, sums, strict=True)) > 0.005


def test_a_step_says_who_and_how_and_which_figures(model: RiskModel) -> None:
    (told,) = what_would_help(model, one_row(G1a=0.2))
    (step,) = told.steps
    assert (step.signal, step.name, step.hands) == ("G1a", "response", HANDS["G1a"])
    (figure,) = step.figures
    assert (figure.column, figure.value, figure.target) == ("G1a.response_rate.365d", 0.2, 0.75)
    assert figure.sentence == "The response rate (last 365 days): 20 %, mark at least 75 %"


def test_what_meets_its_mark_or_is_unknown_is_not_offered(model: RiskModel) -> None:
    (fine,) = what_would_help(model, one_row())
    assert (fine.steps, fine.together, fine.risk_together) == ((), (), fine.risk)
    (unknown,) = what_would_help(model, one_row(G1a=NAN, D8f=NAN, P1b=NAN, W1a=NAN))
    assert unknown.steps == ()


def with_signals(rows: Matrix, columns: dict[int, str]) -> Matrix:
    """The same figures, some of them called otherwise; the model does not look at names."""
    indicators = list(rows.indicators)
    for place, column in columns.items():
        one = indicators[place]
        signal = Signal(column.split(".")[0], "renamed", "", "")
        indicators[place] = indicator(column, signal, one.unit, one.better, one.mark, one.context)
    return replace(rows, indicators=tuple(indicators))


def offered(model: RiskModel, rows: Matrix) -> list[str]:
    return [step.signal for step in what_would_help(model, rows)[0].steps]


def test_what_is_in_nobodys_hands_is_not_offered(model: RiskModel) -> None:
    rows = one_row(G1a=0.2)
    place = PLACE["G1a.response_rate.365d"]
    assert offered(model, rows) == ["G1a"]
    assert offered(model, with_signals(rows, {place: "W1b.response_rate.365d"})) == ["W1b"]
    assert offered(model, with_signals(rows, {place: "G7.response_rate.365d"})) == []
    assert offered(model, with_signals(rows, {place: "x_own.response_rate.365d"})) == []


def test_a_signal_may_be_in_somebodys_hands_by_one_figure_only(model: RiskModel) -> None:
    rows, place = one_row(G1a=0.2), PLACE["G1a.response_rate.365d"]
    assert offered(model, with_signals(rows, {place: "P1c.face_to_face_share.365d"})) == ["P1c"]
    assert offered(model, with_signals(rows, {place: "P1c.body_language.365d"})) == []


def test_context_is_never_offered(model: RiskModel) -> None:
    rows, place = one_row(G1a=0.2), PLACE["G1a.response_rate.365d"]
    indicators = list(rows.indicators)
    indicators[place] = replace(indicators[place], context=True)
    assert offered(model, replace(rows, indicators=tuple(indicators))) == []


def test_all_missed_figures_of_a_signal_come_to_their_marks_at_once(model: RiskModel) -> None:
    both = {PLACE["G1a.response_rate.365d"]: "W1a.rate.365d", PLACE["W1a.response_time.365d"]: "W1a.time.365d"}
    rows = with_signals(one_row(G1a=0.2, W1a=90.0), both)
    (told,) = what_would_help(model, rows)
    (step,) = told.steps
    assert {figure.column: figure.target for figure in step.figures} == {"W1a.rate.365d": 0.75, "W1a.time.365d": 24.0}
    expected = risk_of(model, rows, 0, brought(one_row(G1a=0.2, W1a=90.0), 0, ("G1a", "W1a")), 180)
    assert step.risk == pytest.approx(expected, abs=1e-12)


def test_the_risk_is_the_prediction_s() -> None:
    models, rows = contract_models(), portfolio(20, 4)
    helps = what_would_help(models.risk, rows, 90)
    told = [one.risk_at_horizon for one in predict(models, rows, 90, explain=False)]
    assert [one.risk for one in helps] == pytest.approx(told, abs=1e-12)


def test_alone_and_among_others_an_account_is_told_the_same(model: RiskModel) -> None:
    rows = portfolio(9, 8)
    whole = what_would_help(model, rows)
    for row in range(len(rows)):
        (alone,) = what_would_help(model, rows.take(np.array([row])))
        assert signals(alone) == signals(whole[row])
        assert alone.risk_together == pytest.approx(whole[row].risk_together, abs=1e-12)


def signals(told: Help) -> list[str]:
    return [step.signal for step in told.steps]


def test_nobody_is_helped_where_there_is_nobody(model: RiskModel) -> None:
    assert what_would_help(model, matrix(np.empty((0, len(COLUMNS))))) == []


def test_a_horizon_that_the_model_does_not_know_is_refused(model: RiskModel) -> None:
    with pytest.raises(ValueError, match="horizon 60: this model knows 30, 90, 180, 365 days"):
        what_would_help(model, one_row(), 60)


MARKS = st.one_of(
    st.builds(Mark, st.sampled_from([">=", "<=", ">"]), st.sampled_from([0.0, 0.05, 0.75, 3.0, 24.0])),
    st.just(Mark("between", 0.35, 0.65)),
)


@given(MARKS, st.floats(-100, 100))
def test_the_nearest_figure_meets_the_mark_and_none_nearer_does(mark: Mark, figure: float) -> None:
    if mark.met(figure):
        return
    target = float(nearest(mark, np.array([figure]))[0])
    assert mark.met(target)
    assert not mark.met(target + 1e-8 * np.sign(figure - target))
