"""Watching a champion over a simulated portfolio: which months, what alarms, and what is kept of it."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner, Result

from features.histories.history import History
from features.histories.log import DAY, Array
from features.histories.tables import Tables
from features.matrix import build_matrix, fingerprint, indicators_of, rows_at, snapshots
from features.reference import NOTHING
from features.sources.files import iso, read_tables
from features.sources.importing import import_to_folder
from models.archive import Models
from models.risk import EXPLAINED, HORIZONS, Definition, RiskModel
from models.stage import StageModel
from rapport import app
from tests.serving import clients
from training.drift import days_needed
from training.monitoring import LEVELS, MONTHS, Monitoring, NothingToWatch, monitor
from training.monitoring_record import EXPERIMENT, document, record
from training.outcomes import contract_outcomes
from training.realised import loss_ratio
from training.simulation import simulate
from training.streams import EVERYTHING, MONTHS_WITHOUT
from training.tracking import Record, register
from training.truncation import Past


def seconds(day: str) -> int:
    return int(np.datetime64(day, "s").astype(np.int64))


LEARNED = seconds("2025-03-31")
DRIFTED = seconds("2026-01-01")
LAST = seconds("2026-05-20")
"""Six weeks before the records end."""


class Teller:
    """Stands where a trained risk model would: it states a risk that depends on the contract's end alone."""

    def __init__(self, often: float, definition: Definition, horizons: tuple[int, ...]):
        self.often, self.definition, self.horizons = often, definition, horizons
        self.columns = tuple(one.column for one in indicators_of(NOTHING))
        self.fingerprint = fingerprint()
        self.usual_horizon = EXPLAINED if EXPLAINED in horizons else horizons[0]

    def horizon_index(self, horizon: int) -> int:
        return self.horizons.index(horizon)

    def risk(self, values: Array, days_to_end: Array) -> Array:
        left = np.nan_to_num(days_to_end, nan=9999.0)
        a_year = np.select([left <= 120, left <= 240], [0.3, 0.15], 0.06)
        stated: Array = np.clip(self.often * a_year[:, None] * np.array(self.horizons) / 365, 0, 1)
        return stated


def champion(
    often: float = 1.0,
    learned_until: int = LEARNED,
    definition: Definition = "contract",
    horizons: tuple[int, ...] = HORIZONS,
) -> Models:
    risk = Teller(often, definition, horizons)
    meta = {"data": {"learned_until": iso(learned_until)}, "count_as_lost": [], "minimum_touches": 5}
    return Models(cast(RiskModel, risk), StageModel(risk.columns), meta)


@dataclass(frozen=True)
class World:
    tables: Tables
    history: History


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    base = tmp_path_factory.mktemp("world")
    simulate(base / "raw", 160, 4, seed=17, truth=False)
    import_to_folder([base / "raw"], base / "tables")
    tables = read_tables(base / "tables")
    return World(tables, History.from_tables(tables))


@pytest.fixture(scope="module")
def found(world: World) -> Monitoring:
    return monitor(world.history, champion(), LAST)


def without_mail(tables: Tables, since: int) -> Tables:
    rows = tables.interactions
    mail = pc.fill_null(pc.equal(rows["channel"].cast(pa.string()), "email"), False)
    late = pc.greater_equal(rows["at"].cast(pa.int64()), since)
    return replace(tables, interactions=rows.filter(pc.invert(pc.and_(mail, late))))


@pytest.fixture(scope="module")
def silenced(world: World) -> Monitoring:
    """No mail is recorded any more from 2026 on."""
    return monitor(History.from_tables(without_mail(world.tables, DRIFTED)), champion(), LAST)


# Which months


def test_the_latest_months_after_all_learning_are_watched(found: Monitoring) -> None:
    starts = snapshots(LEARNED + 1, LAST)
    assert [month.start for month in found.months] == starts[-MONTHS:].tolist()
    assert iso(found.months[-1].start) == "2026-05-01T00:00:00Z"
    assert found.learned_until == LEARNED
    assert found.simulated


def test_each_month_is_compared_with_the_same_season_and_weekday_that_the_champion_had_seen(found: Monitoring) -> None:
    for month in found.months:
        assert month.then is not None
        assert (month.start - month.then) % (364 * DAY) == 0
        assert LEARNED - 364 * DAY < month.then <= LEARNED


def test_nothing_to_watch_says_from_when_on_there_is(world: World) -> None:
    with pytest.raises(NothingToWatch, match=r"until 2026-05-10.*first month start after it is 2026-06-01"):
        monitor(world.history, champion(learned_until=seconds("2026-05-10")), LAST)


def test_fewer_months_than_asked_for_are_watched_where_the_champion_is_young(world: World) -> None:
    young = monitor(world.history, champion(learned_until=seconds("2026-03-10")), LAST)
    assert [iso(month.start) for month in young.months] == ["2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"]


def test_without_a_year_of_records_before_drift_is_unknown_and_no_alarm(world: World) -> None:
    early = monitor(world.history, champion(learned_until=seconds("2022-09-20")), seconds("2022-11-15"), 1)
    (month,) = early.months
    assert (month.then, month.indicators, month.score) == (None, (), None)
    assert early.alarms == ()


# No drift


def test_months_without_drift_are_quiet(found: Monitoring) -> None:
    assert [month.alarms for month in found.months] == [()] * MONTHS
    assert found.alarms == ()
    assert not any(one.stopped for one in found.freshness)


def test_everyone_at_risk_is_scored_and_every_indicator_over_fixed_windows_compared(
    world: World, found: Monitoring
) -> None:
    month = found.months[-1]
    matrix = build_matrix(world.history, rows_at(world.history, np.array([month.start])))
    assert month.accounts == matrix.standing.at_risk.sum() > 50
    compared = [one.column for one in indicators_of(NOTHING) if days_needed(one) is not None]
    assert [drift.column for drift in month.indicators] == compared
    assert month.compared == sum(not column.endswith(".730d") for column in compared)  # no two years before then
    assert month.score is not None
    assert month.score.column == "score"


def test_what_is_foreseen_sums_up_the_stated_risks(found: Monitoring) -> None:
    for month in found.months:
        assert list(month.foreseen) == list(HORIZONS)
        near, far = month.foreseen[30], month.foreseen[365]
        assert near.accounts == month.accounts
        assert 0.06 * month.accounts <= far.losses <= 0.3 * month.accounts
        assert near.losses == pytest.approx(far.losses * 30 / 365)
        assert 0.5 < near.auc < 1


def test_a_month_is_what_it_was_though_more_is_known_since(world: World, found: Monitoring) -> None:
    """Everything that came to be known later is taken out of the tables; the month and the streams stay."""
    start = found.months[-3].start
    then_known = History.from_tables(Past(world.tables).at(start))
    assert len(then_known.interactions) < len(world.history.interactions)
    seen, since = (monitor(history, champion(), start, 2) for history in (then_known, world.history))
    told, again, before = (document(one, "1") for one in (seen, since, found))
    assert told["months"] == again["months"] == before["months"][-4:-2]
    assert told["freshness"] == again["freshness"]


# Drift


def test_a_channel_that_falls_silent_raises_every_alarm_it_should(silenced: Monitoring, found: Monitoring) -> None:
    told = {alarm.sort: alarm.told for alarm in silenced.alarms}
    assert told.keys() == {"indicators", "volume", "freshness"}
    assert "channel email" in told["volume"]
    assert "channel email silent for 1" in told["freshness"]
    (mail,) = [one for one in silenced.freshness if one.stream == "channel email"]
    assert mail.stopped
    assert mail.silent_days <= (LAST - DRIFTED) / DAY < mail.silent_days + 15  # some were recorded late
    assert "G3b.share_email.90d" in {drift.column for drift in silenced.months[-1].drifted}
    begun = [iso(month.start) for month in silenced.months if month.alarms]
    assert begun == [iso(month.start) for month in found.months if month.start > DRIFTED]


def test_one_cause_is_one_alarm_of_each_sort(silenced: Monitoring) -> None:
    for month in silenced.months:
        sorts = [alarm.sort for alarm in month.alarms]
        assert len(sorts) == len(set(sorts))
    last = silenced.months[-1]
    alarm = next(alarm for alarm in last.alarms if alarm.sort == "indicators")
    assert alarm.told.startswith(f"{len(last.drifted)} of {last.compared} indicators drifted, most: ")
    assert last.drifted[0].column in alarm.told
    assert alarm.told.endswith(f"; and {len(last.drifted) - 3} more")


def test_all_records_stopped(world: World) -> None:
    """The import broke ten weeks ago: every stream is silent, and accounts run out of records."""
    rows = world.tables.interactions
    stopped = replace(world.tables, interactions=rows.filter(pc.less(rows["at"].cast(pa.int64()), LAST - 70 * DAY)))
    silent = monitor(History.from_tables(stopped), champion(), LAST)
    told = {alarm.sort: alarm.told for alarm in silent.alarms}
    assert told["freshness"].startswith("interactions silent for ")
    assert " more" in told["freshness"]
    assert f"{EVERYTHING} " in told["volume"]
    assert silent.months[-1].volumes[0].now == 0.0


# Calibration


def test_losses_are_held_against_what_was_expected_of_them(world: World, found: Monitoring) -> None:
    """Worked out apart: the rows of the last twelve months that are settled, horizon by horizon."""
    matrix = build_matrix(world.history, rows_at(world.history, snapshots(LEARNED + 1, LAST)))
    outcomes = contract_outcomes(world.history, matrix.rows, matrix.standing, HORIZONS)
    risk = Teller(1.0, "contract", HORIZONS).risk(matrix.values, matrix.standing.days_to_end)
    assert [one.horizon for one in found.realised] == list(HORIZONS)
    for place, one in enumerate(found.realised):
        settled = (outcomes.labels[:, place] >= 0) & (outcomes.known_by[:, place] <= LAST)
        months = np.unique(matrix.rows.as_of[matrix.rows.as_of + one.horizon * DAY <= LAST])[-MONTHS:]
        chosen = settled & np.isin(matrix.rows.as_of, months)
        lost = outcomes.labels[chosen, place] == 1
        assert (one.rows, one.observed) == (chosen.sum(), lost.sum())
        assert one.expected == pytest.approx(risk[chosen, place].sum())
        level = LEVELS["calibration"] / len(HORIZONS)
        assert one.ratio == loss_ratio(risk[chosen, place], lost, matrix.rows.account[chosen], level)


def test_outcomes_that_were_not_known_by_then_do_not_count(world: World) -> None:
    early = monitor(world.history, champion(), seconds("2025-08-15"))
    assert [one.horizon for one in early.realised] == [30, 90]
    assert [iso(early.realised[0].last), iso(early.realised[1].last)] == [
        "2025-07-01T00:00:00Z",
        "2025-05-01T00:00:00Z",
    ]


@pytest.mark.parametrize("often", [0.2, 5.0])
def test_risks_that_do_not_hold_are_an_alarm(world: World, often: float) -> None:
    wrong = monitor(world.history, champion(often), LAST, 1)
    assert [alarm.sort for alarm in wrong.alarms] == ["calibration"]
    assert "rows were lost where" in wrong.alarms[0].told


def test_the_silence_definition_is_watched_by_its_own_outcomes(world: World) -> None:
    models = champion(definition="silence", horizons=(45,))
    seen = monitor(world.history, models, LAST, 2)
    assert seen.usual_horizon == 45
    assert [one.horizon for one in seen.realised] == [45]
    assert seen.realised[0].lost_accounts > 0


def test_shares_of_accounts_without_records_and_of_late_ones_are_told(world: World, found: Monitoring) -> None:
    log, month = world.history.interactions, found.months[-1]
    begun = snapshots(month.start - 100 * DAY, month.start)[-2]
    inside = (log["at"] > begun) & (log["at"] <= month.start) & (log["known"] <= month.start)
    matrix = build_matrix(world.history, rows_at(world.history, np.array([month.start])))
    scored = matrix.rows.account[matrix.standing.at_risk]
    rows = inside & np.isin(log.segment, scored)
    assert month.late == pytest.approx((log["known"] > log["at"] + DAY)[rows].mean())
    three = snapshots(month.start - 100 * DAY, month.start)[-1 - MONTHS_WITHOUT]
    recent = (log["at"] > three) & (log["at"] <= month.start) & (log["known"] <= month.start)
    assert month.without_records == pytest.approx(1 - np.isin(scored, log.segment[recent]).mean())
    assert 0 <= month.without_records_usual < 0.2
    assert 0 < month.late_usual < 0.05


# What is kept


def test_the_document_is_plain_json_with_dates(silenced: Monitoring) -> None:
    told = json.loads(json.dumps(document(silenced, "3"), allow_nan=False))
    assert told["model"] == {"name": "rapport", "version": "3"}
    assert (told["as_of"], told["learned_until"]) == ("2026-05-20T00:00:00Z", "2025-03-31T00:00:00Z")
    assert [alarm["sort"] for alarm in told["alarms"]] == [alarm.sort for alarm in silenced.alarms]
    last = told["months"][-1]
    assert (last["start"], last["then"]) == ("2026-05-01T00:00:00Z", iso(silenced.months[-1].then))
    assert len(last["indicators"]) == len(silenced.months[-1].indicators)
    assert told["realised"][0]["first"].endswith("T00:00:00Z")


def test_a_run_keeps_months_as_steps_and_everything_as_files(
    silenced: Monitoring, tracking_store: str, tmp_path: Path
) -> None:
    run_id = record(silenced, "3")
    run = mlflow.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert mlflow.get_experiment(run.info.experiment_id).name == EXPERIMENT
    tags = {name: run.data.tags[name] for name in ("model.version", "as_of", "alarms", "data.simulated")}
    assert tags == {
        "model.version": "3",
        "as_of": "2026-05-20T00:00:00Z",
        "alarms": "indicators volume freshness",
        "data.simulated": "true",
    }
    drifted = mlflow.MlflowClient().get_metric_history(run_id, "indicators_drifted")
    assert {metric.step: metric.value for metric in drifted} == {
        int(str(iso(month.start))[:7].replace("-", "")): len(month.drifted) for month in silenced.months
    }
    assert run.data.metrics["alarms_now"] == 3
    assert run.data.metrics["foreseen_auc.180"] == pytest.approx(silenced.months[-1].foreseen[180].auc)
    folder = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="", dst_path=str(tmp_path / "got")))
    assert json.loads((folder / "monitoring.json").read_text(encoding="utf-8")) == document(silenced, "3")
    months, drift = (rows_of(folder / name) for name in ("months.csv", "drift.csv"))
    assert [row["month"] for row in months] == [str(iso(month.start))[:10] for month in silenced.months]
    assert [row["column"] for row in drift] == [one.column for month in silenced.months for one in month.drifted]


def rows_of(file: Path) -> list[dict[str, Any]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_quiet_run_says_so(found: Monitoring, tracking_store: str) -> None:
    run = mlflow.get_run(record(found, "1"))
    assert run.data.tags["alarms"] == "none"
    assert run.data.metrics["alarms_now"] == 0
    assert run.data.metrics["realised_ratio.180"] == pytest.approx(_ratio(found, 180))


def test_the_command_ends_with_code_4_where_there_is_an_alarm(tracking_store: str, tmp_path: Path) -> None:
    """A registered champion, and an export that has not come for three months."""
    made = clients.records()
    import_to_folder([clients.write_csv(made, tmp_path / "raw")], tmp_path / "tables")
    learned = clients.learned(made)
    learned.meta["data"]["learned_until"] = iso(clients.AS_OF - 200 * DAY)
    learned.meta["count_as_lost"] = []
    register(learned, Record({}, {}, {}, {}, {}))
    out = tmp_path / "watching.json"

    def run(as_of: int, *more: str) -> Result:
        command = ["monitor", str(tmp_path / "tables"), "--as-of", str(iso(as_of)), *more]
        return CliRunner().invoke(app, command)

    answer = run(clients.AS_OF + 90 * DAY, "--out", str(out), "--months", "2")
    assert answer.exit_code == 4, answer.output
    assert "Version 1 watched as of" in answer.stdout
    assert "Alarm (freshness): interactions silent for " in answer.stderr
    told = json.loads(out.read_text(encoding="utf-8"))
    assert [month["start"][:7] for month in told["months"]] == ["2025-08", "2025-09"]
    assert {"volume", "freshness"} <= {alarm["sort"] for alarm in told["alarms"]}
    (run_of_it,) = mlflow.search_runs(experiment_names=[EXPERIMENT], output_format="list")
    assert run_of_it.info.run_id in answer.stderr

    early = run(clients.AS_OF - 201 * DAY)
    assert early.exit_code == 0, early.output
    assert "there is nothing to watch by" in early.stderr
    wrong = run(clients.AS_OF, "--out", "watching.txt")
    assert wrong.exit_code == 2


def _ratio(found: Monitoring, horizon: int) -> float:
    (ratio,) = [one.ratio for one in found.realised if one.horizon == horizon]
    assert ratio is not None
    return ratio.value
