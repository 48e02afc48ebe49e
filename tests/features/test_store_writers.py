"""The store under writers that are killed, that fail, and that come at the same time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from features.sources.importing import gather
from features.sources.store import Store, read_store
from tests.features.stores import NOW, assert_same, message, query, source
from tests.features.worlds import BEGIN, random_world

ROOT = Path(__file__).parents[2]

WRITER = f"""
import sys
from pathlib import Path
from features.sources.importing import gather
from features.sources.store import Store

address, stop, *folders = sys.argv[1:]

def tell(word, share=0.0):
    print(word, flush=True)
    if word == stop:
        sys.stdin.readline()

gathered = [gather(Path(folder)) for folder in folders]
tell("ready")
store = Store(address, create=True)
for one in gathered:
    store.add(one, {NOW}, tell)
tell("done")
"""


@contextmanager
def writer(address: str, stop: str, *folders: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that adds folders to a store and stops at a step until it gets a line; it is killed at the end."""
    command = [sys.executable, "-c", WRITER, address, stop, *map(str, folders)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], step: str) -> None:
    assert process.stdout is not None
    assert step in (line.strip() for line in process.stdout)


def test_a_killed_import_leaves_all_or_nothing(address: str, tmp_path: Path) -> None:
    first, second = (source(tmp_path / f"in-{seed}", random_world(seed)) for seed in (1, 2))
    store = Store(address, create=True)
    store.add(gather(first), NOW - 1)
    before = store.tables()
    for step in ("comparing interactions", "sorting interactions", "writing accounts"):
        with writer(address, step, second) as process:
            wait_for(process, step)
            assert_same(read_store(address), before)  # a reader does not wait for a writer
        assert_same(store.tables(), before)
        assert [batch.number for batch in store.batches()] == [1]
    with writer(address, "done", second) as process:
        wait_for(process, "done")
    assert [batch.number for batch in store.batches()] == [1, 2]
    if address.startswith("sqlite"):
        assert query(address, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    # Nothing lost, nothing doubled.
    whole = Store(f"sqlite:///{tmp_path}/whole.db", create=True)
    for folder, moment in ((first, NOW - 1), (second, NOW)):
        whole.add(gather(folder), moment)
    assert_same(store.tables(), whole.tables())
    assert_same(store.tables(known_by=NOW + 10**6), whole.tables())
    assert store.add(gather(second), NOW + 1).batch is None


@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_killed_at_any_moment(address: str, tmp_path: Path, delay: float) -> None:
    folder = source(tmp_path / "in", random_world(3, accounts=20))
    store = Store(address, create=True)
    with writer(address, "", folder) as process:
        wait_for(process, "writing accounts")  # from here on the batch is being completed
        time.sleep(delay)
    rows = len(store.tables().interactions)
    store.add(gather(folder), NOW)
    whole = len(store.tables().interactions)
    assert rows in (0, whole)
    assert len(query(address, "SELECT batch_id FROM batches")) == 1


def test_two_writers_at_once_lose_nothing(address: str, tmp_path: Path) -> None:
    """Both make the store, both bring the same rows and some of their own."""
    common = source(tmp_path / "common", {"interactions": [message(number, BEGIN) for number in range(50)]})
    own = [
        source(tmp_path / name, {"interactions": [message(number, BEGIN) for number in range(start, start + 70)]})
        for name, start in (("one", 100), ("two", 200))
    ]
    with writer(address, "ready", common, own[0]) as one, writer(address, "ready", own[1], common) as two:
        for process in (one, two):
            wait_for(process, "ready")
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.close()
        for process in (one, two):
            wait_for(process, "done")
    store = Store(address)
    ids = store.tables().interactions["interaction_id"].to_pylist()
    assert sorted(ids) == sorted(f"m{number}" for number in (*range(50), *range(100, 170), *range(200, 270)))
    assert [batch.number for batch in store.batches()] == [1, 2, 3]
    assert query(address, "SELECT count(*) AS rows_held FROM interactions") == [{"rows_held": 190}]


def test_threads_that_read_and_write(address: str, tmp_path: Path) -> None:
    folders = [
        source(tmp_path / str(number), {"interactions": [message(number, BEGIN), message(99, BEGIN)]})
        for number in range(4)
    ]
    store = Store(address, create=True)

    def work(number: int) -> int:
        store.add(gather(folders[number]), NOW)
        return len(Store(address).tables().interactions)

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(work, range(4)))
    assert max(seen) == 5
    assert sorted(store.tables().interactions["interaction_id"].to_pylist()) == ["m0", "m1", "m2", "m3", "m99"]
