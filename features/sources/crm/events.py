"""Interactions of a CRM: how calls, meetings, tasks and cases ended, and from when that could be known.

The rules:

- A record is known from its creation in the CRM on. An event of which only the day is known, and which was entered on
  that day, happened when it was entered.
- The outcome of a call or a meeting is known from its end. Meetings of which the CRM keeps no outcome count as held
  once they are over: before the last moment that the export tells of.
- A case without a closing date is closed from its last change; so is a task marked as done. Without either its outcome
  is left out.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.sources.crm.rows import UNKNOWN, Rows, at_entry

_AT_ONCE = ("meeting", "call")
_CASES = ("mistake", "request")


def settle(rows: Rows, newest: int, counts: Counter[str]) -> Rows:
    """Fill in times, durations and outcomes of rows of one kind."""
    at_entry(rows)
    kind = rows.text("kind")[0].as_py() if len(rows) else ""
    at, ended = rows.time("at"), rows.time("ended_at")
    minutes = rows.number("minutes")
    lasted = (ended != UNKNOWN) & (at != UNKNOWN) & (ended >= at) & ~rows.day("at") & ~rows.day("ended_at")
    minutes = np.where(np.isnan(minutes) & lasted, (ended - at) / 60, minutes)
    if kind in _AT_ONCE:
        rows.numbers["minutes"] = minutes
        over = np.where(lasted, ended, at + (np.nan_to_num(minutes) * 60).astype(np.int64))
        over = np.where(rows.day("at"), at + 86_399, over)
        outcome = rows.values("outcome")
        if rows.part.over:
            outcome[(outcome == "") & (over <= newest)] = rows.part.over
        rows.texts["outcome"] = pa.array(outcome, pa.string())
        rows.times["outcome_recorded_at"] = np.where(outcome != "", over, UNKNOWN)
        return rows
    if kind in _CASES:
        return _cases(rows, kind)
    if kind == "commitment":
        return _commitments(rows, counts)
    return rows


def _cases(rows: Rows, kind: str) -> Rows:
    resolved, day = rows.time("resolved_at"), rows.day("resolved_at")
    flag = rows.flag("closed")
    closed = np.where(flag == -1, resolved != UNKNOWN, flag == 1)
    resolved = np.where(closed, np.where(resolved == UNKNOWN, rows.time("updated_at"), resolved), UNKNOWN)
    known = np.where(day & (resolved != UNKNOWN), resolved + 86_399, resolved)
    rows.times["resolved_at"], rows.times["outcome_recorded_at"] = resolved, known
    if kind == "request":
        granted = pc.if_else(pa.array(closed & (resolved != UNKNOWN)), rows.text("outcome"), "open")
        rows.texts["outcome"] = pc.if_else(pa.array(closed & (resolved == UNKNOWN)), "", granted)
    return rows


def _commitments(rows: Rows, counts: Counter[str]) -> Rows:
    resolved, day = rows.time("resolved_at"), rows.day("resolved_at")
    done = rows.values("outcome") == "kept"
    known = np.where(day & (resolved != UNKNOWN), resolved + 86_399, resolved)
    known = np.where(done, np.where(known == UNKNOWN, rows.time("updated_at"), known), UNKNOWN)
    undated = done & (known == UNKNOWN)
    counts["tasks done of which nothing tells when"] += int(undated.sum())
    rows.times["outcome_recorded_at"] = known
    rows.texts["outcome"] = pc.if_else(pa.array(undated), "", rows.text("outcome"))
    return rows
