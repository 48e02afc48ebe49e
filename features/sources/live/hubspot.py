"""HubSpot: objects of the CRM API v3, as its answers hold them, with what they are associated with.

Sources: developers.hubspot.com, "Search the CRM" (at most 10,000 records of one search, therefore in the order of ids
and on from the last one), "Properties", "Associations" (v4, batch read) and the lists of archived objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

from features.sources.crm.definitions import Object, folded
from features.sources.live.connection import Account, Connection, account
from features.sources.live.records import Ahead, Chunk, Record, wanted

ADDRESS = "https://api.hubapi.com"
KINDS: Mapping[str, str] = {
    "companies": "company",
    "contacts": "contact",
    "deals": "deal",
    "tickets": "ticket",
    **dict.fromkeys(("emails", "calls", "meetings", "tasks", "communications"), "engagement"),
}
"""What the API calls each kind of record, and which object of the data file it is."""
ID = "id"

_PAGE = 100
_PAGES = 20
"""Pages of one search; the API gives 100 at most."""
_LONG_TEXTS = ("textarea", "html", "file")
_RELATED = ("companies", "contacts", "deals", "tickets")


def hubspot_account(environment: Mapping[str, str]) -> Account:
    """The account that the environment describes."""
    return account("hubspot", environment, ADDRESS, "/oauth/v1/token", needs_refresh=True)


def chunks(connection: Connection, kind: str, one: Object, ahead: Ahead) -> Iterator[Chunk]:
    """The next records of a kind, page by page, each with what lies ahead after it."""
    if not ahead.archived:
        for chunk in _changed(connection, kind, one, ahead):
            ahead = chunk.ahead
            yield chunk
    if ahead.archived:
        yield from _archived(connection, kind, ahead)


def _changed(connection: Connection, kind: str, one: Object, ahead: Ahead) -> Iterator[Chunk]:
    """Records in the order of their ids."""
    names = _properties(connection, kind, one)
    related = [other for other in _RELATED if folded(f"associations.{other}") in one.needed]
    filters = [{"propertyName": "hs_object_id", "operator": "GT", "value": ahead.after or "0"}]
    if ahead.since is not None:
        changed = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
        filters.append({"propertyName": changed, "operator": "GTE", "value": str(ahead.since * 1000)})
    body = {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": names,
        "limit": _PAGE,
    }
    paging = JSONResponseCursorPaginator(cursor_path="paging.next.after", cursor_body_path="after")
    pages = connection.pages(f"/crm/v3/objects/{kind}/search", "results", paging, body)
    for number, page in enumerate(pages, start=1):
        records: list[Record] = list(page)
        _associate(connection, kind, related, records)
        more = bool(records) and paging.has_next_page
        yield Chunk(records, ahead.on(records[-1][ID]) if more else ahead.to_archived())
        if number == _PAGES:
            return


def _properties(connection: Connection, kind: str, one: Object) -> list[str]:
    """The names of the properties that matter: those that the data file names, and custom ones."""
    answer = connection.get(f"/crm/v3/properties/{kind}")
    return [each["name"] for each in answer["results"] if wanted(one, each["name"]) or _own(each)]


def _own(told: Mapping[str, Any]) -> bool:
    """Whether a property is a custom one, other than a long text."""
    standard = told.get("hubspotDefined", told["name"].startswith("hs_"))
    return not standard and told.get("fieldType") not in _LONG_TEXTS


def _associate(connection: Connection, kind: str, related: list[str], records: list[Record]) -> None:
    """Add to records what they are associated with, in the form of the objects API; the primary ones are not marked."""
    by_id = {record[ID]: record for record in records}
    for other in related if records else ():
        if other == kind:
            continue
        inputs = {"inputs": [{"id": one} for one in by_id]}
        answer = connection.post(f"/crm/v4/associations/{kind}/{other}/batch/read", inputs)
        for found in answer.get("results", []):
            linked = [
                {"id": str(to["toObjectId"]), "type": f"{kind}_to_{other}{'' if _primary(to) else '_unlabeled'}"}
                for to in found.get("to", [])
            ]
            by_id[str(found["from"]["id"])].setdefault("associations", {})[other] = {"results": linked}


def _primary(link: Mapping[str, Any]) -> bool:
    return any(str(one.get("label")).casefold() == "primary" for one in link.get("associationTypes", []))


def _archived(connection: Connection, kind: str, ahead: Ahead) -> Iterator[Chunk]:
    """Records archived since the last pull; they are listed without order."""
    paging = JSONResponseCursorPaginator(cursor_path="paging.next.after", cursor_param="after")
    pages = connection.pages(f"/crm/v3/objects/{kind}", "results", paging, archived="true", limit=str(_PAGE))
    for page in pages:
        more = paging.has_next_page
        yield Chunk([record for record in page if _late(record, ahead.since)], ahead if more else ahead.done())


def _late(record: Record, since: int | None) -> bool:
    said = record.get("archivedAt")
    return since is None or not said or datetime.fromisoformat(said).timestamp() >= since
