"""A user's own settings: what may be chosen, how it is checked, and that it reaches columns and fingerprint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from features import settings
from features.chosen_settings import FIXED, SettingsError, chosen
from features.figures import Text, single
from features.histories.log import DAY
from features.indicators import REGISTRY, Figure, Mark, Signal
from features.matrix import fingerprint


def chosen_in(folder: Path, text: str) -> dict[str, Any]:
    file = folder / "own.toml"
    file.write_text(text)
    return chosen(file, vars(settings))


def test_times_numbers_marks_bands_and_weights_are_chosen(tmp_path: Path) -> None:
    found = chosen_in(
        tmp_path,
        """
        prompted_within = "21 days"
        delay_floor = "0.5 hours"
        minimum_observations = 4
        terse_below = 0.25
        warmth_band = [50, 90]
        [marks]
        "G2b.show_up_rate" = 0.8
        "P1b.client_share_of_touches" = [0.3, 0.7]
        [warmth_weights]
        W1a = 5
        """,
    )
    marks, weights = found.pop("MARKS"), found.pop("WARMTH_WEIGHTS")
    assert found == {
        "PROMPTED_WITHIN": 21 * DAY,
        "DELAY_FLOOR": 1800,
        "MINIMUM_OBSERVATIONS": 4,
        "TERSE_BELOW": 0.25,
        "WARMTH_BAND": (50, 90),
    }
    own = {"G2b.show_up_rate": 0.8, "P1b.client_share_of_touches": (0.3, 0.7)}
    assert marks == settings.MARKS | own
    assert weights == settings.WARMTH_WEIGHTS | {"W1a": 5}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("promted_within = 3", "promted_within is no setting; there are .*prompted_within"),
        ('windows = { "30d" = 1 }', "windows is no setting"),
        ("prompted_within = 21", 'prompted_within: 21 must be a time such as "14 days"'),
        ('prompted_within = "-1 days"', "must be a time"),
        ('minimum_observations = "5 days"', "must be a number of at least 0, such as 5"),
        ("minimum_observations = true", "must be a number"),
        ("minimum_observations = -1", "must be a number of at least 0"),
        ("warmth_band = [90, 50]", "must be a pair of numbers"),
        ("marks = 3", r"must be a table \[marks\]"),
        ('[marks]\n"G1a.first_attempt_response_rate" = 0.5', "'G1a.first_attempt_response_rate' is none of"),
        ('[marks]\n"G2b.show_up_rate" = "high"', "marks.G2b.show_up_rate: 'high' must be a number"),
        ("a = ", "no TOML"),
    ],
)
def test_what_is_not_allowed_is_refused_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"own.toml.*{why}"):
        chosen_in(tmp_path, text)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml: cannot be read"):
        chosen(tmp_path / "gone.toml", vars(settings))


def test_every_mark_of_ours_is_a_setting_and_every_setting_of_marks_is_used() -> None:
    ours = {
        f"{one.signal.id}.{one.name}": one.mark
        for one in REGISTRY.indicators.values()
        if one.mark is not None and not one.mark.documented
    }
    from_times = {"P2c.days_to_first_offer", "P2c.days_to_close_against_usual"}
    assert ours.keys() - from_times == settings.MARKS.keys()
    for name, value in settings.MARKS.items():
        one = ours[name]
        assert value == (one.value if one.upper is None else (one.value, one.upper))


def test_every_setting_is_read_somewhere() -> None:
    """One that nothing reads would be chosen in vain."""
    folder = Path(settings.__file__).parent
    read = "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))
    chosen_by_users = {name for name in vars(settings) if name.isupper() and name not in FIXED}
    assert {name for name in chosen_by_users if f"settings.{name}" not in read} == set()


def test_a_documented_mark_stands_whatever_is_chosen() -> None:
    def nothing(_: object) -> Figure:
        raise AssertionError

    mark = Mark(">=", 0.75, documented=True)
    assert single(Signal("G1a", "", "", "000"), Text("a", "A", "f", "u"), nothing, mark=mark).mark == mark


def test_the_choice_reaches_the_catalogue_and_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('minimum_observations = 3\n[marks]\n"G2b.show_up_rate" = 0.8\n')
    code = (
        "import json; from features.catalogue import as_documents, entries; from features.matrix import fingerprint; "
        "print(json.dumps([fingerprint(), as_documents(entries())]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"RAPPORT_SETTINGS": str(tmp_path / "own.toml")},
        cwd=Path(__file__).parents[2],
    )
    other, rows = json.loads(told.stdout)
    assert other != fingerprint()
    (row,) = (row for row in rows if row["column"] == "G2b.show_up_rate.365d")
    assert (row["mark"], row["minimum"]) == (">= 0.8", "3 observations")


def test_the_command_line_takes_the_file_and_names_what_is_wrong_in_it(tmp_path: Path) -> None:
    def rapport(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "own.toml").write_text(text)
        command = [sys.executable, "-m", "rapport", "--settings", "own.toml", "catalogue", "--format", "json"]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, env=environment)

    good = rapport('[marks]\n"D4.fee_friction" = 0.25\n')
    assert good.returncode == 0, good.stderr
    assert {row["mark"] for row in json.loads(good.stdout) if row["column"] == "D4.fee_friction.all"} == {"<= 0.25"}
    bad = rapport("stale_after = 3\n")
    assert bad.returncode == 1
    assert bad.stderr.startswith("rapport: ")
    assert "own.toml: stale_after is no setting; there are " in bad.stderr
    assert "Traceback" not in bad.stderr
