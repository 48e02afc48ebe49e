"""A second opinion on L1 to L4 and L6, W1c to W4, and P1a, P1c, P2 and P3b to P3c, row by row in plain Python."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from statistics import fmean, median, pstdev
from typing import TYPE_CHECKING, Any

from tests.features.oracles.depth import settled
from tests.features.oracles.openness_and_reach import as_of

if TYPE_CHECKING:
    from tests.features.oracle import Account

DAY = 86_400
WINDOWS = {"90d": 90 * DAY, "365d": 365 * DAY, "all": 10**12}
Record = dict[str, Any]
Fact = tuple[float, float]
Figures = dict[str, float | None]

TRENDS = (
    "L3.competitor_mentions",
    "L4.strategic_share",
    "W1c.immaculate_contacts",
    "W2a.value_added_touches",
    "W2a.meetings_followed_up",
    "W2b.personal_details_remembered",
    "W4.prepared_share",
    "P1c.face_to_face_share",
    "P1c.body_language",
    "P2a.our_share_of_concessions",
    "P2a.satisfaction",
    "P2b.resentment",
    "P3b.small_gestures",
)


def figures(one: Account, recorded: Collection[str] = ()) -> Figures:
    """The columns of the account at its t; ``recorded`` are the kinds that the data set declares to record."""
    t, out = one.t, {}
    kept = promises(one)
    failures = small_failures(one, kept)
    good = [row["at"] for begun, row in our_answers(one) if row["at"] - begun <= 3 * DAY]
    good += [row["at"] for row in held(one)]
    events = [(at, 1.0) for at in failures] + [(at, 0.0) for at in good]
    rivals = competitor_mentions(one)
    briefs = [(row["at"], float(row["strategic"])) for row in one.rows if row["kind"] == "brief" and "strategic" in row]
    sent = [row for row in one.rows if row["kind"] == "gesture" and row["actor"] == "us" and not row.get("auto")]
    useful = [row["at"] for row in sent if row.get("subtype") in ("article", "research")]
    personal = [row["at"] for row in sent if row.get("subtype") == "personal_detail"]
    followed = [(when, value) for when, value in follow_ups(one, useful) if when <= t]
    prepared = [(row["at"], float(row["prepared"])) for row in held(one) if "prepared" in row]
    seen = [
        (row["at"], float(row["channel"] in ("video", "in_person")))
        for row in held(one)
        if row.get("channel") is not None
    ]
    bodies = [(row["at"], float(row["non_verbal"])) for row in held(one) if "non_verbal" in row]
    won = [deal for deal in one.deals if deal.get("outcome") == "won" and deal["closed_at"] <= t]
    goals = [(deal["closed_at"], float(deal["goal_met"])) for deal in won if "goal_met" in deal]
    rated = [
        (ended(row), float(row["rating"]))
        for row in one.rows
        if row["kind"] == "feedback" and row["actor"] == "client" and "rating" in row
    ]
    resented = [
        (at, float(rating <= 4))
        for at, rating in rated
        if any(at - 180 * DAY <= deal["closed_at"] <= at for deal in won)
    ]
    champions = [
        (row["at"], row.get("contact_id"))
        for row in one.rows
        if row["kind"] == "advocacy" and row.get("subtype") == "champion"
    ]
    phases = sales_phases(one)
    attempts = [(at, value) for at, value in one.attempts if any(begin <= at < end for begin, end in phases)]
    clients = [row["at"] for row in one.touches if "client" in one.sides(row)]
    year_seen = one.observed_days("all") >= 365

    for window, span in WINDOWS.items():

        def put(column: str, value: float | None, window: str = window) -> None:
            out[f"{column}.{window}"] = value

        def inside(facts: Iterable[Fact], span: int = span) -> list[float]:
            return [value for at, value in facts if t - span < at <= t]

        def share(column: str, facts: Iterable[Fact], least: int = 5, scale: float = 1, window: str = window) -> None:
            values = [value for at, value in facts if t - WINDOWS[window] < at <= t]
            out[f"{column}.{window}"] = fmean(values) / scale if len(values) >= least else None

        days = one.observed_days(window)

        def yearly(
            column: str,
            moments: Iterable[float],
            kind: str,
            ours: bool = False,
            window: str = window,
            days: float = days,
        ) -> None:
            count = len([at for at in moments if t - WINDOWS[window] < at <= t])
            if ours:
                count = min(count, 2 * len([at for at in clients if t - WINDOWS[window] < at <= t]))
            told = days >= 90 and (count > 0 or (kind in recorded and year_seen))
            out[f"{column}.{window}"] = count * 365 / days if told else None

        recent = sorted((at, -failed) for at, failed in events if t - span < at <= t)
        run = longest = 0
        for _, failed in recent:
            run = run + 1 if failed else 0
            longest = max(longest, run)
        put("L1.longest_failure_run", longest if len(recent) >= 5 else None)
        yearly("L3.competitor_mentions", rivals, "mention")
        share("L4.strategic_share", briefs)
        put("L6.attention_after_sale", attention(one, won, span))
        put("W1c.immaculate_contacts", immaculate(one, won, span))
        yearly("W2a.value_added_touches", one.heard(useful), "gesture", ours=True)
        share("W2a.meetings_followed_up", followed if sent or "gesture" in recorded else [])
        yearly("W2b.personal_details_remembered", one.heard(personal), "gesture", ours=True)
        share("W4.prepared_share", prepared)
        put("P1a.shared_interests", shared_interests(one, span))
        share("P1c.face_to_face_share", seen)
        share("P1c.body_language", bodies)
        put("P2a.our_share_of_concessions", concessions(one, won, span))
        share("P2a.goals_met", goals, least=2)
        sums = [
            (deal["margin"], deal["amount"])
            for deal in won
            if "margin" in deal and deal.get("amount", 0) > 0 and t - span < deal["closed_at"]
        ]
        put("P2a.margin", sum(left for left, _ in sums) / sum(all_ for _, all_ in sums) if len(sums) >= 2 else None)
        share("P2a.satisfaction", rated)
        share("P2b.resentment", resented)
        yearly("P3b.small_gestures", one.heard(row["at"] for row in sent), "gesture", ours=True)
        people = {contact for at, contact in champions if t - span < at <= t}
        zero = "advocacy" in recorded and year_seen
        put("P3c.ambassadors", len(people) if days >= 90 and (people or zero) else None)
        alone = attempts if days < 90 or not people else []
        share("P3c.attention_in_sales", alone)

    for column in TRENDS:
        new, old = out[f"{column}.90d"], out[f"{column}.365d"]
        out[f"{column}.trend"] = None if new is None or old is None else new - old

    def since(column: str, moments: Iterable[float]) -> None:
        past = [at for at in moments if at <= t]
        out[f"{column}.since"] = (t - max(past)) / DAY if past else None

    since("L1.small_failure", failures)
    since("L3.competitor_mention", rivals)
    out["L1.neglect_rate.now"] = neglect_rate(one, events)
    reviews = [row for row in one.known if row["kind"] == "meeting" and row.get("subtype") == "review"]
    reviewed = [row["at"] for row in reviews if row.get("outcome") == "held" and row["at"] <= t]
    since("L2.review_meeting", reviewed)
    ahead = [row["at"] for row in reviews if row["at"] > t and not called_off(row, t)]
    out["L2.days_to_next_review.now"] = (min(ahead) - t) / DAY if ahead else None
    told = one.observed_days("all") >= 180 and (reviews or "meeting" in recorded)
    lately = any(at > t - 180 * DAY for at in reviewed)
    out["L2.stagnation.now"] = float(not ahead and not lately) if told else None
    out["L4.share_of_wallet.now"] = attribute(one, "wallet")
    out |= consistency(one, kept)
    offers = [row["at"] for row in one.touches if row.get("subtype") == "sales" and "us" in one.sides(row)]
    wait = (min(offers) - one.touches[0]["at"]) / DAY if offers else None
    out["P2c.days_to_first_offer.now"] = wait if wait is None or wait < 7 or one.heard(offers) else None
    return out


def ended(row: Record) -> int:
    """When a row's outcome came about: in its own time, else when it happened."""
    return int(row["resolved_at"] if "resolved_at" in row else row["at"])


def held(one: Account) -> list[Record]:
    return [
        row for row in one.rows if row["kind"] == "meeting" and row.get("outcome") == "held" and not row.get("auto")
    ]


def our_answers(one: Account) -> list[tuple[int, Record]]:
    """When the client's approach began, and the touch of ours that answered it."""
    return [(first["at"], row) for first, row, _ in one.exchanges if first["actor"] == "client"]


def promises(one: Account) -> list[Fact]:
    """When each promise of ours was decided, and whether it was kept by its time."""
    decided: list[Fact] = []
    for row in one.rows:
        if row["kind"] == "commitment" and row["actor"] == "us":
            end = settled(row)
            due = row.get("due_at", math.inf)
            if row.get("outcome") == "kept" and end <= due:
                decided.append((end, 1.0))
            else:
                broken = end if row.get("outcome") == "broken" else math.inf
                decided.append((min(due, broken), 0.0))
    return decided


def small_failures(one: Account, kept: list[Fact]) -> list[float]:
    begun = [first for first, row in our_answers(one) if row["at"] - first > 3 * DAY]
    begun += [int(at) - 30 * DAY for at, value in one.answered if not value]
    failed = [float(at + 3 * DAY) for at in begun]
    failed += [at for at, value in kept if not value]
    failed += [row["at"] for row in one.rows if row["kind"] == "mistake" and row.get("level") == 1]
    failed += [ended(row) for row in one.known if ours_moved(row, ("cancelled",))]
    return [at for at in failed if at <= one.t]


def ours_moved(row: Record, outcomes: tuple[str, ...]) -> bool:
    return row["kind"] == "meeting" and row["actor"] == "us" and row.get("outcome") in outcomes


def neglect_rate(one: Account, events: list[Fact]) -> float | None:
    if len([at for at, _ in events if at <= one.t]) < 5 or one.observed_days("all") < 90:
        return None
    weight: float = sum(0.5 ** ((one.t - at) // 3600 / (60 * 24)) for at, failed in events if failed and at <= one.t)
    days: float = 60 / math.log(2) * (1 - 0.5 ** (one.observed_days("all") / 60))
    return weight * 365 / days


def called_off(row: Record, t: int) -> bool:
    if row.get("outcome") not in ("cancelled", "rescheduled"):
        return False
    return settled(row) <= t


def competitor_mentions(one: Account) -> list[float]:
    first: dict[object, int] = {}
    for row in one.rows:
        if row["kind"] == "mention" and row.get("subtype") == "competitor" and row["actor"] == "client":
            first.setdefault(row.get("about_id", ("none", row["interaction_id"])), row["at"])
    found: list[float] = list(first.values())
    for deal in one.deals:
        if deal.get("competitive"):
            found.append(deal["opened_at"])
        elif "lost_to" in deal or deal.get("lost_reason") == "competitor":
            found.append(deal.get("closed_at", math.inf))
    return found


def attention(one: Account, won: list[Record], span: int) -> float | None:
    decided = [deal["closed_at"] for deal in won if one.t - span < deal["closed_at"] + 90 * DAY <= one.t]

    def touched(begin: int, ended: int) -> int:
        part = [row for row in one.touches if begin < row["at"] <= begin + 90 * DAY]
        heard = [one.answered_at(row["at"]) for row in part if "us" in one.sides(row)]
        ours = len([at for at in heard if at is not None and at <= ended])
        return min(ours, 2 * len([row for row in part if "client" in one.sides(row)]))

    before = sum(touched(at - 90 * DAY, at + 90 * DAY) for at in decided)
    return sum(touched(at, at + 90 * DAY) for at in decided) / before if before else None


def immaculate(one: Account, won: list[Record], span: int) -> float | None:
    warm = min((deal["closed_at"] + 90 * DAY for deal in won), default=math.inf)
    late = {row["interaction_id"] for first, row in our_answers(one) if row["at"] - first > 3 * DAY}
    ours = {row["interaction_id"]: row for row in one.touches if "us" in one.sides(row)}
    flawed = []
    loose = []
    for row in one.rows:
        if row["kind"] == "mistake":
            about = ours.get(row.get("about_id", ""))
            if about is not None and about["at"] <= row["at"]:
                flawed.append(about["interaction_id"])
            else:
                loose.append(row["at"])
    for row in one.known:
        if ours_moved(row, ("cancelled", "rescheduled", "no_show")):
            loose.append(ended(row))
    clean = spoilt = 0
    for name, row in ours.items():
        if one.t - span < row["at"] <= min(one.t, warm):
            due = row.get("due_at", math.inf) if row["kind"] == "delivery" else math.inf
            overdue = due <= one.t and row.get("resolved_at", math.inf) > due
            bad = name in late or name in flawed or overdue
            spoilt += bad
            clean += not bad and one.answered_at(row["at"]) is not None
    spoilt += len([at for at in loose if one.t - span < at <= min(one.t, warm)])
    client = [row for row in one.touches if "client" in one.sides(row) and one.t - span < row["at"] <= warm]
    clean = min(clean, 2 * len(client))
    return clean / (clean + spoilt) if clean + spoilt >= 5 else None


def follow_ups(one: Account, useful: list[int]) -> list[Fact]:
    facts = []
    for row in held(one):
        after = [at for at in useful if row["at"] <= at <= row["at"] + 7 * DAY]
        facts.append((min(after), 1.0) if after else (row["at"] + 7 * DAY, 0.0))
    return facts


def sales_phases(one: Account) -> list[tuple[float, float]]:
    phases: list[tuple[float, float]] = []
    for deal in one.deals:
        closed = deal.get("closed_at", math.inf)
        phases.append((deal["opened_at"], closed + 60 * DAY))
        if deal.get("outcome") == "won" and "ends_on" in deal:
            phases.append((max(deal["ends_on"] - 60 * DAY, closed), deal["ends_on"]))
    return phases


def plain(name: str) -> str:
    return " ".join(name.lower().split())


def shared_interests(one: Account, span: int) -> float | None:
    interests: set[str] = set()
    for contact in {row["contact_id"] for row in one.contacts}:
        text = as_of(one, "interests", contact, one.t) or ""
        interests |= {plain(name) for name in text.split(";") if name.strip()}
    spoken: dict[str, set[str]] = {"client": set(), "us": set()}
    count = 0
    for row in one.rows:
        silent = (row["kind"] == "meeting" and row.get("outcome") != "held") or (
            row["kind"] == "call" and row.get("outcome") == "missed"
        )
        if "topic" in row and not row.get("auto") and not silent:
            ours_alone = row["kind"] != "meeting" and row["actor"] == "us"
            counts_at = one.answered_at(row["at"]) if ours_alone else row["at"]
            if counts_at is None or counts_at <= one.t - span:
                continue
            count += 1
            for side in ("client", "us") if row["kind"] == "meeting" else (row["actor"],):
                spoken[side].add(plain(row["topic"]))
    return len(interests & spoken["client"] & spoken["us"]) if interests and count >= 5 else None


def concessions(one: Account, won: list[Record], span: int) -> float | None:
    pairs = [(deal["closed_at"], deal.get("concession", 0), deal.get("client_concession", 0)) for deal in won]
    for row in one.rows:
        if row["kind"] == "fee" and row.get("amount", 0) > 0 and "amount_agreed" in row:
            off = (row["amount"] - row["amount_agreed"]) / row["amount"]
            pairs.append((settled(row), max(off, 0), max(-off, 0)))
    rounded = [(round(mine * 1e6), round(theirs * 1e6)) for at, mine, theirs in pairs if one.t - span < at <= one.t]
    some = [pair for pair in rounded if sum(pair) > 0]
    return sum(mine for mine, _ in some) / sum(map(sum, some)) if len(some) >= 2 else None


def attribute(one: Account, name: str) -> float | None:
    """A number of the account's row in force."""

    def known(row: Record) -> float:
        return float(next((row[name] for name in ("updated_at", "recorded_at") if name in row), -math.inf))

    valid = [row for row in one.account_rows if row.get("valid_from", -math.inf) <= one.t and known(row) <= one.t]
    latest = max(valid, key=lambda row: (row.get("valid_from", -math.inf), known(row)), default={})
    return latest.get(name)


def consistency(one: Account, kept: list[Fact]) -> Figures:
    month = 365 * DAY // 12
    delays, shares = [], []
    for back in range(12):
        end = one.t - back * month
        taken = [delay for at, delay in one.our_delays if end - month < at <= end]
        if taken:
            delays.append(math.log(max(median(taken), 3600) / 3600))
        decided = [value for at, value in kept if end - month < at <= end]
        if decided:
            shares.append(fmean(decided))
    prompt = [(row["at"], float(row["at"] - first <= DAY)) for first, row in our_answers(one)]
    prompt += [(int(at), 0.0) for at, value in one.answered if not value]
    deliveries = [row for row in one.rows if row["kind"] == "delivery"]
    in_time = []
    for row in deliveries:
        if "due_at" in row:
            made = float(row.get("resolved_at") or math.inf)
            in_time.append((min(row["due_at"], made), float(made <= row["due_at"])))
    ratings = [(ended(row), row["rating"] / 10) for row in deliveries if "rating" in row]
    changes = []
    for facts in (prompt, kept, in_time, ratings):
        new = [value for at, value in facts if one.t - 90 * DAY < at <= one.t]
        old = [value for at, value in facts if one.t - 455 * DAY < at <= one.t - 90 * DAY]
        if len(new) >= 5 and len(old) >= 5:
            changes.append(fmean(new) - fmean(old))
    return {
        "W3a.response_variation.365d": pstdev(delays) if len(delays) >= 5 else None,
        "W3a.promise_variation.365d": pstdev(shares) if len(shares) >= 5 else None,
        "W3b.service_slip.now": fmean(changes) if changes else None,
    }
