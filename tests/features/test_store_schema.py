"""Addresses, the tables' definitions against the migrations, and stores of another version."""

from __future__ import annotations

import shutil
import stat
import traceback
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from features.sources import store_connection
from features.sources.gathering import gather
from features.sources.store import Store, StoreError, read_store
from features.sources.store_connection import address as parsed
from features.sources.store_connection import execute, writing
from features.sources.store_schema import METADATA, REVISION, VERSION_TABLE
from tests.features.stores import NOW, assert_same, query, source
from tests.features.worlds import random_world


@pytest.mark.parametrize("text", ["mysql://h/d", "sqlite://", "sqlite:///:memory:", "sqlite:///a.db?mode=ro", "://x"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite:///FILE or postgresql://USER@HOST/DATABASE"):
        Store(text, create=True)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:secret@localhost:1/none",
        "postgres://me:secret@localhost:1/none?sslmode=none",
        "postgresql://me:secret@localhost:port/none",
        "postgresql://localhost:1/none?password=secret",
        "postgresql:/me:secret@localhost:1/none",
        "mysql://me:secret@localhost/none",
    ],
)
def test_messages_and_logs_do_not_show_the_password(text: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(StoreError) as told:
        Store(text, create=True)
    assert "secret" not in "".join(traceback.format_exception(told.value)) + caplog.text


def test_a_message_names_the_store() -> None:
    with pytest.raises(StoreError, match=r"^postgresql://me:\*\*\*@localhost:1/none: cannot be opened as a store: "):
        Store("postgresql://me:secret@localhost:1/none")


def test_only_its_owner_may_read_a_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db", create=True)
    with writing(store.url) as writer:
        execute(writer, "DELETE FROM deals")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), 0o600)


def test_a_store_in_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none/store\.db: cannot be made: No such file or directory"):
        Store(tmp_path / "none" / "store.db", create=True)


def test_what_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such store; `rapport import` makes one"):
        read_store(tmp_path / "store.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_holds_no_store(postgres_database: str) -> None:
    with pytest.raises(StoreError, match="holds no store; `rapport import` makes one"):
        read_store(postgres_database)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("interaction_id,account_id\n" * 100)
    with pytest.raises(StoreError, match="cannot be opened as a store: file is not a database"):
        Store(tmp_path / "store.db", create=True)


def test_a_database_of_something_else_is_left_alone(address: str) -> None:
    with sa.create_engine(parsed(address), poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num TEXT)"))
    with pytest.raises(StoreError, match="holds tables of something else; give the store a database of its own"):
        Store(address, create=True)
    with pytest.raises(StoreError, match="holds no store"):
        Store(address)
    if address.startswith("sqlite"):
        assert query(address, "PRAGMA journal_mode") == [{"journal_mode": "delete"}]


def test_migrations_make_what_is_defined(address: str) -> None:
    Store(address, create=True)
    folder = str(Path(store_connection.__file__).with_name("migrations"))
    assert ScriptDirectory(folder, version_locations=[folder]).get_current_head() == REVISION
    with sa.create_engine(parsed(address), poolclass=sa.NullPool).connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, METADATA) == []


NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"

def upgrade() -> None:
    op.add_column("interactions", sa.Column("mood", sa.Text()))
    {more}
"""


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of migrations of a version to come, which is used from now on."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(store_connection.__file__).with_name("migrations"), folder)
    monkeypatch.setattr(store_connection, "_MIGRATIONS", folder)
    monkeypatch.setattr(store_connection, "REVISION", "0003")
    return folder


def test_migrating_keeps_the_data(address: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    store = Store(address, create=True)
    store.add(gather([source(tmp_path / "in", random_world(1))]), NOW)
    before = store.tables()
    later: Path = request.getfixturevalue("later")
    (later / "v0003_mood.py").write_text(NEXT.format(more='raise ValueError("not yet")'))
    with pytest.raises(ValueError, match="not yet"):
        Store(address)
    # A migration that fails is undone as a whole.
    assert query(address, f"SELECT version_num FROM {VERSION_TABLE}") == [{"version_num": REVISION}]
    assert "mood" not in query(address, "SELECT * FROM interactions LIMIT 1")[0]
    with pytest.raises(StoreError, match="was brought to another form"):
        store.tables()  # as if opened by the version to come, which would have migrated it

    shutil.rmtree(later / "__pycache__", ignore_errors=True)
    (later / "v0003_mood.py").write_text(NEXT.format(more="pass"))
    after = Store(address)
    assert query(address, f"SELECT version_num FROM {VERSION_TABLE}") == [{"version_num": "0003"}]
    assert query(address, "SELECT mood FROM interactions LIMIT 1") == [{"mood": None}]
    assert_same(after.tables(), before)
    assert_same(after.tables(known_by=NOW), before)
    after.add(gather([source(tmp_path / "in2", random_world(2))]), NOW)
    assert [batch.number for batch in after.batches()] == [1, 2]


def test_a_store_of_a_newer_version_is_refused(address: str, tmp_path: Path) -> None:
    store = Store(address, create=True)
    with writing(store.url) as connection:
        execute(connection, f"UPDATE {VERSION_TABLE} SET version_num = '0099'")
    message = rf"written by a newer version of Rapport \(its tables are at revision 0099, .* up to {REVISION}\)"
    for create in (True, False):
        with pytest.raises(StoreError, match=message):
            Store(address, create=create)
    for use in (store.tables, store.batches):
        with pytest.raises(StoreError, match=r"was brought to another form \(revision 0099\) meanwhile; start again"):
            use()
    with pytest.raises(StoreError, match="was brought to another form"):
        store.add(gather([source(tmp_path / "in", random_world(1))]), NOW)


def test_what_is_stored_survives_a_loss_of_power(tmp_path: Path) -> None:
    """As far as settings go: a write-ahead log, and commits that wait for the disk."""
    store = Store(tmp_path / "store.db", create=True)
    with writing(store.url) as writer:
        assert store_connection.fetch(writer, "PRAGMA synchronous")[0].to_pylist() == [2]
    assert query(str(store.url), "PRAGMA journal_mode") == [{"journal_mode": "wal"}]
