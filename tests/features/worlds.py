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
}
_CHANNELS: Mapping[str, tuple[str, ...]] = {
    "message": ("email", "text", "chat", "social", "letter"),
    "call": ("phone", "video"),
    "meeting": ("phone", "video", "in_person"),
}


def random_world(seed: int, accounts: int = 3, touches: int = 40) -> World:
    """Records (converted, as ``check_records`` gives them) of a few accounts, about ``touches`` interactions each."""
    dice = random.Random(seed)
    world: World = {"accounts": [], "contacts": [], "interactions": [], "deals": [], "stage_reviews": []}
    for number in range(accounts):
        account = f"A{number}"
        world["accounts"].append({"account_id": account, "potential": float(dice.randrange(1000, 9000))})
        contacts = [f"{account}-C{i}" for i in range(dice.randint(1, 3))]
        world["contacts"] += [{"contact_id": contact, "account_id": account} for contact in contacts]
        for place in range(dice.randint(0, touches)):
            world["interactions"].append(_interaction(dice, account, contacts, f"{account}-{place:03d}"))
        for place in range(dice.randint(0, 4)):
            world["deals"].append(_deal(dice, account, f"{account}-D{place}"))
    _disturb(dice, world)
    return world


def _interaction(dice: random.Random, account: str, contacts: list[str], name: str) -> Record:
    kind = dice.choices(
        ("message", "call", "meeting", "commitment", "delivery", "gesture", "order", "mistake"),
        (12, 4, 3, 4, 2, 1, 1, 1),
    )[0]
    # Few distinct moments, so that ties happen.
    at = BEGIN + dice.randrange(SPAN // (6 * HOUR)) * 6 * HOUR
    row: Record = {"interaction_id": name, "account_id": account, "at": at, "kind": kind}
    row["actor"] = "us" if kind in ("mistake", "gesture", "delivery") else dice.choice(("client", "us"))
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
    if kind in _OUTCOMES and dice.random() < 0.9:
        row["outcome"] = dice.choice(_OUTCOMES[kind])
    if kind == "meeting":
        row["recorded_at"] = at - dice.randrange(30) * DAY
        if row.get("outcome") == "cancelled":
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
    if kind == "gesture" and dice.random() < 0.5:
        row["about_id"] = f"{account}-000"
    return row


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
                settled = int(row.get("resolved_at") or row.get("closed_at") or begun)
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
    "deals": ("outcome", "closed_at", "margin", "concession", "goal_met", "lost_to", "lost_reason"),
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
            settled = int(row.get("outcome_recorded_at") or row.get(resolved) or begun)
            if max(settled, known) > t:
                row = {name: value for name, value in row.items() if name not in _OUTCOME_FIELDS[table]}
            kept.append(row)
        cut[table] = kept
    return cut
