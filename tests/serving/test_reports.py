"""The report: what it says, that it is safe and self-contained, and that it shows in a browser."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from features.histories.tables import Dataset
from serving import reports
from serving.portfolio import Learned, Portfolio, Profile
from serving.reports import LEARNED_LATER, MEANINGS, REASONS, day, page, render
from tests.serving.clients import AS_OF, DAY

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\" onload=\"alert(2)"


class Tags(HTMLParser):
    """Collects the tags, their attributes, and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


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


def test_names_cannot_become_markup(portfolio: Portfolio) -> None:
    safe = Tags(render(page(named(portfolio, "plain"))))
    attacked = Tags(render(page(named(portfolio, EVIL))))
    assert attacked.tags == safe.tags
    assert EVIL in attacked.text


def test_the_page_needs_nothing_from_elsewhere(portfolio: Portfolio) -> None:
    html = render(page(portfolio))
    tags = Tags(html).tags
    assert not {"script", "iframe", "object", "embed", "img", "form"} & {tag for tag, _ in tags}
    links = [value for _, attributes in tags for name, value in attributes.items() if name in ("href", "src")]
    assert all(link is not None and link.startswith(("#", "data:")) for link in links)
    assert "url(" not in html
    assert "http:" not in html
    assert "https:" not in html
    anchors = {attributes.get("id") for _, attributes in tags}
    assert {link[1:] for link in links if link and link.startswith("#")} <= anchors


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
def test_the_page_shows_in_a_browser(browser: Browser, portfolio: Portfolio, tmp_path: Path, width: int) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(page(named(portfolio, EVIL))), encoding="utf-8")
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
    assert problems == []
    opened.close()
