"""Working hours in a contact's time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from features import settings
from features.histories.log import DAY, Array

_MONDAY = 4 * DAY
"""The first Monday of the epoch, 1970-01-05."""


def working_seconds(zone: str, begin: Array, end: Array) -> Array | None:
    """Seconds of working time from each begin to its end (UTC seconds); None where no such time zone is known.

    >>> import numpy as np
    >>> friday, monday = np.array([1717171200]), np.array([1717405200])  # 2024-05-31 16:00 and 2024-06-03 09:00 UTC
    >>> int(working_seconds("UTC", friday, monday)[0]), int(working_seconds("Europe/Berlin", friday, monday)[0])
    (3600, 7200)
    >>> working_seconds("Atlantis/Centre", friday, monday)
    """
    if zone not in _zones():
        return None
    since, until = np.split(_worked_by(_local(zone, np.concatenate((begin, end)))), 2)
    worked = until - since
    # Where clocks go back within working hours the local time can run backwards.
    return np.asarray(np.maximum(worked, 0))


def by_zone(zones: Sequence[str], zone: Array, begin: Array, end: Array) -> Array:
    """Working seconds of each interval in the time zone that its code names; -1 where that is unknown."""
    worked = np.full(len(zone), -1, dtype=np.int64)
    for code in np.unique(zone[zone >= 0]):
        chosen = zone == code
        seconds = working_seconds(zones[code], begin[chosen], end[chosen])
        if seconds is not None:
            worked[chosen] = seconds
    return worked


def _worked_by(local: Array) -> Array:
    """Working seconds from the first Monday of the epoch to each local time."""
    day, second = np.divmod(local - _MONDAY, DAY)
    week, weekday = np.divmod(day, 7)
    a_day = settings.WORKDAY_ENDS - settings.WORKDAY_BEGINS
    today = np.where(weekday < settings.WORKDAYS, np.clip(second - settings.WORKDAY_BEGINS, 0, a_day), 0)
    return np.asarray((week * settings.WORKDAYS + np.minimum(weekday, settings.WORKDAYS)) * a_day + today)


def _local(zone: str, moments: Array) -> Array:
    """Each moment as the zone's clocks show it."""
    if not len(moments):
        return moments
    first, last = (datetime.fromtimestamp(int(moment), UTC).year for moment in (moments.min(), moments.max()))
    since, offset = _clock(zone, first, last)
    return np.asarray(moments + offset[np.searchsorted(since, moments, side="right") - 1])


@cache
def _zones() -> set[str]:
    return available_timezones()


@cache
def _clock(zone: str, first: int, last: int) -> tuple[Array, Array]:
    """As ``_offsets``, over some years."""
    changes = [_offsets(zone, year) for year in range(first, last + 1)]
    since, offset = (np.concatenate(parts) for parts in zip(*changes, strict=True))
    return since, offset


@cache
def _offsets(zone: str, year: int) -> tuple[Array, Array]:
    """When each offset from UTC begins to hold in a year, and the offset; both in seconds."""
    clock = ZoneInfo(zone)

    def offset(moment: int) -> int:
        away = datetime.fromtimestamp(moment, clock).utcoffset()
        assert away is not None
        return int(away.total_seconds())

    begin = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    since, offsets = [begin], [offset(begin)]
    for day in range(begin, int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()), DAY):
        before, after = day - 1, day + DAY - 1
        if offset(after) == offsets[-1]:
            continue
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if offset(middle) == offsets[-1] else (before, middle)
        since.append(after)
        offsets.append(offset(after))
    return np.array(since, dtype=np.int64), np.array(offsets, dtype=np.int64)
