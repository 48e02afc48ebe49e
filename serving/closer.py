"""The closer look at accounts, on request: what would help, what changed, the scorecards, where the stage is going."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.histories.log import DAY
from features.matrix import Matrix
from models.archive import Models
from models.change import Change, what_changed
from models.help import Help, what_would_help
from models.prediction import Prediction, predict
from models.stage_direction import SPAN_DAYS, Direction, direction
from models.stage_steps import NextStage, next_stages
from serving.scorecards import Scorecards, scorecards


@dataclass(frozen=True)
class Wishes:
    """What is asked for beside risks and stages; each costs time of its own. ``since``: an earlier moment, to be told
    what changed from then on. ``course``: where the stage is going, and what the next one needs.
    """

    explain: bool = True
    interval: bool = True
    help: bool = False
    scorecards: bool = False
    course: bool = False
    since: int | None = None

    def earlier(self, as_of: int) -> set[int]:
        """The moments before ``as_of`` that are needed for it."""
        turned = {as_of - SPAN_DAYS * DAY} if self.course else set()
        return turned | (set() if self.since is None else {self.since})

    @property
    def closer(self) -> bool:
        """Whether more is asked for than an explained score."""
        return self.help or self.scorecards or self.course or self.since is not None


EXPLAINED = Wishes()
"""An explained score and no more."""


@dataclass(frozen=True)
class Course:
    """Where an account's stage is going: its direction since ``since``, and the way to the next stage."""

    since: int
    direction: Direction
    next: NextStage


@dataclass(frozen=True)
class CloserLook:
    """What is told of an account on request beside its score; None where not asked for. Of an account without a risk
    there is no ``help``.
    """

    help: Help | None = None
    changes: Change | None = None
    scorecards: Scorecards | None = None
    course: Course | None = None


def look_closer(
    models: Models,
    matrix: Matrix,
    earlier: Mapping[int, Matrix],
    predictions: list[Prediction],
    wishes: Wishes,
    horizon: int | None,
) -> dict[str, CloserLook]:
    """What is wished for beside the predictions of a matrix, by account id.

    ``earlier`` holds the matrix of each moment of ``wishes.earlier``. The predictions must be explained where ``since``
    is asked for.
    """
    days = models.risk.usual_horizon if horizon is None else horizon
    since = wishes.since
    helps = _helps(models, matrix, predictions, days) if wishes.help else {}
    changes = _changes(models, earlier[since], since, predictions, days) if since is not None else {}
    cards = dict(zip(matrix.account_ids, scorecards(matrix), strict=True)) if wishes.scorecards else {}
    courses = {}
    if wishes.course and predictions:
        turned = predictions[0].as_of - SPAN_DAYS * DAY
        courses = _courses(models, earlier[turned], turned, matrix, predictions)
    return {
        account: CloserLook(helps.get(account), changes.get(account), cards.get(account), courses.get(account))
        for account in matrix.account_ids
    }


def _helps(models: Models, matrix: Matrix, predictions: list[Prediction], horizon: int) -> dict[str, Help]:
    """What would help those with a risk, by account id."""
    at_risk = np.flatnonzero([one.risk is not None for one in predictions])
    eligible = matrix.take(at_risk)
    return dict(zip(eligible.account_ids, what_would_help(models.risk, eligible, horizon), strict=True))


def _changes(
    models: Models, earlier: Matrix, since: int, predictions: list[Prediction], horizon: int
) -> dict[str, Change]:
    """What changed of each account since the moment of the ``earlier`` matrix."""
    before = {one.account_id: one for one in predict(models, earlier, horizon, interval=False)}
    return {one.account_id: what_changed(since, before.get(one.account_id), one) for one in predictions}


def _courses(
    models: Models, earlier: Matrix, since: int, matrix: Matrix, predictions: list[Prediction]
) -> dict[str, Course]:
    """Where each account's stage is going since the moment of the ``earlier`` matrix."""
    before = dict(zip(earlier.account_ids, models.stage.predict(earlier), strict=True))
    return {
        one.account_id: Course(since, direction(models.stage, before.get(one.account_id), one.stage), way)
        for one, way in zip(predictions, next_stages(models.stage, matrix), strict=True)
    }
