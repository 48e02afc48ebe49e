"""The model card tells what was trained, how well it did, and where it ends; nothing of it is left to be guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.catalogue import entries
from features.histories.log import DAY
from models.archive import Models
from tests.models.portfolio import contract_models, outcomes, portfolio
from training.audit import Audit, Check
from training.card import FEW_LOST, model_card, own_settings, summary
from training.entries import Entries
from training.evaluation import MEASURES
from training.judging import Judged, judge
from training.outcomes import Outcomes

META: dict[str, Any] = {
    "data": {
        "sha256": "ab" * 32,
        "span": ["2022-07-04T09:52:25Z", "2026-06-30T17:17:42Z"],
        "learned_until": "2026-07-01T00:00:00Z",
        "simulated": False,
    },
    "counts": {"accounts": 1500, "losses": 220},
    "test_from": "2025-03-01T00:00:00Z",
    "count_as_lost": [],
}


@pytest.fixture(scope="module")
def models() -> Models:
    return replace(contract_models(), meta=META)


@pytest.fixture(scope="module")
def judged(models: Models) -> dict[int, Judged]:
    """The model and a baseline that knows nothing, on rows that neither has seen; few losses within 30 days."""
    matrix = portfolio(700, 9)
    horizons = models.risk.horizons
    labels = outcomes(matrix, 9, horizons)
    labels[:, 0] = np.where(np.arange(len(matrix)) < 40, labels[:, 0], -1)
    settled = np.full(labels.shape, 20_400 * DAY)
    known = Outcomes(horizons, np.ones(len(matrix), dtype=bool), labels, settled, 0, 0)
    risk = models.risk.risk(matrix.values, matrix.standing.days_to_end)
    usable = Entries(matrix, known, labels >= 0, matrix.rows.account, False)
    return judge(usable, {"risk": risk, "silence": np.full(risk.shape, 0.1)}, 7)


def sections(card: str) -> dict[str, str]:
    found = re.split(r"^## (.*)$", card, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def tables(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_it_has_every_part(models: Models, judged: dict[int, Judged]) -> None:
    assert list(sections(model_card(models, judged))) == [
        "Intended use",
        "What it has learned from",
        "How good it is",
        "Where it ends",
        "What unknown means",
        "Leak audit",
        "How it was made",
        "Marks used",
    ]


def test_it_tells_its_data_and_what_lost_means(models: Models, judged: dict[int, Judged]) -> None:
    told = sections(model_card(models, judged))["What it has learned from"]
    for text in (META["data"]["sha256"], "2022-07-04T09:52:25Z to 2026-06-30T17:17:42Z", "Losses: 220", "2025-03-01"):
        assert text in told
    assert "Lost means: a lost renewal or a lapsed contract\n" in told
    assert "Simulated: no\n" in told
    also = replace(models, meta=META | {"count_as_lost": ["price"]})
    assert "a lapsed contract (price counted as lost too)" in model_card(also, judged)


def test_every_measure_stands_with_its_interval_beside_the_baselines(models: Models, judged: dict[int, Judged]) -> None:
    told = re.split(r"^### Lost within (\d+) days$", sections(model_card(models, judged))["How good it is"], flags=re.M)
    assert [int(days) for days in told[1::2]] == sorted(judged)
    for days, text in zip(told[1::2], told[2::2], strict=True):
        one = judged[int(days)]
        head, _, *rows = tables(text)
        assert [row[0] for row in rows] == ["risk", "silence"]
        assert len(head) == len(MEASURES) + 2 == len(rows[0])
        for row in rows:
            auc = one.measured[row[0]]["auc"]
            assert row[head.index("auc")] == f"{auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
        lead = one.leads["silence"]["auc"]
        assert [row[-1] for row in rows] == ["", f"{lead.value:.3f} ({lead.low:.3f} to {lead.high:.3f})"]
        assert f"of which {one.lost_accounts:,} were lost" in text


def test_few_losses_and_baselines_not_surely_beaten_are_said(models: Models, judged: dict[int, Judged]) -> None:
    few = [days for days, one in judged.items() if one.lost_accounts < FEW_LOST]
    assert few == [30]
    told = sections(model_card(models, judged))["Where it ends"]
    assert re.findall(r"Within (\d+) days only (\d+) accounts", told) == [("30", str(judged[30].lost_accounts))]
    assert judged[180].leads["silence"]["auc"].low > 0
    assert "180 days it does not surely" not in told
    reversed_ = judged[180].leads["silence"]["auc"]
    beaten = replace(reversed_, value=-reversed_.value, low=-reversed_.high, high=-reversed_.low)
    worse = judged | {180: replace(judged[180], leads={"silence": {**judged[180].leads["silence"], "auc": beaten}})}
    assert "- Within 180 days it does not surely rank better than silence.\n" in model_card(models, worse)


def test_where_no_losses_could_be_kept_for_a_later_test_it_says_so(models: Models, judged: dict[int, Judged]) -> None:
    card = model_card(models, judged)
    assert "settled by 2025-03-01T00:00:00Z, on rows from then on." in card
    assert "AUC on later rows" in card
    across = model_card(replace(models, meta=META | {"test_from": None}), judged)
    assert "each account foretold by what was learned from the others" in across
    assert "How it does in a time to come was not measured." in across
    assert "AUC on accounts held out" in across


def test_simulated_data_are_said_to_be_simulated(models: Models, judged: dict[int, Judged]) -> None:
    made_up = replace(models, meta=META | {"data": META["data"] | {"simulated": True}})
    assert summary(made_up, judged).startswith("**Simulated data")
    assert "- The data are simulated" in sections(model_card(made_up, judged))["Where it ends"]
    assert "imulated data" not in summary(models, judged)


def test_the_summary_is_short_and_has_the_ranking(models: Models, judged: dict[int, Judged]) -> None:
    told = summary(models, judged)
    auc = judged[365].measured["risk"]["auc"]
    assert f"365 days {auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f})" in told
    assert "Records from 2022-07-04 to 2026-06-30" in told
    assert len(told) < 500
    assert told in model_card(models, judged)


def test_what_the_training_and_the_audit_said_is_kept_without_html(models: Models, judged: dict[int, Judged]) -> None:
    checks = (
        Check("permuted_labels", True, 0.51, 0.55, "Labels permuted by account give 0.51.", {}),
        Check("single_columns", False, 0.97, 0.9, "x_<img> alone tells who left.", {}),
        Check("truncated_rows", None, math.nan, 0, "No rows.", {}),
    )
    card = model_card(models, judged, ["Column x_<img> left out."], Audit(checks))
    assert "- Column x_&lt;img&gt; left out.\n" in card
    assert sections(card)["Leak audit"].strip().splitlines() == [
        "- permuted labels, passed: Labels permuted by account give 0.51.",
        "- single columns, FAILED: x_&lt;img&gt; alone tells who left.",
        "- truncated rows, could not be made: No rows.",
    ]
    assert sections(model_card(models, judged))["Leak audit"].strip() == "- None was made."


def test_all_marks_in_force_are_listed_with_their_origin(models: Models, judged: dict[int, Judged]) -> None:
    marked = {(f"`{row.id}.{row.name}`", f"`{row.mark}`", row.unit, row.origin) for row in entries() if row.mark}
    _, _, *rows = tables(sections(model_card(models, judged))["Marks used"])
    assert {tuple(row) for row in rows} == marked
    assert len(rows) == len(marked)
    assert {row[3] for row in rows} == {"documented", "ours"}


def test_settings_chosen_by_the_user_are_told(
    models: Models, judged: dict[int, Judged], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAPPORT_SETTINGS", raising=False)
    assert own_settings() == {}
    assert "Settings: as they come" in model_card(models, judged, settings_chosen=own_settings())
    file = tmp_path / "own.toml"
    file.write_text('prompted_within = "21 days"\nminimum_observations = 4\n[depth_weights]\nD2 = 3\n')
    monkeypatch.setenv("RAPPORT_SETTINGS", str(file))
    told = sections(model_card(models, judged, settings_chosen=own_settings()))["How it was made"]
    assert "- Setting chosen by the user: prompted_within = 21 days\n" in told
    assert "- Setting chosen by the user: minimum_observations = 4\n" in told
    assert re.search(r"depth_weights = D1 1, D2 3, .*D8 1", told)
