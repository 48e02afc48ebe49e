"""A small made-up portfolio as records that a request or a file would bring, and models that have learned from it."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np

from features.histories.history import History
from features.histories.tables import TABLES, Dataset, check_records
from features.matrix import Matrix, build_matrix, rows_at, snapshots
from models.archive import Models
from models.blend import Blend
from models.calibration import Calibration
from models.linear import KNOTS, LinearModel
from models.risk import HORIZONS, Member, RiskModel
from models.stage import StageModel
from models.trees import RiskSettings, train_booster
from serving.answers import moment
from serving.champion import Champion, Location

DAY = 86_400
BEGIN = 1_672_531_200  # 2023-01-01
AS_OF = BEGIN + 900 * DAY
Records = dict[str, list[dict[str, Any]]]


def records(accounts: int = 40, touches: int = 60, seed: int = 1) -> Records:
    """Contracts of a year, mails and promises; every third client answers less and less.

    Account ``C000`` is a prospect without a contract, ``C001`` left long ago.
    """
    dice = random.Random(seed)
    made: Records = {"accounts": [], "contacts": [], "interactions": [], "deals": []}
    for number in range(accounts):
        account = f"C{number:03d}"
        made["accounts"].append({"account_id": account, "name": f"Client {number} & Söhne", "industry": "freight"})
        made["contacts"].append({"contact_id": f"{account}-P", "account_id": account, "seniority": 3})
        made["deals"] += _deals(account, number)
        made["interactions"] += _touches(dice, account, touches, fades=number % 3 == 0)
    return made


def _deals(account: str, number: int) -> list[dict[str, Any]]:
    years = {0: 0, 1: 1}.get(number, 3)
    first = BEGIN + number * 5 * DAY
    return [
        {
            "deal_id": f"{account}-D{year}",
            "account_id": account,
            "opened_at": moment(first + (365 * year - 30) * DAY),
            "closed_at": moment(first + 365 * year * DAY),
            "outcome": "won",
            "starts_on": moment(first + 365 * year * DAY),
            "ends_on": moment(first + 365 * (year + 1) * DAY),
            "amount": None if number % 7 == 2 else 10_000.0 + 1_000 * number,
        }
        for year in range(years)
    ]


def _touches(dice: random.Random, account: str, touches: int, fades: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for place in range(touches):
        at = BEGIN + (place * 900 // touches) * DAY + dice.randrange(DAY // 3)
        thread = {"account_id": account, "contact_id": f"{account}-P", "thread_id": f"{account}-T{place}"}
        mail = {**thread, "kind": "message", "channel": "email"}
        rows.append({**mail, "interaction_id": f"{account}-{place}a", "at": moment(at), "actor": "us", "words": 80})
        if dice.random() < (1 - place / touches if fades else 0.9):
            answered = at + dice.randrange(60, 5 * DAY)
            rows.append(
                {
                    **mail,
                    "interaction_id": f"{account}-{place}b",
                    "at": moment(answered),
                    "actor": "client",
                    "words": dice.randrange(10, 200),
                }
            )
        if place % 6 == 0:
            promise = {"kind": "commitment", "actor": "client", "due_at": moment(at + 5 * DAY)}
            kept = {"outcome": "kept", "resolved_at": moment(at + 4 * DAY)}
            rows.append(
                {
                    "interaction_id": f"{account}-{place}c",
                    "account_id": account,
                    "at": moment(at),
                    **promise,
                    **(kept if dice.random() < 0.8 else {}),
                }
            )
    return rows


def part(made: Records, account: str) -> Records:
    """The records of one account."""
    return {table: [row for row in rows if row["account_id"] == account] for table, rows in made.items()}


def write_csv(made: Records, folder: Path) -> Path:
    """The records as CSV files, as a user's source folder holds them."""
    folder.mkdir(parents=True)
    for table, rows in made.items():
        names = list(dict.fromkeys(name for row in rows for name in row))
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, names, restval="")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def history(made: Records) -> History:
    """The records as a history."""
    return History.from_records(
        {name: check_records(TABLES[name], rows, name)[0] for name, rows in made.items()}, Dataset()
    )


def learned(made: Records) -> Models:
    """Quickly learned models over all registered columns; what they learned is only that silence is a bad sign."""
    whole = history(made)
    matrix = build_matrix(whole, rows_at(whole, snapshots(BEGIN + 200 * DAY, AS_OF, 60)))
    silent = np.nan_to_num(matrix.values[:, matrix.columns.index("D8f.silence_ratio.now")], nan=9.0)
    worse = np.digitize(silent, (1, 3, 6))
    labels = (worse[:, None] + np.arange(len(HORIZONS)) >= 4).astype(np.int8)
    settings = RiskSettings(rounds=40, learning_rate=0.1, lambda_l2=20.0)
    days_to_end = matrix.standing.days_to_end
    booster = train_booster(matrix.values, days_to_end, matrix.indicators, labels, HORIZONS, None, settings)
    blends = [Blend(booster, slight(matrix, seed), 0.8, 0.3) for seed in range(4)]
    calibration = Calibration(0.9, (-1.0, -0.8, -0.5, -0.3))
    members = tuple(Member(blend, calibration) for blend in blends[1:])
    columns, fingerprint = matrix.columns, matrix.fingerprint
    risk = RiskModel(blends[0], columns, fingerprint, HORIZONS, calibration, "contract", settings, members, 0.9)
    data = {"sha256": "", "span": [moment(BEGIN), moment(AS_OF)], "simulated": True}
    return Models(risk, StageModel(matrix.columns), {"data": data})


def slight(matrix: Matrix, seed: int) -> LinearModel:
    """A linear model in which every figure with a documented direction counts a little, more or less by chance."""
    columns = len(matrix.columns)
    dice = np.random.default_rng(seed)
    directions = np.array([indicator.constraint for indicator in matrix.indicators])
    known = np.nan_to_num(matrix.values)
    return LinearModel(
        centre=known.mean(axis=0),
        scale=known.std(axis=0) + 1.0,
        mean=np.zeros(columns),
        coef=0.02 * directions * dice.uniform(0.5, 1.5, columns),
        intercept=-0.1 * seed,
        ramps=np.full(len(KNOTS) - 1, 0.2),
        usual_ramps=np.full(len(KNOTS) - 1, 0.5),
    )


def champion(models: Models) -> Champion:
    """A champion that is registered nowhere."""
    return Champion(Location("rapport", "7", AS_OF, "/nowhere"), models)
