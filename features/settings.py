"""Numbers that are our choice where the documents give only words; each is named once, here.

Times are in seconds. A documented number stands with its indicator as a documented mark.
"""

from __future__ import annotations

from features.histories.log import DAY

WINDOWS: dict[str, int] = {"90d": 90 * DAY, "365d": 365 * DAY, "all": 1 << 39}
"""Every windowed indicator exists over these spans ``(t - w, t]``; "all" is longer than any history."""

MINIMUM_OBSERVATIONS = 5
"""Least number of observations behind a share, mean or median."""

MINIMUM_OBSERVED_DAYS = 90
"""Least number of observed days behind a rate."""

CONVERSATION_AFTER_CLIENT = 14 * DAY
"""A conversation stays open this long after the client's last touch."""

CONVERSATION_AFTER_US = 30 * DAY
"""A conversation stays open this long after our last touch."""

REPLY_WITHIN = 30 * DAY
"""A touch counts as a reply up to this long after the touch it answers."""

PROMPTED_WITHIN = 14 * DAY
"""A touch of the client is prompted if we touched that contact this long before at most, unless the record says."""

STRONG_WITHIN = 1 * DAY
"""A reply within a day is strong (documented)."""

WEAK_WITHIN = 7 * DAY
"""A reply after more than a day and within a week is weak (documented)."""

FLAGGED_AFTER = 10 * DAY
"""A reply after this long means it had been flagged: strong (documented), unless we nudged."""

TERSE_BELOW = 0.5
RAMBLING_ABOVE = 2.0
"""A reply with less than half, or more than twice, the words of what it answers does not mirror it."""

SALES_AFTER_CLOSE = 60 * DAY
"""A sales phase lasts this long after a deal closes."""

SALES_BEFORE_END = 60 * DAY
"""A sales phase begins this long before a known contract end."""

OUR_CONDUCT_PER_CLIENT_TOUCH = 2
"""Counts of our own conduct count at most this many for each touch of the client in the window."""

WELL_RATED = 7
"""A delivery rated this or more is a good one."""

LAPSE_AFTER = 60 * DAY
"""An account whose last contract ended this long ago without a new one is lost."""

GAP_FLOOR = 1 * DAY
"""The least usual gap that silence is compared with, so that a burst of mails does not make an afternoon look long."""
