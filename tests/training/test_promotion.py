"""Challenger against champion: on which rows, by which rule, and what is written down before the alias moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import mlflow
import numpy as np
import pytest
from scipy.special import expit

from features.frame import first_event
from features.histories.history import History
from features.histories.log import DAY, Array
from features.matrix import Matrix, build_matrix, fingerprint, rows_at, snapshots
from features.measuring import measure_portfolio
from features.reference import NOTHING, Reference
from features.sources.files import iso, read_tables
from features.sources.importing import import_to_folder
from models.archive import FingerprintMismatch, Models
from models.risk import HORIZONS, Definition, RiskModel
from models.stage import StageModel
from tests.models.portfolio import contract_models
from tests.training.stores import BARE, filled, registered
from training import promotion
from training.decisions import decisions_of
from training.entries import MINIMUM_LOST
from training.evaluation import MEASURES, Estimate
from training.judging import Judged
from training.outcomes import Outcomes, contract_outcomes, observed_until
from training.promotion import (
    CannotCompare,
    Comparison,
    NoChallenger,
    compare_models,
    decide,
    promote,
)
from training.registry import NoSuchVersion, Version, versions
from training.simulation import simulate

NOW = 1_790_000_000


@dataclass(frozen=True)
class World:
    """A canonical folder and the outcomes of its rows, found apart."""

    folder: Path
    history: History
    matrix: Matrix
    outcomes: Outcomes
    since: int
    until: int


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    base = tmp_path_factory.mktemp("world")
    simulate(base / "raw", 150, 4, seed=5, truth=False)
    import_to_folder([base / "raw"], base / "tables")
    history = History.from_tables(read_tables(base / "tables"))
    until = int(observed_until(history).max())
    matrix = build_matrix(history, rows_at(history, snapshots(int(first_event(history).min()), until)))
    outcomes = contract_outcomes(history, matrix.rows, matrix.standing, HORIZONS)
    return World(base / "tables", history, matrix, outcomes, until - 540 * DAY, until)


class Foreteller:
    """Stands where a trained risk model would: it knows how well to foretell each row, and notes what it was asked."""

    def __init__(self, world: World, skill: float, seed: int, horizons: tuple[int, ...], definition: Definition):
        self.horizons, self.definition, self.columns = horizons, definition, world.matrix.columns
        noise = np.random.default_rng(seed).normal(0, 1, world.outcomes.labels.shape)
        told = expit(-2.5 + skill * (world.outcomes.labels == 1) + noise)
        # a row is known by the figures that do not depend on what the models keep of the portfolio
        self.own = np.array([not indicator.portfolio for indicator in world.matrix.indicators])
        self.risks = {self.key(values): risk for values, risk in zip(world.matrix.values, told, strict=True)}
        self.places = [HORIZONS.index(horizon) for horizon in horizons]
        self.asked: list[Array] = []

    def key(self, values: Array) -> bytes:
        return bytes(values[self.own].tobytes())

    def horizon_index(self, horizon: int) -> int:
        return self.horizons.index(horizon)

    def risk(self, values: Array, days_to_end: Array) -> Array:
        self.asked.append(values)
        return np.array([self.risks[self.key(row)] for row in values])[:, self.places]


def models_of(
    world: World,
    skill: float = 2.0,
    seed: int = 1,
    since: int | None = None,
    horizons: tuple[int, ...] = HORIZONS,
    definition: Definition = "contract",
    reference: Reference = NOTHING,
    **meta: Any,
) -> Models:
    risk = Foreteller(world, skill, seed, horizons, definition)
    data = {"learned_until": iso(world.since if since is None else since)}
    told = {"data": data, "count_as_lost": [], "minimum_touches": 5, **meta}
    return Models(cast(RiskModel, risk), StageModel(world.matrix.columns), told, reference)


def asked(models: Models) -> Array:
    (values,) = cast(Foreteller, models.risk).asked
    return values


@pytest.fixture(scope="module")
def comparison(world: World) -> Comparison:
    """A good challenger against a champion with little skill that learned two months less."""
    return compare_models(world.folder, models_of(world, 3.0), models_of(world, 0.5, 2, world.since - 60 * DAY))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One baseline that knows nothing: for what is not about baselines."""
    monkeypatch.setattr(promotion, "baseline_risks", lambda *given: {"silence": np.full(given[2].shape, 0.1)})


# The rows


def test_only_rows_later_than_both_trainings_count(world: World, comparison: Comparison) -> None:
    later = (world.outcomes.labels >= 0) & (world.matrix.rows.as_of >= world.since)[:, None]
    assert (comparison.since, comparison.until) == (world.since, world.until)
    assert comparison.rows == later.any(axis=1).sum() > 500
    assert {horizon: one.rows for horizon, one in comparison.judged.items()} == {
        horizon: later[:, place].sum() for place, horizon in enumerate(HORIZONS)
    }
    assert comparison.data_sha256 == world.history.dataset.sha256


def test_both_score_the_same_rows_each_with_what_it_keeps_of_the_portfolio(world: World, quick: None) -> None:
    moments = snapshots(int(first_event(world.history).min()), world.since)
    champion = models_of(world, 0.5, 2, reference=Reference(measure_portfolio(world.history, moments)))
    challenger = models_of(world, 3.0, 1, world.since - 400 * DAY)
    compare_models(world.folder, challenger, champion)
    later = world.matrix.rows.as_of >= world.since
    compared = [indicator.portfolio for indicator in world.matrix.indicators]
    ours, theirs = asked(challenger), asked(champion)
    assert ours.shape == theirs.shape
    assert np.isnan(ours[:, compared]).all()
    assert not np.isnan(theirs[:, compared]).all()
    key = cast(Foreteller, champion.risk).key
    assert [key(row) for row in ours] == [key(row) for row in theirs]
    assert {key(row) for row in ours} <= {key(row) for row in world.matrix.values[later]}


def test_baselines_learn_from_what_was_settled_before(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[Array] = []

    def watched(history: History, matrix: Matrix, labels: Array, learn: Array, *_: object) -> dict[str, Array]:
        settled = matrix.rows.as_of[:, None] + np.array(HORIZONS) * DAY
        learned.append(settled[learn])
        return {"silence": np.full(labels.shape, 0.1)}

    monkeypatch.setattr(promotion, "baseline_risks", watched)
    found = compare_models(world.folder, models_of(world, 3.0), models_of(world, 0.5, 2))
    (moments,) = learned
    assert moments.max() <= world.since
    known = (world.outcomes.labels >= 0) & (world.outcomes.known_by <= world.since)
    assert len(moments) == known.sum() > 1000
    assert list(found.judged[180].measured) == ["challenger", "champion", "silence"]
    assert found.judged[180].measured["silence"]["auc"].value == 0.5


def test_horizons_that_both_know_are_compared(world: World, quick: None) -> None:
    found = compare_models(
        world.folder,
        models_of(world, 3.0, horizons=(30, 90, 365)),
        models_of(world, 3.0, horizons=(90, 180, 365)),
    )
    assert list(found.judged) == [90, 365]
    assert found.explained == 90
    # The same risks at the same horizons: nothing lies between the two.
    assert [found.judged[days].leads["champion"]["auc"].value for days in (90, 365)] == [0.0, 0.0]
    assert found.pooled["log_loss"].value == 0.0
    verdict = decide(found)
    assert not verdict.promoted
    assert verdict.because[2:] == (
        "Not compared within 30 days: only one of the two foretells it",
        "Not compared within 180 days: only one of the two foretells it",
    )


def test_horizons_with_too_few_losses_are_left_out(world: World, quick: None) -> None:
    since = world.until - 240 * DAY
    known = (world.outcomes.labels == 1) & (world.matrix.rows.as_of >= since)[:, None]
    lost = [len(np.unique(world.matrix.rows.account[column])) for column in known.T]
    assert min(lost[:3]) >= MINIMUM_LOST > lost[3]
    found = compare_models(world.folder, models_of(world, since=since), models_of(world, 0.5, 2))
    assert list(found.judged) == [30, 90, 180]
    assert found.left_out == (f"Not compared within 365 days: {lost[3]} accounts lost, 5 are needed",)


def test_models_that_foretell_other_things_are_not_compared(world: World) -> None:
    usual = models_of(world)
    silent = models_of(world, horizons=(180,), definition="silence")
    with pytest.raises(CannotCompare, match=r"challenger foretells a lost renewal.*champion foretells no sign of life"):
        compare_models(world.folder, usual, silent)
    with pytest.raises(CannotCompare, match=r"\(price counted as lost too\); the champion .*--despite REASON"):
        compare_models(world.folder, models_of(world, count_as_lost=["price"]), usual)
    with pytest.raises(CannotCompare, match=r"contract within 30 days; .*contract within 90, 180 days"):
        compare_models(world.folder, models_of(world, horizons=(30,)), models_of(world, horizons=(90, 180)))
    with pytest.raises(CannotCompare, match=r"after at least 5 of its own; .* after at least 9 of its own"):
        compare_models(world.folder, silent, models_of(world, horizons=(180,), definition="silence", minimum_touches=9))


def test_models_as_fresh_as_the_records_must_wait(world: World) -> None:
    """The records end on 2026-07-01: no later snapshot has an outcome yet."""
    fresh = models_of(world, since=world.until)
    with pytest.raises(CannotCompare) as refused:
        compare_models(world.folder, models_of(world), fresh)
    assert str(refused.value) == (
        "the models have learned from what happened until 2026-07-01, and these records are observed until 2026-07-01. "
        "Only snapshots from 2026-07-01 on count; at least 5 accounts must have been lost after them "
        "(within 30 days: the first outcome is known on 2026-07-31, 30 days later; "
        "within 90 days: the first outcome is known on 2026-09-29, 90 days later; "
        "within 180 days: the first outcome is known on 2026-12-28, 180 days later; "
        "within 365 days: the first outcome is known on 2027-07-01, 365 days later). "
        "Come back with records that reach further, compare models that have learned from less (`rapport train "
        "--until DATE`), or promote without a comparison: --despite REASON"
    )


def test_too_few_losses_must_wait_too(world: World) -> None:
    since = world.until - 70 * DAY  # 2026-04-22: the snapshots of May and June, known within 30 days for May
    lost = (world.outcomes.labels[:, 0] == 1) & (world.matrix.rows.as_of >= since)
    accounts = len(np.unique(world.matrix.rows.account[lost]))
    assert accounts < MINIMUM_LOST
    with pytest.raises(CannotCompare) as refused:
        compare_models(world.folder, models_of(world, since=since), models_of(world))
    assert "Only snapshots from 2026-05-01 on count" in str(refused.value)
    assert f"within 30 days: {accounts} accounts lost so far" in str(refused.value)
    assert "within 90 days: the first outcome is known on 2026-07-30, 29 days later" in str(refused.value)


# The rule


def lead(value: float, spread: float) -> Estimate:
    return Estimate(value, value - spread, value + spread)


@pytest.fixture(scope="module")
def as_found(comparison: Comparison) -> Callable[..., Comparison]:
    """A comparison with chosen leads: over the champion and over the baselines (silence at 365 days apart)."""

    def made(
        loss: Estimate, auc: Estimate, error: Estimate, silence: Estimate, later: Estimate | None = None
    ) -> Comparison:
        nothing = dict.fromkeys(MEASURES, lead(0.0, 0.1))
        judged: dict[int, Judged] = {}
        for horizon in (180, 365):
            plain = silence if horizon == 180 or later is None else later
            over = {"champion": nothing | {"auc": auc}, "silence": nothing | {"auc": plain}}
            judged[horizon] = replace(comparison.judged[horizon], leads=over)
        return replace(comparison, judged=judged, pooled=nothing | {"log_loss": loss, "ece": error})

    return made


LESS, SAME, MORE = lead(-0.02, 0.01), lead(-0.001, 0.01), lead(0.02, 0.01)
BETTER, EQUAL, WORSE = lead(0.05, 0.02), lead(0.001, 0.009), lead(-0.05, 0.02)
UNSURE = lead(0.01, 0.05)


@pytest.mark.parametrize(
    ("loss", "auc", "error", "ground"),
    [
        (LESS, BETTER, LESS, "A gain: "),
        (LESS, UNSURE, MORE, "A gain: "),  # the log loss has counted the calibration already
        (LESS, WORSE, LESS, "Neither"),  # the AUC is surely lower
        (SAME, EQUAL, SAME, "As good and better calibrated: "),
        (SAME, BETTER, LESS, "As good and better calibrated: "),
        (SAME, EQUAL, lead(0.0, 0.01), "Neither"),  # not better calibrated
        (SAME, lead(0.001, 0.012), SAME, "Neither"),  # may be lower by 0.011
        (MORE, EQUAL, LESS, "Neither"),  # the log loss is surely higher
        (lead(-0.02, float("nan")), lead(0.05, float("nan")), LESS, "Neither"),  # no interval, nothing sure
    ],
)
def test_a_gain_or_equality_with_better_calibration(
    as_found: Callable[..., Comparison], loss: Estimate, auc: Estimate, error: Estimate, ground: str
) -> None:
    verdict = decide(as_found(loss, auc, error, silence=BETTER))
    assert verdict.because[0].startswith(ground)
    assert verdict.because[1] == "Better than every baseline"
    assert verdict.promoted == (ground != "Neither")
    assert f"AUC within 180 days {auc.value:+.3f} (" in verdict.because[0]


@pytest.mark.parametrize(
    ("silence", "later", "beaten"),
    [
        (UNSURE, None, True),  # higher by what was measured
        (lead(0.0, 0.01), None, False),
        (lead(-0.01, 0.05), None, False),
        (BETTER, UNSURE, True),
        (BETTER, lead(-0.01, 0.05), True),  # at another horizon only what is sure counts
        (BETTER, WORSE, False),
    ],
)
def test_every_baseline_must_be_beaten(
    as_found: Callable[..., Comparison], silence: Estimate, later: Estimate | None, beaten: bool
) -> None:
    verdict = decide(as_found(LESS, BETTER, LESS, silence, later))
    assert verdict.promoted == beaten
    assert verdict.because[1] == ("Better than every baseline" if beaten else "Not better than silence")


def test_a_model_that_foretells_better_passes_and_one_that_does_not_fails(world: World, comparison: Comparison) -> None:
    assert decide(comparison).promoted
    assert comparison.pooled["log_loss"].high < 0
    other_way = compare_models(world.folder, models_of(world, 0.5, 2), models_of(world, 3.0))
    verdict = decide(other_way)
    assert not verdict.promoted
    assert verdict.because[0].startswith("Neither a sure gain")


# The record and the alias


@pytest.fixture(scope="module")
def three(migrated_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registered(migrated_store, tmp_path_factory.mktemp("three"), contract_models(), [BARE] * 3)


@pytest.fixture
def store(tracking_store: str, three: Path) -> str:
    """Three registered versions, the first of them the champion."""
    return filled(tracking_store, three)


@pytest.fixture
def found(world: World, comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> list[Comparison]:
    """What comparing will find, the last one first; every version opens."""
    coming = [comparison]
    monkeypatch.setattr(promotion, "open_models", lambda version: models_of(world))
    monkeypatch.setattr(promotion, "compare_models", lambda *_: coming[-1])
    return coming


def champion() -> str:
    return str(mlflow.MlflowClient().get_model_version_by_alias("rapport", "champion").version)


def test_the_better_one_is_recorded_and_takes_over(world: World, store: str, found: list[Comparison]) -> None:
    decision, comparison = promote(world.folder, "ann", NOW)
    assert comparison is found[0]
    assert (decision.kind, decision.version, decision.champion, decision.by) == ("promoted", "3", "1", "ann")
    assert champion() == "3"
    newest, *others = versions()
    assert [version.is_champion for version in (newest, *others)] == [True, False, False]
    assert decisions_of([newest, *others]) == [decision]
    told = json.loads(newest.tags[f"decision.{str(iso(NOW)).replace(':', '')}"])
    assert told["at"] == iso(NOW)
    assert told["figures"]["data_sha256"] == world.history.dataset.sha256
    assert told["figures"]["rows"] == comparison.rows
    assert list(told["figures"]["horizons"]) == [str(days) for days in HORIZONS]
    auc = comparison.judged[180].leads["champion"]["auc"]
    assert told["figures"]["horizons"]["180"]["auc_lead"] == [round(each, 4) for each in (auc.value, auc.low, auc.high)]
    assert len(json.dumps(told)) < 5000  # what every registry takes as a tag
    assert newest.tags["decision"] == "promoted"
    run = mlflow.get_run(newest.run_id)
    assert {name: text for name, text in run.data.tags.items() if name.startswith("decision")} == newest.tags


def test_one_that_is_no_better_is_declined_unless_somebody_insists(
    world: World, store: str, found: list[Comparison], as_found: Callable[..., Comparison]
) -> None:
    found.append(as_found(SAME, UNSURE, MORE, silence=BETTER))
    declined, _ = promote(world.folder, "ann", NOW)
    assert (declined.kind, champion()) == ("declined", "1")
    assert versions()[0].tags["decision"] == "declined"
    insisted, _ = promote(world.folder, "bob", NOW + 1, despite="the champion cannot be explained any more")
    assert (insisted.kind, champion()) == ("promoted", "3")
    assert insisted.despite == "the champion cannot be explained any more"
    assert insisted.because == declined.because
    assert decisions_of(versions()) == [declined, insisted]


def test_without_a_comparison_nothing_is_decided_unless_somebody_insists(
    world: World, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(version: Version) -> Models:
        if version.is_champion:
            raise FingerprintMismatch("other columns")
        return models_of(world)

    monkeypatch.setattr(promotion, "open_models", opened)
    with pytest.raises(CannotCompare, match=r"version 1, cannot score these rows \(other columns\).*--despite REASON"):
        promote(world.folder, "ann", NOW)
    assert champion() == "1"
    assert decisions_of(versions()) == []
    decision, comparison = promote(world.folder, "ann", NOW, despite="new columns")
    assert comparison is None
    assert (decision.kind, decision.figures, champion()) == ("promoted", {}, "3")
    assert decision.because[0].startswith("Not compared: the champion, version 1, cannot score these rows")
    with pytest.raises(ValueError, match="--despite: a reason is needed"):
        promote(world.folder, "ann", NOW, version="1", despite=" ")


def test_a_challenger_of_other_columns_is_refused_whatever_is_said(world: World, store: str) -> None:
    with pytest.raises(FingerprintMismatch, match=fingerprint()):
        promote(world.folder, "ann", NOW, despite="I like it")
    assert champion() == "1"


def test_what_somebody_else_promotes_meanwhile_stands(
    world: World, store: str, found: list[Comparison], monkeypatch: pytest.MonkeyPatch
) -> None:

    def meanwhile(*_: object) -> Comparison:
        mlflow.MlflowClient().set_registered_model_alias("rapport", "champion", "2")
        return found[-1]

    monkeypatch.setattr(promotion, "compare_models", meanwhile)
    with pytest.raises(NoSuchVersion, match="changed meanwhile, from version 1 to 2"):
        promote(world.folder, "ann", NOW)
    assert champion() == "2"
    assert decisions_of(versions()) == []


def test_who_is_the_challenger(
    world: World, store: str, found: list[Comparison], as_found: Callable[..., Comparison]
) -> None:
    found.append(as_found(MORE, WORSE, MORE, silence=WORSE))
    assert promote(world.folder, "ann", NOW)[0].version == "3"
    assert promote(world.folder, "ann", NOW, version="2")[0].version == "2"
    with pytest.raises(NoChallenger, match="version 1 is the champion already"):
        promote(world.folder, "ann", NOW, version="1")
    with pytest.raises(NoSuchVersion, match="there is no version 9 of rapport; there are 1, 2, 3"):
        promote(world.folder, "ann", NOW, version="9")
    mlflow.MlflowClient().set_registered_model_alias("rapport", "champion", "3")
    with pytest.raises(NoChallenger, match="no version is newer than the champion, version 3"):
        promote(world.folder, "ann", NOW)
