"""Decisions are kept one by one, and the way back follows from them, whatever order things happened in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.files import iso
from models.archive import FingerprintMismatch, Models
from tests.models.portfolio import contract_models
from tests.training.stores import BARE, filled, registered
from training import decisions
from training.decisions import Decision, NoFormerChampion, decisions_of, former_champions, rollback, settle
from training.registry import NoSuchVersion, Version, champion_of, tag, version_of, versions

NOW = 1_790_000_000


def promoted(version: str, before: str, at: int = NOW, **more: str) -> Decision:
    return Decision("promoted", version, before, "ann", str(iso(at)), **more)  # type: ignore[arg-type]


def rolled_back(version: str, to: str, at: int = NOW) -> Decision:
    return Decision("rolled back", version, version, "ann", str(iso(at)), to=to)


@given(st.lists(st.integers(0, 5), max_size=12))
def test_going_back_again_and_again_retraces_the_way(steps: list[int]) -> None:
    """Of a made-up story: 0 goes back, any other number is promoted, unless it is the champion already."""
    champion = "1"
    before: list[str] = []
    story: list[Decision] = []
    for step in steps:
        if step == 0 and before:
            story.append(rolled_back(champion, before[-1]))
            champion = before.pop()
        elif step and str(step) != champion:
            story.append(promoted(str(step), champion))
            before.append(champion)
            champion = str(step)
    assert former_champions(story, champion) == before[::-1]


def test_a_champion_by_hand_has_no_way_back() -> None:
    assert former_champions([], "1") == []
    assert former_champions([promoted("2", "1")], "4") == []
    # what was promoted in place of it does
    assert former_champions([promoted("2", "1"), promoted("5", "4")], "5") == ["4", "2", "1"]
    assert former_champions([promoted("2", "1"), rolled_back("2", "9"), promoted("3", "9")], "3") == ["9"]


def test_one_that_was_declined_changes_nothing() -> None:
    declined = Decision("declined", "3", "2", "ann", str(iso(NOW)))
    assert former_champions([promoted("2", "1"), declined], "2") == ["1"]


def test_a_decision_in_one_line() -> None:
    assert promoted("2", "1").told() == "2026-09-21 promoted, by ann"
    assert promoted("2", "1", despite="new columns").told().endswith("by ann, despite the rule: new columns")


# In a store


@pytest.fixture(scope="module")
def models() -> Models:
    return contract_models()


@pytest.fixture(scope="module")
def three(migrated_store: Path, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registered(migrated_store, tmp_path_factory.mktemp("three"), models, [BARE] * 3)


@pytest.fixture
def store(tracking_store: str, three: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three versions, the first of them the champion; every one opens."""
    monkeypatch.setattr(decisions, "open_models", lambda version: models)
    return filled(tracking_store, three)


def champion() -> str:
    return champion_of(versions()).number


def promote(version: str, at: int) -> Decision:
    listed = versions()
    chosen, before = version_of(listed, version), champion_of(listed)
    decision = promoted(version, before.number, at)
    settle(decision, chosen, before, chosen)
    return decision


def test_a_decision_is_read_as_it_was_kept(store: str) -> None:
    full = Decision(
        "promoted", "2", "1", "Ann «A» Lee", str(iso(NOW)), ("A gain.", "Better."), "why", None, {"rows": 5, "x": None}
    )
    bare = Decision("declined", "2", "1", "bob", str(iso(NOW + 1)))
    listed = versions()
    for decision in (full, bare):
        settle(decision, listed[1], listed[2], None)
    assert decisions_of(versions()) == [full, bare]
    tags = versions()[1].tags
    assert tags["decision"] == "declined"
    assert json.loads(tags["decision.2026-09-21T141321Z"]) == {
        "kind": "declined",
        "version": "2",
        "champion": "1",
        "by": "bob",
        "at": "2026-09-21T14:13:21Z",
    }
    run = mlflow.get_run(listed[1].run_id)
    assert run.data.tags.items() >= tags.items()


def test_back_to_the_champion_before_and_before_that(store: str) -> None:
    first, second = promote("2", NOW), promote("3", NOW + 1)
    assert champion() == "3"
    back = rollback("bob", NOW + 2)
    assert (back.version, back.to, back.by, champion()) == ("3", "2", "bob", "2")
    assert rollback("bob", NOW + 3).to == champion() == "1"
    told = decisions_of(versions())
    assert told[:2] == [first, second]
    assert [(one.kind, one.version, one.to) for one in told[2:]] == [
        ("rolled back", "3", "2"),
        ("rolled back", "2", "1"),
    ]
    with pytest.raises(NoFormerChampion, match="version 1 is the champion, and no record tells of one before it"):
        rollback("bob", NOW + 4)
    assert champion() == "1"


def test_back_to_a_former_champion_by_its_number(store: str) -> None:
    promote("2", NOW)
    promote("3", NOW + 1)
    assert rollback("bob", NOW + 2, to="1").to == champion() == "1"
    assert rollback("bob", NOW + 3, to="3").to == champion() == "3"
    with pytest.raises(NoFormerChampion, match="version 3 is the champion already"):
        rollback("bob", NOW + 4, to="3")
    with pytest.raises(NoSuchVersion, match="there is no version 7 of rapport; there are 1, 2, 3"):
        rollback("bob", NOW + 4, to="7")


def test_never_to_one_that_was_no_champion(store: str) -> None:
    promote("2", NOW)
    with pytest.raises(NoFormerChampion, match="version 3 never was the champion: 'rapport promote --version 3'"):
        rollback("bob", NOW + 1, to="3")
    assert champion() == "2"


def test_never_to_one_that_cannot_answer(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its columns are not this version's: whoever serves it would not start."""
    promote("2", NOW)
    monkeypatch.undo()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    with pytest.raises(FingerprintMismatch):
        rollback("bob", NOW + 1)
    assert champion() == "2"
    assert [one.kind for one in decisions_of(versions())] == ["promoted"]


def test_what_was_decided_about_another_champion_is_not_settled(store: str) -> None:
    listed = versions()
    mlflow.MlflowClient().set_registered_model_alias("rapport", "champion", "3")
    with pytest.raises(NoSuchVersion, match="the champion changed meanwhile, from version 1 to 3: look again"):
        settle(promoted("2", "1"), listed[1], listed[2], listed[1])
    assert champion() == "3"
    assert decisions_of(versions()) == []


def test_the_record_stands_before_the_alias_moves(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(version: Version) -> None:
        raise ConnectionError(version.number)

    monkeypatch.setattr(decisions, "crown", fails)
    with pytest.raises(ConnectionError, match="2"):
        promote("2", NOW)
    assert champion() == "1"
    assert [one.kind for one in decisions_of(versions())] == ["promoted"]
    # it never became the champion, so there is no way back from the one that is
    assert former_champions(decisions_of(versions()), "1") == []


def test_other_tags_are_no_decisions(store: str) -> None:
    tag(versions()[0], {"owner": "ann", "decision": "declined"})
    assert decisions_of(versions()) == []


def test_without_models_there_is_nothing_to_go_back_to(tracking_store: str) -> None:
    with pytest.raises(NoSuchVersion, match=r"no models in sqlite:.*train one first with 'rapport train'"):
        rollback("bob", NOW)


def test_a_registry_without_a_champion_says_so(store: str) -> None:
    mlflow.MlflowClient().delete_registered_model_alias("rapport", "champion")
    with pytest.raises(NoSuchVersion, match="no version of rapport bears the alias champion"):
        rollback("bob", NOW)


def test_a_former_champion_keeps_its_record(store: str) -> None:
    decision = promote("2", NOW)
    rollback("bob", NOW + 1)
    again = promote("2", NOW + 2)
    assert decisions_of(versions())[::2] == [decision, again]
    assert replace(again, at=decision.at) == decision
