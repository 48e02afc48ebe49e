"""Switching risk: what the trained model keeps, whatever the data."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import t as student

from models.calibration import Calibration
from models.risk import CONTRACT_END, HORIZONS, INTERVAL, RiskModel
from models.trees import CHUNK
from tests.models.portfolio import COLUMNS, portfolio, trained


@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.3, 0.9]))
def test_risk_never_falls_as_the_horizon_grows(model: RiskModel, seed: int, missing: float) -> None:
    rows = portfolio(50, seed, missing)
    risk = model.risk(rows.values, rows.standing.days_to_end)
    assert (np.diff(risk, axis=1) >= 0).all()
    assert ((risk > 0) & (risk < 1)).all()


def test_logits_and_risk_are_the_same_scores(model: RiskModel) -> None:
    rows = portfolio(30, 3)
    end = rows.standing.days_to_end
    risk = model.risk(rows.values, end)
    for place, horizon in enumerate(HORIZONS):
        logits = model.logits(rows.values, end, horizon)
        np.testing.assert_array_equal(expit(logits), risk[:, place])


def test_a_row_does_not_depend_on_the_others(model: RiskModel) -> None:
    rows = portfolio(CHUNK + 10, 4)
    end = rows.standing.days_to_end
    whole = model.risk(rows.values, end)
    some = [*range(0, CHUNK, 400), CHUNK - 1, CHUNK, CHUNK + 9]
    around = model.interval(rows.values, end)
    for row in some:
        alone = rows.values[row : row + 1], end[row : row + 1]
        np.testing.assert_array_equal(model.risk(*alone)[0], whole[row])
        np.testing.assert_array_equal(model.interval(*alone)[0], around[row])
    assert model.risk(rows.values[:0], end[:0]).shape == (0, 4)
    assert model.interval(rows.values[:0], end[:0]).shape == (0, 4, 2)


def test_one_horizon_serves_the_silence_definition() -> None:
    model = trained("silence", (45,))
    rows = portfolio(20, 11)
    assert model.risk(rows.values, rows.standing.days_to_end).shape == (20, 1)
    assert model.usual_horizon == 45


# Intervals


@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.3, 1.0]))
def test_the_interval_holds_the_risk_and_never_falls(model: RiskModel, seed: int, missing: float) -> None:
    rows = portfolio(50, seed, missing)
    end = rows.standing.days_to_end
    ends, risk = model.interval(rows.values, end), model.risk(rows.values, end)
    assert ends.shape == (50, 4, 2)
    assert (ends[..., 0] <= risk).all()
    assert (risk <= ends[..., 1]).all()
    assert (np.diff(ends, axis=1) >= 0).all()
    assert ((ends > 0) & (ends < 1)).all()


def test_the_interval_by_hand(model: RiskModel) -> None:
    """At the first horizon: Student's t with two degrees of freedom, and the standard deviation of three members."""
    rows = portfolio(40, 5)
    end = rows.standing.days_to_end
    first = [one.calibration.logits(one.blend.scores(rows.values, end, HORIZONS))[:, 0] for one in model.members]
    reach = student.ppf(0.95, 2) * 0.5 * np.std(first, axis=0, ddof=1)
    point = model.logits(rows.values, end, 30)
    ends = logit(model.interval(rows.values, end)[:, 0])
    np.testing.assert_allclose(ends, np.stack((point - reach, point + reach), axis=1), atol=1e-9)
    assert INTERVAL == 0.9


def test_the_more_the_members_differ_the_wider_the_interval(model: RiskModel) -> None:
    rows = portfolio(40, 6)
    end = rows.standing.days_to_end
    one = model.members[0]
    width = np.diff(model.interval(rows.values, end), axis=2)
    # all alike but for one, whose odds are a little or much higher; and none different at all
    little, much = (
        replace(one, calibration=Calibration(one.calibration.a, tuple(level + more for level in one.calibration.b)))
        for more in (0.1, 2.0)
    )
    narrow, wide = (
        np.diff(replace(model, members=(one, one, other)).interval(rows.values, end), axis=2)
        for other in (little, much)
    )
    assert (narrow < wide).all()
    alike = replace(model, members=(one,) * 3).interval(rows.values, end)
    np.testing.assert_allclose(alike, np.repeat(model.risk(rows.values, end)[..., None], 2, axis=2), rtol=1e-12)
    # and the fewer accounts the members had learned from, the less their distance counts
    closer = np.diff(replace(model, spread=0.25).interval(rows.values, end), axis=2)
    assert (closer < width).all()


def test_members_that_are_all_off_alike_move_no_interval(model: RiskModel) -> None:
    """What fewer accounts teach may be off as a whole; only how members differ counts."""
    rows = portfolio(40, 7)
    end = rows.standing.days_to_end
    moved = tuple(
        replace(one, calibration=Calibration(one.calibration.a, tuple(level + 3 for level in one.calibration.b)))
        for one in model.members
    )
    np.testing.assert_allclose(
        replace(model, members=moved).interval(rows.values, end), model.interval(rows.values, end), atol=1e-12
    )


def test_members_that_agree_about_later_alone_make_no_interval_fall(model: RiskModel) -> None:
    """They differ much within 30 days and not at all from then on; what may be within 30 days may be later too."""
    rows = portfolio(40, 9)
    end = rows.standing.days_to_end
    one = model.members[0]
    soon = (replace(one, calibration=Calibration(1.0, (first, 0.0, 0.0, 0.0))) for first in (-6.0, -3.0, 0.0))
    ends = replace(model, members=tuple(soon)).interval(rows.values, end)
    risk = model.risk(rows.values, end)
    highest = ends[:, 0, 1]
    assert (highest > risk[:, 1]).any()
    np.testing.assert_allclose(ends[:, 1, 1], np.maximum(highest, risk[:, 1]))
    np.testing.assert_allclose(ends[:, 1, 0], risk[:, 1])


def test_an_interval_needs_members(model: RiskModel) -> None:
    rows = portfolio(2, 8)
    with pytest.raises(ValueError, match="made without members"):
        replace(model, members=()).interval(rows.values, rows.standing.days_to_end)
    with pytest.raises(ValueError, match="one member alone"):
        replace(model, members=model.members[:1])


# What is refused


def test_parts_that_do_not_fit_are_refused(model: RiskModel) -> None:
    with pytest.raises(ValueError, match="7 inputs for 6 columns"):
        replace(model, columns=COLUMNS[1:])
    with pytest.raises(ValueError, match=CONTRACT_END):
        replace(model, columns=tuple(column.replace("L5", "L9") for column in COLUMNS))
    with pytest.raises(ValueError, match="rising order"):
        replace(model, horizons=(90, 30, 180, 365))
    with pytest.raises(ValueError, match="2 calibrated horizons for 4"):
        replace(model, calibration=Calibration(1.0, (0.0, 0.0)))
    member = replace(model.members[0], calibration=Calibration(1.0, (0.0, 0.0)))
    with pytest.raises(ValueError, match="2 calibrated horizons for 4"):
        replace(model, members=(member, *model.members[1:]))
    for spread in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="spread must be above 0 and at most 1"):
            replace(model, spread=spread)


def test_an_unknown_horizon_is_refused_naming_the_known(model: RiskModel) -> None:
    rows = portfolio(2, 12)
    with pytest.raises(ValueError, match="horizon 60: this model knows 30, 90, 180, 365 days"):
        model.logits(rows.values, rows.standing.days_to_end, 60)
