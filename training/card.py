"""The model card: what a model is for and not for, what it has learned from, how good it is, and where it ends.

After Mitchell et al., "Model Cards for Model Reporting" (2019). Written as Markdown from what the training knows, so
that nothing in it can be out of date; it lies with the run, and its summary stands beside the version in the registry.
"""

from __future__ import annotations

import html
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from features import settings
from features.catalogue import Entry, entries, folded
from features.chosen_settings import chosen
from features.histories.log import DAY
from features.matrix import indicators_of
from models.archive import Models
from training.audit import Audit
from training.evaluation import MEASURES, Estimate
from training.judging import RISK, Judged
from training.learned import what_is_lost

FEW_LOST = 30
"""Below so many lost accounts among the rows judged on, a card warns of a horizon's figures."""

_USES = """## Intended use

For the supplier whose records it was trained on: to rank its own clients by the risk of losing them, to see which
signals of the relationship speak for or against each, and to decide whom to look after first. A person reads the
reasons and decides.

It is not for other suppliers' clients, not for judging single people on either side, and not for decisions without a
person, such as ending a contract or setting a price. Its reasons are associations: bringing a signal back to its mark
need not bring the risk down.
"""

_UNKNOWN = """## What unknown means

A figure without enough evidence is missing: it is not zero and not bad. The model has learned what missing goes with,
and says "no evidence yet". A client of whom no risk can be told gets none, with the reason.
"""

_SHIPPED = "The registered model has learned from all outcomes known in these data. "

_JUDGED_LATER = (
    "What is measured below is the same way of making it, from the outcomes that were settled by {test_from}, on rows "
    "from then on."
)

_JUDGED_ACROSS = (
    "There were too few losses to keep some for a later test: what is measured below is the same way of making it, "
    "each account foretold by what was learned from the others over the same span of time. How it does in a time to "
    "come was not measured."
)


def own_settings() -> dict[str, Any]:
    """The settings that the user chose otherwise than we did, as now in force."""
    file = os.environ.get(settings.VARIABLE)
    return chosen(Path(file), vars(settings)) if file else {}


def model_card(
    models: Models,
    judged: Mapping[int, Judged],
    messages: Sequence[str] = (),
    audit: Audit | None = None,
    settings_chosen: Mapping[str, Any] | None = None,
) -> str:
    """The card of models with the judgement of their making, as Markdown.

    ``messages`` are what the training had to say, ``settings_chosen`` is what ``own_settings`` gives.
    """
    parts = [
        "# Model card: who is about to leave",
        summary(models, judged),
        _USES,
        "\n".join(_data(models)),
        "\n".join(_quality(judged)),
        "\n".join(_limits(models, judged, messages)),
        _UNKNOWN,
        "\n".join(["## Leak audit", "", *_listed(_findings(audit))]),
        "\n".join(_making(models, settings_chosen or {})),
        "\n".join(_marks(entries(indicators_of(models.reference)))),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def summary(models: Models, judged: Mapping[int, Judged]) -> str:
    """The model in a few sentences: what stands beside its version in the registry."""
    risk, data = models.risk, models.meta["data"]
    span = " to ".join(moment[:10] for moment in data["span"])
    ranked = ", ".join(
        f"{horizon} days {_interval(one.measured[RISK]['auc'], 2)}" for horizon, one in sorted(judged.items())
    )
    where = "accounts held out" if models.meta["test_from"] is None else "later rows"
    return (
        f"{'**Simulated data: says nothing of real clients.** ' if data['simulated'] else ''}"
        f"Foretells {_safe(what_is_lost(models))} within {', '.join(map(str, risk.horizons))} days, "
        f"from {len(risk.columns)} figures of each client's history. Records from {span}. "
        f"AUC on {where}: {ranked}."
    )


def _data(models: Models) -> Iterator[str]:
    data, counts = models.meta["data"], models.meta["counts"]
    yield "## What it has learned from"
    yield ""
    yield f"- Records from {' to '.join(data['span'])}; what came later than {data['learned_until']} is new to it"
    yield f"- SHA-256 of the data: `{data['sha256']}`"
    yield f"- Simulated: {'yes' if data['simulated'] else 'no'}"
    yield from (f"- {name.replace('_', ' ').capitalize()}: {number:,}" for name, number in counts.items())
    yield f"- Lost means: {_safe(what_is_lost(models))}"
    yield ""
    test_from = models.meta["test_from"]
    yield _SHIPPED + (_JUDGED_ACROSS if test_from is None else _JUDGED_LATER.format(test_from=test_from))


def _quality(judged: Mapping[int, Judged]) -> Iterator[str]:
    yield "## How good it is"
    yield ""
    yield (
        "Each measure with its 95 % interval (bootstrap over accounts), the model (*risk*) beside plain baselines on "
        "the same rows; lead is the model's AUC less the baseline's. *ece* is the calibration error: how far stated "
        "and observed risk lie apart on average."
    )
    for horizon, one in sorted(judged.items()):
        yield ""
        yield f"### Lost within {horizon} days"
        yield ""
        yield (
            f"{one.rows:,} rows of {one.accounts:,} accounts, of which {one.lost_accounts:,} were lost "
            f"({one.lost_rows:,} rows)."
        )
        yield ""
        yield _row("scored by", *(name.replace("_", " ") for name in MEASURES), "lead")
        yield _row(*["---"] * (len(MEASURES) + 2))
        for scorer, measured in one.measured.items():
            lead = _interval(one.leads[scorer]["auc"], 3) if scorer in one.leads else ""
            yield _row(scorer.replace("_", " "), *(_interval(measured[name], 3) for name in MEASURES), lead)


def _limits(models: Models, judged: Mapping[int, Judged], messages: Sequence[str]) -> Iterator[str]:
    yield "## Where it ends"
    yield ""
    if models.meta["data"]["simulated"]:
        yield "- The data are simulated: what it reaches here says nothing of real clients."
    for horizon, one in sorted(judged.items()):
        if one.lost_accounts < FEW_LOST:
            yield (
                f"- Within {horizon} days only {one.lost_accounts} accounts were lost among those it was judged on: "
                "its figures are rough, as their intervals show."
            )
        equals = [name.replace("_", " ") for name, lead in one.leads.items() if not lead["auc"].low > 0]
        if equals:
            yield f"- Within {horizon} days it does not surely rank better than {', '.join(equals)}."
    yield f"- It has seen nothing after {models.meta['data']['learned_until']}; how clients behave may change."
    yield "- Risks are of leaving as lost is defined; other ends are left out, as if they did not happen."
    if messages:
        yield ""
        yield "What the training said:"
        yield ""
        yield from _listed(messages)


def _findings(audit: Audit | None) -> list[str]:
    if audit is None:
        return ["None was made."]
    verdicts = {True: "passed", False: "FAILED", None: "could not be made"}
    return [f"{check.name.replace('_', ' ')}, {verdicts[check.passed]}: {check.sentence}" for check in audit.checks]


def _making(models: Models, settings_chosen: Mapping[str, Any]) -> Iterator[str]:
    yield "## How it was made"
    yield ""
    risk = models.risk
    yield f"- Columns: {len(risk.columns)}, fingerprint `{risk.fingerprint}`"
    yield (
        f"- Score: {risk.blend.trees_weight:.2f} × trees + {risk.blend.linear_weight:.2f} × linear model; intervals "
        f"from {len(risk.members)} models that learned from accounts drawn again"
    )
    for name, value in asdict(risk.settings).items():
        yield f"- {name.replace('_', ' ').capitalize()}: {_plain(value)}"
    if not settings_chosen:
        yield "- Settings: as they come (`features/settings.py`)"
        return
    for name, value in sorted(settings_chosen.items()):
        told = ", ".join(f"{key} {_plain(one)}" for key, one in value.items()) if isinstance(value, dict) else value
        yield f"- Setting chosen by the user: {name.lower()} = {_setting(name, told)}"


def _marks(rows: Sequence[Entry]) -> Iterator[str]:
    """The marks in force, one for each figure that has one."""
    marked = [row.first for row in folded(rows) if row.first.mark]
    documented = sum(one.origin == "documented" for one in marked)
    yield "## Marks used"
    yield ""
    yield (
        f"What a strong relationship reaches: {documented} marks as documented, {len(marked) - documented} of our own "
        "choice or the user's. The model does not use them; reasons, scorecards and warmth do."
    )
    yield ""
    yield _row("figure", "mark", "unit", "origin")
    yield _row(*["---"] * 4)
    yield from (_row(f"`{one.id}.{one.name}`", f"`{one.mark}`", one.unit, one.origin) for one in marked)


def _setting(name: str, value: Any) -> str:
    """A setting as the user writes it: times in days.

    >>> _setting("PROMPTED_WITHIN", 21 * 86_400), _setting("MINIMUM_OBSERVATIONS", 4)
    ('21 days', '4')
    """
    usual = getattr(settings, name)
    is_time = isinstance(usual, int) and usual >= DAY // 24
    return f"{value / DAY:g} days" if is_time else _plain(value)


def _interval(estimate: Estimate, digits: int) -> str:
    """Value and interval; a dash where it is not defined.

    >>> _interval(Estimate(0.8123, 0.75, 0.86), 2), _interval(Estimate(math.nan, math.nan, math.nan), 2)
    ('0.81 (0.75 to 0.86)', '–')
    """
    if not math.isfinite(estimate.value):
        return "–"
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(lines: Sequence[str]) -> list[str]:
    return [f"- {_safe(line)}" for line in lines]


def _safe(text: str) -> str:
    """Text that may hold the user's own words, without any HTML."""
    return html.escape(text, quote=False)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
