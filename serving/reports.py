"""The report for an account director, in two pure steps: a scored portfolio → plain words and numbers → one page.

``page`` decides what is said and how; the template only lays it out. The page needs no network and no script, and
whatever comes from the data is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import jinja2
import numpy as np

from features.histories.log import DAY
from features.own_columns import SOURCE
from models.explanation import Reason
from models.prediction import FORMER_CLIENT, NO_CONTRACT, NO_CONTRACT_END, SILENT, TOO_LITTLE, Prediction
from models.words import between, counted, day, money, percent, points
from serving.answers import NOTHING_MORE
from serving.closer_words import card_words, change_words, course_words, help_words
from serving.portfolio import Portfolio, by_value, profile_of

REASONS = 6
"""Reasons told of each account, raising and lowering together."""

LISTED = 1_000
"""Accounts listed, with one line each, beyond those that are told one by one."""

NAMES = 60
"""Names listed of each group of accounts that are not scored."""

LOOK_BACK = 90 * DAY
"""The page tells what changed over so many seconds before its date."""

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


KNOWN_THEN = (
    "Only what was known by the date of this report is used. What is unknown counts neither as good nor as bad."
)

LEARNED_LATER = (
    "The model has learned from records later than this date: its figures of the accounts as of then are right, "
    "but its risks are better than anybody's could have been at the time."
)


def render(page: dict[str, Any], template: str = "report.html") -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("serving", "web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(page=page)


def page(portfolio: Portfolio, most: int = 30) -> dict[str, Any]:
    """What the page says; the first ``most`` accounts are told one by one, the others have a line each."""
    scored = [one for one in portfolio.predictions if one.risk]
    worth, unvalued = by_value(scored)
    return {
        "title": f"Clients at risk as of {day(portfolio.as_of)}",
        "as_of": day(portfolio.as_of),
        "simulated": portfolio.dataset.simulated,
        "headline": _headline(portfolio, scored, worth),
        "lead": _lead(portfolio, scored, worth),
        "tiles": _tiles(portfolio, scored, worth),
        "focus": portfolio.horizon,
        "top": _scale(risk for one in scored for risk in _highest(one)),
        "reading": _reading(portfolio),
        "ranked": [_account(portfolio, one, rank) for rank, one in enumerate(worth[:most], start=1)],
        "further": [
            _line(portfolio, one, rank) for rank, one in enumerate(worth[most : most + LISTED], start=most + 1)
        ],
        "hidden": hidden(len(worth) - most - LISTED),
        "value_unknown": [
            _account(portfolio, one, rank) for rank, one in enumerate(unvalued[:most], start=len(worth) + 1)
        ],
        "value_unknown_hidden": hidden(len(unvalued) - most),
        "not_scored": _not_scored(portfolio),
        "notes": _notes(portfolio),
    }


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
        return f"{_leavers(portfolio, scored)} of {counted(len(scored), 'clients')} may leave within {days} days"
    return "No client can be scored as of this date"


def _leavers(portfolio: Portfolio, scored: Sequence[Prediction]) -> str:
    """How many are expected to leave: the sum of their risks."""
    expected = math.fsum(_risk(portfolio, one) for one in scored)
    return f"About {expected:.0f}" if expected >= 10 else f"About {expected:.1f}"


def _lead(portfolio: Portfolio, scored: Sequence[Prediction], worth: Sequence[Prediction]) -> str:
    known = len(portfolio.predictions)
    sentences = [f"Of {counted(known, 'clients')} known on this date, {len(scored):,} could be scored."]
    whole = _revenue(worth)
    if whole > 0 and len(worth) > 2:
        sums = accumulate(one.revenue_at_risk or 0.0 for one in worth)
        half = next(place for place, total in enumerate(sums, start=1) if total >= whole / 2)
        sentences.insert(0, f"Half of it lies with {counted(half, 'clients')}.")
    if portfolio.days_past_records:
        gap = counted(portfolio.days_past_records, "days")
        sentences.append(f"The records end {gap} before it: what happened since is not in these figures.")
    return " ".join(sentences)


def _tiles(portfolio: Portfolio, scored: Sequence[Prediction], worth: Sequence[Prediction]) -> list[dict[str, str]]:
    location, days = portfolio.location, portfolio.horizon
    tiles = [tile("Clients scored", f"{len(scored):,}", f"of {len(portfolio.predictions):,} known")]
    if worth:
        value = money(math.fsum(one.value or 0.0 for one in worth))
        tiles.append(tile("Revenue at risk", money(_revenue(worth)), f"of {value} a year, within {days} days"))
    if scored:
        expected = _leavers(portfolio, scored)
        tiles.append(tile("Expected to leave", expected, f"of {len(scored):,} clients, within {days} days"))
    return [*tiles, tile("Model", f"Version {location.version}", f"trained {day(location.registered_at)}")]


def tile(label: str, figure: str, aside: str) -> dict[str, str]:
    """One of the figures at the head of a page."""
    return {"label": label, "figure": figure, "aside": aside}


def _highest(prediction: Prediction) -> Iterable[float]:
    """The largest numbers that the bars of an account must hold: its intervals' ends, else its risks."""
    if prediction.interval:
        return [high for _, high in prediction.interval.values()]
    return (prediction.risk or {}).values()


def _scale(risks: Iterable[float]) -> float:
    """The right end of every bar on the page: the highest risk, up to the next tenth."""
    return max(0.1, math.ceil(10 * max(risks, default=0.0)) / 10)


def _line(portfolio: Portfolio, prediction: Prediction, rank: int) -> dict[str, Any]:
    """What every list says of an account with a risk."""
    value, revenue = prediction.value, prediction.revenue_at_risk
    return {
        "rank": rank,
        "name": profile_of(portfolio.profiles, prediction.account_id).name,
        "stage": prediction.stage.stage.capitalize(),
        "share": _risk(portfolio, prediction),
        "risk": percent(_risk(portfolio, prediction)),
        "between": between(*prediction.interval[portfolio.horizon]) if prediction.interval else "",
        "value": None if value is None else money(value),
        "revenue_at_risk": None if revenue is None else money(revenue),
    }


def _account(portfolio: Portfolio, prediction: Prediction, rank: int) -> dict[str, Any]:
    """What is told of an account one by one, beyond its line."""
    profile = profile_of(portfolio.profiles, prediction.account_id)
    explained = prediction.explanation
    reasons = explained.reasons(REASONS) if explained else []
    largest = max((abs(reason.points) for reason in reasons), default=1.0) or 1.0
    told = [_reason(reason, largest) for reason in reasons if reason.value is not None]
    closer = portfolio.closer.get(prediction.account_id, NOTHING_MORE)
    return {
        **_line(portfolio, prediction, rank),
        "anchor": f"client-{rank}",
        "id": prediction.account_id,
        "industry": profile.industry,
        "owner": profile.owner,
        "risks": [_within(prediction, days, risk) for days, risk in (prediction.risk or {}).items()],
        "raising": [reason for reason in told if reason["raises"]],
        "lowering": [reason for reason in told if not reason["raises"]],
        "missing": [_reason(reason, largest) for reason in reasons if reason.value is None],
        "unknown": _unknown(prediction),
        "help": closer.help and help_words(closer.help),
        "changes": closer.changes and change_words(closer.changes),
        "cards": closer.scorecards and card_words(closer.scorecards),
        "course": closer.course and course_words(closer.course, prediction.stage.likely_set),
    }


def _within(prediction: Prediction, days: int, risk: float) -> dict[str, Any]:
    """The risk within one horizon and, where known, its interval."""
    told = {"days": days, "share": risk, "words": percent(risk), "between": ""}
    if prediction.interval:
        low, high = prediction.interval[days]
        told |= {"low": low, "high": high, "between": between(low, high)}
    return told


def _reason(reason: Reason, largest: float) -> dict[str, Any]:
    marked = reason.mark_met is not None
    origin = f"mark given by document {reason.source}" if reason.documented else "our own mark"
    source = "your own column" if reason.source == SOURCE else f"document {reason.source}"
    return {
        "raises": reason.raises,
        "sentence": reason.sentence,
        "points": points(reason.points),
        "share": abs(reason.points) / largest,
        "signal": reason.name,
        "met": reason.mark_met,
        "origin": origin if marked else source,
        "evidence": counted(reason.evidence, reason.evidence_unit) if reason.evidence else None,
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
    sure = (
        "In brackets stands how sure the model is: the range in which the risk would lie, nine times in ten, had it "
        "learned from other clients of the same kind. What no record shows is not in it. "
    )
    return (sure if any(one.interval for one in portfolio.predictions) else "") + (
        f"Points are percentage points of the risk within {portfolio.horizon} days; with those too small to be shown "
        "they add up to the difference between this client and the average one. A mark is the figure that a strong "
        "relationship reaches. What would help is the risk that the model gives with a signal's figures at their "
        "marks and all else as it is. All this is association: it neither proves a cause nor promises an effect."
    )


def hidden(left: int) -> str:
    """That so many clients are not shown; nothing where none are left."""
    return f"Not shown: {counted(left, 'more clients')} of lower rank." if left > 0 else ""


def _not_scored(portfolio: Portfolio) -> list[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for one in portfolio.predictions:
        if one.not_at_risk:
            groups.setdefault(one.not_at_risk, []).append(profile_of(portfolio.profiles, one.account_id).name)
    return [group(why, names, MEANINGS[why]) for why, names in sorted(groups.items())]


def group(why: str, names: Sequence[str], meaning: str) -> dict[str, Any]:
    """Accounts that are only named, and what they have in common."""
    return {
        "why": why.capitalize(),
        "count": len(names),
        "meaning": meaning,
        "names": names[:NAMES],
        "more": f" and {len(names) - NAMES:,} more" if len(names) > NAMES else "",
    }


def _notes(portfolio: Portfolio) -> list[str]:
    location = portfolio.location
    begin, end = portfolio.learned.span
    notes = [
        DEFINITIONS[portfolio.definition],
        "The value of a client is its contracted money a year, else its orders of the last 365 days, else its "
        "potential. Revenue at risk is that value times the risk of leaving.",
        KNOWN_THEN,
        f"Model {location.name}, version {location.version}, trained on {day(location.registered_at)} on records "
        f"from {day(begin)} to {day(end)}{' of a simulated portfolio' if portfolio.learned.simulated else ''}.",
    ]
    if portfolio.learned_from_later:
        notes.append(LEARNED_LATER)
    return left_out(portfolio.nothing_known) + notes


def left_out(nothing_known: int) -> list[str]:
    """The note on accounts that are left out, where there are any."""
    if not nothing_known:
        return []
    return [f"Left out: {counted(nothing_known, 'accounts')} of which nothing was known by this date."]
