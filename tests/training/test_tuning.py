"""Which settings are tried, which are chosen, and that an interrupted study goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from features.histories.log import Array
from features.histories.tables import Dataset
from models.trees import RiskSettings, predict_scores, train_booster
from tests.training.made_up import believable, world
from training import train, tuning
from training.entries import Entries, make_folds
from training.preparing import TrainOptions
from training.splits import Fold
from training.tuning import USUAL, Trial, _best_rounds, _surely_less, _tried, choose

QUICK = replace(USUAL, rounds=40, early_stopping=5)
FOLDS: list[Fold] = []
SEED = 7


def silent(step: str, done: int, whole: int) -> None:
    """No progress shown."""


@pytest.fixture(scope="module")
def entries() -> Entries:
    return world(200, believable(1, -1.5), 1).entries


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "USUAL", QUICK)


# One trial


def test_the_usual_settings_stay_unless_others_are_surely_better() -> None:
    dice = np.random.default_rng(3)
    usual = dice.random(50)
    assert not _surely_less(usual, usual)
    # Better by the same little everywhere is sure; better by luck in one group alone is not.
    assert _surely_less(usual - 0.01, usual)
    lucky = usual.copy()
    lucky[0] -= 0.5
    assert lucky.sum() < usual.sum()
    assert not _surely_less(lucky, usual + np.where(np.arange(50) % 2, 0.05, -0.05))
    assert not _surely_less(usual + 0.01, usual)


@pytest.mark.parametrize(("loss", "surely"), [(1.14, True), (1.15, False)])
def test_surely_is_more_than_the_standard_error_by_hand(loss: float, surely: bool) -> None:
    """Three groups save 1 and one loses x: the sum is 3 - x. The standard deviation is (1 + x) times the root of 3/16,
    and the standard error of the sum of four twice that: equal at (6 - root 3) / (2 + root 3), near 1.1436."""
    assert _surely_less(np.array([-1.0, -1.0, -1.0, loss]), np.zeros(4)) == surely


def test_the_best_rounds_are_those_of_all_folds_together_by_hand() -> None:
    """The first fold ended after three rounds, and stays at its last. Sums by round: 23, 19, 18, 16, 17."""
    short, long = np.array([0.5, 0.3, 0.4]), np.array([0.9, 0.8, 0.7, 0.6, 0.65])
    assert _best_rounds([short, long], [10, 20]) == 4
    assert _best_rounds([short, long], [1000, 1]) == 2
    assert _best_rounds([long], [5]) == 4
    assert _best_rounds([np.array([0.3, 0.3])], [5]) == 1


def test_a_trial_is_judged_by_trees_that_all_stand_at_its_rounds(entries: Entries) -> None:
    """Trained for so many rounds from the start, fold by fold, they give its log loss, AUC and losses by group."""
    grouped = replace(entries, group=entries.group // 4, grouped=True)
    folds, _ = make_folds(entries, SEED)
    patient = replace(QUICK, early_stopping=QUICK.rounds)
    trial, by_group = _tried(grouped, folds, patient)
    assert 1 < trial.settings.rounds < QUICK.rounds
    assert trial.settings == replace(patient, rounds=trial.settings.rounds)
    z, lost, group = [], [], []
    matrix = grouped.matrix
    for fold in folds:
        learned = grouped.only(fold.learn).used_rows()
        booster = train_booster(
            learned.matrix.values,
            learned.matrix.standing.days_to_end,
            matrix.indicators,
            learned.labels,
            grouped.outcomes.horizons,
            learned.weight,
            trial.settings,
        )
        scores = predict_scores(booster, matrix.values, matrix.standing.days_to_end, grouped.outcomes.horizons)
        z.append(scores[fold.score])
        lost.append(grouped.outcomes.labels[fold.score] == 1)
        group.append(np.broadcast_to(grouped.group[:, None], scores.shape)[fold.score])
    scored, truth, of = (np.concatenate(parts) for parts in (z, lost, group))
    risk = expit(scored)
    each = -np.where(truth, np.log(risk), np.log1p(-risk))
    assert trial.log_loss == pytest.approx(each.mean(), rel=1e-9)
    assert trial.auc == pytest.approx(roc_auc_score(truth, risk), rel=1e-9)
    np.testing.assert_allclose(by_group, np.bincount(of, each, minlength=len(by_group)))


def test_the_number_of_rounds_is_the_data_s_and_not_the_limit_s(entries: Entries) -> None:
    folds, _ = make_folds(entries, SEED)
    hasty = replace(QUICK, learning_rate=0.3)
    one, other = (_tried(entries, folds, replace(hasty, rounds=most))[0].settings.rounds for most in (40, 80))
    assert 1 < one == other < 40


# A study


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[RiskSettings]:
    """The settings that were really tried."""
    found: list[RiskSettings] = []

    def counted(entries: Entries, folds: list[Fold], settings: RiskSettings) -> tuple[Trial, Array]:
        result = _tried(entries, folds, settings)
        found.append(settings)
        return result

    monkeypatch.setattr(tuning, "_tried", counted)
    return found


def test_an_interrupted_study_goes_on_where_it_stopped(
    entries: Entries, quick: None, tried: list[RiskSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds, _ = make_folds(entries, SEED)
    whole = choose(entries, folds, SEED, 4, tmp_path / "whole", "study", silent)
    assert len(tried) == 4
    assert tried[0] == replace(QUICK, seed=SEED)
    assert len(set(tried)) == 4

    journal = tmp_path / "new" / "journal"
    choose(entries, folds, SEED, 2, journal, "study", silent)
    assert tried[4:] == tried[:2]
    assert choose(entries, folds, SEED, 4, journal, "study", silent) == whole
    assert tried[6:] == tried[2:4]
    # asked again it has it all; of fewer trials the same is chosen as if there had been no more
    assert choose(entries, folds, SEED, 4, journal, "study", silent) == whole
    two = choose(entries, folds, SEED, 2, journal, "study", silent)
    assert len(tried) == 8
    assert [one.log_loss for one in two] == [
        one.log_loss for one in choose(entries, folds, SEED, 2, tmp_path / "two", "study", silent)
    ]


@pytest.mark.parametrize("broken_off", [0, 2])
def test_a_trial_that_was_broken_off_is_tried_again(
    entries: Entries,
    quick: None,
    tried: list[RiskSettings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken_off: int,
) -> None:
    folds, _ = make_folds(entries, SEED)
    whole = choose(entries, folds, SEED, 3, tmp_path / "whole", "study", silent)
    counted: Callable[..., tuple[Trial, Array]] = tuning._tried

    def breaking(*given: object) -> tuple[Trial, Array]:
        if len(tried) == 3 + broken_off:
            raise KeyboardInterrupt
        return counted(*given)

    monkeypatch.setattr(tuning, "_tried", breaking)
    with pytest.raises(KeyboardInterrupt):
        choose(entries, folds, SEED, 3, tmp_path / "journal", "study", silent)
    monkeypatch.setattr(tuning, "_tried", counted)
    assert choose(entries, folds, SEED, 3, tmp_path / "journal", "study", silent) == whole
    assert tried[3:] == tried[:3]


def test_studies_share_a_journal_and_nothing_else(
    entries: Entries, quick: None, tried: list[RiskSettings], tmp_path: Path
) -> None:
    folds, _ = make_folds(entries, SEED)
    one, other = (choose(entries, folds, SEED, 1, tmp_path / "journal", name, silent) for name in ("one", "other"))
    assert one == other
    assert len(tried) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["journal"]


def test_progress_tells_how_many_trials_are_done(entries: Entries, quick: None, tmp_path: Path) -> None:
    folds, _ = make_folds(entries, SEED)
    told: list[tuple[str, int, int]] = []
    choose(entries, folds, SEED, 2, tmp_path / "journal", "study", lambda *step: told.append(step))
    assert told == [("trying settings", done, 2) for done in range(3)]


LUCKY = np.r_[0.0, 0.5 + np.tile([0.05, -0.05], 25)[:49]]
"""Losses of which one group alone saves much; the others are now better, now worse than 0.5."""


def invented(losses: list[Array]) -> Callable[..., tuple[Trial, Array]]:
    """Trials with these losses by group, one after the other."""
    given = iter(losses)

    def found(entries: Entries, folds: list[Fold], settings: RiskSettings) -> tuple[Trial, Array]:
        by_group = next(given)
        return Trial(settings, float(by_group.mean()), 0.5), by_group

    return found


@pytest.mark.parametrize(
    ("second", "third", "order"),
    [
        pytest.param(np.full(50, 0.49), np.full(50, 0.6), [1, 0, 2], id="surely better"),
        pytest.param(LUCKY, np.full(50, 0.6), [0, 1, 2], id="better by luck"),
        pytest.param(np.full(50, 0.6), np.full(50, 0.55), [0, 2, 1], id="worse"),
        # the best is not surely better, though another is that saves less
        pytest.param(np.full(50, 0.495), LUCKY, [0, 2, 1], id="the best by luck"),
    ],
)
def test_the_chosen_one_comes_first_and_the_others_by_their_loss(
    entries: Entries, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, second: Array, third: Array, order: list[int]
) -> None:
    losses = [np.full(50, 0.5), second, third]
    monkeypatch.setattr(tuning, "_tried", invented(losses))
    found = choose(entries, FOLDS, SEED, 3, tmp_path / "journal", "study", silent)
    assert [one.log_loss for one in found] == pytest.approx([losses[place].mean() for place in order])
    usual = found[order.index(0)].settings
    assert usual == replace(USUAL, seed=SEED)


def test_what_is_drawn_stays_within_reason_and_follows_the_seed(
    entries: Entries, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn = {}
    for name, seed in (("one", 7), ("again", 7), ("other", 8)):
        monkeypatch.setattr(tuning, "_tried", invented([np.full(5, 0.5 + 0.01 * number) for number in range(8)]))
        drawn[name] = [one.settings for one in choose(entries, FOLDS, seed, 8, tmp_path / name, "study", silent)]
    assert drawn["one"] == drawn["again"]
    assert [replace(one, seed=7) for one in drawn["other"][1:]] != drawn["one"][1:]
    for one in drawn["one"]:
        assert 1 <= one.depth <= 3
        assert 0.1 <= one.feature_fraction <= 0.8
        assert 0.3 <= one.lambda_l2 <= 100
        assert 0.5 <= one.min_child_weight <= 20
        assert (one.rounds, one.learning_rate, one.min_child_samples) == (400, 0.05, 40)


# The name of a study


def test_a_study_s_name_is_that_of_the_data_and_of_all_that_the_trials_depend_on(
    entries: Entries, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names: list[str] = []

    def named(*given: object) -> list[Trial]:
        names.append(str(given[5]))
        return []

    monkeypatch.setattr(train, "choose", named)
    monkeypatch.setattr(train, "tuning_journal", lambda: tmp_path / "journal")

    def name(options: TrainOptions, of: Entries = entries, sha256: str = "ab" * 32) -> str:
        train._chosen(Dataset(sha256=sha256), of, options, [], silent)
        return names.pop()

    usual = TrainOptions()
    same = {
        name(usual),
        name(replace(usual, trials=20)),
        name(replace(usual, quick=True)),
        name(replace(usual, despite_audit="It is as it should be.")),
    }
    assert len(same) == 1
    others = {
        name(usual, sha256="cd" * 32),
        name(replace(usual, seed=8)),
        name(replace(usual, test_from=1_700_000_000)),
        name(replace(usual, group="region")),
        name(replace(usual, count_as_lost=frozenset({"budget", "merger"}))),
        name(usual, replace(entries, matrix=replace(entries.matrix, fingerprint="0" * 64))),
        name(usual, entries.horizons([0])),
    }
    assert len(others | same) == 8
    both = (frozenset(reasons) for reasons in (("budget", "merger"), ("merger", "budget")))
    assert len({name(replace(usual, count_as_lost=reasons)) for reasons in both}) == 1
