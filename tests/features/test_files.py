"""Reading source files, in every form and state they come in, and reading the canonical folder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.histories.tables import INTERACTIONS, TABLES
from features.sources import readers
from features.sources.files import NotCanonical, is_canonical, read_dataset, read_tables
from features.sources.importing import import_to_folder
from features.sources.readers import Chunk, SourceError, read_chunks


def read(path: Path, *wanted: str) -> list[Chunk]:
    return list(read_chunks(path, lambda names: {name for name in names if not wanted or name in wanted}))


def rows_in(chunks: list[Chunk]) -> list[tuple[int, dict[str, Any]]]:
    """The rows read, each with its number."""
    found: list[tuple[int, dict[str, Any]]] = []
    for chunk in chunks:
        rows = pa.table(chunk.columns).to_pylist() if chunk.columns else []
        found += zip(chunk.numbers.tolist(), rows, strict=True)
    return found


def broken_in(chunks: list[Chunk]) -> list[tuple[int, str]]:
    return sorted((row.row, row.allowed) for chunk in chunks for row in chunk.broken)


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


EXCEL = b'\xef\xbb\xbfid, text ,n\r\n1,"two\r\nlines, ""quoted""",3\r\n\r\n2,,\r\n'


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_csv_with_byte_order_mark_windows_line_ends_and_quoted_ones(tmp_path: Path, name: str) -> None:
    chunks = read(written(tmp_path, name, EXCEL))
    assert rows_in(chunks) == [
        (1, {"id": "1", "text": 'two\r\nlines, "quoted"', "n": "3"}),
        (2, {"id": "2", "text": "", "n": ""}),
    ]
    assert chunks[-1].share == 1


def test_csv_rows_with_too_few_or_many_fields_are_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", 64)  # so that broken rows fall into several blocks
    lines = [f"{row},{row}" if row % 4 else "lost" if row % 8 else "1,2,3" for row in range(1, 41)]
    chunks = read(written(tmp_path, "a.csv", "\n".join(["id,n", *lines]).encode()))
    assert len(chunks) > 3
    assert rows_in(chunks) == [(row, {"id": str(row), "n": str(row)}) for row in range(1, 41) if row % 4]
    assert broken_in(chunks) == [
        (row, f"2 fields as in the header (found {1 if row % 8 else 3})") for row in range(4, 41, 4)
    ]


def test_csv_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    assert rows_in(read(written(tmp_path, "a.csv", b"id,,n,,\n1,2,3,,\n"))) == [(1, {"id": "1", "n": "3"})]


@pytest.mark.parametrize("data", [b"id,n\n", b"id,n", b"id,n\n\r\n\n"])
def test_csv_without_rows(tmp_path: Path, data: bytes) -> None:
    assert rows_in(read(written(tmp_path, "a.csv", data))) == []


def test_csv_reads_only_what_is_wanted(tmp_path: Path) -> None:
    assert rows_in(read(written(tmp_path, "a.csv", b"a,b,c\n1,2,3\n"), "b")) == [(1, {"b": "2"})]


def test_two_gzip_files_in_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id\n1\n") + gzip.compress(b"2\n"))
    assert [row["id"] for _, row in rows_in(read(tmp_path / "a.csv.gz"))] == ["1", "2"]


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        '{"id": 1, "n": 2.5, "flag": true}',
        "",
        '{"id": "A", "n": 1}',
        '{"id": 3, "n"',
        "[1, 2]",
        '{"id": 4, "n": {"deep": 1}}',
        '{"id": "\\ud800"}',
        '{"id": 5, "n": NaN, "name": "Zoë"}',
    ]
    data = b"\xef\xbb\xbf" + "\r\n".join(lines).encode()
    for name in ("a.jsonl", "a.ndjson.gz", "a.json"):
        chunks = read(written(tmp_path, name, data))
        rows = rows_in(chunks)
        assert [number for number, _ in rows] == [1, 2, 7]
        assert [row["id"] for _, row in rows] == ["1", "A", "5"]
        assert [row["n"] for _, row in rows][:2] == [2.5, 1]
        assert [(row["flag"], row["name"]) for _, row in rows] == [(True, None), (None, None), (None, "Zoë")]
        assert broken_in(chunks) == [
            (3, 'one JSON object on a line, as {"column": value, ...}'),
            (4, 'one JSON object on a line, as {"column": value, ...}'),
            (5, "a single value of valid text"),
            (6, "a single value of valid text"),
        ]


def test_json_lines_in_several_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "JSON_ROWS", 3)
    chunks = read(written(tmp_path, "a.jsonl", b"".join(b'{"id": %d}\n' % row for row in range(8))))
    assert [chunk.numbers.tolist() for chunk in chunks] == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert [chunk.share for chunk in chunks] == sorted(chunk.share for chunk in chunks)


def test_deeply_nested_and_overlong_lines_are_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", 200_000)
    data = b"\n".join([b"[" * 150_000, b'{"id": "%s"}' % (b"x" * 450_000), b'{"id": "y"}'])
    chunks = read(written(tmp_path, "a.jsonl", data.replace(b"[", b'{"a":[', 1)))
    assert rows_in(chunks) == [(3, {"id": "y"})]
    assert [row for row, _ in broken_in(chunks)] == [1, 2]


@pytest.mark.parametrize("name", ["a.parquet", "a.parquet.gz"])
def test_parquet(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "CHUNK_ROWS", 2)
    rows = [{"id": row, "n": row / 2, "other": None} for row in range(5)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "plain")
    chunks = read(written(tmp_path, name, (tmp_path / "plain").read_bytes()), "id", "n")
    assert rows_in(chunks) == [(row + 1, {"id": row, "n": row / 2}) for row in range(5)]
    assert [round(chunk.share, 1) for chunk in chunks] == [0.4, 0.8, 1.0]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"id,id\n1,2\n", "column 'id' stands there twice"),
        ("a.csv", "id\nMüller\n".encode("latin-1"), "not UTF-8 text"),
        ("a.csv", "Größe\n1\n".encode("latin-1"), "not UTF-8 text"),
        ("a.csv", "id,n\n1,2\n".encode("utf-16"), "not UTF-8 text"),
        ("a.csv", b'id,n\n1,"2\n3,4\n5,6\n', "a quotation mark is left open in row 1"),
        ("a.jsonl", '{"id": "Müller"}'.encode("latin-1"), "not UTF-8 text"),
        ("a.jsonl", b'[{"id": 1},\n{"id": 2}]', "begins with a list; JSON Lines holds one object on each line"),
        ("a.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
        ("a.parquet", b"", "cannot be read as Parquet"),
    ],
)
def test_files_that_cannot_be_read_are_named_with_the_reason(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=f"^{name}: .*{message}"):
        read(written(tmp_path, name, data))


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.parquet.gz"])
def test_damaged_gzip_files_are_named(tmp_path: Path, name: str) -> None:
    whole = gzip.compress(json.dumps({"id": "x" * 1000}).encode() + b"\n")
    for data in (whole[:-10], whole[:20] + b"\0\0\0" + whole[23:], b"no gzip at all"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SourceError, match=f"^{name}: cannot be read, the file is damaged or cut off"):
            read(tmp_path / name)


def test_a_csv_row_longer_than_a_block_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", 1 << 20)
    path = written(tmp_path, "a.csv", b"id,n\n1," + b"x" * (3 << 20) + b"\n2,3\n")
    with pytest.raises(SourceError, match=r"^a.csv: .*a row is longer than 1 MB; is a quotation mark left open\?"):
        read(path)


# The canonical folder


@pytest.fixture
def canonical(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "interactions.csv").write_text(
        "interaction_id,account_id,at,kind,actor,outcome,x_tier\n"
        "m2,b,2024-05-02,message,us,,gold\n"
        "m1,a,2024-05-01,call,client,answered,\n",
        encoding="utf-8",
    )
    import_to_folder([source], tmp_path / "canonical")
    return tmp_path / "canonical"


def test_reading_a_canonical_folder(canonical: Path) -> None:
    tables = read_tables(canonical)
    assert tables.interactions["interaction_id"].to_pylist() == ["m1", "m2"]
    assert tables.accounts["account_id"].to_pylist() == ["a", "b"]
    assert tables.deals.num_rows == 0
    for name, table in TABLES.items():
        read = getattr(tables, name)
        assert read.select([column.name for column in table.columns]).schema == table.schema()
    assert tables.interactions.column_names[-1] == "x_tier"
    assert tables.dataset == read_dataset(canonical)


def test_codes_of_categories_are_places_in_the_vocabulary(canonical: Path) -> None:
    path = canonical / "interactions.parquet"
    rows = pq.read_table(path)
    for name in ("kind", "outcome"):  # as another writer might: only the values that occur, in another order
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].cast(pa.string()).dictionary_encode())
    pq.write_table(rows, path)
    kind = read_tables(canonical).interactions["kind"].combine_chunks()
    assert kind.dictionary.to_pylist() == list(INTERACTIONS.column["kind"].allowed)
    assert kind.to_pylist() == ["call", "message"]
    outcome = read_tables(canonical).interactions["outcome"].combine_chunks()
    assert outcome.to_pylist() == ["answered", None]


def test_reading_only_some_tables_and_columns(canonical: Path) -> None:
    tables = read_tables(canonical, tables={"interactions"}, columns={"interactions": ["at", "kind"]})
    assert tables.interactions.column_names == ["at", "kind"]
    assert tables.accounts.num_rows == 0
    assert tables.accounts.schema == TABLES["accounts"].schema()


@pytest.mark.parametrize("marker", [None, "{}", "no JSON", '{"format": "rapport tables", "version": 999}'])
def test_other_folders_are_refused(tmp_path: Path, marker: str | None) -> None:
    if marker is not None:
        (tmp_path / "dataset.json").write_text(marker, encoding="utf-8")
    assert not is_canonical(tmp_path)
    with pytest.raises(NotCanonical, match="write them with `rapport import`"):
        read_tables(tmp_path)
