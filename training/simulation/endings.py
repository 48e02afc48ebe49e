"""What waits, and its chance to end in each way on a working day, by its age and the condition."""

import numpy as np

from training.simulation import events as e
from training.simulation.chain import N_COLUMNS, Floats
from training.simulation.columns import columns

# Replies: a curve by age times a will by condition.
_REPLY_CURVE = (0.22, 0.30, 0.18, 0.08, 0.04, 0.012)
_OUR_REPLY_CURVE = (0.40, 0.45, 0.25, 0.10, 0.05, 0.02)
_NUDGE_CURVE = (0.0, 0.0, 0.03, 0.07, 0.05, 0.02)
_REPLIES_BY_CALL = 0.12
_FURTHER, _OUR_FURTHER = 0.35, 0.85  # a further answer in a conversation that has had one is less called for
_DAY_BEFORE_MEETING, _DAY_OF_MEETING = 5.0, 3.0
"""How much likelier a meeting is called off then than on any day before."""


def item_chances() -> Floats:
    """[items, ages, endings, columns]; NOTHING is what the others leave."""
    item = np.zeros((e.N_ITEMS, e.N_AGES, e.N_ENDINGS, N_COLUMNS))
    _replies(item)
    _meetings(item)
    _promises(item)
    _answers(item)
    _fees(item)
    item[:, :, e.NOTHING] = 1.0 - item[:, :, 1:].sum(axis=2)
    return item


def _replies(item: Floats) -> None:
    others = columns(
        1.0,
        0.85,
        courting=0.55,
        gone=0.12,
        habit=1.0,
        neglect=(0.82, 0.62),
        champion=(0.82, 0.75),
        price=(0.84, 0.76),
        mistake=(0.80, 0.32),
        rival=(0.80, 0.72),
        budget=(0.80, 0.68),
    )
    main = columns(
        1.0,
        0.90,
        courting=0.60,
        gone=0.12,
        habit=1.0,
        neglect=(0.87, 0.65),
        champion=(0.08, 0.02),
        price=(0.88, 0.80),
        mistake=(0.84, 0.32),
        rival=(0.84, 0.75),
        budget=(0.84, 0.72),
    )
    ours = columns(1.0, 0.95, courting=1.0, gone=0.8, neglect=(0.38, 0.32))
    nudging = columns(1.0, 1.0, courting=1.0, gone=0.3, neglect=(0.3, 0.3))
    for age in range(e.N_AGES):
        for kind, curve, will in (
            (e.AWAIT_REPLY, _REPLY_CURVE, others),
            (e.AWAIT_FURTHER, _REPLY_CURVE, _FURTHER * others),
            (e.AWAIT_CALL_BACK, _REPLY_CURVE, others),
            (e.MAIN_REPLY, _REPLY_CURVE, main),
            (e.MAIN_FURTHER, _REPLY_CURVE, _FURTHER * main),
            (e.MAIN_CALL_BACK, _REPLY_CURVE, main),
            (e.OWE_REPLY, _OUR_REPLY_CURVE, ours),
            (e.OWE_FURTHER, _OUR_REPLY_CURVE, _OUR_FURTHER * ours),
        ):
            item[kind, age, e.BY_MESSAGE] = (1.0 - _REPLIES_BY_CALL) * curve[age] * will
            item[kind, age, e.BY_CALL] = _REPLIES_BY_CALL * curve[age] * will
        for kind in (e.AWAIT_REPLY, e.MAIN_REPLY):
            item[kind, age, e.NUDGE] = _NUDGE_CURVE[age] * nudging


def _meetings(item: Floats) -> None:
    meeting = item[e.HELD_MEETING]
    client_cancels = columns(
        0.002,
        0.004,
        courting=0.008,
        gone=0.03,
        neglect=(0.006, 0.014),
        champion=(0.018, 0.022),
        mistake=(0.006, 0.020),
        rival=(0.008, 0.016),
        budget=(0.010, 0.014),
    )
    we_cancel = columns(0.001, 0.002, courting=0.001, gone=0.003, neglect=(0.018, 0.020))
    moved = columns(0.004, 0.006, courting=0.008, gone=0.01, champion=(0.012, 0.012), rival=(0.008, 0.012))
    for age, factor in ((e.LONG_BEFORE, 1.0), (e.DAY_BEFORE, _DAY_BEFORE_MEETING)):
        meeting[age, e.CLIENT_CANCELS] = factor * client_cancels
        meeting[age, e.WE_CANCEL] = factor * we_cancel
        meeting[age, e.MOVED] = factor * moved
    meeting[e.THE_DAY, e.CLIENT_ABSENT] = columns(
        0.01,
        0.02,
        courting=0.05,
        gone=0.2,
        neglect=(0.03, 0.08),
        champion=(0.12, 0.15),
        mistake=(0.02, 0.12),
        rival=(0.04, 0.08),
        budget=(0.03, 0.05),
    )
    meeting[e.THE_DAY, e.WE_ABSENT] = columns(0.002, 0.004, courting=0.002, gone=0.01, neglect=(0.05, 0.06))
    meeting[e.THE_DAY, e.CLIENT_CANCELS] = _DAY_OF_MEETING * client_cancels
    meeting[e.THE_DAY, e.HELD] = 1.0 - meeting[e.THE_DAY].sum(axis=0)


def _promises(item: Floats) -> None:
    for kind, before, on_the_day, after in (
        (
            e.CLIENT_DUE,
            columns(0.06, 0.05, 0.04, mistake=(0.05, 0.02), champion=(0.03, 0.025), budget=(0.04, 0.03)),
            columns(
                0.75,
                0.65,
                0.5,
                neglect=(0.62, 0.40),
                champion=(0.45, 0.35),
                price=(0.62, 0.50),
                mistake=(0.65, 0.28),
                rival=(0.60, 0.42),
                budget=(0.55, 0.45),
            ),
            columns(0.15, 0.12, 0.1, mistake=(0.12, 0.04), champion=(0.08, 0.06)),
        ),
        (
            e.OUR_DUE,
            columns(0.06, 0.06, 0.06, neglect=(0.015, 0.015)),
            columns(0.85, 0.80, 0.85, neglect=(0.36, 0.30)),
            columns(0.20, 0.18, 0.2, neglect=(0.06, 0.05)),
        ),
        (
            e.DELIVERY_DUE,
            columns(0.03, 0.03, neglect=(0.01, 0.01)),
            columns(0.80, 0.75, neglect=(0.36, 0.30)),
            columns(0.25, 0.22, neglect=(0.10, 0.08)),
        ),
    ):
        item[kind, e.BEFORE, e.DONE] = before
        item[kind, e.ON_THE_DAY, e.DONE] = on_the_day
        item[kind, e.AFTER, e.DONE] = after


def _answers(item: Floats) -> None:
    """Of requests, advice, feedback, and of our duties after a mistake or a referral; the same at every age."""
    item[e.AWAIT_FEEDBACK, :, e.DONE] = columns(
        0.050, 0.035, champion=(0.015, 0.010), mistake=(0.050, 0.050), rival=(0.022, 0.012)
    )
    item[e.ASKED_OF_CLIENT, :, e.YES] = columns(
        0.15, 0.10, champion=(0.05, 0.03), mistake=(0.10, 0.03), rival=(0.08, 0.05), neglect=(0.09, 0.05)
    )
    item[e.ASKED_OF_CLIENT, :, e.NO] = columns(0.01, 0.02, mistake=(0.02, 0.06), budget=(0.04, 0.05))
    item[e.ASKED_OF_US, :, e.YES] = columns(0.35, 0.32, 0.4, neglect=(0.09, 0.07))
    item[e.ASKED_OF_US, :, e.NO] = columns(0.01, 0.01, 0.01, neglect=(0.03, 0.03))
    item[e.AWAIT_ADVICE, :, e.YES] = columns(
        0.030, 0.020, 0.01, champion=(0.010, 0.006), mistake=(0.018, 0.005), rival=(0.012, 0.006), budget=(0.004, 0.002)
    )
    item[e.AWAIT_ADVICE, :, e.NO] = columns(
        0.002, 0.004, 0.005, mistake=(0.004, 0.010), rival=(0.008, 0.012), budget=(0.014, 0.018)
    )
    item[e.AMENDS, :, e.DONE] = columns(0.20, 0.18, 0.2, neglect=(0.05, 0.04))
    item[e.THANKS, :, e.DONE] = columns(0.20, 0.16, 0.15, neglect=(0.04, 0.04))


def _fees(item: Floats) -> None:
    decided, paid = item[e.AWAIT_DECISION], item[e.AWAIT_PAYMENT]
    decided[:, e.ACCEPTED] = columns(
        0.060, 0.050, price=(0.014, 0.008), rival=(0.035, 0.020), mistake=(0.045, 0.020), budget=(0.020, 0.010)
    )
    decided[:, e.ARGUED_DOWN] = columns(0.003, 0.004, price=(0.024, 0.028), rival=(0.006, 0.008))
    decided[:, e.ARGUED_HELD] = columns(0.003, 0.004, price=(0.020, 0.026), rival=(0.006, 0.008))
    decided[:, e.DISPUTED] = columns(0.0003, 0.0005, price=(0.004, 0.008))
    paid[:, e.ACCEPTED] = columns(0.080, 0.070, price=(0.030, 0.020), mistake=(0.065, 0.045), budget=(0.045, 0.035))
    paid[:, e.ARGUED_DOWN] = columns(0.001, 0.002, price=(0.014, 0.018))
    paid[:, e.ARGUED_HELD] = columns(0.001, 0.002, price=(0.012, 0.016))
    paid[:, e.DISPUTED] = columns(0.0005, 0.001, price=(0.010, 0.016), mistake=(0.001, 0.004))
    paid[:, e.PAID_LATE] = columns(0.003, 0.006, price=(0.012, 0.014), budget=(0.020, 0.028))
