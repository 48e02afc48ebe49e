"""What the tests of judging share: entries of a random world with invented losses, and scorers that know something."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import expit

from features.histories.history import History
from features.histories.log import DAY, Array
from features.histories.tables import Dataset
from tests.features.helpers import matrix_of
from tests.features.worlds import BEGIN, random_world
from training.baselines import BASELINES
from training.entries import Entries
from training.judging import RISK, Evaluation, Making, evaluate
from training.outcomes import Outcomes
from training.segments import Parting, parted_by_name

HORIZONS = (90, 180)
ACCOUNTS, MOMENTS = 60, 12


@cache
def everything() -> tuple[Entries, Array]:
    """Rows of 60 accounts at 12 dates, whose losses are invented, and when each row's account is lost (seconds)."""
    history = History.from_records(random_world(5, accounts=ACCOUNTS, touches=12), Dataset())
    matrix = matrix_of(history, [BEGIN + (100 + 30 * month) * DAY for month in range(MOMENTS)])
    chance = np.random.default_rng(1)
    lost_at = (BEGIN + chance.uniform(100, 900, ACCOUNTS) * DAY).astype(np.int64)[matrix.rows.account]
    as_of = matrix.rows.as_of
    eligible = lost_at > as_of
    known_by = as_of[:, None] + np.array(HORIZONS) * DAY
    labels = np.where(eligible[:, None], lost_at[:, None] <= known_by, -1).astype(np.int8)
    outcomes = Outcomes(HORIZONS, eligible, labels, known_by, ACCOUNTS, 0)
    return Entries(matrix, outcomes, labels >= 0, matrix.rows.account, False), lost_at


def risks(*others: str) -> dict[str, Array]:
    """Risks (n, H) of a model that knows much, and of others that know less the later they are named."""
    entries, lost_at = everything()
    chance = np.random.default_rng(2)
    days = ((lost_at - entries.matrix.rows.as_of) / DAY)[:, None]
    noise = chance.normal(0, 1, (len(days), 1))
    return {
        name: expit((np.array(HORIZONS) - days) / 90 + (1 + 2 * place) * noise)
        for place, name in enumerate((RISK, *others))
    }


def making() -> Making:
    """As if the model had learned from the earlier half, knowing the less the fewer accounts it has."""
    entries, _ = everything()
    before = entries.only(entries.usable & (entries.matrix.rows.as_of < np.median(entries.matrix.rows.as_of))[:, None])
    scores = risks()[RISK]

    def learn(part: Entries) -> Array:
        known = len(np.unique(part.matrix.rows.account)) / ACCOUNTS
        return known * scores + (1 - known) * np.random.default_rng(3).random(scores.shape)

    return Making(before, learn, scores, np.where(before.usable, entries.outcomes.labels, -1))


@cache
def evaluation(quick: bool = False) -> Evaluation:
    """The whole judgement of the later half."""
    entries, _ = everything()
    late = entries.matrix.rows.as_of >= np.median(entries.matrix.rows.as_of)
    test = entries.only(entries.usable & late[:, None])
    return evaluate(test, risks(*BASELINES), segments(), 7, lambda step, done, whole: None, None if quick else making())


def segments() -> tuple[Parting, ...]:
    """One parting, by a name that needs escaping in a page."""
    account = everything()[0].matrix.rows.account
    names = np.array(["<b>big</b>" if one % 3 else "small" for one in account.tolist()], dtype=object)
    return (parted_by_name("industry", names, account),)
