"""The report: what it says, that it is safe and self-contained, and that it shows in a browser."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from features.hands import HANDS
from features.histories.tables import Dataset
from models.change import Change
from models.help import Help, Step, Target
from models.stage_direction import Direction
from models.stage_steps import NextStage, NotKnown, StageStep
from models.words import between, day
from serving import reports
from serving.champion import Champion
from serving.closer import Course, Wishes
from serving.closer_words import change_words, course_words, help_words
from serving.portfolio import Learned, Portfolio, Profile, score_histories
from serving.reports import LEARNED_LATER, LOOK_BACK, MEANINGS, REASONS, page, render
from tests.serving.clients import AS_OF, DAY
from tests.serving.pages import EVIL, Tags

EVERYTHING = Wishes(help=True, scorecards=True, course=True, since=AS_OF - LOOK_BACK)


@pytest.fixture(scope="module")
def told(champion: Champion, tables: Path) -> Portfolio:
    """The portfolio with a closer look at those told one by one."""
    return score_histories(champion, tables, AS_OF, None, EVERYTHING, told=30)


@pytest.fixture(scope="module")
def words(told: Portfolio) -> dict[str, Any]:
    """What the page says of it."""
    return page(told)


@pytest.fixture(scope="module")
def tags(words: dict[str, Any]) -> Tags:
    """The page."""
    return Tags(render(words))


def named(portfolio: Portfolio, name: str) -> Portfolio:
    """The portfolio with every account called the same."""
    return replace(portfolio, profiles={one: Profile(name, name, name) for one in portfolio.profiles})


def test_accounts_come_in_order_with_their_figures(portfolio: Portfolio) -> None:
    told = page(portfolio)
    first = portfolio.predictions[0]
    account = told["ranked"][0]
    assert [one["rank"] for one in told["ranked"] + told["further"]] == list(range(1, 33))
    assert len(told["ranked"]) == 30
    assert account["id"] == first.account_id
    assert [one["days"] for one in account["risks"]] == [30, 90, 180, 365]
    assert account["value"] == "46,000"
    assert first.explanation is not None
    reasons = first.explanation.reasons(REASONS)
    assert len(reasons) >= 3
    assert len(account["raising"] + account["lowering"] + account["missing"]) == len(reasons)
    assert all(one["sentence"].startswith("No evidence yet") for one in account["missing"])
    assert "showing up" in account["unknown"]
    assert [len(told["value_unknown"]), told["value_unknown"][0]["rank"]] == [6, 33]
    assert {group["why"]: group["names"] for group in told["not_scored"]} == {
        "Former client": ["Client 1 & Söhne"],
        "No contract yet": ["Client 0 & Söhne"],
    }


def test_every_way_of_not_being_scored_has_its_words() -> None:
    import models.prediction as prediction

    reasons = {value for name, value in vars(prediction).items() if name.isupper() and isinstance(value, str)}
    assert set(MEANINGS) == reasons


def test_a_mark_is_told_in_words(portfolio: Portfolio) -> None:
    reasons = [one for account in page(portfolio)["ranked"] for one in account["raising"] + account["lowering"]]
    met = {one["met"] for one in reasons}
    assert False in met
    text = Tags(render(page(portfolio))).text
    assert text.count("mark not met") == sum(
        one["met"] is False
        for section in ("ranked", "value_unknown")
        for account in page(portfolio)[section]
        for one in account["raising"] + account["lowering"]
    )


def test_a_reason_says_where_it_comes_from(portfolio: Portfolio) -> None:
    prediction = next(one for one in portfolio.predictions if one.reasons)
    plain = replace(prediction.reasons[0], mark_met=None, source="001")
    assert reports._reason(plain, 1.0)["origin"] == "document 001"
    assert reports._reason(replace(plain, source="own"), 1.0)["origin"] == "your own column"


def test_a_long_list_is_cut_and_says_so(portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "LISTED", 20)
    told = page(portfolio, most=5)
    assert [len(told[section]) for section in ("ranked", "further", "value_unknown")] == [5, 20, 5]
    assert told["hidden"] == "Not shown: 7 more clients of lower rank."
    assert told["value_unknown_hidden"] == "Not shown: 1 more client of lower rank."
    assert told["headline"] == page(portfolio)["headline"]
    text = Tags(render(told)).text
    assert "Further clients" in text
    assert told["hidden"] in text


def test_simulated_data_and_old_records_are_said(portfolio: Portfolio) -> None:
    plain = render(page(portfolio))
    assert "Simulated data" not in plain
    assert "records end" not in plain
    span = (AS_OF - 900 * DAY, AS_OF - 40 * DAY)
    told = render(page(replace(portfolio, dataset=Dataset(simulated=True, span=span), nothing_known=1)))
    assert "Simulated data" in told
    assert "The records end 40 days before it" in told
    assert "Left out: 1 account of which" in told


def test_a_model_that_has_seen_the_future_says_so(portfolio: Portfolio) -> None:
    assert LEARNED_LATER not in page(portfolio)["notes"]
    later = replace(portfolio, learned=Learned((AS_OF - 900 * DAY, AS_OF + 2 * DAY), simulated=False))
    assert LEARNED_LATER in page(later)["notes"]


def test_a_portfolio_without_anyone_to_score_has_a_page(portfolio: Portfolio) -> None:
    told = Tags(render(page(replace(portfolio, predictions=[]))))
    assert "No client can be scored as of this date" in told.text


def test_a_portfolio_without_values_is_ranked_by_risk(portfolio: Portfolio) -> None:
    unvalued = [replace(one, value=None, revenue_at_risk=None) for one in portfolio.predictions]
    told = page(replace(portfolio, predictions=unvalued), most=50)
    assert told["ranked"] == []
    assert len(told["value_unknown"]) == 38
    assert re.fullmatch(r"About [\d.]+ of 38 clients may leave within 180 days", told["headline"])


def test_intervals_stand_beside_the_risks(told: Portfolio, words: dict[str, Any], portfolio: Portfolio) -> None:
    first = told.predictions[0]
    assert first.interval is not None
    account = words["ranked"][0]
    low, high = first.interval[180]
    assert account["between"] == between(low, high)
    assert [one["between"] for one in account["risks"]] == [between(*ends) for ends in first.interval.values()]
    assert words["top"] >= max(high for one in told.predictions for _, high in (one.interval or {}).values())
    assert "how sure the model is" in words["reading"]
    plain = page(replace(portfolio, predictions=[replace(one, interval=None) for one in portfolio.predictions]))
    assert plain["ranked"][0]["between"] == ""
    assert "how sure the model is" not in plain["reading"]


def test_what_would_help_is_told_with_who_and_how_much(told: Portfolio, words: dict[str, Any], tags: Tags) -> None:
    helps = {one["id"]: one["help"] for one in words["ranked"]}
    steps = [step for one in helps.values() for step in one["steps"]]
    assert {step["who"] for step in steps} <= {"In our hands", "Ask or invite the client"}
    assert steps
    for account, one in helps.items():
        looked = told.closer[account].help
        assert looked is not None
        assert [step["action"] for step in one["steps"]] == [step.hands.words for step in looked.steps[:4]]
        assert (one["together"] is None) == (len(looked.steps) < 2)
    assert "association" in words["reading"]
    assert all(step["action"] in tags.text and step["effect"] in tags.text for step in steps)
    assert ("No figure that somebody could bring back" in tags.text) == any(not one["steps"] for one in helps.values())


def test_each_figure_of_a_step_is_told_once_over_the_usual_window() -> None:
    targets = tuple(
        Target(f"W1a.{name}.{window}", 50.0, 24.0, f"{name} {window}")
        for name, window in (("time", "90d"), ("time", "365d"), ("time", "all"), ("rate", "90d"), ("rate", "all"))
    )
    step = Step("W1a", "our response", HANDS["W1a"], targets, 0.1, -0.02)
    (told,) = help_words(Help(180, 0.12, (step,), ("W1a",), 0.1))["steps"]
    assert told["figures"] == ["time 365d", "rate 90d"]
    assert (told["points"], told["effect"]) == ("−2.0 points", "risk 12 % → 10 %")


def test_many_steps_are_cut_and_the_first_told_together() -> None:
    steps = tuple(Step(str(n), str(n), HANDS["L2"], (), 0.4, -0.1) for n in range(6))
    told = help_words(Help(180, 0.5, steps, ("0", "1", "2"), 0.3))
    assert len(told["steps"]) == 4
    assert told["more"] == "2 further signals would change less."
    assert told["together"] == "The first 3 together: risk 50 % → 30 % (−20.0 points)."


def test_what_changed_is_told_with_all_its_parts(words: dict[str, Any]) -> None:
    changes = [one["changes"] for one in words["ranked"]]
    compared = [one for one in changes if one["parts"]]
    assert compared
    assert all(one["summary"].startswith("What changed since 21 March 2025: risk ") for one in compared)
    assert all(
        re.fullmatch(r"The other \d+ signals changed it by less, together .* points\.", one["more"]) for one in compared
    )


def test_where_nothing_can_be_compared_the_page_says_why() -> None:
    told = change_words(Change(0, None, "no contract yet", 0.1))
    assert told["summary"] == "Nothing to compare with on 1 January 1970: no contract yet"
    assert told["parts"] == []


def test_the_course_of_the_stage_is_told_with_steps(words: dict[str, Any], tags: Tags) -> None:
    course = words["ranked"][0]["course"]
    assert course["summary"].startswith("Stage: continuation or beyond, ")
    assert course["words"] == "There are too few reviews to tell what leads from continuation to commitment."
    assert course["summary"] in tags.text


def test_steps_to_a_judged_stage_come_with_their_chance() -> None:
    targets = (Target("W1a.time.365d", 50.0, 24.0, "time 365d"),)
    steps = tuple(
        StageStep("W1a", "our response", HANDS["W1a"], targets, 0.3 + change, change) for change in (0.2, 0.1)
    )
    unknown = (NotKnown("W4", "relevance", HANDS["W4"]),)
    way = NextStage("continuation", "commitment", "Rests on judgement.", 0.3, steps, unknown)
    slipping = Direction("slipping", "judged", 4.0, 3.0, 0.2)
    course = course_words(Course(0, slipping, way), ("continuation", "commitment"))
    assert course["summary"] == "Stage: continuation, slipping over 180 days; next: commitment"
    assert course["likely"] == "Nine times in ten a director would see continuation or commitment."
    assert [step["share"] for step in course["steps"]] == [1.0, 0.5]
    assert course["steps"][0]["effect"] == "chance of commitment or beyond 30 % → 50 %"
    assert course["steps"][0]["points"] == "+20.0 points"
    assert course["unknown"] == "Not known, and worth recording: relevance."
    last = course_words(Course(0, slipping, replace(way, next_stage="convergence")), ())
    assert last["steps"][0]["effect"] == "chance of convergence 30 % → 50 %"
    fact = replace(way, chance=None, steps=tuple(replace(step, chance=None, change=None) for step in steps))
    assert [step["effect"] for step in course_words(Course(0, slipping, fact), ("continuation",))["steps"]] == ["", ""]


def test_scorecards_stand_under_a_fold_with_their_sum(words: dict[str, Any], tags: Tags) -> None:
    told_one_by_one = len(words["ranked"]) + len(words["value_unknown"])
    assert sum(tag == "details" for tag, _ in tags.tags) == 3 * told_one_by_one
    assert tags.text.count("known gauntlet steps passed") == told_one_by_one


def test_names_cannot_become_markup(told: Portfolio) -> None:
    safe = Tags(render(page(named(told, "plain"))))
    attacked = Tags(render(page(named(told, EVIL))))
    assert attacked.tags == safe.tags
    assert EVIL in attacked.text


def test_the_page_needs_nothing_from_elsewhere(tags: Tags) -> None:
    tags.check_self_contained()


def test_the_same_portfolio_gives_the_same_page(portfolio: Portfolio) -> None:
    assert render(page(portfolio)) == render(page(portfolio))


def test_dates_are_those_of_utc() -> None:
    assert day(0) == "1 January 1970"
    assert day(-1) == "31 December 1969"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_shows_in_a_browser(browser: Browser, told: Portfolio, tmp_path: Path, width: int) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(page(named(told, EVIL))), encoding="utf-8")
    opened = browser.new_page(viewport={"width": width, "height": 900})
    problems: list[str] = []
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(dialog.message))
    opened.on("request", lambda request: None if request.url.startswith("file:") else problems.append(request.url))
    opened.goto(file.as_uri())
    rows = opened.locator("table.glance tbody tr")
    assert rows.count() == 32
    assert rows.nth(31).inner_text().startswith("32")
    assert rows.first.is_visible()
    assert opened.locator("article.account").first.is_visible()
    # Nothing but the table may be wider than the window.
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    rows.nth(3).locator("a").click()
    assert opened.locator("#client-4 h3").is_visible()
    fold = opened.locator("#client-4 details").nth(2)
    assert not fold.locator(".cards").is_visible()
    fold.locator("summary").click()
    assert fold.locator(".cards").is_visible()
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert problems == []
    opened.close()
