"""A small made-up portfolio for the tests of models: a few indicators of every sort, rows with gaps, and outcomes."""

from collections.abc import Sequence

import numpy as np

from features.frame import Frame
from features.indicators import Better, Figure, Indicator, Mark, Signal
from features.matrix import Matrix, Rows
from features.standing import Standing
from models.archive import Models
from models.blend import Blend
from models.calibration import fit_calibration
from models.risk import CONTRACT_END, HORIZONS, Definition, Member, RiskModel
from models.stage import StageModel
from models.trees import RiskSettings, train_booster
from training.directed import fit_linear

DAY = 86_400
FINGERPRINT = "f" * 64
QUICK = RiskSettings(rounds=60, learning_rate=0.1, min_child_samples=20, min_child_weight=0.5, lambda_l2=1.0)
WEIGHTS = (0.7, 0.4)
"""Of the trees and of the linear model."""

RESPONSE = Signal("G1a", "response", "Whether the client answers", "000")
SILENCE = Signal("D8f", "silence", "How long the client has been silent", "001")
BALANCE = Signal("P1b", "balance", "Whether both sides talk", "004")
OURS = Signal("W1a", "our response", "How fast we answer", "003")
CONTRACT = Signal("L5", "contract", "Facts of the deal record", "002")


def _not_computed(frame: Frame) -> Figure:
    raise AssertionError("the models must not compute indicators")


def indicator(
    column: str,
    signal: Signal,
    unit: str,
    better: Better | None = None,
    mark: Mark | None = None,
    context: bool = False,
) -> Indicator:
    """An indicator that only the models look at: its window and name are read off the column."""
    _, name, window = column.split(".")
    meaning = f"The {name.replace('_', ' ')}"
    return Indicator(
        column,
        signal,
        name,
        window,
        meaning,
        "",
        unit,
        better,
        mark,
        5,
        "touches",
        0,
        1,
        _not_computed,
        context,
    )


INDICATORS = (
    indicator("G1a.response_rate.365d", RESPONSE, "share", "up", Mark(">=", 0.75, documented=True)),
    indicator("G1a.response_rate.trend", RESPONSE, "share", "up"),
    indicator("D8f.silence.now", SILENCE, "days", "down", Mark("<=", 30)),
    indicator("P1b.client_share.365d", BALANCE, "share", "band", Mark("between", 0.35, 0.65)),
    indicator("W1a.response_time.365d", OURS, "hours", "down", Mark("<=", 24)),
    indicator(CONTRACT_END, CONTRACT, "days", context=True),
    indicator("L5.tenure.now", CONTRACT, "days", context=True),
)
COLUMNS = tuple(one.column for one in INDICATORS)
PLACE = {column: place for place, column in enumerate(COLUMNS)}


def standing(rows: int, days_to_end: np.ndarray | None = None, **given: Sequence[float] | np.ndarray) -> Standing:
    """The standing of clients in the midst of their second contract, unless given otherwise."""
    usual = {
        "wins": np.full(rows, 2),
        "deals_recorded": np.ones(rows, dtype=bool),
        "former": np.zeros(rows, dtype=bool),
        "at_risk": np.ones(rows, dtype=bool),
        "own_touches": np.full(rows, 20),
        "silent_days": np.full(rows, 12.0),
        "value": np.full(rows, 1000.0),
        "days_to_end": np.full(rows, 100.0) if days_to_end is None else days_to_end,
    }
    return Standing(**(usual | {name: np.asarray(values) for name, values in given.items()}))


def matrix(values: np.ndarray, facts: Standing | None = None, evidence: np.ndarray | None = None) -> Matrix:
    """A matrix of one row for each account."""
    rows = len(values)
    if facts is None:
        facts = standing(rows, values[:, PLACE[CONTRACT_END]])
    accounts = [f"account-{number}" for number in range(rows)]
    moments = np.full(rows, 20_000 * DAY, dtype=np.int64)
    return Matrix(accounts, Rows(np.arange(rows), moments), INDICATORS, values, evidence, facts, FINGERPRINT)


def portfolio(rows: int, seed: int, missing: float = 0.25) -> Matrix:
    """Rows of random figures, a share of them unknown."""
    rng = np.random.default_rng(seed)
    values = np.asfortranarray(
        np.stack(
            (
                rng.uniform(0, 1, rows),
                rng.normal(0, 0.2, rows),
                rng.exponential(30, rows),
                rng.uniform(0, 1, rows),
                rng.exponential(24, rows),
                rng.uniform(-60, 700, rows),
                rng.uniform(100, 2000, rows),
            ),
            axis=1,
        )
    )
    values[rng.random(values.shape) < missing] = np.nan
    return matrix(values)


def outcomes(rows: Matrix, seed: int, horizons: Sequence[int] = HORIZONS, unknown: float = 0.1) -> np.ndarray:
    """int8 (rows, H) drawn from a truth that the marks' directions describe only in part: silence harms when long, but
    also when there is none at all, and a contract's end within the horizon harms most."""
    rng = np.random.default_rng(seed)
    values = np.nan_to_num(rows.values, nan=0.5)
    silence = values[:, PLACE["D8f.silence.now"]]
    end = rows.standing.days_to_end
    score = -2.5 - 2 * values[:, 0] + 1.5 * np.abs(silence - 25) / 25 - values[:, 1]
    days = np.asarray(horizons, dtype=float)
    logits = score[:, None] + np.log(days / 180) + 2.0 * (days > np.nan_to_num(end, nan=np.inf)[:, None])
    lost = rng.random((len(rows), 1)) < 1 / (1 + np.exp(-logits))
    labels = np.maximum.accumulate(lost, axis=1).astype(np.int8)
    labels[rng.random(labels.shape) < unknown] = -1
    return labels


def learned(rows: int, seed: int, horizons: Sequence[int], settings: RiskSettings) -> Member:
    """Both halves learned from a made-up portfolio, calibrated on another of 800 rows."""
    learning, later = portfolio(rows, seed), portfolio(800, seed + 100)
    labels, end = outcomes(learning, seed, horizons), learning.standing.days_to_end
    booster = train_booster(learning.values, end, INDICATORS, labels, horizons, None, settings)
    linear, beyond = fit_linear(learning.values, end, INDICATORS, labels, horizons, np.full(rows, 0.5))
    blend = Blend(booster, linear, *WEIGHTS)
    scores = blend.scores(later.values, later.standing.days_to_end, horizons)
    known = outcomes(later, seed + 100, horizons)
    return Member(blend, fit_calibration(scores, known, beyond=blend.linear_weight * beyond))


def trained(
    definition: Definition = "contract",
    horizons: tuple[int, ...] = HORIZONS,
    settings: RiskSettings = QUICK,
    seed: int = 1,
) -> RiskModel:
    """A risk model of a made-up portfolio, whose members learned from smaller ones of the same kind."""
    whole = learned(1500, seed, horizons, settings)
    members = tuple(learned(400, seed + number, horizons, settings) for number in (10, 20, 30))
    return RiskModel(
        whole.blend, COLUMNS, FINGERPRINT, horizons, whole.calibration, definition, settings, members, spread=0.5
    )


def contract_models() -> Models:
    """Models of the contract definition, without reviews."""
    return Models(trained(), StageModel(COLUMNS), {"span": [0, 1]})


def silence_models() -> Models:
    """Models of the silence definition, of 45 days."""
    return Models(trained("silence", (45,)), StageModel(COLUMNS), {"minimum_touches": 5})
