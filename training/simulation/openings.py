"""How often each opening happens in a year, by condition: the account of middle size, out of a sales phase."""

from collections.abc import Mapping

import numpy as np

from training.simulation import events as e
from training.simulation.chain import Floats
from training.simulation.columns import columns

WORKING_DAYS = 261.0

_CALLS_FOR_A_MESSAGE = 0.23
"""The client telephones so often for each message it begins, in every condition: its channels tell nothing."""

_CLIENT_MESSAGES = columns(
    7.8,
    5.6,
    courting=3.5,
    gone=0.3,
    habit=1.0,
    neglect=(5.5, 3.8),
    champion=(5.0, 4.2),
    price=(5.5, 5.0),
    mistake=(5.6, 2.1),
    rival=(5.4, 4.8),
    budget=(5.0, 4.0),
)

_PER_YEAR: Mapping[int, Floats] = {
    e.OUR_MESSAGE: columns(6.0, 5.5, courting=11.0, gone=1.2, neglect=(3.0, 2.5)),
    e.CLIENT_MESSAGE: _CLIENT_MESSAGES,
    e.OUR_CALL: columns(4.0, 3.5, courting=7.0, gone=0.8, neglect=(1.5, 1.2)),
    e.CLIENT_CALL: _CALLS_FOR_A_MESSAGE * _CLIENT_MESSAGES,
    e.MEETING: columns(
        6.0,
        4.5,
        courting=5.0,
        gone=0.1,
        neglect=(2.6, 2.0),
        champion=(4.0, 3.2),
        mistake=(4.5, 2.2),
        rival=(4.4, 3.9),
        budget=(4.2, 3.4),
    ),
    e.CLIENT_PROMISE: columns(5.0, 5.0, courting=1.0, mistake=(5.0, 3.0), budget=(4.2, 3.0)),
    e.OUR_PROMISE: columns(6.0, 6.0, courting=2.0),
    e.DELIVERY: columns(4.5, 4.5, budget=(3.2, 1.6)),
    e.GESTURE: columns(4.0, 3.0, courting=3.0, gone=0.5, neglect=(0.7, 0.5)),
    e.HELP_REQUEST: columns(
        2.2,
        1.2,
        courting=0.4,
        habit=0.5,
        neglect=(1.1, 0.5),
        champion=(0.7, 0.4),
        mistake=(1.2, 0.25),
        rival=(0.9, 0.4),
        budget=(0.6, 0.25),
    ),
    e.OUR_REQUEST: columns(1.2, 1.2, neglect=(0.7, 0.6)),
    e.MISTAKE: columns(1.0, 1.3, courting=0.1, neglect=(4.0, 5.0), mistake=(157.0, 1.3)),
    e.BRIEF: columns(
        5.2,
        4.4,
        courting=0.3,
        neglect=(4.2, 3.0),
        champion=(3.8, 2.8),
        mistake=(4.4, 2.2),
        rival=(4.4, 3.6),
        budget=(1.3, 0.4),
    ),
    e.ADVICE: columns(4.2, 3.8, courting=0.5, neglect=(2.0, 1.6)),
    e.ADVOCACY: columns(
        1.1,
        0.4,
        neglect=(0.35, 0.06),
        champion=(0.15, 0.05),
        price=(0.3, 0.1),
        mistake=(0.3, 0.02),
        rival=(0.25, 0.05),
    ),
    e.CHAMPION: columns(
        1.3,
        0.8,
        neglect=(0.7, 0.2),
        champion=(0.02, 0.01),
        price=(0.8, 0.4),
        mistake=(0.6, 0.1),
        rival=(0.6, 0.2),
    ),
    e.INTRODUCTION: columns(
        0.7,
        0.35,
        courting=0.1,
        neglect=(0.3, 0.1),
        champion=(0.12, 0.06),
        price=(0.3, 0.15),
        mistake=(0.3, 0.05),
        rival=(0.2, 0.05),
    ),
    e.DISCLOSURE: columns(
        2.0,
        1.1,
        courting=0.2,
        habit=0.5,
        neglect=(1.0, 0.4),
        champion=(0.6, 0.4),
        mistake=(1.1, 0.3),
        rival=(0.8, 0.4),
    ),
    e.RIVAL_NAMED: columns(
        0.06,
        0.15,
        courting=0.3,
        gone=0.1,
        neglect=(0.15, 0.25),
        champion=(0.2, 0.4),
        price=(0.4, 0.7),
        rival=(2.2, 3.2),
    ),
    e.SUPPLIER_TALK: columns(0.15, 0.2, courting=0.3, gone=0.1, price=(1.2, 2.0)),
    e.INTEREST: columns(1.2, 1.2, courting=0.6),
    e.ORDER: columns(1.2, 1.0, mistake=(1.0, 0.4), rival=(0.8, 0.5), budget=(0.2, 0.05)),
    e.PROPOSAL: columns(2.4, 2.4),
    e.INVOICE: columns(4.5, 4.5),
    e.NEWSLETTER: columns(1.5, 1.5, courting=1.5, gone=1.5),
    e.EXPANSION: columns(
        1.0,
        0.55,
        neglect=(0.4, 0.1),
        champion=(0.2, 0.05),
        price=(0.3, 0.1),
        mistake=(0.4, 0.06),
        rival=(0.3, 0.06),
        budget=(0.1, 0.02),
    ),
}


def opening_chances() -> Floats:
    """[openings, columns]: chance on a working day."""
    return np.stack([_PER_YEAR[kind] for kind in range(e.N_OPENINGS)]) / WORKING_DAYS
