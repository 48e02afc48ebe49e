"""Words for figures, marks and reasons."""

import math

import pytest

import features.signals  # noqa: F401  (registers every indicator)
from features.indicators import REGISTRY, Better, Indicator, Mark
from models.wording import figure, mark, missed, moved, sentence
from tests.models.portfolio import RESPONSE, indicator


def of(unit: str, limit: Mark | None = None, window: str = "now", better: Better | None = "up") -> Indicator:
    return indicator(f"G1a.usual_thing.{window}", RESPONSE, unit, better, limit)


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("share", 0.823, "82 %"),
        ("share", 0.004, "0.4 %"),
        ("share", 0.0, "0 %"),
        ("difference of shares", -0.123, "-12 percentage points"),
        ("hours", 0.5, "30 minutes"),
        ("hours", 1.0, "1 hour"),
        ("hours", 7.25, "7.2 hours"),
        ("hours", 72.0, "3 days"),
        ("days", 1.0, "1 day"),
        ("days", -12.3, "-12 days"),
        ("per year", 3.24, "3.2 per year"),
        ("per 30 days", 1.0, "1 per 30 days"),
        ("count", 1234.0, "1,234"),
        ("rank", 2.0, "2"),
        ("ratio", 0.333, "0.33"),
        ("channels", 1.0, "1 channel"),
        ("channels", 3.0, "3 channels"),
        ("doublings", 0.75, "0.75"),
        ("money", 482_600.0, "482,600"),
        ("as given", 2.0, "2"),
        ("0 to 1", 0.4, "0.4 on a scale of 0 to 1"),
        ("yes or no", 1.0, "yes"),
        ("yes or no", 0.0, "no"),
    ],
)
def test_a_figure_is_told_with_its_unit(unit: str, value: float, text: str) -> None:
    assert figure(of(unit), value) == text


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("share", 0.12, "+12 percentage points"),
        ("share", -0.12, "-12 percentage points"),
        ("share", 0.0, "no change"),
        ("share", -0.00001, "no change"),
        ("channels", 1.0, "+1 channel"),
        ("log ratio", math.log(1.4), "+40 %"),
        ("log ratio", math.log(0.71), "-29 %"),
        ("log ratio", math.log(3.2), "3.2 times as much"),
        ("log ratio", 0.001, "no change"),
    ],
)
def test_a_trend_is_told_as_a_change(unit: str, value: float, text: str) -> None:
    assert figure(of(unit, window="trend"), value) == text


@pytest.mark.parametrize(
    ("unit", "limit", "text"),
    [
        ("share", Mark(">=", 0.75), "at least 75 %"),
        ("hours", Mark("<=", 24), "at most 24 hours"),
        ("difference of shares", Mark(">", 0), "more than 0 percentage points"),
        ("share", Mark("between", 0.35, 0.65), "35 % to 65 %"),
        ("channels", Mark(">=", 3), "at least 3 channels"),
    ],
)
def test_a_mark_is_told_with_its_unit(unit: str, limit: Mark, text: str) -> None:
    assert mark(of(unit, limit)) == text


@pytest.mark.parametrize(
    ("limit", "value", "text"),
    [
        (Mark(">=", 0.75), 0.7498, "74.98 %"),
        (Mark(">=", 0.75), 0.75, "75 %"),
        (Mark(">", 0.0), 0.00001, "0.001 %"),
        (Mark("between", 0.35, 0.65), 0.653, "65.3 %"),
    ],
)
def test_rounding_never_lays_a_figure_on_its_mark(limit: Mark, value: float, text: str) -> None:
    assert figure(of("share", limit), value) == text


MISSED, MET = 0.5, 0.8


@pytest.mark.parametrize(
    ("value", "raises", "ending"),
    [
        (MISSED, True, "50 %, which misses the mark of at least 75 %."),
        (MET, False, "80 %, which meets the mark of at least 75 %."),
        (MET, True, "80 %, which meets the mark of at least 75 %, yet clients like this left more often."),
        (
            MISSED,
            False,
            "50 %, which misses the mark of at least 75 %, yet clients like this left less often.",
        ),
    ],
)
def test_words_agree_with_sign_and_mark(value: float, raises: bool, ending: str) -> None:
    said = sentence(of("share", Mark(">=", 0.75), "365d"), value, raises)
    assert said == f"The usual thing (last 365 days): {ending}"


def test_without_a_mark_only_the_sign_is_told() -> None:
    assert sentence(of("days"), 3.0, raises=True) == "The usual thing: 3 days; clients like this left more often."
    assert sentence(of("days"), 3.0, raises=False) == "The usual thing: 3 days; clients like this left less often."


def test_what_is_unknown_is_not_judged() -> None:
    said = sentence(of("share", Mark(">=", 0.75), "all"), math.nan, raises=True)
    assert said == "No evidence yet: the usual thing (whole history); clients without it left more often."


@pytest.mark.parametrize("one", REGISTRY.indicators.values(), ids=lambda one: one.column)
def test_every_registered_indicator_can_be_told(one: Indicator) -> None:
    assert not one.meaning.endswith(".")
    ends = [end for end in (one.low, one.high) if math.isfinite(end)]
    limits = [] if one.mark is None else [one.mark.value, one.mark.upper or one.mark.value]
    for value in (*ends, *limits, 0.3, 7.7, math.nan):
        for raises in (True, False):
            said = sentence(one, value, raises)
            assert said[0].isupper()
            assert said.endswith(".")
            assert not {"nan", "inf", "None"} & set(said.replace(",", " ").split())


NAN = float("nan")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (0.82, 0.6, "82 % → 60 %, which now misses the mark of at least 75 %."),
        (0.6, 0.82, "60 % → 82 %, which now meets the mark of at least 75 %."),
        (0.5, 0.6, "50 % → 60 %."),
        (0.6, 0.6, "60 %, as before; what it is weighed with has changed."),
        (0.6, 0.6001, "60 %, nearly as before."),
        (NAN, 0.6, "no evidence yet → 60 %."),
        (0.6, NAN, "60 % → no evidence any more."),
        (NAN, NAN, "no evidence, as before; what it is weighed with has changed."),
    ],
)
def test_a_figure_before_and_after(before: float, after: float, told: str) -> None:
    share = of("share", Mark(">=", 0.75), window="365d")
    assert moved(share, before, after) == f"The usual thing (last 365 days): {told}"


def test_a_figure_of_context_has_no_mark_to_fall_off() -> None:
    context = indicator("L5.usual_thing.now", RESPONSE, "share", None, Mark(">=", 0.75), context=True)
    assert moved(context, 0.8, 0.6) == "The usual thing: 80 % → 60 %."


def test_a_missed_figure_stands_beside_its_mark() -> None:
    assert missed(of("hours", Mark("<=", 24)), 52.0) == "The usual thing: 2.2 days, mark at most 24 hours"
