"""Decisions about the champion, kept as tags on the version that was decided about and on its run.

Each decision is a tag of its own, ``decision.2026-07-01T100000Z`` with compact JSON, so that none is ever overwritten;
``decision`` repeats the last one's kind, to filter by. Who was champion before whom follows from the whole record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from features.sources.files import iso
from training.registry import Version, champion_of, check_champion, crown, open_models, tag, version_of, versions

TAG = "decision"

Kind = Literal["promoted", "declined", "rolled back"]


class NoFormerChampion(ValueError):
    """There is no version to go back to; the message says why."""


@dataclass(frozen=True)
class Decision:
    """What was decided about ``version``, while ``champion`` was the champion.

    ``at`` is when (ISO 8601, UTC), ``by`` who. ``because`` gives the grounds in sentences, ``despite`` the reason given
    for overriding them. ``to`` is the version that a roll-back made the champion. ``figures`` are the comparison's
    (data, rows, horizons, measures), where there was one.
    """

    kind: Kind
    version: str
    champion: str
    by: str
    at: str
    because: tuple[str, ...] = ()
    despite: str | None = None
    to: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def promoted(self) -> bool:
        """Whether the version became the champion by this."""
        return self.kind == "promoted"

    def told(self) -> str:
        """In one line.

        >>> Decision("rolled back", "2", "2", "ann", "2026-07-01T10:00:00Z", to="1").told()
        '2026-07-01 rolled back to version 1, by ann'
        """
        kind = f"rolled back to version {self.to}" if self.to else self.kind
        return f"{self.at[:10]} {kind}, by {self.by}" + (f", despite the rule: {self.despite}" if self.despite else "")


def settle(decision: Decision, version: Version, champion: Version, new_champion: Version | None) -> None:
    """Write a decision to the tags of its version and of that version's run, then move the alias, if it is to move.

    In this order no champion is without its record. Raises NoSuchVersion, and writes nothing, where ``champion`` is no
    longer the one that was decided about.
    """
    told = {name: value for name, value in asdict(decision).items() if value not in (None, (), {})}
    name = f"{TAG}.{decision.at.replace(':', '')}"
    text = json.dumps(told, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    check_champion(champion)
    tag(version, {name: text, TAG: decision.kind})
    if new_champion is not None:
        crown(new_champion)


def decisions_of(listed: Iterable[Version]) -> list[Decision]:
    """All decisions about some versions, the oldest first."""
    found = []
    for version in listed:
        for name, text in version.tags.items():
            if name.startswith(f"{TAG}."):
                told = json.loads(text)
                found.append(Decision(**(told | {"because": tuple(told.get("because", ()))})))
    return sorted(found, key=lambda decision: decision.at)


def former_champions(decisions: Iterable[Decision], champion: str) -> list[str]:
    """The champions that led to this one, the last one first, as far as the record tells.

    A roll-back takes back what was promoted since: nobody returns to a version that was left that way. Empty where the
    champion got there by hand.

    >>> def promoted(version, champion):
    ...     return Decision("promoted", version, champion, "ann", "2026-07-01T10:00:00Z")
    >>> former_champions([promoted("2", "1"), promoted("3", "2")], "3")
    ['2', '1']
    >>> back = Decision("rolled back", "2", "2", "ann", "2026-07-02T10:00:00Z", to="1")
    >>> former_champions([promoted("2", "1"), back, promoted("3", "1")], "3")
    ['1']
    """
    line: list[str] = []
    for decision in decisions:
        if decision.kind == "promoted":
            if line[-1:] != [decision.champion]:
                line.append(decision.champion)
            line.append(decision.version)
        elif decision.to is not None:
            while line and line[-1] != decision.to:
                line.pop()
            line = line or [decision.to]
    return line[-2::-1] if line[-1:] == [champion] else []


def rollback(by: str, at: int, to: str | None = None) -> Decision:
    """Give the alias back to the champion before, or to the former champion ``to``; ``at`` in UTC seconds.

    Raises NoFormerChampion where the record knows none, or ``to`` never was one; FingerprintMismatch or ArchiveError
    where this version of rapport cannot use it.
    """
    listed = versions()
    champion = champion_of(listed)
    decisions = decisions_of(listed)
    if to is None:
        former = former_champions(decisions, champion.number)
        if not former:
            raise NoFormerChampion(
                f"version {champion.number} is the champion, and no record tells of one before it: name one with --to"
            )
        to = former[0]
    back = version_of(listed, to)
    if back.is_champion:
        raise NoFormerChampion(f"version {to} is the champion already")
    if to not in {number for one in decisions if one.promoted for number in (one.version, one.champion)}:
        raise NoFormerChampion(f"version {to} never was the champion: 'rapport promote --version {to}' can make it so")
    open_models(back)
    decision = Decision("rolled back", champion.number, champion.number, by, str(iso(at)), to=to)
    settle(decision, champion, champion, back)
    return decision
