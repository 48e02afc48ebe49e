"""A pipeline whose outcomes cannot be predicted: training declines, and no skill is found where there is none.

    .venv/bin/python docs/benchmarks/deal_null.py DATA

DATA is the folder of the Maven Analytics CRM sales opportunities (``sales_pipeline.csv``): fictitious deals that were
won or lost whatever their account did, without contract ends. First `rapport train` is asked for a model of switching,
by both definitions of lost. Then every deal with an account is a row as of its opening: will it be lost? What ships
(the whole fit, usual settings) and a logistic regression learn from the deals that were closed before a day and are
tested on those opened from then on, and once more across accounts.
Whatever skill they show would be leakage: what became of the deal itself stands in the same tables.

The share that is lost depends on the month of opening (19 % at the beginning, 45 % in some months), and counts of past
deals tell the month. Scores are therefore also compared within the month alone, by their rank there.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.histories.history import History, code
from features.histories.log import NEVER, Array
from features.histories.tables import DEALS
from features.matrix import Matrix, Rows, build_matrix, snapshots
from features.measuring import measure_portfolio
from features.own_columns import own_columns
from features.reference import Reference
from features.sources.files import read_tables
from features.sources.gathering import ImportOptions
from features.sources.importing import import_to_folder
from training.entries import Entries
from training.evaluation import compare
from training.fitting import fit
from training.outcomes import CannotTrain, Outcomes
from training.preparing import TrainOptions
from training.train import train
from training.tuning import USUAL

MAPPING = Path(__file__).with_name("maven.toml")
TEST_FROM = int(np.datetime64("2017-08-01", "s").astype(np.int64))
SHARES = 5


def main() -> None:
    """Import, try to train, and run the null test."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "tables"
        summary = import_to_folder([options.data], folder, ImportOptions(MAPPING))
        counts = summary.counts["deals"]
        print(f"{counts.read:,} deals read, {counts.rejected:,} turned away, {counts.kept:,} kept\n")
        for definition in ("contract", "silence"):
            try:
                train(folder, TrainOptions(definition=definition))
            except CannotTrain as declined:
                print(f"`{definition}`: {declined}\n")
        history = History.from_tables(read_tables(folder))
    null_test(history)


def null_test(history: History) -> None:
    """Print the AUC of two kinds of models for "this deal will be lost", with intervals over accounts."""
    matrix, lost, closed = deals_as_rows(history)
    account, as_of = matrix.rows.account, matrix.rows.as_of
    print(f"{len(matrix):,} closed deals of {len(np.unique(account))} accounts, {lost.mean():.0%} lost\n")
    print("| AUC of the lost deals (95 % over accounts) | deals | what ships | logistic |\n|---|---|---|---|")
    learn, test = closed < TEST_FROM, as_of >= TEST_FROM
    later = scores(matrix, lost, closed, learn, test)
    share = np.random.default_rng(7).permutation(int(account.max()) + 1)[account] % SHARES
    found = np.empty((2, len(lost)))
    for one in range(SHARES):
        found[:, share == one] = scores(matrix, lost, closed, share != one, share == one)
    month = as_of.astype("datetime64[s]").astype("datetime64[M]")
    for what, risks, rows in (
        ("opened after all that was learned from had closed", later, np.flatnonzero(test)),
        ("of accounts that were not learned from", found, np.arange(len(lost))),
    ):
        report(what, risks, lost[rows], account[rows])
        ranks = [rank_within(one, month[rows]) for one in risks]
        report(f"{what}, within the month of opening", ranks, lost[rows], account[rows])


def deals_as_rows(history: History) -> tuple[Matrix, Array, Array]:
    """A row for each closed deal as of its opening, whether it was lost, and when it closed."""
    deals = history.deals.where(history.deals["closed_at"] < NEVER)
    order = np.lexsort((deals["opened_at"], deals.segment))
    opened, closed, account = deals["opened_at"][order], deals["closed_at"][order], deals.segment[order]
    (loss,) = code(DEALS, "outcome", "lost")
    months = snapshots(int(opened.min()), int(closed.max()))
    reference = Reference(measure_portfolio(history, months), own_columns(history)[0])
    matrix = build_matrix(history, Rows(account, opened), reference=reference)
    return matrix, deals["outcome"][order] == loss, closed


def scores(matrix: Matrix, lost: Array, closed: Array, learn: Array, test: Array) -> tuple[Array, Array]:
    """Risks of the tested rows by what ships and by a logistic regression on the same matrix."""
    values, days_to_end = matrix.values, matrix.standing.days_to_end
    labels = lost.astype(np.int8)[:, None]
    outcomes = Outcomes((1,), np.ones(len(lost), dtype=bool), labels, closed[:, None], 0, 0)
    entries = Entries(matrix, outcomes, learn[:, None], matrix.rows.account, False)
    model = fit(entries, USUAL, "contract", members=0).model
    shipped = model.risk(values[test], days_to_end[test])[:, 0]
    known = ~np.isnan(values[learn]).all(axis=0)
    usual = np.nanmedian(values[learn][:, known], axis=0)
    inputs = np.where(np.isnan(values[:, known]), usual, values[:, known])
    logistic = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    return shipped, logistic.fit(inputs[learn], lost[learn]).predict_proba(inputs[test])[:, 1]


def rank_within(scores: Array, month: Array) -> Array:
    """The rank (0 to 1, ties alike) of each score among those of its month."""
    ranks = np.empty(len(scores))
    for one in np.unique(month):
        here = month == one
        ranks[here] = (rankdata(scores[here]) - 0.5) / here.sum()
    return ranks


def report(what: str, risks: Sequence[Array], lost: Array, account: Array) -> None:
    """One line of the table."""
    measured, _ = compare(dict(zip(("shipped", "logistic"), risks, strict=True)), lost, account)
    cells = [f"{one['auc'].value:.3f} ({one['auc'].low:.3f} to {one['auc'].high:.3f})" for one in measured.values()]
    print(f"| {what} | {len(lost):,} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
