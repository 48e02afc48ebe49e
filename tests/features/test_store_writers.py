"""The store under writers that are killed, that fail, and that come at the same time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from features.sources.gathering import gather
from features.sources.store import Store, read_store
from features.sources.store_connection import NoSuchStore
from tests.features.store_writer import DONE, FILES, MADE, READY, ROWS, writer
from tests.features.stores import NOW, assert_same, message, query, source
from tests.features.worlds import BEGIN, random_world


def test_a_store_is_made_as_a_whole(address: str, tmp_path: Path) -> None:
    folder = source(tmp_path / "in", {"interactions": [message(1, BEGIN)]})
    with writer(address, MADE, folder) as process:
        process.wait_for(MADE)
    with pytest.raises(NoSuchStore):
        Store(address)
    with writer(address, "", folder) as process:
        process.wait_for(DONE)
    assert len(Store(address).tables().interactions) == 1


def test_a_killed_import_leaves_all_or_nothing(address: str, tmp_path: Path) -> None:
    first, second = (source(tmp_path / f"in-{seed}", random_world(seed)) for seed in (1, 2))
    store = Store(address, create=True)
    store.add(gather([first]), NOW - 1)
    before = store.tables()
    for step in ("comparing interactions", ROWS, "writing accounts", FILES):
        with writer(address, step, second) as process:
            process.wait_for(step)
            assert_same(read_store(address), before)  # a reader does not wait for a writer
        assert_same(store.tables(), before)
        assert [batch.number for batch in store.batches()] == [1]
    with writer(address, "", second) as process:
        process.wait_for(DONE)  # durable from here on, though the process is killed before it closes anything
    assert [batch.number for batch in store.batches()] == [1, 2]
    if address.startswith("sqlite"):
        assert query(address, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    # Nothing lost, nothing doubled.
    whole = Store(f"sqlite:///{tmp_path}/whole.db", create=True)
    for folder, moment in ((first, NOW - 1), (second, NOW)):
        whole.add(gather([folder]), moment)
    assert_same(store.tables(), whole.tables())
    assert_same(store.tables(known_by=NOW + 10**6), whole.tables())
    assert store.add(gather([second]), NOW + 1).batch is None


def test_killed_while_committing(address: str, tmp_path: Path) -> None:
    """All of a batch or nothing of it, and no trace that hinders the next; each batch starts where the last ended."""
    store = Store(address, create=True)
    for number, delay in enumerate((0.0, 0.001, 0.003, 0.01, 0.03)):
        before = len(store.tables().interactions)
        rows = [message(row, BEGIN) for row in range(1_000 * number, 1_000 * (number + 1))]
        folder = source(tmp_path / f"in-{number}", {"interactions": rows})
        with writer(address, "", folder) as process:
            process.wait_for(FILES)
            time.sleep(delay)
        assert len(store.tables().interactions) in (before, before + 1_000)
        store.add(gather([folder]), NOW)
        assert len(store.tables().interactions) == before + 1_000
    counted = query(address, "SELECT count(*) AS rows_held, count(DISTINCT interaction_id) AS ids FROM interactions")
    assert counted == [{"rows_held": 5_000, "ids": 5_000}]
    assert [batch.number for batch in store.batches()] == [1, 2, 3, 4, 5]


def test_two_writers_at_once_lose_nothing(address: str, tmp_path: Path) -> None:
    """Both make the store, both bring the same rows and some of their own."""
    common = source(tmp_path / "common", {"interactions": [message(number, BEGIN) for number in range(50)]})
    own = [
        source(tmp_path / name, {"interactions": [message(number, BEGIN) for number in range(start, start + 70)]})
        for name, start in (("one", 100), ("two", 200))
    ]
    with writer(address, READY, common, own[0]) as one, writer(address, READY, own[1], common) as two:
        for process in (one, two):
            process.wait_for(READY)
        for process in (one, two):
            process.let_go()
        for process in (one, two):
            process.wait_for(DONE)
    store = Store(address)
    ids = store.tables().interactions["interaction_id"].to_pylist()
    assert sorted(ids) == sorted(f"m{number}" for number in (*range(50), *range(100, 170), *range(200, 270)))
    assert [batch.number for batch in store.batches()] == [1, 2, 3]
    assert query(address, "SELECT count(*) AS rows_held FROM interactions") == [{"rows_held": 190}]


def test_many_make_the_store_at_once(address: str, tmp_path: Path) -> None:
    folder = source(tmp_path / "in", {"interactions": [message(1, BEGIN)]})
    with ExitStack() as stack:
        processes = [stack.enter_context(writer(address, READY, folder)) for _ in range(6)]
        for process in processes:
            process.wait_for(READY)
        for process in processes:
            process.let_go()
        for process in processes:
            process.wait_for(DONE)
    assert [batch.number for batch in Store(address).batches()] == [1]


def test_threads_that_read_and_write(address: str, tmp_path: Path) -> None:
    folders = [
        source(tmp_path / str(number), {"interactions": [message(number, BEGIN), message(99, BEGIN)]})
        for number in range(4)
    ]
    store = Store(address, create=True)

    def work(number: int) -> int:
        store.add(gather([folders[number]]), NOW)
        return len(Store(address).tables().interactions)

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(work, range(4)))
    assert max(seen) == 5
    assert sorted(store.tables().interactions["interaction_id"].to_pylist()) == ["m0", "m1", "m2", "m3", "m99"]
