"""What the sources of a store declare of the data set, batch after batch, and what holds of all of them together."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from features.histories.tables import Dataset
from features.sources.declarations import Declarations
from features.sources.files import dataset_document, dataset_of


def as_text(declarations: Declarations) -> str:
    """Declarations as JSON, the same for the same ones."""
    document = dataset_document(declarations.dataset, {})
    document |= {"group": declarations.group, "ends": None if declarations.ends is None else dict(declarations.ends)}
    return json.dumps(document, sort_keys=True)


def from_text(text: str) -> Declarations:
    """The reverse of ``as_text``."""
    document = json.loads(text)
    return Declarations(dataset_of(document), document["group"], document["ends"])


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


def ending_by(declared: Declarations, moment: int) -> Declarations:
    """The declarations with no observation beyond a moment (UTC seconds), where they say how long it lasts."""
    dataset = declared.dataset
    until = dataset.observed_until
    dataset = replace(
        dataset,
        observed_until=None if until is None else min(until, moment),
        observed_until_by={account: min(end, moment) for account, end in dataset.observed_until_by.items()},
    )
    ends = None if declared.ends is None else {name: min(end, moment) for name, end in declared.ends.items()}
    return replace(declared, dataset=dataset, ends=ends)
