"""The judgement of a test part from all sides: what it is made of, what it costs to leave out, what is kept of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.training.evaluations import HORIZONS, evaluation, everything, making, risks, segments
from training.baselines import BASELINES
from training.evaluation import MEASURES, measure, share_caught
from training.judging import (
    GAIN_SHARES,
    LEARNED_SHARES,
    RISK,
    called,
    document,
    evaluate,
    further_metrics,
    judge,
    metrics,
    pictures,
    plain,
)
from training.outcomes import Outcomes


def late() -> np.ndarray:
    as_of = everything()[0].matrix.rows.as_of
    return np.asarray(as_of >= np.median(as_of))


def test_every_horizon_is_judged_beside_every_baseline() -> None:
    found = evaluation()
    assert tuple(found.judged) == tuple(found.details) == HORIZONS
    for place, horizon in enumerate(HORIZONS):
        entries, _ = everything()
        rows = entries.usable[:, place] & late()
        lost = entries.outcomes.labels[rows, place] == 1
        one, closer = found.judged[horizon], found.details[horizon]
        assert (one.rows, one.lost_rows) == (rows.sum(), lost.sum())
        assert list(one.leads) == list(BASELINES)
        for name, risk in risks(*BASELINES).items():
            expected = measure(risk[rows, place], lost)
            assert {m: one.measured[name][m].value for m in MEASURES} == pytest.approx(expected)
            parts = closer.brier[name]
            murphy = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
            within = parts["within_variance"] - parts["within_covariance"]
            assert murphy + within == pytest.approx(expected["brier"])


def test_what_chance_makes_is_set_beside_the_error_found() -> None:
    for horizon, closer in evaluation().details.items():
        error = evaluation().judged[horizon].measured[RISK]["ece"].value
        bins = sum(abs(one.stated - one.observed.value) * one.rows for one in closer.bins)
        assert bins / evaluation().judged[horizon].rows == pytest.approx(error)
        assert 0 < closer.null.mean < closer.null.high
        assert (closer.null.reached > 0.05) == (error < closer.null.high)


def test_gain_begins_at_nothing_and_ends_with_all() -> None:
    for closer in evaluation().details.values():
        assert set(closer.gain) == {RISK, *BASELINES}
        for found in closer.gain.values():
            assert len(found) == len(GAIN_SHARES)
            assert (found[0], found[-1]) == (0, 1)
            assert min(np.diff(found)) >= 0


def test_the_money_lost_is_looked_for_by_risk_and_by_what_is_at_stake() -> None:
    entries, _ = everything()
    value = entries.matrix.standing.value
    rows = entries.usable[:, 0] & late()
    lost = entries.outcomes.labels[rows, 0] == 1
    caught = evaluation().details[90].value
    assert caught is not None
    assert (caught.rows, caught.without_value) == (rows.sum(), 0)
    assert caught.lost == pytest.approx(value[rows][lost].sum())
    for name, risk in risks(*BASELINES).items():
        worth = np.where(lost, value[rows], 0)
        for key, (measured, _) in ((risk[rows, 0] * value[rows], caught.by_worth), (risk[rows, 0], caught.by_risk)):
            assert measured[name].value == pytest.approx(float(share_caught(key, worth)[0]))
    measured, leads = caught.by_worth
    assert leads["silence"].value == pytest.approx(measured[RISK].value - measured["silence"].value)


def test_rows_of_unknown_value_are_left_out_and_counted() -> None:
    entries, _ = everything()
    standing = entries.matrix.standing
    unknown = np.arange(len(standing.value)) % 2 == 0
    for value, expected in (
        (np.where(unknown, np.nan, standing.value), True),
        (np.full(len(unknown), np.nan), False),
        (np.zeros(len(unknown)), False),
    ):
        matrix = replace(entries.matrix, standing=replace(standing, value=value))
        test = replace(entries, matrix=matrix, usable=entries.usable & late()[:, None])
        caught = evaluate(test, risks("silence"), (), 7, lambda *_: None).details[90].value
        assert (caught is not None) == expected
        if caught is not None:
            assert caught.without_value == (test.usable[:, 0] & unknown).sum()
            assert caught.rows == (test.usable[:, 0] & ~unknown).sum()


def test_parts_hold_every_row_once() -> None:
    for horizon, closer in evaluation().details.items():
        assert list(closer.partings) == ["industry", "period"]
        for parts in closer.partings.values():
            assert sum(part.rows for part in parts) == evaluation().judged[horizon].rows


def test_the_learning_curve_is_judged_on_the_same_rows() -> None:
    curve = evaluation().learning
    assert curve is not None
    assert [point.share for point in curve] == list(LEARNED_SHARES)
    assert [point.accounts for point in curve] == sorted(point.accounts for point in curve)
    assert [point.entries for point in curve] == sorted(point.entries for point in curve)
    for horizon in HORIZONS:
        whole = evaluation().judged[horizon].measured[RISK]
        aucs = []
        for point in curve:
            assert point.by_horizon is not None
            measured, lead = point.by_horizon[horizon]
            assert lead["auc"].value == pytest.approx(whole["auc"].value - measured["auc"].value)
            aucs.append(measured["auc"].value)
        assert aucs[0] < aucs[-1] < whole["auc"].value


@pytest.mark.parametrize(
    ("most", "fewest", "reason"), [(100, 0, "more than 100 entries"), (10**6, 50, "too few losses")]
)
def test_points_that_cost_too_much_or_know_too_little_are_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, most: int, fewest: int, reason: str
) -> None:
    monkeypatch.setattr("training.judging.MOST_LEARNED", most)
    monkeypatch.setattr("training.judging.MINIMUM_LOST", fewest)
    entries, _ = everything()
    test = entries.only(entries.usable & late()[:, None])
    curve = evaluate(test, risks("silence"), (), 7, lambda *_: None, making()).learning
    assert curve is not None
    largest = curve[-1]
    assert largest.by_horizon is None
    assert reason in largest.left_out


def test_quick_leaves_out_what_is_optional_and_nothing_else() -> None:
    whole, quick = evaluation(), evaluation(quick=True)
    assert quick.learning is None
    assert quick.judged == whole.judged
    for horizon, closer in quick.details.items():
        assert closer.venn_abers is None
        assert whole.details[horizon].venn_abers is not None
        assert closer == replace(whole.details[horizon], venn_abers=None)
    assert set(whole.seconds) - set(quick.seconds) == {"Venn-Abers", "learning curve"}
    assert min(whole.seconds.values()) > 0


def test_the_same_seed_gives_the_same_judgement() -> None:
    entries, _ = everything()
    test = entries.only(entries.usable & late()[:, None])
    steps: list[tuple[str, int, int]] = []
    again = evaluate(test, risks(*BASELINES), segments(), 7, lambda *step: steps.append(step), making())
    assert again == evaluation()
    assert [done for _, done, _ in steps] == list(range(len(HORIZONS) + 1 + len(LEARNED_SHARES) + 1))
    assert {(step, whole) for step, _, whole in steps} == {("judging", len(steps) - 1)}


def test_metrics_are_told_by_scorer_measure_and_horizon() -> None:
    found = metrics(evaluation().judged)
    assert set(found) == {
        f"{who}.{what}.{days}" for who in (RISK, *BASELINES) for what in MEASURES for days in HORIZONS
    }
    further = further_metrics(evaluation())
    assert not set(found) & set(further)
    assert further["risk.ece_excess.180"] == pytest.approx(found["risk.ece.180"] - further["risk.ece_null.180"])
    assert {"silence.reliability.90", "risk.resolution.180", "scorecard.value_caught.90"} <= set(further)
    assert all(math.isfinite(value) for value in (found | further).values())


def test_documents_are_plain_and_keep_every_figure() -> None:
    judged = evaluation().judged
    told = json.loads(json.dumps(document(judged), allow_nan=False))
    assert told["180"]["measured"]["risk"]["auc"]["value"] == judged[180].measured[RISK]["auc"].value
    assert plain({30: [math.nan, (1.0, math.inf)], "x": {"y": True}}) == {"30": [None, [1.0, None]], "x": {"y": True}}


def test_pictures_show_every_scorer_and_horizon() -> None:
    found = pictures(evaluation())
    kinds = {f"plots/{kind}_{days}.png" for kind in ("reliability", "gain") for days in HORIZONS}
    assert set(found) == kinds | {"plots/stability.png", "plots/learning.png"}
    (axes,) = found["plots/gain_90.png"].axes
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [called(name) for name in (RISK, *BASELINES)]
    (axes,) = found["plots/reliability_180.png"].axes
    assert axes.get_title() == "Lost within 180 days"
    stated = [one.stated for one in evaluation().details[180].bins]
    assert any(np.array_equal(np.asarray(line.get_xdata()), stated) for line in axes.lines)
    assert "plots/learning.png" not in pictures(evaluation(quick=True))


def test_without_any_kept_account_no_ranking_is_invented() -> None:
    entries, _ = everything()
    lost = replace(entries.outcomes, labels=np.where(entries.usable, 1, -1).astype(np.int8))
    assert isinstance(lost, Outcomes)
    found = judge(replace(entries, outcomes=lost), risks("silence"), 7)
    assert math.isnan(found[90].measured[RISK]["auc"].value)
    assert "risk.auc.90" not in metrics(found)
    assert document(found)["90"]["measured"][RISK]["auc"] == {"value": None, "low": None, "high": None}
