"""The files that a pull leaves: each record once, as it is now, whatever interrupted it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.sources.crm.definitions import crms
from features.sources.live.records import Ahead, add_batch, as_line, merge_batches, wanted


def add(folder: Path, *records: tuple[str, str]) -> None:
    add_batch(folder, ((one, as_line({"id": one, "name": name})) for one, name in records))


def names(file: Path) -> dict[str, str]:
    return {one["id"]: one["name"] for one in map(json.loads, file.read_text(encoding="utf-8").splitlines())}


def test_later_records_take_the_place_of_earlier_ones(tmp_path: Path) -> None:
    batches, file = tmp_path / "batches", tmp_path / "deals.jsonl"
    add(batches, ("1", "a"), ("2", "b"))
    add(batches, ("2", "c"), ("3", "é\n"))
    assert merge_batches(batches, file, "id") == 3
    assert names(file) == {"1": "a", "2": "c", "3": "é\n"}
    add(batches, ("1", "d"))
    assert merge_batches(batches, file, "id") == 1
    assert names(file) == {"1": "d", "2": "c", "3": "é\n"}
    assert merge_batches(batches, file, "id") == 0
    assert not list(batches.iterdir())


def test_nothing_pulled_leaves_no_file(tmp_path: Path) -> None:
    assert merge_batches(tmp_path / "batches", tmp_path / "deals.jsonl", "id") == 0
    assert not (tmp_path / "deals.jsonl").exists()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from("12345"), st.text(max_size=3)), max_size=4), max_size=5))
def test_the_last_state_of_each_record_stays(steps: list[list[tuple[str, str]]]) -> None:
    from tempfile import TemporaryDirectory

    expected: dict[str, str] = {}
    with TemporaryDirectory() as folder:
        batches, file = Path(folder, "batches"), Path(folder, "deals.jsonl")
        for place, step in enumerate(steps):
            add(batches, *step)
            expected |= dict(step)
            if place % 2:
                merge_batches(batches, file, "id")
        merge_batches(batches, file, "id")
        assert (names(file) if file.exists() else {}) == expected


def test_a_merge_that_was_interrupted_can_be_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches, file = tmp_path / "batches", tmp_path / "deals.jsonl"
    add(batches, ("1", "a"))
    merge_batches(batches, file, "id")
    add(batches, ("1", "b"), ("2", "c"))
    for step in ("replace", "unlink"):
        with monkeypatch.context() as context:

            def stop(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            context.setattr(os if step == "replace" else Path, step, stop)
            with pytest.raises(KeyboardInterrupt):
                merge_batches(batches, file, "id")
        assert names(file) == ({"1": "a"} if step == "replace" else {"1": "b", "2": "c"})
    assert merge_batches(batches, file, "id") == 2
    assert names(file) == {"1": "b", "2": "c"}


def test_unknown_values_are_empty_texts_so_that_every_line_names_all_fields() -> None:
    assert json.loads(as_line({"Id": "1", "Name": None, "properties": {"a": None, "b": False}})) == {
        "Id": "1",
        "Name": "",
        "properties": {"a": "", "b": False},
    }


def test_what_lies_ahead() -> None:
    assert not Ahead().begun
    assert Ahead(since=5).on("7").begun
    assert Ahead(since=5).on("7").to_archived() == Ahead(since=5, archived=True)
    assert Ahead.next_time(1_000) == Ahead(since=400)
    assert Ahead.next_time(None) == Ahead()


@pytest.mark.parametrize(
    ("crm", "name", "field", "expected"),
    [
        ("HubSpot", "deal", "dealstage", True),
        ("HubSpot", "deal", "description", False),
        ("HubSpot", "engagement", "hs_email_direction", True),
        ("HubSpot", "engagement", "hs_email_text", False),
        ("Salesforce", "account", "BillingCountry", True),
        ("Salesforce", "account", "BillingStreet", False),
        ("Salesforce", "case", "CaseNumber", True),
        ("Salesforce", "email", "TextBody", False),
    ],
)
def test_fields_are_wanted_that_the_data_files_name(crm: str, name: str, field: str, expected: bool) -> None:
    one = next(one for one in crms() if one.name == crm).object(name)
    assert wanted(one, field) is expected
