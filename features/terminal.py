"""Tables on a terminal, and the catalogue there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from features.catalogue import FoldedEntry

WIDE = 160
"""Columns of a table that goes to a file or a pipe."""


def console() -> Console:
    """Where results are shown: as wide as the terminal, or else ``WIDE``."""
    found = Console(highlight=False, markup=False)
    return found if found.is_terminal else Console(highlight=False, markup=False, width=WIDE)


def new_table(*columns: str, title: str | None = None) -> Table:
    """An empty table; the first column is never wrapped."""
    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    table.columns[0].no_wrap = True
    return table


def show_family(family: str, figures: list[FoldedEntry]) -> None:
    table = new_table("figure", "what it is", title=f"{family.capitalize()} (source {figures[0].first.source})")
    signal = ""
    for row in figures:
        one = row.first
        if one.id != signal:
            signal = one.id
            table.add_section()
            table.add_row(Text(signal, "bold"), Text.assemble((one.signal_title, "bold"), f"\n{one.signal_meaning}\n"))
        better = one.better if one.better in ("informative", "context") else f"better: {one.better}"
        told = [one.unit, better, *([f"mark {row.mark}"] if row.mark else []), f"needs {one.minimum}"]
        described = Text.assemble(one.meaning, (f"\n= {one.formula}\n{', '.join(told)}\n", "dim"))
        table.add_row(f"{one.id}.{one.name}\n{' '.join(row.windows)}", described)
    console().print(table)
