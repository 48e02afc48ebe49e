"""Pulls from HubSpot, against a server on this machine that answers as HubSpot does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

from features.sources.crm import reading as crm
from features.sources.crm.definitions import crms
from features.sources.gathering import gather
from features.sources.live import Patience, Pulled, hubspot, pull
from features.sources.live.connection import Connection
from features.sources.live.records import Ahead
from features.sources.readers import SourceError
from tests.features.crm_servers import NOW, Answer, Asked, HubSpot, running

SECRET = "first-token"
EARLY, LATE = "2024-06-01T08:00:00Z", "2024-06-20T08:00:00Z"


def record(one: int, properties: dict[str, Any], changed: str = EARLY) -> dict[str, Any]:
    return {
        "id": str(one),
        "properties": {"hs_object_id": str(one), **properties},
        "createdAt": EARLY,
        "updatedAt": changed,
        "archived": False,
    }


def deal(one: int, stage: str = "appointmentscheduled", changed: str = EARLY) -> dict[str, Any]:
    told = {"dealname": f"Deal {one}", "dealstage": stage, "amount": "1000", "createdate": EARLY, "closedate": None}
    return record(
        one, {**told, "hs_lastmodifieddate": changed, "description": "secret words", "region": "North"}, changed
    )


def portal() -> HubSpot:
    """Two companies, a contact, five deals, a mail, and a company that was deleted."""
    companies = [
        record(n, {"name": name, "domain": "acme.example", "hs_lastmodifieddate": EARLY})
        for n, name in ((1, "Acme"), (2, "Bolt"))
    ]
    contact = {"firstname": "Ann", "lastname": "Berg", "email": "ann@acme.example", "lastmodifieddate": EARLY}
    mail = {
        "hs_email_direction": "INCOMING_EMAIL",
        "hs_timestamp": EARLY,
        "hs_lastmodifieddate": EARLY,
        "hs_email_text": "private",
        "hs_createdate": EARLY,
    }
    server = HubSpot(
        records={
            "companies": companies,
            "contacts": [record(10, contact)],
            "deals": [deal(n) for n in (20, 21, 22, 23, 24)],
            "emails": [record(30, mail)],
        },
        links={
            ("contacts", "10", "companies"): [("2", None), ("1", "Primary")],
            ("emails", "30", "contacts"): [("10", None)],
            **{("deals", str(n), "companies"): [("1", None)] for n in (20, 21, 22, 23, 24)},
        },
        archived={"companies": [{**record(3, {"name": "Gone"}), "archived": True, "archivedAt": EARLY}]},
        own={
            "deals": [
                {"name": "region", "hubspotDefined": False, "fieldType": "text"},
                {"name": "story", "hubspotDefined": False, "fieldType": "textarea"},
            ]
        },
    )
    return server


@pytest.fixture
def server() -> Iterator[HubSpot]:
    made = portal()
    with running(made) as made.address:
        yield made


QUICK = Patience(attempts=3, longest=2.0, factor=0.01)


def pulled(server: HubSpot, folder: Path, **environment: str) -> Pulled:
    given = {"RAPPORT_HUBSPOT_URL": server.address, **(environment or {"RAPPORT_HUBSPOT_TOKEN": SECRET})}
    return pull("hubspot", folder, given, patience=QUICK)


def asking(server: HubSpot, **environment: str) -> Connection:
    """What a pull asks with."""
    given = {"RAPPORT_HUBSPOT_URL": server.address, **(environment or {"RAPPORT_HUBSPOT_TOKEN": SECRET})}
    return Connection(hubspot.hubspot_account(given), QUICK)


def lines(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """The records of a file by id."""
    found = [json.loads(line) for line in (folder / f"hubspot-{kind}.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({one["id"] for one in found}) == len(found)
    return {one["id"]: one for one in found}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[HubSpot, Path, Pulled]:
    """A server that has been asked once, and what came of it."""
    made, folder = portal(), tmp_path_factory.mktemp("hubspot")
    with running(made) as made.address:
        return made, folder, pulled(made, folder)


def test_what_is_pulled_is_read_by_the_import(first: tuple[HubSpot, Path, Pulled]) -> None:
    _, folder, done = first
    assert done.counts == {"companies": 3, "contacts": 1, "deals": 5, "emails": 1}
    assert done.notes == ()
    found = crm.read(folder)
    accounts = found.tables["accounts"].to_pylist()
    assert [(row["account_id"], row["name"]) for row in accounts] == [("1", "Acme"), ("2", "Bolt")]
    (contact,) = found.tables["contacts"].to_pylist()
    assert (contact["contact_id"], contact["account_id"], contact["name"]) == ("10", "1", "Ann Berg")
    deals = found.tables["deals"].to_pylist()
    assert [(row["deal_id"], row["account_id"], row["x_region"]) for row in deals] == [
        (str(n), "1", "North") for n in (20, 21, 22, 23, 24)
    ]
    (mail,) = found.tables["interactions"].to_pylist()
    assert (mail["account_id"], mail["contact_id"], mail["actor"], mail["kind"]) == ("1", "10", "client", "message")
    assert found.counts["deleted or archived records"] == 1
    gathered = gather([folder])
    assert {name: len(rows) for name, rows in gathered.rows.items() if len(rows)} == {
        name: len(rows) for name, rows in found.tables.items()
    }
    assert not found.rejects


def test_only_fields_that_matter_are_asked_for(first: tuple[HubSpot, Path, Pulled]) -> None:
    server = first[0]
    for asked in server.paths("/search"):
        assert not {"description", "hs_email_text", "story"} & set(asked.given["properties"])
    assert {"region", "dealstage", "amount"} <= set(server.paths("/deals/search")[0].given["properties"])


def test_a_second_pull_asks_only_for_what_is_newer(server: HubSpot, tmp_path: Path) -> None:
    pulled(server, tmp_path)
    server.asked.clear()
    server.now = NOW + timedelta(days=1)
    server.records["deals"][1] = deal(21, "closedwon", "2024-07-01T15:00:00Z")
    server.records["deals"].append(deal(25, changed="2024-07-01T16:00:00Z"))
    done = pulled(server, tmp_path)
    assert done.counts == {"deals": 2}
    since = str(int((NOW - timedelta(minutes=10)).timestamp() * 1000))
    for asked in server.paths("/search"):
        assert since in [one["value"] for one in asked.given["filterGroups"][0]["filters"]]
    deals = lines(tmp_path, "deals")
    assert sorted(deals) == ["20", "21", "22", "23", "24", "25"]
    assert [deals[one]["properties"]["dealstage"] for one in ("20", "21")] == ["appointmentscheduled", "closedwon"]


def test_a_record_deleted_since_is_marked_so(server: HubSpot, tmp_path: Path) -> None:
    pulled(server, tmp_path)
    gone = server.records["deals"].pop(0)
    server.archived["deals"] = [{**gone, "archived": True, "archivedAt": "2024-07-01T15:00:00Z"}]
    assert pulled(server, tmp_path).counts == {"deals": 1}
    assert lines(tmp_path, "deals")["20"]["archived"] is True
    assert [row["deal_id"] for row in crm.read(tmp_path).tables["deals"].to_pylist()] == ["21", "22", "23", "24"]


def test_an_interrupted_pull_goes_on_where_it_stopped(
    server: HubSpot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubspot, "_PAGES", 1)

    def broken(asked: Asked) -> Answer | None:
        filters = asked.given.get("filterGroups", [{"filters": []}])[0]["filters"]
        down = asked.path.endswith("/deals/search") and filters[0]["value"] == "23"
        return (503, {"message": "down"}, {}) if down else None

    server.before = broken
    with pytest.raises(SourceError, match=r"fails again and again .*a later pull goes on"):
        pulled(server, tmp_path)
    assert not (tmp_path / "hubspot-deals.jsonl").exists()
    server.asked.clear()
    server.before = lambda asked: None
    assert pulled(server, tmp_path).counts["deals"] == 5
    firsts = [one.given["filterGroups"][0]["filters"][0]["value"] for one in server.paths("/deals/search")]
    assert firsts == ["23"]
    assert sorted(lines(tmp_path, "deals")) == ["20", "21", "22", "23", "24"]


def test_what_was_asked_for_but_not_kept_yet_is_kept_by_the_next_pull(
    server: HubSpot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.sources.live import pulling

    with monkeypatch.context() as context:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        context.setattr(pulling, "add_batch", full)
        with pytest.raises(OSError, match="No space left"):
            pulled(server, tmp_path)
    server.asked.clear()
    pulled(server, tmp_path)
    assert sorted(lines(tmp_path, "companies")) == ["1", "2", "3"]
    assert sorted(lines(tmp_path, "deals")) == ["20", "21", "22", "23", "24"]
    assert crm.read(tmp_path).counts["company records read"] == 3


def test_many_requests_are_answered_when_it_is_time(server: HubSpot) -> None:
    refused: list[Asked] = []

    def busy(asked: Asked) -> Answer | None:
        if len(refused) < 2:
            refused.append(asked)
            told = {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING", "message": "wait"}
            return 429, told, {"Retry-After": "1"}
        return None

    server.before = busy
    assert asking(server).get("/crm/v3/properties/deals")["results"]
    one, two, three = server.asked
    assert two.at - one.at >= 1
    assert three.at - two.at >= 1


def test_a_limit_that_lasts_longer_is_told(server: HubSpot, tmp_path: Path) -> None:
    server.before = lambda asked: (429, {"policyName": "DAILY", "message": "You have reached your daily limit"}, {})
    with pytest.raises(SourceError, match=r"allows no more requests for now \(DAILY: You have .*later pull goes on"):
        pulled(server, tmp_path)
    assert len(server.asked) == QUICK.attempts


def test_an_expired_token_is_told_with_what_to_set(server: HubSpot, tmp_path: Path) -> None:
    server.tokens = set()
    with pytest.raises(
        SourceError, match=r"does not accept the token \(expired or revoked\): set RAPPORT_HUBSPOT_TOKEN, or RAPPORT"
    ) as told:
        pulled(server, tmp_path)
    assert SECRET not in str(told.value)
    assert len(server.asked) == 1


CLIENT = {
    "RAPPORT_HUBSPOT_CLIENT_ID": "client-7",
    "RAPPORT_HUBSPOT_CLIENT_SECRET": "hidden-words",
    "RAPPORT_HUBSPOT_REFRESH_TOKEN": "refresh-9",
}


def test_an_expired_token_is_renewed(server: HubSpot) -> None:
    given: list[str] = []

    def renew(asked: Asked) -> Answer | None:
        if asked.path == "/oauth/v1/token":
            assert asked.given == {
                "grant_type": "refresh_token",
                "client_id": "client-7",
                "client_secret": "hidden-words",
                "refresh_token": "refresh-9",
            }
            given.append(f"token-{len(given)}")
            server.tokens = {given[-1]}
            return 200, {"access_token": given[-1], "expires_in": 1800, "token_type": "bearer"}, {}
        return None

    server.before = renew
    connection = asking(server, **CLIENT)
    for _ in range(2):
        assert connection.get("/crm/v3/properties/deals")["results"]
    server.tokens = set()  # as after half an hour
    one = next(one for one in crms() if one.name == "HubSpot").object("deal")
    found = [record["id"] for chunk in hubspot.chunks(connection, "deals", one, Ahead()) for record in chunk.records]
    assert found == ["20", "21", "22", "23", "24"]
    server.tokens = set()
    paging = JSONResponseCursorPaginator(cursor_path="paging.next.after", cursor_param="after")
    assert list(connection.pages("/crm/v3/objects/companies", "results", paging, archived="true"))
    assert given == ["token-0", "token-1", "token-2"]


def test_a_refresh_token_that_is_not_accepted_is_told(server: HubSpot, tmp_path: Path) -> None:
    server.before = lambda asked: (
        400,
        {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"},
        {},
    )
    with pytest.raises(SourceError, match=r"gives no token \(missing or invalid refresh token\): set RAPPORT_HUBSPOT"):
        pulled(server, tmp_path, **CLIENT)


def test_a_new_token_that_is_not_accepted_either_is_told(server: HubSpot, tmp_path: Path) -> None:
    def useless(asked: Asked) -> Answer | None:
        return (200, {"access_token": "useless", "expires_in": 1800}, {}) if "token" in asked.path else None

    server.before = useless
    with pytest.raises(SourceError, match="does not accept the token"):
        pulled(server, tmp_path, **CLIENT)
    assert len(server.paths("/oauth/v1/token")) == 2


def test_what_the_token_may_not_read_is_left_out_and_told(server: HubSpot, tmp_path: Path) -> None:
    def scoped(asked: Asked) -> Answer | None:
        told = {"status": "error", "category": "MISSING_SCOPES", "message": "requires crm.objects.deals.read"}
        return (403, told, {}) if "objects/deals" in asked.path else None

    server.before = scoped
    done = pulled(server, tmp_path)
    assert done.counts == {"companies": 3, "contacts": 1, "emails": 1}
    assert done.notes == (
        "deals: left out: hubspot does not let the token read /crm/v3/objects/deals/search "
        "(requires crm.objects.deals.read)",
    )


def test_secrets_are_written_nowhere(
    server: HubSpot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    home, here, into = tmp_path / "home", tmp_path / "here", tmp_path / "into"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    server.before = lambda asked: (
        (200, {"access_token": SECRET, "expires_in": 1800}, {}) if asked.path == "/oauth/v1/token" else None
    )
    pulled(server, into, **CLIENT)
    server.before = lambda asked: (500, {"message": "down"}, {})
    with pytest.raises(SourceError):
        pulled(server, into, **CLIENT)
    assert not list(home.iterdir())
    assert not list(here.iterdir())
    written = b"".join(path.read_bytes() for path in into.rglob("*") if path.is_file())
    told = "".join(capfd.readouterr())
    for secret in (SECRET, "hidden-words", "refresh-9"):
        assert secret.encode() not in written
        assert secret not in told
    assert not list(into.rglob("*.pickle"))


def test_nothing_is_told_to_others() -> None:
    from dlt.common.runtime import anon_tracker

    assert anon_tracker._ANON_TRACKER_ENDPOINT is None


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "nothing says who asks hubspot: set RAPPORT_HUBSPOT_TOKEN, or RAPPORT_HUBSPOT_CLIENT_ID, "),
        ({"RAPPORT_HUBSPOT_CLIENT_ID": "x", "RAPPORT_HUBSPOT_CLIENT_SECRET": "y"}, "nothing says who asks"),
        ({"RAPPORT_HUBSPOT_TOKEN": "x", "RAPPORT_HUBSPOT_URL": "http://api.example"}, "must begin with https://"),
        ({"RAPPORT_HUBSPOT_TOKEN": "x", "RAPPORT_HUBSPOT_URL": "ftp://localhost"}, "must begin with https://"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_asked(
    environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=message):
        pull("hubspot", tmp_path / "into", environment)
    assert not (tmp_path / "into").exists()


def test_certificates_are_checked(tmp_path: Path) -> None:
    account = hubspot.hubspot_account({"RAPPORT_HUBSPOT_TOKEN": "x"})
    assert account.address == "https://api.hubapi.com"
    assert Connection(account, QUICK)._client.session.verify is True


def test_a_crm_that_is_not_there_is_told(tmp_path: Path) -> None:
    environment = {"RAPPORT_HUBSPOT_TOKEN": SECRET, "RAPPORT_HUBSPOT_URL": "http://127.0.0.1:9"}
    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        pull("hubspot", tmp_path, environment, patience=QUICK)


def test_one_folder_holds_one_crm(first: tuple[HubSpot, Path, Pulled], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds what was pulled from hubspot; name another folder"):
        pull("salesforce", first[1], {"RAPPORT_SALESFORCE_URL": "https://x.example", "RAPPORT_SALESFORCE_TOKEN": "x"})
    with pytest.raises(SourceError, match="'odoo' cannot be pulled; hubspot and salesforce can"):
        pull("odoo", tmp_path)


def test_without_dlt_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in list(sys.modules):
        if name == "dlt" or name.startswith(("dlt.", "features.sources.live.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dlt", None)
    with pytest.raises(SourceError, match=r"pip install 'rapport\[crm\]'"):
        pull("hubspot", tmp_path, {"RAPPORT_HUBSPOT_TOKEN": "x"})


def test_the_command_pulls_and_says_what_comes_next(
    server: HubSpot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import rapport

    monkeypatch.setenv("RAPPORT_HUBSPOT_URL", server.address)
    monkeypatch.setenv("RAPPORT_HUBSPOT_TOKEN", SECRET)
    into = tmp_path / "hubspot"
    rapport.app(["pull", "hubspot", "--into", str(into)], standalone_mode=False)
    told = capsys.readouterr().err
    assert "deals: 5 new or changed" in told
    assert f"Next: rapport import {into}" in told
    assert sorted(lines(into, "companies")) == ["1", "2", "3"]
