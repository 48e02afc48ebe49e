"""The scorecards of each account together, as plain data: nothing in them is learned, so they need no model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from features.judgements.scorecards import Depth, Pillar, Step, depth, gauntlet, pillars
from features.judgements.warmth import Warmth, warmth
from features.matrix import Matrix

COLUMNS = (
    "gauntlet_passed",
    "gauntlet_known",
    *(f"gauntlet_{number}" for number in range(1, 8)),
    "depth",
    *(f"depth_{number}" for number in range(1, 9)),
    *(f"pillar_{number}" for number in range(1, 5)),
    "warmth",
    "warmth_place",
    "warmth_known",
)
"""The columns of ``flat``."""


@dataclass(frozen=True)
class Scorecards:
    """One account's: the seven steps of the gauntlet, depth, the four pillars, warmth."""

    gauntlet: tuple[Step, ...]
    depth: Depth
    pillars: tuple[Pillar, ...]
    warmth: Warmth

    @property
    def steps_passed(self) -> int:
        """Steps of the gauntlet that are passed."""
        return sum(step.verdict == "pass" for step in self.gauntlet)

    @property
    def steps_known(self) -> int:
        """Steps of the gauntlet of which something is known."""
        return sum(step.verdict != "unknown" for step in self.gauntlet)


def scorecards(matrix: Matrix) -> list[Scorecards]:
    """The scorecards of each row of a matrix."""
    whole = zip(gauntlet(matrix), depth(matrix), pillars(matrix), warmth(matrix), strict=True)
    return [Scorecards(*four) for four in whole]


def card_document(cards: Scorecards) -> dict[str, Any]:
    """As ``schemas.Scorecards`` describes them; unknown figures are None, unknown verdicts "unknown"."""
    return asdict(cards)


def flat_cards(cards: Scorecards) -> dict[str, Any]:
    """One row of a table, by ``COLUMNS``; warmth is None where unknown, verdicts then say so."""
    return {
        "gauntlet_passed": cards.steps_passed,
        "gauntlet_known": cards.steps_known,
        **{f"gauntlet_{step.number}": step.verdict for step in cards.gauntlet},
        "depth": cards.depth.verdict,
        **{f"depth_{signal.number}": signal.verdict for signal in cards.depth.signals},
        **{f"pillar_{pillar.number}": pillar.verdict for pillar in cards.pillars},
        "warmth": cards.warmth.degrees,
        "warmth_place": cards.warmth.place,
        "warmth_known": cards.warmth.known,
    }
