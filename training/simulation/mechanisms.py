"""The ways in which a client is lost, and which signals tell of each.

A client that is not in trouble thrives or is steady. Each mechanism of loss has two conditions more: *early*, while it
shows but may yet pass, and *late*, when the client has all but decided.

- neglect: ours. We answer and deliver late or not at all, break promises, cancel meetings or come unprepared, hold no
  reviews, send no small gestures, make slight mistakes again and again. The client goes on as before, then tires.
- champion: the main contact, the only senior one, hardly ever speaks or answers: away (early; may yet return) or gone
  (late). Nobody there speaks for us; the juniors write and answer nearly as before, but decide little: meetings fall
  through, promises slip, advice is not acted upon.
- price: invoices are disputed, proposals argued about, deals put out to others; the client calls us a supplier. All
  else goes on nearly as before.
- mistake: early are the few days in which a grave mistake happens. Late, it is not forgiven: the client falls silent
  and curt, rates our work badly, asks and promises little.
- rival: a competitor courts the client, which speaks of it, calls us in later and for lesser things, puts deals out to
  others, takes less of our advice and tells us less of what it thinks.
- budget: there is no money. Briefs, orders and questions dry up, advice is declined, payments and promises are late,
  though nothing is wrong between us. It ends for want of need more often than by switching.
"""

from collections.abc import Mapping

from training.simulation.compiling import compiled

MECHANISMS = ("neglect", "champion", "price", "mistake", "rival", "budget")
CONDITIONS = (
    "thriving",
    "steady",
    *(f"{name}, early" for name in MECHANISMS),
    *(f"{name}, late" for name in MECHANISMS),
)
THRIVING, STEADY = 0, 1
FIRST_EARLY = 2
FIRST_LATE = FIRST_EARLY + len(MECHANISMS)

DRIVERS: Mapping[str, tuple[str, ...]] = {
    "neglect": ("L1", "L2", "P3a", "P3b", "W1a", "W1b", "W2a", "W3a"),
    "champion": ("D2", "D8e", "G1a", "G2b", "G6d", "P3c"),
    "price": ("D4", "D8b", "L3", "P2a"),
    "mistake": ("D2", "D5a", "D8a", "D8f", "G1a", "P2a"),
    "rival": ("D2", "D6a", "D7", "D8e", "L3"),
    "budget": ("D1a", "D2", "D4", "D6a"),
}
"""The signals (ids as in the catalogue) that read what a mechanism changes most, so that they show it at work.

How alive the client still is (D8f, D8g, G1a, G2a) falls with nearly every mechanism and tells few from another.
"""

IRRELEVANT: Mapping[str, tuple[str, ...]] = {
    "neglect": ("D4", "D6b", "D7", "P2c"),
    "champion": ("D4", "D7", "P2c", "W1b"),
    "price": ("D6b", "G6d", "L1", "L2", "P3b", "W1b", "W4"),
    "mistake": ("D6b", "L3", "P2c", "W3a", "W4"),
    "rival": ("P2c", "W1b", "W3a", "W4"),
    "budget": ("D6b", "L3", "P2c", "W1b", "W4"),
}
"""The signals that read what a mechanism leaves as it is with a steady client, or next to it."""


@compiled
def place_of(condition: int) -> int:
    """Which of MECHANISMS is at work in a condition; -1 is none."""
    return -1 if condition < FIRST_EARLY else (condition - FIRST_EARLY) % len(MECHANISMS)


def mechanism_at(condition: int) -> str | None:
    """The mechanism at work in a condition, if any.

    >>> mechanism_at(STEADY), mechanism_at(FIRST_EARLY), mechanism_at(FIRST_LATE + 4)
    (None, 'neglect', 'rival')
    """
    place = place_of(condition)
    return None if place < 0 else MECHANISMS[place]
