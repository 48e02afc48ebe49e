"""A logistic regression that starts from a belief: each coefficient has a prior mean, a strength, and may be kept from
turning against its documented direction.

It is what a model can be made of when there are a handful of losses: with none to learn from it says what it believed,
and moves away from that only as far as the evidence carries.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from threadpoolctl import threadpool_limits


class DirectedLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Binary logistic regression with a normal prior around ``prior`` (k,) or one number for all.

    Minimises, over coefficients w and the intercept (which has no prior),

        sum_i weight_i * logloss(y_i, x_i w + intercept)  +  1/2 * sum_j strength_j * (w_j - prior_j)**2

    subject to w_j >= 0 where ``directed`` (bool or (k,)) says so; ``strength`` is above 0. One optimum, found by
    L-BFGS-B; scikit-learn's interface, binary targets only.

    >>> x, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 0, 1])
    >>> DirectedLogistic(prior=2.0, strength=1e6).fit(x, y).coef_.round(2)
    array([[2.]])
    """

    def __init__(
        self,
        prior: ArrayLike = 0.0,
        strength: ArrayLike = 1.0,
        directed: ArrayLike = False,
        max_iter: int = 500,
    ) -> None:
        self.prior = prior
        self.strength = strength
        self.directed = directed
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> DirectedLogistic:
        """Learn from inputs (n, k) and two classes; ``sample_weight`` (n,)."""
        x, target = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(target)
        self.classes_ = np.unique(target)
        if len(self.classes_) != 2:
            raise ValueError(
                f"Only binary classification is supported. The target has {len(self.classes_)} class"
                f"{'' if len(self.classes_) == 1 else 'es'}, two are needed."
            )
        weight = _check_sample_weight(sample_weight, x, dtype=np.float64)
        lost = (target == self.classes_[1]).astype(np.float64)
        columns = x.shape[1]
        prior = np.broadcast_to(np.asarray(self.prior, dtype=np.float64), columns)
        strength = np.broadcast_to(np.asarray(self.strength, dtype=np.float64), columns)
        directed = np.broadcast_to(np.asarray(self.directed, dtype=bool), columns)
        if not (strength > 0).all():
            raise ValueError("strength must be above 0")

        # Worked on in units of the prior's own spread around its mean: where the prior rules, a few steps are enough.
        unit = 1.0 / np.sqrt(strength)

        def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            away = parameters[:-1]
            z = x @ (prior + unit * away) + parameters[-1]
            residual = weight * (expit(z) - lost)
            value = weight @ (np.logaddexp(0.0, z) - lost * z) + 0.5 * (away @ away)
            return float(value), np.append(unit * (residual @ x) + away, residual.sum())

        least = np.where(directed, -prior / unit, -np.inf)
        share = np.clip(weight @ lost / weight.sum(), 1e-6, 1 - 1e-6)
        start = np.append(np.maximum(0.0, least), logit(share))
        bounds = [*((low, None) for low in least.tolist()), (None, None)]
        # The steps are small: threads that wait for each other at every one would cost many times the work, and the
        # last bits would depend on their number.
        with threadpool_limits(1, user_api="blas"):
            found = minimize(
                objective,
                start,
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
                options={"maxiter": self.max_iter, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-6},
            )
        self.n_iter_ = int(found.nit)
        self.coef_ = (prior + unit * found.x[:-1])[None]
        self.intercept_ = found.x[-1:]
        return self

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Log odds (n,) of the second class."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(x @ self.coef_[0] + self.intercept_[0])

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probabilities (n, 2) of both classes."""
        yes = expit(self.decision_function(X))
        return np.column_stack((1.0 - yes, yes))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The likelier class (n,)."""
        above = self.decision_function(X) > 0
        return np.asarray(self.classes_[above.astype(np.intp)])

    def __sklearn_tags__(self) -> Tags:
        tags: Any = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
