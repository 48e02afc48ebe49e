"""Connections to a store: its address, transactions, rows as Arrow in and out, and its migrations.

Rows travel through ADBC, migrations through SQLAlchemy and Alembic. Each brings an SQLite library of its own, and two
of them must not have the same file open at once in one process (whichever closes it first gives up the other's locks,
https://www.sqlite.org/howtocorrupt.html#multiple_copies_of_sqlite_linked_into_the_same_application): that is why a
process does one thing at a time with SQLite stores.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import adbc_driver_manager.dbapi as adbc
import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi
import pyarrow as pa
import sqlalchemy as sa

from features.sources.store_schema import REVISION, VERSION_TABLE

WAIT_SECONDS = 600
"""How long a writer waits for another one to end."""

READ_ROWS = 65_536
"""Rows that ADBC reads of SQLite at a time."""

_A_MOMENT = 0.01
"""Seconds between tries where SQLite does not wait by itself."""

_SCHEMES = ("sqlite", "postgresql", "postgres")
_FORMS = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"

_ALONE = threading.RLock()
_MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATION_LOCK = 0x_72_61_70_70_6F_72_74
"""Any number: of all that migrate a PostgreSQL database, one holds it."""

_EXAMPLES: dict[type, str] = {
    sa.Text: "''",
    sa.BigInteger: "0",
    sa.Double: "0.0",
    sa.Boolean: "0",
    sa.LargeBinary: "x''",
}
"""A value of each type in SQLite's SQL."""


class StoreError(ValueError):
    """A store that cannot be used as asked; the message says which and what would be right."""


class NoSuchStore(StoreError):
    """There is no store at an address."""


def address(store: str | Path) -> sa.URL:
    """The address of a store: a URL (``sqlite:///…``, ``postgresql://…``) or the path of an SQLite file.

    As text it shows no password, so that it can stand in messages and logs.

    >>> str(address("clients.db")), str(address("postgresql://me:secret@host/clients"))
    ('sqlite:///clients.db', 'postgresql://me:***@host/clients')
    """
    text = str(store)
    scheme, colon, rest = text.partition(":")
    if not rest.startswith("//") and not (colon and scheme in _SCHEMES):
        return sa.URL.create("sqlite", database=text)
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise StoreError(f"a store's address must read {_FORMS}") from None
    if any("password" in name for name in url.query):
        raise StoreError(f"a password belongs before the @ of a store's address or into PGPASSWORD: {_FORMS}")
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql")
    if backend != "sqlite" or not url.database or url.database == ":memory:" or url.query:
        raise StoreError(f"{url}: a store is {_FORMS}")
    return url


def shown(store: str | Path) -> str:
    """A store's address as it may be told: as it was given, without a password.

    >>> shown("clients.db"), shown("postgresql://me:secret@host/clients")
    ('clients.db', 'postgresql://me:***@host/clients')
    """
    return str(address(store)) if "://" in str(store) else str(store)


@contextmanager
def reading(url: sa.URL) -> Iterator[adbc.Connection]:
    """A connection all of whose reads see the same state of the store."""
    with _connected(url) as connection:
        if not is_sqlite(url):
            execute(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _check_revision(url, connection)
        yield connection


@contextmanager
def writing(url: sa.URL) -> Iterator[adbc.Connection]:
    """A connection that alone may write until the block ends: then all is durably stored, or nothing if it failed."""
    with _connected(url, write=True) as connection:
        if not is_sqlite(url):
            execute(connection, f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            execute(connection, "SET LOCAL synchronous_commit = on")
        # In SQLite the first statement of a transaction decides; this one takes the write lock. In PostgreSQL it locks
        # the row, and what follows reads what the last holder left.
        execute(connection, f"UPDATE {VERSION_TABLE} SET version_num = version_num")
        _check_revision(url, connection)
        yield connection
        connection.adbc_connection.commit()


@contextmanager
def by_itself(url: sa.URL) -> Iterator[adbc.Connection]:
    """A connection each of whose statements is a transaction of its own, for what must not be part of one."""
    with _connected(url, write=True) as connection:
        connection.adbc_connection.set_autocommit(True)
        yield connection


@contextmanager
def _connected(url: sa.URL, write: bool = False) -> Iterator[adbc.Connection]:
    with _one_library_at_a_time(url):
        try:
            with closing(_connect(url)) as connection:
                if is_sqlite(url):
                    _set_up(connection, write)
                connection.adbc_connection.set_autocommit(False)
                yield connection
        except adbc.Error as error:
            raise StoreError(f"{url}: {error}") from error


def _one_library_at_a_time(url: sa.URL) -> AbstractContextManager[object]:
    return _ALONE if is_sqlite(url) else nullcontext()


def is_sqlite(url: sa.URL) -> bool:
    """Whether a store is an SQLite file; else it is in PostgreSQL."""
    return url.get_backend_name() == "sqlite"


def _connect(url: sa.URL) -> adbc.Connection:
    if is_sqlite(url):
        return adbc_driver_sqlite.dbapi.connect(url.database, autocommit=True)
    connection: adbc.Connection = adbc_driver_postgresql.dbapi.connect(
        url.render_as_string(hide_password=False), autocommit=True
    )
    return connection


def _set_up(connection: adbc.Connection, write: bool) -> None:
    execute(connection, f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
    if write:
        _log_ahead(connection)  # readers and a writer do not wait for each other
        execute(connection, "PRAGMA synchronous = FULL")  # and yet a commit is on the disk when it returns


def _log_ahead(connection: adbc.Connection) -> None:
    """Have SQLite write ahead into a log; a file that does so already stays as it is.

    Of several that switch a new file at once, SQLite lets one do so and turns the others away without any waiting.
    """
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            execute(connection, "PRAGMA journal_mode = WAL")
            return
        except adbc.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_A_MOMENT)


def _check_revision(url: sa.URL, connection: adbc.Connection) -> None:
    """Refuse to go on where another process has migrated the store since it was opened."""
    found = fetch(connection, f"SELECT version_num FROM {VERSION_TABLE}")[0].to_pylist()
    if found != [REVISION]:
        raise StoreError(f"{url}: was brought to another form (revision {', '.join(found)}) meanwhile; start again")


def execute(connection: adbc.Connection, sql: str) -> None:
    """Run a statement that returns no rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql)


def fetch(connection: adbc.Connection, sql: str) -> pa.Table:
    """The rows of a query; on SQLite types follow from the values, so that ``select`` is better for tables."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table()


def select(connection: adbc.Connection, columns: Sequence[sa.Column[Any]], where: str = "") -> pa.Table:
    """Columns of a table as Arrow: strings, int64, float64, bool (int64 on SQLite), binary."""
    named = ", ".join(f'"{column.name}"' for column in columns)
    sql = f'SELECT {named} FROM "{columns[0].table.name}" {where}'
    if connection.adbc_get_info().get("vendor_name") != "SQLite":
        return fetch(connection, sql)
    # The driver takes types from the first rows it reads. A row of examples before all others makes them certain.
    examples = ", ".join(f'{_EXAMPLES[type(column.type)]} AS "{column.name}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(READ_ROWS)})
        cursor.execute(f"SELECT {examples} UNION ALL {sql}")
        return cursor.fetch_arrow_table().slice(1)


def ingest(connection: adbc.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Add rows, whose columns are some or all of the table's."""
    if len(rows):
        with connection.cursor() as cursor:
            cursor.adbc_ingest(table.name, rows, mode="append")


def replace_rows(connection: adbc.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Put these in the place of all rows of a table; in SQLite nothing of the old ones is left in the file's pages."""
    if connection.adbc_get_info().get("vendor_name") == "SQLite":
        execute(connection, "PRAGMA secure_delete = ON")
    execute(connection, f'DELETE FROM "{table.name}"')
    ingest(connection, table, rows)


def prepare(url: sa.URL, create: bool) -> None:
    """Bring a store's tables to the form that this version works with, all in one transaction.

    Raises StoreError where there is no store (unless ``create``), where a newer version has been at work, and where the
    database holds something else.
    """
    if is_sqlite(url) and create:
        _make_private(url)
    elif is_sqlite(url) and not Path(url.database or "").is_file():
        raise NoSuchStore(f"{url}: there is no such store; `rapport import` makes one")
    if _is_ready(url):
        return
    engine = _engine(url)
    try:
        with _one_library_at_a_time(url), engine.begin() as connection:
            if not is_sqlite(url):
                connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            _migrate(url, connection, create)
    except sa.exc.DBAPIError as error:
        raise StoreError(f"{url}: cannot be opened as a store: {error.orig}") from error
    finally:
        engine.dispose()


def _is_ready(url: sa.URL) -> bool:
    """Whether there is nothing to do. Finding out waits for no writer; what is wrong shows when something is done."""
    try:
        with reading(url):
            return True
    except StoreError:
        return False


def _make_private(url: sa.URL) -> None:
    """An empty file for its owner only, if there is none; SQLite gives what lies beside it the same rights."""
    try:
        os.close(os.open(str(url.database), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(f"{url}: cannot be made: {error.strerror}") from error


def _engine(url: sa.URL) -> sa.Engine:
    driver = "sqlite" if is_sqlite(url) else "postgresql+psycopg"
    engine = sa.create_engine(url.set(drivername=driver), poolclass=sa.NullPool)
    if is_sqlite(url):
        # As SQLAlchemy's documentation says for statements that change tables to belong to the transaction.
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
    connection.execute("PRAGMA synchronous = FULL")


def _migrate(url: sa.URL, connection: sa.Connection, create: bool) -> None:
    tables = sa.inspect(connection).get_table_names()
    held = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")) if VERSION_TABLE in tables else None
    found = held.scalar() if held else None
    if found == REVISION:
        return
    if found is None and not create:
        raise NoSuchStore(f"{url}: holds no store; `rapport import` makes one")
    if found is None and tables:
        raise StoreError(f"{url}: holds tables of something else; give the store a database of its own")

    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_MIGRATIONS), version_locations=[str(_MIGRATIONS)])
    if found is not None and found not in {step.revision for step in script.walk_revisions()}:
        raise StoreError(
            f"{url}: was written by a newer version of Rapport (its tables are at revision {found}, this version "
            f"knows them up to {REVISION}); use that version"
        )
    with EnvironmentContext(Config(), script) as environment:
        environment.configure(
            connection=connection,
            version_table=VERSION_TABLE,
            fn=lambda revision, _: script._upgrade_revs(REVISION, revision),
        )
        environment.run_migrations()
