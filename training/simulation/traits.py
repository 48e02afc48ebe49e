"""Which of a few classes an event shows, by condition."""

from collections.abc import Mapping

import numpy as np

from training.simulation import events as e
from training.simulation.chain import N_COLUMNS, Floats
from training.simulation.columns import columns

_Shares = tuple[float, ...]


def _classes(
    thriving: _Shares,
    steady: _Shares,
    courting: _Shares | None = None,
    gone: _Shares | None = None,
    **marks: tuple[_Shares, _Shares],
) -> Floats:
    """[classes, columns]: the shares of the classes; where an account is no client as when steady, unless told."""
    return np.stack(
        [
            columns(
                thriving[one],
                steady[one],
                (courting or steady)[one],
                (gone or steady)[one],
                habit=0.0,
                **{name: (early[one], late[one]) for name, (early, late) in marks.items()},
            )
            for one in range(len(steady))
        ]
    )


_TRAITS: Mapping[int, Floats] = {
    # Length of a client's reply against our touch: terse, mirrored, rambling.
    e.TRAIT_WORDS: _classes(
        (0.15, 0.70, 0.15),
        (0.22, 0.60, 0.18),
        (0.40, 0.40, 0.20),
        (0.60, 0.30, 0.10),
        neglect=((0.25, 0.56, 0.19), (0.42, 0.40, 0.18)),
        mistake=((0.30, 0.52, 0.18), (0.55, 0.30, 0.15)),
        rival=((0.30, 0.50, 0.20), (0.40, 0.40, 0.20)),
    ),
    # A message of the client is curt, civil, warm.
    e.TRAIT_POLITENESS: _classes(
        (0.06, 0.39, 0.55),
        (0.12, 0.50, 0.38),
        (0.10, 0.65, 0.25),
        (0.30, 0.55, 0.15),
        neglect=((0.20, 0.52, 0.28), (0.40, 0.44, 0.16)),
        mistake=((0.30, 0.46, 0.24), (0.55, 0.36, 0.09)),
    ),
    # The client's own touch comes from: the main contact, another.
    e.TRAIT_PRIMARY: _classes(
        (0.50, 0.50),
        (0.58, 0.42),
        (0.70, 0.30),
        (0.80, 0.20),
        champion=((0.04, 0.96), (0.01, 0.99)),
    ),
    # The client comes to a held meeting: on time, 1 to 5 minutes late, 6 to 20.
    e.TRAIT_LATE: _classes(
        (0.70, 0.25, 0.05),
        (0.62, 0.28, 0.10),
        neglect=((0.58, 0.30, 0.12), (0.45, 0.33, 0.22)),
        champion=((0.52, 0.30, 0.18), (0.48, 0.32, 0.20)),
        mistake=((0.60, 0.28, 0.12), (0.42, 0.33, 0.25)),
        rival=((0.55, 0.30, 0.15), (0.45, 0.33, 0.22)),
    ),
    # We came: unprepared, prepared.
    e.TRAIT_PREPARED: _classes((0.15, 0.85), (0.22, 0.78), neglect=((0.72, 0.28), (0.76, 0.24))),
    # A meeting that is not about a sale: review, delivery, social, other.
    e.TRAIT_MEETING: _classes(
        (0.32, 0.38, 0.12, 0.18),
        (0.30, 0.40, 0.10, 0.20),
        neglect=((0.06, 0.60, 0.04, 0.30), (0.04, 0.62, 0.04, 0.30)),
    ),
    # Our call is answered, missed, goes to voicemail: by anyone but the main contact, by that one.
    e.TRAIT_OUR_CALL: _classes(
        (0.75, 0.15, 0.10),
        (0.65, 0.20, 0.15),
        (0.45, 0.30, 0.25),
        (0.20, 0.50, 0.30),
        neglect=((0.62, 0.22, 0.16), (0.45, 0.32, 0.23)),
        champion=((0.60, 0.23, 0.17), (0.50, 0.28, 0.22)),
        mistake=((0.60, 0.23, 0.17), (0.30, 0.40, 0.30)),
        rival=((0.60, 0.23, 0.17), (0.45, 0.32, 0.23)),
    ),
    e.TRAIT_MAIN_CALL: _classes(
        (0.75, 0.15, 0.10),
        (0.65, 0.20, 0.15),
        (0.45, 0.30, 0.25),
        (0.20, 0.50, 0.30),
        neglect=((0.62, 0.22, 0.16), (0.45, 0.32, 0.23)),
        champion=((0.05, 0.55, 0.40), (0.02, 0.58, 0.40)),
        mistake=((0.60, 0.23, 0.17), (0.30, 0.40, 0.30)),
        rival=((0.60, 0.23, 0.17), (0.45, 0.32, 0.23)),
    ),
    # The client's call is answered by us, missed by us.
    e.TRAIT_CLIENT_CALL: _classes((0.90, 0.10), (0.86, 0.14), neglect=((0.48, 0.52), (0.44, 0.56))),
    # A delivery is not rated, rated 2 to 6, 7 to 8, 9 to 10.
    e.TRAIT_RATING: _classes(
        (0.40, 0.05, 0.25, 0.30),
        (0.45, 0.10, 0.28, 0.17),
        neglect=((0.42, 0.30, 0.20, 0.08), (0.40, 0.38, 0.16, 0.06)),
        mistake=((0.35, 0.40, 0.17, 0.08), (0.30, 0.52, 0.13, 0.05)),
    ),
    # Feedback on our work: 1 to 4, 5 to 7, 8 to 10.
    e.TRAIT_FEEDBACK: _classes(
        (0.08, 0.32, 0.60),
        (0.14, 0.44, 0.42),
        neglect=((0.32, 0.44, 0.24), (0.42, 0.40, 0.18)),
        mistake=((0.50, 0.35, 0.15), (0.70, 0.22, 0.08)),
        price=((0.18, 0.46, 0.36), (0.25, 0.45, 0.30)),
    ),
    # How direct it is: 1 to 2, 3, 4 to 5.
    e.TRAIT_DIRECTNESS: _classes(
        (0.15, 0.25, 0.60),
        (0.28, 0.35, 0.37),
        rival=((0.42, 0.33, 0.25), (0.60, 0.25, 0.15)),
        champion=((0.45, 0.33, 0.22), (0.55, 0.28, 0.17)),
    ),
    # A brief is of level 1 to 3, or 4 to 5 (half of them strategic).
    e.TRAIT_COMPLEX: _classes(
        (0.50, 0.50),
        (0.65, 0.35),
        (0.80, 0.20),
        champion=((0.75, 0.25), (0.82, 0.18)),
        rival=((0.86, 0.14), (0.95, 0.05)),
    ),
    # When we were called in: forming, shaping, briefed, rework.
    e.TRAIT_PHASE: _classes(
        (0.25, 0.35, 0.35, 0.05),
        (0.12, 0.28, 0.50, 0.10),
        (0.05, 0.15, 0.70, 0.10),
        mistake=((0.12, 0.28, 0.48, 0.12), (0.06, 0.18, 0.51, 0.25)),
        rival=((0.04, 0.10, 0.70, 0.16), (0.01, 0.05, 0.74, 0.20)),
    ),
    # A mistake of ours is slight, middling, grave.
    e.TRAIT_MISTAKE: _classes(
        (0.74, 0.25, 0.01),
        (0.72, 0.27, 0.01),
        neglect=((0.84, 0.15, 0.01), (0.84, 0.15, 0.01)),
        mistake=((0.02, 0.08, 0.90), (0.72, 0.27, 0.01)),
    ),
    # An introduction leads across, upward.
    e.TRAIT_UPWARD: _classes(
        (0.35, 0.65),
        (0.50, 0.50),
        neglect=((0.60, 0.40), (0.75, 0.25)),
        champion=((0.05, 0.95), (0.05, 0.95)),
        rival=((0.65, 0.35), (0.75, 0.25)),
    ),
    # A renewal or expansion was opened with us alone, or others were asked too.
    e.TRAIT_COMPETITIVE: _classes(
        (0.90, 0.10),
        (0.80, 0.20),
        neglect=((0.70, 0.30), (0.55, 0.45)),
        champion=((0.70, 0.30), (0.55, 0.45)),
        price=((0.40, 0.60), (0.22, 0.78)),
        mistake=((0.70, 0.30), (0.50, 0.50)),
        rival=((0.25, 0.75), (0.10, 0.90)),
    ),
    # A closing expansion is lost, won.
    e.TRAIT_EXPANSION: _classes(
        (0.20, 0.80),
        (0.35, 0.65),
        neglect=((0.50, 0.50), (0.80, 0.20)),
        champion=((0.50, 0.50), (0.75, 0.25)),
        price=((0.60, 0.40), (0.85, 0.15)),
        mistake=((0.50, 0.50), (0.85, 0.15)),
        rival=((0.60, 0.40), (0.90, 0.10)),
        budget=((0.70, 0.30), (0.95, 0.05)),
    ),
}


def trait_chances() -> Floats:
    """[traits, classes, columns]."""
    chances = np.zeros((e.N_TRAITS, e.N_CLASSES, N_COLUMNS))
    for name, shares in _TRAITS.items():
        chances[name, : len(shares)] = shares
    return chances
