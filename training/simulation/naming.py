"""Invented names for a simulated portfolio: whimsical, so that nobody takes them for real companies or people."""

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.object_]

# fmt: off
_FIRST = (
    "Amber", "Bramble", "Candle", "Copper", "Cricket", "Dapple", "Ember", "Feather", "Fern", "Fiddle", "Gable",
    "Ginger", "Hazel", "Heron", "Honey", "Inkwell", "Ivory", "Juniper", "Kettle", "Lantern", "Larch", "Lichen",
    "Lupin", "Marble", "Meadow", "Mitten", "Moss", "Nettle", "Nutmeg", "Otter", "Pebble", "Pepper", "Plume",
    "Puddle", "Quill", "Rowan", "Russet", "Saffron", "Sparrow", "Sprocket", "Teasel", "Thimble", "Thistle",
    "Tinder", "Umber", "Velvet", "Walnut", "Willow",
)
_SECOND = (
    "barrow", "bell", "bottom", "bough", "brook", "burrow", "cap", "crest", "croft", "dale", "down", "drift",
    "fall", "field", "fold", "ford", "gate", "glade", "grove", "hatch", "heath", "hollow", "holm", "knoll", "lane",
    "ley", "light", "mead", "mere", "mill", "nook", "patch", "pond", "reach", "ridge", "rill", "rise", "shaw",
    "spring", "stead", "stile", "thatch", "turn", "vale", "weir", "well", "wick", "wood",
)
_TRADE = (
    "Abacuses", "Balloons", "Bellows", "Birdhouses", "Bobbins", "Bookends", "Buttons", "Carousels", "Clogs",
    "Compasses", "Cuckoo Clocks", "Dominoes", "Farthings", "Hammocks", "Hourglasses", "Kaleidoscopes", "Kites",
    "Ladders", "Marbles", "Marionettes", "Metronomes", "Music Boxes", "Paperweights", "Parasols", "Pinwheels",
    "Quilts", "Rocking Horses", "Sealing Wax", "Skittles", "Snow Globes", "Spinning Tops", "Stilts", "Sundials",
    "Teapots", "Tuning Forks", "Umbrellas", "Weathervanes", "Whistles", "Wind Chimes", "Yo-Yos",
)
_GIVEN = (
    "Alba", "Bastien", "Cosima", "Dario", "Edda", "Falk", "Greta", "Hugo", "Ilse", "Joris", "Katla", "Linus",
    "Mirja", "Nils", "Odile", "Piet", "Ravenna", "Soren", "Tilda", "Ugo", "Vesna", "Wim", "Xenia", "Yorick",
    "Zelda",
)
_FAMILY = (
    "Applewhistle", "Birchmoor", "Cloudsley", "Dovetail", "Elderfern", "Foxglade", "Gooseberry", "Hollowell",
    "Inkpen", "Jackdaw", "Kestrelby", "Larkmead", "Mossgrave", "Nightjar", "Oakapple", "Partridge", "Quickset",
    "Rushlight", "Sandpiper", "Thornapple", "Underhay", "Vellum", "Windrush", "Yarrow",
)
# fmt: on

INDUSTRIES = (
    "manufacturing",
    "retail",
    "logistics",
    "health",
    "energy",
    "finance",
    "public sector",
    "software",
    "media",
)
PLACES = (
    ("GB", "Europe/London"),
    ("DE", "Europe/Berlin"),
    ("FR", "Europe/Paris"),
    ("NL", "Europe/Amsterdam"),
    ("SE", "Europe/Stockholm"),
    ("ES", "Europe/Madrid"),
    ("PL", "Europe/Warsaw"),
    ("IT", "Europe/Rome"),
)
INTERESTS = ("sailing", "chess", "gardening", "jazz", "cycling", "cooking", "hiking", "history", "painting", "football")
COMPETITORS = ("Grindle & Snook (invented)", "Pockworth Partners (invented)", "The Mudlark Bureau (invented)")


def company_names(rng: np.random.Generator, count: int) -> Texts:
    """Distinct names of companies; beyond all combinations a number tells them apart."""
    combinations = len(_FIRST) * len(_SECOND) * len(_TRADE)
    drawn = rng.permutation(combinations)
    names = np.empty(count, dtype=object)
    for place in range(count):
        round_, code = divmod(place, combinations)
        code, trade = divmod(int(drawn[code]), len(_TRADE))
        first, second = divmod(code, len(_SECOND))
        name = f"{_FIRST[first]}{_SECOND[second]} {_TRADE[trade]}"
        names[place] = f"{name} {round_ + 1}" if round_ else name
    return names


def person_names(rng: np.random.Generator, count: int) -> Texts:
    given, family = rng.integers(0, len(_GIVEN), count), rng.integers(0, len(_FAMILY), count)
    return np.array([f"{_GIVEN[a]} {_FAMILY[b]}" for a, b in zip(given, family, strict=True)], dtype=object)
