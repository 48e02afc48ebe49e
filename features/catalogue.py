"""The registry in words: what each column of the matrix is, for the command line, the documents, the API.

``docs/indicators.md`` is made from it: ``rapport catalogue --format markdown > docs/indicators.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import groupby
from typing import Any

import features.signals  # noqa: F401  (registers every family)
from features import settings
from features.histories.log import DAY
from features.indicators import REGISTRY, Indicator
from features.own_columns import SOURCE as OWN


@dataclass(frozen=True)
class Family:
    """The signals of one source document."""

    name: str
    meaning: str


FAMILIES = {
    "G": Family(
        "gauntlet",
        "Seven steps that a client takes only with a supplier it values: from answering at the first attempt to "
        "praising it in public without being asked.",
    ),
    "D": Family("depth", "Eight signals that tell a deep relationship from one that is merely long or friendly."),
    "L": Family(
        "life cycle",
        "What carries an account from courting over contract and continuation to commitment and convergence, and what "
        "makes it slip back. The stage itself is told with each score.",
    ),
    "W": Family("warmth", "How well we treat the client: these are signals of our own conduct."),
    "P": Family(
        "pillars",
        "What a long relationship rests on: common ground, deals that serve both sides, care between sales, and effort "
        "spent where it pays.",
    ),
}
"""The families by the letter with which their signals' ids begin."""

WINDOWS = {
    **{name: f"the last {name.removesuffix('d')} days" for name in settings.WINDOWS if name != "all"},
    settings.LONGER_WINDOW[0]: f"the last {settings.LONGER_WINDOW[0].removesuffix('d')} days, for what is rare",
    "all": "everything up to `t`",
    "trend": "recent change, the last 90 days against the last 365: the difference of shares and means, the natural "
    "logarithm of the ratio of rates, times and delays; it has no mark",
    "since": "days from the last observation to `t`",
    "now": "as things stand at `t`",
}
"""What the windows are, in the order in which they are listed."""


@dataclass(frozen=True)
class Entry:
    """One indicator in words. The names of the fields are the keys of the JSON; each says what it holds."""

    id: str = field(metadata={"holds": "id of the signal in the documented list (`G1a`)"})
    column: str = field(metadata={"holds": "column of the matrix, unique: `id.name.window`"})
    family: str = field(
        metadata={"holds": ", ".join(f"`{family.name}`" for family in FAMILIES.values()) + f", `{OWN}` for own columns"}
    )
    signal_name: str = field(metadata={"holds": "name of the signal"})
    signal_meaning: str = field(metadata={"holds": "what the signal tells"})
    name: str = field(metadata={"holds": "name of the figure, the same over all its windows"})
    meaning: str = field(metadata={"holds": "what the figure tells"})
    formula: str = field(metadata={"holds": "how it is computed"})
    unit: str = field(metadata={"holds": "its unit"})
    window: str = field(metadata={"holds": ", ".join(f"`{window}`" for window in WINDOWS)})
    better: str = field(metadata={"holds": "`up`, `down`, `band`, `U`, `informative` or `context`"})
    mark: str = field(metadata={"holds": "what a strong relationship reaches; empty where there is no mark"})
    origin: str = field(metadata={"holds": "of the mark: `documented` or `ours`; empty where there is no mark"})
    minimum: str = field(metadata={"holds": "least evidence; with less the figure is unknown"})
    portfolio: bool = field(metadata={"holds": "whether it compares the account with all others"})
    source: str = field(metadata={"holds": "number of the source document"})

    @property
    def signal_title(self) -> str:
        """The signal's name as a heading."""
        return self.signal_name[:1].upper() + self.signal_name[1:]


@dataclass(frozen=True)
class FoldedEntry:
    """A figure over all its windows; the first speaks for all, but that a trend has its own unit and no mark."""

    first: Entry
    windows: tuple[str, ...]

    @property
    def mark(self) -> str:
        """The mark and where it comes from, empty where there is none."""
        return f"{self.first.mark} ({self.first.origin})" if self.first.mark else ""


def entries(indicators: Sequence[Indicator] | None = None) -> list[Entry]:
    """Indicators in words; all documented ones, in the order of the matrix's columns, unless others are given."""
    return [_entry(indicator) for indicator in (REGISTRY.in_order() if indicators is None else indicators)]


def _entry(indicator: Indicator) -> Entry:
    mark, signal = indicator.mark, indicator.signal
    return Entry(
        id=signal.id,
        column=indicator.column,
        family=OWN if signal.source == OWN else FAMILIES[signal.id[0]].name,
        signal_name=signal.name,
        signal_meaning=signal.meaning,
        name=indicator.name,
        meaning=indicator.meaning,
        formula=indicator.formula,
        unit=indicator.unit,
        window=indicator.window,
        better="context" if indicator.context else indicator.better or "informative",
        mark="" if mark is None else str(mark),
        origin="" if mark is None else "documented" if mark.documented else "ours",
        minimum=_counted(indicator.minimum, indicator.evidence_unit),
        portfolio=indicator.portfolio,
        source=signal.source,
    )


def _counted(number: int, units: str) -> str:
    """Number and unit, which is given in the plural.

    >>> _counted(5, "wins decided"), _counted(1, "wins decided")
    ('5 wins decided', '1 win decided')
    """
    return f"{number} {units}" if number != 1 else "1 " + re.sub(r"s\b", "", units)


def folded(rows: Iterable[Entry]) -> list[FoldedEntry]:
    """One row for each figure, with the windows over which it exists."""
    windows: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], Entry] = {}
    for row in rows:
        windows.setdefault((row.id, row.name), []).append(row.window)
        first.setdefault((row.id, row.name), row)
    order = list(WINDOWS)
    return [FoldedEntry(row, tuple(sorted(windows[key], key=order.index))) for key, row in first.items()]


def as_documents(rows: Sequence[Entry]) -> list[dict[str, Any]]:
    """The rows as plain dictionaries, for JSON."""
    return [asdict(row) for row in rows]


_INTRODUCTION = f"""# The indicators

This page is made from the registry (`rapport catalogue --format markdown > docs/indicators.md`); `--format json` gives
every column, `--format table` the same for the terminal.

A *signal* (`G1a`) is one thing that the source documents, numbered 000 to 004, say about a client relationship. Each of
its figures is an *indicator*, a column of the matrix for each of its windows: `G1a.first_attempt_response_rate.365d`.
Every figure is as of a moment `t` and uses only what was known then.

- **Unknown** is an answer. A figure with less evidence than it needs is missing: it is not zero and not bad, and
  models, scorecards and explanations say "no evidence yet". That none of something was seen counts as zero only once
  the account was observed for {settings.ZERO_IS_A_FACT_AFTER // DAY} days in data that declare to record that kind.
- **Least evidence** is what a figure needs to be known: as a rule {settings.MINIMUM_OBSERVATIONS} observations for a
  share, mean or median, and {settings.MINIMUM_OBSERVED_DAYS} observed days for a rate.
- **Better** says in which direction the relationship is stronger. `up` and `down` bind the model: a better figure
  never raises the risk. `band` (best in the middle), `U` (best at both ends) and `informative` leave the direction to
  the data. `context` is a fact on which every risk depends, shown as a fact and never as a merit.
- **Mark** is what a strong relationship reaches: *documented*, as its source gives it, or *ours*, our choice where the
  source gives only words. Scorecards and warmth hold figures against their marks; the model does not.
- **Our own volume** is no evidence: counts of what we do count at most {settings.OUR_CONDUCT_PER_CLIENT_TOUCH} for
  each touch of the client, so that unanswered activity of ours improves no figure.
- **Compared with the portfolio** are the figures with \\*: what all other accounts are like is measured at each month
  start and known from then on.

A *touch* is one message, call or held meeting; automatic mail is none. An *outreach* is a touch of ours that opens a
conversation or takes it up again.

A window of `w` days is the time `(t − w, t]`: after its beginning, up to and including `t`.

| window | is |
|---|---|
"""


def as_markdown(rows: Sequence[Entry]) -> str:
    """The page ``docs/indicators.md``: one section for each family and signal, one row for each figure."""
    lines = [_INTRODUCTION + "\n".join(_cells(f"`{window}`", meaning) for window, meaning in WINDOWS.items())]
    for family, of_family in groupby(folded(rows), key=lambda row: row.first.id[0]):
        lines += ["", f"## {FAMILIES[family].name.capitalize()}", "", FAMILIES[family].meaning]
        for _, of_signal in groupby(of_family, key=lambda row: row.first.id):
            lines += _signal_part(list(of_signal))
    lines += ["", "## Keys of the JSON", "", "The JSON is a list with an object for each column.", ""]
    lines += ["| key | holds |", "|---|---|"]
    lines += [_cells(f"`{one.name}`", one.metadata["holds"]) for one in fields(Entry)]
    return "\n".join([*lines, ""])


def _signal_part(rows: Sequence[FoldedEntry]) -> list[str]:
    signal = rows[0].first
    return [
        "",
        f"### {signal.id} {signal.signal_title}",
        "",
        f"{signal.signal_meaning}. (Source: {signal.source})",
        "",
        "| figure | meaning | formula | unit | windows | better | mark | least evidence |",
        "|---|---|---|---|---|---|---|---|",
        *(
            _cells(
                f"`{row.first.name}`" + (" \\*" if row.first.portfolio else ""),
                row.first.meaning,
                row.first.formula,
                row.first.unit,
                " ".join(row.windows),
                row.first.better,
                row.mark,
                row.first.minimum,
            )
            for row in rows
        ),
    ]


def _cells(*values: str) -> str:
    """A row of a Markdown table.

    >>> print(_cells("|x|", "y"))
    | \\|x\\| | y |
    """
    return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"
