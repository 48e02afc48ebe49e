"""What a signal, a mark and an indicator are, and the registry of all of them.

A *signal* is a row of the documented list (``G1a``, ``D8f`` …). Each figure of a signal is an *indicator*: one column
of the matrix, with its own unit, direction, mark and minimum evidence. All else follows from the registry: matrix
columns, monotone constraints, explanations, scorecards, the catalogue and the contract test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from features.frame import Frame

Better = Literal["up", "down", "band", "U"]
Comparison = Literal[">=", "<=", ">", "between"]


@dataclass(frozen=True)
class Mark:
    """The threshold that a strong relationship meets.

    >>> Mark(">=", 0.75, documented=True).met(0.8)
    True
    >>> Mark("between", 0.35, 0.65).met(0.7)
    False
    >>> print(Mark("<=", 3).met(float("nan")))
    None
    """

    comparison: Comparison
    value: float
    upper: float | None = None
    documented: bool = False

    def met(self, figure: float) -> bool | None:
        """Whether a figure meets the mark; None where the figure is unknown (NaN)."""
        if math.isnan(figure):
            return None
        if self.comparison == ">=":
            return figure >= self.value
        if self.comparison == ">":
            return figure > self.value
        if self.comparison == "<=":
            return figure <= self.value
        assert self.upper is not None
        return self.value <= figure <= self.upper

    def __str__(self) -> str:
        if self.comparison == "between":
            return f"{self.value:g} to {self.upper:g}"
        return f"{self.comparison} {self.value:g}"


@dataclass(frozen=True)
class Signal:
    """A row of the documented list: its id, its name, the sentence a director reads, and the source documents."""

    id: str
    name: str
    meaning: str
    source: str


class Figure(NamedTuple):
    """What an indicator computes: ``value`` float64 (rows,), NaN for unknown; ``evidence`` int64 (rows,), counts."""

    value: np.ndarray
    evidence: np.ndarray


@dataclass(frozen=True)
class Indicator:
    """One column of the matrix.

    ``better`` "up" and "down" become monotone constraints of the risk model; "band" and "U" and None do not.
    ``context`` marks facts that every risk depends on, shown as facts and never as a merit (L5).
    ``portfolio`` marks those that compare the account with all others, as of the latest month start.
    ``minimum`` is the least evidence (in ``evidence_unit``) below which the figure is unknown.
    """

    column: str
    signal: Signal
    name: str
    window: str
    meaning: str
    formula: str
    unit: str
    better: Better | None
    mark: Mark | None
    minimum: int
    evidence_unit: str
    low: float
    high: float
    compute: Callable[[Frame], Figure]
    context: bool = False
    portfolio: bool = False

    @property
    def constraint(self) -> int:
        """Direction of the switching risk in this column: -1 where more is better, +1 where less is, else 0."""
        if self.context:
            return 0
        return {"up": -1, "down": 1}.get(self.better or "", 0)


class Registry:
    """Signals and indicators in the order in which they were registered; names are unique."""

    def __init__(self) -> None:
        self.signals: dict[str, Signal] = {}
        self.indicators: dict[str, Indicator] = {}
        self._in_order: tuple[Indicator, ...] = ()

    def signal(self, id: str, name: str, meaning: str, source: str) -> Signal:
        """Register a signal and return it; a second one of the same id is an error."""
        if id in self.signals:
            raise ValueError(f"signal {id} is registered twice")
        self.signals[id] = Signal(id, name, meaning, source)
        return self.signals[id]

    def add(self, indicators: Iterable[Indicator]) -> None:
        """Register indicators; a second one of the same column name is an error."""
        for indicator in indicators:
            if indicator.column in self.indicators:
                raise ValueError(f"indicator {indicator.column} is registered twice")
            if indicator.signal.id not in self.signals:
                raise ValueError(f"indicator {indicator.column} names an unregistered signal")
            self.indicators[indicator.column] = indicator

    def in_order(self) -> tuple[Indicator, ...]:
        """All indicators in the order of the documents: gauntlet, depth, life cycle, warmth, pillars."""
        if len(self._in_order) != len(self.indicators):
            self._in_order = tuple(sorted(self.indicators.values(), key=lambda one: _place(one.signal.id)))
        return self._in_order


def _place(signal: str) -> tuple[int, str]:
    return "GDLWP".index(signal[0]), signal[1:]


REGISTRY = Registry()
