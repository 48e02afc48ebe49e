"""What models have learned from, and what counted as lost: read off a history, or off the models themselves."""

from __future__ import annotations

from datetime import datetime

from features.histories.history import History
from features.matrix import Rows
from features.standing import Standing
from models.archive import Models
from training.outcomes import Outcomes, contract_outcomes, observed_until, silence_outcomes


def learned_until(history: History) -> int:
    """UTC seconds up to which models that are trained on a history have seen anything: its latest row, or the end of
    observation where that is later (what did not happen until then was seen too)."""
    logs = (history.interactions, history.deals, history.reviews)
    return max(int(times.max(initial=0)) for times in (observed_until(history), *(log["known"] for log in logs)))


def stopped_learning(models: Models) -> int:
    """UTC seconds up to which models have seen anything, as the training has written it down."""
    return int(datetime.fromisoformat(models.meta["data"]["learned_until"]).timestamp())


def outcomes_of(models: Models, history: History, rows: Rows, standing: Standing) -> Outcomes:
    """What became of rows by the definition and the horizons that the models learned."""
    risk, meta = models.risk, models.meta
    if risk.definition == "contract":
        return contract_outcomes(history, rows, standing, risk.horizons, meta["count_as_lost"])
    return silence_outcomes(history, rows, standing, risk.horizons[0], meta["minimum_touches"])


def what_is_lost(models: Models) -> str:
    """In words what the models learned to foretell, without the horizons."""
    if models.risk.definition == "silence":
        touches = models.meta["minimum_touches"]
        return f"no sign of life of the client for {models.risk.horizons[0]} days, after at least {touches} of its own"
    also = models.meta["count_as_lost"]
    return "a lost renewal or a lapsed contract" + (f" ({', '.join(also)} counted as lost too)" if also else "")
