"""What the exports of a CRM look like: data files, one for each CRM, in the language of mappings.

A data file names the CRM's objects in the order in which they are read (an object may refer to earlier ones). An object
has forms (the columns by which a file of it is recognised) and parts (what its rows become). A part is a section of a
mapping, with three additions:

- ``where`` chooses its rows: a table of columns and the values they must have, or a list of such tables of which one
  must fit. A row goes to the first part that fits; ``leave_out`` instead of ``table`` names rows that are left out.
- Beside canonical columns it may fill the columns of ``AUXILIARY``, from which ``reading`` works out the rest.
- The object's ``columns`` count for all of its parts.

Names of columns match whatever their case, blanks and punctuation, so that ``Created On`` is ``createdon``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from features.histories.columns import Column, ColumnType, Table
from features.histories.tables import ACCOUNTS, CONTACTS, DEALS, INTERACTIONS
from features.sources.mapping import Section, check_keys, checked_zone, read_section, read_toml
from features.sources.readers import SourceError
from features.sources.written import DECIMALS, ORDERS

_FOLDER = Path(__file__).parent
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")

_TITLE = Column("title", "text", "what other records call it that refer to it by name")
_DELETED = Column("deleted", "bool", "the CRM has deleted or archived the record")
_CONTACT = Column("contact_id", "id", "the person, from whom the account follows where no account is given")
_DEAL = Column("deal", "id", "the deal that it belongs to, from which the account follows")
_CASE = Column("case", "id", "the case that it belongs to, from which the account follows")
_REGARDING = Column("regarding", "id", "a record of any kind that it belongs to, from which the account follows")

AUXILIARY: Mapping[str, tuple[Column, ...]] = {
    "accounts": (_DELETED,),
    "contacts": (
        _DELETED,
        Column("first_name", "text", "first name, where there is no whole name"),
        Column("last_name", "text", "last name, where there is no whole name"),
    ),
    "deals": (
        _DELETED,
        _TITLE,
        _CONTACT,
        _REGARDING,
        Column("contract", "id", "the contract that holds its start and end"),
        Column("won", "bool", "the CRM's own flag of a deal won"),
        Column("lost", "bool", "the CRM's own flag of a deal lost"),
        Column("closed", "bool", "the CRM's own flag of a deal closed"),
        Column("stage", "text", "the stage, for exports without flags"),
        Column("changed_at", "time", "when the CRM noted the change to the present stage"),
        Column("home_amount", "float", "the amount in the CRM's own currency"),
        Column("currency", "text", "the currency of the amount"),
    ),
    "interactions": (
        _DELETED,
        _TITLE,
        _DEAL,
        _CASE,
        _REGARDING,
        Column("from_address", "text", "mail address of the sender"),
        Column("to_address", "text", "mail addresses of those written to"),
        Column("clock", "text", "time of day, where `at` is a date"),
        Column("ended_at", "time", "when it ended"),
        Column("closed", "bool", "a case that is closed"),
        Column("repeats", "id", "the record of another object that tells of the same"),
    ),
    "contracts": (),
}
"""Columns of data files that are no canonical ones, by table."""

CONTRACTS = Table(
    "contracts",
    (
        Column("contract_id", "id", "the contract", required=True),
        Column("starts_on", "time", "first day"),
        Column("ends_on", "time", "last day"),
        Column("deleted", "bool", "the CRM has deleted the record"),
    ),
    key="contract_id",
)
"""Contracts that a CRM keeps apart from deals; they become the start and the end of a deal."""

_TABLES = {table.name: table for table in (ACCOUNTS, CONTACTS, DEALS, INTERACTIONS, CONTRACTS)}

_CRM_KEYS = ("name", "pages", "time_zone", "separator", "case_safe_ids", "prefixes", "ours", "stages", "own", "objects")
_OBJECT_KEYS = ("name", "linked_as", "prefix", "standard", "columns", "forms", "parts")
_FORM_KEYS = ("columns", "any", "without", "given")
_PART_KEYS = ("table", "leave_out", "where", "columns", "over")
_OPTION_KEYS = ("time_zone", "dates", "decimal", "currency", "ours", "stages", "types", "accounts", "contacts", "deals")


def folded(name: str) -> str:
    """A name without case, blanks and punctuation, and without the ending of Salesforce's custom fields.

    Odoo's ``.id`` (of the database) stays apart from its ``id`` (external).

    >>> folded("(Do Not Modify) Modified On"), folded("Renewal_Date__c"), folded("partner_id/.id")
    ('donotmodifymodifiedon', 'renewaldate', 'partneriddatabaseid')
    """
    name = name.strip().casefold().removesuffix("__c")
    if name == ".id" or name.endswith("/.id"):
        name = name[:-3] + "databaseid"
    return _NOT_ALPHANUMERIC.sub("", name)


def _with_folded(section: Section) -> Section:
    """A section whose source columns go by their folded names."""
    origins = {
        name: replace(origin, columns=tuple(dict.fromkeys(map(folded, origin.columns))))
        for name, origin in section.origins.items()
    }
    return replace(section, origins=origins)


@dataclass(frozen=True)
class Form:
    """One form of files of an object: it holds all of ``columns``, one of ``any_of`` and none of ``without`` (folded).

    ``given`` are columns that such a file lacks because they are the same for all of its rows.
    """

    columns: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    def fits(self, names: set[str]) -> bool:
        """Whether a file with these (folded) names of columns is of this form."""
        return (
            names.issuperset(self.columns)
            and (not self.any_of or not names.isdisjoint(self.any_of))
            and names.isdisjoint(self.without)
        )


Condition = Mapping[str, frozenset[str]]
"""Values, in lower case, that each of some columns may have; a column that a file lacks counts as empty."""


@dataclass(frozen=True)
class Part:
    """Rows of an object that become rows of one table, or are left out (``section`` is None then).

    ``over`` is the outcome of what is over and of which the CRM says nothing else.
    """

    where: tuple[Condition, ...]
    section: Section | None
    left_out: str = ""
    over: str = ""

    @property
    def needed(self) -> set[str]:
        """The source columns that it names."""
        named = {name for condition in self.where for name in condition}
        return named | (self.section.needed if self.section else set())


@dataclass(frozen=True)
class Object:
    """A kind of record of a CRM.

    ``linked_as`` ("deal", "case") is in which column others refer to it, ``prefix`` what its columns may begin with;
    ``standard`` matches the vendor's own columns where ``Crm.own`` cannot tell custom ones.
    """

    name: str
    linked_as: str
    prefix: str
    standard: re.Pattern[str] | None
    forms: tuple[Form, ...]
    parts: tuple[Part, ...]

    @cached_property
    def needed(self) -> frozenset[str]:
        """The source columns that it names."""
        return frozenset().union(*(part.needed for part in self.parts))

    def plain(self, name: str) -> str:
        """A column's name without the object's prefix, as in "Deal - Title"."""
        start = self.prefix.casefold()
        return name[len(start) :] if start and name.casefold().startswith(start) else name

    def of_type(self, kind: ColumnType) -> set[str]:
        """The source columns from which columns of a type are filled."""
        return {
            name
            for part in self.parts
            if part.section
            for column, origin in part.section.origins.items()
            if column in part.section.table.column and part.section.table.column[column].type == kind
            for name in origin.columns
        }

    def with_columns(self, added: Mapping[str, Section]) -> Object:
        """The object with canonical columns filled as a user's sections say, by table."""
        parts = []
        for part in self.parts:
            section = part.section
            if section and section.table.name in added:
                origins = {**section.origins, **added[section.table.name].origins}
                part = replace(part, section=replace(section, origins=origins))
            parts.append(part)
        return replace(self, parts=tuple(parts))


@dataclass(frozen=True)
class Crm:
    """A CRM's exports.

    ``time_zone`` is that of date-times which the vendor writes as 2024-05-31 14:00:00, ``separator`` what stands
    between several ids in one field, ``prefixes`` tells objects by the beginning of an id, ``ours`` are ids of our own
    company, ``stages`` the outcomes of stages that the vendor ships, ``own`` matches custom fields by their names.
    """

    name: str
    time_zone: str
    separator: str
    case_safe_ids: bool
    prefixes: Mapping[str, str]
    ours: frozenset[str]
    stages: Mapping[str, str]
    own: re.Pattern[str] | None
    objects: tuple[Object, ...]

    def object(self, name: str) -> Object:
        """The object of a name."""
        return next(one for one in self.objects if one.name == name)

    def adapted(self, options: Options) -> Crm:
        """The CRM with the columns that a user's options fill."""
        return replace(self, objects=tuple(one.with_columns(options.columns) for one in self.objects))


@dataclass(frozen=True)
class Options:
    """What an export does not say of itself: the ``[crm]`` of a mapping.

    ``types`` says of own types of activities and cases which type of the vendor's they are, ``stages`` of own stages
    which outcome they mean ("won", "lost", "open"), ``ours`` which accounts are our own company.
    """

    time_zone: str = ""
    dates: str = ""
    decimal: str = ""
    currency: str = ""
    ours: frozenset[str] = frozenset()
    stages: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Section] = field(default_factory=dict)


def read_options(declared: Mapping[str, Any]) -> Options:
    """The ``[crm]`` of a mapping, checked. Raises SourceError.

    ::

        [crm]
        time_zone = "Europe/Berlin"     # of date-times without an offset
        dates = "day first"             # or "month first": how 03/04/2024 is meant
        decimal = ","                   # of numbers such as 1.234,50
        currency = "EUR"                # which amounts count where there are several currencies
        ours = ["Our Company Ltd"]      # accounts that are ourselves, by id or name
        stages = { "65238786" = "won", "Verloren" = "lost" }
        types = { "Complaint" = "Problem", "Demo" = "meeting" }

        [crm.deals]                     # also accounts, contacts: canonical column = as in any mapping
        ends_on = "Contract runs until"
    """
    place = "the mapping's [crm]"
    check_keys(declared, _OPTION_KEYS, place)
    _one_of(declared, "dates", ORDERS, place)
    _one_of(declared, "decimal", DECIMALS, place)
    words = {key: _words(declared.get(key, {}), f"{place} {key}") for key in ("stages", "types")}
    for stage, outcome in words["stages"].items():
        if outcome not in ("won", "lost", "open"):
            raise SourceError(f"{place} stages: {stage!r} = {outcome!r} must be won, lost or open")
    ours = declared.get("ours", [])
    if not isinstance(ours, list) or not all(isinstance(one, str) for one in ours):
        raise SourceError(f"{place} ours: {ours!r} must be a list of ids or names of accounts")
    currency = declared.get("currency", "")
    if not isinstance(currency, str):
        raise SourceError(f"{place} currency: {currency!r} must be a text such as EUR")
    columns = {
        name: _own_columns(_TABLES[name], declared[name], f"{place[:-1]}.{name}]")
        for name in ("accounts", "contacts", "deals")
        if name in declared
    }
    return Options(
        checked_zone(declared.get("time_zone", ""), place),
        declared.get("dates", ""),
        declared.get("decimal", ""),
        currency.upper(),
        frozenset(one.casefold() for one in ours),
        words["stages"],
        words["types"],
        columns,
    )


def _own_columns(table: Table, lines: Any, place: str) -> Section:
    section = read_section(with_auxiliary(table), {"columns": lines}, place)
    for name, line in lines.items():
        for key in ("format", "time_zone", "template", "content"):
            if isinstance(line, dict) and key in line:
                raise SourceError(
                    f"{place} {name}: {key} is not for exports, whose times are all read alike ([crm] dates, time_zone)"
                )
    return _with_folded(section)


def _one_of(declared: Mapping[str, Any], key: str, allowed: Iterable[str], place: str) -> None:
    if key in declared and declared[key] not in allowed:
        raise SourceError(f"{place} {key}: {declared[key]!r} must be one of {', '.join(map(repr, allowed))}")


def _words(given: Any, place: str) -> Mapping[str, str]:
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise SourceError(f"{place}: must be a table of texts")
    return {key.casefold(): value for key, value in given.items()}


def with_auxiliary(table: Table) -> Table:
    """The table with the columns that data files may fill beside its own."""
    return replace(table, columns=table.columns + AUXILIARY[table.name])


@cache
def crms() -> tuple[Crm, ...]:
    """All CRMs, read from the data files."""
    return tuple(_crm(path) for path in sorted(_FOLDER.glob("*.toml")) if path.stem != "lost_reasons")


@cache
def lost_reasons() -> Mapping[str, str]:
    """Canonical reasons of a loss by the words that CRMs and their users have for them (folded)."""
    document = read_toml(_FOLDER / "lost_reasons.toml")
    return {folded(word): reason for reason, words in document.items() for word in words}


def _crm(path: Path) -> Crm:
    document = read_toml(path)
    check_keys(document, _CRM_KEYS, path.name)
    return Crm(
        document["name"],
        document.get("time_zone", ""),
        document.get("separator", ""),
        document.get("case_safe_ids", False),
        document.get("prefixes", {}),
        frozenset(one.casefold() for one in document.get("ours", ())),
        {stage.casefold(): outcome for stage, outcome in document.get("stages", {}).items()},
        re.compile(document["own"], re.IGNORECASE) if "own" in document else None,
        tuple(_object(one, f"{path.name} {one.get('name')}") for one in document["objects"]),
    )


def _object(document: Mapping[str, Any], place: str) -> Object:
    check_keys(document, _OBJECT_KEYS, place)
    standard = document.get("standard")
    return Object(
        document["name"],
        document.get("linked_as", ""),
        document.get("prefix", ""),
        re.compile("|".join(f"(?:{pattern})" for pattern in standard), re.IGNORECASE) if standard else None,
        tuple(_form(form, place) for form in document["forms"]),
        tuple(_part(part, document.get("columns", {}), place) for part in document["parts"]),
    )


def _form(document: Mapping[str, Any], place: str) -> Form:
    check_keys(document, _FORM_KEYS, place)
    columns, any_of, without = (tuple(map(folded, document.get(key, ()))) for key in ("columns", "any", "without"))
    return Form(columns, any_of, without, {folded(name): value for name, value in document.get("given", {}).items()})


def _part(document: Mapping[str, Any], shared: Mapping[str, Any], place: str) -> Part:
    check_keys(document, _PART_KEYS, place)
    where = document.get("where", [{}])
    where = where if isinstance(where, list) else [where]
    conditions = tuple(
        {
            folded(name): frozenset(value.casefold() for value in ([values] if isinstance(values, str) else values))
            for name, values in condition.items()
        }
        for condition in where
    )
    if "leave_out" in document:
        return Part(conditions, None, document["leave_out"])
    table = with_auxiliary(_TABLES[document["table"]])
    given = {name: line for name, line in shared.items() if name in table.column}
    section = read_section(table, {"columns": {**given, **document.get("columns", {})}}, place)
    return Part(conditions, _with_folded(section), over=document.get("over", ""))
