"""A whole portfolio scored as of one date, with what reports say of each account beside its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.histories.history import History
from features.histories.tables import Dataset
from features.sources.opening import open_tables
from models.prediction import Prediction
from serving.answers import ranked
from serving.champion import Champion, Location
from serving.closer import EXPLAINED, CloserLook, Wishes
from serving.predictor import score_history


@dataclass(frozen=True)
class Profile:
    """How people call an account; ``name`` is its id where none is given, the others are empty where unknown."""

    name: str
    industry: str
    owner: str


@dataclass(frozen=True)
class Learned:
    """What the models learned from: the first and the last moment recorded, and whether all that was simulated."""

    span: tuple[int, int]
    simulated: bool


@dataclass(frozen=True)
class Portfolio:
    """Every account of which something was known at ``as_of``, in ``ranked`` order.

    ``horizon`` and ``horizons`` are in days. ``nothing_known`` counts the accounts left out. ``closer`` holds what was
    asked for beside the scores, by account id, of those accounts that were to be looked at closer.
    """

    as_of: int
    horizon: int
    horizons: tuple[int, ...]
    predictions: list[Prediction]
    nothing_known: int
    profiles: Mapping[str, Profile]
    dataset: Dataset
    location: Location
    definition: str
    learned: Learned
    closer: Mapping[str, CloserLook] = field(default_factory=dict)

    @property
    def days_past_records(self) -> int:
        """Whole days between the last moment recorded and ``as_of``: of what happened in them nothing is known."""
        end = self.dataset.span[1] if self.dataset.span else self.as_of
        return max(0, self.as_of - end) // 86_400

    @property
    def learned_from_later(self) -> bool:
        """Whether the models have seen what happened after ``as_of``, and so know more than could be known then."""
        return self.learned.span[1] - self.as_of > 86_400


def score_histories(
    champion: Champion,
    histories: str | Path,
    as_of: int,
    horizon: int | None = None,
    wishes: Wishes = EXPLAINED,
    told: int | None = None,
) -> Portfolio:
    """Score the accounts of a store or a canonical folder. What ``wishes`` ask for beside is looked up of each account,
    or of the first ``told`` of known value and of unknown value alone.

    Raises NotCanonical or StoreError where there are no tables, ValueError for a horizon the model does not know.
    """
    tables = open_tables(histories)
    models = champion.models
    history = History.from_tables(tables)
    few = told is not None and wishes.closer
    scores = score_history(models, history, as_of, horizon, Wishes(wishes.explain, wishes.interval) if few else wishes)
    predictions = ranked(scores.predictions)
    closer = scores.closer
    if few:
        first = {one.account_id for part in by_value(predictions) for one in part[:told]}
        closer = score_history(
            models, history, as_of, horizon, replace(wishes, explain=False, interval=False), first
        ).closer
    return Portfolio(
        as_of=as_of,
        horizon=models.risk.usual_horizon if horizon is None else horizon,
        horizons=models.risk.horizons,
        predictions=predictions,
        nothing_known=len(scores.nothing_known),
        profiles=profiles(tables.accounts, as_of),
        dataset=tables.dataset,
        location=champion.location,
        definition=models.risk.definition,
        learned=_learned(models.meta["data"]),
        closer=closer,
    )


def by_value(predictions: Sequence[Prediction]) -> tuple[list[Prediction], list[Prediction]]:
    """Those with a risk: of known value, and of unknown."""
    scored = [one for one in predictions if one.risk]
    worth = [one for one in scored if one.revenue_at_risk is not None]
    return worth, [one for one in scored if one.revenue_at_risk is None]


def _learned(data: Mapping[str, Any]) -> Learned:
    begin, end = (int(datetime.fromisoformat(moment).timestamp()) for moment in data["span"])
    return Learned((begin, end), data["simulated"])


def profiles(accounts: pa.Table, as_of: int) -> dict[str, Profile]:
    """Each account's profile by the latest row that was valid and known at ``as_of``."""
    since = [pc.fill_null(accounts[name].cast(pa.int64()), as_of) for name in ("valid_from", "recorded_at")]
    known = accounts.filter(pc.and_(pc.less_equal(since[0], as_of), pc.less_equal(since[1], as_of)))
    # Canonical order: the later a row is valid, the later it comes.
    return {
        row["account_id"]: Profile(row["name"] or row["account_id"], row["industry"] or "", row["owner"] or "")
        for row in known.select(["account_id", "name", "industry", "owner"]).to_pylist()
    }


def profile_of(profiles: Mapping[str, Profile], account_id: str) -> Profile:
    """An account's profile; one by its id alone where none was known."""
    return profiles.get(account_id) or Profile(account_id, "", "")
