"""The evaluation report: made of JSON data alone, escaped, whole in one file, and honest where little is known."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.training.evaluations import evaluation
from training import report
from training.baselines import BASELINES
from training.judging import called, pictures
from training.plots import as_address

META = {
    "data": {"sha256": "ab" * 32, "span": ["2020-01-01T00:00:00Z", "2022-01-01T00:00:00Z"], "simulated": False},
    "test_from": "2021-06-01T00:00:00Z",
    "counts": {"accounts": 60, "entries_before_test": 700},
}
AUDIT = {
    "passed": False,
    "checks": [
        {"name": "cut_off_rows", "passed": True, "figure": 0.0, "limit": 0.0, "sentence": "The same.", "details": {}},
        {
            "name": "one_column",
            "passed": False,
            "figure": 0.97,
            "limit": 0.9,
            "sentence": "x_<i>leak</i>.",
            "details": {},
        },
        {"name": "permuted", "passed": None, "figure": None, "limit": 4.0, "sentence": "Too few.", "details": {}},
    ],
}
STAGE = {
    "accounts": 40,
    "reviews": {"courting": 20, "contract": 31},
    "later": True,
    "measured": {
        "ordinal": {
            "kappa": {"value": 0.71, "low": 0.6, "high": 0.8},
            "rps": {"value": 0.05, "low": 0.04, "high": 0.06},
            "coverage": {"value": 0.91, "low": 0.85, "high": 0.95},
        },
        "structural": {
            "kappa": {"value": None, "low": None, "high": None},
            "rps": {"value": 0.09, "low": 0.08, "high": 0.1},
        },
    },
    "leads": {
        "structural": {
            "kappa": {"value": None, "low": None, "high": None},
            "rps": {"value": -0.04, "low": -0.05, "high": -0.03},
        }
    },
}


@cache
def whole(quick: bool = False) -> str:
    """The document as it is written to a file."""
    made = report.document(
        evaluation(quick), "contract", META, {"seed": 7}, ["Beware of <script>."], *((STAGE, AUDIT) * (not quick))
    )
    return json.dumps(made, allow_nan=False)


def data(quick: bool = False) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(whole(quick))
    return read


@cache
def images() -> dict[str, str]:
    return {name: as_address(figure) for name, figure in pictures(evaluation()).items()}


def html(document: dict[str, Any]) -> str:
    return report.render(report.page(document, images()))


class Reader(HTMLParser):
    """The text of a page, what it refers to, and whether its elements close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.addresses: list[str] = []
        self.ids: set[str | None] = set()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += [address for name in ("href", "src") if (address := found.get(name))]
        self.ids.add(found.get("id"))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "path"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += f"{data} "


def text(document: dict[str, Any]) -> str:
    return re.sub(r"\s+", " ", Reader(html(document)).text)


def test_the_page_stands_alone_and_its_elements_close() -> None:
    found = Reader(html(data()))
    assert found.open == []
    assert found.addresses
    for address in found.addresses:
        assert address.startswith(("data:", "#"))
        assert not address.startswith("#") or address[1:] in found.ids
    assert len([address for address in found.addresses if address.startswith("data:image")]) == len(images())


def test_whatever_comes_from_the_data_is_escaped() -> None:
    found = html(data())
    for told in ("<script>", "<b>big</b>", "<i>leak</i>"):
        assert told not in found
    for told in ("Beware of <script>.", "<b>big</b>", "x_<i>leak</i>."):
        assert told in Reader(found).text


def test_the_first_screen_tells_the_verdict_beside_every_baseline() -> None:
    page = report.page(data(), images())
    assert page["headline"] == "At 180 days the model is ahead of all 5 baselines."
    accounts = data()["horizons"]["90"]["accounts"]
    assert page["lead"].endswith(
        f"of {accounts} accounts from 2021-06-01 on, by a model that learned from 700 outcomes, all settled by "
        "that day."
    )
    for verdict, judged in zip(page["verdicts"], data()["horizons"].values(), strict=True):
        assert verdict["auc"] == f"{judged['measured']['risk']['auc']['value']:.3f}"
        assert [lead["name"] for lead in verdict["leads"]] == [called(name) for name in BASELINES]
        for lead in verdict["leads"]:
            assert lead["cell"]["verdict"] == "ahead"
            assert 0 <= lead["bar"]["low"] <= lead["bar"]["value"] <= lead["bar"]["high"] <= 100
            assert lead["bar"]["low"] > 50  # the line's middle is zero


def test_without_a_later_test_it_is_said_how_it_was_judged() -> None:
    changed = data(quick=True) | {"test_from": None}
    page = report.page(changed, {})
    assert page["lead"].endswith(
        "each by a model that learned from other accounts: there are too few losses for a later test."
    )
    assert "Left out: there is no test later in time." in text(changed)


def leads(low: float, value: float, high: float) -> dict[str, Any]:
    """The document with these leads over the scorecard at 180 days, in every measure."""
    changed = data()
    for measure in changed["horizons"]["180"]["leads"]["scorecard"].values():
        measure.update(low=low, value=value, high=high)
    return changed


def test_ahead_and_behind_are_said_only_where_the_interval_leaves_out_zero() -> None:
    headline = report.page(leads(-0.01, 0.1, 0.2), {})["headline"]
    assert headline == "At 180 days the model is ahead of 4 of 5 baselines; not told apart from fixed scorecard."
    headline = report.page(leads(-0.2, -0.1, -0.01), {})["headline"]
    assert headline == "At 180 days the model is ahead of 4 of 5 baselines; behind fixed scorecard."


def test_of_losses_and_errors_less_is_better() -> None:
    page = report.page(leads(0.01, 0.1, 0.2), {})
    (row,) = [row for row in page["measures"][1]["leads"] if row["name"] == "fixed scorecard"]
    verdicts = dict(zip(page["measures"][1]["titles"], (cell["verdict"] for cell in row["cells"]), strict=True))
    better = {"AUC", "average precision", "lift, top decile"}
    assert verdicts == {title: "ahead" if title in better else "behind" for title in report.TITLES.values()}


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (9, "Too few losses for an interval: 9 accounts, where 10 are needed."),
        (10, "With only 10 lost accounts the intervals are rough."),
        (30, ""),
    ],
)
def test_few_losses_are_said(lost: int, told: str) -> None:
    changed = data()
    changed["horizons"]["180"]["lost_accounts"] = lost
    page = report.page(changed, {})
    verdict = page["verdicts"][1]
    assert verdict["note"] == told
    assert bool(verdict["between"]) == bool(verdict["leads"][0]["bar"]) == (lost >= 10)
    if lost < 10:
        assert page["headline"].startswith("At 180 days the model is ahead of 0 of 5 baselines; not told apart from")
        assert all(not cell["between"] for row in page["measures"][1]["leads"] for cell in row["cells"])
        assert told in text(changed)


def test_calibration_is_told_against_chance() -> None:
    changed = data()
    one = changed["horizons"]["90"]
    one["measured"]["risk"]["ece"] = {"value": 0.05, "low": 0.04, "high": 0.06}
    one["null"] = {"mean": 0.021, "high": 0.03, "reached": 0.0}
    told = report.page(changed, {})["calibration"][0]["sentences"][1]
    assert told == (
        "Calibration error: 5.0 % (4.0 % to 6.0 %). Perfectly calibrated risks would show 2.1 % on such a sample, and "
        "at most 3.0 % in 95 of 100. What was found is more than chance makes: +2.9 points against the mean."
    )
    assert report.page(changed, {})["verdicts"][0]["off"]
    del changed["horizons"]["180"]
    assert report.page(changed, {})["headline"].endswith(" Its risks are off by more than chance makes.")
    one["null"]["high"] = 0.06
    assert not report.page(changed, {})["verdicts"][0]["off"]
    assert "no more than chance may make" in report.page(changed, {})["calibration"][0]["sentences"][1]


def test_parts_of_the_test_are_told_with_their_verdict() -> None:
    changed = data()
    parts = changed["horizons"]["180"]["partings"]["industry"]
    parts[0]["gap"] = {"value": -0.1, "low": -0.2, "high": -0.01}
    parts[1]["gap"] = {"value": None, "low": None, "high": None}
    told = report.page(changed, {})["segments"][1]["partings"][0]["parts"]
    assert [(one["reading"], one["auc"] == "too few") for one in told] == [
        ("fewer than stated", False),
        ("too few to say", True),
    ]


def test_what_is_undefined_or_left_out_is_said_in_words() -> None:
    changed = copy.deepcopy(data(quick=True))
    for one in changed["horizons"].values():
        one["value"] = None
        one["measured"]["risk"]["auc"] = {"value": None, "low": None, "high": None}
    changed["data"] |= {"span": [], "sha256": ""}
    found = re.sub(r"\s+", " ", Reader(report.render(report.page(changed, {}))).text)
    for told in (
        "AUC undefined",
        "Left out: the run was to be quick.",
        "Venn-Abers: left out.",
        "No money a year is known of any row that was lost.",
        "No picture was made.",
        "Too few reviews: no stage model was judged in this run.",
        "No audit was made in this run.",
        "span of the records unknown",
    ):
        assert told in found
    assert "None" not in found
    assert "nan" not in found


def test_points_of_the_learning_curve_that_are_left_out_say_why() -> None:
    changed = data()
    changed["learning"][0] |= {"by_horizon": None, "left_out": "too few losses: 2"}
    assert "too few losses: 2" in text(changed)


def test_audit_and_stage_are_told() -> None:
    found = text(data())
    for told in (
        "cut off rows passed 0.000 0.000 The same.",
        "one column failed 0.970 0.900",
        "permuted could not be made undefined 4.000 Too few.",
        "Judged on 51 reviews of 40 accounts (20 courting, 31 contract), each later in time, and of an account that",
        "the model 0.710 0.600 to 0.800 0.050 0.040 to 0.060 0.910 0.850 to 0.950",
        "structural rule undefined 0.090 0.080 to 0.100",
        "structural rule undefined −0.040 −0.050 to −0.030",
    ):
        assert told in found
    (row,) = report.page(data(), {})["stage"]["leads"]
    assert [cell and cell["verdict"] for cell in row["cells"]] == ["open", "ahead", None, None]


def test_simulated_data_are_said_to_be_simulated() -> None:
    changed = data()
    assert "Simulated data." not in text(changed)
    changed["data"]["simulated"] = True
    assert "Simulated data." in text(changed)


def test_pictures_are_the_same_each_time() -> None:
    name = "plots/reliability_90.png"
    assert as_address(pictures(evaluation())[name]) == images()[name]


@pytest.mark.parametrize("width", [1280, 420])
def test_a_browser_shows_it_without_network_or_overflow(chromium: str, tmp_path: Path, width: int) -> None:
    file = tmp_path / "evaluation.html"
    file.write_text(html(data()), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        complaints: list[str] = []
        shown.on("request", lambda request: asked.append(request.url))
        shown.on("console", lambda message: complaints.append(message.text))
        shown.goto(file.as_uri())
        across = shown.evaluate("document.documentElement.scrollWidth")
        drawn = shown.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
        browser.close()
    assert {address for address in asked if not address.startswith("data:")} == {file.as_uri()}
    assert complaints == []
    assert across <= width
    assert drawn
