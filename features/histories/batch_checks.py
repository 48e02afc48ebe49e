"""Checking whole columns at once: the import's way through the door.

Values of a plainly good form are cast by Arrow; every other one is put to ``Column.convert`` (each distinct value
once), which alone decides and words the verdict. Rules across columns are asked once for each distinct combination of
values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.checks import REQUIRED, shown
from features.histories.columns import OWN_PREFIX, Column, Reject, Table
from features.histories.values import BLANKS, EARLIEST, LATEST, LONGEST_ID, LONGEST_TEXT, OWN_EXPECTED, own_value

Array = np.ndarray[Any, np.dtype[Any]]

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_SAFE_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])"
_FRACTION = r"\.\d{1,9}"
_OFFSET = r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
_PLAIN_INTEGER = r"^-?\d{1,18}$"
_PLAIN_NUMBER = r"^-?\d{1,15}(\.\d{1,20})?$"
_UNICODE_NUL = "\0"


def check_batch(
    table: Table, columns: Mapping[str, pa.Array], file: str, numbers: Array
) -> tuple[pa.Table, Array, list[Reject]]:
    """Check and convert rows of one table, given as columns of any Arrow type.

    ``columns`` holds canonical and ``x_`` columns of equal length, ``numbers`` int64 the data row number of each row.
    Returns the good rows (canonical types; only the columns given; ``x_`` columns float64 or string), their indices and
    what is wrong with the others, in the order of rows and columns.
    """
    found: list[tuple[int, int, str, str, str]] = []
    good = np.ones(len(numbers), dtype=bool)
    converted: dict[str, pa.Array] = {}
    own = sorted(name for name in columns if name.startswith(OWN_PREFIX))

    def reject(place: int, name: str, wrong: Mapping[int, str]) -> None:
        for row, allowed in wrong.items():
            good[row] = False
            value = shown(columns[name][row].as_py()) if name in columns else ""
            found.append((row, place, name, value, allowed))

    for place, column in enumerate(table.columns):
        missing: Iterable[Any] = range(len(numbers)) if column.required else ()
        wrong: dict[int, str] = {}
        if column.name in columns:
            converted[column.name], wrong = convert_array(column, columns[column.name])
            if column.required:
                missing = np.flatnonzero(converted[column.name].is_null().to_numpy(zero_copy_only=False))
        reject(place, column.name, dict.fromkeys(map(int, missing), REQUIRED + column.expected) | wrong)
    for place, name in enumerate(own, start=len(table.columns)):
        converted[name], wrong = convert_own_array(columns[name])
        reject(place, name, wrong)

    places = {column.name: place for place, column in enumerate(table.columns)}
    for rule in table.rules:
        rows = np.flatnonzero(good)
        if not len(rows):
            break
        involved = pa.table({name: converted[name] for name in rule.columns if name in converted})
        first, kind = distinct(involved.take(pa.array(rows)))
        for each, values in enumerate(_known_values(involved.take(pa.array(rows[first])))):
            for name, allowed in rule.broken_by(values):
                reject(places[name], name, dict.fromkeys(map(int, rows[kind == each]), allowed))

    kept = np.flatnonzero(good)
    result = pa.table(converted) if converted else pa.table({"": pa.nulls(len(numbers))}).select([])
    rejects = [Reject(file, int(numbers[row]), name, value, allowed) for row, _, name, value, allowed in sorted(found)]
    return result if len(kept) == len(numbers) else result.take(pa.array(kept)), kept, rejects


def _known_values(rows: pa.Table) -> Iterable[dict[str, Any]]:
    """Rows as ``check_records`` would give them: times as UTC seconds, empty values without a key."""
    plain = [
        rows[name].cast(pa.int64()) if pa.types.is_timestamp(rows[name].type) else rows[name]
        for name in rows.column_names
    ]
    for row in pa.table(dict(zip(rows.column_names, plain, strict=True))).to_pylist():
        yield {name: value for name, value in row.items() if value is not None}


def convert_array(column: Column, values: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """The canonical array of a column, and for each row that is not allowed what is (its value is null then)."""
    values = _plain(values)
    if column.type == "category":
        return _convert_category(column, values)
    fast, sure = _FAST[column.type](column, values)
    slow = np.flatnonzero(~sure)
    if not len(slow):
        return fast, {}
    results, wrong = _convert_each(column.converter, values.take(pa.array(slow)))
    mask = np.zeros(len(values), dtype=bool)
    mask[slow] = True
    replaced = pc.replace_with_mask(fast, pa.array(mask), _array_of(results, column.arrow_type))
    return replaced, {int(slow[place]): allowed for place, allowed in wrong.items()}


def _array_of(values: list[Any], arrow_type: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(arrow_type):
        return pa.array(values, pa.int64()).cast(arrow_type)
    return pa.array(values, arrow_type)


def _plain(values: pa.Array) -> pa.Array:
    """The array without dictionary, large or view types."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    elif pa.types.is_decimal(values.type) or values.type == pa.float16():
        values = values.cast(pa.float64())
    elif pa.types.is_null(values.type):
        values = values.cast(pa.string())
    return values


def _convert_each(convert: Callable[[object], Any], values: pa.Array) -> tuple[list[Any], dict[int, str]]:
    """The converted values, each distinct one converted once, and by place what is allowed instead."""
    results: list[Any] = []
    wrong: dict[int, str] = {}
    seen: dict[Any, tuple[Any, str]] = {}
    hashable = not pa.types.is_nested(values.type)
    for place, value in enumerate(values.to_pylist()):
        verdict = seen.get(value) if hashable else None
        if verdict is None:
            try:
                verdict = (convert(value), "")
            except ValueError as error:
                verdict = (None, str(error))
            if hashable:
                seen[value] = verdict
        results.append(verdict[0])
        if verdict[1]:
            wrong[place] = verdict[1]
    return results, wrong


def _convert_category(column: Column, values: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    if pa.types.is_nested(values.type):
        uniques, codes = values, np.arange(len(values))
    else:
        given = encoded(values)
        uniques, codes = given.dictionary, indices(given)
    results, refused = _convert_each(column.converter, uniques)
    code_of = {value: code for code, value in enumerate(column.allowed)}
    lookup = np.array([code_of.get(value, -1) for value in results] + [-1], dtype=np.int8)
    places = lookup[codes]
    array = pa.DictionaryArray.from_arrays(
        pa.array(places, pa.int8(), mask=places < 0), pa.array(column.allowed, pa.string())
    )
    wrong = {int(row): refused[int(codes[row])] for row in np.flatnonzero(np.isin(codes, list(refused)))}
    return array, wrong


def encoded(column: pa.Array | pa.ChunkedArray) -> pa.DictionaryArray:
    """A column as codes and the distinct values they stand for (times as UTC seconds)."""
    if isinstance(column, pa.ChunkedArray):
        if pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries()
        column = column.combine_chunks()
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def indices(column: pa.DictionaryArray) -> Array:
    """int64 codes of a dictionary array, -1 where the value is unknown."""
    return np.asarray(pc.fill_null(column.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False))


def _truths(mask: pa.Array) -> Array:
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))


def _matches(values: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(values, pattern), False)


def _trimmed(values: pa.Array) -> pa.Array:
    """Strings without blanks at their ends, empty ones as null."""
    trimmed = pc.ascii_trim(values, characters=BLANKS)
    return pc.if_else(pc.equal(pc.binary_length(trimmed), 0), None, trimmed)


def _storable(values: pa.Array, longest: int) -> Array:
    long = pc.greater(pc.utf8_length(values), longest)
    return ~_truths(pc.or_(long, pc.match_substring(values, _UNICODE_NUL)))


Fast = tuple[pa.Array, Array]
"""The canonical array, and where it is sure; the other rows are null or to be replaced."""


def _unsure(column: Column, values: pa.Array) -> Fast:
    return pa.nulls(len(values), column.arrow_type), _truths(pc.is_null(values))


def _fast_string(column: Column, values: pa.Array) -> Fast:
    if pa.types.is_integer(values.type) and not pa.types.is_uint64(values.type):
        values = values.cast(pa.int64())
        sure = _within(values, -(10**18) + 1, 10**18 - 1)
        return values.cast(pa.string()), sure
    if not pa.types.is_string(values.type):
        return _unsure(column, values)
    trimmed = _trimmed(values)
    if column.type == "id":
        return trimmed, _storable(trimmed, LONGEST_ID)
    return pc.if_else(pc.is_null(trimmed), None, values), _storable(values, LONGEST_TEXT)


def _fast_bool(column: Column, values: pa.Array) -> Fast:
    if pa.types.is_boolean(values.type):
        return values, np.ones(len(values), dtype=bool)
    if pa.types.is_string(values.type):
        low = pc.ascii_lower(_trimmed(values))
        true, false = (pc.is_in(low, pa.array(words)) for words in (["true", "yes", "1"], ["false", "no", "0"]))
        result = pc.if_else(true, True, pc.if_else(false, False, pa.scalar(None, pa.bool_())))
        return result, _truths(pc.or_(pc.is_null(low), pc.is_valid(result)))
    return _unsure(column, values)


def _within(values: pa.Array, low: float | None, high: float | None) -> Array:
    """Where values are null or between the bounds (a null bound does not bind)."""
    inside = np.ones(len(values), dtype=bool)
    if low is not None:
        inside &= ~_truths(pc.less(values, low))
    if high is not None:
        inside &= ~_truths(pc.greater(values, high))
    return inside


def _fast_int(column: Column, values: pa.Array) -> Fast:
    if pa.types.is_string(values.type):
        trimmed = _trimmed(values)
        plain = _matches(trimmed, _PLAIN_INTEGER)
        cast = pc.if_else(plain, trimmed, None).cast(pa.int64())
        sure = _truths(pc.or_(plain, pc.is_null(trimmed)))
    elif pa.types.is_integer(values.type) and not pa.types.is_uint64(values.type):
        cast = values.cast(pa.int64())
        sure = _within(cast, -(10**18), 10**18)
    else:
        return _unsure(column, values)
    return cast, sure & _within(cast, column.minimum, column.maximum)


def _fast_float(column: Column, values: pa.Array) -> Fast:
    if pa.types.is_string(values.type):
        trimmed = _trimmed(values)
        plain = _matches(trimmed, _PLAIN_NUMBER)
        cast = pc.if_else(plain, trimmed, None).cast(pa.float64())
        sure = _truths(pc.or_(plain, pc.is_null(trimmed)))
    elif pa.types.is_floating(values.type):
        cast = pc.if_else(pc.is_nan(values), None, values).cast(pa.float64())
        sure = _within(cast, -math.inf, math.inf) & ~_truths(pc.is_inf(cast))
    elif pa.types.is_integer(values.type):
        cast = values.cast(pa.float64(), safe=False)
        sure = np.ones(len(values), dtype=bool)
    else:
        return _unsure(column, values)
    return pc.add(cast, 0.0), sure & _within(cast, column.minimum, column.maximum)


def _fast_time(column: Column, values: pa.Array) -> Fast:
    if pa.types.is_date(values.type):
        seconds = pc.multiply(values.cast(pa.date32(), safe=False).cast(pa.int32()).cast(pa.int64()), 86_400)
        sure = np.ones(len(values), dtype=bool)
    elif pa.types.is_timestamp(values.type) and (values.type.tz or column.time_zone == "UTC"):
        unit = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[values.type.unit]
        count = values.cast(pa.int64())
        whole = np.asarray(pc.fill_null(count, 0).to_numpy(zero_copy_only=False)) // unit
        seconds = pa.array(whole, mask=pc.is_null(count).to_numpy(zero_copy_only=False))
        sure = np.ones(len(values), dtype=bool)
    elif pa.types.is_string(values.type) and not column.time_format:
        seconds, sure = _iso_seconds(_trimmed(values), column.time_zone == "UTC")
    else:
        return _unsure(column, values)
    sure = sure & _within(seconds, EARLIEST, LATEST) & _within(seconds, column.minimum, column.maximum)
    return seconds.cast(column.arrow_type), sure


def _iso_seconds(text: pa.Array, naive_is_utc: bool) -> Fast:
    """UTC seconds of ISO 8601 dates and date-times; unsure where the form is another."""
    empty = pc.is_null(text)
    offset = f"({_OFFSET})?" if naive_is_utc else _OFFSET
    form = f"{_DAY}([T ]{_CLOCK}({_FRACTION})?{offset})?"
    plain = _matches(text, f"^{form}$")
    # A day such as 30 February has the right form but makes Arrow's cast fail as a whole.
    risky = pc.and_(plain, pc.invert(_matches(text, f"^{_SAFE_DAY}")))
    text = pc.if_else(plain, text, None)
    try:
        seconds = _cast_iso(text)
    except pa.ArrowInvalid:
        plain = pc.and_(plain, pc.invert(risky))
        text = pc.if_else(plain, text, None)
        seconds = _cast_iso(text)
    return seconds, _truths(pc.or_(plain, empty))


def _cast_iso(text: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring(text, ".")).as_py():
        text = pc.replace_substring_regex(text, _FRACTION, "")
    zoned = _matches(text, r"\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$")
    moments = pc.if_else(zoned, text, None).cast(pa.timestamp("s", tz="UTC")).cast(pa.int64())
    if pc.all(zoned).as_py():
        return moments
    return pc.coalesce(moments, pc.if_else(zoned, None, text).cast(pa.timestamp("s")).cast(pa.int64()))


_FAST: dict[str, Callable[[Column, pa.Array], Fast]] = {
    "id": _fast_string,
    "text": _fast_string,
    "bool": _fast_bool,
    "int": _fast_int,
    "float": _fast_float,
    "time": _fast_time,
}


def convert_own_array(values: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """A user's own column as float64 or string, as ``own_value`` reads it, and what is allowed where it is not."""
    values = _plain(values)
    if pa.types.is_string(values.type):
        trimmed = _trimmed(values)
        refused = np.flatnonzero(~_storable(trimmed, LONGEST_ID))
        return trimmed, dict.fromkeys(map(int, refused), OWN_EXPECTED)
    if pa.types.is_boolean(values.type):
        return values.cast(pa.float64()), {}
    if pa.types.is_integer(values.type):
        return values.cast(pa.float64(), safe=False), {}
    if pa.types.is_floating(values.type):
        numbers = values.cast(pa.float64())
        infinite = np.flatnonzero(_truths(pc.is_inf(numbers)))
        numbers = pc.add(pc.if_else(pc.is_nan(numbers), None, numbers), 0.0)
        return numbers, dict.fromkeys(map(int, infinite), OWN_EXPECTED)
    results, wrong = _convert_each(own_value, values)
    return pa.array(results, pa.string()), wrong


def numbers_if_all(texts: pa.Array) -> pa.Array:
    """Strings as float64 if every one of them is a number, else as they are."""
    as_number = Column("", "float", "")
    if convert_array(as_number, texts.slice(0, 1_000))[1] or convert_array(as_number, pc.unique(texts))[1]:
        return texts
    return convert_array(as_number, texts)[0]


def distinct(rows: pa.Table) -> tuple[Array, Array]:
    """The distinct rows of a table: int64 index of the first row of each, and int64 (n,) which of them each row is."""
    code: Array = np.zeros(len(rows), dtype=np.int64)
    for column in rows.columns:
        values = encoded(column)
        wide = code * (len(values.dictionary) + 1) + indices(values) + 1
        code = indices(encoded(pa.array(wide)))
    _, first = np.unique(code, return_index=True)
    return first, code
