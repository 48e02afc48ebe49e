"""G1: do they get back to us the first time, how soon, in kind, and on their own? (document 000)"""

from __future__ import annotations

from functools import partial

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, mean, median, ratio, share, since, windowed
from features.frame import Frame
from features.histories.conversations import CLIENT, NO_WORDS, Answers, conversations
from features.histories.log import Array
from features.indicators import REGISTRY, Figure, Mark

G1A = REGISTRY.signal(
    "G1a",
    "first attempt response rate",
    "How often the client answers our first attempt, before we have to try again",
    "000",
)
G1B = REGISTRY.signal(
    "G1b",
    "reply delay",
    "How long the client takes to answer: within a day is strong, within the week weak; ten days or more without a "
    "nudge means it was flagged, which is strong again",
    "000",
)
G1C = REGISTRY.signal(
    "G1c",
    "reply length",
    "Whether the client's answers mirror the length of our messages: much shorter shows little interest, much longer "
    "shows going through the motions",
    "000",
)
G1D = REGISTRY.signal(
    "G1d",
    "reinitiation",
    "How often the client begins a new conversation with us without being prompted",
    "000",
)


def _answers(frame: Frame, answers: Answers, keep: Array | slice = slice(None)) -> Facts:
    return facts(frame.history.segments, answers.segment[keep], answers.at[keep], answers.value[keep])


def first_attempts(frame: Frame) -> Facts:
    """1 where an outreach was answered before we tried again, else 0; when that was decided."""
    return _answers(frame, frame.derived(conversations).first_attempts)


def reply_delays(frame: Frame) -> Facts:
    """Seconds from the first touch of a run of ours to the client's reply, at the reply."""
    return _answers(frame, frame.derived(conversations).client_replies)


WITHIN_DAY, WITHIN_WEEK, BETWEEN, FLAGGED = range(4)
"""Classes of a reply by its delay."""


def reply_classes(frame: Frame) -> Facts:
    """The class of each reply's delay (WITHIN_DAY …); ten days or more after a nudge is only BETWEEN."""
    replies = frame.derived(conversations).client_replies
    flagged = (replies.value >= settings.FLAGGED_AFTER) & (replies.nudged == 0)
    kind = np.select(
        [replies.value <= settings.STRONG_WITHIN, replies.value <= settings.WEAK_WITHIN, flagged],
        [WITHIN_DAY, WITHIN_WEEK, FLAGGED],
        BETWEEN,
    )
    return facts(frame.history.segments, replies.segment, replies.at, kind)


def reply_lengths(frame: Frame) -> Facts:
    """1000 × log2 of the reply's words to the words of what it answers, where both are known."""
    replies = frame.derived(conversations).client_replies
    told = replies.ratio != NO_WORDS
    return facts(frame.history.segments, replies.segment[told], replies.at[told], replies.ratio[told])


def reply_length_distances(frame: Frame) -> Facts:
    """How far each reply's length is from mirroring ours, either way (1000 × absolute log2 ratio)."""
    lengths = frame.facts(reply_lengths)
    return Facts(lengths.start, lengths.at, np.abs(lengths.value))


def openings(frame: Frame) -> Facts:
    """For each conversation after the first: 1 where the client opened it unprompted, else 0."""
    touches = frame.derived(conversations).touches
    later = touches.opens & ~touches.first
    own = touches.by_client & ((touches.side & CLIENT) > 0) & ~touches.prompted
    return facts(frame.history.segments, touches.segment[later], touches.at[later], own[later])


REGISTRY.add(
    share(
        G1A,
        Text(
            "first_attempt_response_rate",
            "Share of our first attempts that the client answered before we tried again",
            "outreaches answered at the first attempt / outreaches decided",
            "share",
        ),
        first_attempts,
        better="up",
        mark=Mark(">=", 0.75, documented=True),
    )
)
REGISTRY.add(
    [since(G1A, "first_attempt", "we last learnt whether a first attempt of ours is answered", first_attempts)]
)

REGISTRY.add(
    median(
        G1B,
        Text(
            "reply_delay",
            "The client's usual time to answer us",
            "median time from the first touch of a run of ours to the reply",
            "hours",
        ),
        reply_delays,
        scale=3600,
        better="U",
    )
)
_CLASSES = (
    (WITHIN_DAY, "replies_within_day", "Share of the client's replies that came within a day", "within 24 hours"),
    (
        WITHIN_WEEK,
        "replies_within_week",
        "Share of the client's replies that took more than a day, up to a week",
        "after 24 hours to 7 days",
    ),
    (
        BETWEEN,
        "replies_between",
        "Share of the client's replies that took over a week and were not flagged",
        "after 7 to 10 days or nudged",
    ),
    (
        FLAGGED,
        "replies_flagged",
        "Share of the client's replies that came after ten days or more, without a nudge",
        "after 10 days unnudged",
    ),
)
for _class, _name, _meaning, _when in _CLASSES:
    REGISTRY.add(
        share(
            G1B,
            Text(_name, _meaning, f"replies {_when} / replies", "share"),
            reply_classes,
            matches=partial(np.equal, _class),
        )
    )


def _strong_over_weak(frame: Frame) -> Figure:
    tally = frame.tallies(reply_classes, 4)
    count = tally.sum(axis=1)
    strong = tally[:, WITHIN_DAY] + tally[:, FLAGGED]
    return known(ratio(strong - tally[:, WITHIN_WEEK], count), count, settings.MINIMUM_OBSERVATIONS)


REGISTRY.add(
    windowed(
        G1B,
        Text(
            "strong_over_weak",
            "Strong answers (within a day, or flagged and kept) against weak ones (within the week)",
            "(replies within a day + flagged replies − replies within the week) / replies",
            "difference of shares",
        ),
        _strong_over_weak,
        better="up",
        mark=">",
        low=-1.0,
        high=1.0,
    )
)
REGISTRY.add([since(G1B, "reply", "the client last answered us", reply_delays)])

REGISTRY.add(
    mean(
        G1C,
        Text(
            "reply_length_distance",
            "How far the length of the client's answers is from that of our messages (1 is twice or half as long)",
            "mean of |log2(words of the reply / words of our first touch)|",
            "doublings",
        ),
        reply_length_distances,
        scale=1000,
        better="down",
    )
)
_TERSE = round(1000 * np.log2(settings.TERSE_BELOW))
_RAMBLING = round(1000 * np.log2(settings.RAMBLING_ABOVE))
_KNOWN = "replies of known length"


def _mirrored(value: Array) -> Array:
    return np.asarray((value >= _TERSE) & (value <= _RAMBLING))


REGISTRY.add(
    share(
        G1C,
        Text(
            "mirrored_replies",
            "Share of answers about as long as our message (half to double the words)",
            f"replies of half to double the words / {_KNOWN}",
            "share",
        ),
        reply_lengths,
        matches=_mirrored,
        better="up",
        mark=">=",
    )
)
REGISTRY.add(
    share(
        G1C,
        Text(
            "terse_replies",
            "Share of answers with less than half the words of our message",
            f"replies of under half the words / {_KNOWN}",
            "share",
        ),
        reply_lengths,
        matches=partial(np.greater, _TERSE),
    )
)
REGISTRY.add(
    share(
        G1C,
        Text(
            "rambling_replies",
            "Share of answers with more than twice the words of our message",
            f"replies of over double the words / {_KNOWN}",
            "share",
        ),
        reply_lengths,
        matches=partial(np.less, _RAMBLING),
    )
)

REGISTRY.add(
    share(
        G1D,
        Text(
            "reinitiation_rate",
            "Share of conversations that the client opened without being prompted",
            "conversations after the first that the client opened unprompted / conversations after the first",
            "share",
        ),
        openings,
        better="up",
        mark=Mark(">=", 0.25, documented=True),
    )
)
REGISTRY.add([since(G1D, "conversation", "the last conversation began", openings)])
