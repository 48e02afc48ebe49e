"""The import: from source folders of any form to one canonical folder."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.histories.tables import (
    ACCOUNTS,
    CONTACTS,
    DEALS,
    INTERACTIONS,
    STAGE_REVIEWS,
    TABLES,
    Table,
    Tables,
    check_records,
    settle_records,
)
from features.sources import importing, settling, writing
from features.sources.declarations import read_declarations
from features.sources.files import read_tables
from features.sources.gathering import ImportOptions
from features.sources.importing import ImportSummary, import_to_folder
from features.sources.mapping import read_mapping
from features.sources.readers import SourceError
from features.sources.settling import settle

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

Record = Mapping[str, object]


def seconds(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


def put(folder: Path, files: Mapping[str, Sequence[Record] | str]) -> Path:
    """A source folder; rows are written in the form that the file's name says."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        path = folder / name
        if isinstance(rows, str):
            path.write_text(rows, encoding="utf-8")
        elif ".csv" in name:
            opened = gzip.open if name.endswith(".gz") else open
            with opened(path, "wt", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, sorted({column for row in rows for column in row}))
                writer.writeheader()
                writer.writerows(rows)
        elif ".parquet" in name:
            names = dict.fromkeys(column for row in rows for column in row)
            pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def imported(folder: Path, out: Path, mapping: str = "") -> tuple[ImportSummary, Tables]:
    path = None
    if mapping:
        path = folder.with_suffix(".toml")
        path.write_text(mapping, encoding="utf-8")
    summary = import_to_folder([folder], out, ImportOptions(path))
    return summary, read_tables(out)


def known(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows without their unknown values, times as UTC seconds."""
    for place, name in enumerate(rows.column_names):
        if pa.types.is_timestamp(rows[name].type):
            rows = rows.set_column(place, name, rows[name].cast(pa.int64()))
    return [{name: value for name, value in row.items() if value is not None} for row in rows.to_pylist()]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def message(number: int, **fields: object) -> dict[str, object]:
    row = {"interaction_id": f"m{number}", "account_id": "a", "at": "2024-05-01T10:00:00Z", "kind": "message"}
    return {**row, "actor": "us", **fields}


STREAM: list[dict[str, object]] = [
    message(1, contact_id="c1", words=12, x_tier="gold"),
    message(2, at="2024-05-01T12:00:00+02:00", actor="client", related_account_id="prospect"),
    message(3, account_id="b", at="2024-05-02", auto=True, x_tier="tin"),
    message(1, contact_id="c1", words=12, x_tier="gold"),
    message(1, contact_id="c1", words=15, x_tier="gold", updated_at="2024-06-01"),
    message(4, words=3, strategic=False),
    message(4, words=4, strategic=True),
    message(4, words=4, text="four, no: \n'five'"),
    message(5, account_id="b", kind="call", outcome="answered", contact_id="c1", at="2024-04-01"),
    message(5, account_id="b", kind="call", outcome="missed", contact_id="c1", at="2024-04-02"),
]


def test_the_canonical_rows(tmp_path: Path) -> None:
    summary, tables = imported(put(tmp_path / "in", {"interactions.csv": STREAM}), tmp_path / "out")
    first = {**message(1), "at": seconds(2024, 5, 1, 10), "contact_id": "c1", "words": 12, "x_tier": "gold"}
    call = {**message(5), "account_id": "b", "kind": "call", "contact_id": "c1"}
    assert known(tables.interactions) == [
        first,
        {**first, "words": 15, "updated_at": seconds(2024, 6, 1)},
        {**message(2), "at": first["at"], "actor": "client", "related_account_id": "prospect"},
        {**message(4), "at": first["at"], "words": 3, "strategic": False},
        {**call, "at": seconds(2024, 4, 1), "outcome": "answered"},
        {**call, "at": seconds(2024, 4, 2), "outcome": "missed"},
        {**message(3), "account_id": "b", "at": seconds(2024, 5, 2), "auto": True, "x_tier": "tin"},
    ]
    assert known(tables.accounts) == [{"account_id": account} for account in ("a", "b", "prospect")]
    assert known(tables.contacts) == [{"contact_id": "c1", "account_id": "b"}]  # where it was met first
    counts = summary.counts["interactions"]
    assert (counts.read, counts.kept, counts.rejected) == (10, 7, 0)
    assert (counts.repeated, counts.conflicting, counts.versions) == (1, 2, 2)
    assert (summary.counts["accounts"].created, summary.counts["contacts"].created) == (3, 1)
    assert summary.dataset.span == (seconds(2024, 4, 1), seconds(2024, 5, 2))
    assert "interactions: dropped 2 rows that claim the same interaction_id and time" in " ".join(summary.notes)


OTHERS: dict[str, list[dict[str, object]]] = {
    "deals.csv": [
        {"deal_id": "d1", "account_id": "a", "opened_at": "2024-01-01", "outcome": "open", "amount": 5},
        {"deal_id": "d1", "account_id": "a", "opened_at": "2024-01-01", "outcome": "won", "amount": 5,
         "closed_at": "2024-03-01", "recorded_at": "2024-03-02"},
    ],
    "contacts.csv": [{"contact_id": "c9", "account_id": "z", "seniority": 4, "decision_maker": "yes"}],
    "accounts.csv": [
        {"account_id": "a", "name": "Alpha", "retain": "true", "valid_from": "2023-01-01"},
        {"account_id": "a", "name": "Alpha & Sons", "valid_from": "2024-01-01"},
    ],
    "stage_reviews.csv": [
        {"account_id": "a", "at": "2024-02-01", "stage": "contract", "reviewer": name} for name in ("x", "y", "x")
    ],
}  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_order_and_repetition_do_not_matter_to_a_single_byte(tmp_path: Path, seed: int) -> None:
    files = {"interactions.csv": STREAM, **OTHERS}
    imported(put(tmp_path / "once", files), tmp_path / "out")
    shuffled = {name: random.Random(seed).sample(rows * 2, len(rows) * 2) for name, rows in files.items()}
    half = len(STREAM)
    shuffled["interactions-2.csv.gz"] = shuffled["interactions.csv"][half:]
    shuffled["interactions.csv"] = shuffled["interactions.csv"][:half] + STREAM
    imported(put(tmp_path / "again", shuffled), tmp_path / "other")
    assert contents(tmp_path / "out") == contents(tmp_path / "other")


def test_importing_a_canonical_folder_changes_nothing(tmp_path: Path) -> None:
    declared = '[dataset]\nobserved_until = 2024-12-31\nrecords = ["message"]\nobserved_until_per = "contact_id"\n'
    source = put(tmp_path / "in", {"interactions.csv": STREAM, **OTHERS, "dataset.toml": declared})
    _, tables = imported(source, tmp_path / "out")
    assert tables.dataset.observed_until_by
    imported(tmp_path / "out", tmp_path / "again")
    assert contents(tmp_path / "out") == contents(tmp_path / "again")


FORMS = ["interactions.jsonl", "interactions.parquet", "interactions-a.ndjson", "interactions.csv.gz"]


@pytest.mark.parametrize("name", FORMS)
def test_all_forms_of_files_give_the_same_contents(tmp_path: Path, name: str) -> None:
    expected, _ = imported(put(tmp_path / "csv", {"interactions.csv": STREAM}), tmp_path / "out")
    other, _ = imported(put(tmp_path / "other", {name: STREAM}), tmp_path / "out2")
    assert other.dataset == expected.dataset


def test_the_hash_tells_contents_apart(tmp_path: Path) -> None:
    hashes = set()
    for number, rows in enumerate(([message(1)], [message(2)], [message(1, words=0)], [message(1, x_a=0)], [])):
        source = put(tmp_path / f"{number}", {"interactions.jsonl": rows, "deals.jsonl": []})
        hashes.add(imported(source, tmp_path / f"out{number}")[0].dataset.sha256)
    assert len(hashes) == 5


def test_bad_rows_are_rejected_and_listed(tmp_path: Path) -> None:
    text = (
        "interaction_id,account_id,at,kind,actor,words,mood\n"
        "m1,a,2024-05-01,message,us,5,good\n"
        "m2,a,01.05.2024,message,us,-5,\n"
        "m3,a,2024-05-01\n"
        'm4,,2024-05-01,message,us,"1,5",\n'
    )
    source = put(tmp_path / "in", {"interactions.csv": text, "deals.jsonl": '{"deal_id": "d"\n'})
    summary, tables = imported(source, tmp_path / "out")
    assert known(tables.interactions) == [{**message(1), "at": seconds(2024, 5, 1), "words": 5}]
    with (tmp_path / "out" / "rejects.csv").open(encoding="utf-8", newline="") as stream:
        rejects = list(csv.DictReader(stream))
    assert [(one["file"], one["row"], one["column"], one["value"]) for one in rejects] == [
        ("interactions.csv", "2", "at", "01.05.2024"),
        ("interactions.csv", "2", "words", "-5"),
        ("interactions.csv", "3", "", "m3,a,2024-05-01"),
        ("interactions.csv", "4", "account_id", ""),
        ("interactions.csv", "4", "words", "1,5"),
        ("deals.jsonl", "1", "", '{"deal_id": "d"'),
    ]
    assert rejects[2]["allowed"] == "7 fields as in the header (found 3)"
    assert (summary.rejected, len(summary.rejects)) == (4, 6)
    assert (summary.counts["interactions"].read, summary.counts["interactions"].rejected) == (4, 3)
    assert summary.ignored == {"interactions.csv": ["mood"]}


def test_without_rejects_there_is_no_reject_file(tmp_path: Path) -> None:
    imported(put(tmp_path / "in", {"interactions.csv": STREAM}), tmp_path / "out")
    assert set(contents(tmp_path / "out")) == {"dataset.json", *(f"{name}.parquet" for name in TABLES)}


def test_own_columns_are_numbers_or_categories(tmp_path: Path) -> None:
    rows = [
        {"account_id": "a", "x_size": 10, "x_code": 1, "x_flag": True},
        {"account_id": "b", "x_size": "", "x_code": "n/a", "x_flag": False},
    ]
    more = [{"account_id": "c", "x_size": 2.5, "x_code": 7}]
    source = put(tmp_path / "in", {"accounts.csv": rows, "accounts-2.jsonl": more})
    _, tables = imported(source, tmp_path / "out")
    accounts = tables.accounts
    assert accounts["x_size"].type == pa.float64()
    assert accounts["x_size"].to_pylist() == [10, None, 2.5]
    assert accounts["x_code"].combine_chunks().dictionary.to_pylist() == ["1", "7", "n/a"]
    assert accounts["x_code"].to_pylist() == ["1", "n/a", "7"]
    assert accounts["x_flag"].to_pylist() == ["True", "False", None]
    assert accounts.column_names[-3:] == ["x_code", "x_flag", "x_size"]


def test_undated_values_are_noted(tmp_path: Path) -> None:
    rows = [{"account_id": "a", "industry": "steel", "x_size": 1, "x_region": "north"}]
    source = put(tmp_path / "in", {"accounts.csv": rows, "dataset.toml": '[dataset]\nstatic = ["x_region"]\n'})
    summary, tables = imported(source, tmp_path / "out")
    assert tables.dataset.static == {"x_region"}
    assert summary.notes == [
        "accounts: values without valid_from are taken as always true (industry, x_region, x_size)",
        "accounts: x_size left out of training, for what holds today tells of the future; "
        "give valid_from, or declare them static",
    ]
    dated = [{**row, "valid_from": "2024-01-01"} for row in rows]
    assert imported(put(tmp_path / "dated", {"accounts.csv": dated}), tmp_path / "out2")[0].notes == []


# Mappings


def test_a_mapping_renames_fills_in_and_translates(tmp_path: Path) -> None:
    mapping = """
    [dataset]
    simulated = true

    [interactions]
    files = "log-*.csv"
    time_zone = "Europe/Berlin"

    [interactions.columns]
    interaction_id = { template = "{file}#{row}" }
    account_id = "customer"
    at = { column = "day", format = "%d.%m.%Y" }
    recorded_at = "entered"
    kind = { constant = "message" }
    actor = { column = "direction", values = { in = "client", out = "us", "" = "us" } }
    thread_id = { template = "{customer}/{subject}" }
    auto = { column = "robot", values = { J = true, N = false } }
    """
    row = {"customer": "a", "day": "31.05.2024", "entered": "2024-05-31T14:00:00", "words": 3, "noise": 1}
    rows = [
        {**row, "direction": "in", "subject": "hello", "robot": "J"},
        {**row, "direction": " ", "subject": "", "robot": "N"},
        {**row, "direction": "sideways", "day": "2024-05-31"},
    ]
    summary, tables = imported(put(tmp_path / "in", {"log-1.csv": rows}), tmp_path / "out", mapping)
    common = {
        "account_id": "a", "at": seconds(2024, 5, 31), "recorded_at": seconds(2024, 5, 31, 12), "kind": "message",
        "words": 3,
    }  # fmt: skip
    assert known(tables.interactions) == [
        {**common, "interaction_id": "log-1.csv#1", "actor": "client", "thread_id": "a/hello", "auto": True},
        {**common, "interaction_id": "log-1.csv#2", "actor": "us", "auto": False},
    ]
    assert [(reject.row, reject.column, reject.value) for reject in summary.rejects] == [
        (3, "at", "2024-05-31"),
        (3, "actor", "sideways"),
    ]
    assert summary.rejects[0].allowed == "a time of the form %d.%m.%Y, from 1900 to 2199"
    assert summary.ignored == {"log-1.csv": ["noise"]}
    assert tables.dataset.simulated


def test_ids_from_content_are_the_same_in_any_order_and_file(tmp_path: Path) -> None:
    mapping = '[interactions.columns]\ninteraction_id = { content = true }\nkind = { constant = "message" }\n'
    rows = [
        {"account_id": account, "at": "2024-05-01", "actor": actor, "x_list": number}
        for account, actor, number in [("a", "us", 1)] * 3 + [("a", "us", 2), ("b", "client", 1)]
    ]
    _, tables = imported(put(tmp_path / "in", {"interactions.csv": rows}), tmp_path / "out", mapping)
    ids = tables.interactions["interaction_id"].to_pylist()
    assert len(set(ids)) == 5  # rows that say the same are events of their own
    twins = sorted((name for name in ids if "-" in name), key=len)
    assert [name.partition("-")[2] for name in twins] == ["2", "3"]
    again = {"interactions-x.csv": rows[::-1], "interactions-y.csv": rows[1:]}  # an overlapping export
    imported(put(tmp_path / "again", again), tmp_path / "other", mapping)
    assert contents(tmp_path / "out") == contents(tmp_path / "other")


def test_several_sections_fill_one_table(tmp_path: Path) -> None:
    mapping = """
    [[interactions]]
    files = "mails.csv"
    columns = { kind = { constant = "message" }, interaction_id = { template = "mail-{nr}" } }

    [[interactions]]
    files = ["calls.jsonl"]
    columns = { kind = { constant = "call" }, interaction_id = { template = "call-{nr}" } }

    [accounts]
    files = "mails.csv"
    columns = { name = "firm" }
    """
    row = {"nr": 1, "account_id": "a", "at": "2024-05-01", "actor": "us"}
    source = put(tmp_path / "in", {"mails.csv": [{**row, "firm": "Alpha", "odd": 1}], "calls.jsonl": [row]})
    summary, tables = imported(source, tmp_path / "out", mapping)
    assert tables.interactions["interaction_id"].to_pylist() == ["call-1", "mail-1"]
    assert known(tables.accounts) == [{"account_id": "a", "name": "Alpha"}]
    assert summary.ignored == {"mails.csv": ["odd"]}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("[interaction]", r"'interaction' is not known; allowed are dataset, accounts"),
        ("[interactions]\nfile = 'x'", r"\[interactions\]: 'file' is not known; allowed are files, time_zone, columns"),
        ("[interactions.columns]\nwhen = 'at'", r"'when' is not known; allowed are interaction_id, account_id, at"),
        ("[interactions.columns]\nat = { col = 'x' }", r"at: 'col' is not known; allowed are column, constant"),
        ("[interactions.columns]\nat = { column = 'x', constant = 'y' }", "needs exactly one of column, constant"),
        ("[interactions.columns]\nat = { column = 'x', format = '%d.%m.%Y %H:%M' }", "declare time_zone"),
        ("[interactions.columns]\nwords = { column = 'x', format = '%d' }", "are for times only"),
        ("[interactions]\ntime_zone = 'Mars/Olympus'", "there is no time zone 'Mars/Olympus'"),
        ("[interactions.columns]\ntopic = { template = '{x' }", "the template cannot be read"),
        ("[interactions.columns]\ntopic = { content = false }", "content must be true"),
        ("[interactions.columns]\ntopic = 7", "must be a table with the keys column"),
        ("[interactions.columns]\ntopic = 'subject'", "has no column subject, which the mapping names"),
        ("[interactions.columns]\naccount_id = 'firm'", "has no column account_id, which is required"),
        ("[interactions]\nfiles = 'log*.csv'", r"no file matches log\*.csv, which the mapping names"),
        ("[dataset]\nrecords = ['fax']", r"records: \['fax'\] must be a list of kinds out of message, call"),
        ("[dataset]\nobserved_from = 2024-01-01T00:00:00", "observed_from: .* is not a date"),
        ("[dataset]\nobserved_until_per = 'topic'", "observed_until_per: 'topic' must be one of"),
        ("[dataset]\nstatic = ['size']", "must be a list of columns that begin with x_"),
        ("[dataset]\nsimulated = 'no'", "must be true or false"),
        ("[dataset]\nfrom = 1", "'from' is not known; allowed are observed_from"),
        ("[dataset", "not a TOML file"),
        ("[[dataset]]", r"the mapping's \[dataset\]: must be a table with the keys observed_from"),
        ("[interactions]\nfiles = '/etc/*.csv'", "files .* must be a pattern, or a list of patterns"),
        ("[interactions]\nfiles = [7]", "must be a pattern, or a list of patterns"),
        ("[interactions]\ntime_zone = 7", "there is no time zone 7"),
        ("[interactions.columns]\ntopic = { column = 7 }", "topic: column = 7 must be a str"),
        ("[interactions.columns]\ntopic = { column = 'x', values = 'y' }", "must be a dict"),
        ("[dataset]\nobserved_until_per = 'contact_id'\nobserved_until_by = { column = 'contact_id' }", "not both"),
        ("[dataset]\nobserved_until_by = 'contact_id'", "must be { column = ..., file = ... }"),
        ("[dataset]\nobserved_until_by = { column = 'contact_id', file = 'x.csv' }", r"there is no file x\.csv"),
    ],
)
def test_mistakes_in_a_mapping_are_told(tmp_path: Path, mapping: str, message: str) -> None:
    source = put(tmp_path / "in", {"interactions.csv": STREAM})
    if "account_id" in mapping:
        source = put(tmp_path / "in", {"interactions.csv": [{**STREAM[0], "account_id": "a"}]})
        text = (source / "interactions.csv").read_text(encoding="utf-8")
        (source / "interactions.csv").write_text(text.replace("account_id", "customer"), encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        imported(source, tmp_path / "out", mapping)
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "in.toml"]


# What a data set declares


def test_declarations(tmp_path: Path) -> None:
    declared = '[dataset]\nobserved_from = 2020-01-01\nobserved_until = "2024-06-30T12:00:00+02:00"\nrecords = []\n'
    source = put(tmp_path / "in", {"interactions.csv": STREAM, "dataset.toml": declared})
    dataset = imported(source, tmp_path / "out", '[dataset]\nrecords = ["message", "call"]\n')[1].dataset
    assert dataset.observed_from == seconds(2020, 1, 1)
    assert dataset.observed_until == seconds(2024, 6, 30, 10)
    assert dataset.records == frozenset({"message", "call"})
    assert (dataset.observed_until_by, dataset.simulated) == ({}, False)


PEOPLE = [
    message(1, account_id="a", our_contact_id="p1", at="2024-01-05"),
    message(2, account_id="b", our_contact_id="p1", at="2024-03-01"),
    message(3, account_id="c", our_contact_id="p2", at="2024-02-01"),
    message(4, account_id="d", our_contact_id="p2", at="2024-09-01", recorded_at="2024-02-03", kind="meeting"),
    message(5, account_id="c", our_contact_id="p1", at="2024-01-02"),
    message(6, account_id="e", at="2024-08-01"),
]


def test_observation_ends_with_the_last_event_of_a_group(tmp_path: Path) -> None:
    source = put(tmp_path / "in", {"interactions.csv": PEOPLE})
    dataset = imported(source, tmp_path / "out", '[dataset]\nobserved_until_per = "our_contact_id"\n')[1].dataset
    end_of_p1, end_of_p2 = seconds(2024, 3, 1), seconds(2024, 2, 3)  # a meeting to come shows nothing yet
    assert dataset.observed_until_by == {"a": end_of_p1, "b": end_of_p1, "c": end_of_p1, "d": end_of_p2}
    capped = '[dataset]\nobserved_until_per = "our_contact_id"\nobserved_until = 2024-02-10\n'
    dataset = imported(source, tmp_path / "out", capped)[1].dataset
    assert dataset.observed_until_by == {**dict.fromkeys("abc", seconds(2024, 2, 10)), "d": end_of_p2}


def test_observation_ends_where_a_file_says(tmp_path: Path) -> None:
    declared = '[dataset]\nobserved_until_by = { column = "our_contact_id", file = "ends.csv" }\n'
    ends: list[Record] = [{"our_contact_id": "p2", "observed_until": "2024-12-31"}]
    source = put(tmp_path / "in", {"interactions.csv": PEOPLE, "ends.csv": ends})
    dataset = imported(source, tmp_path / "out", declared)[1].dataset
    assert dataset.observed_until_by == dict.fromkeys("cd", seconds(2024, 12, 31))
    put(source, {"ends.csv": [{"our_contact_id": "p2", "observed_until": "soon"}]})
    with pytest.raises(SourceError, match=r"ends\.csv: row 1, column observed_until: 'soon' is not a date"):
        imported(source, tmp_path / "out", declared)
    put(source, {"ends.csv": [{"person": "p2", "observed_until": "2024-12-31"}]})
    with pytest.raises(SourceError, match=r"ends\.csv: must have the columns our_contact_id and observed_until"):
        imported(source, tmp_path / "out", declared)


def test_a_declaration_without_its_heading_is_told(tmp_path: Path) -> None:
    source = put(tmp_path / "in", {"interactions.csv": STREAM, "dataset.toml": "observed_until = 2024-01-01\n"})
    with pytest.raises(SourceError, match=r"dataset\.toml: 'observed_until' is not known; allowed are dataset"):
        import_to_folder([source], tmp_path / "out")


def test_groups_need_their_column(tmp_path: Path) -> None:
    source = put(tmp_path / "in", {"interactions.csv": STREAM})
    with pytest.raises(SourceError, match="observed by our_contact_id, but interactions have no such column"):
        imported(source, tmp_path / "out", '[dataset]\nobserved_until_per = "our_contact_id"\n')


@pytest.mark.parametrize("example", ["w3c-mail", "reality-calls"])
def test_the_example_mappings(tmp_path: Path, example: str) -> None:
    if example == "w3c-mail":
        row = {"contact": "c", "colleague": "u1", "actor": "client", "to_list": "True", "account": "a.org"}
    else:
        row = {"account": "u1-c", "person": "u1", "actor": "us", "channel": "text"}
    rows = [{**row, "at": "2001-01-02T03:04:05Z"}, {**row, "at": "2001-01-03T03:04:05Z"}]
    source = put(tmp_path / "in", {"touches.csv.gz": rows})
    summary = import_to_folder([source], tmp_path / "out", ImportOptions(EXAMPLES / f"{example}.toml"))
    first = known(read_tables(tmp_path / "out").interactions)[0]
    del first["interaction_id"]
    assert not summary.rejected
    assert first["our_contact_id"] == "u1"
    assert first["channel"] == ("email" if example == "w3c-mail" else "text")
    ends = {} if example == "w3c-mail" else {"u1-c": seconds(2001, 1, 3, 3, 4, 5)}
    assert summary.dataset.observed_until_by == ends


def test_the_mapping_of_the_documentation_can_be_read(tmp_path: Path) -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    (tmp_path / "mapping.toml").write_text(text.partition("```toml")[2].partition("```")[0], encoding="utf-8")
    mapping = read_mapping(tmp_path / "mapping.toml")
    assert mapping.sections["interactions"][0].from_content == "interaction_id"
    assert read_declarations(tmp_path, mapping.declared).group == "our_contact_id"


# In and out of place


def test_an_existing_folder_is_replaced_only_by_a_complete_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put(tmp_path / "in", {"interactions.csv": STREAM})
    imported(source, tmp_path / "out")
    before = contents(tmp_path / "out")
    put(source, {"interactions.csv": STREAM[:1]})
    with monkeypatch.context() as broken:
        broken.setattr(importing, "write_dataset", fail)
        with pytest.raises(OSError, match="disk full"):
            import_to_folder([source], tmp_path / "out")
    assert contents(tmp_path / "out") == before
    with monkeypatch.context() as broken:
        broken.setattr("os.rename", fail_on(".out.new"))
        with pytest.raises(OSError, match="disk full"):
            import_to_folder([source], tmp_path / "out")
    assert contents(tmp_path / "out") == before
    imported(source, tmp_path / "out")
    assert contents(tmp_path / "out") != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def fail(*_: object) -> None:
    raise OSError("disk full")


def fail_on(prefix: str) -> Any:
    rename = os.rename

    def renamed(source: Path, target: Path) -> None:
        if source.name.startswith(prefix):
            fail()
        rename(source, target)

    return renamed


def test_folders_of_others_are_not_replaced(tmp_path: Path) -> None:
    source = put(tmp_path / "in", {"interactions.csv": STREAM})
    other = put(tmp_path / "other", {"letter.txt": "dear"})
    with pytest.raises(SourceError, match="exists and holds no canonical tables; name a new folder"):
        import_to_folder([source], other)
    assert (other / "letter.txt").exists()
    with pytest.raises(SourceError, match="would take the place of its source"):
        import_to_folder([source], tmp_path)
    shutil.rmtree(other)
    other.mkdir()
    import_to_folder([source], other)
    assert read_tables(other).interactions.num_rows == 7


@pytest.mark.parametrize("files", [{}, {"readme.txt": "x"}, {"interactions.ods": "x"}])
def test_a_source_without_tables_is_told(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(SourceError, match=r"holds nothing that is known; .* tables such as interactions\.csv"):
        import_to_folder([put(tmp_path / "in", files)], tmp_path / "out")
    with pytest.raises(SourceError, match="there is no such file or folder"):
        import_to_folder([tmp_path / "nowhere"], tmp_path / "out")


def test_a_file_without_a_required_column_is_an_error(tmp_path: Path) -> None:
    source = put(tmp_path / "in", {"interactions.csv": "interaction_id#account_id#at\n1#a#2024-05-01\n"})
    with pytest.raises(SourceError, match=r"interactions.csv: has no column interaction_id.*found: interaction_id#acc"):
        import_to_folder([source], tmp_path / "out")


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    source = put(tmp_path / "in", {"interactions.csv": STREAM})
    import_to_folder([source], tmp_path / "out", progress=lambda step, share: told.append((step, share)))
    steps = list(dict.fromkeys(step for step, _ in told))
    assert steps[:3] == ["reading interactions.csv", "sorting interactions", "writing interactions"]
    for step in steps:
        shares = [share for name, share in told if name == step]
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert min(shares) >= 0


def test_no_account_lies_in_two_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [message(number, account_id=f"a{number * number % 7}") for number in range(60)]
    source = put(tmp_path / "in", {"interactions.csv": rows})
    _, whole = imported(source, tmp_path / "whole")
    monkeypatch.setattr(writing, "GROUP_ROWS", 10)
    imported(source, tmp_path / "out")
    with pq.ParquetFile(tmp_path / "out" / "interactions.parquet") as parquet:
        groups = [
            set(parquet.read_row_group(group, ["account_id"])["account_id"].to_pylist())
            for group in range(parquet.num_row_groups)
        ]
        assert all(parquet.metadata.row_group(group).num_rows >= 10 for group in range(len(groups) - 1))
    assert len(groups) > 1
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert read_tables(tmp_path / "out").interactions.equals(whole.interactions)


def test_long_texts_beyond_32_bit_offsets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put(tmp_path / "in", {"interactions.csv": STREAM, **OTHERS})
    expected = imported(source, tmp_path / "out")[0].dataset
    monkeypatch.setattr(settling, "LARGEST_STRINGS", 1)
    assert imported(source, tmp_path / "out2")[0].dataset == expected
    assert contents(tmp_path / "out") == contents(tmp_path / "out2")


# Settling whole columns and settling records agree.

FEW = {"id": st.sampled_from("ab"), "text": st.sampled_from(["", "p", "P", "ä"])}


def few_values(table: Table, column: str) -> st.SearchStrategy[str]:
    one = table.column[column]
    if one.type == "category":
        return st.sampled_from(one.allowed[:2]) | (st.nothing() if one.required else st.just(""))
    if one.type == "time":
        return st.sampled_from(["2024-01-01", "2024-01-02"]) | (st.nothing() if one.required else st.just(""))
    return FEW.get(one.type, st.sampled_from(["", "1", "0"]))


CHOSEN = {
    ACCOUNTS: ("account_id", "valid_from", "name", "retain", "updated_at"),
    CONTACTS: ("contact_id", "account_id", "valid_from", "seniority", "recorded_at"),
    INTERACTIONS: ("interaction_id", "account_id", "at", "kind", "actor", "words", "channel", "recorded_at", "topic"),
    DEALS: ("deal_id", "account_id", "opened_at", "kind", "amount", "updated_at", "recorded_at"),
    STAGE_REVIEWS: ("account_id", "at", "stage", "reviewer"),
}


@given(st.data(), st.sampled_from(sorted(TABLES)))
def test_columns_and_records_settle_alike(data: st.DataObject, name: str) -> None:
    table = TABLES[name]
    fields = {column: few_values(table, column) for column in CHOSEN[table]}
    fields |= {"x_own": st.sampled_from(["", "1", "v"]), "x_sum": st.sampled_from(["", "1", "02"])}
    drawn = data.draw(st.lists(st.fixed_dictionaries(fields), min_size=1, max_size=12))
    records, _, _ = check_records(table, drawn, "f")
    for row in records:
        if "x_sum" in row:
            row["x_sum"] = float(row["x_sum"])
    schema = table.schema()
    columns = {
        column: pa.array([row.get(column) for row in records], own_type(column) or schema.field(column).type)
        for column in fields
    }
    settled = settle(table, pa.table(columns))
    rows = known(settled.rows.take(pa.array(settled.order)))
    assert rows == settle_records(table, records)
    assert len(rows) + settled.repeated + settled.conflicting == len(records)
    assert settled.repeated == len(records) - len({repr(sorted(row.items())) for row in records})


def own_type(column: str) -> pa.DataType | None:
    return {"x_own": pa.string(), "x_sum": pa.float64()}.get(column)
