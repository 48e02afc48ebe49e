"""The commands of the command line that tell what changed and what the scorecards say, over a champion of the tests."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import rapport
from features import terminal
from serving.answers import moment
from serving.champion import Champion, NoChampion
from tests.serving.clients import AS_OF, DAY
from tests.serving.pages import Tags

NOW, THEN = moment(AS_OF), moment(AS_OF - 300 * DAY)


def run(*arguments: str | Path, code: int = 0) -> Result:
    """Run a command in this process, as wide as it goes."""
    result = CliRunner(env={"COLUMNS": "400"}).invoke(rapport.app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def served(champion: Champion, monkeypatch: pytest.MonkeyPatch) -> None:
    """The champion of the tests in the place of a registered one."""
    monkeypatch.setattr("serving.champion.load_champion", lambda address: champion)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///nowhere.db")
    monkeypatch.setattr(terminal, "WIDE", 400)


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """No champion at all."""

    def none(address: str) -> Champion:
        raise NoChampion("no champion in the store: train a model first")

    monkeypatch.setattr("serving.champion.load_champion", none)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///nowhere.db")
    monkeypatch.setattr(terminal, "WIDE", 400)


@pytest.mark.usefixtures("served")
def test_changes_of_a_portfolio_are_told_the_largest_first(tables: Path) -> None:
    told = run("changes", tables, "--from", THEN, "--to", NOW, "--top", "3").stdout
    changes = [float(line.split("points")[0].split()[-1].replace("−", "-")) for line in _rows(told)]
    assert len(changes) == 3
    assert [abs(one) for one in changes] == sorted((abs(one) for one in changes), reverse=True)
    assert "more accounts changed by less" in told
    assert "1 without a risk" in told
    assert "no contract yet" in told


def _rows(table: str) -> list[str]:
    return [line for line in table.splitlines() if line.startswith(" Client ") or line.startswith("Client ")]


@pytest.mark.usefixtures("served")
def test_changes_of_one_account_hold_all_its_parts(tables: Path) -> None:
    told = run("changes", tables, "--from", THEN, "--to", NOW, "--account", "C036", "--top", "2").stdout
    assert "Client 36 & Söhne: risk within 180 days" in told
    assert "nearness of the contract's end" in told
    assert "other signals" in told
    prospect = run("changes", tables, "--from", THEN, "--to", NOW, "--account", "C000").stdout
    assert "no contract yet" in prospect


@pytest.mark.usefixtures("served")
def test_changes_that_cannot_be_told_say_why(tables: Path) -> None:
    result = CliRunner().invoke(
        rapport.app, ["changes", str(tables), "--from", THEN, "--to", NOW, "--account", "nobody"]
    )
    assert isinstance(result.exception, ValueError)
    assert str(result.exception) == "nothing is known of an account 'nobody' by 19 June 2025"
    assert "must be before --to" in run("changes", tables, "--from", NOW, "--to", NOW, code=2).output


def test_scorecards_need_no_model(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "WIDE", 400)
    told = run("scorecards", tables, "--as-of", NOW, "--top", "2", "--out", tmp_path / "cards.csv").stdout
    assert len(_rows(told)) == 2
    assert "✗" in told
    assert "no evidence yet" in told
    assert "38 more accounts of lower or unknown value" in told
    with (tmp_path / "cards.csv").open(newline="", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 40
    run("scorecards", tables, "--as-of", NOW, "--out", tmp_path / "cards.json")
    assert len(json.loads((tmp_path / "cards.json").read_text())["accounts"]) == 40
    assert (
        "must end with one of .csv, .json"
        in run("scorecards", tables, "--as-of", NOW, "--out", tmp_path / "cards.xlsx", code=2).output
    )


@pytest.mark.usefixtures("unserved")
def test_without_a_champion_the_report_tells_the_scorecards(tables: Path, tmp_path: Path) -> None:
    told = run("report", tables, "--as-of", NOW, "--out", tmp_path / "report.html")
    assert "The report tells the scorecards alone." in told.stderr
    text = Tags((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "no risk is predicted" in text


@pytest.mark.usefixtures("served")
def test_with_a_champion_the_report_tells_everything(tables: Path, tmp_path: Path) -> None:
    run("report", tables, "--as-of", NOW, "--out", tmp_path / "report.html", "--top", "5")
    text = Tags((tmp_path / "report.html").read_text(encoding="utf-8")).text
    for words in ("What would help", "What changed since 21 March 2025", "Scorecards: ", "Further clients"):
        assert words in text
