"""Reading CSV, JSON Lines and Parquet files, gzipped or not, and Excel workbooks, in chunks of columns.

What is wrong with single rows is handed on as broken rows; what is wrong with a file as a whole raises ``SourceError``.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

Array = np.ndarray[Any, np.dtype[Any]]
Select = Callable[[Iterable[str]], set[str]]
"""Given the names of columns that a file holds, those to read."""

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx")

CHUNK_ROWS = 200_000
JSON_ROWS = 25_000
"""Rows of a chunk; fewer where each is a Python object until then."""
BLOCK_BYTES = 16 << 20
"""Size of a block of CSV, and so the longest row that can be read; also the longest line of JSON Lines."""

_BOM = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t|"
_DAMAGED = (EOFError, OSError, zlib.error)


class SourceError(ValueError):
    """A source that cannot be imported as it is; the message names the file and what would be right."""


@dataclass(frozen=True)
class Broken:
    """A row that could not be read as one: its data row number, the column at fault if one is, and what is allowed."""

    row: int
    column: str
    value: str
    allowed: str


@dataclass(frozen=True)
class CellError:
    """What a cell of a workbook holds where its formula failed, such as ``#DIV/0!``."""

    text: str


@dataclass
class Chunk:
    """Rows as columns of any Arrow type, with their data row numbers (from 1), and the rows that were broken.

    ``share`` tells how much of the file has been read by now, 0 to 1.
    """

    columns: dict[str, pa.Array]
    numbers: Array
    share: float
    broken: list[Broken] = field(default_factory=list)


_Reader = Callable[[str, IO[bytes], Select, Callable[[], float]], Iterator[Chunk]]


def read_chunks(path: Path, select: Select, sheet: str = "") -> Iterator[Chunk]:
    """The rows of a file in order, with the selected columns only.

    ``sheet`` names the sheet of a workbook; without it the first one is read.
    """
    kind = Path(path.name.removesuffix(".gz")).suffix
    if sheet and kind != ".xlsx":
        raise SourceError(f"{path.name}: has no sheets; sheet goes with files that end in .xlsx")
    readers: dict[str, _Reader] = {
        ".csv": _read_csv,
        ".parquet": _read_parquet,
        ".xlsx": partial(_read_workbook, sheet),
    }
    read = readers.get(kind, _read_json_lines)
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if path.name.endswith(".gz") else raw
        try:
            yield from read(path.name, stream, select, lambda: raw.tell() / size)
        except UnicodeDecodeError as error:
            raise SourceError(f"{path.name}: not UTF-8 text ({error.reason}); save it as UTF-8") from None
        except _DAMAGED as error:
            raise SourceError(f"{path.name}: cannot be read, the file is damaged or cut off ({error})") from None


def _checked_names(file: str, names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"{file}: column {twice[0]!r} stands there twice; column names must differ")
    return names


class _CsvStream:
    """A stream from whose start the header is taken; counts quotation marks of what follows."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.ahead = b""
        self.quotes = 0
        self.delimiter = ","

    def header(self, file: str) -> list[str]:
        """The names in the header, which may hold quoted line ends; finds the delimiter, the one that parts most."""
        taken: list[str] = []

        def lines() -> Iterator[str]:
            while line := self.stream.readline(BLOCK_BYTES):
                taken.append(line.removeprefix(_BOM).decode())
                yield taken[-1]

        try:
            names = next((row for row in csv.reader(lines()) if row), [])
            for delimiter in _DELIMITERS:
                parted = next((row for row in csv.reader(taken, delimiter=delimiter) if row), [])
                if len(parted) > len(names):
                    names, self.delimiter = parted, delimiter
        except csv.Error as error:
            raise SourceError(f"{file}: the header line cannot be read ({error})") from None
        return names

    def has_rows(self) -> bool:
        """Whether anything but empty lines follows."""
        self.ahead = self.stream.read(1)
        while self.ahead in (b"\r", b"\n"):
            self.ahead = self.stream.read(1)
        return bool(self.ahead)

    def read(self, size: int) -> bytes:
        """The next bytes."""
        taken, self.ahead = self.ahead, b""
        taken += self.stream.read(max(size - len(taken), 0))
        self.quotes += taken.count(b'"')
        return taken


def _read_csv(file: str, stream: IO[bytes], select: Select, share: Callable[[], float]) -> Iterator[Chunk]:
    source = _CsvStream(stream)
    names = [name.strip() for name in source.header(file)]
    if not names:
        raise SourceError(f"{file}: the file is empty; a CSV file begins with a line of column names")
    wanted = select(_checked_names(file, [name for name in names if name]))
    if not source.has_rows():
        return
    # Columns go by their place: names may be empty. The last one is read in any case, because a quotation mark
    # left open swallows the rest of the file into it.
    places = {str(place): name for place, name in enumerate(names)}
    last_place = str(len(names) - 1)
    kept = [place for place, name in places.items() if name in wanted or place == last_place]
    broken: list[Broken] = []

    def keep_broken(row: Any) -> str:
        allowed = f"{row.expected_columns} fields as in the header (found {row.actual_columns})"
        broken.append(Broken(row.number, "", row.text, allowed))
        return "skip"

    try:
        batches = pyarrow.csv.open_csv(
            pa.PythonFile(source, "r"),
            pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=list(places)),
            pyarrow.csv.ParseOptions(
                delimiter=source.delimiter, newlines_in_values=True, invalid_row_handler=keep_broken
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.string()), include_columns=kept, strings_can_be_null=False
            ),
        )
        number, last = 1, ""
        for batch in batches:
            numbers, number, passed = _numbered(len(batch), number, broken)
            last = batch.column(last_place)[-1].as_py() if len(batch) else last
            columns = {places[place]: batch.column(place) for place in kept if places[place] in wanted}
            yield Chunk(columns, numbers, share(), passed)
    except pa.ArrowInvalid as error:
        reason = str(error)
        if "UTF8" in reason:
            raise SourceError(f"{file}: not UTF-8 text ({reason}); save it as UTF-8") from None
        if "straddling" in reason:
            reason = f"a row is longer than {BLOCK_BYTES >> 20} MB; is a quotation mark left open?"
        raise SourceError(f"{file}: cannot be read as CSV: {reason}") from None
    if source.quotes % 2 and "\n" in last:
        raise SourceError(f"{file}: a quotation mark is left open in row {number - 1} and swallows all that follows")
    yield Chunk({}, np.empty(0, np.int64), 1.0, broken)


def _numbered(rows: int, number: int, broken: list[Broken]) -> tuple[Array, int, list[Broken]]:
    """Row numbers of the next good rows, stepping over broken ones (which are taken off the list)."""
    numbers = np.empty(rows, dtype=np.int64)
    passed: list[Broken] = []
    done = 0
    while broken and broken[0].row < number + rows - done:
        gap = broken[0].row - number
        numbers[done : done + gap] = np.arange(number, number + gap)
        done, number = done + gap, broken[0].row + 1
        passed.append(broken.pop(0))
    numbers[done:] = np.arange(number, number + rows - done)
    return numbers, number + rows - done, passed


def _read_json_lines(file: str, stream: IO[bytes], select: Select, share: Callable[[], float]) -> Iterator[Chunk]:
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[Broken] = []
    number, weight = 0, 0
    for line in _lines(stream):
        if number == 0:
            line = line.removeprefix(_BOM)
        text = line.decode().strip()
        if not text:
            continue
        number += 1
        if number == 1 and text[0] == "[":
            raise SourceError(f"{file}: begins with a list; JSON Lines holds one object on each line")
        weight += len(line)
        record = _record_of(text) if len(line) < BLOCK_BYTES else None
        if record is None:
            broken.append(Broken(number, "", text, 'one JSON object on a line, as {"column": value, ...}'))
        else:
            records.append(record)
            numbers.append(number)
        if len(records) == JSON_ROWS or weight > BLOCK_BYTES:
            yield _json_chunk(records, numbers, broken, select, share())
            records, numbers, broken, weight = [], [], [], 0
    yield _json_chunk(records, numbers, broken, select, 1.0)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of a stream; of one that is too long only as much as shows that it is."""
    while line := stream.readline(BLOCK_BYTES):
        rest = line
        while len(rest) == BLOCK_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(BLOCK_BYTES)
        yield line


def _record_of(text: str) -> dict[str, Any] | None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _json_chunk(
    records: list[dict[str, Any]], numbers: list[int], broken: list[Broken], select: Select, share: float
) -> Chunk:
    if not records:
        return Chunk({}, np.empty(0, np.int64), share, broken)
    found: set[str] = set()
    for record in records:
        found.update(record)
    names = sorted(select(sorted(found)))
    columns = {name: [record.get(name) for record in records] for name in names}
    arrays = {name: _json_array(values) for name, values in columns.items()}
    refused: dict[int, Broken] = {}
    for name in (name for name in names if arrays[name] is None):
        for place, value in enumerate(columns[name]):
            if not _is_single(value):
                refused[place] = Broken(numbers[place], name, json.dumps(value), "a single value of valid text")
    if refused:
        kept = [place for place in range(len(records)) if place not in refused]
        chunk = _json_chunk([records[place] for place in kept], [numbers[place] for place in kept], [], select, share)
        return Chunk(chunk.columns, chunk.numbers, share, [*broken, *refused.values()])
    return Chunk(arrays, np.array(numbers, dtype=np.int64), share, broken)


def _json_array(values: list[Any]) -> pa.Array | None:
    """The values as one Arrow array, as strings where their types differ; None where some are no single values."""
    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        if not all(map(_is_single, values)):
            return None
        return pa.array([_as_string(value) for value in values], pa.string())
    return None if pa.types.is_nested(array.type) else array


def _is_single(value: Any) -> bool:
    if isinstance(value, dict | list):
        return False
    if not isinstance(value, str) or value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_string(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value != value else json.dumps(value)


def _read_parquet(file: str, stream: IO[bytes], select: Select, share: Callable[[], float]) -> Iterator[Chunk]:
    source = io.BytesIO(stream.read()) if isinstance(stream, gzip.GzipFile) else stream
    try:
        parquet = pq.ParquetFile(source)
        names = _checked_names(file, parquet.schema_arrow.names)
        wanted = sorted(select(names))
        total, number = max(parquet.metadata.num_rows, 1), 1
        for batch in parquet.iter_batches(CHUNK_ROWS, columns=wanted):
            columns = {name: batch.column(name) for name in wanted}
            done = number - 1 + len(batch)
            yield Chunk(columns, np.arange(number, done + 1), done / total)
            number = done + 1
    except pa.ArrowInvalid as error:
        raise SourceError(f"{file}: cannot be read as Parquet: {error}") from None


def _read_workbook(
    sheet: str, file: str, stream: IO[bytes], select: Select, share: Callable[[], float]
) -> Iterator[Chunk]:
    from features.sources.workbooks import sheet_rows

    rows = sheet_rows(file, stream, sheet)
    header = next((row for row in rows if row), [])
    names = ["" if name is None else _header_name(file, name) for name in header]
    if not any(names):
        raise SourceError(f"{file}: the sheet is empty; a sheet begins with a row of column names")
    wanted = select(_checked_names(file, [name for name in names if name]))
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[Broken] = []
    for number, row in enumerate(rows, start=1):
        record = {name: value for name, value in zip(names, row, strict=False) if name}
        failed = [(name, record[name].text) for name in wanted if isinstance(record.get(name), CellError)]
        if failed:
            broken.append(Broken(number, *failed[0], "a value (the cell holds an error of the spreadsheet)"))
        elif row:
            # Every row brings every column, so that one that is empty here and there is not taken for absent.
            records.append(dict.fromkeys(filter(None, names)) | record)
            numbers.append(number)
        if len(records) == JSON_ROWS:
            yield _json_chunk(records, numbers, broken, select, share())
            records, numbers, broken = [], [], []
    yield _json_chunk(records, numbers, broken, select, 1.0)


def _header_name(file: str, name: Any) -> str:
    if isinstance(name, CellError):
        raise SourceError(f"{file}: a column name is the spreadsheet error {name.text}")
    return str(name).strip()
