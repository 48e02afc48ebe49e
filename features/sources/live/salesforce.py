"""Salesforce: records of the REST API's query resource, whose fields are named as in its exports.

Sources: developer.salesforce.com, "Query" and "QueryAll" (which tells of deleted and archived records, too), "sObject
Describe", "OAuth 2.0 Client Credentials Flow" and "Refresh Token Flow".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

from features.sources.crm.definitions import Object
from features.sources.live.connection import Account, Connection, account
from features.sources.live.records import Ahead, Chunk, Record, wanted

KINDS: Mapping[str, str] = {
    "Account": "account",
    "Contact": "contact",
    "Contract": "contract",
    "Opportunity": "opportunity",
    "Case": "case",
    "EmailMessage": "email",
    "Event": "event",
    "Task": "task",
}
"""What the API calls each kind of record, and which object of the data file it is."""
ID = "Id"

_API = "/services/data/v60.0"
_LONGEST_QUERY = 12_000
"""Characters; addresses have at most 16,384."""
_PAGES = 5
"""Pages of one query, of up to 2,000 records each."""
_LONG_TEXTS = frozenset(("textarea", "base64", "address", "location"))


def salesforce_account(environment: Mapping[str, str]) -> Account:
    """The account that the environment describes."""
    return account("salesforce", environment, "", "/services/oauth2/token", needs_refresh=False)


def chunks(connection: Connection, kind: str, one: Object, ahead: Ahead) -> Iterator[Chunk]:
    """The next records of a kind, page by page, each with what lies ahead after it."""
    conditions = [f"Id > '{ahead.after}'"] if ahead.after else []
    if ahead.since is not None:
        conditions.append(f"SystemModstamp >= {datetime.fromtimestamp(ahead.since, UTC):%Y-%m-%dT%H:%M:%SZ}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT {', '.join(_fields(connection, kind, one))} FROM {kind}{where} ORDER BY Id"
    paging = JSONLinkPaginator("nextRecordsUrl")
    for number, page in enumerate(connection.pages(f"{_API}/queryAll", "records", paging, q=query), start=1):
        records: list[Record] = [_plain(record) for record in page]
        more = bool(records) and paging.has_next_page
        yield Chunk(records, ahead.on(records[-1][ID]) if more else ahead.done())
        if number == _PAGES:
            return


def _fields(connection: Connection, kind: str, one: Object) -> list[str]:
    """The names of the fields that matter: those that the data file names, and custom ones but long texts."""
    described = connection.get(f"{_API}/sobjects/{kind}/describe")["fields"]
    names = [each["name"] for each in described if not each["custom"] and wanted(one, each["name"])]
    own = [each["name"] for each in described if each["custom"] and each["type"] not in _LONG_TEXTS]
    names = [ID, *(name for name in names if name != ID)]
    length = len(", ".join(names))
    for name in own:
        length += len(name) + 2
        if length <= _LONGEST_QUERY:
            names.append(name)
    return names


def _plain(record: Record) -> Record:
    """A record without what the API says of itself."""
    return {name: value for name, value in record.items() if name != "attributes"}
