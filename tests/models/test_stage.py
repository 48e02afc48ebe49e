"""The stage: facts are never contradicted, judgements are one ordered scale, likely stages have no gaps."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.stage import LABELS, STAGES, Judgement, StageAnswer, StageModel, ranked_scores
from tests.models.portfolio import COLUMNS, portfolio, standing
from tests.models.reviews import judgement, reviewed
from training.stage_fitting import fit_stage

chances = st.floats(0, 1)


@pytest.fixture(scope="module")
def full() -> StageModel:
    """A model with enough reviews of every stage."""
    return fit_stage(*reviewed(600))


def learned(model: StageModel) -> Judgement:
    assert model.judgement is not None
    return model.judgement


def test_the_first_three_are_facts(full: StageModel) -> None:
    rows = portfolio(5, 3)
    facts = standing(
        5,
        wins=[0, 1, 0, 5, 3],
        deals_recorded=[True, True, False, False, True],
        former=[False, False, False, False, True],
    )
    assert full.predict(replace(rows, standing=facts)) == [
        StageAnswer("courting", {"courting": 1.0}, "structural", ("courting",)),
        StageAnswer("contract", {"contract": 1.0}, "structural", ("contract",)),
        StageAnswer("unknown", {}, "structural", ()),
        StageAnswer("unknown", {}, "structural", ()),
        StageAnswer("former", {"former": 1.0}, "structural", ("former",)),
    ]


def test_without_reviews_the_answer_stays_with_the_facts() -> None:
    merged = "continuation or beyond"
    (answer,) = StageModel(COLUMNS).predict(portfolio(1, 4))
    assert answer == StageAnswer(merged, {merged: 1.0}, "structural", (merged,))


@given(seed=st.integers(0, 1000), wins=st.lists(st.integers(0, 6), min_size=8, max_size=8))
def test_no_prediction_contradicts_a_fact(full: StageModel, seed: int, wins: list[int]) -> None:
    rng = np.random.default_rng(seed)
    facts = standing(8, wins=wins, deals_recorded=rng.random(8) < 0.8, former=rng.random(8) < 0.2)
    for row, answer in enumerate(full.predict(replace(portfolio(8, seed), standing=facts))):
        if not facts.deals_recorded[row]:
            allowed = {"unknown"}
        elif facts.former[row]:
            allowed = {"former"}
        else:
            allowed = {STAGES[wins[row]]} if wins[row] < 2 else set(STAGES[2:])
        assert {answer.stage} | set(answer.probabilities) | set(answer.likely_set) <= allowed
        if answer.probabilities:
            assert sum(answer.probabilities.values()) == pytest.approx(1)
            assert min(answer.probabilities.values()) >= 0


def test_the_probabilities_by_hand() -> None:
    """Depth 0.4 × 2.5 = 1 by the response; the unknown silence adds nothing, 40 hours to answer count as 3."""
    model = judgement((1.0, -1.0), response_rate=2.5, silence=-0.3, response_time=-0.5)
    values = np.array([[0.4, np.nan, np.nan, np.nan, 40.0, 9.0, 9.0]])
    ((commitment, convergence),) = model.beyond(values).tolist()
    assert commitment == pytest.approx(1 / (1 + math.exp(-(1.0 - 1.5 + 1.0))))
    assert convergence == pytest.approx(1 / (1 + math.exp(-(1.0 - 1.5 - 1.0))))
    (answer,) = model.answers(values)
    assert answer.probabilities == pytest.approx(
        {"continuation": 1 - commitment, "commitment": commitment - convergence, "convergence": convergence}
    )
    assert (answer.stage, answer.basis) == ("commitment", "judged")


def test_the_stage_is_the_median_of_the_probabilities(full: StageModel) -> None:
    for answer in full.predict(portfolio(200, 6)):
        below = list(answer.probabilities).index(answer.stage)
        told = list(answer.probabilities.values())
        assert sum(told[:below]) < 0.5 <= sum(told[: below + 1]) + 1e-12


@given(
    seed=st.integers(0, 10_000),
    top=st.floats(-8, 8),
    gap=st.floats(0, 5),
)
def test_commitment_is_never_less_likely_than_convergence(seed: int, top: float, gap: float) -> None:
    weights = np.random.default_rng(seed).normal(0, 5, len(COLUMNS))
    model = replace(judgement((top, top - gap)), coef=weights)
    beyond = model.beyond(portfolio(20, seed).values)
    assert (beyond[:, 0] >= beyond[:, 1]).all()
    assert all(min(answer.probabilities.values()) >= 0 for answer in model.answers(portfolio(20, seed).values))


@given(first=chances, second=chances, limit=chances)
def test_the_set_is_what_the_ranked_score_allows_and_has_no_gaps(first: float, second: float, limit: float) -> None:
    beyond = np.array([[max(first, second), min(first, second)]])
    scores = [
        sum((chance - yes) ** 2 for chance, yes in zip(beyond[0].tolist(), truth, strict=True)) / 2
        for truth in ((0, 0), (1, 0), (1, 1))
    ]
    np.testing.assert_allclose(ranked_scores(beyond)[0], scores)
    (within,) = judgement(limit=limit).likely(beyond).tolist()
    places = [place for place, holds in enumerate(within) if holds]
    assert places == list(range(places[0], places[-1] + 1))
    median = int((beyond[0] > 0.5).sum())
    assert within[median]
    clear = [place for place, score in enumerate(scores) if abs(score - limit) > 1e-9]
    assert all(within[place] == (scores[place] <= limit) for place in clear if place != median and beyond[0, 0] != 0.5)


def test_the_set_in_the_answer() -> None:
    model = judgement((0.0, -3.0), limit=0.2, response_rate=1.0)
    values = portfolio(2, 1).values
    values[:, 0] = [-2.0, 2.5]
    shallow, deep = model.answers(values)
    assert (shallow.stage, shallow.likely_set) == ("continuation", ("continuation",))
    assert (deep.stage, deep.likely_set) == ("commitment", ("commitment", "convergence"))
    assert all(len(one.likely_set) == 3 for one in replace(model, likely_within=1.0).answers(values))
    assert all(one.likely_set == (one.stage,) for one in replace(model, likely_within=0.0).answers(values))


def test_one_question_alone_has_two_answers() -> None:
    (answer,) = judgement((2.0,)).answers(portfolio(1, 1).values)
    assert answer.stage == "commitment or beyond"
    assert tuple(answer.probabilities) == LABELS[1] == ("continuation", "commitment or beyond")


def test_better_figures_never_make_a_stage_shallower(full: StageModel) -> None:
    base = portfolio(1, 8)
    response = np.linspace(0, 1, 50)
    values = np.repeat(base.values, 50, axis=0)
    values[:, 0] = response
    rows = replace(portfolio(50, 8), values=values)
    deep = [1 - answer.probabilities["continuation"] for answer in full.predict(rows)]
    assert (np.diff(deep) >= 0).all()
    assert deep[-1] > deep[0] + 0.2


def test_a_row_does_not_depend_on_the_others_and_none_is_fine(full: StageModel) -> None:
    rows = portfolio(700, 9)
    whole = full.predict(rows)
    for number in (3, 77, 699):
        assert whole[number] == full.predict(rows.take(np.array([number])))[0]
    assert whole == full.predict(replace(rows, values=np.ascontiguousarray(rows.values)))
    assert full.predict(rows.take(np.arange(0))) == []


def test_the_same_numbers_after_json(full: StageModel) -> None:
    before = learned(full)
    after = Judgement.from_json(json.loads(json.dumps(before.to_json(), allow_nan=False)))
    values = portfolio(50, 3).values
    assert after.answers(values) == before.answers(values)
    assert (after.levels, after.likely_within, after.noise) == (before.levels, before.likely_within, before.noise)
    with pytest.raises(KeyError, match="scale"):
        Judgement.from_json({"centre": [0.0]})


def test_parts_that_do_not_fit_are_refused(full: StageModel) -> None:
    fine = learned(full)
    with pytest.raises(ValueError, match="7 coefficients for 6 columns"):
        StageModel(COLUMNS[1:], fine)
    with pytest.raises(ValueError, match="differ in length"):
        replace(fine, coef=np.zeros(3))
    with pytest.raises(ValueError, match="must be above 0"):
        replace(fine, scale=np.zeros(len(COLUMNS)))
    with pytest.raises(ValueError, match="must be above 0"):
        replace(fine, noise=0.0)
    for levels in ((), (1.0, 2.0), (3.0, 2.0, 1.0)):
        with pytest.raises(ValueError, match="one or two log odds that do not rise"):
            replace(fine, levels=levels)
