"""The report where there is no model: the clients by their scorecards, and why nothing is predicted."""

from __future__ import annotations

from typing import Any

from features.judgements.warmth import Warmth
from models.words import counted, day, money
from serving.closer_words import CHIPS, card_words
from serving.judged import Judged, JudgedPortfolio
from serving.portfolio import profile_of
from serving.reports import KNOWN_THEN, LISTED, MEANINGS, group, hidden, left_out, tile

TEMPLATE = "scorecards.html"

WHY = {
    "title": "Why no risk of leaving is told",
    "sentences": [
        "No model has been trained on these records yet, or there are too few clients who left to learn from. A model "
        "learns what clients looked like before they left; from a handful of losses it would learn chance. So nothing "
        "is predicted here rather than something that looks more certain than it is.",
        "What can be told without a model are the scorecards: what the records show of each relationship, held against "
        "the figures that a strong relationship reaches. They say where a relationship stands, not who will leave.",
        "Whoever runs Rapport learns from 'rapport train' whether the records are enough by now and what is missing.",
    ],
}

READING = (
    "The gauntlet counts the steps that a client passes, of those of which something is known. Depth and pillars hold "
    "two thirds of what is known against its marks. Warmth runs from 0 to 100; the middle is best. What is unknown "
    "counts neither as good nor as bad."
)


def judged_page(portfolio: JudgedPortfolio, most: int = 30) -> dict[str, Any]:
    """What the page says; the first ``most`` clients are told one by one, the others have a line each."""
    clients = [one for one in portfolio.accounts if one.no_client is None]
    return {
        "title": f"Clients by their scorecards as of {day(portfolio.as_of)}",
        "as_of": day(portfolio.as_of),
        "simulated": portfolio.dataset.simulated,
        "headline": f"{counted(len(clients), 'clients')} by their scorecards; no risk is predicted",
        "lead": "There is no model yet, so this page tells where each relationship stands and not who will leave.",
        "tiles": _tiles(portfolio, clients),
        "why": WHY,
        "reading": READING,
        "accounts": [
            {**_line(portfolio, one), **(_told(portfolio, one, place) if place < most else {"cards": None})}
            for place, one in enumerate(clients[: most + LISTED])
        ],
        "hidden": hidden(len(clients) - most - LISTED),
        "others": _others(portfolio),
        "notes": _notes(portfolio),
    }


def _tiles(portfolio: JudgedPortfolio, clients: list[Judged]) -> list[dict[str, str]]:
    deep = [one.cards.depth.verdict for one in clients]
    warm = [one.cards.warmth for one in clients]
    return [
        tile("Clients", f"{len(clients):,}", f"of {len(portfolio.accounts):,} accounts known"),
        tile("Deep relationships", f"{deep.count('deep'):,}", f"{deep.count('unknown'):,} unknown"),
        tile("Cooler than is good", f"{_cooler(warm):,}", f"{_unknown(warm):,} unknown"),
        tile("Model", "None", "nothing is predicted"),
    ]


def _cooler(warm: list[Warmth]) -> int:
    return sum(one.place == "cooler" for one in warm)


def _unknown(warm: list[Warmth]) -> int:
    return sum(one.degrees is None for one in warm)


def _line(portfolio: JudgedPortfolio, account: Judged) -> dict[str, Any]:
    cards = account.cards
    strong = [pillar.verdict for pillar in cards.pillars]
    known = len(strong) - strong.count("unknown")
    warmth = cards.warmth.degrees
    return {
        "name": profile_of(portfolio.profiles, account.account_id).name,
        "stage": account.stage.stage.capitalize(),
        "gauntlet": f"{cards.steps_passed} of {cards.steps_known}" if cards.steps_known else "unknown",
        "depth": cards.depth.verdict,
        "depth_chip": CHIPS[cards.depth.verdict],
        "pillars": f"{strong.count('strong')} of {known}" if known else "unknown",
        "warmth": "unknown" if warmth is None else f"{warmth:.0f}",
        "value": "unknown" if account.value is None else money(account.value),
    }


def _told(portfolio: JudgedPortfolio, account: Judged, place: int) -> dict[str, Any]:
    profile = profile_of(portfolio.profiles, account.account_id)
    return {
        "anchor": f"client-{place + 1}",
        "id": account.account_id,
        "industry": profile.industry,
        "owner": profile.owner,
        "cards": card_words(account.cards),
    }


def _others(portfolio: JudgedPortfolio) -> list[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for one in portfolio.accounts:
        if one.no_client is not None:
            groups.setdefault(one.no_client, []).append(profile_of(portfolio.profiles, one.account_id).name)
    return [group(why, names, MEANINGS[why]) for why, names in sorted(groups.items())]


def _notes(portfolio: JudgedPortfolio) -> list[str]:
    return [
        *left_out(portfolio.nothing_known),
        "The value of a client is its contracted money a year, else its orders of the last 365 days, else its "
        "potential; the most valuable come first.",
        KNOWN_THEN,
    ]
