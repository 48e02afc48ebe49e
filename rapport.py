"""The command line: ``rapport COMMAND``. What a command needs is imported when it runs, so that ``--help`` is quick.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done, but rows were turned away, 4 done, and watching raised an alarm,
5 not begun, because another retraining runs.
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
    from serving.closer import Wishes
    from serving.portfolio import Portfolio
    from training.retraining import Proposal
    from training.train import TrainReport

DONE_WITH_REJECTS = 3
ALARM = 4
RUNS_ALREADY = 5

DEFAULT_STORE = "sqlite:///mlruns/mlflow.db"

app = typer.Typer(
    name="rapport",
    help="Which clients are about to leave, where each relationship stands, why, and what would help.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

accounts_app = typer.Typer(no_args_is_help=True, help="Accounts that are one: merge them, split them, list what holds.")
app.add_typer(accounts_app, name="accounts")


class Form(StrEnum):
    """How the catalogue is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class LiveCrm(StrEnum):
    """The CRMs that can be asked over their API."""

    HUBSPOT = "hubspot"
    SALESFORCE = "salesforce"


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


STORE, REJECTS = "rapport.db", Path("rejects.csv")

Histories = Annotated[
    str,
    typer.Argument(
        envvar="RAPPORT_STORE",
        metavar="[HISTORIES]",
        help="The store, a file or postgresql://…, or a folder of canonical tables, as `import` writes them.",
    ),
]
Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE…",
        help="Files and folders: tables (CSV, JSON Lines, Parquet, XLSX), CRM exports, mailboxes, calendars.",
        exists=True,
    ),
]
Store = Annotated[
    str, typer.Option("--store", envvar="RAPPORT_STORE", help="The store: a file, or postgresql://USER@HOST/DATABASE.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="Write a folder of canonical tables instead, from these sources alone.", file_okay=False),
]
MappingFile = Annotated[
    Path | None,
    typer.Option("--map", help="TOML file that names columns and whose domains are ours.", exists=True, dir_okay=False),
]
Rejects = Annotated[
    Path,
    typer.Option(help="File for what was turned away, with the reasons; that of a folder lies in it.", dir_okay=False),
]
OurDomains = Annotated[
    list[str] | None,
    typer.Option("--our-domain", metavar="DOMAIN", help="A domain or address of ours; may stand there several times."),
]
Contacts = Annotated[
    Path | None,
    typer.Option(
        help="Table that says whose an address or domain is: email, account_id, contact_id.",
        exists=True,
        dir_okay=False,
    ),
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


@app.command("import", epilog="Example: rapport import export/ mails.mbox --our-domain ours.example --map mapping.toml")
def import_sources(
    sources: Sources,
    mapping: MappingFile = None,
    store: Store = STORE,
    out: Out = None,
    our_domains: OurDomains = None,
    contacts: Contacts = None,
    keep_text: Annotated[
        bool, typer.Option("--keep-text", help="Keep what was written in mails; it is dropped otherwise.")
    ] = False,
    rejects: Rejects = REJECTS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come in, and write nothing.")] = False,
    propose: Annotated[
        bool, typer.Option("--suggest", help="Propose a mapping for a table of your own, as TOML, and import nothing.")
    ] = False,
) -> None:
    """Check what sources hold and add what is new to the store. To import the same again adds nothing."""
    if propose:
        _suggest(sources)
        return
    from features.sources.gathering import ImportOptions
    from features.sources.importing import import_to_folder, import_to_store, try_import
    from features.sources.telling import told

    now = _now()
    options = ImportOptions(mapping, frozenset(our_domains or ()), contacts, now, keep_text)
    with _progress() as show:
        if dry_run:
            summary = try_import(sources, now, options, show, "" if out else store)
        elif out:
            summary = import_to_folder(sources, out, options, show)
        else:
            summary = import_to_store(sources, store, now, options, show, rejects)
    for line in told(summary):
        _say(line)
    if not dry_run:
        _say(f"Next: rapport train{_named(out or store)}")
    if summary.rejected:
        raise typer.Exit(DONE_WITH_REJECTS)


@app.command(epilog="Example: rapport pull hubspot --into hubspot/  (then: rapport import hubspot/)")
def pull(
    crm: Annotated[LiveCrm, typer.Argument(help="Whom to ask; the token stands in RAPPORT_HUBSPOT_TOKEN or the like.")],
    into: Annotated[
        Path, typer.Option("--into", help="Folder that holds what was pulled, and how far.", file_okay=False)
    ],
) -> None:
    """Bring the files of a folder up to date with a CRM, for `import` to read. Only what is newer is asked for."""
    from features.sources.live import pull as pull_from

    with _progress() as show:
        pulled = pull_from(crm.value, into, progress=show)
    for kind, records in pulled.counts.items():
        _say(f"{kind}: {records:,} new or changed")
    for note in pulled.notes:
        _say(note)
    _say(f"{into} is up to date. Next: rapport import {into}")


def _named(histories: str | Path) -> str:
    """The argument that names histories, "" where it is not needed; without a password."""
    from features.sources.store_connection import shown

    return "" if str(histories) == os.environ.get("RAPPORT_STORE", STORE) else f" {shown(histories)}"


def _suggest(files: list[Path]) -> None:
    from features.sources.suggesting import suggest

    if len(files) != 1 or files[0].is_dir():
        raise typer.BadParameter("proposes a mapping for one file at a time", param_hint="--suggest")
    mapping = Path(f"{files[0].name.removesuffix('.gz').rpartition('.')[0]}.toml")
    suggestion = suggest(files[0])
    suggestion.write(mapping)
    for question in suggestion.questions:
        _say(f"To be decided by you: {question}")
    _say(f"Proposed mapping written to {mapping}. Read it, then: rapport import {files[0]} --map {mapping}")


@accounts_app.command("merge", epilog="Example: rapport accounts merge 0015 acme.example acme.de --by ann")
def merge_accounts(
    keep: Annotated[str, typer.Argument(metavar="KEEP", help="The account that stays.")],
    others: Annotated[list[str], typer.Argument(metavar="OTHER…", help="Accounts that become part of it.")],
    by: By = None,
    store: Store = STORE,
) -> None:
    """Let several accounts be one from now on. Nothing is rewritten; a split undoes it."""
    from features.sources.store import Store as Histories

    decided = Histories(store).merge_accounts(keep, others, _now(), _user(by))
    _say(f"{', '.join(decided.accounts)}: part of {decided.into} now. Undo: rapport accounts split {decided.merge_id}")


@accounts_app.command("split", epilog="Example: rapport accounts split 3 --by ann")
def split_accounts(
    merge_id: Annotated[int, typer.Argument(metavar="MERGE_ID", help="The merge, as `accounts list` shows it.")],
    by: By = None,
    store: Store = STORE,
) -> None:
    """Undo a merge: all is as without it."""
    from features.sources.store import Store as Histories

    undone = Histories(store).split_accounts(merge_id, _now(), _user(by))
    _say(f"{', '.join(undone.accounts)}: no longer part of {undone.into}.")


@accounts_app.command("list", epilog="Example: rapport accounts list --store clients.db")
def list_merges(store: Store = STORE) -> None:
    """List the merges in force."""
    from features.sources.files import iso
    from features.sources.store import Store as Histories
    from features.terminal import console, new_table

    table = new_table("merge", "account", "holds too", "since", "by")
    for one in Histories(store).merges():
        table.add_row(str(one.merge_id), one.into, ", ".join(one.accounts), str(iso(one.decided_at)), one.decided_by)
    console().print(table)


@accounts_app.command("duplicates", epilog="Example: rapport accounts duplicates --store clients.db")
def list_duplicates(store: Store = STORE) -> None:
    """List mails and meetings that two systems tell of: which one counts, and why."""
    from features.sources.store import Store as Histories
    from features.terminal import console, new_table

    table = new_table("left out", "of", "counts", "of", "because")
    for row in Histories(store).duplicates().to_pylist():
        table.add_row(*row.values())
    console().print(table)


@app.command(epilog="Example: rapport forget --contact ann@client.example --dry-run")
def forget(
    contact: Annotated[str, typer.Option(metavar="ID", help="A person, by id or mail address.")] = "",
    account: Annotated[str, typer.Option(metavar="ID", help="An account and its people.")] = "",
    older_than: Annotated[
        int | None, typer.Option(parser=_moment, metavar="DATE", help="All interactions that happened before.")
    ] = None,
    pseudonymise: Annotated[
        bool, typer.Option("--pseudonymise", help="Keep numbers, times and categories under a random id.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    receipt: Annotated[
        Path | None, typer.Option(help="File for the receipt, which names nobody (JSON).", dir_okay=False)
    ] = None,
    by: By = None,
    store: Store = STORE,
) -> None:
    """Erase a person, an account or what is old from the store for good, and name the models that learned from it."""
    from features.sources.store_forgetting import Wish, outlook
    from features.sources.store_forgetting import forget as erase
    from features.sources.telling import foreseen, receipt_name, written
    from training.learned_accounts import models_that_learned

    wish = Wish(contact, account, older_than, pseudonymise)
    who = _user(by)
    ahead = outlook(store, wish)
    with _store():
        models = models_that_learned(store, ahead.accounts, older_than)
    for line in foreseen(ahead, models):
        _say(line)
    if dry_run:
        return
    if not yes and typer.prompt("This cannot be undone. Type 'forget' to go on", err=True).strip() != "forget":
        _say("Nothing was forgotten.")
        raise typer.Exit(1)
    done = erase(store, wish, _now(), who, models)
    file = written(done, receipt or Path(receipt_name(done)))
    for line in done["not reached"]:
        _say(f"Not reached: {line}")
    _say(f"Forgotten. Receipt: {file}")


@app.command(epilog="Example: rapport train --test-from 2025-01-01")
def train(
    histories: Histories = STORE,
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
    from features.sources.opening import open_dataset

    open_dataset(histories)  # complains at once, where importing what trains takes a while
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
        done = train_models(histories, options, progress=lambda step, part, whole: show(step, part / whole))
    for message in done.messages:
        _say(message)
    _tell_trained(done)
    registered = done.registered
    champion = "the champion" if registered.is_champion else "not the champion, which stays until another is promoted"
    _say(f"Registered as version {registered.version}: {champion}. Next: rapport score{_named(histories)} --as-of DATE")


@app.command(epilog="Example: rapport monitor --as-of 2026-06-30 --out watching.json")
def monitor(
    as_of: AsOf,
    histories: Histories = STORE,
    months: Annotated[int, typer.Option(min=1, help="Latest month starts to watch; the last one raises alarms.")] = 12,
    out: Annotated[Path | None, typer.Option(help="File to write everything found to: .json.", dir_okay=False)] = None,
) -> None:
    """Watch the champion: drift, calibration, volume and freshness, month by month. An alarm is exit code 4."""
    import json

    from features.sources.opening import open_dataset, open_tables

    if out is not None and out.suffix != ".json":
        raise typer.BadParameter(f"{out}: the name must end with .json", param_hint="--out")
    open_dataset(histories)  # complains at once, where loading a model for nothing takes a while
    from features.histories.history import History
    from serving.champion import load_champion
    from serving.writing import replacing
    from training.monitoring import NothingToWatch
    from training.monitoring import monitor as watch
    from training.monitoring_record import document, record
    from training.terminal import show_watched

    with _progress() as show, _store():
        show("loading the champion", 0.0)
        champion = load_champion(os.environ["MLFLOW_TRACKING_URI"])
        show("loading the champion", 1.0)
        history = History.from_tables(open_tables(histories))
        try:
            found = watch(history, champion.models, as_of, months, lambda step, done, all_: show(step, done / all_))
        except NothingToWatch as nothing:
            _say(str(nothing))
            return
        run = record(found, champion.location.version)
    if out is not None:
        with replacing(out) as staged:
            staged.write_text(json.dumps(document(found, champion.location.version), indent=1), encoding="utf-8")
    show_watched(found, champion.location.version)
    _say(f"Kept in MLflow as run {run}" + (f" and in {out}" if out else ""))
    for alarm in found.alarms:
        _say(f"Alarm ({alarm.sort}): {alarm.told}")
    if found.alarms:
        raise typer.Exit(ALARM)


@app.command(epilog="Example: rapport retrain export/ --map mapping.toml")
def retrain(
    sources: Sources,
    mapping: MappingFile = None,
    store: Store = STORE,
    out: Out = None,
    our_domains: OurDomains = None,
    contacts: Contacts = None,
    rejects: Rejects = REJECTS,
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
    from features.sources.gathering import ImportOptions
    from training.one_at_a_time import AlreadyRunning, only_one
    from training.preparing import TrainOptions
    from training.retraining import lock_file
    from training.retraining import retrain as train_anew
    from training.terminal import show_quality

    options = TrainOptions(
        definition=None if definition is None else definition.value,
        horizons=horizons,
        silence_days=silence_days,
        minimum_touches=minimum_touches,
        group=group,
        count_as_lost=count_as_lost,
    )
    now, into = _now(), out or store
    reading = ImportOptions(mapping, frozenset(our_domains or ()), contacts, now)
    try:
        with _progress() as show, _store(), only_one(lock_file(os.environ["MLFLOW_TRACKING_URI"])):
            done = train_anew(sources, into, reading, options, now, _user(by) if by_rule else None, show, rejects)
    except AlreadyRunning as error:
        _say(f"rapport: {error}")
        raise typer.Exit(RUNS_ALREADY) from None
    rejected = done.imported.rejected
    if rejected:
        _say(f"{rejected:,} records were rejected; all of them, with the reasons: {done.imported.reject_file}")
    if done.trained is None:
        _say(f"Nothing is new: version {done.unchanged} has learned from these very data. Nothing was trained.")
    else:
        for message in done.trained.messages:
            _say(message)
        _tell_trained(done.trained)
        registered = done.trained.registered
        _say(f"Registered as version {registered.version}" + (": the champion." if registered.is_champion else "."))
    for sentence in done.waiting:
        _say(sentence)
    if done.proposal is not None:
        show_quality(done.proposal.comparison.judged, "on rows later than both trainings")
        for sentence in done.proposal.because:
            _say(sentence)
        _say(_proposed(done.proposal, into))
    if rejected:
        raise typer.Exit(DONE_WITH_REJECTS)


def _proposed(proposal: Proposal, into: str | Path) -> str:
    version, champion = proposal.version, proposal.champion
    if proposal.promoted:
        return f"Version {version} is the champion now, in place of version {champion}. {TAKEN_OVER}"
    if proposal.meets_the_rule:
        return f"Proposed: version {version}. Next: rapport promote{_named(into)} --version {version}"
    return f"Version {version} is not proposed; version {champion} stays the champion."


@app.command(epilog="Example: rapport promote --by ann")
def promote(
    histories: Histories = STORE,
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
    from features.sources.opening import open_dataset

    open_dataset(histories)  # complains at once
    from training.promotion import promote as decide
    from training.terminal import show_quality

    chosen = None if version is None else str(version)
    with _progress() as show, _store():
        decision, comparison = decide(
            histories, _user(by), _now(), chosen, despite, lambda step, part, whole: show(step, part / whole)
        )
    if comparison is not None:
        show_quality(comparison.judged, "on rows later than both trainings")
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
    from features.terminal import console, new_table
    from training.decisions import decisions_of
    from training.registry import quality, versions

    with _store():
        listed = versions()
        runs = {version.number: quality(version) for version in listed}
    horizons = sorted({horizon for auc, _ in runs.values() for horizon in auc})
    table = new_table("version", "registered", "champion", *(f"AUC {days} d" for days in horizons), "data", "decided")
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
    console().print(table)


@app.command(epilog="Example: rapport score --as-of 2026-06-30 --out scores.csv")
def score(
    as_of: AsOf,
    histories: Histories = STORE,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv, .parquet or .json.", dir_okay=False)] = None,
    horizon: Horizon = None,
    top: Annotated[int, typer.Option(min=0, help="Accounts to show in the table; files hold all.")] = 20,
) -> None:
    """Rank the accounts by revenue at risk, with the reasons."""
    from serving.terminal import show_ranking
    from serving.writing import SUFFIXES, write_scores

    if out is not None and out.suffix not in SUFFIXES:
        raise typer.BadParameter(f"{out}: the name must end with one of {', '.join(SUFFIXES)}", param_hint="--out")
    portfolio = _scored(histories, as_of, horizon)
    if out is not None:
        write_scores(portfolio, out)
        _say(f"{len(portfolio.predictions):,} accounts written to {out}")
    show_ranking(portfolio, top)


@app.command(epilog="Example: rapport report --as-of 2026-06-30 --out report.html")
def report(
    as_of: AsOf,
    out: Annotated[Path, typer.Option(help="HTML file to write.", dir_okay=False)],
    histories: Histories = STORE,
    horizon: Horizon = None,
    top: Annotated[int, typer.Option(min=1, help="Accounts to tell one by one; the others have a line each.")] = 30,
) -> None:
    """Write one self-contained page for an account director; without a model, of the scorecards alone."""
    from serving.champion import NoChampion
    from serving.closer import Wishes
    from serving.judged import judge_histories
    from serving.judged_report import TEMPLATE, judged_page
    from serving.reports import LOOK_BACK, page, render
    from serving.writing import replacing

    try:
        wishes = Wishes(help=True, scorecards=True, course=True, since=as_of - LOOK_BACK)
        html = render(page(_scored(histories, as_of, horizon, wishes, top), top))
    except NoChampion as error:
        _say(f"{error}. The report tells the scorecards alone.")
        html = render(judged_page(judge_histories(histories, as_of), top), TEMPLATE)
    with replacing(out) as staged:
        staged.write_text(html, encoding="utf-8")
    _say(f"Report written to {out.resolve()}")


@app.command(epilog="Example: rapport scorecards --as-of 2026-06-30 --out scorecards.csv")
def scorecards(
    as_of: AsOf,
    histories: Histories = STORE,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv or .json.", dir_okay=False)] = None,
    top: Annotated[int, typer.Option(min=0, help="Accounts to show in the table; files hold all.")] = 20,
) -> None:
    """Hold every account against the marks of the documents; this needs no model."""
    from features.sources.opening import open_dataset
    from serving.judged import judge_histories
    from serving.terminal import show_scorecards
    from serving.writing import CARD_SUFFIXES, write_scorecards

    if out is not None and out.suffix not in CARD_SUFFIXES:
        raise typer.BadParameter(f"{out}: the name must end with one of {', '.join(CARD_SUFFIXES)}", param_hint="--out")
    open_dataset(histories)  # complains at once
    with _progress() as show:
        show("computing indicators", 0.0)
        judged = judge_histories(histories, as_of)
        show("computing indicators", 1.0)
    if out is not None:
        write_scorecards(judged, out)
        _say(f"{len(judged.accounts):,} accounts written to {out}")
    show_scorecards(judged, top)


@app.command(epilog="Example: rapport changes --from 2026-03-31 --to 2026-06-30 --account A0077")
def changes(
    since: Annotated[int, typer.Option("--from", parser=_moment, metavar="DATE", help="The earlier moment.")],
    as_of: Annotated[int, typer.Option("--to", parser=_moment, metavar="DATE", help="The later moment.")],
    histories: Histories = STORE,
    account: Annotated[str | None, typer.Option(metavar="ID", help="This account alone, with all that counts.")] = None,
    horizon: Horizon = None,
    top: Annotated[int, typer.Option(min=1, help="Accounts to show; of one account, its parts.")] = 10,
) -> None:
    """Tell how each account's risk changed between two dates, and what led from one to the other."""
    from serving.closer import Wishes
    from serving.terminal import show_change, show_changes

    if since >= as_of:
        raise typer.BadParameter("must be before --to", param_hint="--from")
    portfolio = _scored(histories, as_of, horizon, Wishes(since=since))
    if account is None:
        show_changes(portfolio, since, top)
    else:
        show_change(portfolio, account, since, top)


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
    from features.terminal import show_family

    rows = entries()
    if form is Form.JSON:
        print(json.dumps(as_documents(rows), indent=1, ensure_ascii=False))
    elif form is Form.MARKDOWN:
        print(as_markdown(rows), end="")
    else:
        for family, figures in groupby(folded(rows), key=lambda row: row.first.family):
            show_family(family, list(figures))


def _scored(
    histories: str, as_of: int, horizon: int | None, wishes: Wishes | None = None, told: int | None = None
) -> Portfolio:
    from features.sources.opening import open_dataset
    from serving.champion import load_champion
    from serving.closer import EXPLAINED
    from serving.portfolio import score_histories
    from serving.reports import LEARNED_LATER

    open_dataset(histories)  # complains at once, where loading a model for nothing takes a while
    with _progress() as show:
        show("loading the champion", 0.0)
        champion = load_champion(os.environ["MLFLOW_TRACKING_URI"])
        show("scoring", 0.5)
        portfolio = score_histories(champion, histories, as_of, horizon, wishes or EXPLAINED, told)
        show("scoring", 1.0)
    if portfolio.days_past_records:
        _say(
            f"The records end {portfolio.days_past_records} days before this date; what happened since is not in them."
        )
    if portfolio.learned_from_later:
        _say(LEARNED_LATER)
    return portfolio


def _tell_trained(done: TrainReport) -> None:
    """How good the model is, and whether anything leaked."""
    from training.terminal import show_quality

    show_quality(done.evaluation.judged, "in the test part" if done.test_from else "judged across accounts")
    found = done.audit.failed
    _say(f"Leak audit: {len(done.audit.checks)} checks, nothing found." if not found else "Leak audit found:")
    for check in found:
        _say(f"{check.name}: {check.sentence}")


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
