"""The stage: facts are never contradicted, judgements need reviews."""

from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.matrix import Matrix
from models.stage import MINIMUM_REVIEWS, STAGES, StageAnswer, StageModel, fit_stage
from tests.models.portfolio import COLUMNS, portfolio, standing


def reviewed(rows: int, seed: int = 1) -> tuple[Matrix, list[str]]:
    """Rows with two wins or more; the better the response, the deeper the stage that the director saw."""
    matrix = portfolio(rows, seed, missing=0.1)
    depth = np.nan_to_num(matrix.values[:, 0], nan=0.5) + np.random.default_rng(seed).normal(0, 0.1, rows)
    return matrix, [STAGES[2 + int(one > 0.5) + int(one > 0.8)] for one in depth]


def some(labels: dict[str, int]) -> tuple[Matrix, list[str]]:
    """So many reviews of each stage."""
    names = [stage for stage, number in labels.items() for _ in range(number)]
    return portfolio(len(names), 2), names


@pytest.fixture(scope="module")
def full() -> StageModel:
    """A model with enough reviews of every stage."""
    return fit_stage(*reviewed(600))


def test_the_first_three_are_facts(full: StageModel) -> None:
    rows = portfolio(5, 3)
    facts = standing(
        5,
        wins=[0, 1, 0, 5, 3],
        deals_recorded=[True, True, False, False, True],
        former=[False, False, False, False, True],
    )
    assert full.predict(replace(rows, standing=facts)) == [
        StageAnswer("courting", {"courting": 1.0}, "structural"),
        StageAnswer("contract", {"contract": 1.0}, "structural"),
        StageAnswer("unknown", {}, "structural"),
        StageAnswer("unknown", {}, "structural"),
        StageAnswer("former", {"former": 1.0}, "structural"),
    ]


def test_without_reviews_the_answer_stays_with_the_facts() -> None:
    (answer,) = StageModel(COLUMNS).predict(portfolio(1, 4))
    assert answer == StageAnswer("continuation or beyond", {"continuation or beyond": 1.0}, "structural")


def test_reviews_are_learned_from(full: StageModel) -> None:
    rows, labels = reviewed(300, seed=5)
    answers = full.predict(rows)
    assert all(list(answer.probabilities) == ["continuation", "commitment", "convergence"] for answer in answers)
    assert {answer.basis for answer in answers} == {"judged"}
    right = np.mean([answer.stage == label for answer, label in zip(answers, labels, strict=True)])
    assert right > 0.6
    assert {answer.stage for answer in answers} == {"continuation", "commitment", "convergence"}


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
        assert {answer.stage} | set(answer.probabilities) <= allowed
        if answer.probabilities:
            assert sum(answer.probabilities.values()) == pytest.approx(1)
            assert min(answer.probabilities.values()) >= 0


def test_the_stage_is_the_median_of_the_probabilities(full: StageModel) -> None:
    for answer in full.predict(portfolio(200, 6)):
        below = list(answer.probabilities).index(answer.stage)
        chances = list(answer.probabilities.values())
        assert sum(chances[:below]) < 0.5 <= sum(chances[: below + 1]) + 1e-12


@pytest.mark.parametrize(
    ("labels", "judged"),
    [
        ({"continuation": 500}, ("continuation or beyond",)),
        ({"continuation": 500, "commitment": MINIMUM_REVIEWS - 1}, ("continuation or beyond",)),
        ({"continuation": MINIMUM_REVIEWS - 1, "commitment": 500}, ("continuation or beyond",)),
        ({"continuation": 40, "commitment": 40}, ("continuation", "commitment or beyond")),
        (
            {"continuation": 40, "commitment": 40, "convergence": MINIMUM_REVIEWS - 1},
            ("continuation", "commitment or beyond"),
        ),
        (
            {"continuation": 40, "commitment": 40, "convergence": MINIMUM_REVIEWS},
            ("continuation", "commitment", "convergence"),
        ),
    ],
)
def test_a_question_is_asked_only_with_enough_reviews(labels: dict[str, int], judged: tuple[str, ...]) -> None:
    model = fit_stage(*some(labels))
    assert model.judged_labels == judged
    answers = model.predict(portfolio(30, 7))
    assert all(tuple(answer.probabilities) == judged for answer in answers)


def test_only_repeated_clients_teach_and_the_record_overrules_the_review() -> None:
    rows, labels = some({"courting": 25, "contract": 25, "commitment": 50})
    assert fit_stage(rows, labels).judged_labels == ("continuation", "commitment or beyond")
    for facts in (
        standing(100, wins=np.full(100, 1)),
        standing(100, former=np.ones(100, dtype=bool)),
        standing(100, deals_recorded=np.zeros(100, dtype=bool)),
    ):
        assert fit_stage(replace(rows, standing=facts), labels) == StageModel(COLUMNS)


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
    assert full.predict(rows)[3] == full.predict(rows.take(np.array([3])))[0]
    assert full.predict(rows.take(np.arange(0))) == []


def test_wrong_labels_are_refused() -> None:
    rows = portfolio(2, 10)
    with pytest.raises(ValueError, match="friendly is no stage; allowed are courting, contract"):
        fit_stage(rows, ["friendly", "contract"])
    with pytest.raises(ValueError, match="2 rows but 1 labels"):
        fit_stage(rows, ["contract"])


def test_parts_that_do_not_fit_are_refused(full: StageModel) -> None:
    assert isinstance(full.commitment, lgb.Booster)
    with pytest.raises(ValueError, match="7 inputs for 6 columns"):
        StageModel(COLUMNS[1:], full.commitment)
    with pytest.raises(ValueError, match="convergence cannot be judged without commitment"):
        StageModel(COLUMNS, None, full.convergence)
