"""What training and watching found, as tables on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from features.terminal import console, new_table
from models.words import day, percent
from training.judging import Judged
from training.monitoring import Monitoring

DRIFTED_IN_TABLE = 10
"""Indicators that are named as drifted."""


def show_quality(judged: Mapping[int, Judged], where: str) -> None:
    """How well a model foretold some rows, beside the others."""
    for horizon, one in judged.items():
        names = list(next(iter(one.measured.values())))
        title = f"Lost within {horizon} days: {one.lost_accounts:,} of {one.accounts:,} accounts {where}"
        table = new_table("scored by", *(name.replace("_", " ") for name in names), title=title)
        for scorer, measured in one.measured.items():
            told = {name: f"{measured[name].value:.3f}" for name in names}
            told["auc"] += f" ({measured['auc'].low:.2f} to {measured['auc'].high:.2f})"
            table.add_row(scorer.replace("_", " "), *told.values())
        console().print(table)


def show_watched(found: Monitoring, version: str) -> None:
    """The months that were watched, what drifted in the last one, and how the risks fared."""
    horizon = found.usual_horizon
    title = f"Version {version} watched as of {day(found.as_of)}" + (" (simulated)" if found.simulated else "")
    columns = ("month", "scored", "drifted", "scores moved", "records an account", "without any", "recorded late")
    table = new_table(*columns, f"foreseen losses {horizon} d", f"foreseen AUC {horizon} d", "alarms", title=title)
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
    out = console()
    out.print(table)
    last = found.months[-1]
    if last.drifted:
        drifted = new_table(
            "drifted most", "known then", "now", "median then", "now", "distance", title=day(last.start)
        )
        for one in last.drifted[:DRIFTED_IN_TABLE]:
            shares = percent(one.known_then), percent(one.known_now)
            middles = (_figure(one.middle_then), _figure(one.middle_now), _figure(one.distance))
            drifted.add_row(one.column, *shares, *middles)
        out.print(drifted)
    realised = new_table("within", "months", "rows", "expected lost", "lost", "accounts", "lost / expected", "AUC")
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
        out.print(realised)
    else:
        out.print("No outcome is known yet of what was scored since the champion learned.")
    out.print("What is foreseen assumes that the risks are calibrated. Months are recomputed from what was known.")


def _figure(value: float, told: Callable[[float], str] = "{:.3g}".format) -> str:
    return "unknown" if value != value else told(value)


def _interval(estimate: Any) -> str:
    return "too few" if estimate is None else f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"
