"""The hidden chain of a simulated account, and how its contracts end: every number that decides a loss.

While an account is a client, its state is (type, condition): a type that never changes (6) and a condition that
moves once a day (5), so 30 states, numbered ``type * 5 + condition``. Before the first win and after a loss there is no
condition; the two further columns COURTING and GONE hold what happens then, whoever the client is.

Beside the state runs the contract, which the deal record shows: days to the end of the last contract, and whether a
renewal deal is open. From 90 days before the end until 30 after it a renewal usually opens, now and then earlier (talks
that one side forces). An open one closes at last 40 days after the end: won; lost to a competitor, over price or over
service, which is switching; or lost for want of any further need or by insolvency, which is not, and ends the
observation. Without a renewal the account lapses 60 days after the end, which is switching too.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONDITIONS = ("thriving", "steady", "strained", "neglected", "leaving")
DISPOSITIONS = ("loyal", "ordinary", "restless")
HABITS = ("brisk", "quiet")

N_CONDITIONS = len(CONDITIONS)
N_TYPES = len(DISPOSITIONS) * len(HABITS)
N_STATES = N_TYPES * N_CONDITIONS
COURTING = N_STATES
GONE = N_STATES + 1
N_COLUMNS = N_STATES + 2

_TYPE_SHARES = np.outer([0.35, 0.4, 0.25], [0.55, 0.45]).ravel()
# in the order disposition, then habit

_AT_WIN = np.array([0.25, 0.6, 0.06, 0.07, 0.02])

# Moves per year between conditions (row to column) of an ordinary client. Neglect is our doing, so it may heal by ours.
MOVES_PER_YEAR = np.array(
    [
        [0.0, 0.60, 0.08, 0.12, 0.00],
        [0.40, 0.0, 0.34, 0.34, 0.01],
        [0.05, 0.90, 0.0, 0.20, 0.55],
        [0.05, 0.80, 0.40, 0.0, 0.55],
        [0.00, 0.10, 0.40, 0.00, 0.0],
    ]
)
# How much more, or less, readily a disposition moves towards a worse condition, and towards a better one.
WORSENING = {"loyal": 0.6, "ordinary": 1.0, "restless": 1.6}
RECOVERY = {"loyal": 1.3, "ordinary": 1.0, "restless": 0.75}

WON, TO_COMPETITOR, OVER_PRICE, OVER_SERVICE, NO_FURTHER_NEED, INSOLVENT = range(6)
SWITCHING = (TO_COMPETITOR, OVER_PRICE, OVER_SERVICE)
NOT_SWITCHING = (NO_FURTHER_NEED, INSOLVENT)

# Chance, by condition, that a renewal which closes is lost to a competitor, over price, over service.
_LOST = np.array(
    [
        [0.010, 0.006, 0.004],
        [0.020, 0.015, 0.010],
        [0.050, 0.035, 0.040],
        [0.050, 0.030, 0.075],
        [0.280, 0.130, 0.140],
    ]
)
_NO_FURTHER_NEED, _INSOLVENT = 0.012, 0.004

# Chance a day, by condition, that a renewal deal opens inside its window.
_RENEWAL_OPENS = np.array([0.040, 0.035, 0.030, 0.025, 0.020])

# Chance a day that it opens earlier, when talks are forced: less than the shortest term before the end, so that at a
# decision only the contract up for renewal runs.
_OPENS_EARLY = np.array([0.0015, 0.0020, 0.0045, 0.0045, 0.0120])
_RENEWAL_CLOSES = 0.12  # a day, once open

EARLY_OPENS, WINDOW_OPENS, WINDOW_CLOSES, FORCED_CLOSE, LAPSE = 180, 90, -30, -40, -60
_TERMS = np.array([182, 365, 730])
_TERM_SHARES = np.array([0.38, 0.55, 0.07])
_START_LAGS = np.array([0, 7, 14])
MOST_DAYS_TO_END = EARLY_OPENS + int(_TERMS.max())


class Chain(NamedTuple):
    """The hidden chain and the contract's clock as arrays; days to the end run from LAPSE to MOST_DAYS_TO_END."""

    step: Floats
    """[types, conditions, conditions]: the condition's move over one day."""
    opens: Floats
    """[days to end, states]: chance that a renewal opens on the day; row 0 is LAPSE."""
    closes: Floats
    """[days to end]: chance that an open renewal closes on the day."""
    decision: Floats
    """[6, columns]: what a closing renewal comes to, WON … INSOLVENT."""
    type_shares: Floats
    """[types]"""
    at_win: Floats
    """[conditions]: the condition on the day a contract is won from outside."""
    terms: NDArray[np.int64]
    """[terms]: days that a new contract runs."""
    term_shares: Floats
    start_lags: NDArray[np.int64]
    """[lags]: days from the midnight after a win from outside to the start of its contract, each as likely."""


def by_state(by_condition: Floats) -> Floats:
    """Repeat the last axis, conditions, for every type: [..., 5] to [..., 30]."""
    return np.tile(by_condition, N_TYPES)


def daily_step(disposition: str) -> Floats:
    """The condition's transition matrix over one day."""
    worse = np.triu(np.ones((N_CONDITIONS, N_CONDITIONS), dtype=bool), 1)
    factor = np.where(worse, WORSENING[disposition], RECOVERY[disposition])
    step = MOVES_PER_YEAR * factor / 365.25
    np.fill_diagonal(step, 1.0 - step.sum(axis=1))
    return step


def build_chain() -> Chain:
    days = np.arange(LAPSE, MOST_DAYS_TO_END + 1)
    in_window = (days <= WINDOW_OPENS) & (days > WINDOW_CLOSES)
    early = (days <= EARLY_OPENS) & (days > WINDOW_OPENS)
    opens = in_window[:, None] * by_state(_RENEWAL_OPENS) + early[:, None] * by_state(_OPENS_EARLY)
    closes = np.where(days <= FORCED_CLOSE, 1.0, _RENEWAL_CLOSES)
    decision = np.zeros((6, N_COLUMNS))
    decision[list(SWITCHING), :N_STATES] = by_state(_LOST.T)
    decision[NO_FURTHER_NEED] = _NO_FURTHER_NEED
    decision[INSOLVENT] = _INSOLVENT
    decision[WON] = 1.0 - decision[1:].sum(axis=0)
    step = np.stack([daily_step(disposition) for disposition in DISPOSITIONS for _ in HABITS])
    return Chain(step, opens, closes, decision, _TYPE_SHARES, _AT_WIN, _TERMS, _TERM_SHARES, _START_LAGS)
