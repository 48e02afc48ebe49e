"""Whatever claims to be a scikit-learn estimator passes scikit-learn's own checks."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import check_estimator

from training.directed_logistic import DirectedLogistic

ROOT = Path(__file__).parents[1]
PACKAGES = ("features", "models", "training", "serving")

SKIPPED = {"check_array_api_input"}
"""Arrays of other libraries than numpy: scikit-learn looks at them only where SCIPY_ARRAY_API is set."""


def kinds_of(base: type[Any]) -> Iterator[type[Any]]:
    """Everything that derives from a class, however far."""
    kind: type[Any]
    for kind in base.__subclasses__():
        yield kind
        yield from kinds_of(kind)


def estimators() -> list[type[Any]]:
    """The public classes of ours, wherever they are defined: in a module that names scikit-learn, or one of them."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    found: set[type[Any]] = set()
    names = {"sklearn"}
    while names:
        for file in files:
            if any(name in file.read_text(encoding="utf-8") for name in names):
                module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                importlib.import_module(module.removesuffix(".__init__"))
        ours = {one for one in kinds_of(BaseEstimator) if one.__module__.partition(".")[0] in PACKAGES}
        names = {one.__name__ for one in ours - found}
        found = ours
    return sorted((one for one in found if not one.__name__.startswith("_")), key=lambda one: one.__qualname__)


def test_every_estimator_passes_the_checks_of_scikit_learn() -> None:
    found = estimators()
    assert DirectedLogistic in found
    for kind in found:
        results = check_estimator(kind(), on_skip=None, on_fail=None)
        failed = {one["check_name"]: repr(one["exception"]) for one in results if one["status"] == "failed"}
        assert not failed, f"{kind.__name__}: {failed}"
        assert {one["check_name"] for one in results if one["status"] != "passed"} <= SKIPPED
        assert len(results) > 40


def test_a_check_that_fails_is_seen() -> None:
    """An estimator that remembers what it was given for longer than it says: the checks do find such things."""

    class Forgetful(DirectedLogistic):
        def fit(self, X: object, y: object, sample_weight: object = None) -> "Forgetful":
            self.strength = 2.0
            super().fit(X, y, sample_weight)  # type: ignore[arg-type]
            return self

    with pytest.raises(AssertionError, match="parameter"):
        check_estimator(Forgetful(), on_skip=None)
