"""Judging the stages on a simulated portfolio: out of fold, on the same reviews, with plain figures."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from features.histories.history import History
from features.histories.log import NEVER
from features.histories.tables import STAGES
from features.matrix import Matrix, Rows, build_matrix
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from tests.models.reviews import reviewed, some
from training import stage_judging
from training.simulation import simulate
from training.stage_fitting import COVERAGE, fit_stage
from training.stage_judging import RPS, StageJudged, judge_stage, nominal, weighted_kappa

LEARNED_FROM = 300
"""Accounts of the simulated portfolio that are learned from; the others are fresh."""


@dataclass(frozen=True)
class Reviews:
    """Reviews of a simulated portfolio."""

    matrix: Matrix
    labels: list[str]

    def of(self, rows: np.ndarray) -> "Reviews":
        return Reviews(self.matrix.take(rows), [self.labels[row] for row in rows.tolist()])


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Reviews:
    folder = tmp_path_factory.mktemp("reviews")
    simulate(folder / "raw", 900, 4, seed=3, truth=False)
    import_to_folder([folder / "raw"], folder / "tables")
    history = History.from_tables(read_tables(folder / "tables"))
    rows = history.reviews.where(history.reviews["replaced"] == NEVER)
    matrix = build_matrix(history, Rows(rows.segment, rows["at"]))
    return Reviews(matrix, [STAGES[stage] for stage in rows["stage"].tolist()])


@pytest.fixture(scope="module")
def early(reviews: Reviews) -> Reviews:
    return reviews.of(np.flatnonzero(reviews.matrix.rows.account < LEARNED_FROM))


@pytest.fixture(scope="module")
def judged(early: Reviews) -> StageJudged:
    found = judge_stage(early.matrix, early.labels, early.matrix.rows.account, 7)
    assert found is not None
    return found


def test_the_ordinal_model_is_above_the_structural_rule_and_not_below_a_nominal_one(judged: StageJudged) -> None:
    assert judged.leads["structural"]["kappa"].low > 0
    assert judged.leads["structural"][RPS].high < 0
    assert judged.leads["nominal"][RPS].value < 0
    assert judged.measured["structural"]["kappa"].value == pytest.approx(0, abs=1e-9)


def test_leads_are_differences_and_intervals_hold_their_values(judged: StageJudged) -> None:
    ordinal = judged.measured["ordinal"]
    assert set(ordinal) == {"kappa", "rps", "coverage", "set_size"}
    assert list(judged.measured) == ["ordinal", "nominal", "structural"]
    for name, leads in judged.leads.items():
        assert set(leads) == {"kappa", "rps"}
        for measure, lead in leads.items():
            assert lead.value == pytest.approx(ordinal[measure].value - judged.measured[name][measure].value)
            assert lead.low <= lead.value <= lead.high
    assert 0.8 < ordinal["coverage"].value <= 1
    assert 1 <= ordinal["set_size"].value < 3


def test_the_document_is_plain(judged: StageJudged) -> None:
    document = json.loads(json.dumps(judged.document(), allow_nan=False))
    assert set(document) == {"accounts", "reviews", "later", "measured", "leads"}
    assert document["measured"]["ordinal"]["rps"]["value"] == judged.measured["ordinal"]["rps"].value
    assert list(document["reviews"]) == ["continuation", "commitment", "convergence"]
    assert document["later"] is True


class Same:
    """A judgement that says the same of everybody."""

    def beyond(self, values: np.ndarray) -> np.ndarray:
        return np.full((len(values), 2), [0.7, 0.3])

    def likely(self, beyond: np.ndarray) -> np.ndarray:
        return np.ones((len(beyond), 3), dtype=bool)


def test_nobody_is_predicted_from_its_own_or_from_later_reviews(
    early: Reviews, judged: StageJudged, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {row.tobytes(): number for number, row in enumerate(np.ascontiguousarray(early.matrix.values))}
    learned: list[Rows] = []
    scored: list[list[int]] = []

    def learn(matrix: Matrix, *rest: object) -> Same:
        learned.append(matrix.rows)
        return Same()

    def predict(values: np.ndarray, order: np.ndarray, others: np.ndarray, questions: int) -> np.ndarray:
        scored.append([places[row.tobytes()] for row in np.ascontiguousarray(others)])
        return np.full((len(others), questions), 0.5)

    monkeypatch.setattr(stage_judging, "learn_judgement", learn)
    monkeypatch.setattr(stage_judging, "nominal", predict)
    judge_stage(early.matrix, early.labels, early.matrix.rows.account, 7)
    for before, now in zip(learned, scored, strict=True):
        rows = early.matrix.take(np.sort(now)).rows
        assert not set(before.account.tolist()) & set(rows.account.tolist())
        assert before.as_of.max() < rows.as_of.min()
    seen = [place for now in scored for place in now]
    assert len(seen) == len(set(seen)) == sum(judged.reviews.values())


def test_with_few_reviews_accounts_are_parted_across_time_and_with_fewer_nothing_is_judged() -> None:
    rows, labels = reviewed(150)
    found = judge_stage(rows, labels, rows.rows.account, 7)
    assert found is not None
    assert (found.later, found.accounts, sum(found.reviews.values())) == (False, 150, 150)
    assert judge_stage(*some({"continuation": 500}), np.arange(500), 7) is None


def test_one_question_is_judged_alone() -> None:
    rows, labels = some({"continuation": 40, "commitment": 40, "convergence": 5})
    found = judge_stage(rows, labels, np.arange(85), 7)
    assert found is not None
    assert found.reviews == {"continuation": 40, "commitment or beyond": 45}


# The measures


@given(
    pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), min_size=2, max_size=30),
)
def test_kappa_is_the_librarys(pairs: list[tuple[int, int, int]]) -> None:
    told, order, weight = (np.array(column) for column in zip(*pairs, strict=True))
    if not weight.any():
        return
    (found,) = weighted_kappa(told, order, weight[None] / weight.sum())
    if len(set(told[weight > 0]) | set(order[weight > 0])) == 1:
        assert np.isnan(found)
    else:
        labels = [0, 1, 2]
        expected = cohen_kappa_score(told, order, labels=labels, weights="quadratic", sample_weight=weight)
        assert found == pytest.approx(expected, abs=1e-9)


def test_measures_by_hand(early: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scorer that gives every review 0.7 and 0.3: the ranked scores of the three stages are 0.29, 0.09 and 0.29."""
    monkeypatch.setattr(stage_judging, "learn_judgement", lambda *_: Same())
    found = judge_stage(early.matrix, early.labels, early.matrix.rows.account, 7)
    assert found is not None
    of = found.reviews
    rps = (0.29 * (of["continuation"] + of["convergence"]) + 0.09 * of["commitment"]) / sum(of.values())
    ordinal = found.measured["ordinal"]
    assert ordinal["rps"].value == pytest.approx(rps)
    assert (ordinal["coverage"].value, ordinal["set_size"].value) == pytest.approx((1.0, 3.0))


def test_the_nominal_classifier_learns_and_takes_what_is_unknown() -> None:
    rows, labels = reviewed(400)
    order = np.array([STAGES.index(label) - 2 for label in labels])
    beyond = nominal(rows.values[:300], order[:300], rows.values[300:], 2)
    assert ((beyond >= 0) & (beyond <= 1)).all()
    assert (beyond[:, 0] >= beyond[:, 1]).all()
    deep, shallow = (beyond[order[300:] == stage, 0].mean() for stage in (2, 0))
    assert deep > shallow + 0.2
    missing = nominal(rows.values[:300], np.minimum(order[:300], 1), rows.values[300:], 2)
    assert (missing[:, 1] < 1e-9).all()


# The sets


def test_the_sets_cover_fresh_simulated_accounts(reviews: Reviews, early: Reviews) -> None:
    """The standard error has two parts, both binomial over accounts, as reviews of one account hang together: that of
    the limit, from the accounts learned from, and that of this trial, over the fresh ones."""
    model = fit_stage(early.matrix, early.labels)
    fresh = reviews.of(np.flatnonzero(reviews.matrix.rows.account >= LEARNED_FROM))
    answers = model.predict(fresh.matrix)
    assert {answer.basis for answer in answers} == {"judged"}
    hit = np.array([label in answer.likely_set for label, answer in zip(fresh.labels, answers, strict=True)])
    account, member, count = np.unique(fresh.matrix.rows.account, return_inverse=True, return_counts=True)
    covered = float(np.mean(np.bincount(member, hit) / count))
    learned = len(np.unique(early.matrix.rows.account))
    error = np.sqrt(COVERAGE * (1 - COVERAGE) * (1 / learned + 1 / len(account)))
    assert len(account) > 150
    assert covered == pytest.approx(COVERAGE, abs=2.5 * error)
    assert np.mean([len(answer.likely_set) for answer in answers]) < 2.7
    for answer in answers:
        labels = list(answer.probabilities)
        places = [labels.index(stage) for stage in answer.likely_set]
        assert places == list(range(places[0], places[-1] + 1))
        assert answer.stage in answer.likely_set
