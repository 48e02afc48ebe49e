"""Salesforce: files as the Data Export Service and Data Loader write them, and reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.sources.crm.links import case_safe
from features.sources.crm.reading import read
from features.sources.readers import SourceError
from tests.features.crm_exports import Row, export, history, kinds, rows_of, seconds, touches

NORTH, SOUTH = "0015g00000NorthAAA", "0015g00000SouthAAB"
ADA, BO = "0035g00000AdaBiAAA", "0035g00000BoLinAAB"


def stamped(created: str, modified: str = "2024-06-01 08:00:00", **fields: object) -> Row:
    return {
        **fields,
        "CreatedDate": created,
        "LastModifiedDate": modified,
        "IsDeleted": "0",
        "OwnerId": "0055g0000000001AAA",
    }


ACCOUNTS = [
    stamped(
        "2023-01-05 08:00:00",
        Id=NORTH,
        Name="North Mill",
        Industry="Paper",
        BillingCountry="Norway",
        Tier__c="A",
        Staff__c="120",
    ),
    stamped(
        "2023-02-05 08:00:00",
        Id=SOUTH,
        Name="South Works",
        Industry="Steel",
        BillingCountry="Spain",
        Tier__c="B",
        Staff__c="1,400",
    ),
]
CONTACTS = [
    stamped(
        "2023-01-06 08:00:00", Id=ADA, AccountId=NORTH, FirstName="Ada", LastName="Birk", Email="ada@north.example"
    ),
    stamped("2023-02-06 08:00:00", Id=BO, AccountId=SOUTH, FirstName="Bo", LastName="Lind", Email="bo@south.example"),
]
DEALS = [
    stamped(
        "2024-01-10 09:00:00",
        "2025-02-01 00:00:00",
        Id="0065g00000Deal1AAA",
        AccountId=NORTH,
        Name="Rollers",
        StageName="Signed",
        Amount="12000.5",
        CloseDate="2024-03-10",
        Type="New Customer",
        IsClosed="1",
        IsWon="1",
        LastStageChangeDate="2024-03-12 10:00:00",
        Contract_End_Date__c="2025-03-31",
    ),
    stamped(
        "2024-02-10 09:00:00",
        Id="0065g00000Deal2AAB",
        AccountId=SOUTH,
        Name="Beams",
        StageName="Gone",
        Amount="900",
        CloseDate="2024-04-20",
        Type="Renewal",
        IsClosed="1",
        IsWon="0",
        LastStageChangeDate="2024-04-20 15:00:00",
        Loss_Reason__c="Price",
    ),
    stamped(
        "2024-05-10 09:00:00",
        Id="0065g00000Deal3AAC",
        AccountId=NORTH,
        Name="More rollers",
        StageName="Talks",
        Amount="",
        CloseDate="2024-12-31",
        Type="",
        IsClosed="0",
        IsWon="0",
        LastStageChangeDate="2024-05-11 09:00:00",
    ),
]
CASES = [
    stamped(
        "2024-05-02 07:30:00",
        Id="5005g00000Case1AAA",
        CaseNumber="00001001",
        AccountId=NORTH,
        ContactId=ADA,
        Type="Problem",
        Priority="High",
        Origin="Phone",
        IsClosed="1",
        ClosedDate="2024-05-04 12:00:00",
        Status="Closed",
    ),
    stamped(
        "2024-05-06 07:30:00",
        Id="5005g00000Case2AAB",
        CaseNumber="00001002",
        AccountId="",
        ContactId=BO,
        Type="Question",
        Priority="Low",
        Origin="Email",
        IsClosed="0",
        ClosedDate="",
        Status="New",
    ),
]
MAILS = [
    stamped(
        "2024-03-01 10:00:05",
        Id="02s5g00000Mail1AAA",
        Incoming="1",
        MessageDate="2024-03-01 10:00:00",
        Status="2",
        FromAddress="Ada Birk <ada@north.example>",
        ToAddress="us@ours.example",
        RelatedToId="",
        ParentId="",
        ThreadIdentifier="t1",
        ReplyToEmailMessageId="",
        ActivityId="",
    ),
    stamped(
        "2024-03-02 11:00:05",
        Id="02s5g00000Mail2AAB",
        Incoming="0",
        MessageDate="2024-03-02 11:00:00",
        Status="3",
        FromAddress="us@ours.example",
        ToAddress="ada@north.example",
        RelatedToId=NORTH,
        ParentId="",
        ThreadIdentifier="t1",
        ReplyToEmailMessageId="02s5g00000Mail1AAA",
        ActivityId="00T5g00000Task9AAA",
    ),
    stamped(
        "2024-03-03 11:00:05",
        Id="02s5g00000Mail3AAC",
        Incoming="0",
        MessageDate="2024-03-03 11:00:00",
        Status="5",
        FromAddress="us@ours.example",
        ToAddress="ada@north.example",
        RelatedToId=NORTH,
    ),
]
EVENTS = [
    stamped(
        "2024-03-20 10:00:00",
        Id="00U5g00000Even1AAA",
        AccountId=SOUTH,
        WhatId="0065g00000Deal2AAB",
        WhoId=BO,
        Type="Meeting",
        StartDateTime="2024-04-02 09:00:00",
        EndDateTime="2024-04-02 10:00:00",
        IsChild="0",
        IsRecurrence="0",
    ),
    stamped(
        "2024-03-20 10:00:00",
        Id="00U5g00000Even2AAB",
        AccountId=SOUTH,
        WhatId="",
        WhoId=BO,
        Type="Meeting",
        StartDateTime="2024-04-02 09:00:00",
        EndDateTime="2024-04-02 10:00:00",
        IsChild="1",
        IsRecurrence="0",
    ),
    stamped(
        "2024-05-20 10:00:00",
        Id="00U5g00000Even3AAC",
        AccountId=NORTH,
        WhatId="",
        WhoId="",
        Type="Meeting",
        StartDateTime="2025-08-02 09:00:00",
        EndDateTime="2025-08-02 10:00:00",
        IsChild="0",
        IsRecurrence="0",
    ),
]
TASKS = [
    stamped(
        "2024-03-05 14:20:00",
        Id="00T5g00000Task1AAA",
        AccountId=NORTH,
        WhatId=NORTH,
        WhoId=ADA,
        TaskSubtype="Call",
        Status="Completed",
        ActivityDate="2024-03-05",
        IsClosed="1",
        CallType="Outbound",
        CallDurationInSeconds="900",
        CallDisposition="Connected",
    ),
    stamped(
        "2024-03-11 14:20:00",
        Id="00T5g00000Task2AAB",
        AccountId="",
        WhatId="0065g00000Deal1AAA",
        WhoId="",
        TaskSubtype="Task",
        Status="Completed",
        ActivityDate="2024-03-20",
        IsClosed="1",
        CompletedDateTime="2024-03-18 16:00:00",
    ),
    stamped(
        "2024-03-02 11:00:06",
        Id="00T5g00000Task9AAA",
        AccountId=NORTH,
        WhatId=NORTH,
        WhoId=ADA,
        TaskSubtype="Email",
        Status="Completed",
        ActivityDate="2024-03-02",
        IsClosed="1",
    ),
    stamped(
        "2024-03-04 11:00:06",
        Id="00T5g00000Task4AAD",
        AccountId=NORTH,
        WhatId=NORTH,
        WhoId="",
        TaskSubtype="Task",
        Status="Deferred",
        ActivityDate="2024-03-30",
        IsClosed="0",
    ),
    stamped(
        "2024-03-04 11:00:06",
        Id="00T5g00000Task5AAE",
        AccountId="",
        WhatId="",
        WhoId="00Q5g00000Lead1AAA",
        TaskSubtype="Task",
        Status="Not Started",
        ActivityDate="2024-03-30",
        IsClosed="0",
    ),
]
FILES = {
    "Account.csv": ACCOUNTS,
    "Contact.csv": CONTACTS,
    "Opportunity.csv": DEALS,
    "Case.csv": CASES,
    "EmailMessage.csv": MAILS,
    "Event.csv": EVENTS,
    "Task.csv": TASKS,
}


def test_a_whole_export_becomes_a_history(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", FILES))
    assert [(one.file, one.row, one.column) for one in found.rejects] == [("Task.csv", 5, "contact_id")]
    assert kinds(found) == [
        (NORTH, "call", "answered"),
        (NORTH, "commitment", "kept"),
        (NORTH, "meeting", ""),
        (NORTH, "message", ""),
        (NORTH, "message", ""),
        (NORTH, "mistake", ""),
        (SOUTH, "meeting", "held"),
        (SOUTH, "request", "open"),
    ]
    assert found.counts["drafts"] == 1
    assert found.counts["copies of meetings for single invitees"] == 1
    assert found.counts["records that another object tells of too"] == 1
    assert found.counts["tasks put off or cancelled"] == 1
    told = history(found, tmp_path)
    assert touches(told) == [
        (NORTH, seconds(2024, 3, 1, 10), "client"),
        (NORTH, seconds(2024, 3, 2, 11), "us"),
        (NORTH, seconds(2024, 3, 5, 14, 20), "us"),  # entered on its day, of which the time is not known
        (NORTH, seconds(2024, 3, 11, 14, 20), "us"),
        (SOUTH, seconds(2024, 4, 2, 9), "both"),
        (SOUTH, seconds(2024, 5, 6, 7, 30), "client"),
    ]


def test_a_task_is_due_until_the_end_of_its_day(tmp_path: Path) -> None:
    rows = rows_of(read(export(tmp_path / "export", FILES)), "interactions")
    kept = next(row for row in rows if row["kind"] == "commitment")
    assert (kept["due_at"], kept["resolved_at"]) == ("2024-03-20T23:59:59Z", "2024-03-18T16:00:00Z")


def test_deals_end_as_flagged_and_are_known_from_the_change_of_stage(tmp_path: Path) -> None:
    won, lost, still_open = rows_of(read(export(tmp_path / "export", FILES)), "deals")
    assert won == {
        "deal_id": "0065g00000Deal1AAA",
        "account_id": NORTH,
        "owner": "0055g0000000001AAA",
        "kind": "new",
        "outcome": "won",
        "opened_at": "2024-01-10T09:00:00Z",
        "recorded_at": "2024-01-10T09:00:00Z",
        "updated_at": "2025-02-01T00:00:00Z",
        "closed_at": "2024-03-10T00:00:00Z",
        "outcome_recorded_at": "2024-03-12T10:00:00Z",
        "amount": "12000.5",
        "ends_on": "2025-03-31T00:00:00Z",
    }
    assert (lost["outcome"], lost["lost_reason"], lost["kind"]) == ("lost", "price", "renewal")
    assert lost["outcome_recorded_at"] == "2024-04-20T23:59:59Z"  # a day counts from its end
    assert still_open["outcome"] == "open"
    assert not still_open.keys() & {"closed_at", "outcome_recorded_at", "amount"}


def test_custom_fields_of_accounts_are_own_columns_without_dates(tmp_path: Path) -> None:
    rows = rows_of(read(export(tmp_path / "export", FILES)), "accounts")
    assert rows[1] == {
        "account_id": SOUTH,
        "name": "South Works",
        "industry": "Steel",
        "country": "Spain",
        "owner": "0055g0000000001AAA",
        "created_at": "2023-02-05T08:00:00Z",
        "x_tier": "B",
        "x_staff": "1400",
    }


def test_ids_of_15_and_18_characters_are_the_same_record(tmp_path: Path) -> None:
    assert case_safe("70130000001tcyI") == "70130000001tcyIAAQ"
    account = {**ACCOUNTS[0], "Id": "0015g00000IqhSL"}
    deal = {**DEALS[0], "AccountId": "0015g00000IqhSLAAZ"}
    found = read(export(tmp_path / "export", {"a.csv": [account], "o.csv": [deal]}))
    assert (
        rows_of(found, "accounts")[0]["account_id"] == rows_of(found, "deals")[0]["account_id"] == "0015g00000IqhSLAAZ"
    )


def test_contracts_end_deals(tmp_path: Path) -> None:
    deal = {**DEALS[1], "IsWon": "1", "ContractId": "8005g00000Cont1AAA"}
    contract = stamped(
        "2024-04-21 08:00:00", Id="8005g00000Cont1AAA", ContractNumber="1", StartDate="2024-05-01", EndDate="2025-04-30"
    )
    found = read(export(tmp_path / "export", {"Opportunity.csv": [deal], "Contract.csv": [contract]}))
    assert rows_of(found, "deals")[0]["ends_on"] == "2025-04-30T00:00:00Z"
    assert not any("ends_on" in note for note in found.notes)
    without = read(export(tmp_path / "without", {"Opportunity.csv": [DEALS[1]]}))
    assert any("none has the end of its contract (ends_on)" in note for note in without.notes)


def test_deleted_records_and_those_of_deleted_accounts_are_left_out(tmp_path: Path) -> None:
    gone = {**ACCOUNTS[1], "IsDeleted": "true"}
    found = read(export(tmp_path / "export", {**FILES, "Account.csv": [ACCOUNTS[0], gone]}))
    assert {account for account, *_ in kinds(found)} == {NORTH}
    assert [row["account_id"] for row in rows_of(found, "accounts")] == [NORTH]
    assert found.counts["deleted or archived records"] == 1
    assert found.counts["records of deleted accounts"] == 4  # a contact, a deal, a meeting, a case
    task = {**TASKS[0], "IsDeleted": "1"}
    assert "interactions" not in read(export(tmp_path / "task", {"Task.csv": [task]})).tables


REPORT = (
    "Opportunity Name,Account Name,Stage,Amount,Close Date,Created Date\r\n"
    '"Rollers","North Mill","Closed Won","EUR 12.000,50","10/03/2024","10/01/2024"\r\n'
    '"Beams","South Works","Closed Lost","EUR 900,00","20/04/2024","10/02/2024"\r\n'
)


def test_a_report_with_labels_and_local_dates(tmp_path: Path) -> None:
    rows = rows_of(read(export(tmp_path / "export", {"report123.csv": REPORT})), "deals")
    assert rows[0] == {
        "deal_id": "Rollers",
        "account_id": "North Mill",
        "outcome": "won",
        "amount": "12000.5",
        "opened_at": "2024-01-10T00:00:00Z",
        "recorded_at": "2024-01-10T23:59:59Z",
        "closed_at": "2024-03-10T00:00:00Z",
        "outcome_recorded_at": "2024-03-10T23:59:59Z",
    }
    assert rows[1]["outcome"] == "lost"


def test_times_of_a_report_need_a_declared_zone(tmp_path: Path) -> None:
    folder = export(tmp_path / "export", {"report.csv": REPORT.replace('"10/01/2024"', '"10/01/2024 09:30"')})
    with pytest.raises(SourceError, match="2024-01-10 09:30:00 do not tell their time zone; declare"):
        read(folder)
    rows = rows_of(read(folder, {"time_zone": "Europe/Madrid"}), "deals")
    assert rows[0]["recorded_at"] == "2024-01-10T08:30:00Z"
    assert rows[1]["recorded_at"] == "2024-02-10T22:59:59Z"  # the end of that day in Madrid
