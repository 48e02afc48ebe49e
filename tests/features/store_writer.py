"""A process of its own that adds folders to a store, tells each step, and waits at one until it is let go or killed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from features.sources import store, store_connection, store_files
from features.sources.gathering import gather
from tests.features.stores import NOW

READY, MADE, DONE = "ready", "made, not committed", "done"
ROWS, FILES = "wrote interactions", "wrote canonical_files"
"""Steps besides those that the store reports itself. After the last one nothing is left but to commit."""

# Processes are forked from one that has all modules loaded: starting each anew would take a second of work.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


class Writer:
    """The process, seen from the test."""

    def __init__(self, process: multiprocessing.process.BaseProcess, steps: Connection) -> None:
        self.process, self._steps = process, steps

    def wait_for(self, step: str) -> None:
        """Until the process tells of a step."""
        while self._steps.recv() != step:
            pass

    def let_go(self) -> None:
        """Let it go on from where it waits."""
        self._steps.send("go on")


@contextmanager
def writer(address: str, stop: str, *folders: Path) -> Iterator[Writer]:
    """A process that waits at the step ``stop``; when the block ends, it is killed wherever it is."""
    ours, theirs = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=_add, args=(theirs, address, stop, folders))
    process.start()
    theirs.close()
    try:
        yield Writer(process, ours)
    finally:
        process.kill()
        process.join()
        ours.close()


def _add(steps: Connection, address: str, stop: str, folders: tuple[Path, ...]) -> None:
    def tell(step: str, share: float = 0.0) -> None:
        steps.send(step)
        if step == stop:
            steps.recv()

    def telling(work: Callable[..., Any], word: Callable[..., str]) -> Callable[..., Any]:
        def and_tell(*arguments: Any) -> Any:
            done = work(*arguments)
            tell(word(*arguments))
            return done

        return and_tell

    modules: tuple[Any, ...] = (store, store_files, store_connection)
    for module in modules[:2]:
        module.ingest = telling(store_connection.ingest, lambda _, table, rows: f"wrote {table.name}")
    modules[2]._migrate = telling(modules[2]._migrate, lambda *_: MADE)
    gathered = [gather([folder]) for folder in folders]
    tell(READY)
    there = store.Store(address, create=True)
    for one in gathered:
        there.add(one, NOW, tell)
    tell(DONE)
