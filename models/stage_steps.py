"""The way to the next stage: what a deal would change, and which signals part the account's stage from the next one.

From courting and contract the next stage is a fact, a deal won; the signals that miss their marks are named beside it,
without a figure, since no model parts these stages. From continuation and commitment the next stage is a director's
judgement: each signal in somebody's hands (``features.hands``) is brought to its mark in every figure that misses it,
and the probability of the next stage or beyond is computed anew. What is unknown misses no mark; it is named apart, as
worth recording.

This is association and no promise: accounts with such figures were more often judged to be at the next stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.hands import HANDS, Hands, in_hands
from features.indicators import Indicator
from features.judgements.readings import MISSED, held_against_marks
from features.judgements.readings import UNKNOWN as NOT_SEEN
from models.help import NOTICEABLE, Target, nearest
from models.stage import COMMITMENT_OR_BEYOND, CONTINUATION_OR_BEYOND, FORMER, STAGES, UNKNOWN, StageModel
from models.wording import missed

if TYPE_CHECKING:
    from features.matrix import Matrix

REST = {
    STAGES[0]: "A first deal won makes it a contract.",
    STAGES[1]: "A second deal won, such as a renewal, makes it a continuation.",
    STAGES[2]: "Accounts with these signals at their marks were more often judged to be at commitment or beyond.",
    STAGES[3]: "Accounts with these signals at their marks were more often judged to be at convergence.",
    STAGES[4]: "There is no stage beyond convergence.",
    CONTINUATION_OR_BEYOND: "There are too few reviews to tell what leads from continuation to commitment.",
    COMMITMENT_OR_BEYOND: "There are too few reviews to tell what leads from commitment to convergence.",
    FORMER: "A deal won makes it a client again.",
    UNKNOWN: "No deals or orders are recorded: the stage is not known.",
}
"""What the next stage rests on, in words, by the present one."""

JUDGED_FROM = STAGES.index("continuation")
"""From this stage on the next one is a judgement."""


@dataclass(frozen=True)
class StageStep:
    """One signal brought to its mark: in whose hands it is and what to do, the figures that miss, and the probability
    of the next stage or beyond then (``change`` is above 0); both None where the next stage is a deal won."""

    signal: str
    name: str
    hands: Hands
    figures: tuple[Target, ...]
    chance: float | None
    change: float | None


@dataclass(frozen=True)
class NotKnown:
    """A signal in somebody's hands of which no marked figure is known."""

    signal: str
    name: str
    hands: Hands


@dataclass(frozen=True)
class NextStage:
    """The way to the next stage, what brings the account nearest to it first.

    ``next_stage`` is None where there is none or too few reviews to tell of it. ``words`` say what it rests on.
    ``chance``: the probability of it or beyond now, None where it is a deal won.
    """

    stage: str
    next_stage: str | None
    words: str
    chance: float | None
    steps: tuple[StageStep, ...]
    not_known: tuple[NotKnown, ...]


def next_stages(model: StageModel, matrix: Matrix) -> list[NextStage]:
    """The way to the next stage of each row of a matrix."""
    offers = in_hands(matrix.indicators)
    stands = np.full((len(matrix), len(matrix.indicators)), NOT_SEEN, dtype=np.int8)
    marked = [place for places in offers.values() for place in places]
    stands[:, marked] = held_against_marks(matrix, marked)
    return [
        _next_stage(model, matrix.indicators, offers, answer.stage, matrix.values[row], stands[row].tolist())
        for row, answer in enumerate(model.predict(matrix))
    ]


def _next_stage(
    model: StageModel,
    indicators: Sequence[Indicator],
    offers: dict[str, list[int]],
    stage: str,
    values: np.ndarray,
    stands: Sequence[int],
) -> NextStage:
    """The way of one account: ``values`` (columns,), and how these stand to their marks."""
    if stage not in STAGES[:-1]:
        return NextStage(stage, None, REST[stage], None, (), ())
    place = STAGES.index(stage)
    missing = {
        signal: missed_ones
        for signal, places in offers.items()
        if (missed_ones := [one for one in places if stands[one] == MISSED])
    }
    not_known = tuple(
        NotKnown(signal, indicators[places[0]].signal.name, HANDS[signal])
        for signal, places in offers.items()
        if all(stands[one] == NOT_SEEN for one in places)
    )

    def step(signal: str, chance: float | None, change: float | None) -> StageStep:
        figures = tuple(_target(indicators[one], float(values[one])) for one in missing[signal])
        return StageStep(signal, indicators[missing[signal][0]].signal.name, HANDS[signal], figures, chance, change)

    if model.judgement is None or place < JUDGED_FROM:
        ours_first = sorted(missing, key=lambda signal: HANDS[signal].who != "us")
        steps = tuple(step(signal, None, None) for signal in ours_first)
        return NextStage(stage, STAGES[place + 1], REST[stage], None, steps, not_known)

    # The account as it is, then with one signal at its mark at a time.
    tried = np.tile(values, (1 + len(missing), 1))
    for row, missed_ones in enumerate(missing.values(), start=1):
        for one in missed_ones:
            tried[row, one] = _at_mark(indicators[one], float(values[one]))
    now, *then = model.judgement.beyond(tried)[:, place - JUDGED_FROM].tolist()
    helps = sorted((now - chance, signal, chance) for signal, chance in zip(missing, then, strict=True))
    steps = tuple(step(signal, chance, -less) for less, signal, chance in helps if -less >= NOTICEABLE)
    return NextStage(stage, STAGES[place + 1], REST[stage], now, steps, not_known)


def _at_mark(indicator: Indicator, value: float) -> float:
    """The nearest value that meets the indicator's mark."""
    assert indicator.mark is not None
    return float(nearest(indicator.mark, np.array([value]))[0])


def _target(indicator: Indicator, value: float) -> Target:
    return Target(indicator.column, value, _at_mark(indicator, value), missed(indicator, value))
