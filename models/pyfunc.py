"""The loader module of the MLflow model: an archive behind the usual ``predict``, without pickle.

Whoever has rapport installed scores a matrix with nothing else:

    model = mlflow.pyfunc.load_model("models:/rapport@champion")
    model.predict(frame)      # one column for each column of the matrix; NaN is unknown
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features import matrix
from models.archive import Models, load
from models.risk import CONTRACT_END

DAYS_TO_END = "days_to_end"


class RiskScorer:
    """``predict`` for MLflow."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Risk of every row within each horizon: columns ``risk_30`` …, the input's index.

        ``model_input`` holds the matrix's columns in any order, NaN for unknown. ``days_to_end`` may say the
        days to the current contract's end apart; without it the matrix's own column says it. Further columns
        are ignored.

        Errors: ValueError that names the columns that are missing or not numeric.
        """
        model = self.models.risk
        missing = [column for column in model.columns if column not in model_input.columns]
        if missing:
            raise ValueError(f"the input lacks {len(missing)} columns of the matrix: {', '.join(missing)}")
        values = np.column_stack([_numbers(model_input, column) for column in model.columns])
        days_to_end = _numbers(model_input, DAYS_TO_END if DAYS_TO_END in model_input.columns else CONTRACT_END)
        names = [f"risk_{horizon}" for horizon in model.horizons]
        return pd.DataFrame(model.risk(values, days_to_end), index=model_input.index, columns=names)


def _numbers(frame: pd.DataFrame, column: str) -> np.ndarray:
    try:
        return frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {column}: not numeric ({error})") from error


def _load_pyfunc(path: str) -> RiskScorer:
    """Called by MLflow with the archive's folder."""
    return RiskScorer(load(Path(path), matrix.fingerprint()))
