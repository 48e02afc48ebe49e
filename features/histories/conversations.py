"""Who touched whom, which touch answered which, and who began: one pass over the touches of each segment.

Definitions (indicators.md, vocabulary):

- A *touch* is a message or a call with a direction; a held meeting is a touch of both sides. Other kinds count as a
  touch of their own only where they annotate none. Automatic replies and mass mail never do; nor do kinds that are
  not something said by one side to the other (mistakes, mentions, orders, public advocacy).
- A *conversation* is the touches of one thread or, without a thread, of one contact; it closes 14 days after the
  client's last touch or 30 days after ours, whichever is later.
- A *run* is a series of touches of one side in a conversation that awaits an answer. It is answered by the first touch
  of the other side in the same thread, else by the first touch of the contact on any channel (one that belongs to
  another thread awaiting an answer excepted), within 30 days of the run's last touch.
- An *outreach* is a run of ours that opens or reopens a conversation; its first attempt succeeds if it is answered
  before we try again, and fails at the second attempt or when 30 days end. Trying on and on does not keep a
  conversation open for us: once 30 days have passed since the first touch of an unanswered run, our next one reopens it
  and begins a new run. So we cannot hide that nobody answers by never stopping.
- A call that was answered is its own answer; a missed call and a voicemail are attempts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from features import settings
from features.histories.history import History, code
from features.histories.log import Array, among, rows_where
from features.histories.tables import INTERACTIONS
from features.kernel import compiled

CLIENT, US, BOTH = 1, 2, 3
"""Sides of a touch, as bits."""

NO_WORDS = -(1 << 40)
"""The length ratio of a reply where either length is unknown."""

_CALL, _MESSAGE, _MEETING = code(INTERACTIONS, "kind", "call", "message", "meeting")
_TOUCHING = code(
    INTERACTIONS,
    "kind",
    "request",
    "advice",
    "brief",
    "delivery",
    "feedback",
    "fee",
    "gesture",
    "disclosure",
    "introduction",
    "commitment",
)
_HELD, _ANSWERED = code(INTERACTIONS, "outcome", "held", "answered")
(_CLIENT_ACTOR,) = code(INTERACTIONS, "actor", "client")


@dataclass(frozen=True)
class Touches:
    """Every touch, in order: ``row`` its place in the log, ``segment``, ``at``, ``side`` (bits), and what it opened.

    ``opens`` is true where it opened or reopened a conversation, ``first`` where that was the segment's first one;
    ``by_client`` says who acted (for a meeting: who called it), ``prompted`` whether the client was prompted to it.
    """

    row: Array
    segment: Array
    at: Array
    side: Array
    by_client: Array
    opens: Array
    first: Array
    prompted: Array


@dataclass(frozen=True)
class Answers:
    """What became of runs, one entry for each, unsorted.

    ``segment`` int32, ``at`` int64 when it was decided, ``value``: for attempts and our answers 1 or 0, for replies the
    delay in seconds from the run's first touch; ``nudged`` whether the run had more than one touch; ``ratio`` the words
    of the reply to those of the run's first touch as 1000 × log2 (NO_WORDS where unknown); ``began`` and ``touch``
    the places among the touches of the run's first one and of the one that answered (-1 where none did).
    """

    segment: Array
    at: Array
    value: Array
    nudged: Array
    ratio: Array
    began: Array
    touch: Array


@dataclass(frozen=True)
class Conversations:
    """Touches, first attempts of outreaches, the client's replies, whether we answered the client, and how fast."""

    touches: Touches
    first_attempts: Answers
    client_replies: Answers
    we_answered: Answers
    our_replies: Answers


def conversations(history: History) -> Conversations:
    """Link the touches of a history; see the module for the definitions."""
    log = history.interactions
    kind, outcome = log["kind"], log["outcome"]
    meeting = (kind == _MEETING) & (outcome == _HELD)
    standalone = log["about_id"] < 0
    touching = among(kind, _TOUCHING) & standalone
    is_touch = ((kind == _MESSAGE) | (kind == _CALL) | meeting | touching) & (log["auto"] != 1)
    row = rows_where(is_touch)
    segment, at = log.segment[row], log["at"][row]
    by_client = log["actor"][row] == _CLIENT_ACTOR
    side = np.where(meeting[row], BOTH, np.where(by_client, CLIENT, US)).astype(np.int8)
    answered = (kind[row] == _CALL) & (outcome[row] == _ANSWERED)
    words = log["words"][row]
    length = np.where(words > 0, words, 0).astype(np.int64)
    start = np.searchsorted(segment, np.arange(log.segments + 1))
    thread, contact = log["thread_id"][row], log["contact_id"][row]
    opens, first, prompted, *tables = _link(
        start,
        at,
        side,
        answered,
        _dense(thread),
        _dense(contact),
        length,
        log["prompted"][row],
        settings.CONVERSATION_AFTER_CLIENT,
        settings.CONVERSATION_AFTER_US,
        settings.REPLY_WITHIN,
        settings.PROMPTED_WITHIN,
    )
    first_attempts, client_replies, we_answered, our_replies = (Answers(*table) for table in tables)
    touches = Touches(row, segment, at, side, by_client, opens, first, prompted)
    return Conversations(touches, first_attempts, client_replies, we_answered, our_replies)


def _dense(codes: Array) -> Array:
    """Codes moved to begin at 0 (-1 stays unknown), so that the kernel's state is as small as the part it works on."""
    given = codes[codes >= 0]
    return np.where(codes >= 0, codes - (given.min() if len(given) else 0), -1).astype(np.int64)


# The columns of a run that awaits an answer.
_SIDE, _KEY, _THREAD, _CONTACT, _BEGAN, _FIRST, _LAST, _WORDS, _COUNT, _PENDING = range(10)
_FAR = -(1 << 50)


@compiled
def _emit(
    table: Array, count: int, segment: int, at: int, value: int, nudged: int, ratio: int, began: int, touch: int
) -> int:
    table[0, count] = segment
    table[1, count] = at
    table[2, count] = value
    table[3, count] = nudged
    table[4, count] = ratio
    table[5, count] = began
    table[6, count] = touch
    return count + 1


@compiled
def _keep(run: Array, r: int, kept: int) -> int:
    """Keep run r as the next of those kept; most often it lies there already."""
    if r != kept:
        run[kept] = run[r]
    return kept + 1


@compiled
def _answers(run: Array, thread: int, contact: int, in_thread: bool) -> bool:
    """Whether a touch in this thread with this contact answers the run."""
    if in_thread:
        return bool(run[_THREAD] == thread)
    return bool(contact == run[_CONTACT] or contact < 0 or run[_CONTACT] < 0)


@compiled
def _link(
    start: Array,
    at: Array,
    side: Array,
    answered: Array,
    thread: Array,
    contact: Array,
    words: Array,
    prompted_given: Array,
    after_client: int,
    after_us: int,
    within: int,
    prompted_within: int,
) -> Any:
    n = len(at)
    opens, first, prompted = np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    # Each touch begins at most one run and each run is decided once, so n entries are enough for every table.
    attempts, replies = np.empty((7, n), np.int64), np.empty((7, n), np.int64)
    handled, our_replies = np.empty((7, n), np.int64), np.empty((7, n), np.int64)
    n_attempts = n_replies = n_handled = n_our = 0

    # A conversation's key is its thread, else (after all threads) its contact, else the account's own lane.
    threads = contacts = 0
    for i in range(n):
        threads = max(threads, thread[i] + 1)
        contacts = max(contacts, contact[i] + 1)
    conversation_of = np.full(threads + contacts + 1, -1, np.int64)
    last_client = np.empty(threads + contacts + 1, np.int64)
    last_us = np.empty(threads + contacts + 1, np.int64)
    touched_in = np.full(contacts + 1, -1, np.int64)
    touched = np.empty(contacts + 1, np.int64)
    run = np.empty((n + 1, 10), np.int64)

    for s in range(len(start) - 1):
        runs = 0
        begun = 0
        for i in range(start[s], start[s + 1]):
            t = at[i]
            lane = contact[i] if contact[i] >= 0 else contacts
            key = thread[i] if thread[i] >= 0 else threads + lane

            # 1. What ran out before this touch.
            kept = 0
            for r in range(runs):
                ends = run[r, _FIRST] + within
                if run[r, _PENDING] and ends < t:
                    run[r, _PENDING] = 0
                    if run[r, _SIDE] == US:
                        n_attempts = _emit(attempts, n_attempts, s, ends, 0, 0, 0, run[r, _BEGAN], -1)
                    else:
                        n_handled = _emit(handled, n_handled, s, ends, 0, 0, 0, run[r, _BEGAN], -1)
                if run[r, _LAST] + within >= t:
                    kept = _keep(run, r, kept)
            runs = kept

            # 2. Was the client prompted, and does this open a conversation?
            own = -1
            for r in range(runs):
                if run[r, _SIDE] == side[i] and run[r, _KEY] == key:
                    own = r
            again = own >= 0 and side[i] == US and run[own, _FIRST] + after_us < t
            recently = touched[lane] if touched_in[lane] == s else _FAR
            if touched_in[contacts] == s:
                recently = max(recently, touched[contacts])
            prompted[i] = prompted_given[i] == 1 if prompted_given[i] >= 0 else recently + prompted_within >= t
            if conversation_of[key] != s:
                conversation_of[key] = s
                last_client[key] = last_us[key] = _FAR
            opens[i] = last_client[key] + after_client < t and (last_us[key] + after_us < t or again)
            if opens[i]:
                first[i] = begun == 0
                begun += 1
            if side[i] & CLIENT:
                last_client[key] = t
            if side[i] & US:
                last_us[key] = touched[lane] = t
                touched_in[lane] = s

            # 3. The run of this side goes on or begins.
            if side[i] != BOTH:
                if own >= 0 and side[i] == US and run[own, _PENDING]:
                    run[own, _PENDING] = 0
                    n_attempts = _emit(attempts, n_attempts, s, t, 0, 0, 0, run[own, _BEGAN], -1)
                if own < 0 or again:
                    if own < 0:
                        own = runs
                        runs += 1
                    run[own, _SIDE], run[own, _KEY] = side[i], key
                    run[own, _THREAD], run[own, _CONTACT] = thread[i], contact[i]
                    run[own, _BEGAN], run[own, _FIRST], run[own, _WORDS], run[own, _COUNT] = i, t, words[i], 0
                    run[own, _PENDING] = 1 if side[i] == CLIENT or opens[i] else 0
                run[own, _LAST] = t
                run[own, _COUNT] += 1

            # 4. The runs of the other side that this touch answers (an answered call answers itself).
            for awaiting in (CLIENT, US):
                if side[i] == awaiting and not answered[i]:
                    continue
                in_thread = False
                if thread[i] >= 0:
                    for r in range(runs):
                        if run[r, _SIDE] == awaiting and run[r, _THREAD] == thread[i]:
                            in_thread = True
                kept = 0
                for r in range(runs):
                    if run[r, _SIDE] != awaiting or not _answers(run[r], thread[i], contact[i], in_thread):
                        kept = _keep(run, r, kept)
                        continue
                    delay = t - run[r, _FIRST]
                    nudged = 1 if run[r, _COUNT] > 1 else 0
                    if awaiting == US:
                        ratio = NO_WORDS
                        if words[i] > 0 and run[r, _WORDS] > 0 and not answered[i]:
                            ratio = round(1000 * math.log2(words[i] / run[r, _WORDS]))
                        n_replies = _emit(replies, n_replies, s, t, delay, nudged, ratio, run[r, _BEGAN], i)
                        if run[r, _PENDING]:
                            n_attempts = _emit(attempts, n_attempts, s, t, 1, 0, 0, run[r, _BEGAN], i)
                    elif run[r, _PENDING]:
                        n_handled = _emit(handled, n_handled, s, t, 1, 0, 0, run[r, _BEGAN], i)
                        n_our = _emit(our_replies, n_our, s, t, delay, nudged, 0, run[r, _BEGAN], i)
                runs = kept

        # 5. What still waits when the log ends is decided when its 30 days end.
        for r in range(runs):
            if run[r, _PENDING]:
                ends = run[r, _FIRST] + within
                if run[r, _SIDE] == US:
                    n_attempts = _emit(attempts, n_attempts, s, ends, 0, 0, 0, run[r, _BEGAN], -1)
                else:
                    n_handled = _emit(handled, n_handled, s, ends, 0, 0, 0, run[r, _BEGAN], -1)

    return (
        opens,
        first,
        prompted,
        attempts[:, :n_attempts].copy(),
        replies[:, :n_replies].copy(),
        handled[:, :n_handled].copy(),
        our_replies[:, :n_our].copy(),
    )
