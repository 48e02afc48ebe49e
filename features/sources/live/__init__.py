"""Pulling from a CRM over its API into files that the import reads (see ``docs/live.md``); needs ``rapport[crm]``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from features.sources.readers import SourceError
from features.sources.source import Progress

CRMS = ("hubspot", "salesforce")


@dataclass(frozen=True)
class Pulled:
    """What a pull brought: by kind of record how many were new or changed; and what a user should know."""

    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Patience:
    """How a pull waits where the CRM asks for it or fails.

    ``attempts`` in all for each request, ``longest`` seconds between two, ``factor`` seconds before the second (doubled
    each time) where the CRM does not say how long.
    """

    attempts: int = 7
    longest: float = 120.0
    factor: float = 1.0


def pull(
    crm: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    patience: Patience = Patience(),
) -> Pulled:
    """Bring the files of a folder up to date with a CRM ("hubspot" or "salesforce").

    What was pulled before is not asked for again, and a pull that was interrupted goes on. ``environment`` holds the
    address and the secrets (default: that of the process). Raises SourceError if the CRM cannot be asked or refuses,
    OSError if it cannot be reached; what was pulled until then is kept.
    """
    if crm not in CRMS:
        raise SourceError(f"{crm!r} cannot be pulled; {' and '.join(CRMS)} can")
    try:
        from features.sources.live.pulling import pull_into
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "dlt":
            raise
        raise SourceError("to pull from a CRM, install what it needs: pip install 'rapport[crm]'") from None
    return pull_into(crm, folder, os.environ if environment is None else environment, progress, patience)
