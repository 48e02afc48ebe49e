"""The same mail or meeting told of by two systems: one of them counts.

Two rows are the same event if different systems (``source``) tell of it at the same account and

- both carry the same ``shared_id`` (of mails the Message-ID); or, where not both carry one,
- mails have the same person, the same side and times less than a minute apart, and meetings starts less than a minute
  apart and no two different persons (who called a meeting, CRMs do not tell).

By the second rule each row is the same as one row of another system at most, so that two mails within a minute stay
two. Rows of one and the same system are never taken for the same event, nor are rows that name no system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import distinct
from features.histories.tables import INTERACTIONS
from features.sources.readers import Array
from features.sources.settling import known_moments

WITHIN = 60
"""Seconds: only events nearer to each other than this may be the same without an id to tell it."""

MAIL, CALENDAR = "mail", "calendar"
"""The systems that know most of mails, and most of when meetings are."""

SAME_ID = "same id in both"
SAME_MINUTE = {"message": "same account, person, side and minute", "meeting": "same account and start, nobody else"}

SCHEMA = pa.schema([(name, pa.string()) for name in ("interaction_id", "source", "kept_id", "kept_source", "because")])
"""Interactions that are left out, those that count in their place, and why they are taken for the same."""

_TOLD = ("interaction_id", "account_id", "kind", "at", "actor", "source")
_MAY_BE_TOLD = ("contact_id", "shared_id", "channel", "outcome")


@dataclass(frozen=True, slots=True)
class _Event:
    """A mail or meeting as one system tells of it, by the latest version of its row."""

    interaction_id: str
    account_id: str
    kind: str
    at: int
    actor: str
    source: str
    contact_id: str | None
    shared_id: str | None
    channel: str | None
    outcome: str | None

    def rank(self) -> tuple[int, str, str]:
        """The lower, the sooner it is the one that counts.

        A mailbox tells more of mails than any other. What became of a meeting tells best who noted it down, and when it
        is the calendar.
        """
        if self.kind == "message":
            place = 0 if self.source == MAIL else 1
        elif self.source == CALENDAR:
            place = 1
        else:
            place = 2 if self.outcome is None else 0
        return place, self.source, self.interaction_id

    def may_be(self, other: _Event) -> bool:
        """Whether it may be the same as another event of the same account and kind at the same time."""
        if self.source == other.source or (self.shared_id is not None and other.shared_id is not None):
            return False
        if self.kind == "meeting":
            return self.contact_id == other.contact_id or None in (self.contact_id, other.contact_id)
        if self.contact_id is None or (self.contact_id, self.actor) != (other.contact_id, other.actor):
            return False
        return self.channel == other.channel or None in (self.channel, other.channel)


def told_twice(interactions: pa.Table) -> pa.Table:
    """The interactions for which another system's row stands (``SCHEMA``), in the order of their ids."""
    if "source" not in interactions.column_names or pc.count_distinct(interactions["source"]).as_py() < 2:
        return SCHEMA.empty_table()
    rows = _mails_and_meetings(interactions)
    found = dict[str, tuple[_Event, _Event, str]]()
    for group in _groups(rows, _same_id(rows)):
        best = min(group, key=_Event.rank)
        others = [event for event in group if event.source != best.source]
        found.update((event.interaction_id, (event, best, SAME_ID)) for event in others)
    rows = rows.filter(pc.invert(pc.is_in(rows["interaction_id"], pa.array(list(found), pa.string()))))
    for group in _groups(rows, _same_time(rows)):
        for same in _same(group):
            best = min(same, key=_Event.rank)
            others = [event for event in same if event is not best]
            found.update((event.interaction_id, (event, best, SAME_MINUTE[event.kind])) for event in others)
    return _listed(found)


def left_out(interactions: pa.Table, told: pa.Table) -> pa.Table:
    """The interactions without those that ``told_twice`` lists; what names one of them names the one that counts."""
    if not len(told):
        return interactions
    gone, kept = told["interaction_id"].combine_chunks(), told["kept_id"].combine_chunks()
    interactions = interactions.filter(pc.invert(pc.is_in(interactions["interaction_id"], gone)))
    for name in ("reply_to", "about_id"):
        if name in interactions.column_names:
            place = pc.index_in(interactions[name], gone)
            values = pc.if_else(pc.is_valid(place), kept.take(place), interactions[name])
            interactions = interactions.set_column(interactions.column_names.index(name), name, values)
    return interactions


def _listed(found: dict[str, tuple[_Event, _Event, str]]) -> pa.Table:
    lines = []
    for gone in sorted(found):
        event, best, because = found[gone]
        while best.interaction_id in found:  # what counted for one system is left out for another
            best = found[best.interaction_id][1]
        lines.append((gone, event.source, best.interaction_id, best.source, because))
    columns = zip(*lines, strict=True) if lines else [()] * len(SCHEMA)
    return pa.table([pa.array(values, pa.string()) for values in columns], SCHEMA)


def _mails_and_meetings(interactions: pa.Table) -> pa.Table:
    """The latest version of each mail and meeting whose system is named."""
    kinds = pc.is_in(interactions["kind"].cast(pa.string()), pa.array(list(SAME_MINUTE)))
    places = np.flatnonzero(pc.and_(kinds, pc.is_valid(interactions["source"])).to_numpy())
    names = [name for name in (*_TOLD, *_MAY_BE_TOLD) if name in interactions.column_names]
    known = known_moments(INTERACTIONS, interactions)[places]
    rows = interactions.select(names).take(pa.array(places))
    _, thing = distinct(rows.select(["interaction_id"]))
    order = np.lexsort((known, thing))
    last = order[np.append(np.diff(thing[order]) != 0, True)] if len(order) else order
    rows = rows.take(pa.array(np.sort(last)))
    for name in _MAY_BE_TOLD:
        if name not in names:
            rows = rows.append_column(name, pa.nulls(len(rows), pa.string()))
    return rows


def _same_id(rows: pa.Table) -> Array:
    """int64 (rows,): a number for each account, kind and shared id; -1 where there is none."""
    _, group = distinct(rows.select(["account_id", "kind", "shared_id"]))
    return np.where(pc.is_valid(rows["shared_id"]).to_numpy(), group, -1)


def _same_time(rows: pa.Table) -> Array:
    """int64 (rows,): a number for each run of events of an account (of mails: and a person) that are close in time."""
    message = pc.equal(rows["kind"].cast(pa.string()), "message")
    person = pc.if_else(message, rows["contact_id"], None)
    side = pc.if_else(message, rows["actor"].cast(pa.string()), None)
    _, key = distinct(pa.table({"account": rows["account_id"], "kind": rows["kind"], "person": person, "side": side}))
    at = rows["at"].cast(pa.int64()).to_numpy()
    order = np.lexsort((at, key))
    apart = (np.diff(key[order]) != 0) | (np.diff(at[order]) >= WITHIN)
    group = np.empty(len(rows), dtype=np.int64)
    group[order] = np.cumsum(np.concatenate(([0], apart))) if len(order) else 0
    return group


def _groups(rows: pa.Table, group: Array) -> Iterator[list[_Event]]:
    """The events of each group (by number, -1 is none) of which several systems tell."""
    _, system = distinct(rows.select(["source"]))
    chosen = np.flatnonzero(group >= 0)
    pairs = np.unique(np.stack((group[chosen], system[chosen])), axis=1)
    numbers, systems = np.unique(pairs[0], return_counts=True)
    places = chosen[np.isin(group[chosen], numbers[systems > 1])]
    places = places[np.argsort(group[places], kind="stable")]
    events = _events(rows.take(pa.array(places)))
    for part in np.split(np.arange(len(places)), np.flatnonzero(np.diff(group[places])) + 1):
        if len(part):
            yield [events[place] for place in part]


def _events(rows: pa.Table) -> Sequence[_Event]:
    at = rows["at"].cast(pa.int64()).to_pylist()
    columns = {name: rows[name].to_pylist() for name in rows.column_names if name != "at"}
    return [
        _Event(at=moment, **{name: values[place] for name, values in columns.items()})
        for place, moment in enumerate(at)
    ]


def _same(events: Iterable[_Event]) -> list[list[_Event]]:
    """Those of some events close in time that are the same: the nearest first, of each system one at most."""
    pairs: list[tuple[int, _Event, _Event]] = []
    for one, other in combinations(sorted(events, key=_Event.rank), 2):
        apart = abs(one.at - other.at)
        if apart < WITHIN and one.may_be(other):
            pairs.append((apart, one, other))
    whole: dict[str, list[_Event]] = {}
    for _, one, other in sorted(pairs, key=lambda pair: (pair[0], pair[1].rank(), pair[2].rank())):
        left = whole.setdefault(one.interaction_id, [one])
        right = whole.setdefault(other.interaction_id, [other])
        if not {event.source for event in left} & {event.source for event in right}:
            left += right
            whole.update((event.interaction_id, left) for event in right)
    unique = {id(group): group for group in whole.values() if len(group) > 1}
    return list(unique.values())
