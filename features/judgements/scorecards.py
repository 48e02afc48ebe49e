"""The scorecards: the seven steps of the gauntlet, the eight signals of depth, the four pillars.

Each is a pure function of the indicators of a matrix's rows and holds figures against the marks of the registry. What
is unknown neither helps nor harms: a card says "unknown" where there is no evidence. No model has a part in it. The
length of a relationship is in none of them, and friendly words alone pass no step of the gauntlet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from features import settings
from features.histories.log import Array
from features.judgements.readings import (
    LONGER,
    MET,
    MISSED,
    UNKNOWN,
    USUAL,
    Reading,
    held_against_marks,
    marked,
    readings,
)
from features.matrix import Matrix

PassOrFail = Literal["pass", "fail", "unknown"]
DeepOrShallow = Literal["deep", "shallow", "unknown"]
StrongOrWeak = Literal["strong", "weak", "unknown"]


@dataclass(frozen=True)
class Step:
    """One step of the gauntlet: the verdict and the figures that decided it, beside their marks."""

    number: int
    name: str
    verdict: PassOrFail
    figures: tuple[Reading, ...]


@dataclass(frozen=True)
class DepthSignal:
    """One of the eight signals of depth; ``weight`` is what it counts in the whole."""

    number: int
    name: str
    weight: int
    verdict: DeepOrShallow
    figures: tuple[Reading, ...]


@dataclass(frozen=True)
class Depth:
    """The depth of a relationship: the whole, how much of the known weight is deep, and the eight signals."""

    verdict: DeepOrShallow
    deep_weight: int
    known_weight: int
    signals: tuple[DepthSignal, ...]


@dataclass(frozen=True)
class Pillar:
    """One of the four pillars: the verdict, and how many of its known marks are met."""

    number: int
    name: str
    verdict: StrongOrWeak
    marks_met: int
    marks_known: int
    figures: tuple[Reading, ...]


def every_known(stands: Array) -> Array:
    """int8 (rows,): MET where every known mark of a row is met, MISSED where one is not, UNKNOWN where none is known.

    >>> every_known(np.array([[1, -1], [1, 0], [-1, -1]])).tolist()
    [1, 0, -1]
    """
    known, missed = (stands != UNKNOWN).any(axis=1), (stands == MISSED).any(axis=1)
    return np.where(missed, MISSED, np.where(known, MET, UNKNOWN)).astype(np.int8)


def both(stands: Array) -> Array:
    """int8 (rows,): MET where all marks of a row are known and met, MISSED where one is missed, else UNKNOWN.

    >>> both(np.array([[1, 1], [1, -1], [0, -1]])).tolist()
    [1, -1, 0]
    """
    unknown = (stands == UNKNOWN).any(axis=1) | (stands.shape[1] == 0)
    return np.where((stands == MISSED).any(axis=1), MISSED, np.where(unknown, UNKNOWN, MET)).astype(np.int8)


def either(stands: Array) -> Array:
    """int8 (rows,): MET where one mark of a row is met, MISSED where all are known and none is, else UNKNOWN.

    >>> either(np.array([[1, -1], [0, -1], [0, 0]])).tolist()
    [1, -1, 0]
    """
    unknown = (stands == UNKNOWN).any(axis=1) | (stands.shape[1] == 0)
    return np.where((stands == MET).any(axis=1), MET, np.where(unknown, UNKNOWN, MISSED)).astype(np.int8)


@dataclass(frozen=True)
class _Rule:
    """What decides a step: which rows of the list, taken together how, over which window."""

    name: str
    rows: tuple[str, ...]
    decide: Callable[[Array], Array]
    window: str = USUAL


GAUNTLET = (
    _Rule("They answer us", ("G1a", "G1b", "G1c", "G1d"), every_known),
    _Rule("They do what they said", ("G2a", "G2b", "G2c"), every_known),
    _Rule("They talk with us on many channels", ("G3a",), both),
    _Rule("They turn to personal matters", ("G4a", "G4d"), both),
    _Rule("They vouch for us", ("G5a", "G5b"), either, LONGER),
    _Rule("They take us to their superiors", ("G6a",), both, LONGER),
    _Rule("They praise us in public, unasked", ("G7",), both, LONGER),
)
"""The seven steps in order; each is decided by these rows alone, whatever the others say."""

_DEPTH = {
    "D1": ("They ask for our help", ("D1a", "D1b")),
    "D2": ("They act on our advice", ("D2",)),
    "D3": ("They send others to us", ("D3a", "D3b")),
    "D4": ("They do not argue about fees", ("D4",)),
    "D5": ("They forgive our mistakes", ("D5a", "D5b")),
    "D6": ("They give us weighty work", ("D6a", "D6b")),
    "D7": ("They call us in early", ("D7",)),
    "D8": ("They respect us", ("D8a", "D8b", "D8c", "D8d", "D8e", "D8f", "D8g")),
}

_PILLARS = (
    ("Common ground", ("P1a", "P1b", "P1c")),
    ("Deals that serve both", ("P2a", "P2b", "P2c")),
    ("Care between sales", ("P3a", "P3b", "P3c")),
    ("Effort where it pays", ("P4a", "P4b")),
)
_STANDS_IN = "P3c"
"""A row whose figures stand in for one another: one mark in all, met where one of them is."""


def gauntlet(matrix: Matrix) -> list[tuple[Step, ...]]:
    """The seven steps for each row of the matrix, in order."""
    words: dict[int, PassOrFail] = {MET: "pass", MISSED: "fail", UNKNOWN: "unknown"}
    steps = []
    for number, rule in enumerate(GAUNTLET, 1):
        places = marked(matrix, rule.rows, rule.window)
        verdicts = rule.decide(held_against_marks(matrix, places)).tolist()
        steps.append(
            [
                Step(number, rule.name, words[verdict], figures)
                for verdict, figures in zip(verdicts, readings(matrix, places), strict=True)
            ]
        )
    return list(zip(*steps, strict=True))


def depth(matrix: Matrix) -> list[Depth]:
    """The eight signals and the whole for each row of the matrix.

    A signal is deep where every known mark of its rows is met. The whole is deep where two thirds of the known weight
    is, with at least ``settings.DEPTH_SIGNALS_NEEDED`` signals known.
    """
    words: dict[int, DeepOrShallow] = {MET: "deep", MISSED: "shallow", UNKNOWN: "unknown"}
    signals, verdicts = [], np.empty((len(matrix), len(_DEPTH)), dtype=np.int8)
    for place, (signal, (name, rows)) in enumerate(_DEPTH.items()):
        columns = marked(matrix, rows)
        verdicts[:, place] = every_known(held_against_marks(matrix, columns))
        weight = settings.DEPTH_WEIGHTS[signal]
        signals.append(
            [
                DepthSignal(place + 1, name, weight, words[verdict], figures)
                for verdict, figures in zip(verdicts[:, place].tolist(), readings(matrix, columns), strict=True)
            ]
        )
    weights = np.array([settings.DEPTH_WEIGHTS[signal] for signal in _DEPTH])
    deep, known = (verdicts == MET) @ weights, (verdicts != UNKNOWN) @ weights
    enough = (verdicts != UNKNOWN).sum(axis=1) >= settings.DEPTH_SIGNALS_NEEDED
    whole = np.where(enough, two_thirds(deep, known), UNKNOWN).tolist()
    return [
        Depth(words[verdict], part, weight, eight)
        for verdict, part, weight, eight in zip(
            whole, deep.tolist(), known.tolist(), zip(*signals, strict=True), strict=True
        )
    ]


def pillars(matrix: Matrix) -> list[tuple[Pillar, ...]]:
    """The four pillars for each row of the matrix: strong where two thirds of the known marks are met."""
    words: dict[int, StrongOrWeak] = {MET: "strong", MISSED: "weak", UNKNOWN: "unknown"}
    found = []
    for number, (name, rows) in enumerate(_PILLARS, 1):
        places = marked(matrix, rows)
        own = [place for place in places if matrix.indicators[place].signal.id != _STANDS_IN]
        stands = held_against_marks(matrix, own)
        if len(own) < len(places):
            alike = held_against_marks(matrix, [place for place in places if place not in own])
            stands = np.column_stack((stands, alike.max(axis=1)))
        met, known = (stands == MET).sum(axis=1), (stands != UNKNOWN).sum(axis=1)
        verdicts = two_thirds(met, known).tolist()
        found.append(
            [
                Pillar(number, name, words[verdict], part, whole, figures)
                for verdict, part, whole, figures in zip(
                    verdicts, met.tolist(), known.tolist(), readings(matrix, places), strict=True
                )
            ]
        )
    return list(zip(*found, strict=True))


def two_thirds(part: Array, known: Array) -> Array:
    """int8: MET where the part is at least two thirds of what is known, MISSED where less, UNKNOWN where nothing is.

    >>> two_thirds(np.array([2, 1, 0]), np.array([3, 3, 0])).tolist()
    [1, 0, -1]
    """
    numerator, denominator = settings.TWO_THIRDS
    return np.where(known == 0, UNKNOWN, part * denominator >= known * numerator).astype(np.int8)
