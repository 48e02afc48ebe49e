"""The command line as a user meets it: every command as a process of its own, from raw tables to answers over HTTP."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.catalogue import as_markdown, entries
from features.histories.columns import OWN_PREFIX
from features.sources.files import read_tables
from features.sources.opening import open_dataset, open_tables

ROOT = Path(__file__).parents[1]
AS_OF = "2026-06-30"
PORTFOLIO = ("--accounts", "150", "--years", "4", "--seed", "3")
COMMANDS = (
    "simulate",
    "import",
    "pull",
    "forget",
    "train",
    "models",
    "promote",
    "rollback",
    "monitor",
    "retrain",
    "score",
    "report",
    "scorecards",
    "changes",
    "serve",
    "catalogue",
)
HEAVY = ("numpy", "pandas", "pyarrow", "numba", "lightgbm", "mlflow", "bentoml", "fastapi", "sklearn", "matplotlib")


def environment(**changes: str) -> dict[str, str]:
    """The environment of a user who has rapport installed, without settings of this machine's own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("RAPPORT_", "MLFLOW_TRACKING"))}
    return {**own, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "PYTHONWARNINGS": "default", **changes}


def rapport(*arguments: str | Path, cwd: Path, code: int = 0, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a command and check its exit code."""
    command = [sys.executable, "-m", "rapport", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment(**changes), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done


def plain(text: str) -> str:
    """Text without frames and line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, tmp_path: Path) -> None:
    told = plain(rapport(command, "--help", cwd=tmp_path).stdout)
    assert f"Example: {'RAPPORT_API_KEYS=secret ' if command == 'serve' else ''}rapport {command} " in told


def test_help_lists_every_command_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, rapport\n"
        "try:\n    rapport.main()\n"
        f"finally:\n    print(sorted(sys.modules.keys() & set({HEAVY})), file=sys.stderr)"
    )
    for arguments in ([], ["score"]):
        command = [sys.executable, "-c", code, *arguments, "--help"]
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
        assert done.stderr.strip() == "[]"
        if not arguments:
            assert all(f" {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["score", "."], "--as-of"),
        (["score", ".", "--as-of", "30.6.2024"], "a date (2024-05-31)"),
        (["score", ".", "--as-of", AS_OF, "--out", "scores.xlsx"], "must end with one of .csv, .parquet, .json"),
        (["report", ".", "--as-of", AS_OF], "--out"),
        (["import", "missing"], "does not exist"),
        (["train", ".", "--horizons", "30,soon"], "whole numbers of days"),
        (["serve", "--host", "0.0.0.0"], "RAPPORT_API_KEYS"),
        (["serve", "--host", "example"], "no IP address"),
        (["catalogue", "--format", "yaml"], "markdown"),
        (["dance"], "No such command"),
    ],
)
def test_wrong_usage_is_code_2(arguments: list[str], told: str, tmp_path: Path) -> None:
    assert told in plain(rapport(*arguments, cwd=tmp_path, code=2).stderr)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["import", "."], "holds nothing that is known"),
        (["train"], "there is no such store"),
        (["score", "missing", "--as-of", AS_OF], "there is no such store"),
        (["train", "."], "holds no canonical tables"),
        (["score", ".", "--as-of", AS_OF], "holds no canonical tables"),
        (["serve"], "train a model first with 'rapport train'"),
    ],
)
def test_a_failure_is_one_line_and_code_1(arguments: list[str], told: str, tmp_path: Path) -> None:
    lines = rapport(*arguments, cwd=tmp_path, code=1).stderr.splitlines()
    assert told in lines[-1]
    assert lines[-1].startswith("rapport: ")


def test_the_catalogue_lists_every_indicator(tmp_path: Path) -> None:
    rows = json.loads(rapport("catalogue", "--format", "json", cwd=tmp_path).stdout)
    assert [row["column"] for row in rows] == [one.column for one in entries()]
    assert rapport("catalogue", "--format", "markdown", cwd=tmp_path).stdout == as_markdown(entries())
    table = rapport("catalogue", cwd=tmp_path).stdout
    assert all(f"\n {row['id']}.{row['name']} " in table for row in rows)


@dataclass(frozen=True)
class House:
    """A folder in which a user has simulated, imported and trained."""

    folder: Path
    trained: str

    @property
    def store(self) -> Path:
        return self.folder / "rapport.db"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Public commands alone, and nothing but their defaults for where things lie."""
    folder = tmp_path_factory.mktemp("house")
    rapport("simulate", "raw", *PORTFOLIO, cwd=folder)
    rapport("import", "raw", cwd=folder)
    trained = rapport("train", "--every", "60", cwd=folder)
    return House(folder, trained.stdout + trained.stderr)


def test_training_tells_its_quality_beside_baselines_and_names_the_champion(house: House) -> None:
    assert "Lost within 180 days" in house.trained
    assert all(scorer in house.trained for scorer in ("risk", "silence", "recency frequency", "scorecard"))
    assert "Registered as version 1: the champion." in house.trained
    assert (house.folder / "mlruns" / "mlflow.db").is_file()
    assert {file.name for file in house.folder.iterdir()} == {"raw", "rapport.db", "mlruns"}


def test_rejects_are_code_3_with_file_row_column_value_and_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    rows = ["interaction_id,account_id,at,kind,actor", "1,A,2024-01-01,message,client", "2,A,soon,message,client"]
    (tmp_path / "raw" / "interactions.csv").write_text("\n".join(rows))
    done = rapport("import", "raw", "--out", "out", cwd=tmp_path, code=3)
    assert "interactions.csv row 2, at: 'soon' is not a date" in done.stderr
    assert "1 records were rejected" in done.stderr
    with (tmp_path / "out" / "rejects.csv").open(newline="") as stream:
        assert [row["value"] for row in csv.DictReader(stream)] == ["soon"]
    assert read_tables(tmp_path / "out").interactions.num_rows == 1


@dataclass(frozen=True)
class Scored:
    """What `score` printed and wrote."""

    table: str
    file: bytes

    @property
    def accounts(self) -> list[dict[str, Any]]:
        accounts: list[dict[str, Any]] = json.loads(self.file)["accounts"]
        return accounts


def score(house: House) -> Scored:
    """Score the house's tables."""
    file = house.folder / "scores.json"
    done = rapport("score", "--as-of", AS_OF, "--top", "3", "--out", file, cwd=house.folder)
    written = file.read_bytes()
    file.unlink()
    return Scored(done.stdout, written)


@pytest.fixture(scope="module")
def scored(house: House) -> Scored:
    return score(house)


def test_scores_are_a_ranked_table_with_reasons(scored: Scored) -> None:
    assert "Clients at risk as of 30 June 2026 (simulated)" in scored.table
    assert re.search(r"^\d+ more accounts of lower rank$", scored.table, re.MULTILINE)
    ranks = [line.split()[0] for line in scored.table.splitlines() if re.match(r" *\d+ +[A-Z]", line)]
    assert ranks == ["1", "2", "3"]
    assert scored.accounts[0]["explanation"]["reasons"][0]["sentence"].split()[0] in scored.table


def test_scoring_twice_gives_the_same(house: House, scored: Scored) -> None:
    assert score(house) == scored


def test_the_report_is_one_file(house: House, tmp_path: Path) -> None:
    file = tmp_path / "reports" / "june.html"
    rapport("report", "--as-of", AS_OF, "--out", file, cwd=house.folder)
    html = file.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "Simulated data" in html
    assert [one.name for one in file.parent.iterdir()] == ["june.html"]


KEY = "a key of the test"


@dataclass(frozen=True)
class Server:
    """A running `rapport serve`."""

    process: subprocess.Popen[str]
    address: str

    def client(self, key: str | None = KEY) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60)

    def get(self, path: str, key: str | None = KEY) -> httpx.Response:
        with self.client(key) as client:
            return client.get(path)


@pytest.fixture(scope="module")
def server(house: House) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "rapport", "serve", "--port", str(port)],
        cwd=house.folder,
        env=environment(RAPPORT_API_KEYS=f"other,{KEY}", RAPPORT_BODY_LIMIT="3000000"),
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, f"http://127.0.0.1:{port}")
    while not ready(server):
        if process.poll() is not None:
            pytest.fail(process.communicate()[1])
        time.sleep(0.1)
    yield server
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 0
    assert "Traceback" not in told


def ready(server: Server) -> bool:
    """Whether the probe says that the server is ready."""
    try:
        return server.get("/readyz", None).status_code == 200
    except httpx.TransportError:
        return False


def rows_of(house: House, accounts: set[str]) -> dict[str, list[dict[str, Any]]]:
    """The imported rows of some accounts as a request brings them."""
    tables = open_tables(house.store)
    asked: dict[str, list[dict[str, Any]]] = {}
    for name in ("accounts", "contacts", "interactions", "deals", "stage_reviews"):
        rows = [row for row in getattr(tables, name).to_pylist() if row["account_id"] in accounts]
        asked[name] = [
            {
                column: value.isoformat() if hasattr(value, "isoformat") else value
                for column, value in row.items()
                if value is not None and not column.startswith(OWN_PREFIX)
            }
            for row in rows
        ]
    return asked


def test_a_request_gives_the_very_numbers_of_the_batch(house: House, server: Server, scored: Scored) -> None:
    every = {one["account_id"]: one for one in scored.accounts}
    some = [*sorted(every)[:12], scored.accounts[0]["account_id"]]
    dataset = open_dataset(house.store)
    declares: dict[str, Any] = {}
    if dataset.records is not None:
        declares["records"] = sorted(dataset.records)
    if dataset.observed_from is not None:
        declares["observed_from"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(dataset.observed_from))
    with server.client() as client:
        for accounts in ({some[-1]}, set(some)):
            asked = {"as_of": AS_OF, **rows_of(house, accounts), "declares": declares}
            answer = client.post("/v1/score", json=asked)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert (told["rejects"], told["ignored"], told["model"]) == ([], {}, "1")
            assert told["accounts"] == [every[account] for account in sorted(accounts)]


def test_probes_and_the_model_answer(server: Server) -> None:
    with server.client(None) as client:
        for probe in ("/healthz", "/livez", "/readyz"):
            assert client.get(probe).status_code == 200
    with server.client() as client:
        told = client.get("/v1/model").json()
        assert (told["name"], told["version"]) == ("rapport", "1")
        assert client.get("/openapi.json").json()["info"]["title"] == "Rapport"


@pytest.mark.parametrize(
    "path", ["/v1/model", "/v1/score", "/openapi.json", "/metrics", "/docs.json", "/schema.json", "/"]
)
def test_without_a_key_nothing_but_the_probes_answers(server: Server, path: str) -> None:
    for key in (None, "wrong"):
        response = server.get(path, key)
        assert (response.status_code, response.headers["content-type"]) == (401, "application/problem+json")


@pytest.mark.parametrize("path", ["/metrics", "/docs.json", "/", "/static_content/index.html", "/v1/nothing"])
def test_what_is_not_ours_is_a_problem(server: Server, path: str) -> None:
    response = server.get(path)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


def test_large_bodies_are_refused_whether_announced_or_not(server: Server) -> None:
    body = b" " * 3_000_001
    chunks = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    with server.client() as client:
        for content in (body, chunks):
            response = client.post("/v1/score", content=content, headers={"Content-Type": "application/json"})
            assert (response.status_code, response.headers["content-type"]) == (413, "application/problem+json")
        assert client.get("/healthz").status_code == 200


def test_a_port_in_use_is_told(house: House, server: Server) -> None:
    port = server.address.rsplit(":", 1)[1]
    done = rapport("serve", "--port", port, cwd=house.folder, code=1)
    assert f"127.0.0.1:{port}" in done.stderr.splitlines()[-1]


def test_the_documentation_names_every_column_and_setting() -> None:
    from serving.security import KEYS_VARIABLE, LIMIT_VARIABLE
    from serving.writing import schema

    told = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name in (*schema((30,)).names, KEYS_VARIABLE, LIMIT_VARIABLE, "MLFLOW_TRACKING_URI"):
        assert f"`{name}`" in told or re.fullmatch(r"reason_[2-4]", name)
