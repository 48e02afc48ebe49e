"""How well answers are linked to what they answer by text alone, where the header's word is hidden.

    .venv/bin/python docs/benchmarks/reply_links.py DATA

DATA is a folder, a file or an archive of mails whose headers name their parents, such as the "easy ham" of the
SpamAssassin corpus. Truth is what In-Reply-To, else References, names (``Fields.parents``); linking sees none of it.

- *Resolvable*: an answer whose parent is among the mails (each counted once, whatever its copies).
- *Judged*: a link made for a mail whose header names a parent. It is right if it leads to exactly that mail; where the
  parent is not among the mails, every link is wrong. Links of mails whose headers name nothing cannot be judged.
- *Precision*: right links of those judged. *Recall*: right links of the resolvable answers.

Intervals are Wilson's, 95 %. The ways of linking are added one after the other.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time

import numpy as np
from scipy.stats import binomtest

from features.sources.mail.containers import Pieces
from features.sources.mail.dates import NoDate, written_at
from features.sources.mail.messages import content_digest, decoded, read_body, read_fields
from features.sources.mail.quotes import layers, shingles
from features.sources.mail.threads import Linkable, Links, link, plain_subject

MISSING, UNKNOWN = -1, -2
"""The parent is not among the mails; the header names none."""

WAYS = {
    "quotes": ("quote",),
    "subject and quotes": ("quote", "text"),
    "subject, quotes and people": ("quote", "text", "subject"),
}


def main() -> None:
    """Read, link without headers, and print a table for all mails and for each half by time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    began = process_time()
    mails, named = read(parser.parse_args().data)
    took = process_time() - began
    began = process_time()
    links = link(mails)
    linking = process_time() - began
    places = {one: place for place, mail in enumerate(mails) for one in mail.ids}
    truth = [places.get(parent, MISSING) if parent else UNKNOWN for parent in named]
    middle = float(np.median([mail.at for mail in mails]))
    resolvable = sum(parent >= 0 for parent in truth)
    print(f"{len(mails):,} mails, {sum(map(bool, named)):,} name a parent, {resolvable:,} resolvable; ", end="")
    print(f"read in {took:.1f} s ({len(mails) / took:,.0f} a second), linked in {linking:.1f} s\n")
    print("| mails | linked by | links | judged | right | precision | recall |\n|---|---|---|---|---|---|---|")
    parts: dict[str, Callable[[Linkable], bool]] = {
        "all": lambda mail: True,
        "earlier half": lambda mail: mail.at <= middle,
        "later half": lambda mail: mail.at > middle,
    }
    for part, belongs in parts.items():
        among = [place for place, mail in enumerate(mails) if belongs(mail)]
        for way, told_by in WAYS.items():
            print(f"| {part} | {way} | " + " | ".join(judged(links, truth, among, told_by)) + " |")


def read(path: Path) -> tuple[list[Linkable], list[str]]:
    """Each mail once, without what its header says of a parent; and what it says, '' where it says nothing."""
    mails: list[Linkable] = []
    named: list[str] = []
    seen: set[str] = set()
    for piece in Pieces(path):
        fields = read_fields(piece.content)
        keys = {*fields.ids("message-id")[:1], content_digest(piece.content, fields).hex()}
        try:
            at, _ = written_at(fields.first("date"), fields.each("received"), fields.envelope, None)
        except NoDate:
            continue
        writers = fields.addresses("from")
        if keys & seen or not writers:
            continue
        seen |= keys
        text = layers(read_body(piece.content).text)
        subject, answers = plain_subject(decoded(fields.first("subject")))
        addressed = frozenset(one.address for one in fields.addresses("to", "cc"))
        own, quoted = shingles(text.own), shingles(text.quoted)
        ids = tuple(sorted(keys))
        mails.append(Linkable(ids, at, (), subject, answers, writers[0].address, addressed, own, quoted, (0,)))
        named.append(fields.parents()[-1] if fields.parents() else "")
    return mails, named


def judged(links: Links, truth: Sequence[int], among: Sequence[int], told_by: tuple[str, ...]) -> list[str]:
    """Links, those judged, those right, precision and recall in words, of some mails and ways of linking."""
    made = [place for place in among if links.parent[place] >= 0 and links.told_by[place] in told_by]
    known = [place for place in made if truth[place] != UNKNOWN]
    right = sum(links.parent[place] == truth[place] for place in known)
    resolvable = sum(truth[place] >= 0 for place in among)
    return [f"{len(made):,}", f"{len(known):,}", f"{right:,}", share(right, len(known)), share(right, resolvable)]


def share(part: int, whole: int) -> str:
    """A share with its interval."""
    if not whole:
        return "-"
    low, high = binomtest(part, whole).proportion_ci(method="wilson")
    return f"{part / whole:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
