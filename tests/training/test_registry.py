"""The registry as training reads it: every version, its champion, its models."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pytest

from models.archive import FingerprintMismatch, Models
from tests.models.portfolio import FINGERPRINT, contract_models, portfolio
from training import registry
from training.registry import NoSuchVersion, champion_of, open_models, quality, version_of, versions
from training.tracking import NAME, Record, register


@pytest.fixture(scope="module")
def models() -> Models:
    return contract_models()


def test_versions_are_listed_by_number_the_newest_first(models: Models, tracking_store: str) -> None:
    first = register(
        models,
        Record({}, {"data.span": "long"}, {"risk.auc.180": 0.7, "risk.ece.180": 0.1, "silence.auc.180": 0.6}, {}, {}),
    )
    for _ in range(10):
        mlflow.MlflowClient().create_model_version(NAME, f"models:/{NAME}/1", first.run_id, tags={"kind": "copy"})
    listed = versions()
    assert [version.number for version in listed] == [str(number) for number in range(11, 0, -1)]
    assert champion_of(listed) == version_of(listed, "1") == listed[-1]
    assert (listed[-1].run_id, listed[-1].is_champion, listed[-1].tags) == (first.run_id, True, {})
    assert (listed[0].is_champion, listed[0].tags) == (False, {"kind": "copy"})
    assert listed[0].registered_at > 1_700_000_000
    auc, tags = quality(listed[-1])
    assert auc == {180: 0.7}
    assert tags["data.span"] == "long"


def test_models_open_as_they_were_registered_or_not_at_all(
    models: Models, tracking_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(models, Record({}, {}, {}, {}, {}))
    (version,) = versions()
    with pytest.raises(FingerprintMismatch, match=FINGERPRINT):
        open_models(version)
    monkeypatch.setattr(registry, "fingerprint", lambda: FINGERPRINT)
    found = open_models(version)
    assert found.meta == models.meta
    rows = portfolio(20, 3)
    given = rows.values, rows.standing.days_to_end
    np.testing.assert_array_equal(found.risk.risk(*given), models.risk.risk(*given))


def test_looking_creates_no_store(tracking_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoSuchVersion, match="no models in sqlite:"):
        versions()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere/mlflow.db")
    with pytest.raises(NoSuchVersion, match=r"elsewhere/mlflow\.db: train one first with 'rapport train'"):
        versions()
    assert not (tmp_path / "elsewhere").exists()
