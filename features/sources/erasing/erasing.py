"""What remains of a store's rows when something is erased from them: pure, from rows to rows.

A row of the subject goes, or stays as a pseudonym: numbers, times, categories and truth values, under ids drawn at
random, and without any text. In all other rows, what names the subject is emptied.
"""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.tables import TABLES
from features.sources.erasing.mentions import Mentions
from features.sources.erasing.subjects import Rows, Subject
from features.sources.erasing.tombstones import REFERENCES, Kind
from features.sources.readers import Array
from features.sources.store_rows import as_json, from_json
from features.sources.store_schema import KNOWN, OWN

_SINCE_EVER = -(1 << 62)
_OWN_IDS: Mapping[str, str] = {
    "account_id": "account",
    "related_account_id": "account",
    "contact_id": "contact",
    "related_contact_id": "contact",
    "interaction_id": "thing",
    "reply_to": "thing",
    "about_id": "thing",
    "deal_id": "thing",
    "thread_id": "thread",
}
"""Columns whose ids get pseudonyms, those of one sort the same ones."""

_NOT_PERSONAL = ("source",)


@dataclass
class Remains:
    """The rows that remain by table (only tables that change), what goes into tombstones by kind, and counts by word.

    ``pseudonyms`` holds the new ids of accounts, where rows stay under such.
    """

    rows: dict[str, pa.Table] = field(default_factory=dict)
    stones: dict[Kind, set[str]] = field(default_factory=lambda: defaultdict(set))
    counts: Counter[str] = field(default_factory=Counter)
    pseudonyms: dict[str, str] = field(default_factory=dict)


def of_subject(rows: Rows, subject: Subject) -> dict[str, Array]:
    """bool (rows,) by table: which rows are the subject's.

    A thing is the subject's with all its versions if its latest version is; else those versions are that name the
    subject. What annotates something of the subject's is, too, unless it names another contact.
    """
    contacts, accounts = _texts(subject.contacts), _texts(subject.accounts)
    masks = {}
    for name, table in rows.items():
        mask = _is_in(table["account_id"], accounts)
        if "contact_id" in table.column_names:
            mask |= _is_in(table["contact_id"], contacts)
        masks[name] = _with_earlier_versions(name, table, mask)
    interactions = rows["interactions"]
    nobody_else = ~(_is_valid(interactions["contact_id"]) & ~_is_in(interactions["contact_id"], contacts))
    while True:
        gone = _whole(interactions["interaction_id"], masks["interactions"])
        annotating = _is_in(interactions["about_id"], _texts(gone)) & nobody_else
        more = _with_earlier_versions("interactions", interactions, masks["interactions"] | annotating)
        if (more == masks["interactions"]).all():
            return masks
        masks["interactions"] = more


def of_earlier(rows: Rows, before: int) -> tuple[dict[str, Array], set[str]]:
    """bool (rows,) by table: interactions that happened before a moment (UTC seconds), and the contacts whom none names
    any more when these are gone; their ids, too."""
    interactions = rows["interactions"]
    mask = _with_earlier_versions("interactions", interactions, interactions["at"].to_numpy() < before)
    old, left = (set(interactions.filter(pa.array(one))["contact_id"].to_pylist()) for one in (mask, ~mask))
    left |= set(interactions.filter(pa.array(~mask))["related_contact_id"].to_pylist())
    quiet = old - left - {None}
    masks = {name: np.zeros(len(table), dtype=bool) for name, table in rows.items()}
    return masks | {"interactions": mask, "contacts": _is_in(rows["contacts"]["contact_id"], _texts(quiet))}, quiet


def remains(
    rows: Rows,
    masks: Mapping[str, Array],
    subject: Subject,
    own: Mapping[str, Collection[str]],
    pseudonymise: bool,
) -> Remains:
    """What remains of the rows when those that ``masks`` choose are erased, and all that names the subject.

    ``own`` are the names of own columns by table.
    """
    found = Remains()
    names: dict[tuple[str, str], str] = {}
    things = {name: _whole(rows[name][key], masks[name]) for name, key in _THINGS.items()}
    for name, ids in things.items():
        found.stones["thing"] |= ids
        found.counts[name] = int(masks[name].sum())
    mentions = Mentions(subject.contacts | subject.accounts, subject.names)
    for name, table in rows.items():
        mask = masks[name]
        found.counts[name] = int(mask.sum())
        stays = mask & _is_in(table[_THINGS[name]], _texts(things[name])) if name in _THINGS else mask
        parts = [_emptied(name, table.filter(pa.array(~mask)), subject, things["interactions"], mentions, own, found)]
        if pseudonymise:
            parts.append(_pseudonymous(name, table.filter(pa.array(stays)), subject, things["interactions"], names))
        changed = pa.concat_tables(parts)
        if mask.any() or not changed.equals(table):
            found.rows[name] = changed
    found.pseudonyms = {old: new for (sort, old), new in names.items() if sort == "account"}
    return found


_THINGS = {"interactions": "interaction_id", "deals": "deal_id"}


def _whole(keys: pa.ChunkedArray, mask: Array) -> set[str]:
    """The things of which every version is chosen."""
    chosen = set(keys.filter(pa.array(mask)).to_pylist())
    return chosen - set(keys.filter(pa.array(~mask)).to_pylist())


def _with_earlier_versions(name: str, rows: pa.Table, mask: Array) -> Array:
    """Versions chosen, and all those of things whose latest version is."""
    key = TABLES[name].key
    if key is None or name not in _THINGS or not mask.any():
        return mask
    things = rows[key].combine_chunks().dictionary_encode().indices.to_numpy()
    known = pc.fill_null(rows[KNOWN], _SINCE_EVER).to_numpy()
    order = np.lexsort((mask, known, things))
    last = order[np.append(np.diff(things[order]) != 0, True)]
    whole = np.zeros(things.max() + 1, dtype=bool)
    whole[things[last]] = mask[last]
    return np.asarray(mask | whole[things])


def _emptied(
    name: str,
    rows: pa.Table,
    subject: Subject,
    gone: Collection[str],
    mentions: Mentions,
    own: Mapping[str, Collection[str]],
    found: Remains,
) -> pa.Table:
    """Rows that stay, with nothing in them that names the subject or a row that goes."""
    ids = {"contact": _texts(subject.contacts), "account": _texts(subject.accounts), "thing": _texts(gone)}
    for place, column in enumerate(rows.column_names):
        values = rows[column]
        if column in REFERENCES:
            named = _is_in(values, ids[REFERENCES[column]])
            found.counts["references emptied"] += int(named.sum())
        elif column == "thread_id" or (column in TABLES[name].column and TABLES[name].column[column].type == "text"):
            named = mentions.within(values)
            found.counts["texts emptied"] += int(named.sum())
            found.stones["value"] |= set(values.filter(pa.array(named)).to_pylist())
        else:
            continue
        if named.any():
            rows = rows.set_column(place, column, pc.if_else(pa.array(named), None, values))
    return _without_own_mentions(rows, sorted(own[name]), mentions, found)


def _without_own_mentions(rows: pa.Table, own: list[str], mentions: Mentions, found: Remains) -> pa.Table:
    columns = from_json(rows[OWN].combine_chunks(), own)
    touched = np.zeros(len(rows), dtype=bool)
    for place, values in enumerate(columns):
        named = mentions.within(pa.chunked_array([values]))
        if named.any():
            found.counts["texts emptied"] += int(named.sum())
            found.stones["value"] |= set(values.filter(pa.array(named)).to_pylist())
            columns[place] = pc.if_else(pa.array(named), None, values)
            touched |= named
    if not touched.any():
        return rows
    objects = as_json(pa.table(dict(zip(own, columns, strict=True))))
    place = rows.column_names.index(OWN)
    return rows.set_column(place, OWN, pc.if_else(pa.array(touched), objects, rows[OWN]))


def _pseudonymous(
    name: str, rows: pa.Table, subject: Subject, gone: Collection[str], names: dict[tuple[str, str], str]
) -> pa.Table:
    """Rows of the subject without any text, under other ids."""
    table = TABLES[name]

    def other(sort: str) -> Callable[[str], str]:
        return lambda old: names.setdefault((sort, old), f"erased-{secrets.token_hex(10)}")

    for place, column in enumerate(rows.column_names):
        values = rows[column]
        kind = table.column[column].type if column in table.column else None
        if column in ("account_id", "related_account_id"):
            values = _each(values, other("account"), subject.accounts)
        elif column in ("related_contact_id", "our_contact_id"):
            values = _each(values, other("contact"), subject.contacts)
        elif column in ("reply_to", "about_id"):
            values = pc.if_else(pa.array(_is_in(values, _texts(gone))), values, None)
            values = _each(values, other("thing"), None)
        elif column in _OWN_IDS:
            values = _each(values, other(_OWN_IDS[column]), None)
        elif column == OWN or kind == "text" or (kind == "id" and column not in _NOT_PERSONAL):
            values = pa.nulls(len(rows), pa.string())
        rows = rows.set_column(place, rows.schema.field(column), values)
    return rows


def _each(values: pa.ChunkedArray, new: Callable[[str], str], only: Collection[str] | None) -> pa.ChunkedArray:
    texts = values.combine_chunks().dictionary_encode()
    changed = [new(text) if only is None or text in only else text for text in texts.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(changed, pa.string()).take(texts.indices)])


def _is_in(values: pa.ChunkedArray, wanted: pa.Array) -> Array:
    return np.asarray(pc.is_in(values, wanted).to_numpy())


def _is_valid(values: pa.ChunkedArray) -> Array:
    return np.asarray(pc.is_valid(values).to_numpy())


def _texts(values: Collection[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())
