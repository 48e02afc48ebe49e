"""Spells of being a client under contract, read from the deals: when each began, and when and how it ended.

This is the `contract` definition of "lost". It serves two masters: the structural facts of the matrix (is
this account at risk, is it a former client) and the labels of training. Both may use it because it is
causal: what happens after a moment never changes what the spells say of that moment and before.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, Log, among, rows_where
from features.histories.tables import DEALS
from features.kernel import compiled

GRACE_DAYS = 60
"""A contract that ended is given this many days for the next win, before the client counts as lost."""

COMPETING_REASONS = frozenset({"no_further_need", "spread_work", "insolvent"})
"""Reasons for a lost renewal that are not switching: they end the observation, unless counted as losses by
option."""


@dataclass(frozen=True)
class Spells:
    """Spells sorted by (account, began); one account's spells do not overlap.

    ``account`` int32: the segment of the deals' log. ``began`` int64 seconds: when the first contract was
    won. ``lost_at``: when the client switched, ``NEVER`` if it did not. ``ended``: when the observation
    ended without switching, ``NEVER`` if it did not; ``left`` bool: it then ended because the client left
    for a reason that is no switching (else because the client bought on without a recorded contract end, so
    that nothing shows when it leaves).

    A lapse (``lost_at`` = contract's end + 60 days) may lie in the future of the deals: it is true of a
    moment t only once ``lost_at <= t``, because a win may still come before.
    """

    account: Array
    began: Array
    lost_at: Array
    ended: Array
    left: Array

    def at(self, account: Array, moment: Array) -> tuple[Array, Array]:
        """Whether each (account, moment) is *at risk* and whether it is *former*: two bool arrays.

        At risk: within a spell. Former: the last spell ended by a loss of either kind, and the client has
        not come back. An account that never had a contract with a recorded end is neither.
        """
        latest = self.latest(account, moment)
        none = latest < 0
        if not len(self.account):
            return np.zeros(len(latest), dtype=bool), np.zeros(len(latest), dtype=bool)
        lost = self.lost_at[latest] <= moment
        ended = self.ended[latest] <= moment
        at_risk = ~none & ~lost & ~ended
        former = ~none & (lost | (ended & self.left[latest]))
        return at_risk, former

    def latest(self, account: Array, moment: Array) -> Array:
        """The place of the last spell that had begun by each (account, moment); -1 where there is none."""
        key = self.account.astype(np.int64) * (2 * NEVER) + self.began
        wanted = np.asarray(account).astype(np.int64) * (2 * NEVER) + np.asarray(moment)
        latest = np.searchsorted(key, wanted, side="right") - 1
        same = (latest >= 0) & (self.account[latest] == account) if len(key) else np.zeros(len(wanted), bool)
        return np.where(same, latest, -1)


def contract_spells(deals: Log, count_as_lost: Collection[str] = frozenset()) -> Spells:
    """The spells of every segment of ``deals``, in one pass over the deals in the order in which they closed.

    A contract is a won deal with ``ends_on``. A spell begins with the first contract and ends in one of
    these ways:

    - a renewal is lost while at most the contract it would have renewed runs, that is while no *other* one
      does: at that moment. A contract that is signed but has not begun runs, too;
    - the last contract's end + 60 days passes, and no deal was won after that contract: at that moment. A
      win at the very moment still counts. A contract signed after its own end ends when it was signed;
    - as the first, but for a reason in ``COMPETING_REASONS`` that ``count_as_lost`` does not name: the
      observation ends;
    - as the second, but a deal without ``ends_on`` was won since: the observation ends, because no end is
      known of that.

    The next contract begins a new spell. If a lost client comes back by a deal without ``ends_on``, a spell
    of no length says so: it is no longer a former client, but cannot be observed either.

    ``deals`` holds one version of each deal, and the outcome is read as known from ``closed_at`` on.
    Unknown names in ``count_as_lost`` raise ValueError.
    """
    unknown = sorted(set(count_as_lost) - COMPETING_REASONS)
    if unknown:
        raise ValueError(f"count_as_lost: {unknown} not allowed; allowed are {sorted(COMPETING_REASONS)}")
    won_code, lost_code = code(DEALS, "outcome", "won", "lost")
    (renewal,) = code(DEALS, "kind", "renewal")
    spared = code(DEALS, "lost_reason", *sorted(COMPETING_REASONS - set(count_as_lost)))

    closed, ends = deals["closed_at"], deals["ends_on"]
    won = deals["outcome"] == won_code
    lost = (deals["outcome"] == lost_code) & (deals["kind"] == renewal)
    used = rows_where((won | lost) & (closed < NEVER))
    rank = lost.astype(np.int8) * 2 + (ends < NEVER)  # in the same second: wins before losses, dated ones last
    used = used[np.lexsort((rank[used], closed[used], deals.segment[used]))]
    reason_is_spared = among(deals["lost_reason"], spared)[used]
    return Spells(*_walk(deals.segment[used], closed[used], ends[used], won[used], reason_is_spared))


@compiled
def _walk(
    segment: Array, closed: Array, ends: Array, won: Array, spared: Array
) -> tuple[Array, Array, Array, Array, Array]:
    grace = GRACE_DAYS * DAY
    rows = len(segment)
    account = np.empty(rows, np.int32)
    began, lost_at, ended = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int64)
    left = np.empty(rows, np.bool_)
    spells = 0
    first = 0
    while first < rows:
        last = first
        while last < rows and segment[last] == segment[first]:
            last += 1
        running = False  # a spell is open, and is the latest one
        known = False  # this account has had a spell
        end = -NEVER  # of the last contract
        bought_on = False  # a deal without an end was won after the last contract
        for row in range(first, last + 1):
            now = closed[row] if row < last else NEVER
            if running and end + grace < now:
                if bought_on:
                    ended[spells - 1] = end + grace
                else:
                    lost_at[spells - 1] = end + grace
                running = False
            if row == last:
                break
            dated = ends[row] < NEVER
            if won[row]:
                if not running and (dated or known):
                    account[spells], began[spells], left[spells] = segment[row], now, False
                    lost_at[spells], ended[spells] = NEVER, NEVER if dated else now
                    spells += 1
                    running, known = dated, True
                if not dated:
                    bought_on = True
                elif max(ends[row], now) >= end:
                    end, bought_on = max(ends[row], now), False
            elif running:
                contracts = 0
                for other in range(first, row):
                    contracts += won[other] and ends[other] < NEVER and max(ends[other], closed[other]) > now
                if contracts <= 1:
                    running = False
                    if spared[row]:
                        ended[spells - 1], left[spells - 1] = now, True
                    else:
                        lost_at[spells - 1] = now
        first = last
    return account[:spells], began[:spells], lost_at[:spells], ended[:spells], left[:spells]
