"""From sources of any kind to checked rows: the one door that whatever comes in goes through."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.histories.batch_checks import check_batch
from features.histories.columns import Reject
from features.histories.tables import INTERACTIONS, TABLES
from features.sources import calendar
from features.sources.canonical import TableCounts, joined, no_rows
from features.sources.crm import reading as crm
from features.sources.crm.recognise import recognises as is_crm_export
from features.sources.declarations import Declarations, read_declarations, together
from features.sources.files import is_canonical
from features.sources.mail import reading as mail
from features.sources.mapping import SourceMapping, read_mapping
from features.sources.parties import Person, contact_table
from features.sources.readers import SUFFIXES, SourceError
from features.sources.source import FILE, ROW, Found, Progress
from features.sources.tabular import Checked, Rejects, planned, read_planned

_CHECKED_AT_ONCE = 100_000
_TOLD_OTHERS = 3


@dataclass(frozen=True)
class ImportOptions:
    """How sources are read.

    ``mapping``: a TOML file that names columns and declares what sources do not say. ``our_domains``: our own domains
    and addresses; ``contacts``: a file that says whose an address or a domain is (both beside those of the mapping).
    ``until``: the moment of the import (UTC seconds); what claims to be later is wrong. ``keep_text``: keep what was
    written in mails.
    """

    mapping: Path | None = None
    our_domains: frozenset[str] = frozenset()
    contacts: Path | None = None
    until: int | None = None
    keep_text: bool = False


AS_IS = ImportOptions()


@dataclass(frozen=True)
class Gathered:
    """What sources hold, checked but not settled, as a store takes it.

    ``rows`` by table, own columns as they were read; ``counts`` of rows read and rejected by table; ``ignored`` unknown
    columns by file; ``rejects`` all that was turned away, if it was kept; ``told`` by source of no tables what was read
    there and what kept apart, by word; ``notes`` what a user should know.
    """

    source: str
    rows: Mapping[str, pa.Table]
    declarations: Declarations
    counts: Mapping[str, TableCounts] = field(default_factory=dict)
    ignored: Mapping[str, list[str]] = field(default_factory=dict)
    rejects: Sequence[Reject] = ()
    told: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass
class RejectList:
    """Rejects in memory."""

    rejects: list[Reject] = field(default_factory=list)

    def add(self, rejects: Sequence[Reject], /) -> None:
        """Take some more."""
        self.rejects += rejects


@dataclass(frozen=True)
class _Kind:
    """A kind of source that is told by its content and hands over tables as it found them.

    Both are given the files that were taken for tables, which are no exports of a CRM then.
    """

    name: str
    recognises: Callable[[Path, Container[Path]], bool]
    read: Callable[[Path, Container[Path], SourceMapping, ImportOptions, Progress], Found]


def _read_mail(
    source: Path, taken: Container[Path], mapping: SourceMapping, options: ImportOptions, report: Progress
) -> Found:
    ours, contacts = _people(mapping, options)
    return mail.read(source, mail.MailOptions(ours, contacts, options.until, options.keep_text), report)


def _read_crm(
    source: Path, taken: Container[Path], mapping: SourceMapping, options: ImportOptions, report: Progress
) -> Found:
    return crm.read(source, mapping.crm, report, taken)


def _people(mapping: SourceMapping, options: ImportOptions) -> tuple[frozenset[str], dict[str, Person]]:
    """Our own domains, and whose other addresses are."""
    contacts: dict[str, Person] = {}
    for table in (mapping.contacts, options.contacts):
        contacts |= contact_table(table) if table else {}
    return mapping.our_domains | options.our_domains, contacts


def _read_calendar(
    source: Path, taken: Container[Path], mapping: SourceMapping, options: ImportOptions, report: Progress
) -> Found:
    if options.until is None:
        raise SourceError(f"{source.name}: to read a calendar the moment of the import must be known")
    chosen = calendar.CalendarOptions(options.until, *_people(mapping, options), mapping.calendar_zone)
    return calendar.read(source, chosen, report)


_KINDS = (
    _Kind("CRM export", is_crm_export, _read_crm),
    _Kind("mail", lambda source, taken: mail.recognises(source), _read_mail),
    _Kind("calendar", lambda source, taken: calendar.recognises(source), _read_calendar),
)


def gather(
    sources: Sequence[Path],
    options: ImportOptions = AS_IS,
    progress: Progress | None = None,
    rejects: Rejects | None = None,
) -> Gathered:
    """Read and check what files and folders hold: tables, exports of a CRM, mail, calendars, told by their content.

    What is turned away goes to ``rejects``, or else into the result. Raises SourceError if a source as a whole cannot
    be read.
    """
    report = progress or (lambda step, share: None)
    mapping = read_mapping(options.mapping)
    kept = RejectList()
    checked = Checked(kept if rejects is None else rejects)
    declared, told, notes = list[Declarations](), dict[str, Mapping[str, int]](), list[str]()
    for source in sources:
        if not source.exists():
            raise SourceError(f"{source}: there is no such file or folder")
        declared.append(read_declarations(source, mapping.declared))
        plan = planned(source, mapping)
        read_planned(plan, checked, report)
        taken = {path for _, path in plan}
        kinds = [] if is_canonical(source) else [kind for kind in _KINDS if kind.recognises(source, taken)]
        if not plan and not kinds:
            raise SourceError(_nothing_known(source))
        others: set[str] | None = None
        for kind in kinds:
            found = kind.read(source, taken, mapping, options, report)
            told[f"{source.name} ({kind.name})"] = found.counts
            notes += found.notes
            _check(found, checked, kind.name)
            others = set(found.others) if others is None else others & set(found.others)
        notes += _passed_over(source, sorted((others or set()) - {path.name for path in taken}))
    rows = {name: joined([no_rows(table), *checked.rows.pop(name, [])]) for name, table in TABLES.items()}
    ignored = {file: names for file, names in checked.ignored.items() if names}
    return Gathered(
        ", ".join(map(str, sources)), rows, together(declared), checked.counts, ignored, kept.rejects, told, notes
    )


def _passed_over(source: Path, others: list[str]) -> list[str]:
    """What a user should know of files that hold nothing that is known."""
    if not others:
        return []
    named = ", ".join([*others[:_TOLD_OTHERS], *(["..."] if len(others) > _TOLD_OTHERS else [])])
    return [f"{source.name}: {len(others):,} files hold nothing that is known and were passed over ({named})"]


def _nothing_known(source: Path) -> str:
    endings = ", ".join(SUFFIXES)
    known = f"tables such as interactions.csv ({endings}, or .gz after them), CRM exports, mailboxes and calendars"
    if source.is_dir():
        return f"{source}: holds nothing that is known; what can be read are {known}"
    return f"{source}: is of no known kind; what can be read are {known}. Is it a table of your own? " + (
        f"rapport import --suggest {source.name} proposes a mapping for it"
    )


def _check(found: Found, checked: Checked, source: str) -> None:
    """Check the tables that a source module found, and take over what it turned away itself."""
    checked.rejects.add(found.rejects)
    checked.ignored.update(found.ignored)
    for name, table in TABLES.items():
        rows = found.tables.get(name, pa.table({}))
        for start in range(0, len(rows), _CHECKED_AT_ONCE):
            part = rows.slice(start, _CHECKED_AT_ONCE)
            columns = {column: values for column, values in _columns(part).items() if column not in (FILE, ROW)}
            if table is INTERACTIONS:
                columns.setdefault("source", pa.repeat(pa.scalar(source), len(part)))
            good, _, wrong = check_batch(table, columns, "", np.arange(len(part)))
            places = part.select([one for one in (FILE, ROW) if one in part.column_names])
            checked.add(name, good, len(part), [_placed(reject, places, start) for reject in wrong])


def _columns(rows: pa.Table) -> dict[str, pa.Array]:
    return {name: rows[name].combine_chunks() for name in rows.column_names}


def _placed(reject: Reject, places: pa.Table, start: int) -> Reject:
    """A reject of the row at a place, with the file and row that it came from."""
    place = {name: places[name][reject.row].as_py() for name in places.column_names}
    return replace(reject, file=place.get(FILE) or reject.file, row=place.get(ROW, start + reject.row + 1))
