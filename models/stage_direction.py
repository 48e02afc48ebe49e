"""Where a relationship is going: the change of its stage between two dates, against the noise of such a change.

Facts of the deal record count first: a first or a second win advances, and a client that is lost slips, whatever any
model says. Between accounts with two or more wins at both dates the *expected stage* is compared, the mean of the
stages' numbers (courting 1 to convergence 5) by their probabilities. It never stands still, so a change is told only
beyond what is usual for accounts whose reviewed stage did not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.stage import COMMITMENT_OR_BEYOND, CONTINUATION_OR_BEYOND, FORMER, STAGES, UNKNOWN, StageAnswer, StageModel

Way = Literal["advancing", "steady", "slipping"]

SPAN_DAYS = 180
"""Between which dates a direction is told, unless asked otherwise. Most figures look back over 365 days, so that little
has changed after 90; after 365 the news is old. Among simulated clients with a mechanism of loss newly at work, the
change told them from unchanged ones with an AUC of about 0.58 after 91 days, 0.64 after 183 and 0.68 after 365."""

BEYOND_NOISE = 1.282
"""A change of so many times the noise is told: normal noise passes that once in ten times to either side."""

_NUMBERS = {stage: number for number, stage in enumerate(STAGES, start=1)} | {
    CONTINUATION_OR_BEYOND: 3,
    COMMITMENT_OR_BEYOND: 4,
}
"""The number of each stage; of merged ones the least that they may be."""


@dataclass(frozen=True)
class Direction:
    """``way`` is None where it is not known: no deals recorded, too few reviews to judge by, or a client already lost.

    ``expected_before`` and ``expected`` are the expected stages, 1 to 5, None where there is none; ``noise`` is the
    usual size of their change without a change of stage, None where the direction is no judgement.
    """

    way: Way | None
    basis: Literal["structural", "judged"]
    expected_before: float | None
    expected: float | None
    noise: float | None = None

    @property
    def change(self) -> float | None:
        """The change of the expected stage, in stages."""
        return None if self.expected is None or self.expected_before is None else self.expected - self.expected_before


def direction(model: StageModel, before: StageAnswer | None, after: StageAnswer) -> Direction:
    """The direction of an account by its stages at two dates, both answered by ``model``; ``before`` is None where
    nothing was known of it then."""
    was, now = None if before is None else expected_stage(before), expected_stage(after)
    if before is None or UNKNOWN in (before.stage, after.stage) or before.stage == after.stage == FORMER:
        return Direction(None, "structural", was, now)
    step = _standing(after) - _standing(before)
    if step or was is None or now is None or _standing(after) < 3:
        return Direction(_way(step), "structural", was, now)
    noise = None if model.judgement is None else model.judgement.noise
    if noise is None:
        return Direction(None, "judged", was, now)
    change = (now - was) / noise
    return Direction(_way(0 if abs(change) < BEYOND_NOISE else change), "judged", was, now, noise)


def expected_stage(answer: StageAnswer) -> float | None:
    """The mean of the stages' numbers, 1 to 5; None for a former client and where the stage is unknown.

    >>> expected_stage(StageAnswer("commitment", {"continuation": 0.25, "commitment": 0.75}, "judged", ()))
    3.75
    """
    if answer.stage in (FORMER, UNKNOWN):
        return None
    return sum(_NUMBERS[stage] * chance for stage, chance in answer.probabilities.items())


def _standing(answer: StageAnswer) -> int:
    """What the facts say: 0 lost, 1 no win, 2 one win, 3 more."""
    return 0 if answer.stage == FORMER else min(_NUMBERS[answer.stage], 3)


def _way(change: float) -> Way:
    return "advancing" if change > 0 else "slipping" if change < 0 else "steady"
