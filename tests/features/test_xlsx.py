"""Excel workbooks as sources, and what mappings can do with columns since spreadsheets and CRMs are read."""

from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from openpyxl import Workbook
from openpyxl.styles import numbers

from features.sources import readers, workbooks
from features.sources.files import read_tables
from features.sources.gathering import ImportOptions
from features.sources.importing import import_to_folder
from features.sources.readers import SourceError, read_chunks

DAY = datetime.datetime(2024, 5, 31)
MOMENT = datetime.datetime(2024, 5, 31, 14, 30)


def book(path: Path, rows: list[list[Any]], formats: dict[str, str] | None = None, sheet: str = "") -> Path:
    """A workbook with these rows in its first sheet, or in one of a name behind another."""
    made = Workbook()
    page = made.create_sheet(sheet) if sheet else made.active
    assert page is not None
    for row in rows:
        page.append(row)
    for cell, form in (formats or {}).items():
        page[cell].number_format = form
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(path)
    return path


def rows_in(path: Path, sheet: str = "") -> list[tuple[int, dict[str, Any]]]:
    found: list[tuple[int, dict[str, Any]]] = []
    for chunk in read_chunks(path, set, sheet):
        rows = pa.table(chunk.columns).to_pylist() if chunk.columns else []
        found += zip(chunk.numbers.tolist(), rows, strict=True)
    return found


def test_cells_of_every_kind(tmp_path: Path) -> None:
    path = book(
        tmp_path / "a.xlsx",
        [
            ["id", "day", "moment", "midnight", "number", "flag", "text", None],
            [12345, DAY, MOMENT, DAY, 1.5, True, " kept ", "has no name"],
            [],
            ["a", None, None, None, 7, False, "  "],
        ],
        {"B2": "dd/mm/yyyy", "C2": "yyyy-mm-dd hh:mm", "D2": "yyyy-mm-dd hh:mm"},
    )
    first = {"id": "12345", "day": "2024-05-31", "moment": "2024-05-31T14:30:00", "midnight": "2024-05-31T00:00:00"}
    assert rows_in(path) == [
        (1, {**first, "number": 1.5, "flag": True, "text": " kept "}),
        (3, {"id": "a", "day": None, "moment": None, "midnight": None, "number": 7.0, "flag": False, "text": None}),
    ]


def test_formulas_count_by_the_values_that_were_saved(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", [["id", "sum"], ["a", "=1+1"], ["b", 3]])
    assert [row["sum"] for _, row in rows_in(path)] == [None, 3]  # nobody has computed it yet
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    assert b"<v></v>" in sheet or b"<v />" in sheet
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"<v></v>", b"<v>2</v>").replace(b"<v />", b"<v>2</v>")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert [row["sum"] for _, row in rows_in(path)] == [2, 3]


def test_cells_with_errors_break_their_rows(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", [["id", "sum"], ["a", "#DIV/0!"], ["b", 3]])
    chunks = list(read_chunks(path, set))
    assert [(row.row, row.column, row.value) for chunk in chunks for row in chunk.broken] == [(1, "sum", "#DIV/0!")]
    assert [row["id"] for _, row in rows_in(path)] == ["b"]
    # In a column that nobody asked for it does no harm.
    assert [chunk.numbers.tolist() for chunk in read_chunks(path, lambda names: {"id"} & set(names))] == [[1, 2]]


def test_sheets_by_name(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", [["id"], ["a"]], sheet="Deals 2024")
    assert rows_in(path, "Deals 2024") == [(1, {"id": "a"})]
    with pytest.raises(SourceError, match=r"a\.xlsx: has no sheet 'Deals'; there are: Sheet, Deals 2024"):
        rows_in(path, "Deals")
    with pytest.raises(SourceError, match=r"a\.xlsx: the sheet is empty"):
        rows_in(path)
    (tmp_path / "a.csv").write_text("id\na\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.csv: has no sheets"):
        rows_in(tmp_path / "a.csv", "Deals")


def test_many_rows_come_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "JSON_ROWS", 3)
    path = book(tmp_path / "a.xlsx", [["id"], *([number] for number in range(8))])
    chunks = list(read_chunks(path, set))
    assert [len(chunk.numbers) for chunk in chunks] == [3, 3, 2]
    assert chunks[-1].share == 1


def test_a_column_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="column 'id' stands there twice"):
        rows_in(book(tmp_path / "a.xlsx", [["id", "id "], ["a", "b"]]))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"id\na\n"])
def test_what_is_no_workbook(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.xlsx: cannot be read as an Excel workbook"):
        rows_in(tmp_path / "a.xlsx")


def test_a_zip_that_is_no_workbook(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("hello.txt", "hello")
    (tmp_path / "a.xlsx").write_bytes(stream.getvalue())
    with pytest.raises(SourceError, match=r"a\.xlsx: cannot be read as an Excel workbook"):
        rows_in(tmp_path / "a.xlsx")


def test_a_workbook_that_expands_beyond_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "FREE_EXPANSION", 1_000)
    path = book(tmp_path / "a.xlsx", [["id"], *([0] for _ in range(2_000))])
    monkeypatch.setattr(workbooks, "LARGEST_EXPANSION", 2)
    with pytest.raises(SourceError, match="expands to more than 2 times its size"):
        rows_in(path)


def test_entities_that_expand_beyond_reason(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", [["id"], ["a"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    bomb = b'<!DOCTYPE x [<!ENTITY a0 "lol">' + b"".join(
        b'<!ENTITY a%d "%s">' % (depth, b"&a%d;" % (depth - 1) * 10) for depth in range(1, 10)
    )
    sheet = parts["xl/worksheets/sheet1.xml"]
    sheet = sheet[sheet.index(b"<worksheet") :] if b"<worksheet" in sheet else sheet
    parts["xl/worksheets/sheet1.xml"] = bomb + b"]>" + sheet.replace(b">a<", b">&a9;<").replace(b"<t>a", b"<t>&a9;")
    parts["xl/sharedStrings.xml"] = bomb + b"]><sst xmlns='x'><si><t>&a9;</t></si></sst>"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(SourceError, match=r"a\.xlsx: cannot be read as an Excel workbook"):
        rows_in(path)


MAPPING = """
[deals]
files = "book.xlsx"
sheet = "Deals"
time_zone = "Europe/Berlin"

[deals.columns]
deal_id = "No"
account_id = ["Account No", "Account"]
opened_at = "Opened"
closed_at = "Closed"
amount = { column = "Sum", decimal = "," }
outcome = { column = "Result", values = { Won = "won", Lost = "lost" }, otherwise = "open" }
margin = { column = "Margin in thousands", factor = 1000 }
"""


def test_a_sheet_by_a_mapping(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["No", "Account No", "Account", "Opened", "Closed", "Sum", "Result", "Margin in thousands"],
        [1, "k1", "North Mill", DAY, MOMENT, "€ 1.234,50", "WON", 0.5],
        [2, None, "South Works", DAY, None, 900, "maybe", "much"],
        [3, "", "South Works", DAY, None, 900, "", None],
    ]
    book(tmp_path / "in" / "book.xlsx", rows, {"D2": numbers.FORMAT_DATE_YYYYMMDD2, "E2": "yyyy-mm-dd hh:mm"}, "Deals")
    (tmp_path / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    summary = import_to_folder([tmp_path / "in"], tmp_path / "out", ImportOptions(tmp_path / "mapping.toml"))
    (reject,) = summary.rejects
    assert (reject.file, reject.row, reject.column, reject.value) == ("book.xlsx", 2, "margin", "much")
    won, still_open = sorted(read_tables(tmp_path / "out").deals.to_pylist(), key=lambda row: row["deal_id"])
    assert (won["account_id"], won["outcome"], won["amount"], won["margin"]) == ("k1", "won", 1234.5, 500.0)
    assert won["closed_at"] == datetime.datetime(2024, 5, 31, 12, 30, tzinfo=datetime.UTC)
    assert (still_open["account_id"], still_open["outcome"], still_open["closed_at"]) == ("South Works", "open", None)


MISTAKES = {
    "amount = { column = [] }": "column .* must be the name of a source column, or a list of such",
    "amount = { constant = 1, factor = 2 }": "factor goes with column only",
    'amount = { column = "a", decimal = ";" }': "decimal ';' must be one of",
    'amount = { column = "a", otherwise = 3 }': "otherwise = 3 must be a str",
    "amount = { column = 3 }": "column = 3 must be a str or list",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_in_lines_are_told(tmp_path: Path, line: str) -> None:
    book(tmp_path / "in" / "deals.xlsx", [["a"], [1]])
    (tmp_path / "mapping.toml").write_text(f"[deals.columns]\n{line}\n", encoding="utf-8")
    with pytest.raises(SourceError, match=MISTAKES[line]):
        import_to_folder([tmp_path / "in"], tmp_path / "out", ImportOptions(tmp_path / "mapping.toml"))


def test_one_of_several_columns_must_be_there(tmp_path: Path) -> None:
    book(tmp_path / "in" / "deals.xlsx", [["deal_id", "account_id", "opened_at"], [1, 2, DAY]])
    (tmp_path / "mapping.toml").write_text('[deals.columns]\namount = ["sum", "total"]\n', encoding="utf-8")
    with pytest.raises(SourceError, match=r"deals\.xlsx: has no column sum, which the mapping names"):
        import_to_folder([tmp_path / "in"], tmp_path / "out", ImportOptions(tmp_path / "mapping.toml"))


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_of_a_csv_file_is_found(tmp_path: Path, delimiter: str) -> None:
    lines = [["id", "name, as used", "n"], ["1", f'"a{delimiter}b"', "3,5"]]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(delimiter.join(line) for line in lines), encoding="utf-8")
    assert rows_in(path) == [(1, {"id": "1", "name, as used": f"a{delimiter}b", "n": "3,5"})]
