"""The hidden chain of a simulated account, and how its contracts end: every number that decides a loss.

While an account is a client, its state is (type, condition): a type that never changes (6) and a condition that
moves once a day (14, see mechanisms.py), so 84 states, numbered ``type * 14 + condition``. Before the first win and
after a loss there is no condition; the two further columns COURTING and GONE hold what happens then, whoever the
client is.

Beside the state runs the contract, which the deal record shows: days to the end of the last contract, and whether a
renewal deal is open. From 90 days before the end until 30 after it a renewal usually opens, now and then earlier (talks
that one side forces). An open one closes at last 40 days after the end: won; lost to a competitor, over price or over
service, which is switching; or lost for want of any further need or by insolvency, which is not, and ends the
observation. Without a renewal the account lapses 60 days after the end, which is switching too.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.simulation.mechanisms import CONDITIONS, FIRST_EARLY, FIRST_LATE, MECHANISMS, STEADY, THRIVING

Floats = NDArray[np.float64]

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


def by_condition(thriving: float, steady: float, **marks: tuple[float, float]) -> Floats:
    """A figure for each condition: (early, late) for the mechanisms named, for the others as when steady.

    >>> by_condition(3.0, 2.0, neglect=(1.0, 0.5)).tolist()
    [3.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.5, 2.0, 2.0, 2.0, 2.0, 2.0]
    """
    figures = np.full(N_CONDITIONS, steady)
    figures[THRIVING] = thriving
    for mechanism, (early, late) in marks.items():
        place = MECHANISMS.index(mechanism)
        figures[FIRST_EARLY + place], figures[FIRST_LATE + place] = early, late
    return figures


_AT_WIN = by_condition(0.25, 0.0, neglect=(0.03, 0.0), price=(0.03, 0.0), rival=(0.02, 0.0), budget=(0.01, 0.0))
_AT_WIN[STEADY] = 1.0 - _AT_WIN.sum()


class Course(NamedTuple):
    """How a mechanism runs with an ordinary client, in moves per year."""

    begins: float
    """From steady; from thriving it is THRIVING_WITHSTANDS times as often."""
    worsens: float
    """From early to late."""
    passes: float
    """From early back to steady."""
    is_mended: float
    """From late back to steady."""


COURSES: Mapping[str, Course] = {
    "neglect": Course(0.085, 0.9, 0.6, 0.12),
    "champion": Course(0.080, 1.3, 0.8, 0.10),
    "price": Course(0.070, 1.1, 0.8, 0.12),
    "mistake": Course(0.060, 75.0, 35.0, 0.25),
    "rival": Course(0.075, 1.4, 1.0, 0.10),
    "budget": Course(0.04, 1.2, 0.6, 0.15),
}
THRIVING_WITHSTANDS = 0.4
_THRIVES, _TIRES = 0.40, 0.60
# A year, from steady to thriving and back.

# How much more, or less, readily a disposition moves towards a worse condition, and towards a better one.
WORSENING = {"loyal": 0.6, "ordinary": 1.0, "restless": 1.6}
RECOVERY = {"loyal": 1.3, "ordinary": 1.0, "restless": 0.75}

WON, TO_COMPETITOR, OVER_PRICE, OVER_SERVICE, NO_FURTHER_NEED, INSOLVENT = range(6)
SWITCHING = (TO_COMPETITOR, OVER_PRICE, OVER_SERVICE)
NOT_SWITCHING = (NO_FURTHER_NEED, INSOLVENT)

# Chance, by condition, that a renewal which closes ends in each way but WON.
_LOST: Mapping[int, Floats] = {
    TO_COMPETITOR: by_condition(
        0.004,
        0.009,
        neglect=(0.05, 0.28),
        champion=(0.10, 0.64),
        price=(0.05, 0.18),
        mistake=(0.05, 0.24),
        rival=(0.14, 0.80),
        budget=(0.01, 0.02),
    ),
    OVER_PRICE: by_condition(
        0.003,
        0.008,
        neglect=(0.02, 0.06),
        champion=(0.02, 0.06),
        price=(0.09, 0.66),
        rival=(0.03, 0.08),
        budget=(0.02, 0.04),
    ),
    OVER_SERVICE: by_condition(
        0.002,
        0.005,
        neglect=(0.07, 0.54),
        champion=(0.04, 0.18),
        price=(0.01, 0.03),
        mistake=(0.10, 0.60),
        rival=(0.01, 0.04),
    ),
    NO_FURTHER_NEED: by_condition(0.006, 0.008, budget=(0.15, 0.62)),
    INSOLVENT: by_condition(0.002, 0.003, budget=(0.02, 0.08)),
}

# Chance a day, by condition, that a renewal deal opens inside its window.
_RENEWAL_OPENS = by_condition(
    0.040,
    0.035,
    neglect=(0.030, 0.020),
    champion=(0.025, 0.018),
    mistake=(0.035, 0.022),
    rival=(0.030, 0.022),
    budget=(0.032, 0.030),
)

# Chance a day that it opens earlier, when talks are forced: less than the shortest term before the end, so that at a
# decision only the contract up for renewal runs.
_OPENS_EARLY = by_condition(
    0.0015,
    0.0020,
    neglect=(0.0030, 0.0070),
    champion=(0.0025, 0.0060),
    price=(0.0050, 0.0120),
    mistake=(0.0040, 0.0120),
    rival=(0.0050, 0.0130),
    budget=(0.0030, 0.0060),
)
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


def by_state(figures: Floats) -> Floats:
    """Repeat the last axis, conditions, for every type: [..., 14] to [..., 84]."""
    return np.tile(figures, N_TYPES)


def moves_per_year() -> Floats:
    """Between conditions (row to column), of an ordinary client."""
    moves = np.zeros((N_CONDITIONS, N_CONDITIONS))
    moves[STEADY, THRIVING], moves[THRIVING, STEADY] = _THRIVES, _TIRES
    for place, mechanism in enumerate(MECHANISMS):
        early, late, course = FIRST_EARLY + place, FIRST_LATE + place, COURSES[mechanism]
        moves[STEADY, early], moves[THRIVING, early] = course.begins, THRIVING_WITHSTANDS * course.begins
        moves[early, late], moves[early, STEADY], moves[late, STEADY] = course.worsens, course.passes, course.is_mended
    return moves


def daily_step(disposition: str) -> Floats:
    """The condition's transition matrix over one day; conditions further on are worse."""
    worse = np.triu(np.ones((N_CONDITIONS, N_CONDITIONS), dtype=bool), 1)
    factor = np.where(worse, WORSENING[disposition], RECOVERY[disposition])
    step = moves_per_year() * factor / 365.25
    np.fill_diagonal(step, 1.0 - step.sum(axis=1))
    return step


def build_chain() -> Chain:
    days = np.arange(LAPSE, MOST_DAYS_TO_END + 1)
    in_window = (days <= WINDOW_OPENS) & (days > WINDOW_CLOSES)
    early = (days <= EARLY_OPENS) & (days > WINDOW_OPENS)
    opens = in_window[:, None] * by_state(_RENEWAL_OPENS) + early[:, None] * by_state(_OPENS_EARLY)
    closes = np.where(days <= FORCED_CLOSE, 1.0, _RENEWAL_CLOSES)
    decision = np.zeros((6, N_COLUMNS))
    for ending, chances in _LOST.items():
        decision[ending, :N_STATES] = by_state(chances)
    decision[WON] = 1.0 - decision[1:].sum(axis=0)
    step = np.stack([daily_step(disposition) for disposition in DISPOSITIONS for _ in HABITS])
    return Chain(step, opens, closes, decision, _TYPE_SHARES, _AT_WIN, _TERMS, _TERM_SHARES, _START_LAGS)
