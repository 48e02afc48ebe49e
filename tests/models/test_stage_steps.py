"""The way to the next stage: what misses its mark is brought there, one signal at a time, and asked for anew."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from features.hands import HANDS
from features.matrix import Matrix
from models.stage import StageModel
from models.stage_steps import REST, NextStage, next_stages
from tests.models.portfolio import COLUMNS, PLACE, matrix, portfolio, standing
from tests.models.reviews import judgement, reviewed
from training.stage_fitting import fit_stage

USUAL = {
    "G1a.response_rate.365d": 0.5,
    "G1a.response_rate.trend": -0.1,
    "D8f.silence.now": 1.0,
    "P1b.client_share.365d": 0.2,
    "W1a.response_time.365d": 26.0,
}
MODEL = StageModel(COLUMNS, judgement((1.0, -1.0), response_rate=2.0, response_time=-0.25, silence=-0.1))


def account(wins: int = 2, former: bool = False, recorded: bool = True, **changed: float) -> Matrix:
    """One account with the usual figures, but for some by name."""
    values = np.full((1, len(COLUMNS)), np.nan)
    for column, value in USUAL.items():
        values[0, PLACE[column]] = changed.get(column.split(".")[1], value)
    return matrix(values, standing(1, wins=[wins], former=[former], deals_recorded=[recorded]))


def way(rows: Matrix, model: StageModel = MODEL) -> NextStage:
    (found,) = next_stages(model, rows)
    return found


def test_each_missed_signal_is_brought_to_its_mark_and_the_model_asked_again() -> None:
    """The response of 0.5 adds twice that; at its mark, 0.75, it would add 1.5. Silence is at its mark, and neither the
    balance nor our time to answer has a say in this model."""
    found = way(account(), StageModel(COLUMNS, judgement((-0.5, -3), response_rate=2.0)))
    assert (found.stage, found.next_stage) == ("commitment", "convergence")
    assert found.chance == pytest.approx(expit(1.0 - 3.0))
    (step,) = found.steps
    assert (step.signal, step.name, step.hands) == ("G1a", "response", HANDS["G1a"])
    assert step.chance == pytest.approx(expit(1.5 - 3.0))
    assert step.change == pytest.approx(expit(1.5 - 3.0) - expit(1.0 - 3.0))
    (figure,) = step.figures
    assert (figure.column, figure.value, figure.target) == ("G1a.response_rate.365d", 0.5, 0.75)
    assert figure.sentence == "The response rate (last 365 days): 50 %, mark at least 75 %"


def test_the_next_stage_is_the_one_after_the_median() -> None:
    shallow = StageModel(COLUMNS, judgement((-2.0, -4.0), response_rate=1.0))
    found = way(account(), shallow)
    assert (found.stage, found.next_stage) == ("continuation", "commitment")
    assert found.chance == pytest.approx(expit(0.5 - 2.0))
    assert found.steps[0].chance == pytest.approx(expit(0.75 - 2.0))
    assert found.words == REST["continuation"]


def test_what_brings_next_to_nothing_is_left_out() -> None:
    for weight, told in ((0.01, ["G1a"]), (0.001, [])):
        found = way(account(response_rate=0.0), StageModel(COLUMNS, judgement((2.0, -1.0), response_rate=weight)))
        assert [step.signal for step in found.steps] == told


def test_what_brings_it_nearest_comes_first() -> None:
    centre, scale = np.zeros(len(COLUMNS)), np.ones(len(COLUMNS))
    centre[PLACE["W1a.response_time.365d"]], scale[PLACE["W1a.response_time.365d"]] = 24.0, 10.0
    small, large = 0.5, 2.0
    for response, time, order in ((small, large, ["W1a", "G1a"]), (large, small, ["G1a", "W1a"])):
        told = judgement((2.0, -1.0), response_rate=response, response_time=-time)
        model = StageModel(COLUMNS, replace(told, centre=centre, scale=scale))
        found = way(account(response_time=26.0), model)
        assert [step.signal for step in found.steps] == order
        changes = [step.change or 0.0 for step in found.steps]
        assert changes == sorted(changes, reverse=True)
        assert min(changes) > 0


def test_what_is_unknown_misses_nothing_and_is_named_apart() -> None:
    rows = account(response_rate=np.nan, silence=np.nan)
    found = way(rows)
    assert "G1a" not in [step.signal for step in found.steps]
    assert [(one.signal, one.name) for one in found.not_known] == [("G1a", "response"), ("D8f", "silence")]
    assert found.not_known[1].hands == HANDS["D8f"]


@pytest.mark.parametrize(("wins", "stage", "following"), [(0, "courting", "contract"), (1, "contract", "continuation")])
def test_up_to_continuation_the_next_stage_is_a_deal_won(wins: int, stage: str, following: str) -> None:
    found = way(account(wins))
    assert (found.stage, found.next_stage, found.chance) == (stage, following, None)
    assert "deal won" in found.words
    assert [step.signal for step in found.steps] == ["P1b", "W1a", "G1a"]  # what is in our hands first
    assert all(step.chance is None and step.change is None for step in found.steps)
    assert found == way(account(wins), StageModel(COLUMNS))


def test_where_nothing_lies_beyond_or_too_little_is_known_there_are_no_steps() -> None:
    deep = StageModel(COLUMNS, judgement((5.0, 4.0)))
    merged = StageModel(COLUMNS, judgement((5.0,)))
    cases = {
        "former": way(account(former=True)),
        "unknown": way(account(recorded=False)),
        "convergence": way(account(), deep),
        "commitment or beyond": way(account(), merged),
        "continuation or beyond": way(account(), StageModel(COLUMNS)),
    }
    for stage, found in cases.items():
        assert found == NextStage(stage, None, REST[stage], None, (), ())


@given(seed=st.integers(0, 500))
def test_no_step_of_a_learned_model_leads_away_and_rows_do_not_touch_each_other(seed: int) -> None:
    rows = portfolio(5, seed)
    found = next_stages(LEARNED, rows)
    for number, one in enumerate(found):
        for step in one.steps:
            assert step.change is not None
            assert step.change >= 0.001
            assert one.chance is not None
            assert step.chance == pytest.approx(one.chance + step.change)
            assert all(figure.value != figure.target for figure in step.figures)
        assert one == next_stages(LEARNED, rows.take(np.array([number])))[0]


LEARNED = fit_stage(*reviewed(150))
