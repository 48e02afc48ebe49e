"""What ships beside a fixed scorecard, a logistic regression and LightGBM alone, by the size of the portfolio.

Simulated portfolios of 40, 100, 300 and 1,000 accounts, four years each, many seeds of every size; what each scorer
learns is tested on 5,000 fresh accounts at every third month start. All scorers of a seed see the same rows, so that
differences are paired by seed. Run it with a folder for the results:

    .venv/bin/python docs/benchmarks/small_portfolios.py results/

Every finished seed is appended to ``results/<scorer>.csv``, and an interrupted run goes on where it stopped; delete a
scorer's file to run it again. About ten hours on two cores for everything; ``--sizes``, ``--seeds`` and ``--scorers``
make it shorter, ``--show`` prints what is there.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from portfolios import Simulated, as_seen, fresh_accounts, learn, simulated
from scipy import stats
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.histories.log import Array
from features.indicators import Indicator
from models.calibration import fit_calibration
from models.risk import HORIZONS
from models.trees import RiskSettings, predict_scores, train_booster
from training.baselines import share_of_marks_missed
from training.entries import Entries
from training.evaluation import measure
from training.outcomes import CannotTrain
from training.splits import group_folds

SEEDS = {40: 100, 100: 100, 300: 100, 1000: 20}
"""Seeds by size of the portfolio."""

MEASURED = ("auc", "log_loss", "ece")

SHIPPED = "shipped"

TREES = RiskSettings(learning_rate=0.05, depth=2, rounds=200, lambda_l2=3.0)
"""LightGBM alone: settings that did well on small data, with the documented directions as constraints."""

WINDOWS = (("90d",), ("90d", "365d"))
"""What the logistic regression may choose its figures over."""

STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""What the logistic regression may choose as C."""

FLATTEST = 0.1
"""The least slope of the scorecard, which is fixed: chance may flatten it, but not turn it over."""

Scorer = Callable[[Entries, Entries], Array]
"""From the entries to learn from and the fresh ones to the fresh ones' risks (n, H)."""


def scorecard(learned: Entries, fresh: Entries) -> Array:
    """The share of the marks that are missed. Only the level of the risk is learned, and how steeply it rises."""
    figure, wanted = share_of_marks_missed(learned.matrix), share_of_marks_missed(fresh.matrix)
    usual = float(np.nanmedian(figure))
    figure, wanted = np.nan_to_num(figure, nan=usual) - usual, np.nan_to_num(wanted, nan=usual) - usual
    found = np.empty((len(wanted), len(HORIZONS)))
    for place, labels in enumerate(learned.outcomes.labels.T):
        known = labels >= 0
        model = LogisticRegression(C=1e6).fit(figure[known, None], labels[known])
        found[:, place] = expit(model.intercept_ + np.maximum(model.coef_[0], FLATTEST) * wanted)
    return found


def trees(learned: Entries, fresh: Entries) -> Array:
    """LightGBM with the usual settings, calibrated by scores across accounts."""
    matrix, outcomes = learned.matrix, learned.outcomes
    days_to_end = matrix.standing.days_to_end

    def scores(rows: Array, of: Entries) -> Array:
        booster = train_booster(
            matrix.values[rows],
            days_to_end[rows],
            matrix.indicators,
            outcomes.labels[rows],
            outcomes.horizons,
            None,
            TREES,
        )
        return predict_scores(booster, of.matrix.values, of.matrix.standing.days_to_end, outcomes.horizons)

    labels = np.full_like(outcomes.labels, -1)
    raw = np.zeros(labels.shape)
    for fold in group_folds(learned.usable, learned.group):
        held = np.flatnonzero(fold.score.any(axis=1))
        taught = np.flatnonzero(fold.learn.any(axis=1))
        if (outcomes.labels[taught] == 1).any():
            raw[held] = scores(taught, learned.rows(held))
            labels[held] = outcomes.labels[held]
    calibration = fit_calibration(raw, labels, matrix.rows.account)
    return np.asarray(expit(calibration.logits(scores(np.arange(len(matrix)), fresh))))


def logistic(learned: Entries, fresh: Entries) -> Array:
    """A logistic regression for each horizon over one figure of each documented signal, over 90 days or over 90 and
    over 365, whether each is unknown, and where the contract's end lies; windows and C by folds across accounts."""
    labels = learned.outcomes.labels
    folds = list(group_folds(learned.usable, learned.group))
    inputs = [_signals(learned, fresh, windows) for windows in WINDOWS]
    found = np.empty((len(fresh.matrix), len(HORIZONS)))
    for place, horizon in enumerate(HORIZONS):
        end, later_end = (_contract_end(one.matrix.standing.days_to_end - horizon) for one in (learned, fresh))
        best = np.inf
        for signals, later in inputs:
            columns = np.hstack((signals, end))
            for strength in STRENGTHS:
                loss = _loss_across(columns, labels[:, place], strength, [fold.score[:, place] for fold in folds])
                if loss < best:
                    best, chosen = loss, (columns, np.hstack((later, later_end)), strength)
        found[:, place] = _logistic(chosen[0], labels[:, place], chosen[1], chosen[2])
    return found


def shipped(learned: Entries, fresh: Entries) -> Array:
    """What `rapport train` would register, with the usual settings; NaN at the horizons that it declines."""
    found = np.full(fresh.usable.shape, np.nan)
    try:
        model = learn(learned, trials=1, members=0)
    except CannotTrain:
        return found
    places = [HORIZONS.index(horizon) for horizon in model.horizons]
    found[:, places] = model.risk(fresh.matrix.values, fresh.matrix.standing.days_to_end)
    return found


SCORERS: Mapping[str, Scorer] = {SHIPPED: shipped, "scorecard": scorecard, "logistic": logistic, "trees": trees}


def _logistic(inputs: Array, labels: Array, wanted: Array, strength: float) -> Array:
    """Risks (m,) of wanted rows by a logistic regression on the rows with a known label."""
    known = labels >= 0
    if len(np.unique(labels[known])) < 2:
        return np.full(len(wanted), labels[known].mean())
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    return np.asarray(model.fit(inputs[known], labels[known]).predict_proba(wanted)[:, 1])


def _loss_across(inputs: Array, labels: Array, strength: float, shares: list[Array]) -> float:
    """Log loss of scores that each share of the accounts was given by the others."""
    risk = np.empty(len(labels))
    for held in shares:
        risk[held] = _logistic(inputs, np.where(held, -1, labels), inputs[held], strength)
    known = labels >= 0
    return measure(np.clip(risk[known], 1e-6, 1 - 1e-6), labels[known] == 1)["log_loss"]


def _signals(learned: Entries, fresh: Entries, windows: tuple[str, ...]) -> tuple[Array, Array]:
    """Figures with the usual one for an unknown, and whether they are unknown, of both; scales come from the first."""
    columns = [place for window in windows for place in _figures(learned.matrix.indicators, window)]
    columns = sorted(set(columns))
    figures, later = learned.matrix.values[:, columns], fresh.matrix.values[:, columns]
    known = ~np.isnan(figures)
    usual = np.array(
        [np.median(one[seen]) if seen.any() else 0.0 for one, seen in zip(figures.T, known.T, strict=True)]
    )
    return tuple(np.hstack((np.where(np.isnan(one), usual, one), np.isnan(one))) for one in (figures, later))


def _figures(indicators: tuple[Indicator, ...], window: str) -> list[int]:
    """One column of each signal: over the window or as of now, with a mark or else a direction where there is one.

    Of the contract's context, which is no signal of a relationship, three plain facts."""
    of: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(indicators):
        if not one.context:
            of[one.signal.id].append(place)

    def rank(place: int) -> tuple[bool, bool, bool, int]:
        one = indicators[place]
        return one.window not in (window, "now"), one.mark is None, one.constraint == 0, place

    context = [f"L5.{name}.now" for name in ("renewal_open", "tenure", "deals_won")]
    facts = [place for place, one in enumerate(indicators) if one.column in context]
    return [min(places, key=rank) for places in of.values()] + facts


def _contract_end(left: Array) -> Array:
    """What a logistic regression can use of the days from the horizon's end to the contract's end: known or not,
    before or after, near and far."""
    unknown = np.isnan(left)
    days = np.where(unknown, 0.0, left)
    return np.column_stack((unknown, days <= 0, np.clip(days, -60, 60), np.clip(days, -90, 400)))


Measured = dict[str, float | int | str]
"""A line of the results; without measures where the scorer declines the horizon."""

COLUMNS = ("accounts", "seed", "horizon", "lost_accounts", *MEASURED)

_fresh: Simulated
"""The fresh accounts, in each process of the pool."""


def prepare() -> None:
    """Make the fresh accounts, once for each process."""
    global _fresh
    _fresh = fresh_accounts()


def run(accounts: int, seed: int, scorers: tuple[str, ...]) -> dict[str, list[Measured]]:
    """The results of some scorers that learned from one portfolio."""
    portfolio = simulated(accounts, seed)
    fresh = as_seen(_fresh, portfolio.reference)
    lost = portfolio.entries.lost_accounts(portfolio.entries.usable)
    found = {}
    for name in scorers:
        risks = SCORERS[name](portfolio.entries, fresh)
        found[name] = [
            {"accounts": accounts, "seed": seed, "horizon": horizon, "lost_accounts": int(lost[place])}
            | measured(risks[:, place], fresh.outcomes.labels[:, place])
            for place, horizon in enumerate(HORIZONS)
        ]
    return found


def measured(risk: Array, labels: Array) -> Measured:
    """The measures of risks (n,) on the rows with a known label; none where the risk is unknown."""
    if np.isnan(risk).any():
        return {}
    known = labels >= 0
    found = measure(np.clip(risk[known], 1e-6, 1 - 1e-6), labels[known] == 1)
    return {name: found[name] for name in MEASURED}


def read(folder: Path, name: str) -> list[dict[str, str]]:
    """The lines of a scorer's results so far."""
    path = folder / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def append(folder: Path, name: str, lines: list[Measured]) -> None:
    """Add lines to a scorer's results."""
    path = folder / f"{name}.csv"
    begins = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        if begins:
            writer.writeheader()
        writer.writerows(lines)


def study(folder: Path, sizes: list[int], seeds: int | None, scorers: list[str], processes: int) -> None:
    """Run what is missing, seed by seed over all sizes, so that all sizes grow together."""
    folder.mkdir(parents=True, exist_ok=True)
    done = {name: {(int(line["accounts"]), int(line["seed"])) for line in read(folder, name)} for name in scorers}
    wanted = [(seed, size) for size in sizes for seed in range(1, min(SEEDS[size], seeds or SEEDS[size]) + 1)]
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=prepare) as pool:
        running = []
        for seed, size in sorted(wanted):
            missing = tuple(name for name in scorers if (size, seed) not in done[name])
            if missing:
                running.append(pool.submit(run, size, seed, missing))
        for finished, future in enumerate(as_completed(running), 1):
            for name, lines in future.result().items():
                append(folder, name, lines)
            print(f"\r{finished} of {len(running)} portfolios", end="", flush=True)
    print()


def show(folder: Path) -> None:
    """Print the tables of all results in a folder: means over horizons, then over seeds with 95 % intervals."""
    found = {name: lines for name in SCORERS if (lines := _by_portfolio(read(folder, name)))}
    for size in SEEDS:
        seeds = sorted(
            set.intersection(*({seed for accounts, seed in one if accounts == size} for one in found.values()))
        )
        if not seeds:
            continue
        horizons = {seed: _offered([one[size, seed] for one in found.values()]) for seed in seeds}
        judged = [seed for seed in seeds if horizons[seed]]
        figures = {
            name: {m: np.array([_mean(one[size, seed], horizons[seed], m) for seed in judged]) for m in MEASURED}
            for name, one in found.items()
        }
        some = sum(0 < len(each) < len(HORIZONS) for each in horizons.values())
        print(
            f"\n**{size:,} accounts**, {len(judged)} portfolios; {len(seeds) - len(judged)} in which it declines, ",
            end="",
        )
        print(f"{some} in which it declines some of the horizons\n")
        print("| | " + " | ".join(MEASURED) + " |\n|---|" + "---|" * len(MEASURED))
        for name, one in figures.items():
            print(f"| {name} | " + " | ".join(_interval(one[m]) for m in MEASURED) + " |")
        for name in [name for name in figures if name != SHIPPED and SHIPPED in figures]:
            cells = [_interval(figures[SHIPPED][m] - figures[name][m], "+") for m in MEASURED]
            print(f"| {SHIPPED} minus {name} | " + " | ".join(cells) + " |")


Portfolio = dict[int, dict[str, float]]
"""Measures by horizon; empty where the scorer declined."""


def _by_portfolio(lines: list[dict[str, str]]) -> dict[tuple[int, int], Portfolio]:
    """The measures by accounts and seed."""
    found: dict[tuple[int, int], Portfolio] = defaultdict(dict)
    for line in lines:
        values = {name: float(line[name]) for name in MEASURED if line[name]}
        found[int(line["accounts"]), int(line["seed"])][int(line["horizon"])] = values
    return found


def _offered(scorers: list[Portfolio]) -> list[int]:
    """The horizons at which no scorer declined."""
    return [horizon for horizon in HORIZONS if all(one[horizon] for one in scorers)]


def _mean(portfolio: Portfolio, horizons: list[int], measure_name: str) -> float:
    return float(np.mean([portfolio[horizon][measure_name] for horizon in horizons]))


def _interval(values: Array, sign: str = "") -> str:
    """A mean with its 95 % interval over seeds (Student's t)."""
    mean = np.mean(values)
    if len(values) < 2:
        return f"{mean:{sign}.4f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{mean:{sign}.4f} ({mean - half:{sign}.4f} to {mean + half:{sign}.4f})"


def main() -> None:
    """Run the study, or show what is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", choices=tuple(SEEDS), default=list(SEEDS))
    parser.add_argument("--seeds", type=int, help="at most so many of every size")
    parser.add_argument("--scorers", nargs="+", choices=tuple(SCORERS), default=list(SCORERS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="only print what is there")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes share the cores
    if not options.show:
        study(options.results, options.sizes, options.seeds, options.scorers, options.processes)
    show(options.results)


if __name__ == "__main__":
    main()
