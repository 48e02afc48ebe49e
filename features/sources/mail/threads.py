"""Which mail answers which, and which conversation each belongs to.

The header says it where it can (References and In-Reply-To). Where it cannot, because a program left it out or a server
gave the parent another id, the text does:

1. A quote: the parent is the earlier mail in whose own words the largest share of the quoted words stands, at least
   three tenths of them. Words that stand in many mails (disclaimers) tell nothing; a few need the same subject, too.
2. A quote without marks: the same for the whole text of a reply that marks no quote, among mails of the same subject.
3. Subject and people: a reply that quotes nothing answers the latest earlier mail of the same subject whose writer it
   is addressed to.

Rules 2 and 3 need a subject that says "Re:", and a header that names no parent.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from features.sources.readers import Array

QUOTED_SHARE = 0.3
"""Of the quoted pieces of text, how many a mail must hold to be the one quoted."""
UNMARKED_SHARE = 0.15
"""The same for the whole text of a reply that marks no quotes."""
QUOTED_WITHIN = 90 * 86_400
"""Seconds after which a mail is no longer quoted."""
ANSWERED_WITHIN = 30 * 86_400
"""Seconds after which a mail is no longer answered without a quote."""
MOST_SHARED = 50
"""Mails that may hold the same piece of text; what more of them hold is a formula."""
FEW_PIECES = 3
"""Quoted pieces below which the subject must be the same, too."""

_PREFIX = re.compile(
    r"\s*(?:\[[^\]]{0,60}\]|(?:(?P<answer>re|aw|sv|antw|vs|odp|ynt|rif|回复|答复)|fwd?|wg|tr|rv|enc|转发)"
    r"(?:\s?[\[(]\d+[\])])?\s?[:\uff1a])\s*",
    re.IGNORECASE,
)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Linkable:
    """What linking needs of a mail.

    ``ids``: its message ids; ``parents``: the ids its header names, nearest last; ``subject`` without prefixes;
    ``answers`` whether a prefix says "Re:"; ``own`` and ``quoted`` uint32 hashes (``quotes.shingles``). Mails that
    share one of ``scopes`` can answer each other.
    """

    ids: tuple[str, ...]
    at: int
    parents: tuple[str, ...]
    subject: str
    answers: bool
    writer: str
    addressed: frozenset[str]
    own: Array
    quoted: Array
    scopes: tuple[int, ...]


@dataclass(frozen=True)
class Links:
    """By mail, in the order given: its parent (-1 if not known), what told it, and the root of its conversation.

    A root is the id of a mail that need not be among those given.
    """

    parent: list[int]
    told_by: list[str]
    root: list[str]


def plain_subject(subject: str) -> tuple[str, bool]:
    """A subject as it is compared, without prefixes and list names, and whether a prefix says that it is an answer.

    >>> plain_subject("AW: [Team] Re[2]: Offer  for May")
    ('offer for may', True)
    >>> plain_subject("Fwd: Offer for May")
    ('offer for may', False)
    """
    answers = False
    while found := _PREFIX.match(subject):
        answers |= found["answer"] is not None
        subject = subject[found.end() :]
    return _SPACES.sub(" ", subject).strip().casefold(), answers


def link(mails: Sequence[Linkable]) -> Links:
    """Link mails; the result does not depend on their order."""
    order = sorted(range(len(mails)), key=lambda place: (mails[place].at, mails[place].ids))
    ordered = [mails[place] for place in order]
    parents, told_by = _Linking(ordered).parents()
    roots = _roots(ordered, parents)
    links = Links([-1] * len(mails), [""] * len(mails), [""] * len(mails))
    for place, parent, told, root in zip(order, parents, told_by, roots, strict=True):
        links.parent[place] = order[parent] if parent >= 0 else -1
        links.told_by[place], links.root[place] = told, root
    return links


class _Linking:
    """Mails in order of time, their text and their subjects indexed."""

    def __init__(self, mails: Sequence[Linkable]) -> None:
        self.mails = mails
        self.at = np.array([mail.at for mail in mails], dtype=np.int64)
        pieces = [_keys(scope, mail.own) for mail in mails for scope in mail.scopes]
        owners = [np.full(len(mail.own), place, np.int32) for place, mail in enumerate(mails) for _ in mail.scopes]
        keys = np.concatenate([np.empty(0, np.uint64), *pieces])
        order = np.argsort(keys, kind="stable")
        self.keys, self.owner = keys[order], np.concatenate([np.empty(0, np.int32), *owners])[order]
        self.by_subject: dict[tuple[int, str], list[int]] = defaultdict(list)
        for place, mail in enumerate(mails):
            for scope in mail.scopes:
                self.by_subject[scope, mail.subject].append(place)

    def parents(self) -> tuple[list[int], list[str]]:
        by_id = _places_by_id(self.mails)
        parents, told_by = [-1] * len(self.mails), [""] * len(self.mails)
        for place, mail in enumerate(self.mails):
            for told, parent in self._candidates(place, mail, by_id):
                if parent >= 0 and parent != place:
                    parents[place], told_by[place] = parent, told
                    break
        return parents, told_by

    def _candidates(self, place: int, mail: Linkable, by_id: Mapping[str, int]) -> Iterator[tuple[str, int]]:
        """What each way of telling says in turn, -1 where it says nothing."""
        if mail.parents:
            yield "header", by_id.get(mail.parents[-1], -1)
        yield "quote", self._quoted(place, mail.quoted, QUOTED_SHARE, len(mail.quoted) < FEW_PIECES)
        if mail.answers and mail.subject and not mail.parents and not len(mail.quoted):
            yield "text", self._quoted(place, mail.own, UNMARKED_SHARE, True)
            yield "subject", self._answered(place, mail)

    def _quoted(self, place: int, pieces: Array, least: float, same_subject: bool) -> int:
        """The earlier mail in which most pieces stand, of the same subject if it must be; -1 if there is none."""
        mail = self.mails[place]
        since = int(np.searchsorted(self.at, mail.at - QUOTED_WITHIN))
        best = (0.0, False, -1)
        for scope in mail.scopes:
            keys = _keys(scope, pieces)
            first, last = (np.searchsorted(self.keys, keys, side) for side in ("left", "right"))
            telling = last - first <= MOST_SHARED
            spans = zip(first[telling], last[telling], strict=True)
            held = np.concatenate([np.empty(0, np.int32), *(self.owner[start:end] for start, end in spans)])
            found, times = np.unique(held[(held >= since) & (held < place)], return_counts=True)
            for one, count in zip(found.tolist(), times.tolist(), strict=True):
                same = self.mails[one].subject == mail.subject
                if same or not same_subject:
                    best = max(best, (count / int(telling.sum()), same, one))
        return best[2] if best[0] >= least else -1

    def _answered(self, place: int, mail: Linkable) -> int:
        """The latest earlier mail of the same subject whose writer a mail is addressed to, -1 if there is none."""
        best = -1
        for scope in mail.scopes:
            earlier = self.by_subject[scope, mail.subject]
            for index in range(bisect_left(earlier, place) - 1, -1, -1):
                one = earlier[index]
                if self.mails[one].at < mail.at - ANSWERED_WITHIN or one < best:
                    break
                if self.mails[one].writer in mail.addressed and self.mails[one].writer != mail.writer:
                    best = max(best, one)
                    break
        return best


def _keys(scope: int, pieces: Array) -> Array:
    return np.uint64(scope) << np.uint64(32) | pieces.astype(np.uint64)


def _places_by_id(mails: Sequence[Linkable]) -> dict[str, int]:
    """The place of each message id; that of the earliest mail if several bear it."""
    places: dict[str, int] = {}
    for place, mail in enumerate(mails):
        for one in mail.ids:
            places.setdefault(one, place)
    return places


def _roots(mails: Sequence[Linkable], parents: Sequence[int]) -> list[str]:
    """The id of the first mail of each mail's conversation, as far as headers and found parents tell."""
    by_id = _places_by_id(mails)
    above: dict[str, str] = {}  # ids of mails that are not there, and those that they answer
    for mail in mails:
        for parent, child in pairwise(mail.parents):
            if child not in by_id:
                above.setdefault(child, parent)
    roots: dict[int | str, str] = {}

    def upwards(mail: int | str) -> int | str | None:
        """The mail that one answers: a place, or the id of one that is not there."""
        if isinstance(mail, str):
            one = above.get(mail)
        elif parents[mail] >= 0:
            return parents[mail]
        else:
            one = mails[mail].parents[-1] if mails[mail].parents else None
        return one if one is None else by_id.get(one, one)

    for place in range(len(mails)):
        path: dict[int | str, None] = {}
        one: int | str | None = place
        while one is not None and one not in path and one not in roots:
            path[one] = None
            one = upwards(one)
        if one in roots:
            root = roots[one]
        else:  # the top; in a ring of mails that answer each other, the smallest id
            ring = list(path) if one is None else list(path)[list(path).index(one) :]
            names = [name if isinstance(name, str) else mails[name].ids[0] for name in ring]
            root = names[-1] if one is None else min(names)
        roots.update(dict.fromkeys(path, root))
    return [roots[place] for place in range(len(mails))]
