"""Odoo: exported lists with technical names and with labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.sources.crm.reading import read
from features.sources.readers import SourceError
from tests.features.crm_exports import Row, export, history, kinds, rows_of, seconds, touches

NORTH, SOUTH = "__export__.res_partner_7_a1", "__export__.res_partner_8_b2"
ADA, BO = "__export__.res_partner_9_c3", "__export__.res_partner_10_d4"
US, KIM = "base.main_partner", "__export__.res_partner_3_e5"
BERLIN = {"time_zone": "Europe/Berlin"}


def stamped(created: str, **fields: object) -> Row:
    return {**fields, "create_date": created, "write_date": "2024-06-01 10:00:00"}


def partner(one: str, name: str, parent: str = "", company: bool = False, **fields: object) -> Row:
    row = stamped("2023-01-05 09:00:00", id=one, name=name, is_company=company)
    return {**row, "parent_id/id": parent, "country_id": "Norway", **fields}


FILES: dict[str, list[Row]] = {
    "res.partner.csv": [
        partner(US, "Our Company", company=True),
        partner(KIM, "Kim Ode", US, email="kim@ours.example"),
        partner(NORTH, "North Mill", company=True, x_studio_tier="gold"),
        partner(ADA, "Ada Birk", NORTH, email="ada@north.example"),
        partner(SOUTH, "South Works", company=True, x_studio_tier="tin"),
        partner(BO, "Bo Lind", SOUTH, email="bo@south.example"),
    ],
    "crm.lead.csv": [
        {
            **stamped(
                "2024-01-10 10:00:00", id="l1", name="Rollers", type="opportunity", probability="100.0", active=True
            ),
            "partner_id/id": ADA,
            "stage_id": "Won",
            "stage_id/is_won": True,
            "expected_revenue": "12000.5",
            "date_closed": "2024-03-10 16:00:00",
            "x_contract_end": "2025-03-31",
        },
        {
            **stamped(
                "2024-02-10 10:00:00", id="l2", name="Beams", type="opportunity", probability="0.0", active=False
            ),
            "partner_id/id": SOUTH,
            "stage_id": "Proposition",
            "stage_id/is_won": False,
            "expected_revenue": "900.0",
            "date_closed": "2024-04-20 16:00:00",
            "lost_reason_id": "Too expensive",
        },
        {
            **stamped(
                "2024-05-10 10:00:00", id="l3", name="More rollers", type="opportunity", probability="30.0", active=True
            ),
            "partner_id/id": NORTH,
            "stage_id": "New",
            "stage_id/is_won": False,
            "expected_revenue": "0.0",
            "date_closed": "",
        },
        {
            **stamped("2024-05-10 10:00:00", id="l4", name="Who?", type="lead", probability="10.0", active=True),
            "partner_id/id": "",
            "stage_id": "",
            "stage_id/is_won": False,
        },
        {
            **stamped("2024-05-10 10:00:00", id="l5", name="Old", type="opportunity", probability="30.0", active=False),
            "partner_id/id": NORTH,
            "stage_id": "New",
            "stage_id/is_won": False,
        },
    ],
    "helpdesk.ticket.csv": [
        {
            **stamped(
                "2024-05-02 09:30:00",
                id="h1",
                name="Late",
                ticket_type_id="Issue",
                priority="2",
                close_date="2024-05-04 14:00:00",
            ),
            "partner_id/id": ADA,
        },
        {
            **stamped(
                "2024-05-06 09:30:00", id="h2", name="How?", ticket_type_id="Question", priority="0", close_date=""
            ),
            "partner_id/id": BO,
        },
    ],
    "calendar.event.csv": [
        {
            **stamped(
                "2024-03-20 11:00:00",
                id="e1",
                name="Meeting",
                start="2024-04-02 11:00:00",
                stop="2024-04-02 12:00:00",
                allday=False,
            ),
            "partner_ids/id": f"{KIM},{BO}",
            "opportunity_id/id": "",
        },
        {
            **stamped(
                "2024-03-20 11:00:00",
                id="e2",
                name="Among us",
                start="2024-04-03 11:00:00",
                stop="2024-04-03 12:00:00",
                allday=False,
            ),
            "partner_ids/id": KIM,
            "opportunity_id/id": "",
        },
    ],
    "mail.message.csv": [
        {
            **stamped(
                "2024-03-01 11:00:00",
                id="m1",
                message_type="email",
                subtype_id="Discussions",
                date="2024-03-01 11:00:00",
            ),
            "author_id/id": ADA,
            "record_name": "Rollers",
            "email_from": "Ada Birk <ada@north.example>",
        },
        {
            **stamped(
                "2024-03-02 12:00:00",
                id="m2",
                message_type="comment",
                subtype_id="Discussions",
                date="2024-03-02 12:00:00",
            ),
            "author_id/id": KIM,
            "record_name": "Rollers",
            "email_from": "kim@ours.example",
        },
        {
            **stamped(
                "2024-03-02 12:00:01", id="m3", message_type="comment", subtype_id="Note", date="2024-03-02 12:00:01"
            ),
            "author_id/id": KIM,
            "record_name": "Rollers",
        },
        {
            **stamped(
                "2024-03-02 12:00:01",
                id="m4",
                message_type="notification",
                subtype_id="Stage Changed",
                date="2024-03-02 12:00:01",
            ),
            "author_id/id": KIM,
            "record_name": "Rollers",
        },
    ],
    "mail.activity.csv": [
        stamped(
            "2024-03-11 15:20:00",
            id="a1",
            activity_type_id="To-Do",
            date_deadline="2024-03-20",
            res_name="Rollers",
            active=False,
            date_done="2024-03-18",
        ),
        stamped(
            "2024-05-11 15:20:00",
            id="a2",
            activity_type_id="To-Do",
            date_deadline="2024-07-20",
            res_name="North Mill",
            active=True,
            date_done="",
        ),
    ],
}


def test_lists_with_technical_names_become_a_history(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", FILES), BERLIN)
    assert found.rejects == []
    assert kinds(found) == [
        (NORTH, "commitment", "kept"),
        (NORTH, "commitment", "open"),
        (NORTH, "message", ""),
        (NORTH, "message", ""),
        (NORTH, "mistake", ""),
        (SOUTH, "meeting", "held"),
        (SOUTH, "request", "open"),
    ]
    assert found.counts["notes and notices of the system"] == 2
    assert found.counts["records of our own company"] == 3  # ourselves, Kim, and the meeting among us
    told = history(found, tmp_path)
    assert touches(told) == [
        (NORTH, seconds(2024, 3, 1, 10), "client"),
        (NORTH, seconds(2024, 3, 2, 11), "us"),
        (NORTH, seconds(2024, 3, 11, 14, 20), "us"),
        (NORTH, seconds(2024, 5, 11, 13, 20), "us"),
        (SOUTH, seconds(2024, 4, 2, 9), "both"),
        (SOUTH, seconds(2024, 5, 6, 7, 30), "client"),
    ]
    meeting = next(row for row in rows_of(found, "interactions") if row["kind"] == "meeting")
    assert (meeting["contact_id"], meeting["minutes"]) == (BO, "60")
    kept = next(row for row in rows_of(found, "interactions") if row.get("outcome") == "kept")
    assert (kept["resolved_at"], kept["outcome_recorded_at"]) == ("2024-03-18T00:00:00Z", "2024-03-18T23:59:59Z")


def test_deals_end_by_stage_and_archive(tmp_path: Path) -> None:
    found = read(export(tmp_path / "export", FILES), BERLIN)
    won, lost, still_open = rows_of(found, "deals")
    assert (won["account_id"], won["outcome"], won["closed_at"]) == (NORTH, "won", "2024-03-10T15:00:00Z")
    assert won["ends_on"] == "2025-03-31T00:00:00Z"
    assert (lost["outcome"], lost["lost_reason"]) == ("lost", "price")
    assert (still_open["outcome"], still_open["amount"]) == ("open", "0")
    assert found.counts["leads that are no opportunities yet"] == 1
    assert found.counts["archived opportunities that were not lost"] == 1


def test_the_time_zone_must_be_declared(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"do not tell their time zone; declare that of the export: \[crm\] time_zone"
    ):
        read(export(tmp_path / "export", FILES))


def test_lists_with_labels_refer_by_name(tmp_path: Path) -> None:
    partners: list[Row] = [
        {
            "ID": 7,
            "Name": "North Mill",
            "Is a Company": True,
            "Related Company": "",
            "Created on": "2023-01-05 09:00:00",
        },
        {
            "ID": 9,
            "Name": "Ada Birk",
            "Is a Company": False,
            "Related Company": "North Mill",
            "Created on": "2023-01-06 09:00:00",
        },
    ]
    leads: list[Row] = [
        {
            "ID": 1,
            "Opportunity": "Rollers",
            "Customer": "North Mill, Ada Birk",
            "Stage": "Won",
            "Expected Revenue": "1,200.50",
            "Closed Date": "2024-03-10 16:00:00",
            "Created on": "2024-01-10 10:00:00",
        },
        {
            "ID": 2,
            "Opportunity": "Beams",
            "Customer": "Stone, Sons",
            "Stage": "Qualified",
            "Expected Revenue": "",
            "Closed Date": "",
            "Created on": "2024-01-10 10:00:00",
        },
    ]
    found = read(export(tmp_path / "export", {"partners.csv": partners, "pipeline.csv": leads}), BERLIN)
    won = rows_of(found, "deals")[0]
    assert (won["account_id"], won["outcome"], won["amount"]) == ("7", "won", "1200.5")
    assert [(one.column, one.value) for one in found.rejects] == [("regarding", "Stone, Sons")]
