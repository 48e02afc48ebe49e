"""The command line: ``rapport COMMAND``. What a command needs is imported when it runs, so that ``--help`` is quick.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done, but rows were turned away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from features.catalogue import FoldedEntry
    from serving.portfolio import Portfolio
    from training.train import TrainReport

DONE_WITH_REJECTS = 3

REASONS_IN_TABLE = 3
"""Reasons that the table of ``score`` tells of each account."""

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
    definition: Annotated[
        Definition | None,
        typer.Option(
            help="What counts as lost. Default: contract where deals are recorded, else silence.", show_default=False
        ),
    ] = None,
    horizons: Annotated[
        Any, typer.Option(parser=_days, metavar="DAYS,…", help="Horizons of the contract definition.")
    ] = "30,90,180,365",
    silence_days: Annotated[int, typer.Option(min=1, help="The one horizon of the silence definition.")] = 180,
    minimum_touches: Annotated[
        int, typer.Option(min=1, help="Touches of its own that make an account eligible for the silence definition.")
    ] = 5,
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
    group: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Never split accounts that share a value of this column.")
    ] = None,
    count_as_lost: Annotated[
        Any,
        typer.Option(
            parser=_names, metavar="REASON,…", help="Reasons for leaving that count though they are no switching."
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 7,
) -> None:
    """Train on the outcomes known so far, judge beside plain baselines, and register the model."""
    from features.sources.files import read_dataset

    read_dataset(folder)  # complains at once, where importing what trains takes a while
    from mlflow.exceptions import MlflowException

    from training.train import TrainOptions
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
    )
    with _progress() as show:
        try:
            done = train_models(folder, options, progress=lambda step, part, whole: show(step, part / whole))
        except MlflowException as error:
            raise OSError(f"{os.environ['MLFLOW_TRACKING_URI']}: {error.message}") from error
    for message in done.messages:
        _say(message)
    _print_quality(done)
    registered = done.registered
    champion = "the champion" if registered.is_champion else "not the champion, which stays until another is promoted"
    _say(f"Registered as version {registered.version}: {champion}. Next: rapport score {folder} --as-of DATE")


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
    """Write one self-contained page for an account director."""
    from serving.reports import page, render
    from serving.writing import replacing

    html = render(page(_scored(folder, as_of, horizon), top))
    with replacing(out) as staged:
        staged.write_text(html, encoding="utf-8")
    _say(f"Report written to {out.resolve()}")


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


def _scored(folder: Path, as_of: int, horizon: int | None) -> Portfolio:
    from features.sources.files import read_dataset
    from serving.champion import load_champion
    from serving.portfolio import score_folder
    from serving.reports import LEARNED_LATER

    read_dataset(folder)  # complains at once, where loading a model for nothing takes a while
    with _progress() as show:
        show("loading the champion", 0.0)
        champion = load_champion(os.environ["MLFLOW_TRACKING_URI"])
        show("scoring", 0.5)
        portfolio = score_folder(champion, folder, as_of, horizon)
        show("scoring", 1.0)
    if portfolio.days_past_records:
        _say(
            f"The records end {portfolio.days_past_records} days before this date; what happened since is not in them."
        )
    if portfolio.learned_from_later:
        _say(LEARNED_LATER)
    return portfolio


def _print_ranking(portfolio: Portfolio, top: int) -> None:
    from serving.reports import day, money, percent

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
            *(percent(risk) for risk in (one.risk or {}).values()),
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


def _print_quality(done: TrainReport) -> None:
    """How well the model foretold the test part, beside its baselines."""
    for horizon, one in done.judged.items():
        names = list(next(iter(one.measured.values())))
        title = f"Lost within {horizon} days: {one.lost_accounts:,} of {one.accounts:,} accounts in the test part"
        table = _table("scored by", *(name.replace("_", " ") for name in names), title=title)
        for scorer, measured in one.measured.items():
            told = {name: f"{measured[name].value:.3f}" for name in names}
            told["auc"] += f" ({measured['auc'].low:.2f} to {measured['auc'].high:.2f})"
            table.add_row(scorer.replace("_", " "), *told.values())
        _console().print(table)


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
