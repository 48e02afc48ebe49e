"""A lock that lets one process at a time retrain, and that nobody holds who was killed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(OSError):
    """Another process holds the lock; the message says which."""


@contextmanager
def only_one(file: Path) -> Iterator[None]:
    """Hold a lock while the block runs; raises AlreadyRunning at once where another process does.

    The lock is the kernel's (``flock``) and ends with its process, however that ends; the file stays and only tells
    who was last.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            raise AlreadyRunning(f"another retraining holds {file} ({held.read().strip()})") from None
        held.truncate(0)
        held.write(f"process {os.getpid()}\n")
        held.flush()
        yield
