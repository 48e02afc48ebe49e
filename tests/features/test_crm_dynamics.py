"""Dynamics 365: tables with logical names, and worksheets with English labels."""

from __future__ import annotations

from pathlib import Path

from openpyxl import Workbook

from features.sources.crm.reading import read
from tests.features.crm_exports import Row, export, history, kinds, rows_of, seconds, touches

NORTH, SOUTH = "a0000000-0000-0000-0000-000000000001", "a0000000-0000-0000-0000-000000000002"
ADA, BO = "c0000000-0000-0000-0000-000000000001", "c0000000-0000-0000-0000-000000000002"
WON, LOST, OPEN = (f"d0000000-0000-0000-0000-00000000000{place}" for place in (1, 2, 3))


def stamped(created: str, **fields: object) -> Row:
    return {**fields, "createdon": created, "modifiedon": "2024-06-01T08:00:00Z", "owneridname": "Kim Ode"}


def activity(number: int, kind: str, created: str, state: int, regarding: str, **fields: object) -> Row:
    one = f"e0000000-0000-0000-0000-00000000000{number}"
    return stamped(
        created, activityid=one, activitytypecode=kind, statecode=state, _regardingobjectid_value=regarding, **fields
    )


FILES: dict[str, list[Row]] = {
    "accounts.csv": [
        stamped(
            "2023-01-05T08:00:00Z",
            accountid=NORTH,
            name="North Mill",
            address1_country="Norway",
            statecode=0,
            new_tier="gold",
        ),
        stamped(
            "2023-02-05T08:00:00Z",
            accountid=SOUTH,
            name="South Works",
            address1_country="Spain",
            statecode=0,
            new_tier="tin",
        ),
    ],
    "contacts.csv": [
        stamped(
            "2023-01-06T08:00:00Z",
            contactid=ADA,
            fullname="Ada Birk",
            emailaddress1="ada@north.example",
            _parentcustomerid_value=NORTH,
            accountrolecode=1,
        ),
        stamped(
            "2023-02-06T08:00:00Z",
            contactid=BO,
            fullname="Bo Lind",
            emailaddress1="bo@south.example",
            _parentcustomerid_value=SOUTH,
        ),
    ],
    "opportunities.csv": [
        stamped(
            "2024-01-10T09:00:00Z",
            opportunityid=WON,
            name="Rollers",
            _customerid_value=NORTH,
            statecode=1,
            statuscode=3,
            estimatedvalue=11000,
            actualvalue=12000.5,
            actualclosedate="2024-03-10",
            new_contractenddate="2025-03-31",
        ),
        stamped(
            "2024-02-10T09:00:00Z",
            opportunityid=LOST,
            name="Beams",
            _customerid_value=BO,
            statecode=2,
            statuscode=5,
            estimatedvalue=900,
            actualvalue=0,
            actualclosedate="2024-04-20",
        ),
        stamped(
            "2024-05-10T09:00:00Z",
            opportunityid=OPEN,
            name="More rollers",
            _customerid_value=NORTH,
            statecode=0,
            statuscode=1,
            estimatedvalue="",
            actualvalue="",
            actualclosedate="",
        ),
    ],
    "incidents.csv": [
        stamped(
            "2024-05-02T07:30:00Z",
            incidentid="f1",
            title="Late",
            _customerid_value=NORTH,
            casetypecode=2,
            prioritycode=1,
            statecode=1,
        ),
        stamped(
            "2024-05-06T07:30:00Z",
            incidentid="f2",
            title="How?",
            _customerid_value=SOUTH,
            casetypecode=1,
            prioritycode=3,
            statecode=0,
        ),
        stamped(
            "2024-05-07T07:30:00Z",
            incidentid="f3",
            title="No",
            _customerid_value=SOUTH,
            casetypecode=2,
            prioritycode=3,
            statecode=2,
        ),
    ],
    "activities.csv": [
        activity(
            1,
            "email",
            "2024-03-01T10:00:05Z",
            1,
            "f1",
            directioncode="False",
            senton="2024-03-01T10:00:00Z",
            sender="ada@north.example",
        ),
        activity(
            2,
            "email",
            "2024-03-02T11:00:05Z",
            1,
            WON,
            directioncode="True",
            senton="2024-03-02T11:00:00Z",
            torecipients="ada@north.example",
        ),
        activity(3, "email", "2024-03-03T11:00:05Z", 0, WON, directioncode="True", senton=""),
        activity(
            4,
            "phonecall",
            "2024-03-05T14:20:00Z",
            1,
            ADA,
            directioncode="True",
            actualend="2024-03-05T14:15:00Z",
            actualdurationminutes=15,
        ),
        activity(
            5,
            "appointment",
            "2024-03-20T10:00:00Z",
            1,
            LOST,
            scheduledstart="2024-04-02T09:00:00Z",
            scheduledend="2024-04-02T10:00:00Z",
        ),
        activity(
            6,
            "appointment",
            "2024-03-20T10:00:00Z",
            2,
            LOST,
            scheduledstart="2024-04-03T09:00:00Z",
            scheduledend="2024-04-03T10:00:00Z",
        ),
        activity(
            7,
            "task",
            "2024-03-11T14:20:00Z",
            1,
            WON,
            scheduledend="2024-03-20T00:00:00Z",
            actualend="2024-03-18T16:00:00Z",
        ),
        activity(8, "task", "2024-03-11T14:20:00Z", 2, WON, scheduledend="2024-03-20T00:00:00Z"),
        activity(9, "fax", "2024-03-11T14:20:00Z", 1, WON),
    ],
}


def test_tables_with_logical_names_become_a_history(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", FILES))
    assert found.rejects == []
    assert kinds(found) == [
        (NORTH, "call", ""),
        (NORTH, "commitment", "kept"),
        (NORTH, "message", ""),
        (NORTH, "message", ""),
        (NORTH, "mistake", ""),
        (SOUTH, "meeting", ""),
        (SOUTH, "meeting", "held"),
        (SOUTH, "request", "open"),
    ]
    assert found.counts["activity records of no kind that is taken in"] == 1
    assert found.counts["cancelled cases"] == found.counts["mails that were not sent"] == 1
    assert found.counts["tasks put off or cancelled"] == 1
    told = history(found, tmp_path)
    assert touches(told) == [
        (NORTH, seconds(2024, 3, 1, 10), "client"),
        (NORTH, seconds(2024, 3, 2, 11), "us"),
        (NORTH, seconds(2024, 3, 5, 14, 15), "us"),
        (NORTH, seconds(2024, 3, 11, 14, 20), "us"),
        (SOUTH, seconds(2024, 4, 2, 9), "both"),
        (SOUTH, seconds(2024, 5, 6, 7, 30), "client"),
    ]
    first = rows_of(found, "accounts")[0]
    assert (first["x_new_tier"], first["country"]) == ("gold", "Norway")
    mistake = next(row for row in rows_of(found, "interactions") if row["kind"] == "mistake")
    assert (mistake["level"], mistake["resolved_at"]) == ("3", "2024-06-01T08:00:00Z")  # Dynamics keeps no closing date


def test_deals(tmp_path: Path) -> None:
    won, lost, still_open = rows_of(read(export(tmp_path / "export", FILES)), "deals")
    assert (won["outcome"], won["amount"], won["ends_on"]) == ("won", "12000.5", "2025-03-31T00:00:00Z")
    assert (won["closed_at"], won["outcome_recorded_at"]) == ("2024-03-10T00:00:00Z", "2024-03-10T23:59:59Z")
    assert (lost["account_id"], lost["outcome"], lost["lost_reason"], lost["amount"]) == (
        SOUTH,
        "lost",
        "competitor",
        "900",
    )
    assert still_open["outcome"] == "open"


def test_a_contract_end_in_a_custom_column_is_asked_for_and_can_be_declared(tmp_path: Path) -> None:
    deal = {**FILES["opportunities.csv"][0], "new_contractenddate": "", "acme_expires": "2025-03-31"}
    folder = export(tmp_path / "export", {"opportunities.csv": [deal]})
    found = read(folder)
    assert "ends_on" not in rows_of(found, "deals")[0]
    assert any(
        "none has the end of its contract (ends_on)" in note and "'acme_expires'" in note for note in found.notes
    )
    declared = read(folder, {"deals": {"ends_on": "acme_expires"}})
    assert rows_of(declared, "deals")[0]["ends_on"] == "2025-03-31T00:00:00Z"


def test_migrated_records_are_known_from_the_migration_on(tmp_path: Path) -> None:
    deal = {**FILES["opportunities.csv"][0], "overriddencreatedon": "2024-05-01T00:00:00Z"}
    row = rows_of(read(export(tmp_path / "export", {"opportunities.csv": [deal]})), "deals")[0]
    assert (row["opened_at"], row["recorded_at"]) == ("2024-01-10T09:00:00Z", "2024-05-01T00:00:00Z")


def test_worksheets_with_labels(tmp_path: Path) -> None:
    deals: list[Row] = [
        {
            "(Do Not Modify) Opportunity": WON,
            "(Do Not Modify) Row Checksum": "x",
            "(Do Not Modify) Modified On": "6/1/2024 8:00 AM",
            "Topic": "Rollers",
            "Potential Customer": "North Mill",
            "Status": "Won",
            "Status Reason": "Won",
            "Est. Revenue": "$11,000.00",
            "Actual Revenue": "$12,000.50",
            "Actual Close Date": "3/10/2024",
            "Created On": "1/10/2024 4:00 AM",
        },
        {
            "(Do Not Modify) Opportunity": LOST,
            "(Do Not Modify) Row Checksum": "x",
            "(Do Not Modify) Modified On": "6/1/2024 8:00 AM",
            "Topic": "Beams",
            "Potential Customer": "South Works",
            "Status": "Lost",
            "Status Reason": "Out-Sold",
            "Est. Revenue": "$900.00",
            "Actual Revenue": "",
            "Actual Close Date": "4/20/2024",
            "Created On": "2/10/2024 4:00 AM",
        },
    ]
    calls: list[Row] = [
        {
            "(Do Not Modify) Phone Call": "e4",
            "Subject": "?",
            "Regarding": "Rollers",
            "Activity Status": "Completed",
            "Status": "Completed",
            "Direction": "Outgoing",
            "Duration": "15",
            "Actual End": "3/5/2024 9:15 AM",
            "Created On": "3/5/2024 9:20 AM",
        },
    ]
    accounts: list[Row] = [
        {"(Do Not Modify) Account": NORTH, "Account Name": "North Mill", "Created On": "1/5/2023 3:00 AM"},
        {"(Do Not Modify) Account": SOUTH, "Account Name": "South Works", "Created On": "2/5/2023 3:00 AM"},
    ]
    folder = export(tmp_path / "export", {"Accounts.csv": accounts, "My Opportunities.csv": deals, "Calls.csv": calls})
    found = read(folder, {"time_zone": "America/New_York"})
    assert found.rejects == []
    won, lost = rows_of(found, "deals")
    assert (won["account_id"], won["amount"], won["opened_at"]) == (NORTH, "12000.5", "2024-01-10T09:00:00Z")
    assert (lost["account_id"], lost["lost_reason"], lost["closed_at"]) == (SOUTH, "competitor", "2024-04-20T00:00:00Z")
    call = rows_of(found, "interactions")[0]
    assert (call["account_id"], call["at"], call["minutes"]) == (NORTH, "2024-03-05T14:15:00Z", "15")


def test_a_workbook_is_read_like_any_file(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    rows = FILES["accounts.csv"]
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append(list(row.values()))
    folder = tmp_path / "export"
    folder.mkdir()
    book.save(folder / "Active Accounts.xlsx")
    found = read(folder)
    assert [row["name"] for row in rows_of(found, "accounts")] == ["North Mill", "South Works"]
