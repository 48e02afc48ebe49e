"""The direction: facts first, then the change of the expected stage against its noise."""

import pytest

from models.stage import StageAnswer, StageModel
from models.stage_direction import BEYOND_NOISE, Direction, direction, expected_stage
from tests.models.portfolio import COLUMNS
from tests.models.reviews import judgement

MODEL = StageModel(COLUMNS, judgement(noise=0.2))
UNKNOWN = StageAnswer("unknown", {}, "structural", ())


def fact(stage: str) -> StageAnswer:
    return StageAnswer(stage, {stage: 1.0}, "structural", (stage,))


def judged(commitment: float, convergence: float) -> StageAnswer:
    """The stage with these probabilities of commitment or beyond, and of convergence."""
    chances = {"continuation": 1 - commitment, "commitment": commitment - convergence, "convergence": convergence}
    stage = ("continuation", "commitment", "convergence")[(commitment > 0.5) + (convergence > 0.5)]
    return StageAnswer(stage, chances, "judged", (stage,))


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ("courting", "contract", "advancing"),
        ("courting", "courting", "steady"),
        ("contract", "contract", "steady"),
        ("contract", "continuation or beyond", "advancing"),
        ("contract", "former", "slipping"),
        ("continuation or beyond", "former", "slipping"),
        ("former", "continuation or beyond", "advancing"),
        ("former", "former", None),
        ("continuation or beyond", "contract", "slipping"),
    ],
)
def test_facts(before: str, after: str, way: str | None) -> None:
    for model in (MODEL, StageModel(COLUMNS)):
        found = direction(model, fact(before), fact(after))
        assert (found.way, found.basis, found.noise) == (way, "structural", None)


def test_a_second_win_advances_whatever_the_judgement_says_and_a_loss_slips() -> None:
    shallow = judged(0.0, 0.0)
    assert direction(MODEL, fact("contract"), shallow) == Direction("advancing", "structural", 2.0, 3.0)
    assert direction(MODEL, judged(1.0, 1.0), fact("former")) == Direction("slipping", "structural", 5.0, None)
    assert direction(MODEL, fact("former"), shallow).way == "advancing"


def test_where_either_is_unknown_so_is_the_direction() -> None:
    known = judged(0.5, 0.2)
    for before, after in ((None, known), (UNKNOWN, known), (known, UNKNOWN), (None, fact("courting"))):
        found = direction(MODEL, before, after)
        assert (found.way, found.change) == (None, None)


@pytest.mark.parametrize(
    ("change", "way"),
    [(0.26, "advancing"), (0.25, "steady"), (0.0, "steady"), (-0.25, "steady"), (-0.26, "slipping")],
)
def test_the_change_is_held_against_its_noise(change: float, way: str) -> None:
    """Noise 0.2: a change must reach 0.2 × 1.282 = 0.2564 stages to be told."""
    found = direction(MODEL, judged(0.5, 0.1), judged(0.5 + change, 0.1))
    assert (found.way, found.basis, found.noise) == (way, "judged", 0.2)
    assert found.change == pytest.approx(change)
    assert (abs(change) >= 0.2 * BEYOND_NOISE) == (way != "steady")


def test_without_judgement_or_noise_two_judged_dates_say_nothing() -> None:
    merged = fact("continuation or beyond")
    assert direction(StageModel(COLUMNS), merged, merged) == Direction(None, "judged", 3.0, 3.0)
    without = StageModel(COLUMNS, judgement(noise=None))
    assert direction(without, judged(0.0, 0.0), judged(1.0, 1.0)).way is None


def test_the_expected_stage() -> None:
    assert [expected_stage(fact(stage)) for stage in ("courting", "contract", "continuation or beyond")] == [1, 2, 3]
    assert expected_stage(judged(0.75, 0.5)) == pytest.approx(4.25)
    merged = StageAnswer(
        "continuation", {"continuation": 0.75, "commitment or beyond": 0.25}, "judged", ("continuation",)
    )
    assert expected_stage(merged) == pytest.approx(3.25)
    assert expected_stage(fact("former")) is expected_stage(UNKNOWN) is None
