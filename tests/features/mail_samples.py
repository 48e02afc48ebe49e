"""Mails for tests: made-up people at acme.example and other.example who write to us at ours.example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

WRITTEN = "Fri, 31 May 2024 14:00:00 +0200"
WRITTEN_AT = 1717156800
ENVELOPE = b"From ann@acme.example Fri May 31 14:00:00 2024\n"

FIELDS: Mapping[str, str] = {
    "From": "Ann Berg <ann@acme.example>",
    "To": "Bo Lind <bo@ours.example>",
    "Date": WRITTEN,
    "Subject": "Offer",
}


def mail(body: str | bytes = "Good morning.\n", /, **fields: str | None) -> bytes:
    """A mail from a client to us; fields replace or join the usual ones (``In_Reply_To=...``), None drops one."""
    header = {**FIELDS, **{name.replace("_", "-"): value for name, value in fields.items()}}
    lines = [f"{name}: {value}\n" for name, value in header.items() if value is not None]
    head = "".join(lines).encode("utf-8", "surrogateescape")
    return head + b"\n" + (body if isinstance(body, bytes) else body.encode())


def ours(body: str | bytes = "Good morning.\n", /, **fields: str | None) -> bytes:
    """A mail from us to the client."""
    return mail(body, **{"From": "Bo Lind <bo@ours.example>", "To": "Ann Berg <ann@acme.example>", **fields})


def put(folder: Path, mails: Mapping[str, bytes]) -> Path:
    """A folder with a file for each mail."""
    for name, content in mails.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
