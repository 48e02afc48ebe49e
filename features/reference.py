"""What the matrix needs beside an account's own history; it is kept with the model, so that all read the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from features.own_columns import OwnColumn
from features.portfolio import Portfolio


@dataclass(frozen=True)
class Reference:
    """``portfolio`` is what accounts are compared with (unknown without it), ``own`` the user's own columns."""

    portfolio: Portfolio | None = None
    own: tuple[OwnColumn, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain lists and numbers; ``from_json`` gives the same back, bit for bit."""
        return {
            "portfolio": None if self.portfolio is None else self.portfolio.to_json(),
            "own": [asdict(column) for column in self.own],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Reference:
        """What ``to_json`` wrote."""
        portfolio = document["portfolio"]
        return cls(
            None if portfolio is None else Portfolio.from_json(portfolio),
            tuple(OwnColumn(**column) for column in document["own"]),
        )


NOTHING = Reference()
"""No portfolio to compare with and no own columns."""
