"""When a mail was written: its Date header, held against what the servers on its way noted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_tz
from statistics import median_low

EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
"""Dates before are clocks that were never set (1970, 1980), not mails."""
CLOCKS_DIFFER = 86_400
"""Seconds by which a sender's clock may be ahead of the servers'."""
LONGEST_DELIVERY = 30 * 86_400
"""Seconds that a mail may have been on its way."""

_LONGEST = 100
_LARGEST_OFFSET = 86_400
_ENVELOPE_DATE = re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b.*")


class NoDate(ValueError):
    """Nothing tells when the mail was written; the message says what is allowed."""


def moment_of(text: str) -> int | None:
    """UTC seconds of a date as mails write it (RFC 5322, also without a zone, or ISO 8601); None if it is none.

    >>> moment_of("Fri, 31 May 2024 14:00:00 +0200")
    1717156800
    >>> moment_of("2024-05-31T14:00:00+02:00")
    1717156800
    >>> moment_of("yesterday") is None
    True
    """
    text = text.strip()[:_LONGEST]
    try:
        parts = parsedate_tz(text)
        if parts is None:
            moment, offset = datetime.fromisoformat(text), 0
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
        else:
            year, month, day, hour, minute, second = parts[:6]
            moment, offset = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC), parts[9] or 0
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if abs(offset) > _LARGEST_OFFSET:
        offset = 0
    return int(moment.timestamp()) - offset


def written_at(date: str, received: Sequence[str], envelope: str, until: int | None) -> tuple[int, bool]:
    """UTC seconds at which a mail was written, and whether its own date had to be replaced.

    ``date`` is the Date header, ``received`` the Received headers, ``envelope`` the line before a mail in an mbox, and
    ``until`` a moment by which the mail was written, if one is known. A date before 1990, a day or more after the mail
    was last received, or more than 30 days before it was first received is a wrong clock's: then the middle one of the
    times at which servers received it stands in. Raises NoDate.
    """
    arrivals = [moment_of(text.rpartition(";")[2]) for text in received]
    arrived = sorted(at for at in arrivals if at is not None and _possible(at, until))
    if not arrived and (noted := _ENVELOPE_DATE.search(envelope)):
        at = moment_of(noted[0])
        arrived = [at] if at is not None and _possible(at, until) else []
    at = moment_of(date)
    fits = not arrived or (at or 0) in range(arrived[0] - LONGEST_DELIVERY, arrived[-1] + CLOCKS_DIFFER + 1)
    if at is not None and _possible(at, until) and fits:
        return at, False
    if not arrived:
        raise NoDate("a date from 1990 on that is not to come, or a Received header that tells one")
    return median_low(arrived), True


def _possible(at: int, until: int | None) -> bool:
    return at >= EARLIEST and (until is None or at <= until + CLOCKS_DIFFER)
