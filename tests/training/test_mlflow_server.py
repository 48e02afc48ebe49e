"""A real tracking server on loopback: registered, served, promoted and rolled back through it as through the file."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import mlflow
import numpy as np
import pytest

from features.sources.files import iso
from features.sources.importing import import_to_folder
from models.archive import Models
from serving.champion import NoChampion, load_champion, locate
from tests.serving import clients
from training.decisions import NoFormerChampion, decisions_of, rollback
from training.promotion import CannotCompare, promote
from training.registry import open_models, versions
from training.tracking import Record, register

NOW = 1_790_000_000


@pytest.fixture
def server(tracking_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server over this test's store, which hands out the artefacts too; stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", tracking_store, "--artifacts-destination", str(tmp_path / "served")]
    own = {name: value for name, value in os.environ.items() if name != "_MLFLOW_SERVER_ARTIFACT_ROOT"}
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=own | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not _answers(address):
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            time.sleep(0.1)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_from_the_first_model_to_a_promotion_and_back(server: str, tmp_path: Path) -> None:
    made = clients.records()
    learned = clients.learned(made)
    meta = learned.meta | {"count_as_lost": [], "data": learned.meta["data"] | {"learned_until": iso(clients.AS_OF)}}
    models = Models(learned.risk, learned.stage, meta, learned.reference)
    with pytest.raises(NoChampion, match="train a model first"):
        locate(server)
    first, second = (register(models, Record({}, {}, {}, {}, {}, description=f"The {nth}")) for nth in ("first", "2nd"))
    assert (first.is_champion, second.is_champion) == (True, False)
    assert not (tmp_path / "artifacts").exists()
    assert list((tmp_path / "served").rglob("models.json"))

    champion = load_champion(server)
    assert champion.location.version == first.version
    rows = np.full((3, len(models.risk.columns)), np.nan)
    days = np.array([-10.0, 100.0, np.nan])
    for found in (champion.models, open_models(versions()[0])):
        np.testing.assert_array_equal(found.risk.risk(rows, days), models.risk.risk(rows, days))
        assert found.meta == meta
    shutil.rmtree(champion.location.folder)

    tables = tmp_path / "tables"
    import_to_folder([clients.write_csv(made, tmp_path / "raw")], tables)
    with pytest.raises(CannotCompare, match="have learned from what happened until 2025-06-19"):
        promote(tables, "ann", NOW)
    decision, _ = promote(tables, "ann", NOW, despite="to try it")
    assert locate(server).version == decision.version == second.version
    assert mlflow.get_run(second.run_id).data.tags["decision"] == "promoted"
    assert mlflow.MlflowClient().get_model_version("rapport", second.version).description == "The 2nd"

    back = rollback("bob", NOW + 60)
    assert locate(server).version == back.to == first.version
    assert [one.kind for one in decisions_of(versions())] == ["promoted", "rolled back"]
    with pytest.raises(NoFormerChampion, match="no record tells of one before"):
        rollback("bob", NOW + 120)
