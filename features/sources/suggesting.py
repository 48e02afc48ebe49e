"""A proposal of a mapping for a file: from the names of its columns and from what they hold.

Names are compared with what files usually call the canonical columns (``synonyms.toml``), and values must be of the
column's kind: dates for times, few different words for categories, and so on. The proposal is a draft to be read: every
line says how sure it is and why, columns that were not used are listed, and what only a person can tell (which of day
and month comes first, which time zone) is asked instead of guessed. The proposal is tried on the rows that were looked
at, and says how many of them the import would turn away.
"""

from __future__ import annotations

import glob
import json
import os
import re
import secrets
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import check_batch
from features.histories.columns import OWN_PREFIX, Column, Table
from features.histories.tables import TABLES
from features.histories.values import BLANKS
from features.sources.crm.recognise import recognise
from features.sources.mapping import read_mapping, read_toml
from features.sources.readers import SourceError, read_chunks
from features.sources.written import (
    MONTH_FIRST,
    Ambiguous,
    found_decimal,
    found_order,
    iso,
    plain_number,
    strptime_format,
)

ROWS_LOOKED_AT = 10_000
MOST_CATEGORIES = 50
"""Different values that a category may have."""
SURE, LIKELY = 0.9, 0.6
"""Scores from which on a line is called sure or likely; below it is a guess."""

Kind = Literal["empty", "time", "email", "number", "truth", "category", "id", "text"]
_KIND_WORDS = {
    "empty": "nothing",
    "time": "dates or times",
    "email": "mail addresses",
    "number": "numbers",
    "truth": "yes and no",
    "category": "few different values",
    "id": "many different short values",
    "text": "free text",
}

_SYNONYMS = Path(__file__).parent / "synonyms.toml"
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s?(Z|[+-]\d{2}:?\d{2})?)?")
_NAIVE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_UNIX = re.compile(r"1\d{9}(\.\d+)?")
_UNIX_MS = re.compile(r"1\d{12}")
_TRUTH = frozenset(("true", "false", "yes", "no", "0", "1"))
_ENOUGH = 0.98
_LEAST_SCORE = 0.35
_LONGEST_ID = 64
_WIDEST_LINE = 60
_ZONE_QUESTION = "time_zone:"
_FROM_CONTENT = ("interactions", "deals")
"""Tables whose ids can be made from the rows' contents."""
_PERSONAL = ("text",)
"""Columns that hold what people wrote, which is only taken in where somebody wants it."""


@dataclass(frozen=True)
class Profile:
    """What a column holds.

    ``values`` are its different values and how often each occurs, in the rows looked at. Of times, ``format`` is how
    they are written ("" is ISO 8601), ``unclear`` why that cannot be told, ``zoneless`` whether they lack an offset; of
    numbers, ``decimal`` is their decimal sign where they are not written plainly.
    """

    name: str
    kind: Kind
    values: Counter[str]
    format: str = ""
    unclear: str = ""
    zoneless: bool = False
    decimal: str = ""

    @property
    def filled(self) -> int:
        """How many rows hold a value."""
        return self.values.total()


@dataclass(frozen=True)
class Guess:
    """A line of the mapping: canonical column, what it is set to (TOML), how sure that is (0 to 1), and why."""

    column: str
    line: str
    score: float
    why: str
    open_question: str = ""

    @property
    def needs_zone(self) -> bool:
        """Whether all that is open is the zone of its times."""
        return self.open_question.startswith(_ZONE_QUESTION)

    @property
    def confidence(self) -> str:
        """How sure it is, in a word."""
        return "sure" if self.score >= SURE else "likely" if self.score >= LIKELY else "guess"


@dataclass(frozen=True)
class Suggestion:
    """A proposed mapping of one file to one table.

    ``unused`` are its other columns with what they hold, ``rows`` and ``rejected`` how many rows were looked at and how
    many of them the import would turn away, ``wrong`` the most frequent reasons for that; ``crm`` names the export of
    which CRM the file is, if it is one (it needs no mapping then).
    """

    file: str
    table: str
    guesses: tuple[Guess, ...]
    unused: tuple[tuple[str, str], ...] = ()
    rows: int = 0
    rejected: int = 0
    wrong: tuple[str, ...] = ()
    crm: str = ""
    sheet: str = ""
    questions: tuple[str, ...] = field(default=())

    def toml(self, time_zone: str = "") -> str:
        """The proposal as the text of a mapping file, with the time zone where one is needed and known."""
        lines = [
            f"# Proposed from the names and the first {self.rows:,} rows of {_shown(self.file)}.",
            "# Check every line, then:  rapport import FILE_OR_FOLDER --map THIS_FILE",
        ]
        if self.crm:
            lines.append(
                f"# The file is an export of {self.crm}: `rapport import` takes it as it is, without a mapping."
            )
        if self.rejected:
            lines.append(f"# As it stands, {self.rejected:,} of these rows would be turned away:")
            lines += [f"#     {_shown(reason)}" for reason in self.wrong]
        elif self.rows:
            lines.append("# As it stands, none of these rows would be turned away.")
        if self.questions:
            lines += ["#", "# To be decided by you:", *(f"#   - {_shown(question)}" for question in self.questions)]
        lines += ["", f"[{self.table}]", f"files = {_quoted(glob.escape(self.file))}"]
        if self.sheet:
            lines.append(f"sheet = {_quoted(self.sheet)}")
        if any(guess.needs_zone for guess in self.guesses):
            known = f"time_zone = {_quoted(time_zone)}" if time_zone else '# time_zone = "Europe/Berlin"'
            lines.append(f"{known}   # of times without an offset")
        lines += ["", f"[{self.table}.columns]"]
        width = min(max((len(guess.line) for guess in self.guesses), default=0), _WIDEST_LINE)
        for guess in self.guesses:
            off = "# " if guess.open_question and not guess.needs_zone else ""
            lines.append(f"{off}{guess.line:<{width}}  # {guess.confidence}: {_shown(guess.why)}")
        if self.unused:
            lines += ["", "# Not used:"]
            lines += [f"#   {_shown(name)}: {what}" for name, what in self.unused]
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        """Write the mapping file; it must not exist yet. Raises SourceError."""
        if path.exists():
            raise SourceError(f"{path}: exists; name a new file for the proposed mapping")
        staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            staged.write_text(self.toml(), encoding="utf-8")
            os.replace(staged, path)
        finally:
            staged.unlink(missing_ok=True)


def suggest(path: Path, table: str = "", sheet: str = "") -> Suggestion:
    """A mapping for a CSV, JSON Lines, Parquet or XLSX file; ``table`` says which table it is, if that is known.

    Raises SourceError if the file cannot be read or resembles no table.
    """
    if table and table not in TABLES:
        raise SourceError(f"{table}: there is no such table; there are {', '.join(TABLES)}")
    columns, rows = _sample(path, sheet)
    if not rows:
        raise SourceError(f"{path.name}: holds no rows; a mapping is proposed from values")
    profiles = [profile(name, values) for name, values in columns.items()]
    proposals = {
        name: _assigned(TABLES[name], profiles, _fits_name(path, name)) for name in ([table] if table else TABLES)
    }
    best = max(proposals, key=lambda name: proposals[name][0])
    score, assigned = proposals[best]
    if score <= 0 and not table:
        found = ", ".join(columns)
        raise SourceError(f"{path.name}: resembles no table of {', '.join(TABLES)}; its columns are: {found}")
    return _suggestion(path, sheet, TABLES[best], columns, rows, profiles, assigned)


def _sample(path: Path, sheet: str) -> tuple[dict[str, pa.Array], int]:
    """The first rows of a file as texts."""
    parts: list[dict[str, pa.Array]] = []
    rows = 0
    for chunk in read_chunks(path, set, sheet):
        if len(chunk.numbers):
            parts.append({name: _as_text(values) for name, values in chunk.columns.items()})
            rows += len(chunk.numbers)
        if rows >= ROWS_LOOKED_AT:
            break
    if not parts:
        return {}, 0
    joined = pa.concat_tables([pa.table(part) for part in parts], promote_options="default").slice(0, ROWS_LOOKED_AT)
    columns = {name: pc.fill_null(joined[name].combine_chunks(), "") for name in joined.column_names}
    return columns, len(joined)


def _as_text(values: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(values.type):
        zone = "Z" if values.type.tz else ""
        values = pc.strftime(values.cast(pa.timestamp("s", tz=values.type.tz)), format=f"%Y-%m-%dT%H:%M:%S{zone}")
    return pc.ascii_trim(pc.fill_null(values.cast(pa.string()), ""), characters=BLANKS)


def profile(name: str, values: pa.Array) -> Profile:
    """What a column of texts ("" where empty) holds.

    >>> profile("paid", pa.array(["1.234,50", "", "99,00"])).decimal
    ','
    """
    counts = Counter({one["values"]: one["counts"] for one in pc.value_counts(values).to_pylist() if one["values"]})
    texts = list(counts)
    if not texts:
        return Profile(name, "empty", counts)
    timed = _timed(name, texts, counts)
    if timed:
        return timed
    if _most(texts, _EMAIL.fullmatch):
        return Profile(name, "email", counts)
    if len(texts) <= 2 and all(text.casefold() in _TRUTH for text in texts):
        return Profile(name, "truth", counts)
    number = _numeric(name, texts, counts)
    if number:
        return number
    long = any(len(text) > _LONGEST_ID for text in texts)
    if not long and len(texts) <= MOST_CATEGORIES and (len(texts) * 2 <= counts.total() or len(texts) <= 5):
        return Profile(name, "category", counts)
    spaced = sum(" " in text for text in texts) / len(texts)
    return Profile(name, "text" if long or spaced > 0.5 else "id", counts)


def _most(texts: Sequence[str], fits: Any) -> bool:
    return sum(bool(fits(text)) for text in texts) >= _ENOUGH * len(texts)


def _timed(name: str, texts: Sequence[str], counts: Counter[str]) -> Profile | None:
    if _most(texts, _ISO.fullmatch):
        return Profile(name, "time", counts, zoneless=any(_NAIVE.fullmatch(text) for text in texts))
    words = set(_words(name))
    if words & {"time", "date", "timestamp", "ts", "at", "on", "unix", "epoch"}:
        for form, pattern in (("unix", _UNIX), ("unix_ms", _UNIX_MS)):
            if _most(texts, pattern.fullmatch):
                return Profile(name, "time", counts, form)
    if not _most(texts, lambda text: _ISO.fullmatch(iso(text, MONTH_FIRST))):
        return None
    try:
        form = strptime_format(texts, found_order(texts))
    except Ambiguous as error:
        return Profile(name, "time", counts, strptime_format(texts, MONTH_FIRST), unclear=str(error))
    if not form:
        return Profile(name, "time", counts, unclear="its dates are written in several ways")
    return Profile(name, "time", counts, form, zoneless="%H" in form or "%I" in form)


def _numeric(name: str, texts: Sequence[str], counts: Counter[str]) -> Profile | None:
    try:
        decimal = found_decimal(texts)
    except Ambiguous as error:
        unclear = str(error) if _most(texts, lambda text: _is_number(plain_number(text, "."))) else ""
        return Profile(name, "number", counts, unclear=unclear, decimal=".") if unclear else None
    if not _most(texts, lambda text: _is_number(plain_number(text, decimal))):
        return None
    plain = all(_is_number(text) for text in texts)
    return Profile(name, "number", counts, decimal="" if plain and decimal == "." else decimal)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return not text.casefold().strip("+-").startswith(("n", "i"))


@cache
def _synonyms() -> Mapping[str, Any]:
    return read_toml(_SYNONYMS)


def _words(name: str) -> list[str]:
    """The words of a name, in lower case.

    >>> _words("closedAt"), _words("Close Date"), _words("deal_ID")
    (['closed', 'at'], ['close', 'date'], ['deal', 'id'])
    """
    return [word.casefold() for word in _WORDS.findall(name)]


def _fits_name(path: Path, table: str) -> bool:
    return not set(_words(path.name.split(".")[0])).isdisjoint(_synonyms()["files"][table])


def _named(name: str, table: str, column: Column) -> tuple[float, str]:
    """How well a source column's name fits a canonical column, and why."""
    words = _words(name)
    own = _words(column.name)
    if words == own:
        return 1.0, "the name is the table's own"
    best, which = 0.0, ""
    for synonym in _synonyms().get(table, {}).get(column.name, ()):
        said = synonym.split()
        if words == said:
            # The first synonyms are the plainest.
            return 0.95, f"files often call it so ({synonym})"
        if len(said) <= len(words) and set(said) <= set(words):
            score = 0.75 if len(said) > 1 else 0.5
            if score > best:
                best, which = score, synonym
    return best, f"the name holds {which!r}" if which else ""


def _fitting(column: Column, one: Profile, table: Table) -> float:
    """How well what a column holds fits a canonical column."""
    if one.kind == "empty":
        return 0.3
    distinct = len(one.values) / one.filled
    match column.type:
        case "time":
            return 1.0 if one.kind == "time" else 0.0
        case "float" | "int":
            return 1.0 if one.kind in ("number", "truth") else 0.0
        case "bool":
            return 1.0 if one.kind == "truth" else 0.0
        case "category":
            return _known_share(column, one, table)
        case "id":
            if one.kind in ("time", "text") or (one.kind == "number" and one.decimal):
                return 0.2 if one.kind == "text" else 0.0
            if column.name == table.key and table.name in _FROM_CONTENT:
                return 1.0 if distinct == 1 else 0.3 if distinct > 0.9 else 0.1
            # An account or contact may stand in several rows, over time, but hardly in most.
            return 0.3 if column.name == table.key and distinct < 0.3 else 1.0
    if column.name == "email":
        return 1.0 if one.kind == "email" else 0.0
    return 0.0 if one.kind in ("time", "email") else 0.9


def _known_share(column: Column, one: Profile, table: Table) -> float:
    known = sum(times for value, times in one.values.items() if _meaning(table.name, column, value))
    share = known / one.filled
    return 1.0 if share >= 0.8 else 0.8 if share >= 0.3 else 0.0


def _meaning(table: str, column: Column, value: str) -> str:
    """The canonical value that a value stands for, "" if that is not known."""
    plain = " ".join(_words(value)) or value.casefold()
    if plain.replace(" ", "_") in column.allowed:
        return plain.replace(" ", "_")
    named = _synonyms()["values"].get(table, {}).get(column.name, {})
    return next((meant for meant, words in named.items() if plain in words), "")


def _assigned(
    table: Table, profiles: Sequence[Profile], named_so: bool
) -> tuple[float, dict[str, tuple[Profile, float, str]]]:
    """How much a file resembles a table, and which of its columns fill which of the table's."""
    scored = []
    for column in table.columns:
        for place, one in enumerate(profiles):
            by_name, why = _named(one.name, table.name, column)
            score = by_name * _fitting(column, one, table)
            if score >= _LEAST_SCORE:
                scored.append((score, -place, column.name, one, why))
    scored.sort(key=lambda entry: (-entry[0], -entry[1], entry[2]))
    found: dict[str, tuple[Profile, float, str]] = {}
    used: set[str] = set()
    for score, _, name, one, why in scored:
        if name not in found and one.name not in used:
            found[name] = (one, score, why)
            used.add(one.name)
    required = [column.name for column in table.columns if column.required]
    missing = sum(
        0.25 if name == table.key and table.name in _FROM_CONTENT else 1.0 for name in required if name not in found
    )
    total = sum(score for _, score, _ in found.values())
    # What names a table's own things (a deal's closing, a contact's mail) tells more than what all tables have.
    return total + (1.0 if named_so else 0.0) - missing * 1.2 - 0.5 * (len(profiles) - len(found)) / len(
        profiles
    ), found


def _suggestion(
    path: Path,
    sheet: str,
    table: Table,
    columns: Mapping[str, pa.Array],
    rows: int,
    profiles: Sequence[Profile],
    assigned: Mapping[str, tuple[Profile, float, str]],
) -> Suggestion:
    guesses = [_guess(table, table.column[name], *found) for name, found in assigned.items()]
    guesses += [_missing(table, column) for column in table.columns if column.required and column.name not in assigned]
    used = {one.name for one, _, _ in assigned.values()}
    unused: list[tuple[str, str]] = []
    taken = {guess.column for guess in guesses}
    for one in profiles:
        if one.name in used:
            continue
        own = _own(table, one, taken)
        if own:
            guesses.append(own)
            taken.add(own.column)
        else:
            unused.append((one.name, _KIND_WORDS[one.kind]))
    places = {column.name: place for place, column in enumerate(table.columns)}
    guesses.sort(key=lambda guess: (places.get(guess.column, len(places)), guess.column))
    questions = tuple(dict.fromkeys(guess.open_question for guess in guesses if guess.open_question))
    found = recognise(path)
    crm = f"{found.crm.name} ({found.object.name})" if found else ""
    draft = Suggestion(
        path.name, table.name, tuple(guesses), tuple(unused), rows, crm=crm, sheet=sheet, questions=questions
    )
    rejected, wrong = _tried(draft, columns, rows)
    return Suggestion(
        path.name, table.name, tuple(guesses), tuple(unused), rows, rejected, wrong, crm, sheet, questions
    )


def _guess(table: Table, column: Column, one: Profile, score: float, why: str) -> Guess:
    """The line for a canonical column."""
    details: dict[str, str] = {"column": _quoted(one.name)}
    question = ""
    why = f"{why}; holds {_KIND_WORDS[one.kind]}"
    if column.type == "time":
        if one.format:
            details["format"] = _quoted(one.format)
        if one.unclear:
            score = min(score, 0.3)
            other = one.format.replace("%m", "%x").replace("%d", "%m").replace("%x", "%d")
            ways = f" (write {one.format!r} or {other!r})" if one.format else ""
            question = f"{column.name}: {one.unclear}{ways}"
        elif one.zoneless:
            question = f"{_ZONE_QUESTION} the times in {one.name!r} tell no offset; in which zone were they written?"
    elif column.type in ("float", "int"):
        if one.decimal:
            details["decimal"] = _quoted(one.decimal)
        if one.unclear:
            score = min(score, 0.3)
            question = f'{column.name}: {one.unclear} (write decimal = "." or ",")'
    elif column.type == "category":
        meant = {value: _meaning(table.name, column, value) for value in one.values}
        changed = {value: meaning for value, meaning in meant.items() if meaning and meaning != value}
        unknown = [value for value, meaning in meant.items() if not meaning]
        if changed:
            pairs = ", ".join(f"{_quoted(value)} = {_quoted(changed[value])}" for value in sorted(changed))
            details["values"] = f"{{ {pairs} }}"
        if unknown:
            score = min(score, 0.5)
            told = ", ".join(_shown(value) for value in sorted(unknown)[:8]) + (", ..." if len(unknown) > 8 else "")
            why += f"; not understood: {told}; allowed are {', '.join(column.allowed)}"
    if column.name in _PERSONAL and one.name == column.name:
        # A column that bears the canonical name is taken in unless a line says otherwise.
        return Guess(column.name, f'{column.name} = {{ constant = "" }}', score, "personal: left out by this line")
    if column.name in _PERSONAL:
        question = f"{column.name}: keep what people wrote ({one.name!r})? Without this line it is left out"
    plain = details.keys() == {"column"}
    value = details["column"] if plain else f"{{ {', '.join(f'{key} = {text}' for key, text in details.items())} }}"
    return Guess(column.name, f"{column.name} = {value}", score, why, question)


def _missing(table: Table, column: Column) -> Guess:
    """The line for a required column that the file does not seem to have."""
    if column.name == table.key and table.name in _FROM_CONTENT:
        why = "no column holds ids that are all different; they are made from the rows' contents"
        return Guess(column.name, f"{column.name} = {{ content = true }}", LIKELY, why)
    if column.type == "category":
        question = f"{column.name}: no column tells it; is it the same for all rows ({', '.join(column.allowed)})?"
        line = f"{column.name} = {{ constant = {_quoted(column.allowed[0])} }}"
        return Guess(column.name, line, 0.0, "nothing tells", question)
    question = f"{column.name}: which column holds it ({column.meaning})?"
    return Guess(column.name, f'{column.name} = "?"', 0.0, "nothing tells", question)


def _own(table: Table, one: Profile, taken: set[str]) -> Guess | None:
    """The line for a column that may be an own one: numbers and categories of accounts, deals and interactions."""
    if table.name not in ("accounts", "deals", "interactions") or one.kind not in ("number", "truth", "category"):
        return None
    if one.name.startswith(OWN_PREFIX):
        return None  # is taken as it is
    name = OWN_PREFIX + "_".join(_words(one.name))
    if name == OWN_PREFIX or name in taken:
        return None
    value = _quoted(one.name)
    if one.decimal:
        value = f"{{ column = {value}, decimal = {_quoted(one.decimal)} }}"
    return Guess(
        name, f"{name} = {value}", 0.4, f"a column of your own: {_KIND_WORDS[one.kind]}; leave it out if not needed"
    )


def _tried(draft: Suggestion, columns: Mapping[str, pa.Array], rows: int) -> tuple[int, tuple[str, ...]]:
    """How many of the rows the import would turn away, and the most frequent reasons."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mapping.toml"
        path.write_text(draft.toml(time_zone="UTC"), encoding="utf-8")
        section = read_mapping(path).sections[draft.table][0]
    numbers = pa.array(range(1, rows + 1)).to_numpy()
    filled = section.apply(columns, numbers, draft.file)
    if section.from_content:
        filled[section.from_content] = pa.array([str(number) for number in numbers])
    _, kept, wrong = check_batch(section.table, filled, draft.file, numbers)
    reasons = Counter(f"{reject.column}: {reject.allowed}" for reject in wrong)
    told = tuple(f"{times:,} rows: {reason}" for reason, times in reasons.most_common(5))
    return rows - len(kept), told


def _quoted(text: str) -> str:
    """A text as a TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _shown(text: str) -> str:
    """A text for a comment: on one line, without control characters."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
