"""The exact risk of a simulated account, by going backwards through the chain one day at a time.

The daily chain is (days to the contract's end, renewal open or not, type, condition), with two ways out: *switching*
(lost_at as the canonical tables define it) and *ended otherwise* (no further need, insolvency). Multiplying by its
transition matrix h times gives, for each state at midnight, the chance of either within h days. The matrix is never
written down: the days to the end only count down, so that one product with the 5 × 5 matrix of conditions does a day.

An account that ended otherwise within the horizon is censored, so it has no label. The risk that matches the labels is
therefore that of switching *given that the horizon was not cut off that way*:

    risk = P(switching within h) / (1 - P(ended otherwise within h))

and so also for the knowable risk, with both chances averaged over what can be known of the condition.
"""

import numpy as np

from training.simulation.chain import (
    LAPSE,
    MOST_DAYS_TO_END,
    N_CONDITIONS,
    N_STATES,
    N_TYPES,
    NOT_SWITCHING,
    SWITCHING,
    WON,
    Chain,
    Floats,
)

HORIZONS = (30, 90, 180, 365)
"""Days ahead."""


def loss_chances(chain: Chain, horizons: tuple[int, ...] = HORIZONS) -> Floats:
    """Chance of leaving either way within each horizon, for an account that is a client at midnight.

    Returns:
        [horizon, (switching, otherwise), (no renewal open, open), days to the end - LAPSE, state].
    """
    n_days = MOST_DAYS_TO_END - LAPSE + 1
    today = np.arange(n_days)
    opens = chain.opens
    closes = chain.closes[:, None]
    decision = chain.decision[:, :N_STATES]
    # A renewed contract runs on from the end of the old one, or from the next midnight if that has passed.
    renewed = np.minimum(
        np.where(today[:, None] > -LAPSE, today[:, None], 1 - LAPSE) + chain.terms[None, :], n_days - 1
    )
    leaves_now = np.stack([decision[list(SWITCHING)].sum(axis=0), decision[list(NOT_SWITCHING)].sum(axis=0)])

    chance = np.zeros((2, 2, n_days, N_STATES))
    kept: dict[int, Floats] = {}
    for day in range(1, max(horizons) + 1):
        # `ahead`: the chance as of next midnight, one day nearer the end, before the condition has moved.
        ahead = np.empty_like(chance)
        ahead[:, :, 1:] = _over_one_day(chain, chance)[:, :, :-1]
        ahead[:, :, 0] = 0.0
        ahead[0, 0, 1], ahead[1, 0, 1] = 1.0, 0.0  # without a renewal, the next midnight is the lapse
        after_renewal = (ahead[:, 0][:, renewed] * chain.term_shares[None, None, :, None]).sum(axis=2)
        closed = leaves_now[:, None, :] + decision[WON] * after_renewal
        now = np.empty_like(chance)
        now[:, 0] = (1.0 - opens) * ahead[:, 0] + opens * ahead[:, 1]
        now[:, 1] = (1.0 - closes) * ahead[:, 1] + closes * closed
        chance = now
        if day in horizons:
            kept[day] = chance
    return np.stack([kept[horizon] for horizon in horizons])


def _over_one_day(chain: Chain, chance: Floats) -> Floats:
    """The expected chance after the condition has moved once; [..., state]."""
    by_type = np.moveaxis(chance.reshape(-1, N_TYPES, N_CONDITIONS), 0, -1)
    moved = chain.step @ np.ascontiguousarray(by_type)
    return np.moveaxis(moved, -1, 0).reshape(chance.shape)


def risk(switching: Floats, otherwise: Floats) -> Floats:
    """The chance of switching among horizons that were not cut off by an end of another kind.

    >>> float(risk(np.array(0.2), np.array(0.0))), float(risk(np.array(0.2), np.array(0.6)))
    (0.2, 0.5)
    """
    return switching / (1.0 - otherwise)
