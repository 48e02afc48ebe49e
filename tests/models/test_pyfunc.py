"""The MLflow model: a stock load_model scores a matrix, without pickle."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import matrix
from models.archive import FingerprintMismatch, Models, save
from models.pyfunc import _load_pyfunc
from tests.models.portfolio import COLUMNS, FINGERPRINT, portfolio


@pytest.fixture
def archive(models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Saved models, in an installation whose columns are theirs."""
    monkeypatch.setattr(matrix, "fingerprint", lambda: FINGERPRINT)
    save(models, tmp_path / "archive")
    return tmp_path / "archive"


def frame(seed: int) -> pd.DataFrame:
    rows = portfolio(20, seed)
    return pd.DataFrame(rows.values, columns=list(COLUMNS), index=rows.account_ids)


def test_a_stock_load_model_scores_a_matrix(models: Models, archive: Path, tmp_path: Path) -> None:
    import mlflow

    mlflow.pyfunc.save_model(
        tmp_path / "model",
        loader_module="models.pyfunc",
        data_path=str(archive),
        pip_requirements=["rapport"],
    )
    given = frame(1)
    risk = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(given)
    rows = portfolio(20, 1)
    np.testing.assert_array_equal(risk.to_numpy(), models.risk.risk(rows.values, rows.standing.days_to_end))
    assert list(risk.columns) == ["risk_30", "risk_90", "risk_180", "risk_365"]
    assert list(risk.index) == list(given.index)
    assert not [file for file in (tmp_path / "model").rglob("*") if file.suffix in (".pkl", ".pickle", ".joblib")]


def test_columns_may_come_in_any_order_with_others_between(archive: Path) -> None:
    scorer, given = _load_pyfunc(str(archive)), frame(2)
    shuffled = given[list(reversed(COLUMNS))].assign(owner="Ann")
    pd.testing.assert_frame_equal(scorer.predict(shuffled), scorer.predict(given))


def test_days_to_end_may_be_said_apart(models: Models, archive: Path) -> None:
    scorer, rows = _load_pyfunc(str(archive)), portfolio(20, 3)
    apart = np.full(20, 10.0)
    given = frame(3).assign(days_to_end=apart)
    np.testing.assert_array_equal(scorer.predict(given, {}).to_numpy(), models.risk.risk(rows.values, apart))


def test_whole_numbers_and_missing_values_of_pandas_are_understood(archive: Path) -> None:
    scorer, given = _load_pyfunc(str(archive)), frame(4)
    tenure = given["L5.tenure.now"].round()
    whole = given.assign(**{"L5.tenure.now": tenure.astype("Int64")})
    pd.testing.assert_frame_equal(scorer.predict(whole), scorer.predict(given.assign(**{"L5.tenure.now": tenure})))


def test_what_is_missing_or_no_number_is_named(archive: Path) -> None:
    scorer, given = _load_pyfunc(str(archive)), frame(5)
    with pytest.raises(ValueError, match=r"lacks 1 columns of the matrix: D8f\.silence\.now"):
        scorer.predict(given.drop(columns="D8f.silence.now"))
    with pytest.raises(ValueError, match=r"column D8f\.silence\.now: not numeric"):
        scorer.predict(given.assign(**{"D8f.silence.now": "long"}))


def test_an_installation_with_other_columns_is_refused(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "fingerprint", lambda: "0" * 64)
    with pytest.raises(FingerprintMismatch):
        _load_pyfunc(str(archive))
