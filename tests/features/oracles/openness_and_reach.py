"""The second opinion on openness, advocacy, reach and each contact's own baseline (G4 to G7, G1b, G1c)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from tests.features.oracle import Account

DAY = 86_400
WINDOWS = {"90d": 90 * DAY, "365d": 365 * DAY, "all": 10**12}
Record = dict[str, Any]
Figures = dict[str, float | None]
Fact = tuple[int, float]


def as_of(one: Account, column: str, contact: str | None, at: int) -> Any:
    """The contact's value as of a moment, or None: what was valid and known then, else what was known first."""
    versions = []
    for row in one.contacts:
        if row["contact_id"] == contact and column in row:
            known = int(row.get("updated_at") or row.get("recorded_at") or -(10**12))
            versions.append((row.get("valid_from", -(10**12)), known, row[column]))
    versions.sort(key=lambda version: version[:2])
    then = [version for version in versions if version[0] <= at and version[1] <= at]
    if then:
        return then[-1][-1]
    soonest = min((max(version[:2]) for version in versions), default=math.inf)
    if soonest > one.t:
        return None
    first = [version for version in versions if max(version[:2]) == soonest]
    valid = [version for version in first if version[0] <= at]
    return valid[-1][-1] if valid else first[0][-1]


Touches = dict[str, Record]


def carrier(theirs: Touches, row: Record) -> Record | None:
    """The touch of the client that a row is, or annotates."""
    if row["interaction_id"] in theirs:
        return row
    touch = theirs.get(row.get("about_id", ""))
    return touch if touch is not None and touch["at"] <= row["at"] else None


def prompted(one: Account, theirs: Touches, row: Record) -> bool:
    """Whether the client was prompted to an act: as said, else as to its touch, else by a touch of ours before."""
    if "prompted" in row:
        return bool(row["prompted"])
    touch = carrier(theirs, row)
    if touch is not None and touch is not row:
        return prompted(one, theirs, touch)
    before = [
        other for other in one.touches if (other["at"], other["interaction_id"]) < (row["at"], row["interaction_id"])
    ]
    return any(
        "us" in one.sides(other)
        and other["at"] + 14 * DAY >= row["at"]
        and other.get("contact_id") in (row.get("contact_id"), None)
        for other in before
    )


def working_seconds(zone: str, begin: int, end: int) -> int:
    """Seconds from 9 to 17 o'clock on weekdays, day by day on the zone's own clock."""
    clock = ZoneInfo(zone)
    first, last = (datetime.fromtimestamp(moment, clock).replace(tzinfo=None) for moment in (begin, end))
    total, day = 0.0, first.replace(hour=0, minute=0, second=0)
    while day <= last:
        if day.weekday() < 5:
            opens, closes = max(first, day + timedelta(hours=9)), min(last, day + timedelta(hours=17))
            total += max((closes - opens).total_seconds(), 0)
        day += timedelta(days=1)
    return int(total)


def deviations(replies: list[tuple[int, str, int]], against: Callable[[int, float], float]) -> list[Fact]:
    """Each reply (at, contact, value) against the median of that contact's earlier ones, from five on."""
    found = []
    for at, contact, value in replies:
        earlier = [before for moment, other, before in replies if other == contact and moment < at]
        if len(earlier) >= 5:
            found.append((at, against(value, median(earlier))))
    return found


def figures(one: Account, records: Collection[str] = ()) -> Figures:
    """Every column of these families."""
    out: Figures = {}
    rows, t = one.rows, one.t
    theirs = [row for row in one.touches if "client" in one.sides(row)]
    by_id = {row["interaction_id"]: row for row in theirs}
    opened = [row for row in rows if row["kind"] == "disclosure"]
    year_old = one.observed_days("all") >= 365

    def carrying(*subtypes: str) -> list[int]:
        led = [row for row in opened if row["actor"] == "client" and row.get("subtype") in subtypes]
        touches = [carrier(by_id, row) for row in led]
        return list({touch["interaction_id"]: touch["at"] for touch in touches if touch is not None}.values())

    personal, emotional, plain = carrying("personal", "emotional"), carrying("emotional"), carrying("plain_speech")
    exchanges: dict[str, tuple[int, bool]] = {}
    for row in opened:
        about = "about " + row["about_id"] if "about_id" in row else row["interaction_id"]
        at, by_client = exchanges.get(about, (row["at"], True))
        if row["at"] == at:
            exchanges[about] = (at, by_client and row["actor"] == "client")

    spoken = [row for row in rows if row["kind"] == "advocacy" and row["actor"] == "client"]
    references = [row["at"] for row in spoken if row.get("subtype") in ("reference", "testimonial")]
    unasked = [row for row in spoken if not prompted(one, by_id, row)]
    referred = [row["at"] for row in unasked if row.get("subtype") == "referral"]
    endorsed = [row for row in unasked if row.get("subtype") == "endorsement"]
    away = [row["at"] for row in endorsed if row.get("us_present") is False]
    unclear = [row["at"] for row in endorsed if "us_present" not in row]

    upward, unranked = [], []
    for row in rows:
        if row["kind"] == "introduction" and row["actor"] == "client":
            ranks = [as_of(one, "seniority", row.get(name), row["at"]) for name in ("contact_id", "related_contact_id")]
            if None in ranks:
                unranked.append(row["at"])
            elif ranks[1] > ranks[0]:
                upward.append(row["at"])

    named = [(row["at"], row["contact_id"]) for row in theirs if "contact_id" in row]
    ranked = [(at, as_of(one, "seniority", contact, at)) for at, contact in named]
    seniors = [(at, float(rank >= 4)) for at, rank in ranked if rank is not None]
    met = [(row["at"], row.get("contact_id")) for row in one.touches if len(one.sides(row)) == 2]
    for asked, answer, _ in one.exchanges:
        we_asked = one.sides(asked) == {"us"} or (asked is answer and asked["actor"] == "us")
        met.append((answer["at"], (answer if we_asked else asked).get("contact_id")))
    two_way = [(at, rank) for at, contact in met if (rank := as_of(one, "seniority", contact, at)) is not None]

    replies = [
        (answer["at"], answer.get("contact_id"), asked, ratio)
        for asked, answer, ratio in one.exchanges
        if one.sides(asked) == {"us"}
    ]
    slower = deviations(
        [(at, contact, at - asked["at"]) for at, contact, asked, _ in replies if contact],
        lambda delay, usual: round(1000 * math.log2(max(delay, 3600) / max(usual, 3600))) / 1000,
    )
    longer = deviations(
        [(at, contact, ratio) for at, contact, _, ratio in replies if contact and ratio is not None],
        lambda ratio, usual: (ratio - usual) / 1000,
    )
    working: list[Fact] = []
    for at, contact, asked, _ in replies:
        zone = as_of(one, "time_zone", contact, at)
        if zone not in (None, "somewhere"):
            working.append((at, working_seconds(zone, asked["at"], at)))

    def count(moments: Iterable[int], window: str) -> int:
        return len(one.within([(at, 1) for at in moments], window))

    def trend(column: str, logs: bool = False) -> None:
        new, old = out[f"{column}.90d"], out[f"{column}.365d"]
        if new is None or old is None or (logs and not (new > 0 and old > 0)):
            out[f"{column}.trend"] = None
        else:
            out[f"{column}.trend"] = math.log(new) - math.log(old) if logs else new - old

    def share(column: str, part: list[int], whole: list[int], told: bool) -> None:
        for window in WINDOWS:
            of = count(whole, window)
            out[f"{column}.{window}"] = count(part, window) / of if told and of >= 5 else None
        trend(column)

    def mean(column: str, facts: list[Fact]) -> None:
        for window in WINDOWS:
            values = one.within(facts, window)
            out[f"{column}.{window}"] = sum(values) / len(values) if len(values) >= 5 else None
        trend(column)

    def rate(column: str, moments: list[int], kind: str, untold: Iterable[int] = (), longer: bool = False) -> None:
        for window, span in (WINDOWS | ({"730d": 730 * DAY} if longer else {})).items():
            days = min(one.observed_days("all"), span / DAY)
            seen = len([at for at in moments if at > t - span])
            zero = kind in records and year_old and not [at for at in untold if at > t - span]
            out[f"{column}.{window}"] = seen * 365 / days if days >= 90 and (seen or zero) else None
        trend(column)

    def since(column: str, moments: Iterable[int]) -> None:
        last = max(moments, default=None)
        out[f"{column}.since"] = None if last is None else (t - last) / DAY

    touched = [row["at"] for row in theirs]
    noted = "disclosure" in records or bool(opened)
    share("G4a.personal_share", personal, touched, noted)
    share("G4b.emotional_share", emotional, personal, noted)
    share("G4b.emotional_share_of_touches", emotional, touched, noted)
    share("G4c.plain_speech_share", plain, touched, noted)
    mean("G4d.disclosure_led_by_client", [(at, float(by_client)) for at, by_client in exchanges.values()])
    since("G4a.personal", personal)
    since("G4b.emotional", emotional)
    since("G4c.plain_speech", plain)
    since("G4d.exchange", (at for at, _ in exchanges.values()))

    rate("G5a.references_given", references, "advocacy", longer=True)
    rate("G5b.proactive_referrals", referred, "advocacy", longer=True)
    rate("G7.unprompted_endorsements", [row["at"] for row in endorsed], "advocacy", longer=True)
    rate("G7.endorsements_without_us", away, "advocacy", unclear)
    since("G5a.reference", references)
    since("G5b.unasked_referral", referred)
    since("G7.endorsement", (row["at"] for row in endorsed))
    quarter = 365 * DAY / 4
    quarters = len({(t - row["at"]) // quarter for row in endorsed if t - row["at"] < 8 * quarter})
    enough = one.observed_days("all") >= 90
    zero = "advocacy" in records and year_old
    out["G7.continuing.now"] = quarters if enough and (quarters or zero) else None

    rate("G6a.introductions_upward", upward, "introduction", unranked, longer=True)
    since("G6a.introduction", upward)
    for window in WINDOWS:
        people = Counter(contact for at, contact in named if t - WINDOWS[window] < at)
        silent = bool(named) and not count(touched, window)
        enough = one.observed_days(window) >= 90
        out[f"G6b.active_contacts.{window}"] = len(people) if enough and (people or silent) else None
        total = sum(people.values())
        out[f"G6c.isolation.{window}"] = max(people.values()) / total if total >= 5 else None
        ranks = [rank for at, rank in two_way if t - WINDOWS[window] < at]
        out[f"G6d.highest_seniority.{window}"] = max(ranks, default=None)
        hours = [seconds / 3600 for at, seconds in working if t - WINDOWS[window] < at]
        out[f"G1b.reply_delay_in_working_hours.{window}"] = median(hours) if len(hours) >= 5 else None
    for column in ("G6b.active_contacts", "G6c.isolation", "G6d.highest_seniority"):
        trend(column)
    trend("G1b.reply_delay_in_working_hours", logs=True)
    since("G6c.named_touch", (at for at, _ in named))
    mean("G6d.senior_access", seniors)
    since("G6d.senior_exchange", (at for at, _ in two_way))
    mean("G1b.reply_delay_against_usual", slower)
    mean("G1c.reply_length_against_usual", longer)
    return out
