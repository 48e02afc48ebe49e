"""Pipedrive: exported lists, with and without the name of the object before each column."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.sources.crm.reading import read
from features.sources.readers import SourceError
from tests.features.crm_exports import Row, export, history, kinds, rows_of, seconds, touches

UTC_EXPORT = {"time_zone": "UTC"}


def named(prefix: str, **fields: object) -> dict[str, object]:
    return {f"{prefix} - {name.replace('_', ' ')}": value for name, value in fields.items()}


def activity(number: int, kind: str, done: str, due: str, time: str = "", **fields: object) -> Row:
    return named(
        "Activity",
        ID=number,
        Subject="?",
        Type=kind,
        Done=done,
        Due_date=due,
        Due_time=time,
        Add_time="2024-03-01 08:00:00",
        **fields,
    )


FILES: dict[str, list[Row]] = {
    "organizations.csv": [
        named(
            "Organization",
            ID=1,
            Name="North Mill",
            Owner="Kim Ode",
            Organization_created="2023-01-05 08:00:00",
            Tier="gold",
            Open_deals=1,
        ),
        named(
            "Organization",
            ID=2,
            Name="South Works",
            Owner="Kim Ode",
            Organization_created="2023-02-05 08:00:00",
            Tier="tin",
            Open_deals=0,
        ),
    ],
    "people.csv": [
        named("Person", ID=1, Name="Ada Birk", Organization="North Mill", Person_created="2023-01-06 08:00:00")
        | {"Person - Email - Work": "ada@north.example"},
        named("Person", ID=2, Name="Bo Lind", Organization="South Works", Person_created="2023-02-06 08:00:00")
        | {"Person - Email - Work": "bo@south.example"},
    ],
    "deals.csv": [
        named(
            "Deal",
            ID=1,
            Title="Rollers",
            Organization="North Mill",
            Contact_person="Ada Birk",
            Value="12000.5",
            Currency_of_value="EUR",
            Status="Won",
            Deal_created="2024-01-10 09:00:00",
            Update_time="2025-01-01 00:00:00",
            Won_time="2024-03-10 15:00:00",
            Contract_end_date="2025-03-31",
            Solution="Hosting",
        ),
        named(
            "Deal",
            ID=2,
            Title="Beams",
            Organization="South Works",
            Value="900",
            Currency_of_value="EUR",
            Status="Lost",
            Deal_created="2024-02-10 09:00:00",
            Lost_time="2024-04-20 15:00:00",
            Lost_reason="Went with competitor",
        ),
        named(
            "Deal",
            ID=3,
            Title="More rollers",
            Organization="North Mill",
            Value="5",
            Currency_of_value="USD",
            Status="Open",
            Deal_created="2024-05-10 09:00:00",
        ),
        named(
            "Deal",
            ID=4,
            Title="Bolts",
            Organization="North Mill",
            Value="5",
            Currency_of_value="EUR",
            Status="Deleted",
            Deal_created="2024-05-10 09:00:00",
        ),
        named(
            "Deal",
            ID=5,
            Title="Nobody's",
            Organization="",
            Value="5",
            Currency_of_value="EUR",
            Status="Open",
            Deal_created="2024-05-10 09:00:00",
        ),
    ],
    "activities.csv": [
        activity(1, "Call", "Done", "2024-03-05", "14:00", Duration="00:15", Deal="Rollers", Contact_person="Ada Birk"),
        activity(2, "Email", "Done", "2024-03-02", "11:00", Organization="North Mill"),
        activity(
            3,
            "Meeting",
            "Done",
            "2024-04-02",
            "09:00",
            Duration="01:00",
            Organization="South Works",
            Contact_person="Bo Lind",
        ),
        activity(4, "Lunch", "To do", "2025-04-02", "12:00", Organization="South Works"),
        activity(5, "Task", "Done", "2024-03-20", "", Deal="Rollers", Marked_as_done_time="2024-03-18 16:00:00"),
        activity(6, "Call", "To do", "2025-03-20", "", Deal="More rollers"),
        activity(7, "Site visit", "Done", "2024-03-21", "", Organization="North Mill"),
    ],
}


def test_lists_become_a_history(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", FILES), UTC_EXPORT)
    assert [(one.file, one.row, one.column) for one in found.rejects] == [("deals.csv", 5, "account_id")]
    assert kinds(found) == [
        ("1", "call", ""),
        ("1", "commitment", "kept"),
        ("1", "commitment", "open"),
        ("1", "message", ""),
        ("2", "meeting", ""),
        ("2", "meeting", "held"),
    ]
    assert found.counts["activities of types of your own, which [crm] types can tell"] == 1
    told = history(found, tmp_path)
    assert touches(told) == [
        ("1", seconds(2024, 3, 1, 8), "us"),
        ("1", seconds(2024, 3, 1, 8), "us"),
        ("1", seconds(2024, 3, 2, 11), "us"),
        ("1", seconds(2024, 3, 5, 14), "us"),
        ("2", seconds(2024, 4, 2, 9), "both"),
    ]
    call = next(row for row in rows_of(found, "interactions") if row["kind"] == "call")
    assert (call["minutes"], call["contact_id"]) == ("15", "1")


def test_deals(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", FILES), UTC_EXPORT)
    won, lost, still_open = rows_of(found, "deals")
    assert won == {
        "deal_id": "1",
        "account_id": "1",
        "outcome": "won",
        "amount": "12000.5",
        "opened_at": "2024-01-10T09:00:00Z",
        "recorded_at": "2024-01-10T09:00:00Z",
        "updated_at": "2025-01-01T00:00:00Z",
        "closed_at": "2024-03-10T15:00:00Z",
        "outcome_recorded_at": "2024-03-10T15:00:00Z",
        "ends_on": "2025-03-31T00:00:00Z",
        "x_solution": "Hosting",
    }
    assert (lost["outcome"], lost["lost_reason"]) == ("lost", "competitor")
    assert "amount" not in still_open  # in another currency than most
    assert found.counts["amounts in other currencies than EUR"] == 1
    assert found.counts["deleted deals"] == 1
    dollars = rows_of(read(tmp_path / "export", {**UTC_EXPORT, "currency": "usd"}), "deals")
    assert ["amount" in row for row in dollars] == [False, False, True]


def test_own_types_can_be_declared(tmp_path: Path) -> None:
    folder = export(tmp_path / "export", FILES)
    found = read(folder, {**UTC_EXPORT, "types": {"Site visit": "meeting"}})
    assert ("1", "meeting", "held") in kinds(found)


def test_columns_without_the_name_of_the_object(tmp_path: Path) -> None:
    plain = {
        name: [{column.split(" - ", 1)[1]: value for column, value in row.items()} for row in rows]
        for name, rows in FILES.items()
    }
    with_prefix = read(export(tmp_path / "with", FILES), UTC_EXPORT)
    without = read(export(tmp_path / "without", plain), UTC_EXPORT)
    for table in ("accounts", "contacts", "deals", "interactions"):
        assert rows_of(without, table) == rows_of(with_prefix, table)


def test_two_organisations_of_one_name_cannot_be_told_apart(tmp_path: Path) -> None:
    twice = [*FILES["organizations.csv"], {**FILES["organizations.csv"][0], "Organization - ID": 9}]
    found = read(export(tmp_path / "export", {**FILES, "organizations.csv": twice}), UTC_EXPORT)
    assert {row["account_id"] for row in rows_of(found, "deals")} == {"2"}
    wrong = next(one for one in found.rejects if one.file == "deals.csv")
    assert (wrong.column, wrong.value) == ("account_id", "North Mill")
    assert "'North Mill' is the name of several" in wrong.allowed


def test_a_template_for_imports_is_no_export(tmp_path: Path) -> None:
    header = (
        "Person - Name*,Person - Email (Work),Organization - Name*,Deal - Title,Activity - Subject*,Note - Content*\n"
    )
    with pytest.raises(SourceError, match="holds no export of"):
        read(export(tmp_path / "export", {"sample.csv": header}))
