"""What a page says of an account beside its score: what would help, what changed, the scorecards. Plain words only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from features import settings
from features.hands import Hands
from features.indicators import REGISTRY
from features.judgements.readings import USUAL, Reading
from features.judgements.warmth import Warmth
from models.change import Change, Part
from models.help import Help, Step, Target
from models.stage import STAGES
from models.stage_direction import SPAN_DAYS
from models.stage_steps import NextStage, StageStep
from models.wording import missed
from models.words import counted, day, percent, points
from serving.closer import Course
from serving.scorecards import Scorecards

STEPS = 4
"""Steps that would help told of each account."""

PARTS = 6
"""Parts of a change told of each account."""

WHO = {"us": "In our hands", "client": "Ask or invite the client"}

CHIPS = {
    **dict.fromkeys(("pass", "deep", "strong"), "met"),
    **dict.fromkeys(("fail", "shallow", "weak"), "missed"),
    "unknown": "open",
}
"""How verdicts look: the classes of the style sheet."""

VERDICTS = {"pass": "passed", "fail": "not passed"}
"""Verdicts in words, where the word itself is not plain enough."""


def help_words(help: Help) -> dict[str, Any]:
    """What would help, the steps that change most first."""
    largest = max((-step.change for step in help.steps), default=0.0)
    left = len(help.steps) - STEPS
    together = None
    if len(help.together) > 1:
        together = (
            f"The first {len(help.together)} together: risk {percent(help.risk)} → "
            f"{percent(help.risk_together)} ({points(help.change_together)})."
        )
    return {
        "steps": [_step(help, step, largest) for step in help.steps[:STEPS]],
        "together": together,
        "more": f"{counted(left, 'further signals')} would change less." if left > 0 else "",
    }


def _step(help: Help, step: Step, largest: float) -> dict[str, Any]:
    return {
        **_action(step.hands),
        "signal": step.name,
        "points": points(step.change),
        "share": -step.change / largest,
        "effect": f"risk {percent(help.risk)} → {percent(step.risk)}",
        "figures": _one_of_each(step.figures),
    }


def _one_of_each(figures: Iterable[Target]) -> list[str]:
    """Each figure once, over the usual window where it misses its mark there."""
    by_name: dict[str, str] = {}
    for target in figures:
        name, window = target.column.rsplit(".", 1)
        if name not in by_name or window == USUAL:
            by_name[name] = target.sentence
    return list(by_name.values())


def change_words(change: Change) -> dict[str, Any]:
    """What changed, the largest part first."""
    since = day(change.since)
    if change.risk_before is None or change.risk is None or change.points is None:
        why = change.not_at_risk_before
        return {"summary": f"Nothing to compare with on {since}: {why}", "points": "", "parts": [], "more": ""}
    told = change.told
    time = [change.time] if change.time is not None else []
    largest = max((abs(part.points) for part in (*time, *told)), default=0.0) or 1.0
    left = len(change.parts) - len(told[:PARTS])
    return {
        "summary": f"What changed since {since}: risk {percent(change.risk_before)} → {percent(change.risk)}",
        "points": points(change.points),
        "parts": [_change_part(part, largest) for part in (*time, *told[:PARTS])],
        "more": f"The other {counted(left, 'signals')} changed it by less, together "
        f"{points(sum(part.points for part in change.parts if part not in told[:PARTS]))}.",
    }


def _change_part(part: Part, largest: float = 1.0) -> dict[str, Any]:
    """One part; ``share`` is its size against the largest."""
    return {
        "raises": part.raises,
        "points": points(part.points),
        "share": abs(part.points) / largest,
        "signal": part.name,
        "sentence": part.sentence,
    }


def course_words(course: Course, likely: Sequence[str]) -> dict[str, Any]:
    """Where the stage is going and what the next one needs, the steps that bring it nearest first; ``likely`` are the
    stages that it may be.
    """
    way, said = course.next, course.direction.way
    going = f"{said} over {SPAN_DAYS} days" if said else "direction not known"
    left = len(way.steps) - STEPS
    unknown = [one.name for one in way.not_known]
    return {
        "way": said or "",
        "summary": f"Stage: {way.stage}, {going}" + (f"; next: {way.next_stage}" if way.next_stage else ""),
        "likely": f"Nine times in ten a director would see {' or '.join(likely)}." if len(likely) > 1 else "",
        "words": way.words,
        "steps": [_stage_step(way, step) for step in way.steps[:STEPS]],
        "more": f"{counted(left, 'further signals')} would bring less." if left > 0 else "",
        "unknown": f"Not known, and worth recording: {', '.join(unknown)}." if unknown and way.next_stage else "",
    }


def _stage_step(way: NextStage, step: StageStep) -> dict[str, Any]:
    told: dict[str, Any] = {"points": "", "effect": "", "share": 0.0}
    if way.chance is not None and step.chance is not None and step.change is not None:
        first = way.steps[0].change or step.change
        told = {
            "points": points(step.change),
            "effect": f"{_at_least(way)} {percent(way.chance)} → {percent(step.chance)}",
            "share": step.change / first,
        }
    return {**told, **_action(step.hands), "signal": step.name, "figures": _one_of_each(step.figures)}


def _at_least(way: NextStage) -> str:
    """What the chance of the next stage is the chance of."""
    return f"chance of {way.next_stage}" + ("" if way.next_stage == STAGES[-1] else " or beyond")


def _action(hands: Hands) -> dict[str, Any]:
    return {"action": hands.words, "who": WHO[hands.who], "ours": hands.who == "us"}


def card_words(cards: Scorecards) -> dict[str, Any]:
    """The scorecards, each line with its verdict and the first of its figures that misses a mark."""
    depth = cards.depth
    return {
        "summary": f"Scorecards: {_gauntlet_summary(cards)}, {_depth_summary(cards)}, {_warmth_summary(cards.warmth)}",
        "gauntlet": [_line(step.name, step.verdict, step.figures) for step in cards.gauntlet],
        "gauntlet_summary": f"{cards.steps_passed} of {counted(cards.steps_known, 'known steps')} passed",
        "depth": [_line(signal.name, signal.verdict, signal.figures) for signal in depth.signals],
        "depth_summary": depth.verdict if depth.verdict != "unknown" else _signals_known(cards),
        "pillars": [
            _line(one.name, one.verdict, one.figures, _marks(one.marks_met, one.marks_known)) for one in cards.pillars
        ],
        "warmth": _warmth(cards.warmth),
    }


def _gauntlet_summary(cards: Scorecards) -> str:
    """How many of the steps are passed, of those of which something is known."""
    if not cards.steps_known:
        return "no step of the gauntlet known"
    return f"{cards.steps_passed} of {cards.steps_known} known gauntlet steps passed"


def _depth_summary(cards: Scorecards) -> str:
    """Depth in a few words."""
    verdict = cards.depth.verdict
    return f"depth {_signals_known(cards)}" if verdict == "unknown" else f"{verdict} relationship"


def _signals_known(cards: Scorecards) -> str:
    signals = cards.depth.signals
    known = sum(signal.verdict != "unknown" for signal in signals)
    return f"unknown ({known} of {len(signals)} signals known)"


def _warmth_summary(warmth: Warmth) -> str:
    """Warmth in a few words."""
    if warmth.degrees is None:
        return f"warmth unknown ({warmth.known} of {len(warmth.components)} parts known)"
    return f"warmth {warmth.degrees:.0f} of 100"


def _warmth(warmth: Warmth) -> dict[str, Any]:
    low, high = settings.WARMTH_BAND
    known = [one for one in warmth.components if one.score is not None]
    coldest = sorted((one for one in known if one.score is not None and one.score < 1), key=lambda one: one.score or 0)
    return {
        "degrees": warmth.degrees,
        "words": _warmth_summary(warmth),
        "place": warmth.place or "",
        "low": low,
        "high": high,
        "known": f"{len(known)} of {len(warmth.components)} parts known",
        "coldest": [one.name for one in coldest[:3]],
    }


def _line(name: str, verdict: str, figures: Sequence[Reading], aside: str = "") -> dict[str, Any]:
    told = (
        missed(REGISTRY.indicators[one.column], one.value)
        for one in figures
        if one.met is False and one.value is not None
    )
    return {
        "name": name,
        "aside": aside,
        "verdict": VERDICTS.get(verdict, verdict),
        "chip": CHIPS[verdict],
        "missed": next(told, ""),
    }


def _marks(met: int, known: int) -> str:
    return f"{met} of {counted(known, 'known marks')} met" if known else ""
