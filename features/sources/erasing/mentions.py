"""Where texts name somebody: whole words, not parts of longer ones."""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.sources.readers import Array

SHORTEST = 5
"""Characters of what is looked for within texts."""

_AT_ONCE = 500
_WORD = r"(?s)(?:^|[^\pL\pN])(?:{})(?:$|[^\pL\pN])"


class Mentions:
    """Finds ids, addresses and names in texts.

    A short name must be the whole text. A name of one word counts only as it is written, for it may be an everyday
    word; all else in capitals and small letters alike. Short ids and those of digits alone are not looked for: in texts
    they are something else nearly always.

    >>> found = Mentions({"ann@acme.example", "4711234"}, {"Ann Berg", "Forest", "Bo"})
    >>> found.within(pa.chunked_array([["asked ANN BERG", "a forest", "Forest & Co", "Bo", "to Bo", "Jann Bergen"]]))
    array([ True, False,  True,  True, False, False])
    """

    def __init__(self, ids: Collection[str], names: Collection[str]) -> None:
        self._whole = pa.array(sorted(names), pa.string())
        one_word = {name for name in names if " " not in name.strip()}
        anyhow = {*(one for one in ids if not one.isdecimal()), *(set(names) - one_word)}
        self._patterns = [*_patterns(anyhow, "(?i:{})"), *_patterns(one_word - anyhow, "{}")]

    def within(self, texts: pa.ChunkedArray) -> Array:
        """bool (rows,): which texts name somebody."""
        found = pc.is_in(texts, self._whole)
        for pattern in self._patterns:
            found = pc.or_(found, pc.fill_null(pc.match_substring_regex(texts, pattern), False))
        return np.asarray(found.to_numpy())


def _patterns(words: Collection[str], form: str) -> list[str]:
    long = sorted(word for word in words if len(word) >= SHORTEST)
    parts = [long[start : start + _AT_ONCE] for start in range(0, len(long), _AT_ONCE)]
    return [_WORD.format(form.format("|".join(map(re.escape, part)))) for part in parts]
