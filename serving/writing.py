"""Scores as files: CSV, Parquet or JSON, each of which appears whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from serving.answers import REASONS_SHOWN, document, flat, moment
from serving.judged import Judged, JudgedPortfolio
from serving.portfolio import Portfolio
from serving.scorecards import COLUMNS, card_document, flat_cards

SUFFIXES = (".csv", ".parquet", ".json")
CARD_SUFFIXES = (".csv", ".json")

CARD_COLUMNS = ("account_id", "name", "as_of", "stage", "value", *COLUMNS)
"""The columns of a table of scorecards."""


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A new file that takes the place of ``file`` when the block ends well, and vanishes when it does not."""
    file.parent.mkdir(parents=True, exist_ok=True)
    staged = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        yield staged
        os.replace(staged, file)
    finally:
        staged.unlink(missing_ok=True)


def write_scores(portfolio: Portfolio, file: Path) -> None:
    """Write every account's score, in order of rank, in the form that the file's ending names.

    CSV and Parquet hold one flat row per account, JSON the same answers as the service gives. Raises ValueError for
    another ending than those of ``SUFFIXES``.
    """
    write = {".csv": _write_csv, ".parquet": _write_parquet, ".json": _write_json}.get(file.suffix)
    if write is None:
        raise ValueError(f"{file}: the name must end with one of {', '.join(SUFFIXES)}")
    with replacing(file) as staged:
        write(portfolio, staged)


def schema(horizons: tuple[int, ...]) -> pa.Schema:
    """The columns of a table of scores; they depend on nothing but the model's horizons."""
    text, number, whole = pa.string(), pa.float64(), pa.int32()
    return pa.schema(
        [
            ("rank", whole),
            ("account_id", text),
            ("name", text),
            ("as_of", text),
            ("stage", text),
            ("stage_basis", text),
            ("stage_probability", number),
            *((f"risk_{days}{end}", number) for days in horizons for end in ("", "_low", "_high")),
            ("not_at_risk", text),
            ("value", number),
            ("horizon", whole),
            ("revenue_at_risk", number),
            *((f"reason_{place}", text) for place in range(1, REASONS_SHOWN + 1)),
        ]
    )


def _rows(portfolio: Portfolio) -> Iterator[dict[str, Any]]:
    for rank, prediction in enumerate(portfolio.predictions, start=1):
        profile = portfolio.profiles.get(prediction.account_id)
        yield {"name": profile.name if profile else None, **flat(prediction, rank)}


def _write_csv(portfolio: Portfolio, file: Path) -> None:
    names = schema(portfolio.horizons).names
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(_rows(portfolio))


def _write_parquet(portfolio: Portfolio, file: Path) -> None:
    pq.write_table(pa.Table.from_pylist(list(_rows(portfolio)), schema(portfolio.horizons)), file)


def _write_json(portfolio: Portfolio, file: Path) -> None:
    told = {"as_of": moment(portfolio.as_of), "model": portfolio.location.version, "accounts": []}
    begin, end = json.dumps(told).rsplit("]", 1)
    with file.open("wb") as stream:
        # One account at a time: explained answers of a large portfolio do not fit into memory together.
        stream.write(begin.encode())
        for place, prediction in enumerate(portfolio.predictions):
            stream.write(b",\n" if place else b"\n")
            stream.write(to_json(document(prediction), inf_nan_mode="null"))
        stream.write(b"\n]" + end.encode() + b"\n")


def write_scorecards(portfolio: JudgedPortfolio, file: Path) -> None:
    """Write every account's scorecards as CSV (one flat row each) or JSON (with every figure and its mark).

    Raises ValueError for another ending than those of ``CARD_SUFFIXES``.
    """
    if file.suffix not in CARD_SUFFIXES:
        raise ValueError(f"{file}: the name must end with one of {', '.join(CARD_SUFFIXES)}")
    with replacing(file) as staged:
        if file.suffix == ".csv":
            with staged.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, CARD_COLUMNS, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows({**_judged(portfolio, one), **flat_cards(one.cards)} for one in portfolio.accounts)
        else:
            accounts = [
                {**_judged(portfolio, one), "scorecards": card_document(one.cards)} for one in portfolio.accounts
            ]
            told = {"as_of": moment(portfolio.as_of), "accounts": accounts}
            staged.write_bytes(to_json(told, indent=1, inf_nan_mode="null") + b"\n")


def _judged(portfolio: JudgedPortfolio, account: Judged) -> dict[str, Any]:
    profile = portfolio.profiles.get(account.account_id)
    return {
        "account_id": account.account_id,
        "name": profile.name if profile else None,
        "as_of": moment(portfolio.as_of),
        "stage": account.stage.stage,
        "value": account.value,
    }
