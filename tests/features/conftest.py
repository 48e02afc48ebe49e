"""What the tests of features share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store of the test's own, not there yet, in each of the databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store without rows, to be copied, which is quicker than making one."""
    from features.sources.store import Store

    file = tmp_path_factory.mktemp("store") / "store.db"
    Store(file, create=True)
    return file


@pytest.fixture(scope="session")
def postgres_store(postgres: str) -> str:
    """The name of a PostgreSQL database that is a store without rows, to be copied."""
    import psycopg

    from features.sources.store import Store

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE store_without_rows")
    Store(postgres.replace("/postgres?", "/store_without_rows?"), create=True)
    return "store_without_rows"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store of the test's own, without rows, in each of the databases."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copyfile(request.getfixturevalue('sqlite_store'), tmp_path / 'store.db')}"
    copy = request.getfixturevalue("postgres_copy")
    return str(copy(request.getfixturevalue("postgres_store")))
