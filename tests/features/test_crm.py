"""What holds for the exports of every CRM: recognition, local forms, what is known when, and the data files."""

from __future__ import annotations

import datetime
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.histories.history import code
from features.histories.tables import DEALS as DEAL_TABLE
from features.histories.tables import TABLES
from features.histories.visibility import as_known
from features.sources.crm import batches, definitions, records
from features.sources.crm.batches import batch_of_records
from features.sources.crm.definitions import crms, folded, lost_reasons, read_options
from features.sources.crm.reading import canonical, read
from features.sources.crm.recognise import recognise, recognise_columns, recognises
from features.sources.crm.records import flat
from features.sources.mapping import read_mapping
from features.sources.readers import SourceError
from features.sources.written import DAY_FIRST, MONTH_FIRST, found_decimal, found_order, iso, plain_number
from tests.features import (
    test_crm_dynamics,
    test_crm_hubspot,
    test_crm_odoo,
    test_crm_pipedrive,
    test_crm_salesforce,
)
from tests.features.crm_exports import Row, export, history, rows_of, seconds

DATA_FILES = sorted(Path(definitions.__file__).parent.glob("*.toml"))
SAMPLES: dict[str, Any] = {
    "Salesforce": test_crm_salesforce.FILES,
    "HubSpot": {**test_crm_hubspot.FILES, **test_crm_hubspot.VIEWS},
    "Dynamics 365": test_crm_dynamics.FILES,
    "Odoo": test_crm_odoo.FILES,
    "Pipedrive": test_crm_pipedrive.FILES,
}


@pytest.mark.parametrize("crm", SAMPLES)
def test_files_are_recognised_by_their_columns(tmp_path: Path, crm: str) -> None:
    folder = export(tmp_path / "export", SAMPLES[crm])
    for place, file in enumerate(sorted(folder.iterdir())):
        renamed = file.rename(file.with_name(f"{place}{file.suffix}"))
        found = recognise(renamed)
        assert found is not None
        assert found.crm.name == crm
    assert recognises(folder)


def test_every_object_of_every_crm_is_in_the_samples(tmp_path: Path) -> None:
    seen = set()
    for crm, files in SAMPLES.items():
        for file in sorted(export(tmp_path / crm, files).iterdir()):
            found = recognise(file)
            assert found
            seen.add((crm, found.object.name))
    known = {(crm.name, one.name) for crm in crms() for one in crm.objects}
    assert known - seen == {("Salesforce", "contract")}  # which has a test of its own


@pytest.mark.parametrize("table", TABLES)
def test_canonical_tables_are_no_exports(table: str) -> None:
    assert recognise_columns([column.name for column in TABLES[table].columns]) is None


def test_an_export_of_two_crms_is_refused(tmp_path: Path) -> None:
    folder = export(tmp_path / "export", {**test_crm_dynamics.FILES, "leads.csv": test_crm_odoo.FILES["crm.lead.csv"]})
    with pytest.raises(SourceError, match="holds exports of Dynamics 365 and Odoo; import one CRM at a time"):
        read(folder)


def test_files_that_are_not_taken_in_are_named(tmp_path: Path) -> None:
    folder = export(tmp_path / "export", {**test_crm_dynamics.FILES, "colours.csv": "red,green\n1,2\n"})
    assert read(folder).others == ["colours.csv"]


@pytest.mark.parametrize("path", DATA_FILES, ids=lambda path: path.stem)
def test_data_files_cite_the_vendors_pages_and_hold_nothing_unknown(path: Path) -> None:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if path.stem == "lost_reasons":
        assert set(document) <= set(DEAL_TABLE.column["lost_reason"].allowed)
        assert all(lost_reasons()[folded(word)] == reason for reason, words in document.items() for word in words)
        return
    assert document["pages"]
    for page in document["pages"]:
        assert page.keys() == {"title", "address"}
        assert page["title"]
        assert page["address"].startswith("https://")
    crm = next(crm for crm in crms() if crm.name == document["name"])
    for one in crm.objects:
        for part in one.parts:
            assert (part.section is None) == bool(part.left_out)
            for name in part.section.origins if part.section else ():
                column = part.section.table.column[name] if part.section else None
                constant = part.section.origins[name].constant if part.section else None
                if column and column.type == "category" and constant is not None:
                    assert constant in column.allowed


def deal(**fields: object) -> Row:
    base = {
        "Id": "006A00000000001",
        "AccountId": "001A00000000001",
        "StageName": "Closed Won",
        "CloseDate": "2024-03-10",
    }
    return {**base, "CreatedDate": "2024-01-10T09:00:00.000Z", "Amount": "1", **fields}


def test_an_outcome_is_not_known_before_its_stage_was_changed(tmp_path: Path) -> None:
    late = deal(LastStageChangeDate="2024-03-12T10:00:00.000Z", LastModifiedDate="2025-01-01T00:00:00.000Z")
    told = history(read(export(tmp_path / "export", {"o.csv": [late]})), tmp_path)
    moments = np.array([seconds(2024, 1, 9), seconds(2024, 2, 1), seconds(2024, 3, 11), seconds(2024, 3, 12, 10)])
    known, segment = as_known(told, np.zeros(len(moments), dtype=np.int32), moments)
    (won,) = code(DEAL_TABLE, "outcome", "won")
    shown = []
    for place, moment in zip(segment, moments, strict=True):
        deals = known.deals.part(int(place), int(place) + 1)
        rows = [row for row in range(len(deals)) if deals["known"][row] <= moment]
        shown.append([bool(deals["outcome"][row] == won and deals["closed_at"][row] <= moment) for row in rows])
    assert shown == [[], [False], [False], [True]]


def test_later_changes_of_a_record_do_not_hide_its_outcome(tmp_path: Path) -> None:
    untouched = deal(LastModifiedDate="2024-03-10T18:00:00.000Z")
    touched = deal(LastModifiedDate="2026-01-01T00:00:00.000Z")
    answers = [
        rows_of(read(export(tmp_path / name, {"o.csv": [row]})), "deals")[0]["outcome_recorded_at"]
        for name, row in {"untouched": untouched, "touched": touched}.items()
    ]
    # Or accounts that live on, whose records are touched again and again, would look as if they had never bought.
    assert answers == ["2024-03-10T23:59:59Z"] * 2


def test_a_deal_closed_on_the_day_it_was_opened_keeps_its_opening(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", {"o.csv": [deal(CloseDate="2024-01-10")]}))
    row = rows_of(found, "deals")[0]
    assert row["opened_at"] == row["closed_at"] == "2024-01-10T09:00:00Z"
    assert "deals entered after they had closed" not in found.counts


AMBIGUOUS = {
    "CloseDate": ("03/04/2024", r"the date '03/04/2024' may be day first or month first; declare which: \[crm\] dates"),
    "Amount": ("1.234", r"the number '1\.234' may be a number with thousands or with three decimals; declare which"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_may_be_read_in_two_ways_must_be_declared(tmp_path: Path, name: str) -> None:
    value, message = AMBIGUOUS[name]
    folder = export(tmp_path / "export", {"o.csv": [deal(**{name: value})]})
    with pytest.raises(SourceError, match=message):
        read(folder)
    row = rows_of(read(folder, {"dates": "month first", "decimal": ","}), "deals")[0]
    assert (row["closed_at"], row["amount"]) == (
        ("2024-03-04T00:00:00Z", "1") if name == "CloseDate" else ("2024-03-10T00:00:00Z", "1234")
    )


def test_one_file_settles_the_form_of_all(tmp_path: Path) -> None:
    other = deal(Id="006A00000000002", CloseDate="25/04/2024")
    found = read(export(tmp_path / "export", {"a.csv": [deal(CloseDate="03/04/2024")], "b.csv": [other]}))
    assert [row["closed_at"] for row in rows_of(found, "deals")] == ["2024-04-03T00:00:00Z", "2024-04-25T00:00:00Z"]
    mixed = [deal(CloseDate="12/25/2024"), other]
    with pytest.raises(SourceError, match="may be day first, but '12/25/2024' puts the month first"):
        read(export(tmp_path / "mixed", {"a.csv": mixed}))


def test_values_that_cannot_be_read_reject_their_row(tmp_path: Path) -> None:
    rows = [deal(CloseDate="soon"), deal(Id="006A00000000002", Amount="a lot"), deal(Id="006A00000000003", Amount="-5")]
    found = read(export(tmp_path / "export", {"o.csv": rows}))
    assert [(one.row, one.column, one.value) for one in found.rejects] == [
        (1, "closed_at", "soon"),
        (2, "amount", "a lot"),
        (3, "amount", "-5"),
    ]
    assert "deals" not in found.tables


def test_custom_fields_with_free_text_or_dates_are_left_out_and_named(tmp_path: Path) -> None:
    long = "They told us in confidence " * 9
    rows = [
        deal(Id=f"006A000000000{number:02}", Notes__c=long, Signed__c="2024-05-01", Tier__c="A", Score__c="1,234.5")
        for number in range(3)
    ]
    found = read(export(tmp_path / "export", {"o.csv": rows}))
    row = rows_of(found, "deals")[0]
    assert (row["x_tier"], row["x_score"]) == ("A", "1234.5")
    assert not row.keys() & {"x_notes", "x_signed"}
    assert any("free text or dates are left out: Notes__c, Signed__c" in note for note in found.notes)
    assert "in confidence" not in str(found)


def test_columns_of_the_vendor_can_become_own_ones_and_others_are_told(tmp_path: Path) -> None:
    folder = export(tmp_path / "export", {"o.csv": [deal(NextStep="call", Probability="30")]})
    found = read(folder)
    assert found.ignored == {"o.csv": ["NextStep", "Probability"]}
    declared = read(folder, {"deals": {"x_chance": {"column": "Probability", "factor": 0.01}}})
    assert rows_of(declared, "deals")[0]["x_chance"] == "0.3"
    assert declared.ignored == {"o.csv": ["NextStep"]}


def test_a_broken_row_is_rejected_with_its_place(tmp_path: Path) -> None:
    text = "Id,AccountId,StageName,CloseDate,CreatedDate\n1,2,Closed Won\n3,4,Closed Won,2024-03-10,2024-01-10\n"
    found = read(export(tmp_path / "export", {"o.csv": text}))
    assert [(one.file, one.row) for one in found.rejects] == [("o.csv", 1)]
    assert rows_of(found, "deals")[0]["deal_id"] == "3"


def test_records_as_an_api_answers_them_need_no_file() -> None:
    crm = next(crm for crm in crms() if crm.name == "HubSpot")
    answered = [flat(one) for one in (*test_crm_hubspot.COMPANIES, *test_crm_hubspot.DEALS[:1])]
    parts = []
    for part in (answered[:2], answered[2:]):
        found = recognise_columns(dict.fromkeys(name for record in part for name in record))
        assert found
        parts.append(batch_of_records(crm, found[1], found[2], "the API", part, read_options({})))
    assert rows_of(canonical(crm, parts, read_options({})), "deals")[0]["account_id"] == "11"


OPTIONS = {
    "dates": ("sideways", "dates: 'sideways' must be one of 'day first', 'month first'"),
    "decimal": (";", "decimal: ';' must be one of"),
    "time_zone": ("Middle/Earth", "there is no time zone 'Middle/Earth'"),
    "stages": ({"Signed": "wonderful"}, "stages: 'signed' = 'wonderful' must be won, lost or open"),
    "types": ({"Demo": 3}, "types: must be a table of texts"),
    "ours": ("us", "ours: 'us' must be a list"),
    "currency": (3, "currency: 3 must be a text"),
    "colour": ("red", "'colour' is not known; allowed are time_zone"),
    "deals": ({"endson": "x"}, r"\[crm.deals\] columns: 'endson' is not known"),
    "accounts": ({"created_at": {"column": "x", "format": "%d"}}, r"\[crm.accounts\] created_at: format is not for"),
}


@pytest.mark.parametrize("key", OPTIONS)
def test_mistakes_in_options_are_told(key: str) -> None:
    value, message = OPTIONS[key]
    with pytest.raises(SourceError, match=message):
        read_options({key: value})


def test_a_mapping_declares_what_an_export_does_not_tell(tmp_path: Path) -> None:
    (tmp_path / "crm.toml").write_text(
        '[crm]\ntime_zone = "Europe/Oslo"\n[crm.deals]\nends_on = "Until"\n', encoding="utf-8"
    )
    assert read_mapping(tmp_path / "crm.toml").crm == {"time_zone": "Europe/Oslo", "deals": {"ends_on": "Until"}}


@given(st.dates(min_value=datetime.date(1970, 1, 1)), st.sampled_from([DAY_FIRST, MONTH_FIRST]), st.sampled_from("./-"))
def test_dates_come_back_from_every_form(day: Any, order: str, separator: str) -> None:
    parts = (day.day, day.month) if order == DAY_FIRST else (day.month, day.day)
    text = separator.join(map(str, (*parts, f"{day.year:04}")))
    assert iso(text, order) == day.isoformat()
    proof = f"25{separator}01{separator}2024" if order == DAY_FIRST else f"01{separator}25{separator}2024"
    if separator != ".":
        assert found_order([text, proof]) == order


@given(st.integers(0, 10**12), st.integers(0, 99), st.sampled_from([".", ","]))
def test_numbers_come_back_from_every_form(whole: int, cents: int, decimal: str) -> None:
    thousands = "," if decimal == "." else "."
    text = f"{whole:,}".replace(",", thousands) + f"{decimal}{cents:02}"
    assert found_decimal([text]) == decimal
    assert float(plain_number(f"€ {text}", decimal)) == float(f"{whole}.{cents:02}")


def test_large_files_of_records_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_JSON_ROWS", 2)
    monkeypatch.setattr(records, "_PIECE", 7)
    rows = [
        test_crm_hubspot.record(
            str(number),
            "2024-01-10T09:00:00Z",
            {"companies": ["11"]},
            dealstage="closedwon",
            closedate="2024-03-10T15:00:00Z",
        )
        for number in range(5)
    ]
    folder = export(tmp_path / "export", {"deals.json": "\ufeff" + json.dumps(rows, ensure_ascii=False)})
    found = read(folder)
    assert [row["deal_id"] for row in rows_of(found, "deals")] == ["0", "1", "2", "3", "4"]
    assert found.tables["deals"][" row"].to_pylist() == [1, 2, 3, 4, 5]
