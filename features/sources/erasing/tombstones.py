"""Tombstones: what was erased, as keyed digests, so that importing the same source again does not bring it back.

A digest tells nothing without the key, and with it only whether somebody named beforehand was erased. The key is the
store's own, made with it, and lies in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Literal

import adbc_driver_manager.dbapi as adbc
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import encoded, indices
from features.histories.columns import OWN_PREFIX, Reject
from features.histories.tables import TABLES
from features.sources.declarations import Declarations
from features.sources.readers import Array
from features.sources.store_connection import ingest, select
from features.sources.store_schema import ERASURE_KEY, TOMBSTONES, VERSIONS

Kind = Literal["contact", "account", "thing", "value", "before", "quiet"]
"""What a digest is of: a contact's id or address, an account's id, the id of an interaction or deal, a whole text that
named somebody, a moment before which interactions are not kept, a contact with none since."""

REFERENCES: Mapping[str, Kind] = {
    "related_contact_id": "contact",
    "our_contact_id": "contact",
    "related_account_id": "account",
    "reply_to": "thing",
    "about_id": "thing",
}
"""Columns that name something else, which may be erased while the row stays."""

ERASED = "erased"
"""In the place of a text that must not be empty."""


def digest(key: bytes, kind: str, text: str) -> str:
    """The keyed digest of an id or a text; of an address in small letters."""
    plain = text.strip().casefold() if kind == "contact" and "@" in text else text
    return blake2b(plain.encode(), key=key, person=kind.encode(), digest_size=16).hexdigest()


def key_of(connection: adbc.Connection) -> bytes:
    """The key of a store."""
    return bytes.fromhex(select(connection, list(ERASURE_KEY.c))["key"][0].as_py())


@dataclass(frozen=True)
class Tombstones:
    """The digests of a store by kind, under its key; ``named`` are the contacts whom stored interactions name."""

    key: bytes
    digests: Mapping[Kind, frozenset[str]] = field(default_factory=dict)
    before: int | None = None
    named: frozenset[str] = frozenset()

    def are(self, kind: Kind, values: pa.ChunkedArray) -> Array:
        """bool (rows,): which values are those of something erased."""
        if kind not in self.digests:
            return np.zeros(len(values), dtype=bool)
        texts = encoded(values)
        gone = [digest(self.key, kind, text) in self.digests[kind] for text in texts.dictionary.to_pylist()]
        return np.array([*gone, False])[indices(texts)]

    def named_by(self, kind: Kind, text: str) -> bool:
        """Whether a single text is that of something erased."""
        return kind in self.digests and digest(self.key, kind, text) in self.digests[kind]

    def left_out(self, rows: Mapping[str, pa.Table]) -> tuple[dict[str, pa.Table], dict[str, int]]:
        """Checked rows by table without what was erased, and how many rows of each that leaves out.

        What other rows name of it is emptied.
        """
        kept = {name: table.filter(pa.array(~self._gone(name, table))) for name, table in rows.items()}
        people = kept["contacts"]
        quiet = self.are("quiet", people["contact_id"])
        if quiet.any():
            named = pa.array(sorted(self.named | _named(kept["interactions"])), pa.string())
            quiet &= ~pc.is_in(people["contact_id"], named).to_numpy()
            kept["contacts"] = people.filter(pa.array(~quiet))
        counts = {name: len(rows[name]) - len(table) for name, table in kept.items()}
        return {name: self._emptied(name, table) for name, table in kept.items()}, counts

    def _gone(self, name: str, rows: pa.Table) -> Array:
        """bool (rows,): which rows of a table are of something erased."""
        gone = self.are("account", rows["account_id"])
        for column in ("contact_id", "email"):
            if column in rows.column_names:
                gone |= self.are("contact", rows[column])
        key = TABLES[name].key
        if name in ("interactions", "deals") and key is not None:
            gone |= self.are("thing", rows[key])
        if name == "interactions" and self.before is not None:
            gone |= rows["at"].cast(pa.int64()).to_numpy() < self.before
        return gone

    def _emptied(self, name: str, rows: pa.Table) -> pa.Table:
        for place, column in enumerate(rows.column_names):
            kind = REFERENCES.get(column, "value")
            free = column.startswith(OWN_PREFIX) or TABLES[name].column[column].type == "text" or column == "thread_id"
            if (column in REFERENCES or free) and pa.types.is_string(rows[column].type):
                gone = self.are(kind, rows[column])
                if gone.any():
                    rows = rows.set_column(place, column, pc.if_else(pa.array(gone), None, rows[column]))
        return rows

    def without_rejects(self, rejects: Collection[Reject]) -> list[Reject]:
        """Rejects that hold nothing erased."""
        return [
            replace(reject, file=ERASED if self.named_by("value", reject.file) else reject.file)
            for reject in rejects
            if not any(self.named_by(kind, reject.value) for kind in ("value", "contact", "account"))
        ]

    def without_ends(self, declared: Declarations) -> Declarations:
        """Declarations that name nothing erased."""

        def kept(ends: Mapping[str, int]) -> dict[str, int]:
            return {
                name: end
                for name, end in ends.items()
                if not (self.named_by("account", name) or self.named_by("contact", name))
            }

        dataset = replace(declared.dataset, observed_until_by=kept(declared.dataset.observed_until_by))
        return replace(declared, dataset=dataset, ends=None if declared.ends is None else kept(declared.ends))

    def source(self, text: str) -> str:
        """The name of a source, unless it named somebody erased."""
        return ERASED if self.named_by("value", text) else text


def read_tombstones(connection: adbc.Connection) -> Tombstones | None:
    """The tombstones of a store, None if nothing was ever erased."""
    rows = select(connection, list(TOMBSTONES.c))
    if not len(rows):
        return None
    digests: dict[Kind, set[str]] = {}
    for kind, text in zip(rows["kind"].to_pylist(), rows["digest"].to_pylist(), strict=True):
        digests.setdefault(kind, set()).add(text)
    before = max(map(int, digests.pop("before", ())), default=None)
    named = frozenset[str]()
    if "quiet" in digests:
        named = frozenset(_named(select(connection, [VERSIONS["interactions"].c["contact_id"]])))
    fixed = {kind: frozenset(found) for kind, found in digests.items()}
    return Tombstones(key_of(connection), fixed, before, named)


def add_tombstones(connection: adbc.Connection, found: Mapping[Kind, Collection[str]], before: int | None) -> None:
    """Put up tombstones for these ids and texts by kind, and for all interactions before a moment (UTC seconds)."""
    key = key_of(connection)
    held = select(connection, list(TOMBSTONES.c))
    there = set(zip(held["kind"].to_pylist(), held["digest"].to_pylist(), strict=True))
    new = {(kind, digest(key, kind, text)) for kind, texts in found.items() for text in texts}
    if before is not None:
        new.add(("before", str(before)))
    lines = sorted(new - there)
    columns = zip(*lines, strict=True) if lines else ((), ())
    ingest(connection, TOMBSTONES, pa.table([pa.array(one, pa.string()) for one in columns], ["kind", "digest"]))


def _named(interactions: pa.Table) -> set[str]:
    if "contact_id" not in interactions.column_names:
        return set()
    return set(pc.unique(interactions["contact_id"]).drop_null().to_pylist())
