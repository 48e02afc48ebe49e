"""From the files of a CRM's export to canonical tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import distinct, encoded
from features.histories.checks import shown
from features.histories.columns import OWN_PREFIX, Reject
from features.histories.tables import TABLES
from features.histories.values import EARLIEST
from features.sources.canonical import joined
from features.sources.crm.batches import file_batches
from features.sources.crm.custom import custom_columns
from features.sources.crm.deals import Deals, usual_currency
from features.sources.crm.definitions import Condition, Crm, Options, read_options
from features.sources.crm.events import settle
from features.sources.crm.links import REFERENCES, Links, Whose
from features.sources.crm.recognise import export_files, recognise
from features.sources.crm.rows import UNKNOWN, Batch, Rows, Writing, each, found_writing, typed
from features.sources.readers import Array, SourceError
from features.sources.source import FILE, ROW, Found, Progress, shared_mail_id

_TOLD_COLUMNS = 8


def read(
    path: Path,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    taken: Container[Path] = (),
) -> Found:
    """The exports of one CRM at a path: a file, a folder of files, or a zip of them, leaving those ``taken`` out.

    ``options`` are what a mapping declares under ``[crm]`` (``definitions.read_options``). Raises SourceError where a
    file as a whole cannot be read, or leaves open what its dates, times and numbers mean.
    """
    chosen = read_options(options or {})
    report = progress or (lambda step, share: None)
    with export_files(path) as files:
        files = [file for file in files if file not in taken]
        known = [one for file in files if (one := recognise(file))]
        if not known:
            raise SourceError(f"{path.name}: holds no export of HubSpot, Salesforce, Dynamics 365, Odoo or Pipedrive")
        names = sorted({one.crm.name for one in known})
        if len(names) > 1:
            raise SourceError(f"{path.name}: holds exports of {' and '.join(names)}; import one CRM at a time")
        others = sorted({file.name for file in files} - {one.path.name for one in known})
        crm = known[0].crm.adapted(chosen)
        broken: list[Reject] = []
        batches = [batch for one in known for batch in file_batches(crm, one, chosen, broken, report)]
    found = canonical(crm, batches, chosen, report)
    return replace(found, rejects=broken + found.rejects, others=others)


def canonical(crm: Crm, batches: Sequence[Batch], options: Options, progress: Progress | None = None) -> Found:
    """The canonical tables of batches, in any order, of the objects of a CRM (as ``Crm.adapted`` to the options)."""
    report = progress or (lambda step, share: None)
    writing = found_writing(crm, batches, options)
    links = Links(crm, crm.ours | options.ours)
    currency = options.currency or usual_currency(batches)
    reading = _Reading(crm, options, writing, links, currency, _newest(crm, batches, writing))
    for place, one in enumerate(crm.objects):
        report("taking in records", place / len(crm.objects))
        for batch in batches:
            if batch.object.name == one.name:
                reading.take(batch)
    report("taking in records", 1.0)
    return reading.found()


def _newest(crm: Crm, batches: Sequence[Batch], writing: Writing) -> int:
    """The last moment at which a record of the export was made or changed, where that decides what is over."""
    newest = UNKNOWN
    if not any(part.over for batch in batches for part in batch.object.parts):
        return newest
    for batch in batches:
        for part in batch.object.parts:
            if not part.section:
                continue
            chosen = {
                name: origin
                for name, origin in part.section.origins.items()
                if name in ("recorded_at", "updated_at") and not set(origin.columns).isdisjoint(batch.columns)
            }
            section = replace(part.section, origins=chosen)
            rows, _ = typed(batch, replace(part, section=section), crm, writing)
            newest = max([newest, *(int(values.max(initial=UNKNOWN)) for values in rows.times.values())])
            break
    return newest


@dataclass
class _Reading:
    """Takes in one batch after the other; objects that others refer to come first."""

    crm: Crm
    options: Options
    writing: Writing
    links: Links
    currency: str
    newest: int
    tables: dict[str, list[pa.Table]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    contracts: dict[str, tuple[int, int]] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    free_text: dict[str, set[str]] = field(default_factory=dict)
    ignored: dict[str, list[str]] = field(default_factory=dict)
    deals: Deals = field(init=False)

    def __post_init__(self) -> None:
        self.deals = Deals(self.crm, self.options, self.contracts, self.currency)

    def take(self, batch: Batch) -> None:
        """Take in the rows of a batch, each by the first part that fits."""
        self.counts[f"{batch.object.name} records read"] += len(batch.numbers)
        left = np.ones(len(batch.numbers), dtype=bool)
        for part in batch.object.parts:
            places = np.flatnonzero(left & _fitting(batch, part.where))
            left[places] = False
            if not len(places):
                continue
            if part.section is None:
                self.counts[part.left_out] += len(places)
                continue
            rows, rejects = typed(batch.taken(places), part, self.crm, self.writing)
            self.rejects += rejects
            deleted = rows.flag("deleted") == 1
            self.counts["deleted or archived records"] += int(deleted.sum())
            match part.section.table.name:
                case "accounts":
                    self._accounts(rows, deleted)
                case "contacts":
                    self._contacts(rows.where(~deleted))
                case "contracts":
                    self._contracts(rows.where(~deleted))
                case "deals":
                    self._deals(rows.where(~deleted))
                case _:
                    self._interactions(rows.where(~deleted))
        if batch.ignored:
            self.ignored[batch.file] = list(batch.ignored)
        self.counts[f"{batch.object.name} records of no kind that is taken in"] += int(left.sum())

    def _accounts(self, rows: Rows, deleted: Array) -> None:
        answers = self.links.add_accounts(rows.values("account_id"), rows.values("name"), deleted)
        kept = np.array(answers, dtype=bool)
        self.counts["records of our own company"] += int((~kept & ~deleted).sum())
        self._add("accounts", rows.where(kept))

    def _contacts(self, rows: Rows) -> None:
        both = pc.binary_join_element_wise(rows.text("first_name"), rows.text("last_name"), " ")
        whole = rows.text("name")
        rows.texts["name"] = pc.if_else(pc.equal(whole, ""), pc.ascii_trim_whitespace(both), whole)
        self._add("contacts", self._linked(rows, ("account_id",)))

    def _contracts(self, rows: Rows) -> None:
        bounds = zip(rows.values("contract_id"), rows.time("starts_on"), rows.time("ends_on"), strict=True)
        self.contracts.update({one: (int(starts), int(ends)) for one, starts, ends in bounds})

    def _deals(self, rows: Rows) -> None:
        rows, rejects = self.deals.settle(self._linked(rows))
        self.rejects += rejects
        self._add("deals", rows)

    def _interactions(self, rows: Rows) -> None:
        if self.repeated and "interaction_id" in rows.texts:
            again = np.isin(rows.values("interaction_id"), list(self.repeated))
            self.counts["records that another object tells of too"] += int(again.sum())
            rows = rows.where(~again)
        rows = settle(self._linked(rows), self.newest, self.counts)
        self.repeated |= set(rows.values("repeats")) - {""}
        name = rows.batch.object.name
        for key in ("interaction_id", "reply_to"):
            if key in rows.texts:
                values = rows.texts[key]
                named = pc.binary_join_element_wise(name, values, "-")
                rows.texts[key] = pc.if_else(pc.equal(values, ""), "", named)
        if "shared_id" in rows.texts:
            rows.texts["shared_id"] = each(rows.texts["shared_id"], shared_mail_id)
        self._add("interactions", rows)

    def _linked(self, rows: Rows, references: Sequence[str] = REFERENCES) -> Rows:
        """The rows with their accounts and contacts; those without an account are turned away.

        What belongs to a deleted account or to ourselves is left out; all are remembered for what refers to them.
        """
        if not len(rows):
            return rows
        given = {name: rows.text(name) for name in references if name in rows.texts}
        if "from_address" in given:
            # Of a mail of theirs the sender is the client, of one of ours those written to.
            client = pc.equal(rows.texts["actor"], "client")
            sender, readers = given["from_address"], rows.text("to_address")
            given["from_address"] = pc.if_else(client, sender, readers)
            given["to_address"] = pc.if_else(client, "", sender)
        combinations = pa.table(given or {"account_id": rows.text("account_id")})
        first, answer_of = distinct(combinations)
        answers = [self.links.whose(one) for one in combinations.take(pa.array(first)).to_pylist()]
        self._turn_away(rows, answers, answer_of)
        self.counts.update(answers[one].dropped for one in answer_of if answers[one].dropped)
        index = pa.array(answer_of)
        rows.texts["account_id"] = pa.array([one.account for one in answers], pa.string()).take(index)
        if "contact_id" in given or "from_address" in given:
            rows.texts["contact_id"] = pa.array([one.contact for one in answers], pa.string()).take(index)
        known = np.array([bool(one.account) for one in answers])[answer_of]
        kept = np.array([not one.dropped for one in answers])[answer_of]
        rows, kept = rows.where(known), kept[known]
        self._remember(rows)
        return rows.where(kept)

    def _remember(self, rows: Rows) -> None:
        """Take in what records of other objects may refer to."""
        assert rows.part.section
        table, kind = rows.part.section.table, rows.batch.object.linked_as
        if table.name == "contacts":
            names = ("contact_id", "account_id", "name", "email")
            self.links.add_contacts(*(rows.values(name) for name in names))
        elif kind and table.key:
            self.links.add_records(kind, *(rows.values(name) for name in (table.key, "account_id", "title")))

    def _turn_away(self, rows: Rows, answers: Sequence[Whose], answer_of: Array) -> None:
        numbers = rows.batch.numbers
        for place in np.flatnonzero(np.array([not one.account for one in answers])[answer_of]):
            wrong = answers[answer_of[place]]
            self.rejects.append(
                Reject(rows.batch.file, int(numbers[place]), wrong.column, shown(wrong.value), wrong.allowed)
            )

    def _add(self, name: str, rows: Rows) -> None:
        """Hand rows on as texts under canonical names."""
        if not len(rows):
            return
        columns: dict[str, pa.Array] = {}
        for key, values in rows.texts.items():
            columns[key] = values
        for key, values in rows.times.items():
            columns[key] = _iso(values)
        for key, values in rows.numbers.items():
            columns[key] = pa.array(values, mask=np.isnan(values)).cast(pa.string())
        for key, values in rows.flags.items():
            words = pa.array(["false", "true"])
            columns[key] = words.take(pa.array(values, pa.int8(), mask=values < 0))
        columns = {
            key: values for key, values in columns.items() if key in TABLES[name].column or key.startswith(OWN_PREFIX)
        }
        own, left_out = custom_columns(rows, self.options.decimal, self.writing)
        self.free_text.setdefault(rows.batch.object.name, set()).update(left_out)
        columns = own | columns
        columns[FILE] = pa.repeat(pa.scalar(rows.batch.file), len(rows))
        columns[ROW] = pa.array(rows.batch.numbers, pa.int64())
        self.tables.setdefault(name, []).append(pa.table(columns))

    def found(self) -> Found:
        """What was read."""
        notes = []
        for name, columns in sorted(self.free_text.items()):
            if not columns:
                continue
            told = ", ".join(sorted(columns)[:_TOLD_COLUMNS]) + (", ..." if len(columns) > _TOLD_COLUMNS else "")
            notes.append(f"{name}: custom fields that hold free text or dates are left out: {told}")
        if "deals" in self.tables:
            left_out = {
                name for one in self.crm.objects if one.linked_as == "deal" for name in self.free_text.get(one.name, ())
            }
            notes += self.deals.notes(left_out)
        counts = self.counts + self.deals.counts
        tables = {name: _filled(joined(parts)) for name, parts in self.tables.items()}
        filled = {word: times for word, times in counts.items() if times}
        return Found(tables, self.rejects, filled, notes, self.ignored)


def _fitting(batch: Batch, where: Sequence[Condition]) -> Array:
    """bool (rows,): which rows fit one of the conditions."""
    fits = np.zeros(len(batch.numbers), dtype=bool)
    for condition in where:
        each_fits = np.ones(len(batch.numbers), dtype=bool)
        for name, allowed in condition.items():
            given = encoded(batch.column(name))
            told = np.array([text.casefold() in allowed for text in given.dictionary.to_pylist()] + [False])
            each_fits &= told[given.indices.to_numpy(zero_copy_only=False)]
        fits |= each_fits
    return fits


def _iso(times: Array) -> pa.Array:
    known = times >= EARLIEST
    moments = pa.array(np.where(known, times, 0), pa.int64(), mask=~known).cast(pa.timestamp("s", tz="UTC"))
    return pc.strftime(moments, format="%Y-%m-%dT%H:%M:%SZ")


def _filled(rows: pa.Table) -> pa.Table:
    """Empty texts as unknown, and columns of which nothing is known left out."""
    for place, name in enumerate(rows.column_names):
        if pa.types.is_string(rows[name].type):
            values = rows[name]
            rows = rows.set_column(place, name, pc.if_else(pc.equal(values, ""), None, values))
    return rows.select([name for name in rows.column_names if rows[name].null_count < len(rows)])
