"""The rows written of an account's life, and what of them still waits for an end."""

from typing import NamedTuple

from training.simulation.compiling import compiled
from training.simulation.records import Ints, Records

MOST_PENDING = 96

ROWS, DEALS, REVIEWS, LEAVINGS, SNAPSHOTS, THREADS, PENDING, LAST_THEIRS, LAST_OURS = range(9)
N_COUNTERS = 9
ITEM, ABOUT, SINCE, DUE = range(4)


class Diary(NamedTuple):
    """What the account does: the rows written, and what of them still waits for an end."""

    rows: Records
    pending: Ints
    """[MOST_PENDING, (item, row it is about, day it began, day it is due or -1)]"""
    used: Ints
    """How many of each list are in use, ROWS … PENDING; then the rows of the last touch of either side, or -1."""


@compiled
def write(diary: Diary, account: int, at: int, kind: int, actor: int, contact: int) -> int:
    place = int(diary.used[ROWS])
    diary.used[ROWS] = place + 1
    row = diary.rows[place]
    row["account"] = account
    row["at"] = at
    row["kind"] = kind
    row["actor"] = actor
    row["contact"] = contact
    return place


@compiled
def wait(diary: Diary, item: int, row: int, since: int, due: int) -> None:
    place = diary.used[PENDING]
    if place < MOST_PENDING:
        waiting = diary.pending[place]
        waiting[ITEM], waiting[ABOUT], waiting[SINCE], waiting[DUE] = item, row, since, due
        diary.used[PENDING] = place + 1


@compiled
def drop(diary: Diary, place: int) -> None:
    """Take an item off the list; the last one moves to its place."""
    last = diary.used[PENDING] - 1
    for field in range(diary.pending.shape[1]):
        diary.pending[place, field] = diary.pending[last, field]
    diary.used[PENDING] = last


@compiled
def new_thread(diary: Diary) -> int:
    thread = int(diary.used[THREADS])
    diary.used[THREADS] = thread + 1
    return thread
