"""HubSpot: objects of the API v3 in JSON, and exported views as CSV."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from features.sources.crm.reading import read
from features.sources.crm.recognise import recognises
from features.sources.readers import SourceError
from features.sources.source import FILE, ROW
from tests.features.crm_exports import Row, export, history, kinds, rows_of, seconds, touches

ENDED = "2024-09-01T00:00:00Z"


def record(one: str, created: str, associations: Mapping[str, list[str]] | None = None, **properties: object) -> Row:
    """A record as the API v3 answers it."""
    linked = {
        name: {"results": [{"id": other, "type": f"x_to_{name}"} for other in ids]}
        for name, ids in (associations or {}).items()
    }
    return {
        "id": one,
        "properties": {"hs_object_id": one, "createdate": created, "hs_lastmodifieddate": ENDED, **properties},
        "createdAt": created,
        "updatedAt": ENDED,
        "archived": False,
        **({"associations": linked} if linked else {}),
    }


def page(*records: Row) -> str:
    return json.dumps({"results": records, "paging": {"next": {"after": "100", "link": "https://api.example/next"}}})


COMPANIES = [
    record(
        "11",
        "2023-01-05T08:00:00Z",
        name="North Mill",
        domain="north.example",
        industry="PAPER",
        country="Norway",
        tier="gold",
    ),
    record(
        "12",
        "2023-02-05T08:00:00Z",
        name="South Works",
        domain="south.example",
        industry="STEEL",
        country="Spain",
        tier=None,
    ),
]
CONTACTS = [
    record(
        "21",
        "2023-01-06T08:00:00Z",
        {"companies": ["11"]},
        firstname="Ada",
        lastname="Birk",
        email="ada@north.example",
        hs_buying_role="DECISION_MAKER",
    ),
    record(
        "22", "2023-02-06T08:00:00Z", {"companies": ["12"]}, firstname="Bo", lastname="Lind", email="bo@south.example"
    ),
    record("23", "2023-03-06T08:00:00Z", firstname="Cy", lastname="Roe", email="cy@nowhere.example"),
]
DEALS = [
    record(
        "31",
        "2024-01-10T09:00:00.123Z",
        {"companies": ["11"]},
        dealname="Rollers",
        dealstage="65238786",
        amount="12000.5",
        closedate="2024-03-10T15:00:00.000Z",
        hs_is_closed_won="true",
        hs_is_closed="true",
        dealtype="newbusiness",
        hs_v2_date_entered_current_stage="2024-03-12T10:00:00Z",
        contract_end_date="2025-03-31",
    ),
    record(
        "32",
        "2024-02-10T09:00:00Z",
        {"companies": ["12"]},
        dealname="Beams",
        dealstage="closedlost",
        amount="900",
        closedate="2024-04-20T15:00:00Z",
        closed_lost_reason="Lost to competitor",
    ),
    record(
        "33",
        "2024-05-10T09:00:00Z",
        {"contacts": ["21"]},
        dealname="More rollers",
        dealstage="appointmentscheduled",
        closedate="2024-12-31T00:00:00Z",
        hs_is_closed="false",
        hs_is_closed_won="false",
    ),
    record(
        "34", "2024-05-10T09:00:00Z", {"companies": ["12"]}, dealname="Bolts", dealstage="closedlost", closedate=None
    ),
    record(
        "35",
        "2024-05-10T09:00:00Z",
        {"companies": ["12"]},
        dealname="Nuts",
        dealstage="closedwon",
        closedate="2024-02-01T09:00:00Z",
    ),
]
TICKETS = [
    record(
        "41",
        "2024-05-02T07:30:00Z",
        {"companies": ["11"], "contacts": ["21"]},
        subject="Late",
        hs_pipeline_stage="4",
        hs_ticket_category="BILLING_ISSUE",
        hs_ticket_priority="HIGH",
        closed_date="2024-05-04T12:00:00Z",
    ),
    record(
        "42",
        "2024-05-06T07:30:00Z",
        {"contacts": ["22"]},
        subject="How?",
        hs_pipeline_stage="1",
        hs_ticket_category="GENERAL_INQUIRY",
        hs_ticket_priority=None,
        source_type="EMAIL",
    ),
]
EMAILS = [
    record(
        "51",
        "2024-03-01T10:00:05Z",
        {"contacts": ["21"]},
        hs_timestamp="2024-03-01T10:00:00Z",
        hs_email_direction="INCOMING_EMAIL",
        hs_email_status=None,
        hs_email_thread_id="t1",
        hs_email_text="never read",
        hs_email_from_email="ada@north.example",
    ),
    record(
        "52",
        "2024-03-02T11:00:05Z",
        {"companies": ["11"]},
        hs_timestamp="1709377200000",
        hs_email_direction="EMAIL",
        hs_email_status="SENT",
        hs_email_thread_id="t1",
        hs_email_to_email="ada@north.example",
    ),
    record(
        "53",
        "2024-03-03T11:00:05Z",
        {"companies": ["11"]},
        hs_timestamp="2024-03-03T11:00:00Z",
        hs_email_direction="EMAIL",
        hs_email_status="BOUNCED",
    ),
]
CALLS = [
    record(
        "54",
        "2024-03-05T14:20:00Z",
        {"companies": ["11"], "contacts": ["21"]},
        hs_timestamp="2024-03-05T14:00:00Z",
        hs_call_direction="OUTBOUND",
        hs_call_duration="900000",
        hs_call_disposition="f240bbac-87c9-4f6e-bf70-924b57d47db7",
        hs_call_status="COMPLETED",
    ),
]
MEETINGS = [
    record(
        "55",
        "2024-03-20T10:00:00Z",
        {"deals": ["32"]},
        hs_timestamp="2024-04-02T09:00:00Z",
        hs_meeting_outcome="COMPLETED",
        hs_meeting_start_time="2024-04-02T09:00:00Z",
        hs_meeting_end_time="2024-04-02T10:00:00Z",
    ),
    record(
        "56",
        "2024-03-20T10:00:00Z",
        {"companies": ["12"]},
        hs_meeting_outcome="CANCELED",
        hs_meeting_start_time="2024-04-03T09:00:00Z",
        hs_meeting_end_time="2024-04-03T10:00:00Z",
    ),
]
TASKS = [
    record(
        "57",
        "2024-03-11T14:20:00Z",
        {"companies": ["11"]},
        hs_timestamp="2024-03-20T00:00:00Z",
        hs_task_status="COMPLETED",
        hs_task_type="TODO",
        hs_task_completion_date="2024-03-18T16:00:00Z",
    ),
    record(
        "58",
        "2024-03-11T14:20:00Z",
        {"companies": ["11"]},
        hs_timestamp="2024-03-20T00:00:00Z",
        hs_task_status="COMPLETED",
    ),
]
FILES = {
    "companies.json": page(*COMPANIES),
    "contacts.json": json.dumps(CONTACTS),
    "deals.json": json.dumps(DEALS, indent=1),
    "tickets.json": page(*TICKETS),
    "emails.jsonl": "\n".join(json.dumps(one) for one in EMAILS),
    "calls.json": page(*CALLS),
    "meetings.json": json.dumps([json.loads(page(*MEETINGS))]),
    "tasks.json": page(*TASKS),
}


def test_objects_of_the_api_become_a_history(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", FILES))
    assert [(one.file, one.row, one.column, one.allowed.split(" (")[0]) for one in found.rejects] == [
        ("contacts.json", 3, "account_id", "the account that it belongs to, or a deal, case or contact of one"),
        ("deals.json", 4, "closed_at", "the date on which it was won or lost"),
    ]
    assert kinds(found) == [
        ("11", "call", "answered"),
        ("11", "commitment", "kept"),
        ("11", "commitment", "kept"),
        ("11", "message", ""),
        ("11", "message", ""),
        ("11", "mistake", ""),
        ("12", "meeting", ""),
        ("12", "meeting", "held"),
        ("12", "request", "open"),
    ]
    assert found.counts["mails that were not sent"] == 1
    told = history(found, tmp_path)
    assert touches(told) == [
        ("11", seconds(2024, 3, 1, 10), "client"),
        ("11", seconds(2024, 3, 2, 11), "us"),
        ("11", seconds(2024, 3, 5, 14), "us"),
        ("11", seconds(2024, 3, 11, 14, 20), "us"),
        ("11", seconds(2024, 3, 11, 14, 20), "us"),
        ("12", seconds(2024, 4, 2, 9), "both"),
        ("12", seconds(2024, 5, 6, 7, 30), "client"),
    ]
    call = next(row for row in rows_of(found, "interactions") if row["kind"] == "call")
    assert (call["minutes"], call["contact_id"], call["recorded_at"]) == ("15", "21", "2024-03-05T14:20:00Z")


def test_tickets_become_mistakes_and_requests_by_category(tmp_path: Path) -> None:
    rows = rows_of(read(export(tmp_path / "export", FILES)), "interactions")
    mistake = next(row for row in rows if row["kind"] == "mistake")
    assert (mistake["subtype"], mistake["level"], mistake["resolved_at"]) == ("billing", "3", "2024-05-04T12:00:00Z")
    request = next(row for row in rows if row["kind"] == "request")
    assert (request["actor"], request["channel"], request["contact_id"]) == ("client", "email", "22")


def test_deals(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", FILES))
    won, lost, still_open, entered_later = rows_of(found, "deals")
    assert (won["outcome"], won["kind"], won["ends_on"]) == ("won", "new", "2025-03-31T00:00:00Z")
    assert won["outcome_recorded_at"] == "2024-03-12T10:00:00Z"  # when its stage was changed
    # Changed last in September, which tells nothing of when its outcome was known.
    assert (lost["lost_reason"], lost["outcome_recorded_at"]) == ("competitor", "2024-04-20T15:00:00Z")
    assert (still_open["account_id"], still_open["outcome"]) == ("11", "open")
    assert "closed_at" not in still_open
    assert (entered_later["opened_at"], entered_later["closed_at"]) == ("2024-02-01T09:00:00Z", "2024-02-01T09:00:00Z")
    assert entered_later["recorded_at"] == "2024-05-10T09:00:00Z"  # before that it is not known
    assert found.counts["deals entered after they had closed"] == 1


def test_a_task_done_at_a_time_unknown_is_known_as_done_from_its_last_change(tmp_path: Path) -> None:
    rows = rows_of(read(export(tmp_path / "export", FILES)), "interactions")
    dated, undated = (row for row in rows if row["kind"] == "commitment")
    assert (dated["resolved_at"], dated["outcome_recorded_at"]) == ("2024-03-18T16:00:00Z",) * 2
    assert (undated.get("resolved_at"), undated["outcome_recorded_at"]) == (None, ENDED)
    fresh = [{**TASKS[1], "updatedAt": None, "properties": {**TASKS[1]["properties"], "hs_lastmodifieddate": None}}]  # type: ignore[dict-item]
    found = read(export(tmp_path / "fresh", {**FILES, "tasks.json": json.dumps(fresh)}))
    assert "outcome" not in next(row for row in rows_of(found, "interactions") if row["kind"] == "commitment")
    assert found.counts["tasks done of which nothing tells when"] == 1


def test_own_properties_become_own_columns_and_bodies_are_not_kept(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", FILES))
    assert rows_of(found, "accounts")[0] == {
        "account_id": "11",
        "name": "North Mill",
        "industry": "PAPER",
        "country": "Norway",
        "created_at": "2023-01-05T08:00:00Z",
        "x_tier": "gold",
    }
    assert "never read" not in str(found)


def test_unknown_stages_can_be_declared(tmp_path: Path) -> None:
    deal = record(
        "31", "2024-01-10T09:00:00Z", {"companies": ["11"]}, dealstage="65238786", closedate="2024-03-10T15:00:00Z"
    )
    folder = export(tmp_path / "export", {"deals.json": page(deal)})
    found = read(folder)
    assert "outcome" not in rows_of(found, "deals")[0]
    assert any("their stages are your own: '65238786' (1)" in note for note in found.notes)
    assert rows_of(read(folder, {"stages": {"65238786": "won"}}), "deals")[0]["outcome"] == "won"


def test_gzipped_files(tmp_path: Path) -> None:
    folder = export(tmp_path / "export", {})
    (folder / "deals.json.gz").write_bytes(gzip.compress(page(*DEALS).encode()))
    assert len(rows_of(read(folder), "deals")) == 3
    (folder / "deals.json.gz").write_bytes(gzip.compress(page(*DEALS).encode())[:-20])
    assert not recognises(folder)


def test_archived_objects_are_left_out(tmp_path: Path) -> None:
    gone = {**DEALS[0], "archived": True}
    found = read(export(tmp_path / "export", {"companies.json": page(*COMPANIES), "deals.json": page(gone, DEALS[1])}))
    assert [row["deal_id"] for row in rows_of(found, "deals")] == ["32"]
    assert found.counts["deleted or archived records"] == 1


def test_the_primary_company_counts(tmp_path: Path) -> None:
    companies = {
        "results": [{"id": "12", "type": "deal_to_company_unlabeled"}, {"id": "11", "type": "deal_to_company"}]
    }
    deal = {**DEALS[0], "associations": {"companies": companies}}
    files = {"companies.json": page(*COMPANIES), "deals.json": page(deal)}
    assert rows_of(read(export(tmp_path / "export", files)), "deals")[0]["account_id"] == "11"


COMPANY_VIEW: list[Row] = [
    {
        "Record ID": "11",
        "Company name": "North Mill",
        "Company owner": "Kim Ode (kim@ours.example)",
        "Create Date": "2023-01-05 09:00",
        "Industry": "Paper",
        "Number of Associated Deals": "2",
        "Tier": "gold",
    },
    {
        "Record ID": "12",
        "Company name": "South Works",
        "Company owner": "",
        "Create Date": "2023-02-05 09:00",
        "Industry": "Steel",
        "Number of Associated Deals": "1",
        "Tier": "",
    },
]
DEAL_VIEW: list[Row] = [
    {
        "Record ID": "31",
        "Deal Name": "Rollers",
        "Deal Stage": "Closed won (Sales Pipeline)",
        "Close Date": "2024-03-10 16:00",
        "Create Date": "2024-01-10 10:00",
        "Amount": "12000.5",
        "Associated Company IDs (Primary)": "11",
        "Associated Company IDs": "12;11",
        "Associated Contact IDs": "21",
        "Is Closed Won": "true",
    },
    {
        "Record ID": "32",
        "Deal Name": "Beams",
        "Deal Stage": "Closed lost (Sales Pipeline)",
        "Close Date": "2024-04-20 17:00",
        "Create Date": "2024-02-10 10:00",
        "Amount": "900",
        "Associated Company IDs (Primary)": "",
        "Associated Company IDs": "12;11",
        "Associated Contact IDs": "",
        "Is Closed Won": "false",
    },
]
VIEWS = {"all-companies.csv": COMPANY_VIEW, "all-deals.csv": DEAL_VIEW}


def test_exported_views(tmp_path: Path) -> None:
    folder = export(tmp_path / "export", VIEWS)
    with pytest.raises(SourceError, match=r"such as 202\d-\d\d-\d\d \d\d:00 do not tell their time zone"):
        read(folder)
    found = read(folder, {"time_zone": "Europe/Oslo"})
    won, lost = rows_of(found, "deals")
    assert (won["account_id"], won["outcome"], won["closed_at"]) == ("11", "won", "2024-03-10T15:00:00Z")
    assert (lost["account_id"], lost["outcome"]) == ("12", "lost")  # the first of several companies
    assert rows_of(found, "accounts")[0] == {
        "account_id": "11",
        "name": "North Mill",
        "industry": "Paper",
        "owner": "Kim Ode (kim@ours.example)",
        "created_at": "2023-01-05T08:00:00Z",
        "x_tier": "gold",
    }
    assert (found.tables["deals"][FILE][0].as_py(), found.tables["deals"][ROW][1].as_py()) == ("all-deals.csv", 2)


def test_a_zip_as_it_is_downloaded(tmp_path: Path) -> None:
    folder = export(tmp_path / "export", VIEWS)
    packed = tmp_path / "hubspot-export.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"export/{file.name}")
        archive.writestr("export/readme.txt", "hello")
    assert recognises(packed)
    options = {"time_zone": "Europe/Oslo"}
    assert rows_of(read(packed, options), "deals") == rows_of(read(folder, options), "deals")


@pytest.mark.parametrize(
    "text", ["{", '{"results": [{"id": 1,', '[{"id": "1", "properties": {"dealstage": "x"}}', "nonsense", "", "12"]
)
def test_damaged_json_is_no_export(tmp_path: Path, text: str) -> None:
    folder = export(tmp_path / "export", {"deals.json": text})
    if recognises(folder):  # what stands before the damage is one
        with pytest.raises(SourceError, match=r"deals.json: not JSON"):
            read(folder)
    else:
        with pytest.raises(SourceError, match="holds no export of HubSpot"):
            read(folder)
