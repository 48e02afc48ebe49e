"""The second opinion on what compares an account with the whole portfolio; see ``tests/features/oracle.py``."""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import TYPE_CHECKING

from tests.features.oracles.lifecycle_warmth_pillars import attribute

if TYPE_CHECKING:
    from tests.features.oracle import Account

DAY = 86_400
YEAR = 365 * DAY
COLUMNS = (
    "W5.evenness.now",
    "P4a.revenue.now",
    "P4a.revenue_rank.now",
    "P4a.revenue_above.now",
    "P4a.among_the_vital_few.now",
    "P4a.potential.now",
    "P4b.effort_alignment.now",
    "P2c.days_to_close_against_usual.now",
)
Figures = dict[str, float | None]


def own(one: Account, promises: list[tuple[int, bool, bool]]) -> dict[str, float]:
    """What the account itself is like at its t; NaN where it is not known."""
    lately = range(one.t - YEAR + 1, one.t + 1)
    revenue = sum(
        round(row["amount"] * 100) / 100 for row in one.rows if row["kind"] == "order" and row["at"] in lately
    )
    spent = []
    for deal in one.deals:
        if deal.get("outcome") not in ("won", "lost") or deal["closed_at"] > one.t:
            continue
        spent.append((deal["closed_at"] - deal["opened_at"]) / DAY)
        if deal["outcome"] == "won":
            begin = deal["starts_on"] if "starts_on" in deal else deal["closed_at"]
            end = deal.get("ends_on")
            if end is None:
                revenue += deal["amount"] * (deal["closed_at"] in lately)
            else:
                inside = min(end, one.t) - max(begin, one.t - YEAR)
                revenue += max(inside, 0) / (end - begin) * deal["amount"]
    minutes = 0.0
    for row in one.rows:
        met = row["kind"] == "meeting" and row.get("outcome") == "held"
        spoke = row["kind"] == "call" and row.get("outcome") == "answered"
        if (met or spoke) and row["at"] in lately:
            minutes += row.get("minutes", 0)
    for row in one.touches:
        if row["kind"] == "message" and row["actor"] == "us" and one.in_exchange_at(row["at"]) in lately:
            minutes += 5
    parts = [
        [value for at, value in one.answered if at in lately],
        [float(delay <= DAY) for at, delay in one.our_delays if at in lately],
    ]
    deliveries = [row for row in one.rows if row["kind"] == "delivery"]
    never = 10**12
    ours = [
        [float(kept) for at, kept, _ in promises if at in lately],
        [
            float(row.get("resolved_at", never) <= row["due_at"])
            for row in deliveries
            if "due_at" in row and min(row["due_at"], row.get("resolved_at", never)) in lately
        ],
        [
            float(row["rating"] >= 7)
            for row in deliveries
            if "rating" in row and row.get("resolved_at", row["at"]) in lately
        ],
    ]
    known = [fmean(part) for part in parts if len(part) >= 5]
    kept = [fmean(part) for part in ours if len(part) >= 5]
    known += [min(kept)] if kept else []
    given = attribute(one, "potential")
    potential = math.nan if given is None else given
    return {
        "revenue": revenue,
        "hours": minutes / 60,
        "potential": max(revenue, 0 if math.isnan(potential) else potential) or potential,
        "referred": sum(row.get("subtype") == "referral" and row["at"] in lately for row in one.rows),
        "quality": fmean(known) if known else math.nan,
        "days_to_close": median(spent) if spent else math.nan,
    }


def figures(mine: dict[str, float], everybody: list[dict[str, float]]) -> Figures:
    """The columns of an account with its own figures at t, ``everybody`` being all accounts' at the month start."""
    out: Figures = dict.fromkeys(COLUMNS)
    closing = [other["days_to_close"] for other in everybody if not math.isnan(other["days_to_close"])]
    if len(closing) >= 10 and not math.isnan(mine["days_to_close"]):
        out["P2c.days_to_close_against_usual.now"] = mine["days_to_close"] / median(closing)
    paying = [other["revenue"] for other in everybody if other["revenue"] > 0]
    if len(paying) < 10:
        return out
    above = sum(money for money in paying if money > mine["revenue"]) / sum(paying)
    rank = sum(money < mine["revenue"] for money in paying) / len(paying)
    out["P4a.revenue.now"] = mine["revenue"]
    out["P4a.revenue_rank.now"] = rank
    out["P4a.revenue_above.now"] = above
    out["P4a.among_the_vital_few.now"] = float(mine["revenue"] > 0 and above < 0.8)
    whole = mine["potential"] + mine["referred"] * median(paying)
    if not math.isnan(whole):
        out["P4a.potential.now"] = whole
    hours = sum(other["hours"] for other in everybody)
    potential = sum(other["potential"] for other in everybody if not math.isnan(other["potential"]))
    if hours and not math.isnan(whole):
        out["P4b.effort_alignment.now"] = (mine["hours"] / hours) / (whole / potential)
    told = [
        (sum(money < other["revenue"] for money in paying) / len(paying), other["quality"])
        for other in everybody
        if other["revenue"] > 0 and not math.isnan(other["quality"])
    ]
    if len(told) >= 10 and not math.isnan(mine["quality"]):
        ranks, qualities = zip(*told, strict=True)
        middle, level = fmean(ranks), fmean(qualities)
        spread = sum((x - middle) ** 2 for x in ranks)
        slope = sum((x - middle) * (y - level) for x, y in told) / spread
        out["W5.evenness.now"] = mine["quality"] - (level + slope * (rank - middle))
    return out
