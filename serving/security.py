"""Who may call the service, and how much they may send: two ASGI middlewares that stand before every route.

Both are plain ASGI so that they cover what BentoML itself answers too (its probes), and chunked bodies.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Sequence
from hashlib import sha256

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import problem

PROBES = frozenset({"/healthz", "/livez", "/readyz"})
"""Paths that answer without a key: they say only that the process is up."""

KEYS_VARIABLE = "RAPPORT_API_KEYS"
LIMIT_VARIABLE = "RAPPORT_BODY_LIMIT"
BODY_LIMIT = 16 * 1024 * 1024


def keys_from_environment() -> tuple[str, ...]:
    """The accepted API keys: ``RAPPORT_API_KEYS``, separated by commas; empty where none is asked for."""
    return tuple(key.strip() for key in os.environ.get(KEYS_VARIABLE, "").split(",") if key.strip())


def limit_from_environment() -> int:
    """The largest body accepted, in bytes: ``RAPPORT_BODY_LIMIT``, else 16 MiB.

    Raises ValueError where the variable is no positive whole number.
    """
    given = os.environ.get(LIMIT_VARIABLE, str(BODY_LIMIT))
    if not given.isdecimal() or int(given) == 0:
        raise ValueError(f"{LIMIT_VARIABLE}={given!r}: a whole number of bytes above 0 is allowed")
    return int(given)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on this host address.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    return ipaddress.ip_address(host).is_loopback


class ApiKeys:
    """Lets a request pass that carries a key, as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``."""

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self.app = app
        self.digests = [_digest(key) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES or self.allows(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        detail = "Send a valid key as 'Authorization: Bearer KEY' or as 'X-API-Key: KEY'."
        await problem(401, detail, headers={"WWW-Authenticate": "Bearer"})(scope, receive, send)

    def allows(self, headers: Headers) -> bool:
        """Whether the headers carry a known key; takes as long for a wrong key as for a right one."""
        if not self.digests:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        digest = _digest(given)
        # Every key is compared: stopping at the first match would tell by time which one it was.
        return any([hmac.compare_digest(digest, known) for known in self.digests])


class BodyLimit:
    """Refuses bodies above ``limit`` bytes, whether their length is announced or not."""

    def __init__(self, app: ASGIApp, limit: int = BODY_LIMIT) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        size = int(announced) if announced.isdecimal() else 0
        body = bytearray()
        more = True
        while more and max(size, len(body)) <= self.limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if more or len(body) > self.limit:
            detail = f"The body is larger than the {self.limit} bytes allowed; send fewer accounts at a time."
            # The rest of the body stays unread, so the connection cannot be used again.
            await problem(413, detail, headers={"Connection": "close"})(scope, receive, send)
            return
        await self.app(scope, _replay(bytes(body), receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that hands out the body already read, then whatever the server says next."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
