"""Rows of one part of a CRM's object as typed columns: the section of the data file applied, values read as written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import convert_array, encoded, indices
from features.histories.checks import shown
from features.histories.columns import OWN_PREFIX, Column, ColumnType, Reject
from features.histories.values import BLANKS
from features.sources.crm.definitions import Crm, Form, Object, Options, Part
from features.sources.crm.links import case_safe
from features.sources.readers import Array, SourceError
from features.sources.written import Ambiguous, currency_of, found_decimal, found_order, iso, plain_number

UNKNOWN = np.iinfo(np.int64).min
"""Stands for a time that is not known; earlier than any."""

_DAY = r"^\d{4}-\d{2}-\d{2}$"
_NAIVE = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?$"
_ISO = r"^(\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?$"
_PLAIN = r"^-?\d*$"
_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d))?")
_TIME_OF_DAY = r"^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"
_AT_END_OF_DAY = frozenset(("recorded_at", "updated_at", "changed_at", "due_at"))
"""Times from which something was known, or until which it was to be done: a day alone counts as its end."""


@dataclass(frozen=True)
class Batch:
    """The rows of a file: its needed columns as texts by folded name, and custom ones by their own names.

    ``ignored`` are the names of its other columns.
    """

    object: Object
    form: Form
    file: str
    numbers: Array
    columns: Mapping[str, pa.Array]
    own: Mapping[str, pa.Array] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def column(self, name: str) -> pa.Array:
        """A column, empty texts where the file lacks it."""
        if name in self.columns:
            return self.columns[name]
        return pa.repeat(pa.scalar(self.form.given.get(name, "")), len(self.numbers))

    def taken(self, places: Array) -> Batch:
        """Some of the rows."""
        index = pa.array(places)
        return replace(
            self,
            numbers=self.numbers[places],
            columns={name: values.take(index) for name, values in self.columns.items()},
            own={name: values.take(index) for name, values in self.own.items()},
        )


@dataclass(frozen=True)
class Writing:
    """How an export writes: the order of day and month, the decimal sign, and the zone of times without an offset.

    ``vendor_zone`` is that of times in the vendor's own (ISO) form, where nothing was declared.
    """

    order: str
    decimal: str
    zone: str
    vendor_zone: str


def found_writing(crm: Crm, batches: Iterable[Batch], options: Options) -> Writing:
    """How an export writes, from all of its dates and numbers together. Raises SourceError where that stays open."""
    batches = list(batches)
    order, decimal = options.dates, options.decimal
    try:
        order = order or found_order(_texts(batches, "time"))
    except Ambiguous as error:
        raise SourceError(
            f'{crm.name}: the date {error}; declare which: [crm] dates = "day first" or "month first" in a mapping'
        ) from None
    try:
        decimal = decimal or found_decimal(_texts(batches, "float"))
    except Ambiguous as error:
        raise SourceError(
            f'{crm.name}: the number {error}; declare which sign it is: [crm] decimal = "." or "," in a mapping'
        ) from None
    return Writing(order, decimal, options.time_zone, crm.time_zone)


def _texts(batches: Iterable[Batch], kind: ColumnType) -> Iterable[str]:
    """The different values of columns of a type that leave open how they are written, or prove it."""
    for batch in batches:
        for name in batch.object.of_type(kind):
            if name in batch.columns:
                texts = encoded(batch.columns[name]).dictionary
                yield from texts.filter(pa.array(~_matches(texts, _ISO if kind == "time" else _PLAIN))).to_pylist()


@dataclass
class Rows:
    """Rows of one part, all columns of one length.

    ``texts`` hold "" where unknown, ``times`` int64 UTC seconds or ``UNKNOWN``, ``days`` whether a time was given as a
    day only, ``numbers`` NaN where unknown, ``flags`` int8 1, 0 or -1 (unknown), ``own`` custom columns as texts.
    """

    batch: Batch
    part: Part
    texts: dict[str, pa.Array]
    times: dict[str, Array]
    days: dict[str, Array]
    numbers: dict[str, Array]
    flags: dict[str, Array]

    def __len__(self) -> int:
        return len(self.batch.numbers)

    def text(self, name: str) -> pa.Array:
        """A column of texts, empty where the part does not fill it."""
        return self.texts[name] if name in self.texts else pa.repeat(pa.scalar(""), len(self))

    def time(self, name: str) -> Array:
        """A column of times, unknown where the part does not fill it."""
        return self.times[name] if name in self.times else np.full(len(self), UNKNOWN)

    def day(self, name: str) -> Array:
        """bool: which times of a column were given as a day only."""
        return self.days[name] if name in self.days else np.zeros(len(self), dtype=bool)

    def number(self, name: str) -> Array:
        """A column of numbers, unknown where the part does not fill it."""
        return self.numbers[name] if name in self.numbers else np.full(len(self), np.nan)

    def flag(self, name: str) -> Array:
        """A column of truth values, unknown where the part does not fill it."""
        return self.flags[name] if name in self.flags else np.full(len(self), -1, dtype=np.int8)

    def values(self, name: str) -> Array:
        """A column of texts as Python strings."""
        return np.array(self.text(name).to_pylist(), dtype=object)

    def where(self, chosen: Array) -> Rows:
        """The rows for which ``chosen`` (bool) is true."""
        if bool(chosen.all()):
            return self
        mask = pa.array(chosen)
        return Rows(
            self.batch.taken(np.flatnonzero(chosen)),
            self.part,
            {name: values.filter(mask) for name, values in self.texts.items()},
            {name: values[chosen] for name, values in self.times.items()},
            {name: values[chosen] for name, values in self.days.items()},
            {name: values[chosen] for name, values in self.numbers.items()},
            {name: values[chosen] for name, values in self.flags.items()},
        )


def typed(batch: Batch, part: Part, crm: Crm, writing: Writing) -> tuple[Rows, list[Reject]]:
    """The rows of a batch as a part's section says, and what is wrong with those that cannot be read (left out)."""
    assert part.section
    section = part.section
    needed = {name: batch.column(name) for name in section.needed if name in batch.columns or name in batch.form.given}
    filled = section.apply(needed, batch.numbers, batch.file)
    if "clock" in filled and "at" in filled:
        filled["at"] = _with_time_of_day(text_of(filled["at"]), text_of(filled["clock"]))
    if batch.file.lower().endswith(".xlsx"):
        writing = replace(writing, vendor_zone="")  # a workbook shows times as its maker saw them
    rows = Rows(batch, part, {}, {}, {}, {}, {})
    wrong: list[tuple[int, str, str, str]] = []
    for name in section.origins:
        if name not in filled:
            continue
        values = text_of(filled[name])
        if name.startswith(OWN_PREFIX):
            rows.texts[name] = values
            continue
        column = section.table.column[name]
        refused: Mapping[int, str] = {}
        if column.type == "time":
            rows.times[name], rows.days[name], refused = times(
                values, writing, name in _AT_END_OF_DAY, batch.file, column
            )
        elif column.type == "float":
            rows.numbers[name], refused = _numbers(values, column, writing.decimal)
        elif column.type == "bool":
            array, refused = convert_array(column, values)
            rows.flags[name] = pc.fill_null(array.cast(pa.int8()), -1).to_numpy(zero_copy_only=False)
        else:
            rows.texts[name] = each(values, case_safe) if crm.case_safe_ids and column.type == "id" else values
        wrong += [(place, name, values[place].as_py(), allowed) for place, allowed in refused.items()]
    rejects = [
        Reject(batch.file, int(batch.numbers[place]), name, shown(value), allowed)
        for place, name, value, allowed in sorted(wrong)
    ]
    good = np.ones(len(rows), dtype=bool)
    good[[place for place, *_ in wrong]] = False
    return rows.where(good), rejects


def _with_time_of_day(days: pa.Array, clocks: pa.Array) -> pa.Array:
    told = pc.and_(pc.match_substring_regex(clocks, _TIME_OF_DAY), pc.invert(pc.match_substring(days, ":")))
    return pc.if_else(told, pc.binary_join_element_wise(days, clocks, " "), days)


def text_of(values: pa.Array) -> pa.Array:
    """Values as texts without blanks at their ends, "" where unknown."""
    return pc.ascii_trim(pc.fill_null(values.cast(pa.string()), ""), characters=BLANKS)


def each(values: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """Texts changed by a function, each distinct one once."""
    given = encoded(values)
    new = [change(text) for text in given.dictionary.to_pylist()]
    return pa.array(new, pa.string()).take(given.indices)


def times(
    values: pa.Array, writing: Writing, whole_days: bool, file: str, column: Column
) -> tuple[Array, Array, dict[int, str]]:
    """Texts as int64 UTC seconds, whether each is a day only, and what is allowed where one is no time.

    With ``whole_days`` a day counts from its end. Raises SourceError for times without an offset of an unknown zone.
    """
    given = encoded(values)
    texts = given.dictionary
    in_iso = _matches(texts, _ISO)
    written = texts.to_pylist()
    for place in np.flatnonzero(~in_iso):
        written[place] = iso(written[place], writing.order)
    moments = pa.array(written, pa.string())
    seconds = np.full(len(texts) + 1, UNKNOWN)
    days, naive = np.append(_matches(moments, _DAY), False), _matches(moments, _NAIVE)
    refused: dict[int, str] = {}
    for own_form, zone in ((True, writing.zone or writing.vendor_zone), (False, writing.zone)):
        places = np.flatnonzero(in_iso == own_form)
        if not zone and naive[places].any():
            raise SourceError(
                f"{file}: date-times such as {written[places[naive[places]][0]]} do not tell their time zone; declare "
                'that of the export: [crm] time_zone = "Europe/Berlin" in a mapping'
            )
        reader = Column(column.name, "time", column.meaning, time_zone=zone)
        converted, wrong = convert_array(reader, moments.take(pa.array(places)))
        seconds[places] = pc.fill_null(converted.cast(pa.int64()), UNKNOWN).to_numpy(zero_copy_only=False)
        refused |= {int(places[place]): allowed for place, allowed in wrong.items()}
        if whole_days:
            for place in places[days[places]]:
                if seconds[place] != UNKNOWN:
                    seconds[place] = end_of_day(int(seconds[place]), zone or "UTC")
    codes = indices(given)
    wrong_rows = np.flatnonzero(np.isin(codes, list(refused)))
    return seconds[codes], days[codes], {int(row): refused[int(codes[row])] for row in wrong_rows}


def _matches(texts: pa.Array, pattern: str) -> Array:
    return np.asarray(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False), dtype=bool)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def end_of_day(midnight: int, zone: str) -> int:
    """The last second, in a zone, of the day whose midnight in UTC is given.

    >>> end_of_day(1717113600, "UTC") - 1717113600, end_of_day(1717113600, "Europe/Berlin") - 1717113600
    (86399, 79199)
    """
    day = date(1970, 1, 1) + timedelta(seconds=midnight)
    following = datetime.combine(day + timedelta(days=1), datetime.min.time(), _zone(zone))
    return int(following.timestamp()) - 1


def _numbers(values: pa.Array, column: Column, decimal: str) -> tuple[Array, dict[int, str]]:
    """Texts as float64, NaN where unknown; ``minutes`` may be written as 1:30 (hours and minutes) or 0:05:10."""

    def plain(text: str) -> str:
        clock = _CLOCK.fullmatch(text) if column.name == "minutes" else None
        if clock:
            return repr(int(clock[1]) * 60 + int(clock[2]) + int(clock[3] or 0) / 60)
        return plain_number(text, decimal)

    array, wrong = convert_array(column, each(values, plain))
    return pc.fill_null(array, np.nan).to_numpy(zero_copy_only=False), wrong


def currencies(values: pa.Array) -> pa.Array:
    """The currencies that amounts are written with."""
    return each(values, currency_of)


def at_entry(rows: Rows) -> None:
    """Let events known by their day only, and entered on that very day, have happened when they were entered."""
    if "at" not in rows.times:
        return
    at, day = rows.times["at"], rows.days["at"]
    recorded, precise = rows.time("recorded_at"), ~rows.day("recorded_at")
    same_day = day & precise & (recorded >= at) & (recorded < at + 86_400)
    rows.times["at"] = np.where(same_day, recorded, at)
    rows.days["at"] = day & ~same_day
