"""The closer look at an account: what would help, what changed, the scorecards, each only where asked for."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic_core import to_json

from features.histories.tables import Dataset
from features.judgements.scorecards import depth, gauntlet, pillars
from features.judgements.warmth import warmth
from features.matrix import build_matrix, rows_at
from models.change import NOT_KNOWN
from models.help import what_would_help
from models.prediction import NO_CONTRACT
from models.stage_direction import SPAN_DAYS, direction
from models.stage_steps import next_stages
from serving.answers import document
from serving.champion import Champion
from serving.closer import Wishes
from serving.portfolio import Portfolio, by_value, score_histories
from serving.predictor import Scores, score_history, score_records
from serving.schemas import AccountScore
from tests.serving.clients import AS_OF, BEGIN, DAY, Records, history, part

SINCE = AS_OF - 300 * DAY
AS_OF_ALONE = np.array([AS_OF], dtype=np.int64)
EVERYTHING = Wishes(help=True, scorecards=True, course=True, since=SINCE)


@pytest.fixture(scope="module")
def scores(champion: Champion, made: Records) -> Scores:
    """The whole portfolio with all that can be asked for."""
    return score_history(champion.models, history(made), AS_OF, None, EVERYTHING)


def test_nothing_is_looked_up_that_was_not_asked_for(champion: Champion, made: Records) -> None:
    assert score_history(champion.models, history(made), AS_OF).closer == {}
    asked = part(made, "C005")
    every = {"help": Wishes(help=True), "changes": Wishes(since=SINCE), "scorecards": Wishes(scorecards=True)}
    for name, wishes in {**every, "course": Wishes(course=True)}.items():
        closer = score_records(champion.models, asked, Dataset(), AS_OF, None, wishes).closer["C005"]
        assert [part for part, told in vars(closer).items() if told is not None] == [name]


def test_the_scores_are_the_same_with_a_closer_look(scores: Scores, champion: Champion, made: Records) -> None:
    plain = score_history(champion.models, history(made), AS_OF)
    assert [document(one) for one in scores.predictions] == [document(one) for one in plain.predictions]
    assert scores.nothing_known == plain.nothing_known
    short = score_history(champion.models, history(made), AS_OF, None, replace(EVERYTHING, explain=False))
    assert {one.explanation for one in short.predictions} == {None}
    assert [one.risk for one in short.predictions] == [one.risk for one in plain.predictions]
    # Evidence apart, which is not counted without explanations, the closer look is the same.
    assert short.closer == scores.closer


def test_an_account_alone_is_told_the_same(scores: Scores, champion: Champion, made: Records) -> None:
    for account in ("C000", "C001", "C005", "C036"):
        alone = score_records(champion.models, part(made, account), Dataset(), AS_OF, None, EVERYTHING)
        assert alone.closer == {account: scores.closer[account]}


def test_help_is_told_of_those_at_risk_at_the_horizon_asked_for(champion: Champion, made: Records) -> None:
    whole = history(made)
    matrix = build_matrix(whole, rows_at(whole, AS_OF_ALONE))
    expected = dict(zip(matrix.account_ids, what_would_help(champion.models.risk, matrix, 90), strict=True))
    told = score_history(champion.models, whole, AS_OF, 90, Wishes(help=True))
    for one in told.predictions:
        helped = told.closer[one.account_id].help
        assert (helped is None) == (one.risk is None)
        if helped is not None:
            assert helped.risk == pytest.approx(one.risk_at_horizon, abs=1e-12)
            assert [step.signal for step in helped.steps] == [step.signal for step in expected[one.account_id].steps]
    assert any(one.help and one.help.steps for one in told.closer.values())


def test_changes_lead_from_the_score_of_then(scores: Scores, champion: Champion, made: Records) -> None:
    then = {one.account_id: one for one in score_history(champion.models, history(made), SINCE).predictions}
    compared = 0
    for one in scores.predictions:
        changes = scores.closer[one.account_id].changes
        assert changes is not None
        assert (changes.since, changes.risk) == (SINCE, one.risk_at_horizon)
        assert changes.risk_before == then[one.account_id].risk_at_horizon
        if changes.points is not None and changes.time is not None:
            compared += 1
            parts = [changes.time.points, *(told.points for told in changes.parts)]
            assert abs(math.fsum(parts) - changes.points) < 1e-9
    assert compared > 20
    prospect = scores.closer["C000"].changes
    assert prospect is not None
    assert prospect.not_at_risk_before == NO_CONTRACT


def test_an_account_that_was_not_known_then_says_so(champion: Champion, made: Records) -> None:
    before = AS_OF - 4000 * DAY
    told = score_records(champion.models, part(made, "C005"), Dataset(), AS_OF, None, Wishes(since=before))
    changes = told.closer["C005"].changes
    assert changes is not None
    assert (changes.risk_before, changes.not_at_risk_before) == (None, NOT_KNOWN)
    assert changes.risk == told.predictions[0].risk_at_horizon


def test_since_must_be_before(champion: Champion, made: Records) -> None:
    with pytest.raises(ValueError, match="since: must be before as_of"):
        score_records(champion.models, part(made, "C005"), Dataset(), AS_OF, None, Wishes(since=AS_OF))


def test_scorecards_are_the_judgements_of_the_matrix(scores: Scores, champion: Champion, made: Records) -> None:
    whole = history(made)
    matrix = build_matrix(whole, rows_at(whole, AS_OF_ALONE), reference=champion.models.reference)
    cards = [one.scorecards for one in scores.closer.values()]
    assert [card and card.gauntlet for card in cards] == gauntlet(matrix)
    assert [card and card.depth for card in cards] == depth(matrix)
    assert [card and card.pillars for card in cards] == pillars(matrix)
    assert [card and card.warmth for card in cards] == warmth(matrix)


def test_the_course_is_that_of_the_stage_over_half_a_year(scores: Scores, champion: Champion, made: Records) -> None:
    then = AS_OF - SPAN_DAYS * DAY
    before = {one.account_id: one.stage for one in score_history(champion.models, history(made), then).predictions}
    whole = history(made)
    matrix = build_matrix(whole, rows_at(whole, AS_OF_ALONE), reference=champion.models.reference)
    ways = dict(zip(matrix.account_ids, next_stages(champion.models.stage, matrix), strict=True))
    for one in scores.predictions:
        course = scores.closer[one.account_id].course
        assert course is not None
        assert course.since == then
        assert course.direction == direction(champion.models.stage, before.get(one.account_id), one.stage)
        assert course.next == ways[one.account_id]


def test_a_second_win_advances_the_stage(champion: Champion, made: Records) -> None:
    second_win = BEGIN + (2 * 5 + 365) * DAY
    told = score_records(
        champion.models, part(made, "C002"), Dataset(), second_win + 30 * DAY, None, Wishes(course=True)
    )
    course = told.closer["C002"].course
    assert course is not None
    assert (course.direction.way, course.direction.basis) == ("advancing", "structural")


def test_intervals_hold_the_risks_and_can_be_left_out(scores: Scores, champion: Champion, made: Records) -> None:
    told = [one for one in scores.predictions if one.risk]
    assert len(told) == 38
    for one in told:
        assert one.risk is not None
        assert one.interval is not None
        assert list(one.interval) == list(one.risk)
        for (low, high), risk in zip(one.interval.values(), one.risk.values(), strict=True):
            assert low <= risk <= high
            assert low < high
    assert [one.interval for one in scores.predictions if not one.risk] == [None, None]
    without = score_history(champion.models, history(made), AS_OF, None, Wishes(interval=False)).predictions
    assert {one.interval for one in without} == {None}
    assert [one.risk for one in without] == [one.risk for one in scores.predictions]


def test_answers_are_as_the_schema_says_and_hold_no_nan(scores: Scores) -> None:
    for one in scores.predictions:
        text = to_json(document(one, scores.closer[one.account_id]), inf_nan_mode="constants")
        answer = AccountScore.model_validate_json(text, strict=True)
        assert answer.scorecards is not None
        assert len(answer.scorecards.gauntlet) == 7
        assert answer.changes is not None
        json.loads(text, parse_constant=pytest.fail)


def test_without_a_closer_look_the_answer_says_null(scores: Scores) -> None:
    plain = document(scores.predictions[0])
    assert [plain[name] for name in ("help", "changes", "scorecards", "course")] == [None] * 4


def test_a_folder_is_looked_at_closer_only_where_it_is_told(
    champion: Champion, tables: Path, portfolio: Portfolio
) -> None:
    few = score_histories(champion, tables, AS_OF, None, EVERYTHING, told=3)
    worth, unvalued = by_value(few.predictions)
    assert set(few.closer) == {one.account_id for one in worth[:3] + unvalued[:3]}
    assert [document(one) for one in few.predictions] == [document(one) for one in portfolio.predictions]
    every = score_histories(champion, tables, AS_OF, None, EVERYTHING)
    assert set(every.closer) == {one.account_id for one in every.predictions}
    assert {account: every.closer[account] for account in few.closer} == few.closer
    assert portfolio.closer == {}


def test_a_closer_look_at_nobody_is_empty(champion: Champion, made: Records) -> None:
    none = score_history(champion.models, history(made), AS_OF, None, EVERYTHING, accounts=())
    assert (none.predictions, none.closer) == ([], {})
