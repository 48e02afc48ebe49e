"""Many accounts walked: the records of a whole portfolio, and the risk at each month start."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.simulation import records
from training.simulation.behaviour import build_behaviour
from training.simulation.chain import LAPSE, N_STATES, N_TYPES, Floats, build_chain
from training.simulation.diary import MOST_PENDING, N_COUNTERS, Diary
from training.simulation.drawing import working_day
from training.simulation.records import Ints, Records
from training.simulation.truth import loss_chances, risk
from training.simulation.walk import Calendar, Ledger, Model, live

OBSERVED_UNTIL = np.datetime64("2026-07-01T00:00:00", "s")
"""The end of observation, always the same: a simulation must not depend on the day it is run."""

CHUNK = 200
"""Accounts that share a random stream, and the walk's buffers."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Portfolio:
    """What happened to a portfolio, as records (see records.py). Times count from `observed_from`."""

    observed_from: np.datetime64
    days: int
    types: Ints
    contacts: Ints
    first_days: Ints
    rows: Records
    deals: Records
    reviews: Records
    leavings: Records
    client_days: int
    """Days at risk, over all accounts."""
    snapshots: Records
    posterior: Floats
    """[snapshots, states]: the filter's chances of the state; empty without the truth."""
    true_risk: Floats
    """[snapshots, horizons]: knowing the state; empty without the truth."""
    knowable_risk: Floats
    """[snapshots, horizons]: knowing only what could be observed; empty without the truth."""


def month_starts(observed_from: np.datetime64, days: int) -> NDArray[np.bool_]:
    """[days + 1]: whether the midnight that many days after `observed_from` begins a month."""
    dates = observed_from.astype("M8[D]") + np.arange(days + 1)
    starts: NDArray[np.bool_] = dates == dates.astype("M8[M]").astype("M8[D]")
    return starts


def walk_portfolio(
    accounts: int, years: int, seed: int, *, truth: bool = True, progress: Progress | None = None
) -> Portfolio:
    """Simulate `accounts` over the `years` before OBSERVED_UNTIL; the same arguments give the same portfolio.

    Raises:
        ValueError: accounts outside 1 to 1,000,000, years outside 1 to 30, or a negative seed.
    """
    for name, value, low, high in (("accounts", accounts, 1, 1_000_000), ("years", years, 1, 30)):
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}; allowed is {low} to {high}")
    if seed < 0:
        raise ValueError(f"seed is {seed}; allowed is 0 or more")

    until = OBSERVED_UNTIL.astype("M8[D]")
    observed_from = (OBSERVED_UNTIL.astype("M8[M]") - 12 * years).astype("M8[D]")
    days = int((until - observed_from).astype(np.int64))
    first_weekday = int((observed_from.astype(np.int64) + 3) % 7)  # 1970-01-01 was a Thursday
    calendar = Calendar(days, first_weekday, month_starts(observed_from, days))
    model = Model(build_chain(), build_behaviour())

    n_chunks = -(-accounts // CHUNK)
    seeds = np.random.SeedSequence(seed).spawn(n_chunks)
    size = CHUNK * (2 * days + 1000)
    n_snapshots = CHUNK * (days // 28 + 2)
    diary = Diary(np.empty(size, records.ROW), np.empty((MOST_PENDING, 4), np.int64), np.zeros(N_COUNTERS, np.int64))
    ledger = Ledger(
        np.empty(CHUNK * (days // 10 + 20), records.DEAL),
        np.empty(CHUNK * (days // 100 + 4), records.STAGE_REVIEW),
        np.empty(CHUNK * (days // 100 + 4), records.LEAVING),
        np.empty(n_snapshots, records.SNAPSHOT),
        np.empty((n_snapshots if truth else 0, N_STATES)),
    )
    lists = (diary.rows, *ledger[:4])
    for each in lists:
        _blank(each)

    kept: list[list[Records]] = [[] for _ in lists]
    posteriors: list[Floats] = []
    drawn: list[tuple[Ints, Ints, Ints]] = []
    client_days = rows_before = 0
    for chunk, chunk_seed in enumerate(seeds):
        rng = np.random.Generator(np.random.PCG64(chunk_seed))
        before, number = chunk * CHUNK, min(CHUNK, accounts - chunk * CHUNK)
        # Drawn for a full chunk, so that a larger portfolio begins with the accounts of a smaller one.
        types = rng.choice(N_TYPES, CHUNK, p=model.chain.type_shares)
        contacts = rng.integers(2, 7, CHUNK)
        early = rng.random(CHUNK) < 0.4
        first_days = (rng.random(CHUNK) * np.where(early, 0.08, 0.85) * days).astype(np.int64)
        reviewed = rng.random(CHUNK) < 0.45
        diary.used[:5] = 0
        for place in range(number):
            first_days[place] = working_day(int(first_days[place]), first_weekday)
            client_days += live(
                rng,
                model,
                calendar,
                diary,
                ledger,
                before + place,
                int(types[place]),
                int(contacts[place]),
                int(first_days[place]),
                bool(reviewed[place]),
                truth,
            )
        drawn.append((types[:number], contacts[:number], first_days[:number]))
        used = diary.used[:5].tolist()
        for parts, each, count in zip(kept, lists, used, strict=True):
            parts.append(each[:count].copy())
            _blank(each[:count])
        posteriors.append(ledger.posterior[: used[4]].copy())
        rows = kept[0][-1]
        for name in ("reply_to", "about"):
            rows[name][rows[name] >= 0] += rows_before
        rows_before += rows.size
        if progress is not None:
            progress(before + number, accounts)

    snapshots, posterior = np.concatenate(kept[4]), np.concatenate(posteriors)
    true_risk, knowable_risk = _risks(model, snapshots, posterior) if truth else (np.empty((0, 0)), np.empty((0, 0)))
    return Portfolio(
        observed_from=observed_from.astype("M8[s]"),
        days=days,
        types=np.concatenate([part[0] for part in drawn]),
        contacts=np.concatenate([part[1] for part in drawn]),
        first_days=np.concatenate([part[2] for part in drawn]),
        rows=np.concatenate(kept[0]),
        deals=np.concatenate(kept[1]),
        reviews=np.concatenate(kept[2]),
        leavings=np.concatenate(kept[3]),
        client_days=client_days,
        snapshots=snapshots,
        posterior=posterior,
        true_risk=true_risk,
        knowable_risk=knowable_risk,
    )


def _blank(records_: Records) -> None:
    """Nothing recorded in any field."""
    for name in records_.dtype.names or ():
        records_[name] = -1


def _risks(model: Model, snapshots: Records, posterior: Floats) -> tuple[Floats, Floats]:
    """True and knowable risk, each [snapshots, horizons]."""
    chances = loss_chances(model.chain)
    days, is_open, state = snapshots["days_to_end"] - LAPSE, snapshots["renewal_open"], snapshots["state"]
    true, knowable = [], []
    for by_cause in chances:
        switching, otherwise = by_cause[0, is_open, days], by_cause[1, is_open, days]
        each = np.arange(state.size), state
        true.append(risk(switching[each], otherwise[each]))
        knowable.append(risk((posterior * switching).sum(axis=1), (posterior * otherwise).sum(axis=1)))
    return np.stack(true, axis=1), np.stack(knowable, axis=1)
