"""HubSpot and Salesforce on this machine, as far as a pull asks them, with answers of the shape that theirs have."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit

NOW = datetime(2024, 7, 1, 12, tzinfo=UTC)
"""What the servers' clocks show first."""

Answer = tuple[int, Any, dict[str, str]]


@dataclass
class Asked:
    """One request: its path, its parameters or body, its token, and when it came (monotonic seconds)."""

    method: str
    path: str
    given: dict[str, Any]
    token: str
    at: float


@dataclass
class Server:
    """A CRM. ``before`` may answer in its place; ``tokens`` are those that it accepts, ``page`` records on a page."""

    tokens: set[str] = field(default_factory=lambda: {"first-token"})
    page: int = 2
    now: datetime = NOW
    asked: list[Asked] = field(default_factory=list)
    before: Callable[[Asked], Answer | None] = lambda asked: None
    address: str = ""

    def paths(self, *parts: str) -> list[Asked]:
        """The requests whose path holds all of these."""
        return [one for one in self.asked if all(part in one.path for part in parts)]

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request."""
        raise NotImplementedError

    def unauthorised(self) -> Answer:
        """The answer to a token that is not accepted."""
        raise NotImplementedError


def ok(answer: Any) -> Answer:
    return 200, answer, {}


@dataclass
class HubSpot(Server):
    """Records by kind; each has id, properties, and whatever the objects API tells besides."""

    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    links: dict[tuple[str, str, str], list[tuple[str, str | None]]] = field(default_factory=dict)
    archived: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    own: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def unauthorised(self) -> Answer:
        return 401, {"status": "error", "category": "EXPIRED_AUTHENTICATION", "message": "The OAuth token expired"}, {}

    def answer(self, asked: Asked) -> Answer:
        parts = asked.path.strip("/").split("/")
        if asked.path.startswith("/crm/v3/properties/"):
            names = {name for record in self.records.get(parts[3], []) for name in record["properties"]}
            told = [{"name": name, "hubspotDefined": True} for name in sorted(names)]
            return ok({"results": [*told, *self.own.get(parts[3], [])]})
        if asked.path.endswith("/batch/read"):
            return ok({"status": "COMPLETE", "results": self._linked(parts[3], parts[4], asked.given["inputs"])})
        if asked.path.endswith("/search"):
            return self._page(self._found(parts[3], asked.given), int(asked.given.get("after", 0)))
        if asked.given.get("archived") == "true":
            return self._page(self.archived.get(parts[3], []), int(asked.given.get("after", 0)))
        return 404, {"status": "error", "message": "resource not found"}, {}

    def _found(self, kind: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        assert body["sorts"] == [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        found = sorted(self.records.get(kind, []), key=lambda record: int(record["id"]))
        for one in body["filterGroups"][0]["filters"]:
            if one["propertyName"] == "hs_object_id":
                assert one["operator"] == "GT"
                found = [record for record in found if int(record["id"]) > int(one["value"])]
            else:
                changed = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
                assert (one["propertyName"], one["operator"]) == (changed, "GTE")
                found = [record for record in found if _millis(record["updatedAt"]) >= int(one["value"])]
        kept = set(body["properties"])
        return [
            {**record, "properties": {name: value for name, value in record["properties"].items() if name in kept}}
            for record in found
        ]

    def _linked(self, kind: str, other: str, inputs: list[dict[str, str]]) -> list[dict[str, Any]]:
        return [
            {
                "from": {"id": one["id"]},
                "to": [
                    {"toObjectId": int(to), "associationTypes": [{"category": "HUBSPOT_DEFINED", "label": label}]}
                    for to, label in self.links[kind, one["id"], other]
                ],
            }
            for one in inputs
            if (kind, one["id"], other) in self.links
        ]

    def _page(self, records: list[dict[str, Any]], start: int) -> Answer:
        end = start + self.page
        answer: dict[str, Any] = {"results": records[start:end]}
        if end < len(records):
            answer["paging"] = {"next": {"after": str(end), "link": "?after=" + str(end)}}
        return ok(answer)


def _millis(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@dataclass
class Salesforce(Server):
    """Records by kind, with all their fields; ``own`` are custom fields by kind, with their types."""

    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    open_queries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def unauthorised(self) -> Answer:
        return 401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}], {}

    def answer(self, asked: Asked) -> Answer:
        if asked.path.endswith("/describe"):
            kind = asked.path.split("/")[-2]
            if kind not in self.records:
                return 404, [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}], {}
            names = {name for record in self.records[kind] for name in record} - self.own.get(kind, {}).keys()
            told = [{"name": name, "custom": False, "type": "string"} for name in sorted(names)]
            told += [{"name": name, "custom": True, "type": sort} for name, sort in self.own.get(kind, {}).items()]
            return ok({"name": kind, "fields": told})
        locator = asked.path.rpartition("/")[2]
        if locator in self.open_queries:
            return self._page(self.open_queries.pop(locator))
        assert asked.path.endswith("/queryAll"), asked.path
        return self._page(self._found(asked.given["q"]))

    def _found(self, query: str) -> list[dict[str, Any]]:
        told = re.fullmatch(r"SELECT (.+) FROM (\w+)(?: WHERE (.+))? ORDER BY Id", query)
        assert told, query
        found = sorted(self.records[told[2]], key=lambda record: record["Id"])
        for condition in (told[3] or "").split(" AND "):
            if after := re.fullmatch(r"Id > '(\w+)'", condition):
                found = [record for record in found if record["Id"] > after[1]]
            elif since := re.fullmatch(r"SystemModstamp >= (\S+)", condition):
                found = [record for record in found if record["SystemModstamp"] >= since[1]]
            else:
                assert not condition, condition
        names = told[1].split(", ")
        about = {"attributes": {"type": told[2], "url": "/services/data/v60.0/sobjects"}}
        return [about | {name: record.get(name) for name in names} for record in found]

    def _page(self, records: list[dict[str, Any]]) -> Answer:
        answer = {"totalSize": len(records), "done": len(records) <= self.page, "records": records[: self.page]}
        if len(records) > self.page:
            locator = f"0r8xx{len(self.asked)}-{self.page}"
            self.open_queries[locator] = records[self.page :]
            answer["nextRecordsUrl"] = f"/services/data/v60.0/query/{locator}"
        return ok(answer)


@contextmanager
def running(server: Server) -> Iterator[str]:
    """Let a server answer on this machine; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(server.now, usegmt=True)

        def _respond(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            form = "form-urlencoded" in self.headers.get("Content-Type", "")
            given: dict[str, Any] = {name: values[0] for name, values in parse_qs(address.query).items()}
            if body:
                given |= {name: values[0] for name, values in parse_qs(body).items()} if form else json.loads(body)
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            asked = Asked(self.command, address.path, given, token, monotonic())
            server.asked.append(asked)
            status, answer, headers = server.before(asked) or (
                server.answer(asked) if token in server.tokens else server.unauthorised()
            )
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(content)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _respond

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()
            thread.join()
