"""Who could act on what: every signal with a mark is in somebody's hands or said to be in nobody's."""

import features.signals  # noqa: F401  (registers every indicator)
from features.hands import HANDS, in_hands
from features.indicators import REGISTRY

MARKED = [one for one in REGISTRY.in_order() if one.mark is not None]


def test_every_signal_with_a_mark_has_an_entry_and_no_other_has() -> None:
    assert list(HANDS) == list(dict.fromkeys(one.signal.id for one in MARKED))


def test_figures_that_are_named_apart_have_a_mark() -> None:
    for signal, hands in HANDS.items():
        figures = {one.name for one in MARKED if one.signal.id == signal}
        assert set(hands.figures) < figures


def test_context_and_comparisons_with_the_portfolio_are_in_nobodys_hands() -> None:
    compared = {one.signal.id for one in MARKED if one.context or one.portfolio}
    assert compared == {"W5", "P2c", "P4b"}
    assert {HANDS[signal].who for signal in compared} == {"nobody"}


def test_what_counts_only_unprompted_is_in_nobodys_hands() -> None:
    assert {HANDS[signal].who for signal in ("G1d", "G5b", "G7", "D1a", "G4a")} == {"nobody"}


def test_our_own_conduct_is_in_our_hands() -> None:
    assert {HANDS[signal].who for signal in ("W1a", "W1b", "W2a", "W2b", "W3b", "W4", "D3b", "L2")} == {"us"}


def test_in_hands_are_the_marked_figures_of_signals_that_somebody_can_change() -> None:
    indicators = REGISTRY.in_order()
    found = in_hands(indicators)
    assert set(found) == {signal for signal, hands in HANDS.items() if hands.who != "nobody"}
    assert [indicators[place].name for place in found["P1c"]] == ["face_to_face_share"] * 3
    assert {indicators[place].name for place in found["W1a"]} == {"our_response_time", "our_response_rate"}
    assert all(indicators[place].mark is not None for places in found.values() for place in places)


def test_the_words_are_sentences() -> None:
    for hands in HANDS.values():
        assert hands.words[0].isupper()
        assert hands.words.endswith(".")
    assert len({hands.words for hands in HANDS.values()}) == len(HANDS)
