"""Pictures of a model's quality for its run: reliability and gain, the model beside its baselines."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from features.histories.log import Array
from training.evaluation import calibration_bins, gain_curve


def reliability(risks: Mapping[str, Array], lost: Array, title: str) -> Figure:
    """Stated against observed risk in equal-mass bins, for each scorer; on the diagonal, risks mean what
    they say."""
    figure, axes = _square(title, "stated risk", "share that was lost")
    highest = 0.0
    for name, risk in risks.items():
        stated, observed, _ = calibration_bins(risk, lost)
        highest = max(highest, float(stated.max()), float(observed.max()))
        axes.plot(stated, observed, marker="o", label=name)
    axes.axline((0, 0), slope=1, color="grey", linestyle=":", linewidth=1)
    axes.set(xlim=(0, highest * 1.05), ylim=(0, highest * 1.05))
    axes.legend()
    return figure


def gain(risks: Mapping[str, Array], lost: Array, title: str) -> Figure:
    """Share of losses found among the first so many accounts, for each scorer's order."""
    figure, axes = _square(title, "share of rows, riskiest first", "share of losses found")
    for name, risk in risks.items():
        axes.plot(*gain_curve(risk, lost), label=name)
    axes.axline((0, 0), slope=1, color="grey", linestyle=":", linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    return figure


def _square(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=across, ylabel=up, aspect="auto")
    return figure, axes
