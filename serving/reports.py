"""The report for an account director, in two pure steps: a scored portfolio → plain words and numbers → one page.

``page`` decides what is said and how; the template only lays it out. The page needs no network and no script, and
whatever comes from the data is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import jinja2
import numpy as np

from features.own_columns import SOURCE
from models.explanation import Reason
from models.prediction import FORMER_CLIENT, NO_CONTRACT, NO_CONTRACT_END, SILENT, TOO_LITTLE, Prediction
from serving.portfolio import Portfolio, Profile

REASONS = 6
"""Reasons told of each account, raising and lowering together."""

LISTED = 1_000
"""Accounts listed, with one line each, beyond those that are told one by one."""

NAMES = 60
"""Names listed of each group of accounts that are not scored."""

MEANINGS = {
    FORMER_CLIENT: "Their contract ended or was lost, and they have not come back.",
    NO_CONTRACT: "No deal with them is won yet, so there is none to lose.",
    NO_CONTRACT_END: "They bought, but no record says until when, so it cannot be told when they would leave.",
    TOO_LITTLE: "They have been in touch too few times to say what is usual for them.",
    SILENT: "They had fallen silent before this date; the model foretells only who will.",
}

DEFINITIONS = {
    "contract": "Leaving means that a renewal is lost, or that a contract ends and none follows within 60 days.",
    "silence": "Leaving means that the client sends nothing of its own for as long as the horizon.",
}


LEARNED_LATER = (
    "The model has learned from records later than this date: its figures of the accounts as of then are right, "
    "but its risks are better than anybody's could have been at the time."
)


def render(page: dict[str, Any]) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("serving", "web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(page=page)


def page(portfolio: Portfolio, most: int = 30) -> dict[str, Any]:
    """What the page says; the first ``most`` accounts are told one by one, the others have a line each."""
    scored = [one for one in portfolio.predictions if one.risk]
    worth = [one for one in scored if one.revenue_at_risk is not None]
    unvalued = [one for one in scored if one.revenue_at_risk is None]
    return {
        "title": f"Clients at risk as of {day(portfolio.as_of)}",
        "as_of": day(portfolio.as_of),
        "simulated": portfolio.dataset.simulated,
        "headline": _headline(portfolio, scored, worth),
        "lead": _lead(portfolio, scored, worth),
        "tiles": _tiles(portfolio, scored, worth),
        "focus": portfolio.horizon,
        "top": _scale(risk for one in scored if one.risk for risk in one.risk.values()),
        "reading": _reading(portfolio),
        "ranked": [_account(portfolio, one, rank) for rank, one in enumerate(worth[:most], start=1)],
        "further": [
            _line(portfolio, one, rank) for rank, one in enumerate(worth[most : most + LISTED], start=most + 1)
        ],
        "hidden": _hidden(len(worth) - most - LISTED),
        "value_unknown": [
            _account(portfolio, one, rank) for rank, one in enumerate(unvalued[:most], start=len(worth) + 1)
        ],
        "value_unknown_hidden": _hidden(len(unvalued) - most),
        "not_scored": _not_scored(portfolio),
        "notes": _notes(portfolio),
    }


def day(seconds: int) -> str:
    """A date for a reader.

    >>> day(1717156800)
    '31 May 2024'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%-d %B %Y")


def percent(share: float) -> str:
    """A share in per cent, with as many digits as can be told apart.

    >>> [percent(share) for share in (0.0004, 0.012, 0.12, 0.998)]
    ['below 0.1 %', '1.2 %', '12 %', 'above 99 %']
    """
    if share < 0.001:
        return "below 0.1 %"
    if share > 0.99:
        return "above 99 %"
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def money(amount: float) -> str:
    """An amount to three significant digits.

    >>> [money(amount) for amount in (182345.0, 1234567.0, 87.4)]
    ['182,000', '1,230,000', '87']
    """
    digits = 0 if amount < 1 else max(0, math.floor(math.log10(amount)) - 2)
    return f"{round(amount, -digits):,.0f}"


def _counted(number: int, what: str) -> str:
    """
    >>> _counted(1, "reply"), _counted(2, "replies"), _counted(1, "meetings")
    ('1 reply', '2 replies', '1 meeting')
    """
    if number != 1:
        return f"{number:,} {what}"
    return f"1 {what[:-3]}y" if what.endswith("ies") else f"1 {what.removesuffix('s')}"


def _risk(portfolio: Portfolio, prediction: Prediction) -> float:
    assert prediction.risk is not None
    return prediction.risk[portfolio.horizon]


def _revenue(predictions: Iterable[Prediction]) -> float:
    return math.fsum(one.revenue_at_risk or 0.0 for one in predictions)


def _headline(portfolio: Portfolio, scored: Sequence[Prediction], worth: Sequence[Prediction]) -> str:
    days = portfolio.horizon
    if worth:
        return f"{money(_revenue(worth))} of yearly revenue is at risk within {days} days"
    if scored:
        return f"{_leavers(portfolio, scored)} of {_counted(len(scored), 'clients')} may leave within {days} days"
    return "No client can be scored as of this date"


def _leavers(portfolio: Portfolio, scored: Sequence[Prediction]) -> str:
    """How many are expected to leave: the sum of their risks."""
    expected = math.fsum(_risk(portfolio, one) for one in scored)
    return f"About {expected:.0f}" if expected >= 10 else f"About {expected:.1f}"


def _lead(portfolio: Portfolio, scored: Sequence[Prediction], worth: Sequence[Prediction]) -> str:
    known = len(portfolio.predictions)
    sentences = [f"Of {_counted(known, 'clients')} known on this date, {len(scored):,} could be scored."]
    whole = _revenue(worth)
    if whole > 0 and len(worth) > 2:
        sums = accumulate(one.revenue_at_risk or 0.0 for one in worth)
        half = next(place for place, total in enumerate(sums, start=1) if total >= whole / 2)
        sentences.insert(0, f"Half of it lies with {_counted(half, 'clients')}.")
    if portfolio.days_past_records:
        gap = _counted(portfolio.days_past_records, "days")
        sentences.append(f"The records end {gap} before it: what happened since is not in these figures.")
    return " ".join(sentences)


def _tiles(portfolio: Portfolio, scored: Sequence[Prediction], worth: Sequence[Prediction]) -> list[dict[str, str]]:
    location, days = portfolio.location, portfolio.horizon
    tiles = [_tile("Clients scored", f"{len(scored):,}", f"of {len(portfolio.predictions):,} known")]
    if worth:
        value = money(math.fsum(one.value or 0.0 for one in worth))
        tiles.append(_tile("Revenue at risk", money(_revenue(worth)), f"of {value} a year, within {days} days"))
    if scored:
        expected = _leavers(portfolio, scored)
        tiles.append(_tile("Expected to leave", expected, f"of {len(scored):,} clients, within {days} days"))
    return [*tiles, _tile("Model", f"Version {location.version}", f"trained {day(location.registered_at)}")]


def _tile(label: str, figure: str, aside: str) -> dict[str, str]:
    return {"label": label, "figure": figure, "aside": aside}


def _scale(risks: Iterable[float]) -> float:
    """The right end of every bar on the page: the highest risk, up to the next tenth."""
    return max(0.1, math.ceil(10 * max(risks, default=0.0)) / 10)


def _line(portfolio: Portfolio, prediction: Prediction, rank: int) -> dict[str, Any]:
    """What every list says of an account with a risk."""
    value, revenue = prediction.value, prediction.revenue_at_risk
    return {
        "rank": rank,
        "name": _profile(portfolio, prediction).name,
        "stage": prediction.stage.stage.capitalize(),
        "share": _risk(portfolio, prediction),
        "risk": percent(_risk(portfolio, prediction)),
        "value": None if value is None else money(value),
        "revenue_at_risk": None if revenue is None else money(revenue),
    }


def _account(portfolio: Portfolio, prediction: Prediction, rank: int) -> dict[str, Any]:
    """What is told of an account one by one, beyond its line."""
    profile = _profile(portfolio, prediction)
    explained = prediction.explanation
    reasons = explained.reasons(REASONS) if explained else []
    largest = max((abs(reason.points) for reason in reasons), default=1.0) or 1.0
    told = [_reason(reason, largest) for reason in reasons if reason.value is not None]
    risks = (prediction.risk or {}).items()
    return {
        **_line(portfolio, prediction, rank),
        "anchor": f"client-{rank}",
        "id": prediction.account_id,
        "industry": profile.industry,
        "owner": profile.owner,
        "risks": [{"days": days, "share": share, "words": percent(share)} for days, share in risks],
        "raising": [reason for reason in told if reason["raises"]],
        "lowering": [reason for reason in told if not reason["raises"]],
        "missing": [_reason(reason, largest) for reason in reasons if reason.value is None],
        "unknown": _unknown(prediction),
    }


def _profile(portfolio: Portfolio, prediction: Prediction) -> Profile:
    return portfolio.profiles.get(prediction.account_id) or Profile(prediction.account_id, "", "")


def _reason(reason: Reason, largest: float) -> dict[str, Any]:
    points = 100 * abs(reason.points)
    amount = "below 0.1" if points < 0.1 else f"{points:.1f}"
    marked = reason.mark_met is not None
    origin = f"mark given by document {reason.source}" if reason.documented else "our own mark"
    source = "your own column" if reason.source == SOURCE else f"document {reason.source}"
    return {
        "raises": reason.raises,
        "sentence": reason.sentence,
        "points": f"{'+' if reason.raises else '−'}{amount} points",
        "share": abs(reason.points) / largest,
        "signal": reason.name,
        "met": reason.mark_met,
        "origin": origin if marked else source,
        "evidence": _counted(reason.evidence, reason.evidence_unit) if reason.evidence else None,
    }


def _unknown(prediction: Prediction) -> list[str]:
    """The signals of which no figure at all is known."""
    if prediction.explanation is None:
        return []
    matrix = prediction.explanation.matrix
    known = ~np.isnan(matrix.values[prediction.explanation.row])
    found = {one.signal.id: False for one in matrix.indicators}
    names = {one.signal.id: one.signal.name for one in matrix.indicators}
    for indicator, has_figure in zip(matrix.indicators, known.tolist(), strict=True):
        found[indicator.signal.id] |= has_figure
    return [names[signal] for signal, has_figure in found.items() if not has_figure]


def _reading(portfolio: Portfolio) -> str:
    return (
        f"Points are percentage points of the risk within {portfolio.horizon} days; with those too small to be shown "
        "they add up to the difference between this client and the average one. A mark is the figure that a strong "
        "relationship reaches. All this is association, not proof of a cause."
    )


def _hidden(left: int) -> str:
    return f"Not shown: {_counted(left, 'more clients')} of lower rank." if left > 0 else ""


def _not_scored(portfolio: Portfolio) -> list[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for one in portfolio.predictions:
        if one.not_at_risk:
            groups.setdefault(one.not_at_risk, []).append(_profile(portfolio, one).name)
    return [
        {
            "why": why.capitalize(),
            "count": len(names),
            "meaning": MEANINGS[why],
            "names": names[:NAMES],
            "more": f" and {len(names) - NAMES:,} more" if len(names) > NAMES else "",
        }
        for why, names in sorted(groups.items())
    ]


def _notes(portfolio: Portfolio) -> list[str]:
    location = portfolio.location
    begin, end = portfolio.learned.span
    notes = [
        DEFINITIONS[portfolio.definition],
        "The value of a client is its contracted money a year, else its orders of the last 365 days, else its "
        "potential. Revenue at risk is that value times the risk of leaving.",
        "Only what was known by the date of this report is used. What is unknown counts neither as good nor as bad.",
        f"Model {location.name}, version {location.version}, trained on {day(location.registered_at)} on records "
        f"from {day(begin)} to {day(end)}{' of a simulated portfolio' if portfolio.learned.simulated else ''}.",
    ]
    if portfolio.learned_from_later:
        notes.append(LEARNED_LATER)
    if portfolio.nothing_known:
        left_out = _counted(portfolio.nothing_known, "accounts")
        notes.insert(0, f"Left out: {left_out} of which nothing was known by this date.")
    return notes
