"""Answers as tables on a terminal."""

from __future__ import annotations

from collections import Counter

from features.terminal import console, new_table
from models.prediction import Prediction
from models.words import between, day, money, percent, points
from serving.judged import JudgedPortfolio
from serving.portfolio import Portfolio, profile_of

REASONS_IN_TABLE = 3
"""Reasons that are told of each account."""

SIGNS = {"pass": "✓", "fail": "✗", "strong": "✓", "weak": "✗", "unknown": "?"}
"""Verdicts of the scorecards."""


def show_ranking(portfolio: Portfolio, top: int) -> None:
    scored = [one for one in portfolio.predictions if one.risk]
    title = f"Clients at risk as of {day(portfolio.as_of)}" + (" (simulated)" if portfolio.dataset.simulated else "")
    horizons = [f"{days} d" for days in portfolio.horizons]
    table = new_table("#", "client", "stage", *horizons, "value", "at risk", "strongest reasons", title=title)
    for rank, one in enumerate(scored[:top], start=1):
        profile = portfolio.profiles.get(one.account_id)
        table.add_row(
            str(rank),
            profile.name if profile else one.account_id,
            one.stage.stage,
            *(_risk_told(one, days) for days in portfolio.horizons),
            "unknown" if one.value is None else money(one.value),
            "unknown" if one.revenue_at_risk is None else money(one.revenue_at_risk),
            "\n".join(
                f"{'+' if reason.raises else '−'} {reason.sentence}" for reason in one.reasons[:REASONS_IN_TABLE]
            ),
        )
    out = console()
    out.print(table)
    if len(scored) > top:
        out.print(f"{len(scored) - top:,} more accounts of lower rank")
    groups: dict[str, int] = {}
    for one in portfolio.predictions:
        if one.not_at_risk:
            groups[one.not_at_risk] = groups.get(one.not_at_risk, 0) + 1
    if portfolio.nothing_known:
        groups["nothing known by then"] = portfolio.nothing_known
    if groups:
        out.print("Not scored: " + "; ".join(f"{number:,} {why}" for why, number in sorted(groups.items())))


def _risk_told(prediction: Prediction, days: int) -> str:
    """A risk, at the explained horizon with its interval."""
    risk, ends = (prediction.risk or {})[days], (prediction.interval or {}).get(days)
    told = percent(risk)
    return f"{told}\n({between(*ends)})" if ends is not None and days == prediction.horizon else told


def show_changes(portfolio: Portfolio, since: int, top: int) -> None:
    """The accounts whose risk changed most, with what led there."""
    told = {account: one.changes for account, one in portfolio.closer.items() if one.changes is not None}
    both = {account: change for account, change in told.items() if change.points is not None}
    title = f"Risk within {portfolio.horizon} days, {day(since)} to {day(portfolio.as_of)}"
    table = new_table("client", "id", "then", "now", "change", "what led there", title=title)
    for account in sorted(both, key=lambda one: (-abs(both[one].points or 0.0), one))[:top]:
        change = both[account]
        parts = [part for part in (change.time, *change.told[:REASONS_IN_TABLE]) if part is not None]
        table.add_row(
            profile_of(portfolio.profiles, account).name,
            account,
            percent(change.risk_before or 0.0),
            percent(change.risk or 0.0),
            points(change.points or 0.0),
            "\n".join(f"{points(part.points)}: {part.sentence}" for part in parts),
        )
    out = console()
    out.print(table)
    if len(both) > top:
        out.print(f"{len(both) - top:,} more accounts changed by less")
    reasons = Counter(
        f"without a risk on {day(since)} ({change.not_at_risk_before})"
        if change.risk_before is None
        else f"without a risk on {day(portfolio.as_of)}"
        for change in told.values()
        if change.points is None
    )
    if reasons:
        out.print("Not compared: " + "; ".join(f"{number:,} {why}" for why, number in sorted(reasons.items())))


def show_change(portfolio: Portfolio, account: str, since: int, top: int) -> None:
    """One account's change and its parts, which add up to it."""
    change = portfolio.closer[account].changes if account in portfolio.closer else None
    if change is None:
        raise ValueError(f"nothing is known of an account {account!r} by {day(portfolio.as_of)}")
    name = profile_of(portfolio.profiles, account).name
    if change.points is None or change.risk_before is None or change.risk is None:
        then = change.not_at_risk_before or percent(change.risk_before or 0.0)
        now = next(one.not_at_risk for one in portfolio.predictions if one.account_id == account)
        print(f"{name}: {day(since)}: {then}; {day(portfolio.as_of)}: {now or percent(change.risk or 0.0)}")
        return
    title = (
        f"{name}: risk within {portfolio.horizon} days {percent(change.risk_before)} on {day(since)}, "
        f"{percent(change.risk)} on {day(portfolio.as_of)} ({points(change.points)})"
    )
    table = new_table("change", "signal", "figures", title=title)
    told = change.told[:top]
    for part in (change.time, *told):
        if part is not None:
            table.add_row(points(part.points), part.name, part.sentence)
    rest = [part.points for part in change.parts if part not in told]
    table.add_row(points(sum(rest)), f"{len(rest)} other signals", "each too small to be told, or beyond --top")
    console().print(table)


def show_scorecards(judged: JudgedPortfolio, top: int) -> None:
    title = f"Scorecards as of {day(judged.as_of)}" + (" (simulated)" if judged.dataset.simulated else "")
    steps = [f"G{number}" for number in range(1, 8)]
    pillars = [f"P{number}" for number in range(1, 5)]
    table = new_table("client", "stage", *steps, "depth", *pillars, "warmth", "value", title=title)
    for one in judged.accounts[:top]:
        cards = one.cards
        table.add_row(
            profile_of(judged.profiles, one.account_id).name,
            one.stage.stage,
            *(SIGNS[step.verdict] for step in cards.gauntlet),
            cards.depth.verdict,
            *(SIGNS[pillar.verdict] for pillar in cards.pillars),
            "unknown" if cards.warmth.degrees is None else f"{cards.warmth.degrees:.0f}",
            "unknown" if one.value is None else money(one.value),
        )
    out = console()
    out.print(table)
    if judged.accounts:
        cards = judged.accounts[0].cards
        for letter, what, lines in (("G", "gauntlet", cards.gauntlet), ("P", "pillars", cards.pillars)):
            out.print(f"{what}: " + ", ".join(f"{letter}{one.number} {one.name}" for one in lines))
        out.print("✓ its mark is met, ✗ it is not, ? no evidence yet")
    if len(judged.accounts) > top:
        out.print(f"{len(judged.accounts) - top:,} more accounts of lower or unknown value")
    if judged.nothing_known:
        out.print(f"{judged.nothing_known:,} accounts of which nothing was known by then")
