"""Rows of a sheet of an Excel workbook (.xlsx), as plain values, one row at a time.

Formulas count by the value that the workbook holds for them: what was computed when it was last saved. (A workbook that
a program wrote and no spreadsheet has ever opened holds none; such cells are empty.)
"""

from __future__ import annotations

import datetime
import warnings
import zipfile
from collections.abc import Iterator
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from features.sources.readers import CellError, SourceError

LARGEST_EXPANSION = 200
"""How many times its own size a workbook may expand to."""
FREE_EXPANSION = 64 << 20
"""Bytes that any workbook may expand to."""
SHARED_TEXT_BYTES = 256 << 20
"""Bytes of the workbook's table of texts, which is held in memory as a whole."""
WIDEST = 16_384
"""Columns of a sheet, as in Excel."""

_SHARED_TEXTS = "xl/sharedStrings.xml"
_MIDNIGHT = datetime.time()


def sheet_rows(file: str, stream: IO[bytes], sheet: str = "") -> Iterator[list[Any]]:
    """The rows of the named sheet (else of the first one), the header among them; empty rows are empty lists.

    Values are texts, numbers, truth values, None or ``CellError``; dates and date-times come as ISO 8601 text without
    an offset, because a workbook knows none. Raises SourceError.
    """
    from openpyxl import load_workbook

    try:
        _check_size(file, stream)
        with warnings.catch_warnings():
            # What openpyxl does not keep (styles, validation of input) does not matter here.
            warnings.filterwarnings("ignore", module="openpyxl")
            book = load_workbook(stream, read_only=True, data_only=True)
            try:
                chosen = _sheet(file, book, sheet)
                chosen.reset_dimensions()  # what a file says of its own extent is often wrong
                for cells in chosen.iter_rows():
                    if len(cells) > WIDEST:
                        raise SourceError(f"{file}: a row has more than {WIDEST:,} columns")
                    row = [_plain(cell) for cell in cells]
                    yield [] if all(value is None for value in row) else row
            finally:
                book.close()
    except (zipfile.BadZipFile, KeyError, ParseError, ValueError, OSError, EOFError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{file}: cannot be read as an Excel workbook (.xlsx): {error}") from None


def _check_size(file: str, stream: IO[bytes]) -> None:
    with zipfile.ZipFile(stream) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    packed = stream.seek(0, 2)
    stream.seek(0)
    if sum(sizes.values()) > max(packed * LARGEST_EXPANSION, FREE_EXPANSION):
        raise SourceError(f"{file}: expands to more than {LARGEST_EXPANSION} times its size")
    if sizes.get(_SHARED_TEXTS, 0) > SHARED_TEXT_BYTES:
        raise SourceError(f"{file}: holds more than {SHARED_TEXT_BYTES >> 20} MB of texts; save the sheet as CSV")


def _sheet(file: str, book: Any, name: str) -> Any:
    sheets = {one.title: one for one in book.worksheets}
    if not sheets:
        raise SourceError(f"{file}: holds no sheet with cells")
    if not name:
        return next(iter(sheets.values()))
    if name not in sheets:
        raise SourceError(f"{file}: has no sheet {name!r}; there are: {', '.join(sheets)}")
    return sheets[name]


def _plain(cell: Any) -> Any:
    value = cell.value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return CellError(value) if cell.data_type == "e" else value if value.strip() else None
    if isinstance(value, datetime.datetime):
        if value.time() == _MIDNIGHT and not _tells_time(cell.number_format):
            return value.date().isoformat()
        return value.isoformat(timespec="seconds")
    return str(value)


def _tells_time(number_format: str) -> bool:
    """Whether cells of this format show a time of day, so that midnight is a time and not just a date.

    >>> _tells_time("yyyy-mm-dd hh:mm"), _tells_time("dd/mm/yyyy")
    (True, False)
    """
    return "h" in number_format.lower()
