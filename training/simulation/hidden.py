"""What the canonical tables do not show of a walked portfolio, as tables of their own: the risks and their causes."""

import numpy as np
import pyarrow as pa

from training.simulation import records as r
from training.simulation.chain import N_CONDITIONS
from training.simulation.drawing import DAY
from training.simulation.mechanisms import CONDITIONS, DRIVERS, FIRST_EARLY, IRRELEVANT, mechanism_at
from training.simulation.records import Records
from training.simulation.tables import Dresser, words
from training.simulation.truth import HORIZONS


def true_risk(dresser: Dresser) -> pa.Table:
    """The true and the knowable risk at each month start of an account at risk, a row for each horizon."""
    portfolio = dresser.portfolio
    snapshots = portfolio.snapshots
    each = np.repeat(np.arange(snapshots.size), len(HORIZONS))
    return pa.table(
        {
            "account_id": dresser.account_ids.take(pa.array(snapshots["account"][each])),
            "as_of": dresser.times(snapshots["day"][each].astype(np.int64) * DAY),
            "horizon_days": pa.array(np.tile(np.array(HORIZONS, np.int32), snapshots.size)),
            "true_risk": pa.array(portfolio.true_risk.ravel()),
            "knowable_risk": pa.array(portfolio.knowable_risk.ravel()),
        }
    )


def mechanisms(dresser: Dresser) -> pa.Table:
    """What is at work at each month start of an account at risk."""
    snapshots = dresser.portfolio.snapshots
    return pa.table(
        {
            "account_id": dresser.account_ids.take(pa.array(snapshots["account"])),
            "as_of": dresser.times(snapshots["day"].astype(np.int64) * DAY),
            **_at_work(dresser, snapshots),
        }
    )


def losses(dresser: Dresser) -> pa.Table:
    """How each spell that ended did end, and what was at work then."""
    leavings = dresser.portfolio.leavings
    return pa.table(
        {
            "account_id": dresser.account_ids.take(pa.array(leavings["account"])),
            "lost_at": dresser.times(leavings["at"]),
            "cause": words(leavings["cause"], r.CAUSES),
            **_at_work(dresser, leavings),
        }
    )


def _at_work(dresser: Dresser, hidden: Records) -> dict[str, pa.Array]:
    """Of records with `state` and `began`: the condition, the mechanism of loss, since when, and what tells of it."""
    condition = hidden["state"] % N_CONDITIONS
    at_work = [mechanism_at(each) for each in range(N_CONDITIONS)]
    drivers, irrelevant = (
        pa.array([signals[name] if name else [] for name in at_work], pa.list_(pa.string()))
        for signals in (DRIVERS, IRRELEVANT)
    )
    began = np.where(condition >= FIRST_EARLY, hidden["began"].astype(np.int64) * DAY, -1)
    return {
        "condition": words(condition, CONDITIONS),
        "mechanism": pa.array(at_work, pa.string()).take(pa.array(condition)),
        "began": dresser.times(began),
        "drivers": drivers.take(pa.array(condition)),
        "irrelevant": irrelevant.take(pa.array(condition)),
    }
