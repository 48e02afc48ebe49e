"""A slow, obvious second opinion: every indicator of one account at one moment, in plain Python over plain dicts.

It works on what ``worlds.truncated`` leaves (only what was known at t), row by row, window by window, without any of
the product's arrays, cursors or caches. It gives the figure where the minimum evidence is there, else None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import Any

from tests.features.oracles import depth, lifecycle_warmth_pillars, openness_and_reach, portfolio_wide

DAY = 86_400
WINDOWS = {"90d": 90 * DAY, "365d": 365 * DAY, "all": 10**12}
Record = dict[str, Any]
Fact = tuple[int, float]

TOUCHING = {
    "request",
    "advice",
    "brief",
    "delivery",
    "feedback",
    "fee",
    "gesture",
    "disclosure",
    "introduction",
    "commitment",
}
MODE = {
    "email": "email",
    "phone": "telephone",
    "text": "text",
    "chat": "text",
    "video": "video",
    "in_person": "in_person",
    "social": "social",
    "letter": "letter",
}
MODES = ("email", "telephone", "text", "video", "in_person", "social", "letter")
RANK = {"text": 3, "telephone": 2}
NO_TREND = {"P3a.outside_against_inside", "D8f.client_touches"}


def latest(rows: Iterable[Record], key: str, happened: str) -> list[Record]:
    """The latest version of each record, in order of time and id."""
    best: dict[str, Record] = {}
    for row in rows:
        other = best.get(row[key])
        if other is None or row.get("updated_at", -1) > other.get("updated_at", -1):
            best[row[key]] = row
    return sorted(best.values(), key=lambda row: (row[happened], row[key]))


class Run:
    """Touches of one side in one conversation that await an answer."""

    def __init__(self, key: object, row: Record, outreach: bool) -> None:
        self.key, self.row, self.outreach = key, row, outreach
        self.touches = [row]
        self.decided = False


class Account:
    """One account as known at t."""

    def __init__(self, world: dict[str, list[Record]], account: str, t: int) -> None:
        mine = {table: [row for row in rows if row["account_id"] == account] for table, rows in world.items()}
        self.t = t
        self.known = latest(mine["interactions"], "interaction_id", "at")
        self.rows = [row for row in self.known if row["at"] <= t]
        self.deals = [row for row in latest(mine["deals"], "deal_id", "opened_at") if row["opened_at"] <= t]
        events = [row["at"] for row in self.rows] + [row["opened_at"] for row in self.deals]
        self.first: int | None = min(events, default=None)
        self.touches = [row for row in self.rows if self.is_touch(row)]
        self.attempts: list[Fact] = []
        self.delays: list[tuple[int, int, bool]] = []
        self.ratios: list[Fact] = []
        self.answered: list[Fact] = []
        self.our_delays: list[Fact] = []
        self.openings: list[Fact] = []
        self.contacts = mine["contacts"]
        self.account_rows = mine["accounts"]
        self.exchanges: list[tuple[Record, Record, int | None]] = []
        self.link()

    @staticmethod
    def is_touch(row: Record) -> bool:
        if row.get("auto"):
            return False
        if row["kind"] == "meeting":
            return row.get("outcome") == "held"
        if row["kind"] in ("message", "call"):
            return True
        return row["kind"] in TOUCHING and "about_id" not in row

    @staticmethod
    def sides(row: Record) -> set[str]:
        return {"client", "us"} if row["kind"] == "meeting" else {row["actor"]}

    @staticmethod
    def key(row: Record) -> tuple[str, object]:
        if "thread_id" in row:
            return ("thread", row["thread_id"])
        return ("contact", row.get("contact_id"))

    def link(self) -> None:
        month, open_runs = 30 * DAY, {"client": [], "us": []}  # type: ignore[var-annotated]
        before: list[Record] = []
        conversations = 0
        for row in self.touches:
            at, sides, key = row["at"], self.sides(row), self.key(row)
            answered_call = row["kind"] == "call" and row.get("outcome") == "answered"
            for side in ("client", "us"):
                for run in open_runs[side]:
                    if not run.decided and run.touches[0]["at"] + month < at:
                        run.decided = True
                        self.decide(side, run, run.touches[0]["at"] + month, 0)
                open_runs[side] = [run for run in open_runs[side] if run.touches[-1]["at"] + month >= at]
            same = [other for other in before if self.key(other) == key]
            still_open = any(
                ("client" in self.sides(other) and other["at"] + 14 * DAY >= at)
                or ("us" in self.sides(other) and other["at"] + 30 * DAY >= at)
                for other in same
            )
            if row["kind"] != "meeting" and row["actor"] == "us":
                tried = [run for run in open_runs["us"] if run.key == key and run.touches[0]["at"] + month < at]
                if tried:  # a month of trying in vain: this begins anew
                    still_open = False
                    open_runs["us"].remove(tried[0])
            prompted = row.get("prompted")
            if prompted is None:
                prompted = any(
                    "us" in self.sides(other)
                    and other["at"] + 14 * DAY >= at
                    and (other.get("contact_id") in (row.get("contact_id"), None))
                    for other in before
                )
            if not still_open:
                if conversations:
                    self.openings.append((at, float(row["actor"] == "client" and not prompted)))
                conversations += 1
            before.append(row)
            if len(sides) == 1:
                side = row["actor"]
                own = [run for run in open_runs[side] if run.key == key]
                if own:
                    if side == "us" and not own[0].decided:
                        own[0].decided = True
                        self.decide("us", own[0], at, 0)
                    own[0].touches.append(row)
                else:
                    run = Run(key, row, outreach=side == "us" and not still_open)
                    run.decided = side == "us" and not run.outreach
                    open_runs[side].append(run)
            for waiting, answering in (("client", "us"), ("us", "client")):
                if answering in sides or (answered_call and row["actor"] == waiting):
                    self.answer(waiting, row, open_runs[waiting], answered_call)
        for side in ("client", "us"):
            for run in open_runs[side]:
                if not run.decided:
                    self.decide(side, run, run.touches[0]["at"] + month, 0)

    def answer(self, waiting: str, row: Record, runs: list[Run], answered_call: bool) -> None:
        thread = row.get("thread_id")
        in_thread = [run for run in runs if thread is not None and run.row.get("thread_id") == thread]
        contact = row.get("contact_id")
        anywhere = [
            run
            for run in runs
            if contact is None or run.row.get("contact_id") is None or run.row["contact_id"] == contact
        ]
        for run in in_thread or anywhere:
            runs.remove(run)
            delay = row["at"] - run.touches[0]["at"]
            if waiting == "us":
                self.delays.append((row["at"], delay, len(run.touches) > 1))
                words = row.get("words", 0), run.touches[0].get("words", 0)
                ratio = None
                if words[0] and words[1] and not answered_call:
                    ratio = round(1000 * math.log2(words[0] / words[1]))
                    self.ratios.append((row["at"], ratio))
                self.exchanges.append((run.touches[0], row, ratio))
                if not run.decided:
                    self.decide("us", run, row["at"], 1)
            elif not run.decided:
                self.decide("client", run, row["at"], 1)
                self.our_delays.append((row["at"], delay))
                self.exchanges.append((run.touches[0], row, None))

    def decide(self, side: str, run: Run, at: int, value: int) -> None:
        (self.attempts if side == "us" else self.answered).append((at, value))

    def answered_at(self, moment: int) -> int | None:
        """When the client was in touch, or took a call of ours, at or up to 30 days after a moment."""
        for row in self.touches:
            took = row["kind"] == "call" and row.get("outcome") == "answered"
            if (took or "client" in self.sides(row)) and moment <= row["at"] <= moment + 30 * DAY:
                return int(row["at"])
        return None

    def in_exchange_at(self, moment: int) -> int | None:
        """The moment itself where the client was in touch in the 30 days before, else when it answered."""
        for row in self.touches:
            took = row["kind"] == "call" and row.get("outcome") == "answered"
            if (took or "client" in self.sides(row)) and moment - 30 * DAY <= row["at"] <= moment:
                return moment
        return self.answered_at(moment)

    def heard(self, moments: Iterable[int]) -> list[int]:
        """When those of our doings that were answered at all were answered."""
        return [at for moment in moments if (at := self.answered_at(moment)) is not None]

    def within(self, facts: Iterable[Fact], window: str) -> list[float]:
        return [value for at, value in facts if self.t - WINDOWS[window] < at <= self.t]

    def observed_days(self, window: str) -> float:
        if self.first is None:
            return 0.0
        return min(self.t - self.first, WINDOWS[window]) / DAY


def _share(values: list[float], least: int = 5) -> float | None:
    return sum(values) / len(values) if len(values) >= least else None


def _median(values: list[float], scale: float) -> float | None:
    return float(median(values)) / scale if len(values) >= 5 else None


def promises(account: Account, actor: str) -> list[tuple[int, bool, bool]]:
    """(decided at, kept in time, kept by now) of every decided promise."""
    decided = []
    for row in account.rows:
        if row["kind"] != "commitment" or row["actor"] != actor:
            continue
        outcome = row.get("outcome")
        settled = row.get("resolved_at", row.get("outcome_recorded_at", max(row["at"], row.get("recorded_at", 0))))
        kept = settled if outcome == "kept" else math.inf
        broken = settled if outcome == "broken" else math.inf
        due = row.get("due_at", math.inf)
        moment = kept if outcome == "kept" and kept <= due else min(due, broken)
        if moment < math.inf and moment <= account.t:
            decided.append((int(moment), outcome == "kept" and kept <= due, kept <= account.t))
    return decided


def sales_phases(account: Account) -> list[tuple[int, float]]:
    phases: list[tuple[int, float]] = []
    for deal in account.deals:
        closed = deal.get("closed_at", math.inf)
        phases.append((deal["opened_at"], closed + 60 * DAY))
        if deal.get("outcome") == "won" and "ends_on" in deal:
            phases.append((int(max(deal["ends_on"] - 60 * DAY, closed)), deal["ends_on"]))
    return phases


def inside_seconds(phases: list[tuple[int, float]], begin: float, end: int) -> float:
    """Length of the union of the phases within [begin, end), by cutting at every edge."""
    edges = sorted({begin, end, *(edge for phase in phases for edge in phase if begin < edge < end)})
    return sum(
        float(right) - left
        for left, right in pairwise(edges)
        if any(start <= left and right <= stop for start, stop in phases)
    )


def figures(world: dict[str, list[Record]], name: str, t: int) -> dict[str, float | None]:
    """Every registered column of the account at t; ``world`` holds only what was known at t."""
    one = Account(world, name, t)
    out: dict[str, float | None] = {}
    client = [row["at"] for row in one.touches if "client" in one.sides(row)]
    ours = [row["at"] for row in one.touches if "us" in one.sides(row)]
    phases = sales_phases(one)
    inside = [at for at in ours if any(begin <= at < end for begin, end in phases)]
    outside = one.heard(at for at in ours if at not in inside)
    inside = one.heard(inside)
    modes = []
    for row in one.touches:
        if "client" in one.sides(row):
            mode = MODE.get(row.get("channel", "phone" if row["kind"] == "call" else ""))
            if mode:
                modes.append((row["at"], mode))
    theirs, mine = promises(one, "client"), promises(one, "us")
    deliveries = [row for row in one.rows if row["kind"] == "delivery"]
    in_time = [
        (min(row["due_at"], row.get("resolved_at", math.inf)), float(row.get("resolved_at", math.inf) <= row["due_at"]))
        for row in deliveries
        if "due_at" in row
    ]
    rated = [(row.get("resolved_at", row["at"]), float(row["rating"] >= 7)) for row in deliveries if "rating" in row]
    meetings = []
    for row in one.known:  # a meeting may be cancelled before its time
        if row["kind"] == "meeting":
            if row.get("outcome") == "held":
                meetings.append((row["at"], 1.0))
            elif row.get("outcome") in ("no_show", "cancelled") and row["actor"] == "client":
                when = row.get("resolved_at", row["at"]) if row["outcome"] == "cancelled" else row["at"]
                meetings.append((when, 0.0))
    lengths = [row for row in one.touches if row.get("words") and len(one.sides(row)) == 1]
    classes = [
        (at, 0 if delay <= DAY else 1 if delay <= 7 * DAY else 3 if delay >= 10 * DAY and not nudged else 2)
        for at, delay, nudged in one.delays
    ]
    gaps = [(after, after - before) for before, after in pairwise(client)]

    for window in WINDOWS:

        def put(column: str, value: float | None, window: str = window) -> None:
            out[f"{column}.{window}"] = value

        def share(column: str, facts: Iterable[Fact], window: str = window) -> None:
            out[f"{column}.{window}"] = _share(one.within(facts, window))

        share("G1a.first_attempt_response_rate", one.attempts)
        put("G1b.reply_delay", _median(one.within([(at, delay) for at, delay, _ in one.delays], window), 3600))
        for place, column in enumerate(
            ("replies_within_day", "replies_within_week", "replies_between", "replies_flagged")
        ):
            share(f"G1b.{column}", [(at, float(kind == place)) for at, kind in classes])
        share("G1b.strong_over_weak", [(at, {0: 1.0, 3: 1.0, 1: -1.0}.get(kind, 0.0)) for at, kind in classes])
        distances = one.within([(at, abs(length)) for at, length in one.ratios], window)
        put("G1c.reply_length_distance", None if len(distances) < 5 else sum(distances) / len(distances) / 1000)
        share("G1c.terse_replies", [(at, float(length < -1000)) for at, length in one.ratios])
        share("G1c.mirrored_replies", [(at, float(-1000 <= length <= 1000)) for at, length in one.ratios])
        share("G1c.rambling_replies", [(at, float(length > 1000)) for at, length in one.ratios])
        share("G1d.reinitiation_rate", one.openings)
        share("G2a.commitments_kept_rate", [(at, float(kept)) for at, kept, _ in theirs])
        share("G2a.commitments_late_share", [(at, float(late and not kept)) for at, kept, late in theirs])
        share("G2a.commitments_never_share", [(at, float(not late)) for at, _, late in theirs])
        share("G2b.show_up_rate", meetings)
        used = [mode for at, mode in modes if t - WINDOWS[window] < at <= t]
        enough = len(used) >= 5
        put("G3a.channel_breadth", len(set(used)) if enough else None)
        best = max(MODES, key=lambda mode: (used.count(mode), RANK.get(mode, 1)))
        put("G3b.preferred_channel", RANK.get(best, 1) if enough else None)
        for mode in MODES:
            put(f"G3b.share_{mode}", used.count(mode) / len(used) if enough else None)
        days = one.observed_days(window)
        count = len(one.within([(at, 1) for at in client], window))
        put("D8f.client_touches", count if days > 0 else None)
        put("D8f.client_cadence", count * 365 / days if days >= 90 else None)
        single_sided = [row for row in one.touches if len(one.sides(row)) == 1]
        for column, said in (("touches", [{**row, "words": 1} for row in single_sided]), ("words", lengths)):
            mine_said = [row for row in said if row["actor"] == "us"]
            exchanged = [(one.in_exchange_at(row["at"]), row["words"]) for row in mine_said]
            spoken = one.within([(row["at"], row["words"]) for row in said if row["actor"] == "client"], window)
            alone = one.within([(row["at"], row["words"]) for row in mine_said], window)
            heard = one.within([(at, size) for at, size in exchanged if at is not None], window)
            shares = [sum(spoken) / whole for part in (alone, heard) if (whole := sum(spoken) + sum(part))]
            farthest = max(shares, key=lambda part: abs(part - 0.5), default=None)
            put(f"P1b.client_share_of_{column}", farthest if len(spoken) + len(alone) >= 5 else None)
        begin = t - min(WINDOWS[window], t - one.first if one.first is not None else 0)
        within = inside_seconds(phases, begin, t) / DAY
        free = days - within
        cap = 2 * count
        quiet = min(len(one.within([(at, 1) for at in outside], window)), cap)
        busy = min(len(one.within([(at, 1) for at in inside], window)), cap)
        put("P3a.contact_outside_sales", quiet * 30 / free if free >= 30 else None)
        both = free >= 30 and within >= 30 and busy > 0
        put("P3a.outside_against_inside", (quiet / free) / (busy / within) if both else None)
        put("W1a.our_response_time", _median(one.within(one.our_delays, window), 3600))
        share("W1a.our_response_rate", one.answered)
        parts = [[(at, float(kept)) for at, kept, _ in mine], in_time, rated]
        names = ("our_commitments_kept", "our_deliveries_in_time", "our_deliveries_well_rated")
        for part, column in zip(parts, names, strict=True):
            share(f"W1b.{column}", part)
        known = [value for part in parts if (value := _share(one.within(part, window))) is not None]
        put("W1b.our_reliability", min(known, default=None))

    for column in list(out):
        base, window = column.rsplit(".", 1)
        if window != "90d" or base.startswith("G3b.share_") or base in NO_TREND:
            continue
        new, old = out[column], out[f"{base}.365d"]
        logs = base in {
            "G1b.reply_delay",
            "W1a.our_response_time",
            "D8f.client_cadence",
            "P3a.contact_outside_sales",
        }
        if new is None or old is None or (logs and not (new > 0 and old > 0)):
            out[f"{base}.trend"] = None
        else:
            out[f"{base}.trend"] = math.log(new) - math.log(old) if logs else new - old

    def since(column: str, moments: Iterable[float]) -> None:
        past = [moment for moment in moments if moment <= t]
        out[f"{column}.since"] = (t - max(past)) / DAY if past else None

    since("G1a.first_attempt", (at for at, _ in one.attempts))
    since("G1b.reply", (at for at, _, _ in one.delays))
    since("G1d.conversation", (at for at, _ in one.openings))
    since("G2a.promise", (at for at, _, _ in theirs))
    since("G2b.meeting", (at for at, _ in meetings))
    since("W1a.our_answer", (at for at, _ in one.our_delays))
    silence = (t - client[-1]) / DAY if client else None
    usual = _median([gap for _, gap in gaps], DAY)
    out["D8f.silence.now"] = silence
    out["D8f.usual_gap.now"] = usual
    out["D8f.silence_ratio.now"] = None if usual is None or silence is None else silence / max(usual, 1)

    known_for = one.observed_days("all")
    out["L5.known_for.now"] = known_for if known_for > 0 else None
    closed = [deal for deal in one.deals if deal.get("closed_at", math.inf) <= t]
    won = [deal for deal in closed if deal["outcome"] == "won"]
    ends = [deal["ends_on"] for deal in won if "ends_on" in deal]
    some = bool(one.deals)
    out["L5.days_to_contract_end.now"] = (max(ends) - t) / DAY if ends else None
    out["L5.tenure.now"] = (t - min(deal["closed_at"] for deal in won)) / DAY if won else None
    out["L5.deals_won.now"] = len(won) if some else None
    out["L5.deals_lost.now"] = len([deal for deal in closed if deal["outcome"] == "lost"]) if some else None
    per_year = [
        deal["amount"] * 365 * DAY / (deal["ends_on"] - deal["starts_on"]) if "ends_on" in deal else None
        for deal in sorted(won, key=lambda deal: deal["closed_at"])
    ]
    two = len(per_year) >= 2 and per_year[-1] is not None and per_year[-2] is not None
    out["L5.value_against_previous.now"] = per_year[-1] / per_year[-2] if two else None  # type: ignore[operator]
    asked = [deal["competitive"] for deal in one.deals if "competitive" in deal]
    out["L5.competitive_share.now"] = sum(asked) / len(asked) if asked else None
    renewals = [deal for deal in one.deals if deal["kind"] == "renewal" and deal.get("closed_at", math.inf) > t]
    out["L5.renewal_open.now"] = float(bool(renewals)) if some else None
    out |= depth.figures(one)
    out |= openness_and_reach.figures(one)
    out |= lifecycle_warmth_pillars.figures(one)
    out |= dict.fromkeys(portfolio_wide.COLUMNS)  # with no portfolio to compare with; see test_portfolio.py
    return out
