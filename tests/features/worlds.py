"""Random small worlds: records of a few accounts, with late, changed, duplicate and out-of-order rows."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from features.histories.log import DAY

Record = dict[str, Any]
World = dict[str, list[Record]]

BEGIN = 1_500_000_000
SPAN = 500 * DAY
HOUR = 3600

_OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "call": ("answered", "missed", "voicemail"),
    "meeting": ("held", "cancelled", "no_show", "rescheduled"),
    "commitment": ("kept", "broken", "open"),
    "request": ("granted", "refused", "open"),
    "advice": ("acted", "declined", "open"),
    "fee": ("accepted", "argued_down", "argued_held", "disputed", "paid_late", "open"),
}
_SUBTYPES: Mapping[str, tuple[str, ...]] = {
    "request": ("help", "feedback", "reschedule", "reschedule", "other"),
    "fee": ("quote", "proposal", "invoice"),
    "mistake": ("deadline", "billing", "other"),
    "advocacy": ("reference", "testimonial", "referral", "endorsement", "champion"),
    "mention": ("competitor", "supplier_talk", "interest"),
    "disclosure": ("personal", "emotional", "emotional", "plain_speech"),
}
_WEIGHTS: Mapping[str, int] = {
    "message": 12,
    "call": 4,
    "meeting": 3,
    "commitment": 4,
    "delivery": 2,
    "gesture": 1,
    "order": 1,
    "mistake": 2,
    "request": 3,
    "advice": 2,
    "brief": 2,
    "feedback": 2,
    "fee": 2,
    "advocacy": 2,
    "mention": 2,
    "disclosure": 8,
    "introduction": 3,
}
_OURS = ("mistake", "gesture", "delivery", "advice", "fee")
_CLIENTS = ("feedback", "advocacy")
_ANNOTATING: Mapping[str, float] = {
    "gesture": 0.5,
    "request": 0.4,
    "brief": 0.3,
    "feedback": 0.7,
    "mention": 0.7,
    "disclosure": 0.5,
}
"""How often rows of a kind name another row, which may come later or be missing."""

ALL_KINDS = tuple(_WEIGHTS)
_CHANNELS: Mapping[str, tuple[str, ...]] = {
    "message": ("email", "text", "chat", "social", "letter"),
    "call": ("phone", "video"),
    "meeting": ("phone", "video", "in_person"),
}


def random_world(seed: int, accounts: int = 3, touches: int = 40, kinds: tuple[str, ...] = ALL_KINDS) -> World:
    """Records (converted, as ``check_records`` gives them) of a few accounts, up to ``touches`` interactions each."""
    dice = random.Random(seed)
    world: World = {"accounts": [], "contacts": [], "interactions": [], "deals": [], "stage_reviews": []}
    for number in range(accounts):
        account = f"A{number}"
        world["accounts"].append({"account_id": account, "potential": float(dice.randrange(1000, 9000))})
        contacts = [f"{account}-C{i}" for i in range(dice.randint(1, 3))]
        world["contacts"] += [{"contact_id": contact, "account_id": account} for contact in contacts]
        for place in range(dice.randint(0, touches)):
            world["interactions"].append(_interaction(dice, account, contacts, place, kinds))
        for place in range(dice.randint(0, 4)):
            world["deals"].append(_deal(dice, account, f"{account}-D{place}"))
    _life_details(random.Random(seed + 1), world)
    _disturb(dice, world)
    _contact_details(dice, world["contacts"])
    return world


def _interaction(dice: random.Random, account: str, contacts: list[str], place: int, kinds: tuple[str, ...]) -> Record:
    kind = dice.choices(kinds, [_WEIGHTS[kind] for kind in kinds])[0]
    name = f"{account}-{place:03d}"
    # Few distinct moments, so that ties happen.
    at = BEGIN + dice.randrange(SPAN // (6 * HOUR)) * 6 * HOUR
    row: Record = {"interaction_id": name, "account_id": account, "at": at, "kind": kind}
    row["actor"] = "us" if kind in _OURS else "client" if kind in _CLIENTS else dice.choice(("client", "us"))
    if dice.random() < 0.8:
        row["contact_id"] = dice.choice(contacts)
    if kind in _CHANNELS and dice.random() < 0.9:
        row["channel"] = dice.choice(_CHANNELS[kind])
    if kind == "message":
        if dice.random() < 0.6:
            row["thread_id"] = f"{account}-T{dice.randrange(6)}"
        if dice.random() < 0.8:
            row["words"] = dice.randrange(1, 400)
        if dice.random() < 0.1:
            row["auto"] = True
        if dice.random() < 0.2:
            row["prompted"] = dice.random() < 0.5
    if kind in _SUBTYPES and dice.random() < 0.9:
        row["subtype"] = dice.choice(_SUBTYPES[kind])
    if kind in _OUTCOMES and dice.random() < 0.9:
        row["outcome"] = dice.choice(_OUTCOMES[kind])
    if kind == "meeting":
        row["recorded_at"] = at - dice.randrange(30) * DAY
        if row.get("outcome") == "cancelled" and dice.random() < 0.9:
            row["resolved_at"] = at - dice.randrange(3) * DAY
        elif row.get("outcome") == "held" and at // (6 * HOUR) % 2:
            row["resolved_at"] = at + 20 * DAY  # entered as settled long after
    if kind in ("commitment", "delivery"):
        if dice.random() < 0.9:
            row["due_at"] = at + dice.randrange(1, 40) * DAY
        if row.get("outcome") in ("kept", "broken") or (kind == "delivery" and dice.random() < 0.8):
            row["resolved_at"] = at + dice.randrange(60) * DAY
        if kind == "delivery" and dice.random() < 0.7:
            row["rating"] = dice.randrange(11)
    if kind == "order":
        row["amount"] = float(dice.randrange(100, 900))
    if dice.random() < _ANNOTATING.get(kind, 0):
        row["about_id"] = f"{account}-{dice.choice((0, place - 1, dice.randrange(place + 5))):03d}"
    _depth_details(dice, row)
    _reach_details(dice, row, contacts)
    return row


def _reach_details(dice: random.Random, row: Record, contacts: list[str]) -> None:
    """What openness, advocacy and reach read, some of it missing here and there."""
    if row["kind"] == "disclosure" and dice.random() < 0.5:
        row["actor"] = "client"
    if row["kind"] == "introduction" and dice.random() < 0.9:
        row["related_contact_id"] = dice.choice((*contacts, "nobody-we-know"))
    if row["kind"] == "advocacy" and dice.random() < 0.7:
        row["us_present"] = dice.random() < 0.5


def _contact_details(dice: random.Random, contacts: list[Record]) -> None:
    """Ranks and time zones that change, are entered late, corrected, or missing."""
    for row in list(contacts):
        for place, version in enumerate((row, dict(row), dict(row))[: dice.choice((1, 1, 2, 3))]):
            if version is not row:
                contacts.append(version)
            if version is not row or dice.random() < 0.3:
                version["valid_from"] = BEGIN + dice.randrange(-50, 450) * DAY + place
            if dice.random() < 0.8:
                version["seniority"] = dice.randrange(1, 6)
            if dice.random() < 0.8:
                version["time_zone"] = dice.choice(("Europe/Berlin", "America/New_York", "Asia/Tokyo", "somewhere"))
            if dice.random() < 0.3:
                version[dice.choice(("recorded_at", "updated_at"))] = BEGIN + dice.randrange(450) * DAY
            if version is not row and dice.random() < 0.5:
                version["interests"] = dice.choice(("opera; golf", "sailing"))
    dice.shuffle(contacts)


def _depth_details(dice: random.Random, row: Record) -> None:
    """What the signals of a deep relationship read, some of it missing here and there."""
    kind, at = row["kind"], row["at"]

    def some(share: float, column: str, value: object) -> None:
        if dice.random() < share:
            row[column] = value

    if kind in ("message", "call", "meeting"):
        some(0.7, "politeness", dice.randrange(101) / 100)
    if kind == "meeting" and row.get("outcome") == "held":
        some(0.7, "minutes", float(dice.randrange(15, 120)))
        some(0.7, "minutes_late", float(dice.randrange(20)))
    if kind in ("request", "brief", "advocacy"):
        some(0.3, "prompted", dice.random() < 0.5)
    if kind == "request":
        some(0.6, "due_at", at + dice.randrange(-5, 40) * DAY)
    if kind == "brief":
        some(0.8, "level", dice.randrange(1, 6))
        some(0.5, "strategic", dice.random() < 0.3)
        some(0.8, "senior", dice.random() < 0.3)
        some(0.8, "phase", dice.choice(("forming", "shaping", "briefed", "rework")))
    if kind == "feedback":
        some(0.8, "level", dice.randrange(1, 6))
    if kind == "fee":
        some(0.7, "due_at", at + dice.randrange(1, 40) * DAY)
    if row.get("outcome", "open") != "open" and kind in ("request", "advice", "fee"):
        some(0.8, "resolved_at", at + dice.randrange(150 if kind == "advice" else 45) * DAY)
    if kind == "advocacy":
        some(0.7, "resolved_at", at + dice.randrange(30) * DAY)


def _life_details(dice: random.Random, world: World) -> None:
    """What the life of the relationship, our warmth and its pillars read, some of it missing here and there."""
    topics = ("golf", " Golf", "SAILING", "opera", "prices", "deadlines")
    texts = ("Golf; sailing", "opera", "sailing ;;  GOLF ", ";", "Chess")
    drawn: Mapping[str, Mapping[str, tuple[object, ...]]] = {
        "message": {"subtype": ("sales", None, None, None)},
        "call": {"subtype": ("sales", None, None, None)},
        "meeting": {
            "subtype": ("review", "review", "sales", "delivery", "social"),
            "prepared": (True, False),
            "non_verbal": (-1, 0, 1),
        },
        "gesture": {
            "subtype": ("article", "research", "personal_detail", "small_gesture"),
            "auto": (True, *[None] * 9),
        },
        "mistake": {"level": (1, 1, 2, 3)},
        "fee": {"amount": (100.0, 250.0, 999.0), "amount_agreed": (100.0, 90.0, 333.3, 1000.0)},
        "feedback": {"rating": tuple(range(11))},
    }
    names = [row["interaction_id"] for row in world["interactions"]]
    for row in world["interactions"]:
        for column, values in drawn.get(row["kind"], {}).items():
            value = dice.choice(values)
            if value is not None and dice.random() < 0.8 and (column != "amount_agreed" or "outcome" in row):
                row[column] = value
        if dice.random() < 0.4:
            row["topic"] = dice.choice(topics)
        if row["kind"] == "mistake" and dice.random() < 0.7:
            near = max(0, names.index(row["interaction_id"]) - dice.randrange(-3, 20))
            row["about_id"] = names[min(near, len(names) - 1)]
    for deal in world["deals"]:
        for column, low, high in (("concession", 0, 5), ("client_concession", 0, 5), ("margin", -5000, 9000)):
            if dice.random() < 0.9:
                deal[column] = dice.randrange(low, high) / (10 if low == 0 else 1)
        if dice.random() < 0.9:
            deal["goal_met"] = dice.random() < 0.7
        if deal["outcome"] == "lost" and dice.random() < 0.5:
            deal.update(dice.choice(({"lost_to": "a rival"}, {"lost_reason": "competitor"})))
    for account in list(world["accounts"]):
        for place in range(dice.choice((0, 1, 2, 3))):
            since = BEGIN + dice.randrange(-50, 450) * DAY + place
            version = account | {"valid_from": since, "potential": 5000.0}
            if dice.random() < 0.8:
                version["wallet"] = dice.randrange(101) / 100
            if dice.random() < 0.4:
                version[dice.choice(("recorded_at", "updated_at"))] = BEGIN + dice.randrange(450) * DAY
            world["accounts"].append(version)
    for contact in world["contacts"]:
        if dice.random() < 0.7:
            contact["interests"] = dice.choice(texts)
    dice.shuffle(world["accounts"])


def _deal(dice: random.Random, account: str, name: str) -> Record:
    opened = BEGIN + dice.randrange(400) * DAY
    row: Record = {"deal_id": name, "account_id": account, "opened_at": opened}
    row["kind"] = dice.choice(("new", "renewal", "expansion"))
    row["outcome"] = dice.choice(("won", "won", "lost", "open"))
    if row["outcome"] != "open":
        row["closed_at"] = opened + dice.randrange(1, 60) * DAY
    if row["outcome"] == "won" and dice.random() < 0.9:
        row["starts_on"] = row["closed_at"] + dice.randrange(10) * DAY
        row["ends_on"] = row["starts_on"] + dice.randrange(30, 200) * DAY
    if row["outcome"] == "lost" and dice.random() < 0.7:
        row["lost_reason"] = dice.choice(("price", "insolvent", "service"))
    row["amount"] = float(dice.randrange(1000, 50_000))
    if dice.random() < 0.7:
        row["competitive"] = dice.random() < 0.5
    return row


def _disturb(dice: random.Random, world: World) -> None:
    """Make some rows late, some outcomes late, some changed later, some doubled, and shuffle."""
    for table, happened in (("interactions", "at"), ("deals", "opened_at")):
        rows = world[table]
        for row in list(rows):
            luck = dice.random()
            begun: int = row[happened]
            if luck < 0.15:
                row["recorded_at"] = begun + dice.randrange(1, 60 * DAY)
            elif luck < 0.3 and row.get("outcome") not in (None, "open"):
                settled: int = row["resolved_at"] if "resolved_at" in row else row.get("closed_at", begun)
                row["outcome_recorded_at"] = settled + dice.randrange(1, 60 * DAY)
            elif luck < 0.4:
                changed = dict(row)
                changed["updated_at"] = begun + dice.randrange(1, 90 * DAY)
                if table == "interactions":
                    changed["at"] = row["at"] + dice.choice((0, DAY, -DAY))
                    changed["words"] = 77
                rows.append(changed)
            elif luck < 0.5:
                rows.append(dict(row))
        dice.shuffle(rows)


_OUTCOME_FIELDS = {
    "interactions": ("outcome", "resolved_at", "amount_agreed", "minutes", "minutes_late", "rating", "non_verbal"),
    "deals": (
        "outcome",
        "closed_at",
        "margin",
        "concession",
        "client_concession",
        "goal_met",
        "lost_to",
        "lost_reason",
    ),
}


def truncated(world: World, t: int) -> World:
    """What a source that was copied at t would have held: only what was recorded by then, outcomes still open."""
    cut: World = dict(world)
    for table, happened, resolved in (("interactions", "at", "resolved_at"), ("deals", "opened_at", "closed_at")):
        kept = []
        for row in world[table]:
            begun: int = row[happened]
            known: int = row["updated_at"] if "updated_at" in row else row.get("recorded_at", begun)
            if known > t:
                continue
            settled = next((row[name] for name in ("outcome_recorded_at", resolved) if name in row), begun)
            if max(settled, known) > t:
                row = {name: value for name, value in row.items() if name not in _OUTCOME_FIELDS[table]}
            kept.append(row)
        cut[table] = kept
    cut["accounts"] = [
        row for row in world["accounts"] if max(row.get("updated_at") or t, row.get("recorded_at") or t) <= t
    ]
    cut["contacts"] = [row for row in world["contacts"] if (row.get("updated_at") or row.get("recorded_at") or t) <= t]
    return cut
