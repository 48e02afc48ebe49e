"""What the sources of a store declare of the data set, batch after batch, and what holds of all of them together."""

from __future__ import annotations

import json
from dataclasses import replace

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
