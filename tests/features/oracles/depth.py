"""A second opinion on the depth signals (D1 to D7, D8a to D8e, D8g) and on G2c, row by row in plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.features.oracle import Account

DAY = 86_400
WINDOWS = {"90d": 90 * DAY, "365d": 365 * DAY, "all": 10**12}
LOG_TRENDS = {"D2.advice_delay", "D5a.back_in_touch", "D8g.meeting_hours"}
Record = dict[str, Any]
Fact = tuple[float, float]


def figures(one: Account, recorded: Sequence[str] = ()) -> dict[str, float | None]:
    """The columns of the account at its t; ``recorded`` are the kinds that the data set declares to record."""
    out: dict[str, float | None] = {}
    past = one.rows
    # A meeting may be called off, and a row's outcome be known, before its time.
    everything = one.known
    theirs = [row for row in one.touches if "client" in one.sides(row)]

    calls = help_calls(one)
    broke_silence = [after_silence(one, row) for row in calls]
    taken = [fact for row in past if row["kind"] == "advice" for fact in [advice(row, one.t)] if fact]
    delays = [
        (row["resolved_at"], max(0, row["resolved_at"] - row["at"]) / DAY)
        for row in past
        if row["kind"] == "advice" and row.get("outcome") == "acted" and "resolved_at" in row
    ]
    referred = [row for row in past if row["kind"] == "advocacy" and row.get("subtype") == "referral"]
    thanked = [within(row["at"], row.get("resolved_at"), 14) for row in referred]
    fees = [fee(row) for row in past if row["kind"] == "fee" and row.get("outcome", "open") != "open"]
    wrong = [row for row in past if row["kind"] == "mistake"]
    forgiven = [fact for row in wrong for fact in [forgiveness(one, row["at"], theirs)] if fact]
    back = [(min(later), (min(later) - row["at"]) / DAY) for row in wrong if (later := after(theirs, row["at"]))]
    kinds = [row for row in wrong if row.get("subtype", "other") != "other"]
    again = [(row["at"], float(row["subtype"] in [x["subtype"] for x in kinds[:i]])) for i, row in enumerate(kinds)]
    briefs = [row for row in past if row["kind"] == "brief"]
    scores = [(row["at"], round(row["politeness"] * 1000) / 1000) for row in theirs if "politeness" in row]
    talk, touch_count = supplier_talk(one, theirs)
    mentioned = "mention" in recorded or any((row["kind"], row["actor"]) == ("mention", "client") for row in past)
    held = [(held_at(row), row) for row in everything if row["kind"] == "meeting" and row.get("outcome") == "held"]
    duties = [fact for row in past for fact in [duty(row)] if fact]
    ends = [fact for row in everything if row["kind"] == "meeting" for fact in [meeting_end(row)] if fact]
    asked = [
        (settled(row), float(row["outcome"] == "granted"))
        for row in past
        if (row["kind"], row["actor"], row.get("subtype")) == ("request", "us", "reschedule")
        and row.get("outcome", "open") != "open"
    ]
    feedback = [row for row in past if row["kind"] == "feedback"]
    given = feedback_given(one)
    told = "feedback" in recorded or bool(feedback) or any(value and at <= one.t for at, value in given)
    promises = [fact for row in past if row["kind"] == "commitment" for fact in [promise(row)] if fact]

    for window in WINDOWS:

        def seen(facts: Iterable[Fact], window: str = window) -> list[float]:
            return [value for at, value in facts if one.t - WINDOWS[window] < at <= one.t]

        def mean(column: str, facts: Iterable[Fact], window: str = window) -> float | None:
            values = seen(facts, window)
            out[f"{column}.{window}"] = sum(values) / len(values) if len(values) >= 5 else None
            return out[f"{column}.{window}"]

        def middle(column: str, facts: Iterable[Fact], window: str = window) -> None:
            values = seen(facts, window)
            out[f"{column}.{window}"] = median(values) if len(values) >= 5 else None

        days = one.observed_days(window)
        year_seen = one.observed_days("365d") >= 365

        def told_count(number: int, *kinds: str, days: float = days, year_seen: bool = year_seen) -> bool:
            return days >= 90 and (number > 0 or (year_seen and set(kinds) <= set(recorded)))

        called = seen((row["at"], value) for row, value in zip(calls, broke_silence, strict=True))
        known = told_count(len(called), "request", "brief")
        out[f"D1a.help_requests.{window}"] = len(called) * 365 / days if known else None
        out[f"D1b.help_after_silence.{window}"] = sum(called) if known else None
        mean("D2.advice_taken_rate", taken)
        middle("D2.advice_delay", delays)
        count = len(seen((row["at"], 1) for row in referred))
        out[f"D3a.referrals.{window}"] = count * 365 / days if told_count(count, "advocacy") else None
        mean("D3b.referrals_thanked_rate", thanked)
        mean("D4.fee_friction", fees)
        mean("D5a.forgiveness", forgiven)
        middle("D5a.back_in_touch", back)
        mean("D5b.repeat_mistakes", again)
        mean(
            "D6a.complex_work_share",
            [
                (row["at"], float(row.get("level", 0) >= 4 or bool(row.get("strategic"))))
                for row in briefs
                if "level" in row or "strategic" in row
            ],
        )
        mean("D6b.exposure_to_seniors", [(row["at"], float(row["senior"])) for row in briefs if "senior" in row])
        early = ("forming", "shaping")
        mean("D7.early_involvement", [(row["at"], float(row["phase"] in early)) for row in briefs if "phase" in row])
        polite = mean("D8a.respect", scores)
        kept = seen(promises)
        fine = polite is not None and len(kept) >= 5
        out[f"G2c.words_without_action.{window}"] = polite * (1 - sum(kept) / len(kept)) if fine else None  # type: ignore[operator]
        number = len(seen(touch_count))
        share = len(seen(talk)) / number if mentioned and number >= 5 else None
        out[f"D8b.supplier_talk.{window}"] = share
        mean("D8c.minutes_late", [(at, row["minutes_late"]) for at, row in held if "minutes_late" in row])
        mean("D8c.late_share", duties)
        mean("D8d.last_minute_cancellations", ends)
        met = len(seen((at, 1) for at, _ in held))
        lengths = seen((at, row["minutes"] / 60) for at, row in held if "minutes" in row)
        hours = None
        if told_count(met, "meeting") and (lengths or not met):
            hours = met * (sum(lengths) / len(lengths) if met else 0) * 365 / 4 / days
        out[f"D8g.meeting_hours.{window}"] = hours
        mean("D8g.reschedules_granted", asked)
        mean("D8e.feedback_given_rate", given if told else [])
        mean("D8e.directness", [(row["at"], row["level"]) for row in feedback if "level" in row])

    for column in [name[:-4] for name in out if name.endswith(".90d") and not name.startswith("D1b.")]:
        new, old = out[f"{column}.90d"], out[f"{column}.365d"]
        if new is None or old is None:
            out[f"{column}.trend"] = None
        elif column in LOG_TRENDS:
            out[f"{column}.trend"] = math.log(new / old) if new > 0 and old > 0 else None
        else:
            out[f"{column}.trend"] = new - old

    def since(column: str, moments: Iterable[float]) -> None:
        gone = [moment for moment in moments if moment <= one.t]
        out[f"{column}.since"] = (one.t - max(gone)) / DAY if gone else None

    since("D1a.help_request", (row["at"] for row in calls))
    since("D2.advice", (at for at, _ in taken))
    since("D3a.referral", (row["at"] for row in referred))
    since("D4.fee", (at for at, _ in fees))
    since("D5a.mistake", (row["at"] for row in wrong))
    since("D6a.brief", (row["at"] for row in briefs))
    since("D8c.dated_duty", (at for at, _ in duties))
    since("D8e.feedback", (row["at"] for row in feedback))
    return out


def settled(row: Record) -> int:
    """When an outcome came about, or was known where that is not told."""
    if "resolved_at" in row:
        return int(row["resolved_at"])
    known = [row[name] for name in ("updated_at", "recorded_at", "at") if name in row]
    return max(int(row.get("outcome_recorded_at") or row["at"]), int(known[0]))


def after(touches: Iterable[Record], moment: float) -> list[int]:
    return [row["at"] for row in touches if row["at"] > moment]


def within(at: int, done: int | None, days: int) -> Fact:
    """When and whether something was done in so many days."""
    end = at + days * DAY
    return (done, 1.0) if done is not None and done <= end else (end, 0.0)


def named(one: Account, row: Record) -> Record | None:
    """The row that a row is about, if it is known and happened by then."""
    for other in one.rows:
        if other["interaction_id"] == row.get("about_id") and other["at"] <= row["at"]:
            return other
    return None


def place_of(one: Account, row: Record) -> int:
    return next(place for place, other in enumerate(one.rows) if other is row)


def carrier(one: Account, row: Record) -> Record | None:
    """The touch of the client that a row is or annotates."""
    target = row if one.is_touch(row) else named(one, row)
    return target if target is not None and one.is_touch(target) and "client" in one.sides(target) else None


def touched_by_us(one: Account, row: Record) -> bool:
    for other in one.rows[: place_of(one, row)]:
        same = other.get("contact_id") in (row.get("contact_id"), None)
        if one.is_touch(other) and "us" in one.sides(other) and same and other["at"] + 14 * DAY >= row["at"]:
            return True
    return False


def is_prompted(one: Account, row: Record) -> bool:
    if "prompted" in row:
        return bool(row["prompted"])
    touch = carrier(one, row)
    if touch is not None and touch is not row:
        return is_prompted(one, touch)
    return touched_by_us(one, row)


def help_calls(one: Account) -> list[Record]:
    return [
        row
        for row in one.rows
        if row["actor"] == "client"
        and (row["kind"] == "brief" or (row["kind"], row.get("subtype")) == ("request", "help"))
        and not is_prompted(one, row)
    ]


def after_silence(one: Account, row: Record) -> float:
    reference = carrier(one, row) or row
    before = [
        other["at"]
        for other in one.rows[: place_of(one, reference)]
        if one.is_touch(other) and "client" in one.sides(other)
    ]
    return float(bool(before) and reference["at"] - before[-1] >= 60 * DAY)


def advice(row: Record, t: int) -> Fact | None:
    """What is true of a recommendation at t."""
    end, outcome = row["at"] + 90 * DAY, row.get("outcome")
    done = settled(row)
    if outcome == "acted" and done <= t:
        return done, 1.0
    if outcome == "declined" and done <= min(t, end):
        return done, 0.0
    return (end, 0.0) if end <= t else None


def fee(row: Record) -> Fact:
    late = row.get("subtype") == "invoice" and row.get("resolved_at", -math.inf) > row.get("due_at", math.inf)
    return settled(row), float(row["outcome"] != "accepted" or late)


def forgiveness(one: Account, at: int, touches: Sequence[Record]) -> Fact | None:
    wins = [
        deal["closed_at"]
        for deal in one.deals
        if deal.get("outcome") == "won" and at < deal["closed_at"] <= min(at + 90 * DAY, one.t)
    ]
    if wins:
        return min(wins), 1.0
    if at + 90 * DAY > one.t:
        return None
    before = sum(at - 90 * DAY < row["at"] <= at for row in touches)
    later = sum(at < row["at"] <= at + 90 * DAY for row in touches)
    if not before and not later:
        return None
    return at + 90 * DAY, float(10 * later >= 8 * before)


def promise(row: Record) -> Fact | None:
    if row["actor"] != "client":
        return None
    outcome, due = row.get("outcome"), row.get("due_at", math.inf)
    if outcome == "kept" and settled(row) <= due:
        return settled(row), 1.0
    end = min(due, settled(row) if outcome == "broken" else math.inf)
    return (end, 0.0) if end < math.inf else None


def supplier_talk(one: Account, theirs: Sequence[Record]) -> tuple[list[Fact], list[Fact]]:
    """Touches that called us a supplier, and all touches; talk that names no touch is one of its own."""
    said = [
        row
        for row in one.rows
        if (row["kind"], row["actor"], row.get("subtype")) == ("mention", "client", "supplier_talk")
    ]
    lone: list[Fact] = [(row["at"], 1.0) for row in said if "about_id" not in row]
    about = [touch for row in said for touch in [named(one, row)] if touch is not None]
    touches = [row["at"] for row in theirs if any(row is touch for touch in about)]
    return [(at, 1.0) for at in touches] + lone, [(row["at"], 1.0) for row in theirs] + lone


def held_at(row: Record) -> int:
    return max(int(row[name]) for name in ("at", "resolved_at") if name in row)


def duty(row: Record) -> Fact | None:
    """Whether something owed to us by a date was late."""
    if "due_at" not in row or (row["kind"], row["actor"]) not in (("commitment", "client"), ("request", "us")):
        return None
    outcome = row.get("outcome")
    if row["kind"] == "commitment":
        done = settled(row) if outcome == "kept" else math.inf
        broken = settled(row) if outcome == "broken" else math.inf
    else:
        answered = outcome in ("granted", "refused") or "resolved_at" in row
        done, broken = settled(row) if answered else math.inf, math.inf
    if done <= row["due_at"]:
        return done, 0.0
    return min(max(row["due_at"], row["at"]), broken), 1.0


def meeting_end(row: Record) -> Fact | None:
    outcome = row.get("outcome")
    if outcome is None or (outcome != "held" and row["actor"] == "us"):
        return None
    if outcome in ("held", "no_show"):
        return held_at(row), 0.0
    if outcome == "cancelled" and row["actor"] == "client":
        if "resolved_at" not in row:
            return None
        return row["resolved_at"], float(row["at"] - row["resolved_at"] <= DAY)
    return int(row.get("resolved_at") or row["at"]), 0.0


def feedback_given(one: Account) -> list[Fact]:
    """When and whether each delivery and each request of ours for feedback got some."""

    def subject(row: Record) -> Record:
        about = named(one, row) if row["kind"] == "request" else None
        return about if about is not None and about["kind"] == "delivery" else row

    expected: list[tuple[int, Record]] = []
    for row in one.rows:
        if row["kind"] == "delivery" and "resolved_at" in row:
            expected.append((row["resolved_at"], row))
        if (row["kind"], row["actor"], row.get("subtype")) == ("request", "us", "feedback"):
            expected.append((row["at"], row))
    got: list[tuple[int, Record]] = []
    for row in one.rows:
        if row["kind"] == "feedback":
            about = named(one, row)
            if about is not None:
                got.append((row["at"], subject(about)))
            elif "about_id" not in row:
                before = [(begin, place) for place, (begin, _) in enumerate(expected) if begin <= row["at"]]
                if before:
                    got.append((row["at"], subject(expected[max(before)[1]][1])))
        if row.get("outcome") == "granted" and (row["actor"], row.get("subtype")) == ("us", "feedback"):
            got.append((max(row["at"], settled(row)), subject(row)))
    facts = []
    for begin, row in expected:
        moments = [at for at, about in got if about is subject(row) and at >= begin]
        facts.append(within(begin, min(moments, default=None), 30))
    return facts
