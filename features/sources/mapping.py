"""Mapping files: from a source's own columns to the canonical ones.

A mapping is a TOML file with a section for each table that needs one (or several, as ``[[interactions]]``)::

    [interactions]
    files = "mails-*.csv.gz"          # patterns in the source folder; default: interactions.csv, interactions-*.parquet
    sheet = "2024"                    # of a workbook (.xlsx); default: the first
    time_zone = "Europe/Berlin"       # of date-times without an offset

    [interactions.columns]            # canonical column = where its values come from
    account_id = "customer"                                       # a source column
    kind = { constant = "message" }                               # the same for all rows
    actor = { column = "direction", values = { in = "client", out = "us" } }
    at = { column = "sent", format = "%d.%m.%Y %H:%M" }           # as strptime, or "unix", "unix_ms"
    topic = { column = ["subject", "title"] }                     # the first of them that a row has
    channel = { column = "via", values = { Mail = "email" }, otherwise = "" }   # for values not listed
    amount = { column = "sum", decimal = "," }                    # € 1.234,50: without currency and thousands
    minutes = { column = "seconds", factor = 0.016666666666666666 }
    thread_id = { template = "{customer}/{subject}" }             # also {file} and {row}
    interaction_id = { content = true }                           # made from the row's content

Source columns that already bear a canonical name, or begin with ``x_``, need no line.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from string import Formatter
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import encoded, indices
from features.histories.columns import OWN_PREFIX, Table
from features.histories.tables import TABLES
from features.histories.values import BLANKS, needs_time_zone
from features.sources.readers import Array, SourceError
from features.sources.written import DECIMALS, plain_number

_ORIGIN_KEYS: dict[str, type | tuple[type, ...]] = {
    "column": (str, list),
    "constant": object,
    "template": str,
    "content": bool,
    "values": dict,
    "otherwise": str,
    "decimal": str,
    "factor": (int, float),
    "format": str,
    "time_zone": str,
}
_SECTION_KEYS = ("files", "time_zone", "columns", "sheet")
_COLUMN_KEYS = ("values", "otherwise", "decimal", "factor")
_TEMPLATE_EXTRAS = ("row", "file")


@dataclass(frozen=True)
class Origin:
    """Where a canonical column's values come from: exactly one of columns, constant, template and content.

    ``columns`` are source columns of which each row's first known value counts. ``values`` replaces values (whatever
    their case), and those that it does not list by ``otherwise`` if that is given. ``decimal`` is the decimal sign of
    numbers that may carry thousands and a currency, ``factor`` what numbers are multiplied by.
    """

    columns: tuple[str, ...] = ()
    constant: str | None = None
    template: str = ""
    content: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    decimal: str = ""
    factor: float = 1.0

    @cached_property
    def folded(self) -> Mapping[str, str]:
        """The replacements of values whatever their case."""
        return {value.casefold(): new for value, new in self.values.items()}

    @property
    def fields(self) -> set[str]:
        """The source columns that it names."""
        if self.template:
            return {name for _, name, _, _ in Formatter().parse(self.template) if name} - set(_TEMPLATE_EXTRAS)
        return set(self.columns)

    def given_by(self, names: Container[str]) -> bool:
        """Whether a source with these columns gives it: all fields of a template, one of several columns."""
        if self.template:
            return all(name in names for name in self.fields)
        return not self.columns or any(name in names for name in self.columns)


@dataclass(frozen=True)
class Section:
    """How files of a source become one table; ``table`` carries the time formats and zones of the source."""

    table: Table
    files: tuple[str, ...] = ()
    sheet: str = ""
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @cached_property
    def needed(self) -> set[str]:
        """Source columns that the mapping names."""
        return set().union(*(origin.fields for origin in self.origins.values()))

    def taken_as_is(self, name: str) -> bool:
        """Whether a source column is used under its own name."""
        return name not in self.origins and (name in self.table.column or name.startswith(OWN_PREFIX))

    def required_from(self, names: Iterable[str]) -> list[str]:
        """Required canonical columns that a source with these columns does not give."""
        present = set(names)
        given = {name for name, origin in self.origins.items() if origin.given_by(present)}
        return [c.name for c in self.table.columns if c.required and c.name not in given | present]

    def absent_from(self, names: Iterable[str]) -> list[str]:
        """Source columns that the mapping names and for which a source with these columns gives nothing."""
        present = set(names)
        return sorted(min(origin.fields - present) for origin in self.origins.values() if not origin.given_by(present))

    def apply(self, columns: Mapping[str, pa.Array], numbers: Array, file: str) -> dict[str, pa.Array]:
        """The canonical and own columns of a chunk of source columns; those made from content are left out."""
        result = {name: values for name, values in columns.items() if self.taken_as_is(name)}
        for name, origin in self.origins.items():
            if origin.constant is not None:
                result[name] = pa.repeat(pa.scalar(origin.constant, pa.string()), len(numbers))
            elif origin.template:
                result[name] = _filled(origin.template, columns, numbers, file)
            elif present := [columns[one] for one in origin.columns if one in columns]:
                result[name] = _adapted(_first_known(present), origin)
        return result

    @property
    def from_content(self) -> str:
        """The column to be made from the rows' content, or ''."""
        return next((name for name, origin in self.origins.items() if origin.content), "")


@dataclass(frozen=True)
class SourceMapping:
    """A mapping file: sections by table, and what it declares of the data set, of a CRM's export and of people.

    ``our_domains`` are our own domains and addresses, ``contacts`` is a file that says whose an address or a domain is,
    ``calendar_zone`` the time zone of times in calendars that name none.
    """

    sections: Mapping[str, tuple[Section, ...]]
    declared: Mapping[str, Any]
    crm: Mapping[str, Any] = field(default_factory=dict)
    our_domains: frozenset[str] = frozenset()
    contacts: Path | None = None
    calendar_zone: str = ""


def read_mapping(path: Path | None) -> SourceMapping:
    """Read and check a mapping file; without one every table is taken as it is. Raises SourceError."""
    document = read_toml(path) if path else {}
    name = path.name if path else ""
    check_keys(document, ("dataset", *TABLES, "crm", "people", "calendar"), f"{name}")
    sections: dict[str, tuple[Section, ...]] = {}
    for table_name, table in TABLES.items():
        parts = document.get(table_name, {})
        parts = parts if isinstance(parts, list) else [parts]
        sections[table_name] = tuple(read_section(table, part, f"{name}: [{table_name}]") for part in parts)
    ours, contacts = _people(document.get("people", {}), f"{name}: [people]")
    check_keys(document.get("calendar", {}), ("time_zone",), f"{name}: [calendar]")
    zone = checked_zone(document.get("calendar", {}).get("time_zone", ""), f"{name}: [calendar]")
    people = path.parent / contacts if path and contacts else None
    return SourceMapping(sections, document.get("dataset", {}), document.get("crm", {}), ours, people, zone)


def _people(part: Any, place: str) -> tuple[frozenset[str], str]:
    check_keys(part, ("our_domains", "contacts"), place)
    ours, contacts = part.get("our_domains", []), part.get("contacts", "")
    if not isinstance(ours, list) or not all(isinstance(one, str) and one for one in ours):
        _fail(place, f"our_domains {ours!r} must be a list of domains and addresses")
    if not isinstance(contacts, str):
        _fail(place, f"contacts {contacts!r} must be the name of a file")
    return frozenset(ours), contacts


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict. Raises SourceError naming the file and line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError(f"{path}: there is no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{path.name}: not a TOML file: {error}") from None


def check_keys(given: Any, allowed: Iterable[str], place: str) -> None:
    """Raise SourceError unless ``given`` is a table with no other keys than those allowed."""
    allowed = list(allowed)
    if not isinstance(given, dict):
        raise SourceError(f"{place}: must be a table with the keys {', '.join(allowed)}")
    for key in given:
        if key not in allowed:
            raise SourceError(f"{place}: {key!r} is not known; allowed are {', '.join(allowed)}")


def read_section(table: Table, part: Any, place: str) -> Section:
    """A section of a mapping, checked. Raises SourceError; ``place`` is how it names where the section stands."""
    check_keys(part, _SECTION_KEYS, place)
    files = part.get("files", ())
    files = (files,) if isinstance(files, str) else files
    if not all(isinstance(one, str) and one and not Path(one).is_absolute() for one in files):
        _fail(place, f"files {files!r} must be a pattern, or a list of patterns, of files in the source folder")
    sheet = part.get("sheet", "")
    if not isinstance(sheet, str):
        _fail(place, f"sheet {sheet!r} must be the name of a sheet")
    zone = checked_zone(part.get("time_zone", ""), place)
    lines = part.get("columns", {})
    known = [*table.column, *(name for name in lines if name.startswith(OWN_PREFIX))]
    check_keys(lines, known, f"{place} columns")
    origins: dict[str, Origin] = {}
    adapted = {column.name: replace(column, time_zone=zone) for column in table.columns if column.type == "time"}
    for name, line in lines.items():
        where = f"{place} {name}"
        line = {"column": line} if isinstance(line, str | list) else line
        check_keys(line, _ORIGIN_KEYS, where)
        for key, value in line.items():
            if not isinstance(value, _ORIGIN_KEYS[key]):
                kinds = _ORIGIN_KEYS[key]
                words = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
                _fail(where, f"{key} = {value!r} must be a {words}")
        origins[name] = _origin(line, where)
        if "format" in line or "time_zone" in line:
            if name not in adapted:
                raise SourceError(f"{where}: format and time_zone are for times only")
            own_zone = checked_zone(line.get("time_zone", zone), where)
            fmt = line.get("format", "")
            if needs_time_zone(fmt) and not own_zone:
                raise SourceError(f"{where}: times of the form {fmt!r} carry no offset; declare time_zone")
            adapted[name] = replace(adapted[name], time_format=fmt, time_zone=own_zone)
        if origins[name].content:
            adapted[name] = replace(table.column[name], required=False)
    columns = tuple(adapted.get(column.name, column) for column in table.columns)
    return Section(replace(table, columns=columns), tuple(files), sheet, origins)


def _origin(line: Mapping[str, Any], where: str) -> Origin:
    ways = [key for key in ("column", "constant", "template", "content") if key in line]
    if len(ways) != 1:
        _fail(where, "needs exactly one of column, constant, template, content")
    for key in _COLUMN_KEYS:
        if key in line and "column" not in line:
            _fail(where, f"{key} goes with column only")
    columns = line.get("column", [])
    columns = [columns] if isinstance(columns, str) else columns
    if "column" in line and not (columns and all(isinstance(name, str) and name for name in columns)):
        _fail(where, f"column {columns!r} must be the name of a source column, or a list of such")
    if line.get("decimal", ".") not in DECIMALS:
        _fail(where, f"decimal {line['decimal']!r} must be one of {' '.join(DECIMALS)}")
    if not line.get("content", True):
        _fail(where, "content must be true")
    template = line.get("template", "")
    try:
        list(Formatter().parse(template))
    except ValueError as error:
        _fail(where, f"the template cannot be read: {error}")
    constant = _as_text(line["constant"]) if "constant" in line else None
    values = {key: _as_text(value) for key, value in line.get("values", {}).items()}
    return Origin(
        tuple(columns),
        constant,
        template,
        "content" in line,
        values,
        line.get("otherwise"),
        line.get("decimal", ""),
        float(line.get("factor", 1)),
    )


def _fail(where: str, reason: str) -> NoReturn:
    raise SourceError(f"{where}: {reason}")


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def checked_zone(zone: Any, where: str) -> str:
    """The name of a time zone, "" if none is given. Raises SourceError."""
    try:
        return ZoneInfo(zone).key if zone else ""
    except (ZoneInfoNotFoundError, TypeError, ValueError, OSError):
        raise SourceError(f"{where}: there is no time zone {zone!r}; write it as Europe/Berlin or UTC") from None


def _text(values: pa.Array) -> pa.Array:
    """Values as strings without blanks at their ends, unknown ones as ''."""
    return pc.ascii_trim(pc.fill_null(values.cast(pa.string()), ""), characters=BLANKS)


def _first_known(columns: list[pa.Array]) -> pa.Array:
    """The first value of each row that is not empty."""
    if len(columns) == 1:
        return columns[0]
    texts = [_text(values) for values in columns]
    return pc.coalesce(*(pc.if_else(pc.equal(text, ""), None, text) for text in texts))


def _adapted(values: pa.Array, origin: Origin) -> pa.Array:
    """Values as the origin says, each distinct one adapted once."""
    if not origin.values and origin.otherwise is None and not origin.decimal and origin.factor == 1:
        return values
    given = encoded(_text(values))
    new = pa.array([_adapted_text(text, origin) for text in given.dictionary.to_pylist()], pa.string())
    return new.take(given.indices)


def _adapted_text(text: str, origin: Origin) -> str:
    if origin.decimal:
        text = plain_number(text, origin.decimal)
    if origin.factor != 1:
        try:
            text = repr(float(text) * origin.factor)
        except ValueError:
            return text  # which is for the checks to reject
    if text in origin.values:
        return origin.values[text]
    return origin.folded.get(text.casefold(), text if origin.otherwise is None else origin.otherwise)


def _filled(template: str, columns: Mapping[str, pa.Array], numbers: Array, file: str) -> pa.Array:
    """The template filled in for each row; unknown where a field of it is."""
    rows = len(numbers)
    parts: list[Any] = []
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(pa.scalar(literal))
        if name == "row":
            parts.append(pa.array(numbers).cast(pa.string()))
        elif name == "file":
            parts.append(pa.scalar(file))
        elif name:
            values = _text(columns[name]) if name in columns else pa.repeat(pa.scalar(""), rows)
            parts.append(pc.if_else(pc.equal(values, ""), None, values))
    joined = pc.binary_join_element_wise(*parts, "")
    return pa.repeat(joined, rows) if isinstance(joined, pa.Scalar) else joined


def content_ids(rows: pa.Table) -> pa.Array:
    """An id for each row, made from what it holds: the same for the same content, wherever it stands.

    Rows that hold the same get ``-2``, ``-3`` … after the first, so that all of them stay.
    """
    parts: list[Any] = []
    for name in sorted(rows.column_names):
        values = rows[name].combine_chunks()
        values = (values.cast(pa.int64()) if pa.types.is_timestamp(values.type) else values).cast(pa.string())
        parts.append(pc.fill_null(pc.binary_join_element_wise(name, values, "\x1f"), ""))
    joined = pc.binary_join_element_wise(*parts, "\x1e")
    digests = [hashlib.blake2b(text.encode(), digest_size=10).hexdigest() for text in joined.to_pylist()]
    nth = _occurrence(indices(encoded(pa.array(digests, pa.string()))))
    for row in np.flatnonzero(nth):
        digests[row] = f"{digests[row]}-{nth[row] + 1}"
    return pa.array(digests, pa.string())


def _occurrence(codes: Array) -> Array:
    """How often each code came before.

    >>> _occurrence(np.array([4, 7, 4, 4])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(codes) else codes
    sizes = np.diff(np.append(starts, len(codes)))
    nth = np.empty(len(codes), dtype=np.int64)
    nth[order] = np.arange(len(codes)) - np.repeat(starts, sizes)
    return nth
