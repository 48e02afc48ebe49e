"""Erased bytes out of a database's own files, as far as the database can be told to.

What was deleted lies on in free pages, in logs of changes and in statistics until the database writes over it. What
lies beyond it (freed blocks of the disk, backups, copies) is out of reach; ``docs/erasure.md`` says what is promised.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import closing

import psycopg
import sqlalchemy as sa

from features.sources.store_connection import WAIT_SECONDS, StoreError, by_itself, execute, fetch, is_sqlite

_LOOK_EVERY_SECONDS = 0.1


def scrub(url: sa.URL, tables: Collection[str]) -> list[str]:
    """Rewrite the files of a store so that nothing deleted from these tables is left in them; what could not be done.

    Waits for others that still read what was deleted. Raises StoreError if they do not end.
    """
    return _scrub_sqlite(url) if is_sqlite(url) else _scrub_postgresql(url, tables)


def _scrub_sqlite(url: sa.URL) -> list[str]:
    with by_itself(url) as connection:
        execute(connection, "VACUUM")
        done = fetch(connection, "PRAGMA wal_checkpoint(TRUNCATE)").to_pylist()[0]
    if done["busy"]:
        raise StoreError(f"{url}: somebody else reads what was erased; end that, then run the same command again")
    return []


def _scrub_postgresql(url: sa.URL, tables: Collection[str]) -> list[str]:
    left = [
        "the server's write-ahead log (pg_wal) may hold erased rows until it has written over its old segments; "
        "archives of it and replicas go by their own rules"
    ]
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    refused: list[str] = []
    try:
        with closing(psycopg.connect(address, autocommit=True)) as connection:
            connection.add_notice_handler(lambda notice: refused.append(notice.message_primary or ""))
            connection.execute(f"SET lock_timeout = '{WAIT_SECONDS}s'")
            _wait_for_older_transactions(url, connection)
            for table in sorted(tables):
                connection.execute(f'VACUUM (FULL, ANALYZE) "{table}"')
            connection.execute("VACUUM FULL pg_catalog.pg_statistic")
            try:
                connection.execute("CHECKPOINT")
            except psycopg.errors.InsufficientPrivilege:
                left.append("old files go at the server's next checkpoint; this user may not ask for one")
    except psycopg.Error as error:
        raise StoreError(f"{url}: erased, but the files could not be rewritten: {error}; run the same again") from error
    return left + [f"not rewritten: {message}" for message in refused if "permission denied" in message]


def _wait_for_older_transactions(url: sa.URL, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Wait until no transaction of this database is open that began before; one may still see what was erased."""
    opened = (
        "SELECT pid, xact_start FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL"
    )
    older = set(connection.execute(opened).fetchall())
    until = time.monotonic() + WAIT_SECONDS
    while older := older & set(connection.execute(opened).fetchall()):
        if time.monotonic() > until:
            raise StoreError(
                f"{url}: {len(older)} other transactions still see what was erased; end them, then run the same again"
            )
        time.sleep(_LOOK_EVERY_SECONDS)
