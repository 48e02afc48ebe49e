"""Learning the stages: what is asked, what teaches, in which direction, and what out-of-fold predictions give."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.histories.log import DAY
from features.matrix import Rows
from models.stage import Judgement, StageModel
from tests.models.portfolio import COLUMNS, INDICATORS, PLACE, portfolio, standing
from tests.models.reviews import reviewed, some
from training.stage_fitting import (
    COVERAGE,
    MINIMUM_REVIEWS,
    PRIOR_CHANGES,
    change_noise,
    conformal_limit,
    fit_stage,
    learn_judgement,
    out_of_fold,
    taught,
)

scores = st.floats(0, 1)


def learned(model: StageModel) -> Judgement:
    assert model.judgement is not None
    return model.judgement


def test_reviews_are_learned_from() -> None:
    model = fit_stage(*reviewed(600))
    rows, labels = reviewed(300, seed=5)
    answers = model.predict(rows)
    assert all(list(answer.probabilities) == ["continuation", "commitment", "convergence"] for answer in answers)
    assert {answer.basis for answer in answers} == {"judged"}
    right = np.mean([answer.stage == label for answer, label in zip(answers, labels, strict=True)])
    assert right > 0.6
    assert {answer.stage for answer in answers} == {"continuation", "commitment", "convergence"}


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


def test_wrong_labels_are_refused() -> None:
    rows = portfolio(2, 10)
    with pytest.raises(ValueError, match="friendly is no stage; allowed are courting, contract"):
        fit_stage(rows, ["friendly", "contract"])
    with pytest.raises(ValueError, match="2 rows but 1 labels"):
        fit_stage(rows, ["contract"])


def test_the_same_reviews_give_the_same_model() -> None:
    one, two = (learned(fit_stage(*reviewed(150))) for _ in range(2))
    assert one.to_json() == two.to_json()


# What the columns may do


@pytest.mark.parametrize("turned", [False, True])
def test_no_figure_counts_against_its_direction_and_facts_without_one_not_at_all(turned: bool) -> None:
    rows, labels = reviewed(300)
    if turned:
        opposite = {"continuation": "convergence", "convergence": "continuation"}
        labels = [opposite.get(label, label) for label in labels]
    coef = learned(fit_stage(rows, labels)).coef
    better = np.array([{"up": 1, "down": -1}.get(one.better or "", 0) for one in INDICATORS])
    assert (coef * better >= 0).all()
    undirected = ["P1b.client_share.365d", "L5.days_to_contract_end.now", "L5.tenure.now"]
    assert all(coef[PLACE[column]] == 0 for column in undirected)
    assert (coef[PLACE["G1a.response_rate.365d"]] > 0.5) != turned


def test_figures_that_are_all_alike_leave_what_is_believed() -> None:
    """1.5 over three signals with a direction; the response has two figures, which share its part."""
    rows, labels = reviewed(90)
    alike = np.tile(np.arange(1.0, 1 + len(COLUMNS)), (90, 1))
    coef = learned(fit_stage(replace(rows, values=alike), labels)).coef
    np.testing.assert_allclose(coef, [0.25, 0.25, -0.5, 0.0, -0.5, 0.0, 0.0], atol=1e-4)


def test_a_figure_that_nobody_knows_has_no_weight() -> None:
    rows, labels = reviewed(200)
    values = rows.values.copy()
    values[:, PLACE["D8f.silence.now"]] = np.nan
    model = learned(fit_stage(replace(rows, values=values), labels))
    assert model.coef[PLACE["D8f.silence.now"]] == 0
    assert model.coef[PLACE["G1a.response_rate.365d"]] > 0
    nothing = learned(fit_stage(replace(rows, values=np.full(values.shape, np.nan)), labels))
    shares = [np.mean([label != "continuation" for label in labels]), np.mean([one == "convergence" for one in labels])]
    np.testing.assert_allclose(nothing.beyond(values[:1])[0], shares, atol=0.005)


# Out of fold


def test_no_account_is_predicted_by_what_its_own_reviews_taught() -> None:
    """Turning the reviews of one account around changes the predictions of others, and none of its own."""
    rows, labels = reviewed(90)
    account = np.repeat(np.arange(30, dtype=np.int32), 3)
    matrix = replace(rows, rows=Rows(account, rows.rows.as_of))
    order = taught(matrix, labels)[1]
    turned = np.where(account == 4, 2 - order, order)
    before, after = (out_of_fold(matrix, one, 2, account, 7) for one in (order, turned))
    assert not np.isnan(before).any()
    np.testing.assert_array_equal(before[account == 4], after[account == 4])
    assert (before[account != 4] != after[account != 4]).mean() > 0.5


def test_reviews_of_one_account_alone_show_no_errors() -> None:
    rows, labels = reviewed(150)
    model = learned(fit_stage(rows, labels, group=np.zeros(150, dtype=np.int64)))
    assert (model.likely_within, model.noise) == (1.0, None)
    assert all(len(answer.likely_set) == 3 for answer in model.answers(rows.values))


def grouped(values: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate(values), np.repeat(np.arange(len(values)), [len(each) for each in values])


@given(values=st.lists(st.lists(scores, min_size=1, max_size=4), min_size=2, max_size=25))
def test_the_limit_covers_nine_in_ten_of_any_accounts_each_left_out_in_turn(values: list[list[float]]) -> None:
    covered = [
        np.mean(np.array(held) <= conformal_limit(*grouped(values[:place] + values[place + 1 :])))
        for place, held in enumerate(values)
    ]
    assert np.mean(covered) >= COVERAGE - 1e-9


def test_the_limit_by_hand() -> None:
    """Nine accounts and the new one: nine tenths are reached by the highest score, eight accounts never reach them. An
    account of many reviews counts once."""
    nine = np.arange(1, 10) / 10
    assert conformal_limit(nine, np.arange(9)) == 0.9
    assert conformal_limit(nine[:8], np.arange(8)) == 1.0
    repeated = np.concatenate((nine, np.full(50, 0.05)))
    assert conformal_limit(repeated, np.append(np.arange(9), np.full(50, 0))) == 0.9
    assert conformal_limit(np.arange(1, 100) / 100, np.arange(99)) == 0.9
    assert conformal_limit(np.empty(0), np.empty(0, dtype=int)) == 1.0


def test_the_sets_cover_nine_in_ten_of_fresh_accounts() -> None:
    """Thirty portfolios of 400 reviewed accounts, each tried on 300 fresh ones. By chance alone the mean coverage lies
    within four standard errors: of one limit, binomial over 400 accounts, and of one trial, over 300."""
    covered, sizes = [], []
    for seed in range(30):
        model = fit_stage(*reviewed(400, seed))
        rows, labels = reviewed(300, seed + 1000)
        sets = [answer.likely_set for answer in model.predict(rows)]
        covered.append(np.mean([label in each for label, each in zip(labels, sets, strict=True)]))
        sizes.append(np.mean([len(each) for each in sets]))
    error = np.sqrt(COVERAGE * (1 - COVERAGE) * (1 / 400 + 1 / 300) / len(covered))
    assert np.mean(covered) == pytest.approx(COVERAGE, abs=4 * error)
    assert np.mean(sizes) < 1.5


# The noise of a change


def test_the_noise_by_hand() -> None:
    """Account 0 stays at its stage with a change of 0.3, account 1 changes its stage, 2's reviews are a month apart."""
    account = np.array([0, 0, 1, 1, 2, 2])
    as_of = np.array([0, 200, 0, 200, 0, 30]) * DAY
    order = np.array([1, 1, 0, 1, 1, 1])
    expected = np.array([4.0, 4.3, 3.1, 4.9, 4.0, 4.8])
    at_one = np.array([4.0, 4.3, 4.9, 4.0, 4.8])
    between = 2 * ((at_one - at_one.mean()) ** 2).sum() / 6
    found = change_noise(expected, order, account, as_of)
    assert found == pytest.approx(np.sqrt((0.3**2 + PRIOR_CHANGES * between) / (1 + PRIOR_CHANGES)))


def test_many_pairs_rule_the_noise_and_none_leave_the_spread_between_accounts() -> None:
    rng = np.random.default_rng(3)
    level = rng.normal(4, 0.5, 1000)
    expected = (level[:, None] + rng.normal(0, 0.1, (1000, 2))).ravel()
    account, order = np.repeat(np.arange(1000), 2), np.ones(2000, dtype=int)
    half_a_year = np.tile([0, 180 * DAY], 1000)
    alone = change_noise(expected[::2], order[::2], account[::2], half_a_year[::2])
    within, between = 2 * 0.1**2, 2 * (0.5**2 + 0.1**2)
    both = (1000 * within + PRIOR_CHANGES * between) / (1000 + PRIOR_CHANGES)
    assert change_noise(expected, order, account, half_a_year) == pytest.approx(np.sqrt(both), rel=0.05)
    assert alone == pytest.approx(np.sqrt(between), rel=0.05)


def test_without_predictions_there_is_no_noise() -> None:
    nowhere = np.full(4, np.nan)
    assert change_noise(nowhere, np.zeros(4, dtype=int), np.arange(4), np.zeros(4)) is None
    assert change_noise(np.full(4, 3.5), np.zeros(4, dtype=int), np.arange(4), np.zeros(4)) is None


def test_the_shipped_judgement_is_the_one_of_all_reviews() -> None:
    rows, labels = reviewed(200)
    order = taught(rows, labels)[1]
    account = rows.rows.account
    assert learned(fit_stage(rows, labels)).to_json() == learn_judgement(rows, order, 2, account, 7).to_json()
