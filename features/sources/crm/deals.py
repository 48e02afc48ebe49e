"""Deals: how they ended, by the CRM's own flags, and from when that could be known.

The rules:

- A deal is won or lost as the CRM flags it; without flags as its stage is known to mean. The present stage says nothing
  of earlier times: before its outcome was known a deal was open.
- It closed on its close date. Where that is missing, when the CRM noted the change to the present stage; where that is
  missing too, the deal is turned away. Close dates of open deals are expectations and left out.
- Its outcome is known from its close date, or from the change to the present stage where the CRM notes that and it came
  later, and never before the deal was entered. A day without a time counts from its end. The last modification does not
  count: it moves with every later touch, so that outcomes would stay hidden of just those accounts that live on.
- A deal that closed before it was opened was entered afterwards: it was opened when it closed at the latest, and is
  known from its entry on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.columns import Reject
from features.sources.crm.definitions import Crm, Options, folded, lost_reasons
from features.sources.crm.rows import UNKNOWN, Batch, Rows, currencies, each
from features.sources.readers import Array

_OUTCOMES = ("won", "lost", "open")
_TOLD_STAGES = 5
_END = re.compile("end|expir|renew|until|ablauf|verläng", re.IGNORECASE)
NO_CLOSE_DATE = "the date on which it was won or lost (the export has none, nor when its stage was changed)"


@dataclass
class Deals:
    """Works out deals and remembers what a user should know of them."""

    crm: Crm
    options: Options
    contracts: Mapping[str, tuple[int, int]]
    currency: str
    counts: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    undated: int = 0
    closed: int = 0
    with_end: int = 0

    def settle(self, rows: Rows) -> tuple[Rows, list[Reject]]:
        """Fill in outcomes, times and money; returns the rows that stay and why others do not."""
        outcome = self._outcomes(rows)
        ended = (outcome == "won") | (outcome == "lost")
        changed = np.where(ended, rows.time("changed_at"), UNKNOWN)
        closed = np.where(ended, rows.time("closed_at"), UNKNOWN)
        day = rows.day("closed_at") & (closed != UNKNOWN)
        undated = ended & (closed == UNKNOWN) & (changed == UNKNOWN)
        closed = np.where(closed == UNKNOWN, changed, closed)
        opened = rows.time("opened_at")
        within = day & (closed < opened) & (opened < closed + 86_400)
        latest = np.where(day, closed + 86_399, closed)
        closed = np.where(within, opened, closed)
        backwards = (closed != UNKNOWN) & (opened != UNKNOWN) & (closed < opened)
        self.counts["deals entered after they had closed"] += int(backwards.sum())
        self.undated += int((ended & (rows.time("changed_at") == UNKNOWN) & ~undated).sum())
        self.closed += int((ended & ~undated).sum())

        rows.times["opened_at"] = np.where(backwards, closed, opened)
        rows.times["closed_at"] = closed
        rows.times["outcome_recorded_at"] = np.where(ended, np.maximum(latest, changed), UNKNOWN)
        rows.texts["outcome"] = pa.array(outcome, pa.string())
        self._reasons(rows, outcome)
        self._money(rows)
        self._contracts(rows)
        rejects = [
            Reject(rows.batch.file, int(rows.batch.numbers[place]), "closed_at", "", NO_CLOSE_DATE)
            for place in np.flatnonzero(undated)
        ]
        rows = rows.where(~undated)
        self.with_end += int((rows.time("ends_on") != UNKNOWN).sum())
        return rows, rejects

    def _outcomes(self, rows: Rows) -> Array:
        outcome = rows.values("outcome")
        outcome[~np.isin(outcome, _OUTCOMES)] = ""
        won, lost, closed = rows.flag("won"), rows.flag("lost"), rows.flag("closed")
        outcome[closed == 0] = "open"
        outcome[(lost == 1) | ((closed == 1) & (won == 0))] = "lost"
        outcome[won == 1] = "won"
        stages = rows.values("stage")
        means = {**self.crm.stages, **self.options.stages}
        for place in np.flatnonzero(outcome == ""):
            stage = str(stages[place])
            # HubSpot adds the pipeline: "Closed won (Sales Pipeline)".
            outcome[place] = means.get(stage.casefold()) or means.get(stage.split(" (")[0].casefold(), "")
            if not outcome[place] and stage:
                self.stages[stage] += 1
        return outcome

    def _reasons(self, rows: Rows, outcome: Array) -> None:
        lost = pa.array(outcome == "lost")
        if "lost_reason" in rows.texts:
            known = lost_reasons()
            reasons = each(rows.texts["lost_reason"], lambda text: known.get(folded(text), "other") if text else "")
            rows.texts["lost_reason"] = pc.if_else(lost, reasons, "")
        if "lost_to" in rows.texts:
            rows.texts["lost_to"] = pc.if_else(lost, rows.texts["lost_to"], "")

    def _money(self, rows: Rows) -> None:
        """The amount in the CRM's own currency, else as it stands, if that is in the currency that counts."""
        amount, home = rows.number("amount"), rows.number("home_amount")
        currency = rows.values("currency") if "currency" in rows.texts else _written_currencies(rows)
        other = np.array([bool(one) and one.upper() != self.currency for one in currency], dtype=bool)
        foreign = other & ~np.isnan(amount) & np.isnan(home)
        self.counts[f"amounts in other currencies than {self.currency}"] += int(foreign.sum())
        rows.numbers["amount"] = np.where(np.isnan(home), np.where(foreign, np.nan, amount), home)

    def _contracts(self, rows: Rows) -> None:
        """Starts and ends of deals that hold none, from the contracts that they name."""
        if "contract" not in rows.texts:
            return
        named = [self.contracts.get(one, (UNKNOWN, UNKNOWN)) for one in rows.texts["contract"].to_pylist()]
        for name, found in zip(("starts_on", "ends_on"), np.array(named, np.int64).reshape(-1, 2).T, strict=True):
            own = rows.time(name)
            rows.times[name] = np.where(own == UNKNOWN, found, own)

    def notes(self, dates: Iterable[str]) -> list[str]:
        """What a user should know of the deals read; ``dates`` are custom fields that were left out."""
        told = []
        if self.stages:
            most = ", ".join(f"{stage!r} ({times:,})" for stage, times in self.stages.most_common(_TOLD_STAGES))
            told.append(
                f"deals: the outcome of {self.stages.total():,} is unknown, for the export flags none and their stages "
                f"are your own: {most}; declare what they mean: [crm] stages"
            )
        if self.undated:
            told.append(
                f"deals: {self.undated:,} of {self.closed:,} closed ones do not tell when they were marked as closed; "
                "their outcomes count from their close dates, which users of the CRM can set back"
            )
        if not self.with_end:
            likely = [name for name in sorted(dates) if _END.search(name)]
            which = f"perhaps {' or '.join(map(repr, likely))}; " if likely else ""
            told.append(
                "deals: none has the end of its contract (ends_on), so that accounts cannot be judged by their "
                f"contracts; name the field that holds it ([crm.deals] ends_on = ...; {which}else use the definition "
                "silence)"
            )
        return told


def usual_currency(batches: Iterable[Batch]) -> str:
    """The currency of most deals, "" if none is told."""
    found = Counter[str]()
    for batch in batches:
        for name in ("currency", "amount"):
            column = next((one for one in _sources(batch, name) if one in batch.columns), "")
            if column:
                values = batch.columns[column] if name == "currency" else currencies(batch.columns[column])
                for each_one in pc.value_counts(values).to_pylist():
                    found[each_one["values"].upper()] += each_one["counts"]
                break
    found.pop("", None)
    return min(found, key=lambda one: (-found[one], one)) if found else ""


def _sources(batch: Batch, name: str) -> list[str]:
    """The source columns from which deals of a batch take a column."""
    sections = [part.section for part in batch.object.parts if part.section and part.section.table.name == "deals"]
    return [column for one in sections if name in one.origins for column in one.origins[name].columns]


def _written_currencies(rows: Rows) -> Array:
    column = next((name for name in _sources(rows.batch, "amount") if name in rows.batch.columns), "")
    if not column:
        return np.full(len(rows), "", dtype=object)
    return np.array(currencies(rows.batch.columns[column]).to_pylist(), dtype=object)
