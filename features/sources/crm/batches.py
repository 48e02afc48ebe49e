"""The rows of exported files, and of records as an API answers them, in batches of the columns that matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.checks import shown
from features.histories.columns import Reject
from features.sources.canonical import joined
from features.sources.crm.definitions import Crm, Form, Object, Options, folded
from features.sources.crm.recognise import Recognised
from features.sources.crm.records import is_json, json_records
from features.sources.crm.rows import Batch, each, text_of
from features.sources.readers import Array, read_chunks
from features.sources.source import Progress

_JSON_ROWS = 50_000


def file_batches(crm: Crm, found: Recognised, options: Options, broken: list[Reject], report: Progress) -> list[Batch]:
    """The rows of a file, in one batch unless it is large JSON; adds rows that cannot be read to ``broken``."""
    file, kind = found.path.name, crm.object(found.object.name)
    if is_json(found.path):
        batches, start = list[Batch](), 1
        records = json_records(found.path)
        while part := list(islice(records, _JSON_ROWS)):
            batches.append(batch_of_records(crm, kind, found.form, file, part, options, start))
            start += len(part)
        report(f"reading {file}", 1.0)
        return batches
    plan = _Columns(crm, kind)
    parts, numbers = list[pa.Table](), list[Array]()
    for chunk in read_chunks(found.path, plan.select):
        report(f"reading {file}", chunk.share)
        broken += [Reject(file, row.row, row.column, shown(row.value), row.allowed) for row in chunk.broken]
        if len(chunk.numbers):
            parts.append(pa.table({name: text_of(values) for name, values in chunk.columns.items()}))
            numbers.append(chunk.numbers)
    if not numbers or not parts[0].num_columns:
        return []
    rows = joined(parts)
    columns = {name: pc.fill_null(rows[name].combine_chunks(), "") for name in rows.column_names}
    return [plan.batch(found.form, file, np.concatenate(numbers), columns, options)]


def batch_of_records(
    crm: Crm, one: Object, form: Form, file: str, records: Sequence[Mapping[str, str]], options: Options, start: int = 1
) -> Batch:
    """Flat records (``records.flat``) as a batch; ``start`` is the number of the first."""
    plan = _Columns(crm, one)
    names = plan.select(dict.fromkeys(name for record in records for name in record))
    columns = {name: text_of(pa.array([record.get(name, "") for record in records], pa.string())) for name in names}
    return plan.batch(form, file, np.arange(start, start + len(records)), columns, options)


@dataclass
class _Columns:
    """Which columns of a file matter: needed ones by folded name, custom ones, and those that are ignored."""

    crm: Crm
    object: Object
    needed: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def select(self, names: Iterable[str]) -> set[str]:
        """The columns that matter, of those that a file holds."""
        for name in names:
            plain = self.object.plain(name)
            key = folded(plain)
            if name in self.needed or name in self.own or name in self.ignored:
                continue
            if key in self.object.needed and key not in self.needed.values():
                self.needed[name] = key
            elif key not in self.object.needed and self._is_own(plain):
                self.own[name] = plain
            else:
                self.ignored.append(name)
        return self.needed.keys() | self.own.keys()

    def _is_own(self, name: str) -> bool:
        if self.crm.own:
            return bool(self.crm.own.search(name))
        return self.object.standard is not None and not self.object.standard.search(name)

    def batch(self, form: Form, file: str, numbers: Array, columns: Mapping[str, pa.Array], options: Options) -> Batch:
        """The columns under the names that the data file has for them; own types read as the vendor's."""
        typed_by = {name for part in self.object.parts for condition in part.where for name in condition}
        taken = {key: columns[name] for name, key in self.needed.items() if name in columns}
        if options.types:
            for key in typed_by & taken.keys():
                taken[key] = each(taken[key], lambda text: options.types.get(text.casefold(), text))
        own = {plain: columns[name] for name, plain in self.own.items() if name in columns}
        return Batch(self.object, form, file, numbers, taken, own, tuple(self.ignored))
