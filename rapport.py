"""The command line: ``rapport COMMAND``. What a command needs is imported when it runs, so that ``--help`` is quick.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done, but rows were turned away, 4 done, and watching raised an alarm,
5 not begun, because another retraining runs.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from features.catalogue import FoldedEntry
    from models.prediction import Prediction
    from serving.closer import Wishes
    from serving.judged import JudgedPortfolio
    from serving.portfolio import Portfolio
    from training.judging import Judged
    from training.monitoring import Monitoring
    from training.retraining import Proposal
    from training.train import TrainReport

DONE_WITH_REJECTS = 3
ALARM = 4
RUNS_ALREADY = 5

REASONS_IN_TABLE = 3
"""Reasons that the table of ``score`` tells of each account."""

SIGNS = {"pass": "✓", "fail": "✗", "strong": "✓", "weak": "✗", "unknown": "?"}
"""Verdicts of the scorecards in the table of ``scorecards``."""

DRIFTED_IN_TABLE = 10
"""Indicators that the table of ``monitor`` names."""

WIDE = 160
"""Columns of a table that goes to a file or a pipe."""

DEFAULT_STORE = "sqlite:///mlruns/mlflow.db"

app = typer.Typer(
    name="rapport",
    help="Which clients are about to leave, where each relationship stands, why, and what would help.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Form(StrEnum):
    """How the catalogue is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class Definition(StrEnum):
    """What counts as lost."""

    CONTRACT = "contract"
    SILENCE = "silence"


def main() -> None:
    """Run the command line; what fails is told in one line on stderr."""
    _set_defaults()
    try:
        app()
    except (ValueError, OSError) as error:
        _say(f"rapport: {error}")
        sys.exit(1)


def _set_defaults() -> None:
    """Settings of the libraries below, which the environment may override and processes started here inherit."""
    for name, value in {
        "MLFLOW_TRACKING_URI": DEFAULT_STORE,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "BENTOML_DO_NOT_TRACK": "true",
        "OTEL_SDK_DISABLED": "true",
    }.items():
        os.environ.setdefault(name, value)


def _say(line: str) -> None:
    """A line for a person; results alone go to stdout."""
    print(line, file=sys.stderr)


def _moment(text: str) -> int:
    """UTC seconds of a date or a date-time with its offset."""
    from features.histories.columns import Column

    try:
        seconds = Column("date", "time", "a moment").convert(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not {error}") from None
    if seconds is None:
        raise typer.BadParameter("a date is needed, such as 2026-06-30")
    return int(seconds)


def _days(text: str) -> tuple[int, ...]:
    """Numbers of days, separated by commas, in rising order."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"{text!r} is not a list of whole numbers of days, such as 30,90,180,365")
    return tuple(sorted({int(part) for part in parts}))


def _names(text: str) -> frozenset[str]:
    """Words, separated by commas."""
    return frozenset(part.strip() for part in text.split(",") if part.strip())


Folder = Annotated[
    Path, typer.Argument(help="Folder of canonical tables, as `import` writes them.", exists=True, file_okay=False)
]
AsOf = Annotated[
    int,
    typer.Option(
        "--as-of",
        parser=_moment,
        metavar="DATE",
        help="Only what was known at this moment counts: 2026-06-30 (midnight UTC) or 2026-06-30T18:00:00+02:00.",
    ),
]
Horizon = Annotated[
    int | None,
    typer.Option(
        min=1, help="Days ahead to explain and rank by; one of the model's. Default: 180 or the nearest to it."
    ),
]

Lost = Annotated[
    Definition | None,
    typer.Option(
        help="What counts as lost. Default: contract where deals are recorded, else silence.", show_default=False
    ),
]
Horizons = Annotated[Any, typer.Option(parser=_days, metavar="DAYS,…", help="Horizons of the contract definition.")]
SilenceDays = Annotated[int, typer.Option(min=1, help="The one horizon of the silence definition.")]
MinimumTouches = Annotated[
    int, typer.Option(min=1, help="Touches of its own that make an account eligible for the silence definition.")
]
Group = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Never split accounts that share a value of this column.")
]
CountAsLost = Annotated[
    Any,
    typer.Option(
        parser=_names, metavar="REASON,…", help="Reasons for leaving that count though they are no switching."
    ),
]

Trials = Annotated[
    int, typer.Option(min=1, help="Settings of the trees to try; what an earlier run tried on the same data counts.")
]

By = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who decides; goes into the record. Default: the system's user.")
]

TAKEN_OVER = "What is scored from now on is scored by it; restart 'rapport serve' to take it over there."


@app.callback()
def start(
    settings: Annotated[
        Path | None,
        typer.Option(
            envvar="RAPPORT_SETTINGS",
            help="Your own marks and other settings, where the documents leave them open (TOML).",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Which clients are about to leave, where each relationship stands, why, and what would help."""
    if settings is not None:
        # Before anything is imported that computes; processes started here inherit it.
        os.environ["RAPPORT_SETTINGS"] = str(settings.resolve())


@app.command(epilog="Example: rapport simulate demo/raw --accounts 300 --years 4 --seed 7")
def simulate(
    folder: Annotated[
        Path, typer.Argument(help="Folder to write: new, empty, or an earlier simulation.", file_okay=False)
    ],
    accounts: Annotated[int, typer.Option(min=1, help="How many client accounts.")] = 300,
    years: Annotated[int, typer.Option(min=1, help="How many years of history.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same portfolio.")] = 7,
) -> None:
    """Write the tables of a made-up portfolio whose true risk is known."""
    from training.simulation import simulate as write_portfolio

    with _progress() as show:
        made = write_portfolio(
            folder, accounts, years, seed, progress=lambda done, all_: show("simulating", done / all_)
        )
    _say(
        f"{folder}: {made.accounts:,} simulated accounts, {made.interactions:,} interactions, {made.lost:,} losses. "
        f"None of it is real. Next: rapport import {folder}"
    )


@app.command("import", epilog="Example: rapport import export/ --map mapping.toml --out tables/")
def import_tables(
    folder: Annotated[
        Path, typer.Argument(help="Folder of CSV, JSON Lines or Parquet files.", exists=True, file_okay=False)
    ],
    mapping: Annotated[
        Path | None, typer.Option("--map", help="TOML file that names the columns.", exists=True, dir_okay=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write the canonical tables to.", file_okay=False)] = Path(
        "tables"
    ),
) -> None:
    """Check the tables of a source and write them as canonical Parquet."""
    from features.sources.importing import import_folder

    with _progress() as show:
        summary = import_folder(folder, out, mapping, progress=show)
    for name, counts in summary.counts.items():
        extras = {"rejected": counts.rejected, "repeated": counts.repeated, "created": counts.created}
        told = "".join(f", {number:,} {word}" for word, number in extras.items() if number)
        _say(f"{name}: {counts.kept:,} rows{told}")
    for file, columns in summary.ignored.items():
        _say(f"{file}: ignored unknown columns {', '.join(columns)}")
    for note in summary.notes:
        _say(note)
    _say(f"Written to {out}. Next: rapport train {out}")
    if summary.rejected:
        for one in summary.rejects[:5]:
            _say(f"rejected: {one.file} row {one.row}, {one.column}: {one.value!r} is not {one.allowed}")
        _say(f"{summary.rejected:,} rows were rejected; all of them, with the reasons: {out / 'rejects.csv'}")
        raise typer.Exit(DONE_WITH_REJECTS)


@app.command(epilog="Example: rapport train tables/ --test-from 2025-01-01")
def train(
    folder: Folder,
    definition: Lost = None,
    horizons: Horizons = "30,90,180,365",
    silence_days: SilenceDays = 180,
    minimum_touches: MinimumTouches = 5,
    every: Annotated[
        int | None, typer.Option(min=1, metavar="DAYS", help="Days between snapshots. Default: month starts.")
    ] = None,
    first: Annotated[
        int | None,
        typer.Option("--from", parser=_moment, metavar="DATE", help="First snapshot. Default: the first record."),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option("--to", parser=_moment, metavar="DATE", help="Last snapshot. Default: the last record."),
    ] = None,
    test_from: Annotated[
        int | None,
        typer.Option(
            parser=_moment,
            metavar="DATE",
            help="Judge on snapshots from here on, learn for it from what was settled by then.",
        ),
    ] = None,
    group: Group = None,
    count_as_lost: CountAsLost = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 7,
    until: Annotated[
        int | None,
        typer.Option(
            parser=_moment, metavar="DATE", help="Learn from the records as they stood then; later ones can compare."
        ),
    ] = None,
    trials: Trials = 6,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what the judging could do without.")] = False,
    despite_audit: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Register although the leak audit found something; the reason is kept."),
    ] = None,
) -> None:
    """Train on the outcomes known so far, judge beside plain baselines, and register the model."""
    from features.sources.files import read_dataset

    read_dataset(folder)  # complains at once, where importing what trains takes a while
    from training.preparing import TrainOptions
    from training.train import train as train_models

    options = TrainOptions(
        definition=None if definition is None else definition.value,
        horizons=horizons,
        silence_days=silence_days,
        minimum_touches=minimum_touches,
        spacing_days=every,
        first=first,
        last=last,
        test_from=test_from,
        group=group,
        count_as_lost=count_as_lost,
        seed=seed,
        trials=trials,
        quick=quick,
        despite_audit=despite_audit,
        until=until,
    )
    with _progress() as show, _store():
        done = train_models(folder, options, progress=lambda step, part, whole: show(step, part / whole))
    for message in done.messages:
        _say(message)
    _print_trained(done)
    registered = done.registered
    champion = "the champion" if registered.is_champion else "not the champion, which stays until another is promoted"
    _say(f"Registered as version {registered.version}: {champion}. Next: rapport score {folder} --as-of DATE")


@app.command(epilog="Example: rapport monitor tables/ --as-of 2026-06-30 --out watching.json")
def monitor(
    folder: Folder,
    as_of: AsOf,
    months: Annotated[int, typer.Option(min=1, help="Latest month starts to watch; the last one raises alarms.")] = 12,
    out: Annotated[Path | None, typer.Option(help="File to write everything found to: .json.", dir_okay=False)] = None,
) -> None:
    """Watch the champion: drift, calibration, volume and freshness, month by month. An alarm is exit code 4."""
    import json

    from features.sources.files import read_dataset, read_tables

    if out is not None and out.suffix != ".json":
        raise typer.BadParameter(f"{out}: the name must end with .json", param_hint="--out")
    read_dataset(folder)  # complains at once, where loading a model for nothing takes a while
    from features.histories.history import History
    from serving.champion import load_champion
    from serving.writing import replacing
    from training.monitoring import NothingToWatch
    from training.monitoring import monitor as watch
    from training.monitoring_record import document, record

    with _progress() as show, _store():
        show("loading the champion", 0.0)
        champion = load_champion(os.environ["MLFLOW_TRACKING_URI"])
        show("loading the champion", 1.0)
        history = History.from_tables(read_tables(folder))
        try:
            found = watch(history, champion.models, as_of, months, lambda step, done, all_: show(step, done / all_))
        except NothingToWatch as nothing:
            _say(str(nothing))
            return
        run = record(found, champion.location.version)
    if out is not None:
        with replacing(out) as staged:
            staged.write_text(json.dumps(document(found, champion.location.version), indent=1), encoding="utf-8")
    _print_watched(found, champion.location.version)
    _say(f"Kept in MLflow as run {run}" + (f" and in {out}" if out else ""))
    for alarm in found.alarms:
        _say(f"Alarm ({alarm.sort}): {alarm.told}")
    if found.alarms:
        raise typer.Exit(ALARM)


@app.command(epilog="Example: rapport retrain export/ --map mapping.toml --tables tables/")
def retrain(
    source: Annotated[
        Path, typer.Argument(help="Folder of CSV, JSON Lines or Parquet files.", exists=True, file_okay=False)
    ],
    tables: Annotated[Path, typer.Option(help="Folder of canonical tables that retraining alone writes.")],
    mapping: Annotated[
        Path | None, typer.Option("--map", help="TOML file that names the columns.", exists=True, dir_okay=False)
    ] = None,
    by_rule: Annotated[
        bool, typer.Option("--promote", help="Make the challenger the champion where it meets the rule.")
    ] = False,
    by: By = None,
    definition: Lost = None,
    horizons: Horizons = "30,90,180,365",
    silence_days: SilenceDays = 180,
    minimum_touches: MinimumTouches = 5,
    group: Group = None,
    count_as_lost: CountAsLost = "",
) -> None:
    """Import, train, judge and propose a challenger, for a scheduler: one at a time, and only if something is new."""
    from training.one_at_a_time import AlreadyRunning, only_one
    from training.preparing import TrainOptions
    from training.retraining import lock_file
    from training.retraining import retrain as train_anew

    options = TrainOptions(
        definition=None if definition is None else definition.value,
        horizons=horizons,
        silence_days=silence_days,
        minimum_touches=minimum_touches,
        group=group,
        count_as_lost=count_as_lost,
    )
    try:
        with _progress() as show, _store(), only_one(lock_file(os.environ["MLFLOW_TRACKING_URI"], tables)):
            done = train_anew(source, tables, mapping, options, _now(), _user(by) if by_rule else None, show)
    except AlreadyRunning as error:
        _say(f"rapport: {error}")
        raise typer.Exit(RUNS_ALREADY) from None
    rejected = done.imported.rejected
    if rejected:
        _say(f"{rejected:,} rows were rejected; all of them, with the reasons: {tables / 'rejects.csv'}")
    if done.trained is None:
        _say(f"Nothing is new: version {done.unchanged} has learned from these very data. Nothing was trained.")
    else:
        for message in done.trained.messages:
            _say(message)
        _print_trained(done.trained)
        registered = done.trained.registered
        _say(f"Registered as version {registered.version}" + (": the champion." if registered.is_champion else "."))
    for sentence in done.waiting:
        _say(sentence)
    if done.proposal is not None:
        _print_quality(done.proposal.comparison.judged, "on rows later than both trainings")
        for sentence in done.proposal.because:
            _say(sentence)
        _say(_proposed(done.proposal, tables))
    if rejected:
        raise typer.Exit(DONE_WITH_REJECTS)


def _proposed(proposal: Proposal, tables: Path) -> str:
    version, champion = proposal.version, proposal.champion
    if proposal.promoted:
        return f"Version {version} is the champion now, in place of version {champion}. {TAKEN_OVER}"
    if proposal.meets_the_rule:
        return f"Proposed: version {version}. Next: rapport promote {tables} --version {version}"
    return f"Version {version} is not proposed; version {champion} stays the champion."


@app.command(epilog="Example: rapport promote tables/ --by ann")
def promote(
    folder: Folder,
    version: Annotated[
        int | None, typer.Option(min=1, help="The challenger. Default: the newest version, if newer than the champion.")
    ] = None,
    by: By = None,
    despite: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Promote whatever the comparison says; the reason is kept with the version."
        ),
    ] = None,
) -> None:
    """Let a challenger take the champion's place, if it does better on what neither has learned from."""
    from features.sources.files import read_dataset

    read_dataset(folder)  # complains at once
    from training.promotion import promote as decide

    chosen = None if version is None else str(version)
    with _progress() as show, _store():
        decision, comparison = decide(
            folder, _user(by), _now(), chosen, despite, lambda step, part, whole: show(step, part / whole)
        )
    if comparison is not None:
        _print_quality(comparison.judged, "on rows later than both trainings")
    for sentence in decision.because:
        _say(sentence)
    if not decision.promoted:
        _say(f"Version {decision.version} is not promoted; version {decision.champion} stays the champion.")
        raise typer.Exit(1)
    _say(f"Version {decision.version} is the champion now, in place of version {decision.champion}. {TAKEN_OVER}")


@app.command(epilog="Example: rapport rollback --to 3 --by ann")
def rollback(
    to: Annotated[
        int | None, typer.Option(min=1, help="A former champion's version. Default: the one before by the record.")
    ] = None,
    by: By = None,
) -> None:
    """Make the former champion the champion again."""
    from training.decisions import rollback as go_back

    with _store():
        decision = go_back(_user(by), _now(), None if to is None else str(to))
    _say(f"Version {decision.to} is the champion again, in place of version {decision.version}. {TAKEN_OVER}")


@app.command(epilog="Example: rapport models  (lists every version)")
def models() -> None:
    """List the registered models: which is the champion, how good each is, and what was decided about it."""
    from features.sources.files import iso
    from training.decisions import decisions_of
    from training.registry import quality, versions

    with _store():
        listed = versions()
        runs = {version.number: quality(version) for version in listed}
    horizons = sorted({horizon for auc, _ in runs.values() for horizon in auc})
    table = _table("version", "registered", "champion", *(f"AUC {days} d" for days in horizons), "data", "decided")
    for version in listed:
        auc, tags = runs[version.number]
        decided = decisions_of([version])
        table.add_row(
            version.number,
            str(iso(version.registered_at))[:10],
            "yes" if version.is_champion else "",
            *(f"{auc[days]:.3f}" if days in auc else "" for days in horizons),
            " to ".join(moment[:10] for moment in tags.get("data.span", "").split(" to "))
            + (" (simulated)" if tags.get("data.simulated") == "true" else ""),
            decided[-1].told() if decided else "",
        )
    _console().print(table)


@app.command(epilog="Example: rapport score tables/ --as-of 2026-06-30 --out scores.csv")
def score(
    folder: Folder,
    as_of: AsOf,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv, .parquet or .json.", dir_okay=False)] = None,
    horizon: Horizon = None,
    top: Annotated[int, typer.Option(min=0, help="Accounts to show in the table; files hold all.")] = 20,
) -> None:
    """Rank the accounts by revenue at risk, with the reasons."""
    from serving.writing import SUFFIXES, write_scores

    if out is not None and out.suffix not in SUFFIXES:
        raise typer.BadParameter(f"{out}: the name must end with one of {', '.join(SUFFIXES)}", param_hint="--out")
    portfolio = _scored(folder, as_of, horizon)
    if out is not None:
        write_scores(portfolio, out)
        _say(f"{len(portfolio.predictions):,} accounts written to {out}")
    _print_ranking(portfolio, top)


@app.command(epilog="Example: rapport report tables/ --as-of 2026-06-30 --out report.html")
def report(
    folder: Folder,
    as_of: AsOf,
    out: Annotated[Path, typer.Option(help="HTML file to write.", dir_okay=False)],
    horizon: Horizon = None,
    top: Annotated[int, typer.Option(min=1, help="Accounts to tell one by one; the others have a line each.")] = 30,
) -> None:
    """Write one self-contained page for an account director; without a model, of the scorecards alone."""
    from serving.champion import NoChampion
    from serving.closer import Wishes
    from serving.judged import judge_folder
    from serving.judged_report import TEMPLATE, judged_page
    from serving.reports import LOOK_BACK, page, render
    from serving.writing import replacing

    try:
        wishes = Wishes(help=True, scorecards=True, course=True, since=as_of - LOOK_BACK)
        html = render(page(_scored(folder, as_of, horizon, wishes, top), top))
    except NoChampion as error:
        _say(f"{error}. The report tells the scorecards alone.")
        html = render(judged_page(judge_folder(folder, as_of), top), TEMPLATE)
    with replacing(out) as staged:
        staged.write_text(html, encoding="utf-8")
    _say(f"Report written to {out.resolve()}")


@app.command(epilog="Example: rapport scorecards tables/ --as-of 2026-06-30 --out scorecards.csv")
def scorecards(
    folder: Folder,
    as_of: AsOf,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv or .json.", dir_okay=False)] = None,
    top: Annotated[int, typer.Option(min=0, help="Accounts to show in the table; files hold all.")] = 20,
) -> None:
    """Hold every account against the marks of the documents; this needs no model."""
    from features.sources.files import read_dataset
    from serving.judged import judge_folder
    from serving.writing import CARD_SUFFIXES, write_scorecards

    if out is not None and out.suffix not in CARD_SUFFIXES:
        raise typer.BadParameter(f"{out}: the name must end with one of {', '.join(CARD_SUFFIXES)}", param_hint="--out")
    read_dataset(folder)  # complains at once
    with _progress() as show:
        show("computing indicators", 0.0)
        judged = judge_folder(folder, as_of)
        show("computing indicators", 1.0)
    if out is not None:
        write_scorecards(judged, out)
        _say(f"{len(judged.accounts):,} accounts written to {out}")
    _print_scorecards(judged, top)


@app.command(epilog="Example: rapport changes tables/ --from 2026-03-31 --to 2026-06-30 --account A0077")
def changes(
    folder: Folder,
    since: Annotated[int, typer.Option("--from", parser=_moment, metavar="DATE", help="The earlier moment.")],
    as_of: Annotated[int, typer.Option("--to", parser=_moment, metavar="DATE", help="The later moment.")],
    account: Annotated[str | None, typer.Option(metavar="ID", help="This account alone, with all that counts.")] = None,
    horizon: Horizon = None,
    top: Annotated[int, typer.Option(min=1, help="Accounts to show; of one account, its parts.")] = 10,
) -> None:
    """Tell how each account's risk changed between two dates, and what led from one to the other."""
    from serving.closer import Wishes

    if since >= as_of:
        raise typer.BadParameter("must be before --to", param_hint="--from")
    portfolio = _scored(folder, as_of, horizon, Wishes(since=since))
    if account is None:
        _print_changes(portfolio, since, top)
    else:
        _print_change(portfolio, account, since, top)


@app.command(epilog="Example: RAPPORT_API_KEYS=secret rapport serve --host 0.0.0.0 --port 3000")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; beyond loopback, RAPPORT_API_KEYS is needed.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
) -> None:
    """Answer POST /v1/score with risks, stage and reasons, from the champion."""
    import socket
    from tempfile import mkdtemp

    from serving.security import KEYS_VARIABLE, is_loopback, keys_from_environment, limit_from_environment

    address = "127.0.0.1" if host == "localhost" else host
    try:
        open_to_others = not is_loopback(address)
    except ValueError:
        raise typer.BadParameter(f"{host!r} is no IP address", param_hint="--host") from None
    if open_to_others and not keys_from_environment():
        message = f"{host} can be reached by others: set {KEYS_VARIABLE} to one or more keys, separated by commas"
        raise typer.BadParameter(message, param_hint="--host")
    limit_from_environment()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from None

    from serving.champion import locate, open_champion

    location = locate(os.environ["MLFLOW_TRACKING_URI"])
    open_champion(location)
    _say(f"Serving {location.name} version {location.version} on http://{host}:{port}/v1/score (Ctrl-C ends)")
    # BentoML takes over this process; its worker gets a folder to read and so needs no MLflow.
    environment = {**os.environ, "RAPPORT_CHAMPION": location.to_json()}
    # BentoML keeps a few small files; servers that share a folder for them delete each other's.
    environment.setdefault("BENTOML_HOME", mkdtemp(prefix="rapport-bentoml-"))
    home = str(Path(__file__).parent)
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Rapport", "--working-dir", home]
    sys.stderr.flush()
    os.execve(sys.executable, [*command, "--host", address, "--port", str(port)], environment)


@app.command(epilog="Example: rapport catalogue --format markdown > docs/indicators.md")
def catalogue(
    form: Annotated[Form, typer.Option("--format", help="How to write it; json has every column.")] = Form.TABLE,
) -> None:
    """List every indicator with its meaning, formula, mark and source."""
    import json
    from itertools import groupby

    from features.catalogue import as_documents, as_markdown, entries, folded

    rows = entries()
    if form is Form.JSON:
        print(json.dumps(as_documents(rows), indent=1, ensure_ascii=False))
    elif form is Form.MARKDOWN:
        print(as_markdown(rows), end="")
    else:
        for family, figures in groupby(folded(rows), key=lambda row: row.first.family):
            _print_family(family, list(figures))


def _print_family(family: str, figures: list[FoldedEntry]) -> None:
    from rich.text import Text

    table = _table("figure", "what it is", title=f"{family.capitalize()} (source {figures[0].first.source})")
    signal = ""
    for row in figures:
        one = row.first
        if one.id != signal:
            signal = one.id
            table.add_section()
            table.add_row(Text(signal, "bold"), Text.assemble((one.signal_title, "bold"), f"\n{one.signal_meaning}\n"))
        better = one.better if one.better in ("informative", "context") else f"better: {one.better}"
        told = [one.unit, better, *([f"mark {row.mark}"] if row.mark else []), f"needs {one.minimum}"]
        described = Text.assemble(one.meaning, (f"\n= {one.formula}\n{', '.join(told)}\n", "dim"))
        table.add_row(f"{one.id}.{one.name}\n{' '.join(row.windows)}", described)
    _console().print(table)


def _scored(
    folder: Path, as_of: int, horizon: int | None, wishes: Wishes | None = None, told: int | None = None
) -> Portfolio:
    from features.sources.files import read_dataset
    from serving.champion import load_champion
    from serving.closer import EXPLAINED
    from serving.portfolio import score_folder
    from serving.reports import LEARNED_LATER

    read_dataset(folder)  # complains at once, where loading a model for nothing takes a while
    with _progress() as show:
        show("loading the champion", 0.0)
        champion = load_champion(os.environ["MLFLOW_TRACKING_URI"])
        show("scoring", 0.5)
        portfolio = score_folder(champion, folder, as_of, horizon, wishes or EXPLAINED, told)
        show("scoring", 1.0)
    if portfolio.days_past_records:
        _say(
            f"The records end {portfolio.days_past_records} days before this date; what happened since is not in them."
        )
    if portfolio.learned_from_later:
        _say(LEARNED_LATER)
    return portfolio


def _print_ranking(portfolio: Portfolio, top: int) -> None:
    from serving.words import day, money

    scored = [one for one in portfolio.predictions if one.risk]
    title = f"Clients at risk as of {day(portfolio.as_of)}" + (" (simulated)" if portfolio.dataset.simulated else "")
    horizons = [f"{days} d" for days in portfolio.horizons]
    table = _table("#", "client", "stage", *horizons, "value", "at risk", "strongest reasons", title=title)
    for rank, one in enumerate(scored[:top], start=1):
        profile = portfolio.profiles.get(one.account_id)
        table.add_row(
            str(rank),
            profile.name if profile else one.account_id,
            one.stage.stage,
            *(_risk_told(one, days) for days in portfolio.horizons),
            "unknown" if one.value is None else money(one.value),
            "unknown" if one.revenue_at_risk is None else money(one.revenue_at_risk),
            "\n".join(
                f"{'+' if reason.raises else '−'} {reason.sentence}" for reason in one.reasons[:REASONS_IN_TABLE]
            ),
        )
    console = _console()
    console.print(table)
    if len(scored) > top:
        console.print(f"{len(scored) - top:,} more accounts of lower rank")
    groups: dict[str, int] = {}
    for one in portfolio.predictions:
        if one.not_at_risk:
            groups[one.not_at_risk] = groups.get(one.not_at_risk, 0) + 1
    if portfolio.nothing_known:
        groups["nothing known by then"] = portfolio.nothing_known
    if groups:
        console.print("Not scored: " + "; ".join(f"{number:,} {why}" for why, number in sorted(groups.items())))


def _risk_told(prediction: Prediction, days: int) -> str:
    """A risk, at the explained horizon with its interval."""
    from serving.words import between, percent

    risk, ends = (prediction.risk or {})[days], (prediction.interval or {}).get(days)
    told = percent(risk)
    return f"{told}\n({between(*ends)})" if ends is not None and days == prediction.horizon else told


def _print_changes(portfolio: Portfolio, since: int, top: int) -> None:
    """The accounts whose risk changed most, with what led there."""
    from serving.portfolio import profile_of
    from serving.words import day, percent, points

    told = {account: one.changes for account, one in portfolio.closer.items() if one.changes is not None}
    both = {account: change for account, change in told.items() if change.points is not None}
    title = f"Risk within {portfolio.horizon} days, {day(since)} to {day(portfolio.as_of)}"
    table = _table("client", "id", "then", "now", "change", "what led there", title=title)
    for account in sorted(both, key=lambda one: (-abs(both[one].points or 0.0), one))[:top]:
        change = both[account]
        parts = [part for part in (change.time, *change.told[:REASONS_IN_TABLE]) if part is not None]
        table.add_row(
            profile_of(portfolio.profiles, account).name,
            account,
            percent(change.risk_before or 0.0),
            percent(change.risk or 0.0),
            points(change.points or 0.0),
            "\n".join(f"{points(part.points)}: {part.sentence}" for part in parts),
        )
    console = _console()
    console.print(table)
    if len(both) > top:
        console.print(f"{len(both) - top:,} more accounts changed by less")
    reasons = Counter(
        f"without a risk on {day(since)} ({change.not_at_risk_before})"
        if change.risk_before is None
        else f"without a risk on {day(portfolio.as_of)}"
        for change in told.values()
        if change.points is None
    )
    if reasons:
        console.print("Not compared: " + "; ".join(f"{number:,} {why}" for why, number in sorted(reasons.items())))


def _print_change(portfolio: Portfolio, account: str, since: int, top: int) -> None:
    """One account's change and its parts, which add up to it."""
    from serving.portfolio import profile_of
    from serving.words import day, percent, points

    change = portfolio.closer[account].changes if account in portfolio.closer else None
    if change is None:
        raise ValueError(f"nothing is known of an account {account!r} by {day(portfolio.as_of)}")
    name = profile_of(portfolio.profiles, account).name
    if change.points is None or change.risk_before is None or change.risk is None:
        then = change.not_at_risk_before or percent(change.risk_before or 0.0)
        now = next(one.not_at_risk for one in portfolio.predictions if one.account_id == account)
        print(f"{name}: {day(since)}: {then}; {day(portfolio.as_of)}: {now or percent(change.risk or 0.0)}")
        return
    title = (
        f"{name}: risk within {portfolio.horizon} days {percent(change.risk_before)} on {day(since)}, "
        f"{percent(change.risk)} on {day(portfolio.as_of)} ({points(change.points)})"
    )
    table = _table("change", "signal", "figures", title=title)
    told = change.told[:top]
    for part in (change.time, *told):
        if part is not None:
            table.add_row(points(part.points), part.name, part.sentence)
    rest = [part.points for part in change.parts if part not in told]
    table.add_row(points(sum(rest)), f"{len(rest)} other signals", "each too small to be told, or beyond --top")
    _console().print(table)


def _print_scorecards(judged: JudgedPortfolio, top: int) -> None:
    from serving.portfolio import profile_of
    from serving.words import day, money

    title = f"Scorecards as of {day(judged.as_of)}" + (" (simulated)" if judged.dataset.simulated else "")
    steps = [f"G{number}" for number in range(1, 8)]
    pillars = [f"P{number}" for number in range(1, 5)]
    table = _table("client", "stage", *steps, "depth", *pillars, "warmth", "value", title=title)
    for one in judged.accounts[:top]:
        cards = one.cards
        table.add_row(
            profile_of(judged.profiles, one.account_id).name,
            one.stage.stage,
            *(SIGNS[step.verdict] for step in cards.gauntlet),
            cards.depth.verdict,
            *(SIGNS[pillar.verdict] for pillar in cards.pillars),
            "unknown" if cards.warmth.degrees is None else f"{cards.warmth.degrees:.0f}",
            "unknown" if one.value is None else money(one.value),
        )
    console = _console()
    console.print(table)
    if judged.accounts:
        cards = judged.accounts[0].cards
        for letter, what, lines in (("G", "gauntlet", cards.gauntlet), ("P", "pillars", cards.pillars)):
            console.print(f"{what}: " + ", ".join(f"{letter}{one.number} {one.name}" for one in lines))
        console.print("✓ its mark is met, ✗ it is not, ? no evidence yet")
    if len(judged.accounts) > top:
        console.print(f"{len(judged.accounts) - top:,} more accounts of lower or unknown value")
    if judged.nothing_known:
        console.print(f"{judged.nothing_known:,} accounts of which nothing was known by then")


def _print_trained(done: TrainReport) -> None:
    """How good the model is, and whether anything leaked."""
    _print_quality(done.evaluation.judged, "in the test part" if done.test_from else "judged across accounts")
    found = done.audit.failed
    _say(f"Leak audit: {len(done.audit.checks)} checks, nothing found." if not found else "Leak audit found:")
    for check in found:
        _say(f"{check.name}: {check.sentence}")


def _print_quality(judged: Mapping[int, Judged], where: str) -> None:
    """How well a model foretold some rows, beside the others."""
    for horizon, one in judged.items():
        names = list(next(iter(one.measured.values())))
        title = f"Lost within {horizon} days: {one.lost_accounts:,} of {one.accounts:,} accounts {where}"
        table = _table("scored by", *(name.replace("_", " ") for name in names), title=title)
        for scorer, measured in one.measured.items():
            told = {name: f"{measured[name].value:.3f}" for name in names}
            told["auc"] += f" ({measured['auc'].low:.2f} to {measured['auc'].high:.2f})"
            table.add_row(scorer.replace("_", " "), *told.values())
        _console().print(table)


def _now() -> int:
    """UTC seconds."""
    import time

    return int(time.time())


def _user(name: str | None) -> str:
    """Who decides: as given, else the user of this process."""
    import getpass

    try:
        return name or getpass.getuser()
    except (KeyError, OSError):
        raise typer.BadParameter("this process has no user name: say who decides", param_hint="--by") from None


@contextmanager
def _store() -> Iterator[None]:
    """What the tracking store refuses is told with its address."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise OSError(f"{os.environ['MLFLOW_TRACKING_URI']}: {error.message}") from error


def _print_watched(found: Monitoring, version: str) -> None:
    """The months that were watched, what drifted in the last one, and how the risks fared."""
    from serving.words import day, percent

    horizon = found.usual_horizon
    title = f"Version {version} watched as of {day(found.as_of)}" + (" (simulated)" if found.simulated else "")
    columns = ("month", "scored", "drifted", "scores moved", "records an account", "without any", "recorded late")
    table = _table(*columns, f"foreseen losses {horizon} d", f"foreseen AUC {horizon} d", "alarms", title=title)
    for month in found.months:
        volume, foreseen = month.volumes[0] if month.volumes else None, month.foreseen[horizon]
        table.add_row(
            day(month.start),
            f"{month.accounts:,}",
            f"{len(month.drifted)} of {month.compared}" if month.compared else "unknown",
            "unknown" if month.score is None else _figure(month.score.distance),
            "unknown" if volume is None else f"{_figure(volume.now)} (usually {_figure(volume.usual)})",
            _figure(month.without_records, percent),
            _figure(month.late, percent),
            _figure(foreseen.losses),
            _figure(foreseen.auc),
            ", ".join(alarm.sort for alarm in month.alarms),
        )
    console = _console()
    console.print(table)
    last = found.months[-1]
    if last.drifted:
        drifted = _table("drifted most", "known then", "now", "median then", "now", "distance", title=day(last.start))
        for one in last.drifted[:DRIFTED_IN_TABLE]:
            shares = percent(one.known_then), percent(one.known_now)
            middles = (_figure(one.middle_then), _figure(one.middle_now), _figure(one.distance))
            drifted.add_row(one.column, *shares, *middles)
        console.print(drifted)
    realised = _table("within", "months", "rows", "expected lost", "lost", "accounts", "lost / expected", "AUC")
    for fate in found.realised:
        realised.add_row(
            f"{fate.horizon} d",
            f"{day(fate.first)} to {day(fate.last)}",
            f"{fate.rows:,}",
            _figure(fate.expected),
            f"{fate.observed:,}",
            f"{fate.lost_accounts:,}",
            _interval(fate.ratio),
            _interval(fate.auc),
        )
    if found.realised:
        console.print(realised)
    else:
        console.print("No outcome is known yet of what was scored since the champion learned.")
    console.print("What is foreseen assumes that the risks are calibrated. Months are recomputed from what was known.")


def _figure(value: float, told: Callable[[float], str] = "{:.3g}".format) -> str:
    return "unknown" if value != value else told(value)


def _interval(estimate: Any) -> str:
    return "too few" if estimate is None else f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=WIDE)


def _table(*columns: str, title: str | None = None) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    table.columns[0].no_wrap = True
    return table


Show = Callable[[str, float], None]
"""Called with what is being done and how much of it is (0 to 1)."""


@contextmanager
def _progress() -> Iterator[Show]:
    """A progress bar on a terminal; elsewhere one line for each step."""
    if not sys.stderr.isatty():
        told: list[str] = []

        def tell(step: str, share: float) -> None:
            if step not in told:
                told.append(step)
                _say(step)

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def draw(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=1.0)
            bars.update(tasks[step], completed=share)

        yield draw


if __name__ == "__main__":
    main()
