"""How well the stages are judged, by the size of the portfolio: what ships beside what else could.

Everything here is simulated. Portfolios of several sizes, four years each, are learned from; every model is tested on
the reviews of a fresh portfolio of 3,000 accounts. Beside the shipped ordinal model stand the pair of boosters in
continuation-ratio form that it replaced, one booster stacked over both questions, a multinomial booster, a multinomial
logistic regression, and the shares of the stages that the facts alone give. Then: what a calibration fitted as well
would change, how often the sets of likely stages hold the reviewed one, and whether the direction tells of a change in
the hidden condition of a client. Prints Markdown; about half an hour on two cores:

    .venv/bin/python docs/benchmarks/stage.py
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from features.frame import first_event
from features.histories.history import History
from features.histories.log import DAY, NEVER, Array
from features.histories.tables import STAGES
from features.matrix import Matrix, Rows, build_matrix, rows_at, snapshots
from features.measuring import measure_portfolio
from features.reference import Reference
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from models.calibration import fit_calibration
from models.stage import Judgement, ranked_scores
from models.stage_direction import BEYOND_NOISE
from training.evaluation import measure
from training.outcomes import observed_until
from training.simulation import simulate
from training.stage_fitting import learn_judgement, out_of_fold, questions_asked, taught
from training.stage_judging import nominal, weighted_kappa

YEARS = 4
SEEDS = {40: 20, 100: 20, 300: 10, 1000: 5}
"""Seeds by size of the portfolio."""

FRESH, FRESH_SEED = 3_000, 900_001
SEED = 7
SPANS = (91, 183, 365)
"""Days between the two dates of a direction."""

BOTH = 2
"""Questions asked: commitment or beyond, and convergence."""

TREES = {
    "learning_rate": 0.05,
    "max_depth": 2,
    "num_leaves": 4,
    "min_child_samples": 10,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "monotone_constraints_method": "basic",
    "seed": SEED,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
"""As the pair of boosters had them."""

ROUNDS = 100


@dataclass(frozen=True)
class Portfolio:
    """A simulated portfolio, and the hidden condition of its clients by account id and month start."""

    history: History
    reference: Reference
    hidden: dict[tuple[str, int], str]

    def reviews(self, reference: Reference) -> tuple[Matrix, Array]:
        """The reviews that teach something, seen with a portfolio's figures, and their stages 0 to 2."""
        rows = self.history.reviews.where(self.history.reviews["replaced"] == NEVER)
        matrix = build_matrix(self.history, Rows(rows.segment, rows["at"]), reference=reference)
        kept, order = taught(matrix, [STAGES[stage] for stage in rows["stage"].tolist()])
        return matrix.take(kept), order


def main() -> None:
    """Simulate, learn, test, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, help="seeds of each size, at most")
    most = parser.parse_args().seeds
    fresh = portfolio(FRESH, FRESH_SEED)
    print("All of it is simulated.\n")
    judgements: list[tuple[int, Judgement, Reference]] = []
    for size, seeds in SEEDS.items():
        judgements += judged(size, range(1, 1 + min(seeds, most or seeds)), fresh)
    directions(judgements, fresh)


def portfolio(accounts: int, seed: int) -> Portfolio:
    """Simulate and import."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        simulate(folder / "raw", accounts, YEARS, seed)
        import_to_folder([folder / "raw"], folder / "tables")
        history = History.from_tables(read_tables(folder / "tables"))
        table = pq.read_table(folder / "raw" / "mechanism.parquet")
    seconds = table["as_of"].cast(pa.timestamp("s", "UTC")).cast(pa.int64()).to_pylist()
    hidden = zip(table["account_id"].to_pylist(), seconds, table["condition"].to_pylist(), strict=True)
    return Portfolio(
        history, Reference(measure_portfolio(history, months(history)), ()), {(a, t): c for a, t, c in hidden}
    )


def months(history: History) -> Array:
    """The month starts on record."""
    until = int(observed_until(history).max(initial=0))
    return snapshots(int(first_event(history).min(initial=until)), until)


# How well the stages are judged


def judged(size: int, seeds: range, fresh: Portfolio) -> list[tuple[int, Judgement, Reference]]:
    """Learn from portfolios of one size and print how all scorers do on the fresh one."""
    found: dict[str, list[dict[str, float]]] = {}
    judgements = []
    reviewed = []
    for seed in seeds:
        learned_from = portfolio(size, seed)
        matrix, order = learned_from.reviews(learned_from.reference)
        reviewed.append(len(np.unique(matrix.rows.account)))
        if questions_asked(order) < BOTH:
            continue
        other, truth = fresh.reviews(learned_from.reference)
        judgement = learn_judgement(matrix, order, BOTH, matrix.rows.account, SEED)
        judgements.append((size, judgement, learned_from.reference))
        for name, scorer in SCORERS.items():
            beyond = scorer(matrix, order, other, judgement)
            found.setdefault(name, []).append(figures(beyond, truth))
        beyond = judgement.beyond(other.values)
        likely = judgement.likely(beyond)
        found[SHIPPED][-1] |= {
            "coverage": float(likely[np.arange(len(truth)), truth].mean()),
            "set size": float(likely.sum(axis=1).mean()),
        }
    print(f"{size} accounts, {min(reviewed)} to {max(reviewed)} of them reviewed; both questions asked ", end="")
    print(f"in {len(judgements)} of {len(seeds)} seeds.\n")
    if judgements:
        show(found)
    return judgements


def show(found: dict[str, list[dict[str, float]]]) -> None:
    """A table of means over the seeds, with the shipped model's lead (± its standard error, paired by seed)."""
    shipped = found[SHIPPED]
    print("| | kappa | ranked probability score | shipped minus this | slope |\n|---|---|---|---|---|")
    for name, each in found.items():
        lead = np.array([one["rps"] - other["rps"] for one, other in zip(shipped, each, strict=True)])
        error = lead.std(ddof=1) / np.sqrt(len(lead)) if len(lead) > 1 else np.nan
        told = "" if name == SHIPPED else f"{lead.mean():+.4f} ± {error:.4f}"
        mean = {key: float(np.mean([one[key] for one in each])) for key in ("kappa", "rps", "slope")}
        slope = "" if np.isnan(mean["slope"]) else f"{mean['slope']:.2f}"
        print(f"| {name} | {mean['kappa']:.3f} | {mean['rps']:.4f} | {told} | {slope} |")
    coverage, sizes = ([one[key] for one in shipped] for key in ("coverage", "set size"))
    print(f"\nLikely stages: {np.mean(coverage):.1%} of the reviewed ones (from {min(coverage):.1%} to ", end="")
    print(f"{max(coverage):.1%} by seed), {np.mean(sizes):.2f} stages of three on average.\n")


def figures(beyond: Array, truth: Array) -> dict[str, float]:
    """Kappa, ranked probability score, and the slope of calibration over both questions (1: as sure as is right)."""
    rows = np.arange(len(truth))
    log_odds = logit(np.clip(beyond, 1e-6, 1 - 1e-6)).ravel()
    yes = (truth[:, None] > np.arange(BOTH)).ravel()
    varied = np.ptp(beyond[:, 0]) > 0
    slope = LogisticRegression(C=1e6).fit(log_odds[:, None], yes).coef_[0, 0] if varied else np.nan
    return {
        "kappa": float(weighted_kappa((beyond > 0.5).sum(axis=1), truth, np.full((1, len(rows)), 1 / len(rows)))[0]),
        "rps": float(ranked_scores(beyond)[rows, truth].mean()),
        "slope": float(slope),
    }


# What else could be


def calibrated(matrix: Matrix, order: Array, other: Matrix, judgement: Judgement) -> Array:
    """The shipped model with a calibration fitted to its predictions out of fold."""
    raw = logit(out_of_fold(matrix, order, BOTH, matrix.rows.account, SEED))[:, ::-1]
    yes = (order[:, None] > np.arange(BOTH))[:, ::-1]
    calibration = fit_calibration(raw, yes.astype(np.int8), matrix.rows.account)
    return np.asarray(expit(calibration.logits(logit(judgement.beyond(other.values))[:, ::-1]))[:, ::-1])


def continuation_ratio(matrix: Matrix, order: Array, other: Matrix, _: Judgement) -> Array:
    """P(commitment or beyond), and P(convergence given that) by another booster."""
    directions = [-one.constraint for one in matrix.indicators]
    far = order >= 1
    first = booster(matrix.values, far, directions).predict(other.values)
    second = booster(matrix.values[far], order[far] >= 2, directions).predict(other.values)
    return np.stack((first, np.asarray(first) * np.asarray(second)), axis=1)


def stacked(matrix: Matrix, order: Array, other: Matrix, _: Judgement) -> Array:
    """One booster over both questions, which of them being a further input that may only raise the answer."""

    def rows(values: Array) -> Array:
        return np.column_stack((np.repeat(values, BOTH, axis=0), np.tile([1.0, 0.0], len(values))))

    directions = [*(-one.constraint for one in matrix.indicators), 1]
    yes = (order[:, None] > np.arange(BOTH)).ravel()
    return np.asarray(booster(rows(matrix.values), yes, directions).predict(rows(other.values))).reshape(-1, BOTH)


def multinomial_booster(matrix: Matrix, order: Array, other: Matrix, _: Judgement) -> Array:
    """A booster that knows neither order nor directions."""
    parameters = {name: value for name, value in TREES.items() if "monotone" not in name}
    parameters |= {"objective": "multiclass", "num_class": BOTH + 1}
    data = lgb.Dataset(np.ascontiguousarray(matrix.values), order.astype(float), params=parameters)
    chances = np.asarray(lgb.train(parameters, data, ROUNDS).predict(other.values))
    return np.asarray(1.0 - chances.cumsum(axis=1)[:, :-1])


def booster(values: Array, yes: Array, directions: list[int]) -> lgb.Booster:
    """A small booster for one question."""
    parameters = {**TREES, "objective": "binary", "monotone_constraints": directions}
    data = lgb.Dataset(np.ascontiguousarray(values), yes.astype(float), params=parameters)
    return lgb.train(parameters, data, ROUNDS)


SHIPPED = "**ordinal, linear (shipped)**"

SCORERS: dict[str, Callable[[Matrix, Array, Matrix, Judgement], Array]] = {
    SHIPPED: lambda matrix, order, other, judgement: judgement.beyond(other.values),
    "the same, calibrated as well": calibrated,
    "continuation ratio, two boosters (before)": continuation_ratio,
    "ordinal, one stacked booster": stacked,
    "nominal, logistic": lambda matrix, order, other, _: nominal(matrix.values, order, other.values, BOTH),
    "nominal, booster": multinomial_booster,
    "structural rule": lambda matrix, order, other, _: np.tile(
        (order[:, None] > np.arange(BOTH)).mean(axis=0), (len(other), 1)
    ),
}


# Where it is going


def directions(judgements: list[tuple[int, Judgement, Reference]], fresh: Portfolio) -> None:
    """Whether the change of the expected stage tells of a change in the hidden condition; means over some models."""
    print("| accounts learned from | days | AUC, worse | told slipping: worse | unchanged | better |", end="")
    print(" told advancing: worse | unchanged | better |\n|---|---|---|---|---|---|---|---|---|")
    sizes = sorted({size for size, _, _ in judgements})
    for size in sizes:
        some = [(judgement, reference) for of, judgement, reference in judgements if of == size][:3]
        found = [told(judgement, reference, fresh) for judgement, reference in some]
        for place, span in enumerate(SPANS):
            auc, *shares = np.mean([one[place] for one in found], axis=0).tolist()
            print(f"| {size:,} | {span} | {auc:.2f} | " + " | ".join(f"{share:.0%}" for share in shares) + " |")


def told(judgement: Judgement, reference: Reference, fresh: Portfolio) -> list[list[float]]:
    """For each span: the AUC of the fall among worse against unchanged accounts, and the shares told to move.

    Worse: thriving or steady, then a mechanism of loss at work; better: the other way round; unchanged: the same.
    """
    matrix = build_matrix(fresh.history, rows_at(fresh.history, months(fresh.history)), reference=reference)
    standing = matrix.standing
    matrix = matrix.take(np.flatnonzero(standing.deals_recorded & ~standing.former & (standing.wins >= 2)))
    expected = judgement.beyond(matrix.values).sum(axis=1)
    month = np.round(matrix.rows.as_of / DAY / 30.4375).astype(int).tolist()
    keys = list(zip(matrix.account_ids, month, strict=True))
    conditions = [fresh.hidden.get(key) for key in zip(matrix.account_ids, matrix.rows.as_of.tolist(), strict=True)]
    place = {key: number for number, key in enumerate(keys)}
    well = {"thriving", "steady"}
    found = []
    for span in SPANS:
        apart = round(span / 30.4375)
        pairs = [(place[a, m - apart], now) for (a, m), now in place.items() if (a, m - apart) in place]
        pairs = [(was, now) for was, now in pairs if conditions[was] is not None and conditions[now] is not None]
        was, now = np.array(pairs).T
        change = (expected[now] - expected[was]) / (judgement.noise or np.nan)
        then, later = ([conditions[one] for one in rows.tolist()] for rows in (was, now))
        worse = np.array([a in well and b not in well for a, b in zip(then, later, strict=True)])
        better = np.array([a not in well and b in well for a, b in zip(then, later, strict=True)])
        same = np.array([a == b for a, b in zip(then, later, strict=True)])
        either = worse | same
        auc = measure(expit(-change[either]), worse[either])["auc"]
        shares = [
            (way[group]).mean()
            for way in (change <= -BEYOND_NOISE, change >= BEYOND_NOISE)
            for group in (worse, same, better)
        ]
        found.append([auc, *shares])
    return found


if __name__ == "__main__":
    main()
