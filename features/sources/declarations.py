"""What a data set says of itself: the ``[dataset]`` of ``dataset.toml`` or of a mapping, and what follows from it.

::

    [dataset]
    observed_from = 2019-01-01                 # a date, or a date-time with its offset
    observed_until = 2024-06-30
    records = ["message", "call", "meeting"]   # kinds recorded: only of these is a count of zero a fact
    static = ["x_region"]                      # own columns of accounts that never change
    directions = { x_satisfaction = "up" }     # own columns of which more ("up") or less ("down") is better
    simulated = false
    observed_until_per = "our_contact_id"      # observation of a group ends with its last event ...
    # ... or where a file says: its columns are the group's and observed_until
    # observed_until_by = { column = "our_contact_id", file = "ends.csv" }
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import encoded, indices
from features.histories.columns import OWN_PREFIX, Column
from features.histories.tables import INTERACTIONS, KINDS, Dataset, Direction
from features.sources.files import is_canonical, read_dataset
from features.sources.mapping import check_keys, read_toml
from features.sources.readers import Array, SourceError, read_chunks

DECLARATION_FILE = "dataset.toml"

_KEYS = (
    "observed_from",
    "observed_until",
    "observed_until_per",
    "observed_until_by",
    "records",
    "static",
    "directions",
    "simulated",
)
_TIME = Column("observed_until", "time", "")
_NEVER_SEEN = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Declarations:
    """A data set's declarations, and by which column of interactions accounts are observed together.

    ``ends`` holds the end of each group as given; None means that each ends with its last event.
    """

    dataset: Dataset
    group: str = ""
    ends: Mapping[str, int] | None = field(default=None)


def read_declarations(source: Path, declared: Mapping[str, Any]) -> Declarations:
    """The declarations of a source folder; those of a mapping go before those of the folder. Raises SourceError."""
    base = read_dataset(source) if is_canonical(source) else Dataset()
    file = source / DECLARATION_FILE
    document = read_toml(file) if file.exists() else {}
    check_keys(document, ("dataset",), DECLARATION_FILE)
    own = document.get("dataset", {})
    check_keys(own, _KEYS, f"{DECLARATION_FILE} [dataset]")
    check_keys(declared, _KEYS, "the mapping's [dataset]")
    merged = {**own, **declared}
    dataset = replace(
        base,
        observed_from=_time(merged, "observed_from", base.observed_from),
        observed_until=_time(merged, "observed_until", base.observed_until),
        records=_records(merged, base.records),
        static=_static(merged, base.static),
        directions=_directions(merged, base.directions),
        simulated=_truth(merged, base.simulated),
    )
    if "observed_until_per" in merged and "observed_until_by" in merged:
        raise SourceError("[dataset]: declare observed_until_per or observed_until_by, not both")
    if "observed_until_by" in merged:
        return _given_ends(source, merged["observed_until_by"], dataset)
    return Declarations(dataset, _group(merged.get("observed_until_per", ""), "observed_until_per"))


def _time(declared: Mapping[str, Any], key: str, otherwise: int | None) -> int | None:
    if key not in declared:
        return otherwise
    try:
        return int(_TIME.convert(declared[key]))
    except (ValueError, TypeError):
        raise SourceError(f"[dataset] {key}: {declared[key]} is not {_TIME.expected}") from None


def _records(declared: Mapping[str, Any], otherwise: frozenset[str] | None) -> frozenset[str] | None:
    if "records" not in declared:
        return otherwise
    kinds = declared["records"]
    if not isinstance(kinds, list) or any(kind not in KINDS for kind in kinds):
        raise SourceError(f"[dataset] records: {kinds!r} must be a list of kinds out of {', '.join(KINDS)}")
    return frozenset(kinds)


def _static(declared: Mapping[str, Any], otherwise: frozenset[str]) -> frozenset[str]:
    if "static" not in declared:
        return otherwise
    names = declared["static"]
    if not isinstance(names, list) or not all(isinstance(name, str) and name.startswith(OWN_PREFIX) for name in names):
        raise SourceError(f"[dataset] static: {names!r} must be a list of columns that begin with {OWN_PREFIX}")
    return frozenset(names)


def _directions(declared: Mapping[str, Any], otherwise: Mapping[str, Direction]) -> Mapping[str, Direction]:
    if "directions" not in declared:
        return otherwise
    given = declared["directions"]
    if not isinstance(given, dict) or any(
        not name.startswith(OWN_PREFIX) or better not in ("up", "down") for name, better in given.items()
    ):
        raise SourceError(
            f'[dataset] directions: {given!r} must say "up" or "down" of columns that begin with {OWN_PREFIX}'
        )
    return given


def _truth(declared: Mapping[str, Any], otherwise: bool) -> bool:
    simulated = declared.get("simulated", otherwise)
    if not isinstance(simulated, bool):
        raise SourceError(f"[dataset] simulated: {simulated!r} must be true or false")
    return simulated


def _group(name: Any, key: str) -> str:
    allowed = [column.name for column in INTERACTIONS.columns if column.type == "id"]
    if name and name not in allowed and not str(name).startswith(OWN_PREFIX):
        raise SourceError(f"[dataset] {key}: {name!r} must be one of {', '.join(allowed)} or begin with {OWN_PREFIX}")
    return str(name)


def _given_ends(source: Path, declared: Any, dataset: Dataset) -> Declarations:
    if not isinstance(declared, dict) or declared.keys() != {"column", "file"}:
        raise SourceError("[dataset] observed_until_by: must be { column = ..., file = ... }")
    group, path = _group(declared["column"], "observed_until_by"), source / str(declared["file"])
    if not path.is_file():
        raise SourceError(f"[dataset] observed_until_by: there is no file {path.name} in the source folder")
    ends: dict[str, int] = {}
    for chunk in read_chunks(path, lambda names: {group, "observed_until"} & set(names)):
        if len(chunk.numbers) and chunk.columns.keys() != {group, "observed_until"}:
            raise SourceError(f"{path.name}: must have the columns {group} and observed_until")
        values = (chunk.columns[name].to_pylist() for name in (group, "observed_until") if len(chunk.numbers))
        for number, name, value in zip(chunk.numbers, *values, strict=False):
            try:
                ends[str(name)] = int(_TIME.convert(value))
            except (ValueError, TypeError):
                raise SourceError(
                    f"{path.name}: row {number}, column observed_until: {value!r} is not {_TIME.expected}"
                ) from None
    return Declarations(dataset, group, ends)


def together(declared: Iterable[Declarations]) -> Declarations:
    """What holds after all of these, in the order in which they came.

    Kinds recorded, static columns and directions add up; when observation begins and ends is what was declared last;
    what is simulated in part is simulated.
    """
    whole = Declarations(Dataset())
    for one in declared:
        whole = _after(whole, one)
    return whole


def _after(whole: Declarations, one: Declarations) -> Declarations:
    before, now = whole.dataset, one.dataset
    ends = one if one.group or now.observed_until_by else whole
    records = before.records if now.records is None else (before.records or frozenset()) | now.records
    dataset = replace(
        before,
        observed_from=before.observed_from if now.observed_from is None else now.observed_from,
        observed_until=before.observed_until if now.observed_until is None else now.observed_until,
        observed_until_by=ends.dataset.observed_until_by,
        records=records,
        static=before.static | now.static,
        directions={**before.directions, **now.directions},
        simulated=before.simulated or now.simulated,
    )
    return Declarations(dataset, ends.group, ends.ends)


def event_times(interactions: pa.Table) -> Array:
    """int64 (rows,): until when each row shows that records were kept.

    That is when it happened, but of what was entered beforehand (a meeting to come) when it was entered.
    """
    at = interactions["at"].cast(pa.int64())
    if "recorded_at" not in interactions.column_names:
        return np.asarray(at.to_numpy())
    return np.asarray(pc.min_element_wise(at, interactions["recorded_at"].cast(pa.int64())).to_numpy())


def resolved(declarations: Declarations, interactions: pa.Table) -> Dataset:
    """The data set with the end of observation of each account worked out from its groups' ends.

    An account seen by several groups is observed as long as the last of them, and never beyond the data set's own end.
    """
    dataset, group = declarations.dataset, declarations.group
    if not group:
        return dataset
    if group not in interactions.column_names:
        raise SourceError(f"[dataset]: accounts are observed by {group}, but interactions have no such column")
    groups, accounts = encoded(interactions[group].cast(pa.string())), encoded(interactions["account_id"])
    member, account = indices(groups), indices(accounts)
    end = np.full(len(groups.dictionary) + 1, _NEVER_SEEN)
    if declarations.ends is None:
        np.maximum.at(end, member, event_times(interactions))
    else:
        end[:-1] = [declarations.ends.get(name, _NEVER_SEEN) for name in groups.dictionary.to_pylist()]
    end[-1] = _NEVER_SEEN
    until = np.full(len(accounts.dictionary), _NEVER_SEEN)
    np.maximum.at(until, account, end[member])
    if dataset.observed_until is not None:
        until = np.minimum(until, dataset.observed_until)
    names = accounts.dictionary.to_pylist()
    return replace(
        dataset,
        observed_until_by={names[place]: int(until[place]) for place in np.flatnonzero(until != _NEVER_SEEN)},
    )
