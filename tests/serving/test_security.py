"""Keys and the size limit, as ASGI messages: there chunked bodies can be told from announced ones."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from serving.security import ApiKeys, BodyLimit, is_loopback, keys_from_environment, limit_from_environment


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with the number of bytes it was sent."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def call(
    app: Any, chunks: list[bytes], headers: dict[str, str] | None = None, path: str = "/v1/score"
) -> tuple[int, dict[str, str], bytes, int]:
    """Status, headers, body, and how many chunks were read from the client."""
    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": raw}
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1}
        for place, chunk in enumerate(chunks)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], answered, body, len(chunks) - len(waiting)


@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=6), limit=st.integers(1, 100))
def test_a_body_passes_exactly_when_it_is_within_the_limit(sizes: list[int], limit: int) -> None:
    status, headers, body, _ = call(BodyLimit(echo, limit), [b"x" * size for size in sizes])
    if sum(sizes) <= limit:
        assert (status, body) == (200, str(sum(sizes)).encode())
    else:
        assert status == 413
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["title"] == "Content Too Large"


def test_an_announced_large_body_is_refused_unread() -> None:
    status, headers, _, read = call(BodyLimit(echo, 10), [b"x" * 11], {"Content-Length": "11"})
    assert (status, read, headers["connection"]) == (413, 0, "close")


def test_an_endless_body_is_read_no_further_than_the_limit() -> None:
    status, _, _, read = call(BodyLimit(echo, 10), [b"12345"] * 1000)
    assert (status, read) == (413, 3)


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/v1/score"])
def test_the_limit_covers_the_probes_too(path: str) -> None:
    assert call(BodyLimit(echo, 10), [b"x" * 11], path=path)[0] == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer second"},
        {"authorization": "bearer second"},
        {"X-API-Key": "first"},
    ],
)
def test_a_known_key_opens(headers: dict[str, str]) -> None:
    assert call(ApiKeys(echo, ["first", "second"]), [b""], headers)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "second"},
        {"Authorization": "Basic second"},
        {"Authorization": "Bearer secon"},
        {"Authorization": "Bearer"},
        {"X-API-Key": ""},
        {"X-API-Key": "first,second"},
        {"X-API-Key": "\u00e9"},
    ],
)
def test_anything_else_is_refused_before_the_body_is_read(headers: dict[str, str]) -> None:
    status, answered, body, read = call(ApiKeys(echo, ["first", "second"]), [b"x"], headers)
    assert (status, read) == (401, 0)
    assert answered["www-authenticate"] == "Bearer"
    assert json.loads(body)["status"] == 401
    assert b"first" not in body


def test_probes_need_no_key() -> None:
    assert call(ApiKeys(echo, ["first"]), [b""], path="/healthz")[0] == 200
    assert call(ApiKeys(echo, ["first"]), [b""], path="/healthz/")[0] == 401


def test_without_keys_everyone_may_call() -> None:
    assert call(ApiKeys(echo, []), [b""])[0] == 200


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAPPORT_API_KEYS", " one, two ,,")
    assert keys_from_environment() == ("one", "two")
    monkeypatch.delenv("RAPPORT_API_KEYS")
    assert keys_from_environment() == ()
    monkeypatch.delenv("RAPPORT_BODY_LIMIT", raising=False)
    assert limit_from_environment() == 16 * 1024 * 1024
    monkeypatch.setenv("RAPPORT_BODY_LIMIT", "1e6")
    with pytest.raises(ValueError, match="RAPPORT_BODY_LIMIT='1e6'"):
        limit_from_environment()


LOOPBACK = {"127.0.0.1": True, "::1": True, "0.0.0.0": False, "::": False}


@pytest.mark.parametrize(("host", "expected"), LOOPBACK.items())
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
