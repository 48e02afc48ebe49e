"""A figure for each column of the tables of behaviour: a state, COURTING or GONE."""

import numpy as np

from training.simulation.chain import COURTING, GONE, HABITS, N_COLUMNS, N_CONDITIONS, N_STATES, Floats, by_condition


def columns(
    thriving: float,
    steady: float,
    courting: float = 0.0,
    gone: float = 0.0,
    habit: float = 0.0,
    **marks: tuple[float, float],
) -> Floats:
    """[columns]: (early, late) for the mechanisms named, for the others as when steady.

    Brisk clients do 1 + 0.25 × `habit` times as much, quiet ones 1 - 0.3 × `habit`.
    """
    factor = {"brisk": 1.0 + 0.25 * habit, "quiet": 1.0 - 0.3 * habit}
    state = np.arange(N_STATES)
    by_habit = np.array([factor[name] for name in HABITS])
    out = np.empty(N_COLUMNS)
    figures = by_condition(thriving, steady, **marks)
    out[:N_STATES] = figures[state % N_CONDITIONS] * by_habit[state // N_CONDITIONS % len(HABITS)]
    out[COURTING], out[GONE] = courting, gone
    return out
