"""Files of scores: each form holds the same, and no form leaves half a file."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from serving.answers import document
from serving.portfolio import Portfolio
from serving.writing import replacing, schema, write_scores


def test_every_form_holds_the_same(portfolio: Portfolio, tmp_path: Path) -> None:
    files = {suffix: tmp_path / f"scores{suffix}" for suffix in (".csv", ".parquet", ".json")}
    for file in files.values():
        write_scores(portfolio, file)
    answers = json.loads(files[".json"].read_text())
    assert list(answers) == ["as_of", "model", "accounts"]
    assert answers["accounts"] == json.loads(json.dumps([document(one) for one in portfolio.predictions]))
    table = pq.read_table(files[".parquet"])
    assert table.schema.names == schema(portfolio.horizons).names
    rows = table.to_pylist()
    with files[".csv"].open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert len(rows) == len(lines) == len(answers["accounts"]) == 40
    for row, line, answer in zip(rows, lines, answers["accounts"], strict=True):
        assert {name: "" if value is None else str(value) for name, value in row.items()} == line
        assert row["account_id"] == answer["account_id"]
        assert row["risk_180"] == (answer["risk"] and answer["risk"]["180"])
        assert row["revenue_at_risk"] == answer["revenue_at_risk"]
    assert rows[0]["rank"] == 1
    assert rows[0]["reason_1"] == answers["accounts"][0]["explanation"]["reasons"][0]["sentence"]
    assert rows[-1]["not_at_risk"] == "former client"


def test_another_ending_is_refused(portfolio: Portfolio, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end with one of \.csv, \.parquet, \.json"):
        write_scores(portfolio, tmp_path / "scores.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_crash_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("former")

    def crash() -> None:
        with replacing(file) as staged:
            staged.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("scores.csv", "former")]
