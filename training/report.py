"""The evaluation report of a run, in two pure steps: what was judged → plain words and numbers → one page.

``document`` is everything as JSON data (kept as `evaluation.json`); ``page`` decides what is said of it and how;
``render`` lays it out. The page needs no network and no script, and whatever comes from the data is escaped. What each
figure means is told in `docs/judging.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jinja2

from models.risk import EXPLAINED
from training.evaluation import LOWER_IS_BETTER
from training.judging import GAIN_SHARES, RISK, Evaluation, called, plain
from training.segments import FEW

Data = Mapping[str, Any]
"""A part of the document."""

NO_INTERVAL_BELOW, ROUGH_BELOW = 10, 30
"""Lost accounts of a test below which no interval is told, and below which one is said to be rough."""

SHOWN_GAINS = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of the rows at which gain and lift are told."""

TITLES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "lift_top_decile": "lift, top decile",
    "brier": "Brier score",
    "log_loss": "log loss",
    "ece": "calibration error",
}

STAGE_TITLES = {
    "kappa": "quadratic-weighted kappa",
    "rps": "ranked probability score",
    "coverage": "sets that hold the stage",
    "set_size": "stages in a set",
}

STAGE_SCORERS = {"ordinal": "the model", "nominal": "nominal classifier", "structural": "structural rule"}

LESS_IS_BETTER = LOWER_IS_BETTER | {"rps"}

DEFINITIONS = {
    "contract": "a renewal is lost, or a contract ends and none follows within 60 days",
    "silence": "the client sends nothing of its own for as long as the horizon",
}


def document(
    evaluation: Evaluation,
    definition: str,
    meta: Data,
    parameters: Data,
    messages: Sequence[str],
    stage: Data | None = None,
    audit: Data | None = None,
) -> dict[str, Any]:
    """Everything judged as plain JSON data; what is undefined is null.

    ``meta`` is that of the archive (data; test_from, None where the model was judged across accounts; counts),
    ``parameters`` those of the run, ``messages`` what the training had to say; ``stage`` and ``audit`` are the
    documents of ``training.stage_judging`` and ``training.audit``.
    """
    horizons = {
        str(horizon): plain(asdict(judged) | asdict(evaluation.details[horizon]))
        for horizon, judged in evaluation.judged.items()
    }
    return {
        "definition": definition,
        "data": plain(meta["data"]),
        "test_from": meta["test_from"],
        "counts": plain(meta["counts"]),
        "parameters": plain(parameters),
        "messages": list(messages),
        "gain_shares": GAIN_SHARES.tolist(),
        "horizons": horizons,
        "learning": None if evaluation.learning is None else [plain(asdict(point)) for point in evaluation.learning],
        "stage": stage,
        "audit": audit,
        "seconds": plain(evaluation.seconds),
    }


def render(page: Data) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("training", "web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("evaluation.html").render(page=page)


def page(document: Data, images: Mapping[str, str]) -> dict[str, Any]:
    """What the page says; ``images`` are the run's pictures by file name, as addresses that a page can hold."""
    horizons: Mapping[str, Data] = document["horizons"]
    usual = min(horizons, key=lambda days: abs(int(days) - EXPLAINED))
    widest = max(
        (
            abs(bound)
            for one in horizons.values()
            for lead in one["leads"].values()
            for bound in _bounds(lead["auc"]) or ()
        ),
        default=1.0,
    )
    return {
        "title": "Evaluation of the risk model",
        "simulated": document["data"]["simulated"],
        "headline": _headline(usual, horizons[usual]),
        "lead": _lead(document),
        "verdicts": [_verdict(days, one, widest) for days, one in horizons.items()],
        "measures": [_measures(days, one) for days, one in horizons.items()],
        "calibration": [_calibration(days, one, images) for days, one in horizons.items()],
        "gains": [_gains(days, one, document["gain_shares"], images) for days, one in horizons.items()],
        "caught": [_value(days, one) for days, one in horizons.items()],
        "usual": usual,
        "segments": [_segments(days, one) for days, one in horizons.items()],
        "few": FEW,
        "periods": [{"days": days, "parts": _parts(one["partings"]["period"])} for days, one in horizons.items()],
        "stability": images.get("plots/stability.png"),
        "learning": _learning(document),
        "unlearned": "there is no test later in time" if document["test_from"] is None else "the run was to be quick",
        "learning_image": images.get("plots/learning.png"),
        "stage": None if document["stage"] is None else _stage(document["stage"]),
        "audit": None if document["audit"] is None else _audit(document["audit"]),
        "data": _data(document),
        "messages": document["messages"],
        "parameters": [{"name": name, "value": told} for name, told in document["parameters"].items()],
        "seconds": [{"part": part, "told": f"{taken:.1f} s"} for part, taken in document["seconds"].items()],
    }


# The first screen


def _headline(days: str, one: Data) -> str:
    ahead, behind, open_ = _standing(one)
    of = len(ahead) + len(behind) + len(open_)
    told = [f"ahead of all {of} baselines" if len(ahead) == of else f"ahead of {len(ahead)} of {of} baselines"]
    if open_:
        told.append(f"not told apart from {_listed(open_)}")
    if behind:
        told.append(f"behind {_listed(behind)}")
    off = " Its risks are off by more than chance makes." if _is_off(one) else ""
    return f"At {days} days the model is {'; '.join(told)}.{off}"


def _lead(document: Data) -> str:
    learned = document["counts"]["entries_before_test"]
    judged_on = max(document["horizons"].values(), key=lambda one: one["rows"])
    told = (
        f"It foretells losing a client: {DEFINITIONS[document['definition']]}. Judged on {judged_on['rows']:,} rows "
        f"(an account at a date) of {judged_on['accounts']:,} accounts"
    )
    if document["test_from"] is None:
        return f"{told}, each by a model that learned from other accounts: there are too few losses for a later test."
    return (
        f"{told} from {document['test_from'][:10]} on, by a model that learned from {learned:,} outcomes, all settled "
        "by that day."
    )


def _verdict(days: str, one: Data, widest: float) -> dict[str, Any]:
    auc = one["measured"][RISK]["auc"]
    enough = _enough(one)
    return {
        "days": days,
        "auc": _number(auc["value"]),
        "between": _between(auc, _number) if enough else "",
        "tested": f"{one['lost_accounts']:,} of {one['accounts']:,} accounts were lost",
        "note": _caution(one),
        "calibration": f"{_percent(_stated(one))} stated, {_percent(one['lost_rows'] / one['rows'])} observed",
        "off": _is_off(one),
        "leads": [
            {
                "name": called(scorer),
                "cell": _cell(lead["auc"], enough, "auc"),
                "bar": _bar(lead["auc"], widest) if enough else None,
            }
            for scorer, lead in one["leads"].items()
        ],
    }


def _stated(one: Data) -> float:
    """The mean risk stated."""
    return float(sum(bin["stated"] * bin["rows"] for bin in one["bins"]) / one["rows"])


def _is_off(one: Data) -> bool:
    """Whether the calibration error is more than chance makes in 95 of 100 samples."""
    return bool(one["measured"][RISK]["ece"]["value"] > one["null"]["high"])


def _standing(one: Data) -> tuple[list[str], list[str], list[str]]:
    """The scorers that the model is surely ahead of, surely behind, and the others, by AUC."""
    found: dict[str, list[str]] = {"ahead": [], "behind": [], "open": []}
    for scorer, lead in one["leads"].items():
        found[_won(lead["auc"], _enough(one), "auc")].append(called(scorer))
    return found["ahead"], found["behind"], found["open"]


def _won(lead: Data, enough: bool, measure: str) -> str:
    low, high = _bounds(lead) or (0.0, 0.0)
    if measure in LESS_IS_BETTER:
        low, high = -high, -low
    if not enough or low <= 0 <= high:
        return "open"
    return "ahead" if low > 0 else "behind"


def _bar(estimate: Data, widest: float) -> dict[str, float] | None:
    """Where an interval lies on a line from -widest to widest, drawn from 0 to 100."""
    if not _bounds(estimate):
        return None
    return {name: round(50 + 50 * estimate[name] / (widest or 1.0), 2) for name in ("low", "value", "high")}


def _enough(one: Data) -> bool:
    return bool(one["lost_accounts"] >= NO_INTERVAL_BELOW)


def _caution(one: Data) -> str:
    lost = one["lost_accounts"]
    if not _enough(one):
        return f"Too few losses for an interval: {lost} accounts, where {NO_INTERVAL_BELOW} are needed."
    if lost < ROUGH_BELOW:
        return f"With only {lost} lost accounts the intervals are rough."
    return ""


# Discrimination, calibration, gain, value


def _measures(days: str, one: Data) -> dict[str, Any]:
    enough = _enough(one)
    measured = [
        {"name": called(scorer), "cells": [_cell(of[name], enough) for name in TITLES]}
        for scorer, of in one["measured"].items()
    ]
    leads = [
        {"name": called(scorer), "cells": [_cell(of[name], enough, name) for name in TITLES]}
        for scorer, of in one["leads"].items()
    ]
    return {"days": days, "titles": list(TITLES.values()), "measured": measured, "leads": leads, "note": _caution(one)}


def _cell(estimate: Data, enough: bool, lead_in: str | None = None, share: bool = False) -> dict[str, str]:
    """An estimate as a table has it; ``lead_in`` is the measure that it is a lead in."""
    signed = lead_in is not None
    form = _points if signed and share else _signed if signed else _percent if share else _number
    return {
        "told": form(estimate["value"]),
        "between": _between(estimate, form) if enough else "",
        "verdict": "" if lead_in is None else _won(estimate, enough, lead_in),
    }


def _calibration(days: str, one: Data, images: Mapping[str, str]) -> dict[str, Any]:
    error, null, bands = one["measured"][RISK]["ece"], one["null"], one["venn_abers"]
    interval = _between(error, _percent) if _enough(one) else ""
    chance = "more than chance makes" if _is_off(one) else "no more than chance may make"
    sentences = [
        f"On average {_percent(_stated(one))} was stated and {_percent(one['lost_rows'] / one['rows'])} observed.",
        f"Calibration error: {_percent(error['value'])}{f' ({interval})' if interval else ''}. Perfectly calibrated "
        f"risks would show {_percent(null['mean'])} on such a sample, and at most {_percent(null['high'])} in 95 of "
        f"100. What was found is {chance}: {_points(error['value'] - null['mean'])} points against the mean.",
    ]
    if bands is None:
        sentences.append("Venn-Abers: left out.")
    else:
        sentences.append(
            f"Venn-Abers, made of {bands['calibrated_on']:,} out-of-fold scores: its bands are "
            f"{_percent(bands['width'])} wide on average, {_percent(bands['inside'])} of the risks lie inside theirs "
            f"and the others {_percent(bands['distance'])} away. On average a risk is {_points(bands['difference'])} "
            "points from the one probability that it would give."
        )
    return {
        "days": days,
        "image": images.get(f"plots/reliability_{days}.png"),
        "sentences": sentences,
        "brier": [
            {
                "name": called(scorer),
                "parts": [_thousandths(part) for part in (one["measured"][scorer]["brier"]["value"], *found.values())],
            }
            for scorer, found in one["brier"].items()
        ],
    }


def _gains(days: str, one: Data, shares: Sequence[float], images: Mapping[str, str]) -> dict[str, Any]:
    places = [min(range(len(shares)), key=lambda place: abs(shares[place] - share)) for share in SHOWN_GAINS]
    return {
        "days": days,
        "image": images.get(f"plots/gain_{days}.png"),
        "shares": [f"{100 * share:g} %" for share in SHOWN_GAINS],
        "scorers": [
            {
                "name": called(scorer),
                "cells": [
                    {"gain": _percent(found[place]), "lift": f"{found[place] / shares[place]:.1f}"} for place in places
                ],
            }
            for scorer, found in one["gain"].items()
        ],
    }


def _value(days: str, one: Data) -> dict[str, Any]:
    value = one["value"]
    if value is None:
        return {"days": days, "note": "No money a year is known of any row that was lost.", "scorers": []}
    enough = _enough(one)
    unknown = value["without_value"]
    scorers = []
    for scorer in one["measured"]:
        cells: list[dict[str, str] | None] = []
        for measured, leads in (value["by_worth"], value["by_risk"]):
            cells.append(_cell(measured[scorer], enough, share=True))
            cells.append(_cell(leads[scorer], enough, "caught", share=True) if scorer in leads else None)
        scorers.append({"name": called(scorer), "cells": cells})
    note = f"{unknown:,} of {one['rows']:,} rows are left out: their value is not known." if unknown else ""
    return {"days": days, "note": note, "scorers": scorers}


# Parts of the test, learning curve


def _segments(days: str, one: Data) -> dict[str, Any]:
    return {
        "days": days,
        "partings": [
            {"name": name, "parts": _parts(parts)} for name, parts in one["partings"].items() if name != "period"
        ],
    }


def _parts(parts: Sequence[Data]) -> list[dict[str, Any]]:
    told = []
    for part in parts:
        bounds = _bounds(part["gap"])
        reading = "too few to say"
        if bounds:
            low, high = bounds
            reading = "more than stated" if low > 0 else "fewer than stated" if high < 0 else "as stated"
        told.append(
            {
                "label": part["label"],
                "rows": f"{part['rows']:,}",
                "accounts": f"{part['accounts']:,}",
                "lost": f"{part['lost_accounts']:,}",
                "auc": _number(part["auc"]["value"]) if bounds else "too few",
                "between": _between(part["auc"], _number),
                "stated": _percent(part["stated"]),
                "observed": _percent(part["observed"]["value"]),
                "observed_between": _between(part["observed"], _percent),
                "reading": reading,
            }
        )
    return told


def _learning(document: Data) -> list[dict[str, Any]] | None:
    if document["learning"] is None:
        return None
    points = []
    for point in document["learning"]:
        cells = []
        for days, one in document["horizons"].items():
            if point["by_horizon"] is None:
                break
            measured, lead = point["by_horizon"][days]
            cells.append({"auc": _number(measured["auc"]["value"]), "lead": _cell(lead["auc"], _enough(one), "auc")})
        points.append(
            {
                "share": _percent(point["share"]),
                "accounts": f"{point['accounts']:,}",
                "entries": f"{point['entries']:,}",
                "cells": cells,
                "left_out": point["left_out"],
            }
        )
    return points


# Other documents


def _stage(stage: Data) -> dict[str, Any]:
    reviews = ", ".join(f"{count} {name}" for name, count in stage["reviews"].items())
    apart = "later in time, and " if stage["later"] else ""
    return {
        "lead": (
            f"Judged on {sum(stage['reviews'].values()):,} reviews of {stage['accounts']:,} accounts ({reviews}), each "
            f"{apart}of an account that the model had not learned from."
        ),
        "titles": list(STAGE_TITLES.values()),
        "measured": _stage_rows(stage["measured"], leads=False),
        "leads": _stage_rows(stage["leads"], leads=True),
    }


def _stage_rows(scorers: Data, leads: bool) -> list[dict[str, Any]]:
    return [
        {
            "name": STAGE_SCORERS.get(scorer, scorer),
            "cells": [
                _cell(of[name], enough=True, lead_in=name if leads else None) if name in of else None
                for name in STAGE_TITLES
            ],
        }
        for scorer, of in scorers.items()
    ]


def _audit(audit: Data) -> list[dict[str, Any]]:
    words = {True: "passed", False: "failed", None: "could not be made"}
    return [
        {
            "name": _words(check["name"]),
            "verdict": words[check["passed"]],
            "figure": _number(check["figure"]),
            "limit": _number(check["limit"]),
            "sentence": check["sentence"],
        }
        for check in audit["checks"]
    ]


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _data(document: Data) -> list[dict[str, str]]:
    data, counts = document["data"], document["counts"]
    span = " to ".join(str(moment)[:10] for moment in data["span"]) or "unknown"
    told = {"span of the records": span, "SHA-256 of the data": data["sha256"] or "unknown"}
    told |= {_words(name): f"{count:,}" for name, count in counts.items()}
    return [{"name": name, "value": value} for name, value in told.items()]


# Numbers in words


def _bounds(estimate: Data) -> tuple[float, float] | None:
    """The interval, if there is one."""
    low, high = estimate["low"], estimate["high"]
    return None if low is None or high is None else (low, high)


def _between(estimate: Data, form: Callable[[float], str]) -> str:
    bounds = _bounds(estimate)
    return "" if bounds is None else " to ".join(map(form, bounds))


def _number(value: float | None) -> str:
    """
    >>> [_number(value) for value in (0.79462, -1.5, -0.0001, None)]
    ['0.795', '−1.500', '0.000', 'undefined']
    """
    if value is None:
        return "undefined"
    return f"{value:.3f}".replace("-", "−") if round(value, 3) else "0.000"


def _signed(value: float | None) -> str:
    """
    >>> [_signed(value) for value in (0.0214, -0.3, -0.0001, None)]
    ['+0.021', '−0.300', '0.000', 'undefined']
    """
    if value is None:
        return "undefined"
    return f"{value:+.3f}".replace("-", "−") if round(value, 3) else "0.000"


def _thousandths(value: float) -> str:
    """
    >>> [_thousandths(value) for value in (0.01134, -0.000002)]
    ['11.34', '0.00']
    """
    return f"{1000 * value:.2f}".replace("-", "−") if round(1000 * value, 2) else "0.00"


def _percent(share: float | None) -> str:
    """
    >>> [_percent(share) for share in (0.0004, 0.012, 0.0999, 1.0, None)]
    ['0.04 %', '1.2 %', '10 %', '100 %', 'undefined']
    """
    if share is None:
        return "undefined"
    digits = 0 if share >= 0.0995 or share == 0 else 1 if share >= 0.00995 else 2
    return f"{100 * share:.{digits}f} %"


def _points(difference: float | None) -> str:
    """A difference of shares in percentage points.

    >>> [_points(difference) for difference in (0.0214, -0.3, 0.004, None)]
    ['+2.1', '−30.0', '+0.40', 'undefined']
    """
    if difference is None:
        return "undefined"
    digits = 1 if abs(difference) >= 0.00995 else 2
    return f"{100 * difference:+.{digits}f}".replace("-", "−")


def _listed(names: Sequence[str]) -> str:
    """
    >>> _listed(["one", "another", "a third"])
    'one, another and a third'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
