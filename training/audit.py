"""The leak audit of a training: does the model know anything that it could not have known?

Each check has its rule. A failed one stops the registration, unless the user says why it should not, which is then
written down with the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.histories.log import Array
from features.histories.tables import Tables
from features.own_columns import SOURCE
from features.reference import Reference
from features.sources.files import iso
from training.entries import Entries
from training.permutation import Scorer, by_heart, permuted
from training.recomputing import recomputed, remeasured
from training.single_columns import Ranking, rankings
from training.truncation import Past

MOST_ENTRIES = 30_000
"""Entries that the checks by outcomes look at; of more, those of some accounts, lost ones first up to a half."""

SPREADS = 4.0
"""Standard errors of chance by which the AUC of permuted outcomes may differ from one half: chance alone goes beyond
about once in ten thousand trainings."""

SUSPICIOUS_AUC = 0.9
"""The AUC that no single column may surely exceed. Where nothing leaked, the most that any surely exceeded was 0.77 in
63 simulated portfolios of 60 to 3,000 accounts, and 0.73 in two real logs."""

SHOWN = 5
"""Names in a sentence before it says how many more there are."""


@dataclass(frozen=True)
class Check:
    """What was measured (``figure``, NaN if nothing could be) and what it may be at most; the verdict, None if there
    can be none; a sentence; details as plain JSON data."""

    name: str
    passed: bool | None
    figure: float
    limit: float
    sentence: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Audit:
    """All checks of one training."""

    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that found something; one without a verdict did not."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def passed(self) -> bool:
        """Whether no check found anything."""
        return not self.failed

    def document(self) -> dict[str, Any]:
        """As plain JSON data; what is unknown is null."""
        checks = [
            asdict(check) | {"figure": _finite(check.figure), "limit": _finite(check.limit)} for check in self.checks
        ]
        return {"passed": self.passed, "checks": checks}


class AuditFailed(ValueError):
    """A training that must not be registered as it is; the message says what was found, and how to go on."""


def admit(audit: Audit, despite: str | None) -> dict[str, str]:
    """What the run is tagged with: that the audit passed, or else what failed and why that is no hindrance.

    Raises AuditFailed where the audit failed and no reason is given, ValueError where the reason is empty.

    >>> admit(Audit(()), None)
    {'audit.passed': 'true'}
    """
    if despite is not None and not despite.strip():
        raise ValueError("--despite-audit: say the reason; it is kept with the model")
    if audit.passed:
        return {"audit.passed": "true"}
    if despite is None:
        found = " ".join(check.sentence for check in audit.failed)
        raise AuditFailed(
            f"the leak audit failed, so that nothing is registered. {found} If that is as it should be, `rapport train "
            "--despite-audit REASON` registers the model and keeps the reason with it."
        )
    return {
        "audit.passed": "false",
        "audit.failed": ",".join(check.name for check in audit.failed),
        "audit.override": despite.strip(),
    }


def audit(
    tables: Tables,
    entries: Entries,
    learned: Array,
    tested: Array,
    cut: int | None,
    reference: Reference,
    seed: int,
    score: Scorer = by_heart,
) -> Audit:
    """Look for leaks in what a model is to learn from.

    ``tables`` are the whole canonical tables, ``entries`` what was made of them with ``reference``. ``learned`` and
    ``tested`` bool (n, H) say which entries the judged model learns from and is judged by, before and after ``cut``
    (UTC seconds; None where the two are parted by accounts, across time). ``score`` learns from permuted outcomes. The
    same input gives the same audit.
    """
    past = Past(tables)
    drawn = _drawn(entries, seed)
    some = entries.rows(drawn)
    return Audit(
        (
            _settled(entries),
            _parted(entries, learned, tested, cut),
            _truncation(past, entries, reference, seed),
            _portfolio(past, entries, reference),
            _permutation(some, learned[drawn], tested[drawn], seed, score),
            _single_columns(some),
        )
    )


def _settled(entries: Entries) -> Check:
    """No outcome is known at the moment it is foretold from."""
    early = int((entries.usable & (entries.outcomes.known_by <= entries.matrix.rows.as_of[:, None])).sum())
    sentence = (
        f"{early:,} outcomes were settled by the moment they are foretold from."
        if early
        else "Every outcome was settled after the moment it is foretold from."
    )
    return Check("settled", not early, early, 0, sentence, {"entries": int(entries.usable.sum())})


def _parted(entries: Entries, learned: Array, tested: Array, cut: int | None) -> Check:
    """Nothing is both learned from and judged by, nor learned from a test's time or, without a cut, its accounts."""
    outcomes, rows = entries.outcomes, entries.matrix.rows
    found = {"in_both_parts": int((learned & tested).sum())}
    if cut is None:
        known = np.isin(entries.group, entries.group[learned.any(axis=1)])
        found["judged_by_of_accounts_learned_from"] = int((tested & known[:, None]).sum())
    else:
        found["learned_but_settled_after"] = int((learned & (outcomes.known_by > cut)).sum())
        found["judged_by_but_from_before"] = int((tested & (rows.as_of < cut)[:, None]).sum())
    found["in_rows_that_occur_twice"] = int(((np.diff(rows.account) == 0) & (np.diff(rows.as_of) == 0)).sum())
    wrong = sum(found.values())
    told = _listed([f"{count:,} {what.replace('_', ' ')}" for what, count in found.items() if count])
    where = "across accounts" if cut is None else f"from {iso(cut)} on"
    apart = "no account is in both" if cut is None else f"all that is learned from was settled by {iso(cut)}"
    sentence = (
        f"The test {where} is not apart from what is learned: {told}."
        if wrong
        else f"No entry is both learned from and judged by, and {apart}."
    )
    return Check("parted", not wrong, wrong, 0, sentence, found)


def _truncation(past: Past, entries: Entries, reference: Reference, seed: int) -> Check:
    """Rows come out the same, bit for bit, from tables that end at their dates."""
    found = recomputed(past, entries, reference, seed)
    if found.otherwise:
        account, moment = found.otherwise[0]
        sentence = (
            f"{len(found.otherwise):,} of {found.rows:,} rows come out otherwise from tables that end at their dates "
            f"(one is {account} on {iso(moment)}): what became known later is in {_listed(list(found.columns))}."
        )
    else:
        sentence = (
            f"{found.rows:,} rows of {found.moments} dates come out the same, bit for bit, from tables that end there."
        )
    details = {"rows": found.rows, "moments": found.moments, "different": dict(found.columns)}
    share = len(found.otherwise) / max(found.rows, 1)
    return Check("truncation", not found.otherwise, share, 0, sentence, details)


def _portfolio(past: Past, entries: Entries, reference: Reference) -> Check:
    """Figures of the whole portfolio come out the same from tables that end at their month start."""
    found = remeasured(past, entries, reference)
    if not found:
        return Check("portfolio", None, math.nan, 0, "No figures of the whole portfolio are in use.", {})
    different = {str(iso(start)): names for start, names in found.items() if names}
    sentence = (
        f"The portfolio's figures of {_listed(list(different))} come out otherwise from tables that end there."
        if different
        else f"The portfolio's figures of {len(found)} month starts come out the same from tables that end there."
    )
    details = {"months": [iso(start) for start in found], "different": different}
    return Check("portfolio", not different, len(different) / len(found), 0, sentence, details)


def _permutation(entries: Entries, learned: Array, tested: Array, seed: int, score: Scorer) -> Check:
    """What was learned from permuted outcomes ranks no better and no worse than chance."""
    found = permuted(entries, learned, tested, seed, score)
    fits = len(found.auc)
    if not fits:
        sentence = "There are too few losses to learn from permuted ones."
        return Check("permutation", None, math.nan, math.nan, sentence, {})
    mean, limit = float(found.auc.mean()), SPREADS * float(np.sqrt((found.spread**2).sum())) / fits
    passed = abs(mean - 0.5) <= limit
    measured = (
        f"{fits} models that learned from outcomes of other accounts rank such outcomes of the test at {mean:.3f}"
    )
    sentence = (
        f"{measured}, within {limit:.3f} of one half."
        if passed
        else f"{measured}, more than {limit:.3f} from one half: the test is not apart from what is learned."
    )
    details = {"auc": found.auc.tolist(), "spread": found.spread.tolist()}
    return Check("permutation", passed, abs(mean - 0.5), limit, sentence, details)


def _single_columns(entries: Entries) -> Check:
    """No column tells by itself what becomes of an account."""
    told = rankings(entries)
    if not told:
        return Check("single_columns", None, math.nan, SUSPICIOUS_AUC, "There are no outcomes of both kinds.", {})
    suspicious = [one for one in told if one.least > SUSPICIOUS_AUC]
    sentence = (
        f"Suspicious: {_listed([_described(one) for one in suspicious])}. Figures that tell so much by themselves were "
        "most likely filled in afterwards."
        if suspicious
        else f"No single column tells too much by itself; most tells {_described(told[0])}."
    )
    details = {
        "suspicious": [_ranking(one) for one in suspicious],
        "most_telling": [_ranking(one) for one in told[:SHOWN]],
    }
    return Check("single_columns", not suspicious, told[0].least, SUSPICIOUS_AUC, sentence, details)


def _described(one: Ranking) -> str:
    """Such as "your own column x_mood (x_mood.now: AUC 0.98 for accounts lost within 180 days, surely above 0.93)"."""
    indicator = one.indicator
    name = f"your own column {indicator.signal.id}" if indicator.signal.source == SOURCE else indicator.signal.name
    absence = "by whether it is known, " if one.by_absence else ""
    when = "at any time" if one.horizon is None else f"within {one.horizon} days"
    told = f"{absence}AUC {one.auc:.2f} for accounts lost {when}, surely above {one.least:.2f}"
    return f"{name} ({indicator.column}: {told})"


def _ranking(one: Ranking) -> dict[str, Any]:
    return {
        "column": one.indicator.column,
        "own": one.indicator.signal.source == SOURCE,
        "horizon": one.horizon,
        "auc": one.auc,
        "least": one.least,
        "by_absence": one.by_absence,
        "unknown": one.unknown,
        "lost_accounts": one.lost,
    }


def _drawn(entries: Entries, seed: int) -> Array:
    """Rows of accounts drawn by chance, up to ``MOST_ENTRIES`` entries, half of them of accounts that were lost."""
    account, size = entries.matrix.rows.account, entries.usable.sum(axis=1)
    if size.sum() <= MOST_ENTRIES:
        return np.arange(len(account))
    accounts, member = np.unique(account, return_inverse=True)
    sizes = np.bincount(member, size)
    lost = np.zeros(len(accounts), dtype=bool)
    lost[member[(entries.usable & (entries.outcomes.labels == 1)).any(axis=1)]] = True
    order = np.random.default_rng(seed).permutation(len(accounts))
    taken = np.zeros(len(accounts), dtype=bool)
    for half in (order[lost[order]], order[~lost[order]]):
        taken[half[np.cumsum(sizes[half]) <= MOST_ENTRIES / 2]] = True
    return np.flatnonzero(taken[member])


def _listed(names: Sequence[str]) -> str:
    """Some names in words, such as "a, b and 3 more"."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _finite(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None
