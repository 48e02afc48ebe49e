"""What became of each row: lost within each horizon, not lost, or not known.

Two definitions of lost, chosen for the portfolio: `contract` (a renewal is lost, or a contract lapses) and
`silence` (the client sends nothing of its own for N days). Who is observed is decided beside what is
observed: a row whose account is not at risk as of t is not eligible, and a row whose future is not wholly
observed is unknown, never "kept".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from features.histories.history import History
from features.histories.log import DAY, NEVER, Array, Log
from features.histories.spells import contract_spells
from features.histories.visibility import as_known
from features.matrix import Rows
from features.standing import Standing, own_act_times

MINIMUM_TOUCHES = 5
"""Touches of its own that a client must have sent before its silence means anything."""


class CannotTrain(ValueError):
    """The data do not allow this training; the message says what is missing."""


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of rows (account, t) within horizons of so many days.

    ``eligible`` bool (n,): at risk as of t. ``labels`` int8 (n, H): 1 lost in (t, t + h], 0 not, -1 unknown
    (censored, or not eligible). ``known_by`` int64 (n, H): t + h in seconds, when the label is settled,
    whatever it is. ``losses`` and ``other_ends``: how many spells ended by switching, and how many for
    another reason (which ends the observation), within what was observed.
    """

    horizons: tuple[int, ...]
    eligible: Array
    labels: Array
    known_by: Array
    losses: int
    other_ends: int


def contract_outcomes(
    history: History,
    rows: Rows,
    standing: Standing,
    horizons: Sequence[int],
    count_as_lost: Collection[str] = (),
) -> Outcomes:
    """Outcomes by the `contract` definition (``features.histories.spells``), losses named in
    ``count_as_lost`` included.

    ``history`` is the whole one, a segment for each account. An account is eligible while it is at risk by
    what was known at t and by what is known now. Raises CannotTrain where no won deal has ``ends_on``.
    """
    spells = contract_spells(_as_known_now(history).deals, count_as_lost)
    if not len(spells.account):
        raise CannotTrain(
            "the `contract` definition of lost needs contract ends: the column deals.ends_on is empty for every "
            "won deal. Fill it, or train with the `silence` definition"
        )
    until = observed_until(history)
    latest = spells.latest(rows.account, rows.as_of)
    lost_at, ended = spells.lost_at[latest], spells.ended[latest]
    at_risk = (latest >= 0) & (lost_at > rows.as_of) & (ended > rows.as_of)
    eligible = standing.at_risk & at_risk
    known_by = _known_by(rows, horizons)
    lost = lost_at[:, None] <= known_by
    unknown = (known_by > until[rows.account][:, None]) | (~lost & (ended[:, None] <= known_by))
    seen = until[spells.account]
    return Outcomes(
        tuple(horizons),
        eligible,
        _labels(lost, unknown, eligible),
        known_by,
        int((spells.lost_at <= seen).sum()),
        int((spells.left & (spells.ended <= seen)).sum()),
    )


def silence_outcomes(
    history: History, rows: Rows, standing: Standing, days: int, minimum_touches: int = MINIMUM_TOUCHES
) -> Outcomes:
    """Outcomes by the `silence` definition: no touch or order of the client's own in (t, t + days].

    Eligible is whoever had sent ``minimum_touches`` of its own by t, the last within ``days`` before t.
    """
    segment, at = own_act_times(_as_known_now(history))
    known_by = _known_by(rows, (days,))
    following = np.searchsorted(_key(segment, at), _key(rows.account, rows.as_of), side="right")
    later = np.append(at, NEVER)[following]
    same = np.append(segment, -1)[following] == rows.account
    lost = ~(same & (later <= known_by[:, 0]))[:, None]
    unknown = known_by > observed_until(history)[rows.account][:, None]
    eligible = (standing.own_touches >= minimum_touches) & (standing.silent_days <= days)
    labels = _labels(lost, unknown, eligible)
    return Outcomes((days,), eligible, labels, known_by, len(np.unique(rows.account[labels[:, 0] == 1])), 0)


def observed_until(history: History) -> Array:
    """int64 (accounts,): the end of observation of each account, as declared, else the last moment on record.

    The last moment on record is when the latest row or outcome of the whole data set became known.
    """
    declared = history.dataset.observed_until
    until = _last_on_record(history) if declared is None else declared
    by_account = history.dataset.observed_until_by
    return np.array([by_account.get(account, until) for account in history.accounts], dtype=np.int64)


def _last_on_record(history: History) -> int:
    logs: tuple[Log, ...] = (history.interactions, history.deals, history.reviews)
    # A meeting that is still to come has no outcome yet, and does not tell that anybody watched until then.
    told = [log["outcome_known"][log["outcome"] != log.missing["outcome"]] for log in logs[:2]]
    moments = [log["known"] for log in logs] + told
    everything = np.concatenate(moments)
    return int(everything[everything < NEVER].max(initial=0))


def _as_known_now(history: History) -> History:
    nothing = np.empty(0, dtype=np.int64)
    return as_known(history, nothing, nothing)[0]


def _known_by(rows: Rows, horizons: Sequence[int]) -> Array:
    known_by: Array = rows.as_of[:, None] + np.asarray(horizons, dtype=np.int64) * DAY
    return known_by


def _labels(lost: Array, unknown: Array, eligible: Array) -> Array:
    return np.where(eligible[:, None] & ~unknown, lost, -1).astype(np.int8)


def _key(account: Array, at: Array) -> Array:
    """One number that orders by account, then time."""
    key: Array = account.astype(np.int64) * (2 * NEVER) + at
    return key
