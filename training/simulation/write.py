"""A simulated data set on disk."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from training.simulation import records as r
from training.simulation.hidden import losses, mechanisms, true_risk
from training.simulation.portfolio import OBSERVED_UNTIL, Progress, walk_portfolio
from training.simulation.tables import TIME, Dresser

DECLARATION = "dataset.toml"
RISK_FILE = "true_risk.parquet"
MECHANISM_FILE = "mechanism.parquet"
LOSSES_FILE = "losses.parquet"
README = "README.txt"
FIRST_LINE = "Everything in this folder is simulated."

_README = f"""{FIRST_LINE}

No company, person or event in it exists; any likeness is chance. It was made by `rapport simulate`, to try things out
on and to compare a model with the best that is possible. What a model reaches here says nothing of what it reaches on
real clients.

accounts.csv, contacts.csv, interactions.parquet, deals.csv, stage_reviews.csv
    canonical tables, as `rapport import` reads them
dataset.toml
    what the data set declares of itself: what it records, from when, until when, and that it is simulated
true_risk.parquet (unless left out)
    for each account that is a client at the start of a month (as_of, midnight UTC) and each horizon_days:
    true_risk      the chance that its loss (lost_at by the `contract` definition) falls in (as_of, as_of + horizon],
                   for someone who knows the hidden type and condition of the client
    knowable_risk  the same for someone who knows the whole model, but of the client only what had happened by as_of.
                   No score made from the tables can be expected to rank better.
mechanism.parquet (with true_risk.parquet)
    for each account that is a client at the start of a month (as_of): its hidden condition; the mechanism of loss at
    work and since when (both empty while it thrives or is steady); and the ids of the signals that show this mechanism
    best (drivers), and of some that it leaves as they are (irrelevant)
losses.parquet (with true_risk.parquet)
    for each client lost (lost_at): the cause (switched, lapsed, or ended otherwise), and the same columns as of then

How to read the risks. Each client has a hidden type, and a hidden condition that moves from day to day as a Markov
chain: it thrives, is steady, or is in an early or late phase of one of six mechanisms of loss: our neglect, a champion
who left, price, a grave mistake, a rival's bid, no budget. All behaviour, and the loss at a renewal, depends on them;
each mechanism shows in other things. Some clients end for want of further need or by insolvency: that is no switching,
it ends the observation. A horizon cut off that way has no label, so both risks are the chance of switching given that
it is not cut off: they match the labels. The knowable risk goes by when things happened, in every table (stage reviews
too). About one row in thirty was recorded late, by up to two weeks, so that it knows slightly more than the tables
show as of that moment.

seed {{seed}}, {{accounts}} accounts, {{years}} years
"""


@dataclass(frozen=True)
class SimulationSummary:
    """What a simulation wrote, and how its clients fared."""

    folder: Path
    accounts: int
    interactions: int
    deals: int
    stage_reviews: int
    lost: int
    """Losses as the `contract` definition counts them: switched or lapsed."""
    ended_otherwise: int
    """Ends for want of further need or by insolvency."""
    loss_rate: float
    """Losses per client and year; NaN if nobody was a client for a day."""
    snapshots: int
    """Month starts of accounts at risk; each has one true risk for each horizon."""


def simulate(
    folder: Path, accounts: int, years: int, seed: int, *, truth: bool = True, progress: Progress | None = None
) -> SimulationSummary:
    """Write a simulated portfolio as canonical tables, with the true risk unless `truth` is False.

    Observation ends at OBSERVED_UNTIL and reaches `years` back. The same arguments give the same tables.
    `progress` is called with the accounts walked so far, and all of them.

    Raises:
        ValueError: arguments out of range.
        FileExistsError: the folder holds something else than an earlier simulation, which would be replaced.
    """
    _check_free(folder)
    portfolio = walk_portfolio(accounts, years, seed, truth=truth, progress=progress)
    dresser = Dresser(portfolio, seed)
    interactions = dresser.interactions()
    with _replacing(folder) as staging:
        for name, table in (
            ("accounts", dresser.accounts()),
            ("contacts", dresser.contacts()),
            ("deals", dresser.deals()),
            ("stage_reviews", dresser.stage_reviews()),
        ):
            pyarrow.csv.write_csv(_with_written_times(table), staging / f"{name}.csv")
        _write_parquet(interactions, staging / "interactions.parquet")
        if truth:
            _write_parquet(true_risk(dresser), staging / RISK_FILE)
            _write_parquet(mechanisms(dresser), staging / MECHANISM_FILE)
            _write_parquet(losses(dresser), staging / LOSSES_FILE)
        (staging / README).write_text(_README.format(seed=seed, accounts=accounts, years=years), encoding="utf-8")
        (staging / DECLARATION).write_text(_declaration(portfolio.observed_from), encoding="utf-8")
    lost = int((portfolio.leavings["cause"] != r.ENDED_OTHERWISE).sum())
    client_years = portfolio.client_days / 365.25
    return SimulationSummary(
        folder=folder,
        accounts=accounts,
        interactions=len(interactions),
        deals=portfolio.deals.size,
        stage_reviews=portfolio.reviews.size,
        lost=lost,
        ended_otherwise=portfolio.leavings.size - lost,
        loss_rate=lost / client_years if client_years else float("nan"),
        snapshots=portfolio.snapshots.size,
    )


def _declaration(observed_from: np.datetime64) -> str:
    kinds = ", ".join(f'"{kind}"' for kind in r.KINDS)
    return (
        "# Simulated: no company, person or event in here exists.\n"
        "[dataset]\n"
        f'observed_from = "{observed_from}Z"\n'
        f'observed_until = "{OBSERVED_UNTIL}Z"\n'
        f"records = [{kinds}]\n"
        "simulated = true\n"
    )


def _with_written_times(table: pa.Table) -> pa.Table:
    """Times as ISO 8601 with their offset, as CSV holds them."""
    for place, field in enumerate(table.schema):
        if field.type == TIME:
            written = pc.strftime(table[field.name], format="%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(place, field.name, written)
    return table


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table.replace_schema_metadata({"simulated": "true"}), path, compression="zstd")


def _check_free(folder: Path) -> None:
    """A folder that holds anything but an earlier simulation is nobody's to overwrite."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    readme = folder / README
    if not (readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(FIRST_LINE)):
        raise FileExistsError(f"{folder}: exists and holds no simulation; name a new folder")


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends well, and vanishes when it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    suffix = secrets.token_hex(4)
    staging, former = (folder.with_name(f".{folder.name}.{state}-{suffix}") for state in ("new", "old"))
    staging.mkdir()
    try:
        yield staging
        if folder.exists():
            os.rename(folder, former)
        os.rename(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(former, ignore_errors=True)
