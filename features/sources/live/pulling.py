"""The pull itself: a dlt pipeline that asks in rounds for the next records of each kind.

A round's records and the points from which to go on become durable together (dlt's state), so that an interrupted pull
goes on and a repeated one asks only for what is newer. All that dlt keeps lies in the folder's ``.pull``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import dlt
from dlt.common.schema.typing import TColumnSchema, TTableSchema
from dlt.pipeline.exceptions import PipelineStepFailed

from features.sources.crm.definitions import Object, crms
from features.sources.live import Patience, Pulled, hubspot, salesforce
from features.sources.live.connection import Account, Connection, Forbidden, Missing
from features.sources.live.records import Ahead, Chunk, add_batch, as_line, merge_batches
from features.sources.readers import SourceError
from features.sources.source import Progress

_KEPT = ".pull"
_BATCHES = "batches"
_RECORDS = "records"
_DLT = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
}
_BATCH = 1_000


@dataclass(frozen=True)
class _Crm:
    """How a CRM is asked."""

    name: str
    kinds: Mapping[str, str]
    id_field: str
    account: Callable[[Mapping[str, str]], Account]
    chunks: Callable[[Connection, str, Object, Ahead], Iterator[Chunk]]


_CRMS = {
    "hubspot": _Crm("HubSpot", hubspot.KINDS, hubspot.ID, hubspot.hubspot_account, hubspot.chunks),
    "salesforce": _Crm("Salesforce", salesforce.KINDS, salesforce.ID, salesforce.salesforce_account, salesforce.chunks),
}


def pull_into(
    name: str, folder: Path, environment: Mapping[str, str], progress: Progress | None, patience: Patience
) -> Pulled:
    """See ``features.sources.live.pull``."""
    crm = _CRMS[name]
    account = crm.account(environment)
    kept = folder.resolve() / _KEPT
    for other in _CRMS:
        if other != name and (kept / other).exists():
            raise SourceError(f"{folder}: holds what was pulled from {other}; name another folder for {name}")
    os.environ.update(_DLT | {"DLT_DATA_DIR": str(kept)})  # before dlt looks, which it does only once
    kept.mkdir(parents=True, exist_ok=True)
    report = progress or (lambda step, share: None)
    return _Pull(crm, folder, kept, _pipeline(name, kept), Connection(account, patience), report).run()


def _pipeline(name: str, kept: Path) -> dlt.Pipeline:
    """A pipeline that keeps batches of records in files of their own, by kind."""

    @dlt.destination(
        name="batches",
        batch_size=_BATCH,
        loader_file_format="typed-jsonl",
        naming_convention="direct",
        loader_parallelism_strategy="sequential",
        skip_dlt_columns_and_tables=True,
    )
    def batches(items: Any, table: TTableSchema) -> None:
        for kind in dict.fromkeys(item["kind"] for item in items):
            add_batch(kept / _BATCHES / kind, ((item["id"], item["record"]) for item in items if item["kind"] == kind))

    return dlt.pipeline(name, pipelines_dir=str(kept), destination=batches)


@dataclass
class _Pull:
    """One pull from a CRM into a folder."""

    crm: _Crm
    folder: Path
    kept: Path
    pipeline: dlt.Pipeline
    connection: Connection
    report: Progress
    left_out: dict[str, str] = field(default_factory=dict)

    def run(self) -> Pulled:
        """Pull round after round until nothing lies ahead of any kind, and bring the files up to date."""
        kinds = list(self.crm.kinds)
        while kinds:
            ahead = self._round(kinds)
            kinds = [kind for kind in kinds if ahead[kind].begun and kind not in self.left_out]
        name = self.pipeline.pipeline_name
        counts = {
            kind: merge_batches(self.kept / _BATCHES / kind, self.folder / f"{name}-{kind}.jsonl", self.crm.id_field)
            for kind in self.crm.kinds
        }
        self.report("pulling", 1.0)
        notes = tuple(f"{kind}: left out: {reason}" for kind, reason in self.left_out.items())
        return Pulled({kind: count for kind, count in counts.items() if count}, notes)

    def _round(self, kinds: list[str]) -> dict[str, Ahead]:
        """Ask for the next records of each kind and make all durable; returns what lies ahead of each then."""
        reached: dict[str, Ahead] = {}

        def records() -> Iterator[list[dict[str, str]]]:
            state = dlt.current.resource_state(_RECORDS)
            for kind in kinds:
                reached[kind] = Ahead(**state.get(kind, {}))
                for chunk in self._next(kind, reached[kind]):
                    reached[kind] = chunk.ahead
                    yield [
                        {"kind": kind, "id": str(record[self.crm.id_field]), "record": as_line(record)}
                        for record in chunk.records
                    ]
                state[kind] = asdict(reached[kind])

        columns: dict[str, TColumnSchema] = {name: {"data_type": "text"} for name in ("kind", "id", "record")}
        try:
            if self.pipeline.has_pending_data:  # of a round that was interrupted when all its records were there
                self.pipeline.normalize()
                self.pipeline.load()
            self.pipeline.run(dlt.resource(records, name=_RECORDS, columns=columns, max_table_nesting=0))
        except PipelineStepFailed as error:
            raise _reason(error) from None
        finally:
            (self.kept / self.pipeline.pipeline_name / "trace.pickle").unlink(missing_ok=True)
        return reached

    def _next(self, kind: str, ahead: Ahead) -> Iterator[Chunk]:
        """The next records of a kind; none, and a note, where the CRM does not let us read it or has none."""
        self.report(f"pulling {kind}", list(self.crm.kinds).index(kind) / len(self.crm.kinds))
        one = next(one for one in crms() if one.name == self.crm.name).object(self.crm.kinds[kind])
        try:
            for chunk in self.crm.chunks(self.connection, kind, one, ahead):
                began = ahead.began or self.connection.now
                further = replace(chunk.ahead, began=began) if chunk.ahead.begun else Ahead.next_time(began)
                yield Chunk(chunk.records, further)
        except (Forbidden, Missing) as error:
            self.left_out[kind] = str(error)


def _reason(error: BaseException) -> BaseException:
    """What went wrong, out of dlt's layers around it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, SourceError | OSError):
        cause = cause.__cause__ or cause.__context__
    return cause or error
