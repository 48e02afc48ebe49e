"""Where an account stands as of t by plain facts: under contract or not, wins, silence, value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from features.facts import Facts, facts
from features.frame import PLACE, Frame
from features.histories.attributes import attribute
from features.histories.conversations import CLIENT, Conversations, conversations
from features.histories.history import History, code
from features.histories.log import DAY, NEVER, Array, rows_where
from features.histories.spells import contract_spells
from features.histories.tables import INTERACTIONS
from features.signals.contracts import contracts

(_ORDER,) = code(INTERACTIONS, "kind", "order")


@dataclass(frozen=True)
class Standing:
    """Structural facts of each row (account, as_of), arrays of one length.

    ``wins`` int64: deals won and days with orders (stage: none courting, one contract, more continuation or beyond);
    ``deals_recorded`` bool: any deal or order is known of the account; ``at_risk`` and ``former`` bool: under contract
    and not lost, or lost and not come back (tables.md, `contract`); ``own_touches`` int64 and ``silent_days`` float64
    (NaN if none): the client's touches and orders; ``value`` float64: money per year, contracted, else ordered in 365
    days, else the account's potential, else NaN; ``days_to_end`` float64: to the end of the last contract won.
    """

    wins: Array
    deals_recorded: Array
    former: Array
    at_risk: Array
    own_touches: Array
    silent_days: Array
    value: Array
    days_to_end: Array

    def take(self, index: Array) -> Standing:
        """The rows at ``index``."""
        return Standing(*(getattr(self, field.name)[index] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Standing]) -> Standing:
        """The standing of all rows, from those of parts one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def own_acts(frame: Frame) -> Facts:
    """Everything the client did of its own: its touches and its orders."""
    return _acts(frame.history, frame.derived(conversations))


def own_act_times(history: History) -> tuple[Array, Array]:
    """Segment int and time int64 of each touch or order of the client, sorted by both.

    The outcome `silence` is the absence of these in ``(t, t + N]``.
    """
    acts = _acts(history, conversations(history))
    return acts.segment, acts.at


def _acts(history: History, linked: Conversations) -> Facts:
    own = (linked.touches.side & CLIENT) > 0
    log = history.interactions
    orders = rows_where(log["kind"] == _ORDER)
    segment = np.concatenate((linked.touches.segment[own], log.segment[orders]))
    return facts(history.segments, segment, np.concatenate((linked.touches.at[own], log["at"][orders])))


def order_days(frame: Frame) -> Facts:
    """One fact for each day with an order, at the day's first."""
    log = frame.history.interactions
    orders = rows_where(log["kind"] == _ORDER)
    segment, at = log.segment[orders], log["at"][orders]
    day = at // DAY
    new_day = np.ones(len(orders), dtype=bool)
    new_day[1:] = (segment[1:] != segment[:-1]) | (day[1:] != day[:-1])
    return facts(frame.history.segments, segment[new_day], at[new_day])


def order_amounts(frame: Frame) -> Facts:
    """The money of each order, in whole cents."""
    log = frame.history.interactions
    orders = rows_where((log["kind"] == _ORDER) & ~np.isnan(log["amount"]))
    cents = np.round(log["amount"][orders] * 100).astype(np.int64)
    return facts(frame.history.segments, log.segment[orders], log["at"][orders], cents)


def standing(frame: Frame) -> Standing:
    """The standing of every row of a frame."""
    record = contracts(frame)
    acts, days = frame.sums(own_acts), frame.sums(order_days)
    spells = contract_spells(frame.history.deals)
    at_risk, former = spells.at(frame.segment, frame.as_of)
    ordered = frame.sums(order_amounts)
    year = PLACE["365d"]
    bought = np.where(ordered.count[year] > 0, ordered.total[year] / 100, np.nan)
    value = np.where(np.isnan(record.running), bought, record.running)
    value = np.where(np.isnan(value), potential(frame), value)
    return Standing(
        wins=record.won + days.count[PLACE["all"]],
        deals_recorded=(record.opened + days.count[PLACE["all"]]) > 0,
        former=former,
        at_risk=at_risk,
        own_touches=acts.count[PLACE["all"]],
        silent_days=frame.days_since(acts.last),
        value=value,
        days_to_end=np.where(record.ends_on == NEVER, np.nan, (record.ends_on - frame.as_of) / DAY),
    )


def potential(frame: Frame) -> Array:
    """float64 (rows,): the potential of each account as of t, by the latest row valid then; NaN if unknown."""
    return attribute(frame.history.attributes, "potential", frame.segment, frame.as_of)
