"""Pictures of a model's quality for its run: reliability, gain, stability over time, learning curve."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.evaluation import Estimate
from training.reliability import Bin

MODEL, OTHERS = "#12454f", ("#c46a1c", "#7d5ba6", "#2f7f4f", "#a33a5b", "#6b6f76", "#3f74b5")
"""The colour of the model, and those of the other scorers in turn."""

_PALE = "#dcd8cf"
_TICKS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def reliability(bins: Sequence[Bin], title: str) -> Figure:
    """Stated against observed risk in equal-mass bins, with intervals; on the diagonal, risks mean what they say.

    The axes grow as square roots, so that small risks, which most accounts have, can be told apart.
    """
    figure, axes = _square(title, "stated risk", "share that was lost")
    stated = np.array([one.stated for one in bins])
    observed = [one.observed for one in bins]
    axes.axline((0, 0), slope=1, color="grey", linestyle=":", linewidth=1)
    _with_intervals(axes, stated, observed, MODEL, "o")
    highest = max([*stated, *(one.high if math.isfinite(one.high) else one.value for one in observed)])
    ticks = [tick for tick in _TICKS if tick <= highest * 1.1]
    for scale, limits, places in (
        (axes.set_xscale, axes.set_xlim, axes.set_xticks),
        (axes.set_yscale, axes.set_ylim, axes.set_yticks),
    ):
        scale("function", functions=(_root, np.square))
        limits(0, highest * 1.1)
        places(ticks, [f"{100 * tick:g} %" for tick in ticks])
    return figure


def gain(gains: Mapping[str, Sequence[float]], shares: Sequence[float], title: str) -> Figure:
    """Share of losses found among the first so many rows, for each scorer's order, the model's first."""
    figure, axes = _square(title, "share of rows, riskiest first", "share of losses found")
    axes.axline((0, 0), slope=1, color="grey", linestyle=":", linewidth=1)
    for place, (name, found) in enumerate(gains.items()):
        colour, width = (MODEL, 2.4) if place == 0 else (OTHERS[(place - 1) % len(OTHERS)], 1.1)
        axes.plot(shares, found, label=name, color=colour, linewidth=width, zorder=3 if place == 0 else 2)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.legend(frameon=False)
    return figure


def stability(periods: Mapping[str, Sequence[tuple[str, float, Estimate, Estimate]]]) -> Figure:
    """For each heading (a horizon), over spans of time told by their label, mean stated risk, share observed and AUC:
    the AUC above, stated (line) and observed risk (dots) below."""
    figure = Figure(figsize=(3.1 * len(periods), 5.2), layout="constrained")
    grid = figure.subplots(2, len(periods), squeeze=False, sharey="row")
    for (heading, spans), above, below in zip(periods.items(), *grid, strict=True):
        place = np.arange(len(spans))
        above.set_title(heading, fontsize=10)
        above.axhline(0.5, color="grey", linestyle=":", linewidth=1)
        _with_intervals(above, place, [auc for *_, auc in spans], MODEL, "o-")
        below.step(place, [stated for _, stated, *_ in spans], where="mid", color=OTHERS[0], label="stated")
        _with_intervals(below, place, [observed for _, _, observed, _ in spans], MODEL, "o", "observed")
        below.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        for axes in (above, below):
            axes.grid(axis="y", color=_PALE, linewidth=0.7)
            axes.set_xlim(-0.5, max(len(spans), 1) - 0.5)
            axes.set_xticks(place, [""] * len(spans))
        below.set_xticks(place, [label[:7] for label, *_ in spans], rotation=30, fontsize=8)
    grid[0, 0].set_ylabel("AUC")
    grid[1, 0].set(ylabel="share lost")
    grid[1, 0].set_ylim(bottom=0)
    grid[1, 0].legend(frameon=False, fontsize=8)
    return figure


def learning(curves: Mapping[str, Sequence[tuple[float, Estimate]]]) -> Figure:
    """AUC against the share of the accounts that was learned from, a line for each heading (a horizon)."""
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for place, (heading, points) in enumerate(curves.items()):
        shares = np.array([share for share, _ in points]) + 0.008 * (place - (len(curves) - 1) / 2)
        _with_intervals(axes, shares, [auc for _, auc in points], (MODEL, *OTHERS)[place % 7], "o-", heading)
    axes.set(xlabel="share of the accounts learned from", ylabel="AUC on the test", xlim=(0, 1.08))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.grid(axis="y", color=_PALE, linewidth=0.7)
    figure.legend(loc="outside upper center", ncols=len(curves), frameon=False)
    return figure


def as_address(figure: Figure) -> str:
    """The figure as an SVG in a data address, so that a page can hold it."""
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "rapport", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _with_intervals(
    axes: Axes, place: np.ndarray, values: Sequence[Estimate], colour: str, form: str, label: str = ""
) -> None:
    """Values with their intervals as bars, where they have one."""
    value = np.array([one.value for one in values])
    arms = np.array([[one.value - one.low, one.high - one.value] for one in values]).T.reshape(2, -1)
    axes.errorbar(
        place,
        value,
        np.nan_to_num(arms.clip(0)),
        fmt=form,
        color=colour,
        label=label,
        elinewidth=1,
        capsize=2,
        markersize=4,
    )


def _root(values: np.ndarray) -> np.ndarray:
    """The square root, 0 below 0: the scale is asked about margins, too."""
    return np.asarray(np.sqrt(np.clip(values, 0, None)))


def _square(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=across, ylabel=up, aspect="auto")
    axes.grid(color=_PALE, linewidth=0.7)
    return figure, axes
