"""Pulls from Salesforce, against a server on this machine that answers as Salesforce does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.sources.crm import reading as crm
from features.sources.gathering import gather
from features.sources.live import Patience, Pulled, pull, salesforce
from features.sources.live.connection import Connection
from features.sources.readers import SourceError
from tests.features.crm_servers import NOW, Answer, Asked, Salesforce, running

SECRET = "first-token"
EARLY, LATE = "2024-06-01T08:00:00.000+0000", "2024-07-01T15:00:00.000+0000"
QUICK = Patience(attempts=3, longest=2.0, factor=0.01)
CLIENT = {"RAPPORT_SALESFORCE_CLIENT_ID": "client-7", "RAPPORT_SALESFORCE_CLIENT_SECRET": "hidden-words"}


def record(one: str, **fields: Any) -> dict[str, Any]:
    told = {"Id": one, "IsDeleted": False, "CreatedDate": EARLY, "LastModifiedDate": EARLY, "SystemModstamp": EARLY}
    return {**told, **fields}


def account(number: int, **fields: Any) -> dict[str, Any]:
    told = {"Name": f"Client {number}", "Industry": None, "BillingCountry": None, "Description": "secret words"}
    return record(f"001xx000000000{number}AAA", **{**told, **fields})


def organisation() -> Salesforce:
    """Five accounts, one of them deleted, with a contact, a deal and a mail."""
    deal = {
        "AccountId": "001xx0000000001AAA",
        "Name": "Deal",
        "StageName": "Prospecting",
        "IsClosed": False,
        "IsWon": False,
    }
    mail = {
        "RelatedToId": "006xx0000000001AAA",
        "Incoming": True,
        "FromAddress": "ann@acme.example",
        "TextBody": "private",
    }
    return Salesforce(
        records={
            "Account": [account(n, Region__c=None, Story__c="long") for n in (1, 2, 3, 4)]
            + [account(5, IsDeleted=True)],
            "Contact": [
                record(
                    "003xx0000000001AAA",
                    AccountId="001xx0000000001AAA",
                    LastName="Berg",
                    Name="Ann Berg",
                    Email="ann@acme.example",
                )
            ],
            "Opportunity": [record("006xx0000000001AAA", CloseDate="2024-09-30", Amount=1000.5, **deal)],
            "EmailMessage": [
                record("02sxx0000000001AAA", MessageDate=EARLY, Status="1", ToAddress="bo@ours.example", **mail)
            ],
        },
        own={"Account": {"Region__c": "picklist", "Story__c": "textarea"}},
    )


@pytest.fixture
def server() -> Iterator[Salesforce]:
    made = organisation()
    with running(made) as made.address:
        yield made


def pulled(server: Salesforce, folder: Path, **environment: str) -> Pulled:
    given = {"RAPPORT_SALESFORCE_URL": server.address, **(environment or {"RAPPORT_SALESFORCE_TOKEN": SECRET})}
    return pull("salesforce", folder, given, patience=QUICK)


def asking(server: Salesforce, **environment: str) -> Connection:
    """What a pull asks with."""
    given = {"RAPPORT_SALESFORCE_URL": server.address, **(environment or {"RAPPORT_SALESFORCE_TOKEN": SECRET})}
    return Connection(salesforce.salesforce_account(given), QUICK)


def lines(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """The records of a file by id."""
    found = [
        json.loads(line) for line in (folder / f"salesforce-{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len({one["Id"] for one in found}) == len(found)
    return {one["Id"]: one for one in found}


def queries(server: Salesforce, kind: str) -> list[str]:
    return [one.given["q"] for one in server.paths("/queryAll") if f" FROM {kind} " in one.given["q"]]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Salesforce, Path, Pulled]:
    """A server that has been asked once, and what came of it."""
    made, folder = organisation(), tmp_path_factory.mktemp("salesforce")
    made.records["Account"][0]["Region__c"] = "North"
    with running(made) as made.address:
        return made, folder, pulled(made, folder)


def test_what_is_pulled_is_read_by_the_import(first: tuple[Salesforce, Path, Pulled]) -> None:
    _, folder, done = first
    assert done.counts == {"Account": 5, "Contact": 1, "Opportunity": 1, "EmailMessage": 1}
    assert [note.partition(":")[0] for note in done.notes] == ["Contract", "Case", "Event", "Task"]
    found = crm.read(folder)
    assert not found.rejects
    accounts = found.tables["accounts"].to_pylist()
    assert [row["name"] for row in accounts] == ["Client 1", "Client 2", "Client 3", "Client 4"]
    assert accounts[0]["x_Region__c" if "x_Region__c" in accounts[0] else "x_region"] == "North"
    (contact,) = found.tables["contacts"].to_pylist()
    assert (contact["name"], contact["account_id"]) == ("Ann Berg", accounts[0]["account_id"])
    (deal,) = found.tables["deals"].to_pylist()
    assert (deal["account_id"], float(deal["amount"]), deal["outcome"]) == (accounts[0]["account_id"], 1000.5, "open")
    (mail,) = found.tables["interactions"].to_pylist()
    assert (mail["account_id"], mail["actor"]) == (accounts[0]["account_id"], "client")
    assert found.counts["deleted or archived records"] == 1
    gathered = gather([folder])
    assert {name: len(rows) for name, rows in gathered.rows.items() if len(rows)} == {
        name: len(rows) for name, rows in found.tables.items()
    }


def test_pages_follow_one_another_and_only_fields_that_matter_are_asked_for(server: Salesforce, tmp_path: Path) -> None:
    pulled(server, tmp_path)
    assert len(server.paths("/query/0r8xx")) == 2
    assert all(name not in query for query in queries(server, "Account") for name in ("Description", "Story__c"))
    assert all("Region__c" in query for query in queries(server, "Account"))
    assert not [query for query in queries(server, "EmailMessage") if "TextBody" in query]


def test_a_second_pull_asks_only_for_what_is_newer(server: Salesforce, tmp_path: Path) -> None:
    pulled(server, tmp_path)
    server.asked.clear()
    server.now = NOW + timedelta(days=1)
    server.records["Account"][1] = account(2, Name="Renamed", SystemModstamp=LATE)
    server.records["Account"][2] = account(3, IsDeleted=True, SystemModstamp=LATE)
    assert pulled(server, tmp_path).counts == {"Account": 2}
    assert all("WHERE SystemModstamp >= 2024-07-01T11:50:00Z ORDER BY Id" in one for one in queries(server, "Contact"))
    found = lines(tmp_path, "Account")
    assert len(found) == 5
    assert found["001xx0000000002AAA"]["Name"] == "Renamed"
    names = {row["name"] for row in crm.read(tmp_path).tables["accounts"].to_pylist()}
    assert names == {"Client 1", "Renamed", "Client 4"}


def test_an_interrupted_pull_goes_on_where_it_stopped(
    server: Salesforce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(salesforce, "_PAGES", 1)
    server.before = lambda asked: (503, [], {}) if "Id > '001xx0000000004AAA'" in asked.given.get("q", "") else None
    with pytest.raises(SourceError, match="fails again and again"):
        pulled(server, tmp_path)
    server.asked.clear()
    server.before = lambda asked: None
    assert pulled(server, tmp_path).counts["Account"] == 5
    assert [query.partition(" WHERE ")[2] for query in queries(server, "Account")] == [
        "Id > '001xx0000000004AAA' ORDER BY Id"
    ]
    assert len(lines(tmp_path, "Account")) == 5


def test_too_many_requests_at_once_are_asked_again(server: Salesforce) -> None:
    refused: list[Asked] = []

    def busy(asked: Asked) -> Answer | None:
        if len(refused) < 2:
            refused.append(asked)
            told = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
            return 403, [{"message": told, "errorCode": "REQUEST_LIMIT_EXCEEDED"}], {}
        return None

    server.before = busy
    assert asking(server).get("/services/data/v60.0/sobjects/Account/describe")["fields"]
    assert len(server.asked) == 3


def test_the_limit_of_a_day_is_told(server: Salesforce, tmp_path: Path) -> None:
    told = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    server.before = lambda asked: (403, told, {})
    with pytest.raises(SourceError, match=r"no more requests for now \(REQUEST_LIMIT_EXCEEDED: TotalRequests Limit"):
        pulled(server, tmp_path)


def test_a_session_that_has_expired_is_told(server: Salesforce, tmp_path: Path) -> None:
    server.tokens = set()
    with pytest.raises(SourceError, match=r"does not accept the token \(expired or revoked\): set RAPPORT_SALESFORCE_"):
        pulled(server, tmp_path)


@pytest.mark.parametrize("refresh", ["", "refresh-9"])
def test_a_client_obtains_its_token_and_another_when_it_expires(server: Salesforce, refresh: str) -> None:
    given: list[str] = []
    expected = {"client_id": "client-7", "client_secret": "hidden-words", "grant_type": "client_credentials"}
    if refresh:
        expected |= {"grant_type": "refresh_token", "refresh_token": refresh}

    def login(asked: Asked) -> Answer | None:
        if asked.path == "/services/oauth2/token":
            assert asked.given == expected
            given.append(f"session-{len(given)}")
            server.tokens = {given[-1]}
            return 200, {"access_token": given[-1], "instance_url": "https://elsewhere.example"}, {}
        return None

    server.before = login
    environment = CLIENT | ({"RAPPORT_SALESFORCE_REFRESH_TOKEN": refresh} if refresh else {})
    connection = asking(server, **environment)
    assert connection.get("/services/data/v60.0/sobjects/Account/describe")["fields"]
    server.tokens = set()
    assert connection.get("/services/data/v60.0/sobjects/Account/describe")["fields"]
    assert given == ["session-0", "session-1"]
    assert {one.token for one in server.asked} == {"", "session-0", "session-1"}


def test_the_address_must_be_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"RAPPORT_SALESFORCE_URL is not set; it is the address such as https://ours"):
        pull("salesforce", tmp_path, {"RAPPORT_SALESFORCE_TOKEN": SECRET})
    with pytest.raises(SourceError, match=r"nothing says who asks salesforce: set RAPPORT_SALESFORCE_TOKEN, or "):
        pull("salesforce", tmp_path, {"RAPPORT_SALESFORCE_URL": "https://ours.my.salesforce.com"})


def test_more_own_fields_than_a_query_holds_are_left_out(
    server: Salesforce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(salesforce, "_LONGEST_QUERY", 300)
    server.own["Account"] = {f"Own_{n:03}__c": "string" for n in range(100)}
    done = pulled(server, tmp_path)
    assert all(len(query) < 500 for query in queries(server, "Account"))
    assert done.counts["Account"] == 5
