"""Which accounts a data set held, so that it can be told later of one account, but not read off.

Accounts of a store are digested under the store's own key: without the store nobody can tell anything. Those of a
folder, which has no key, under a salt that is written beside them: whoever reads it can try out ids.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from features.sources.erasing.tombstones import digest, key_of
from features.sources.store import Store
from features.sources.store_connection import reading


def accounts_document(histories: str | Path, accounts: Collection[str]) -> dict[str, Any]:
    """What is kept of the accounts of a store or a canonical folder; plain data."""
    if Path(histories).is_dir():
        salt = secrets.token_hex(32)
        return {"salt": salt, "digests": _digests(bytes.fromhex(salt), accounts)}
    key = store_key(histories)
    return {"store": store_name(key), "digests": _digests(key, accounts)}


def held_any(document: Mapping[str, Any], accounts: Collection[str], key: bytes) -> bool | None:
    """Whether any of these accounts was among those of a document; None if it was made by another store than that of
    the key."""
    if "salt" not in document and document.get("store") != store_name(key):
        return None
    used = bytes.fromhex(document["salt"]) if "salt" in document else key
    return not set(_digests(used, accounts)).isdisjoint(document["digests"])


def store_key(store: str | Path) -> bytes:
    """The key of a store. Raises StoreError."""
    with reading(Store(store).url) as connection:
        return key_of(connection)


def store_name(key: bytes) -> str:
    """By what a store is known to be the same, whatever its address."""
    return blake2b(key=key, person=b"store", digest_size=8).hexdigest()


def _digests(key: bytes, accounts: Collection[str]) -> list[str]:
    return sorted(digest(key, "learned", account) for account in accounts)
