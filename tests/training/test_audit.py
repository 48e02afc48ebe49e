"""The leak audit: clean data pass, each planted leak is caught and named, and only a reason registers a leaky model."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

import features.matrix
from features.frame import Frame, first_event
from features.histories import visibility
from features.histories.columns import OWN_PREFIX
from features.histories.history import History
from features.histories.log import DAY, Array
from features.histories.tables import Dataset, Tables
from features.indicators import Figure, Indicator
from features.matrix import Matrix, Rows, build_matrix, indicators_of, rows_at, snapshots
from features.measuring import measure_portfolio
from features.own_columns import own_columns
from features.reference import Reference
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from features.standing import Standing
from models.risk import HORIZONS
from tests.features.helpers import differences, matrix_of
from tests.features.test_batch_and_request import as_documents
from tests.features.worlds import BEGIN, SPAN, World, random_world, truncated
from training import permutation, single_columns
from training.audit import SUSPICIOUS_AUC, Audit, AuditFailed, Check, admit, audit
from training.entries import Entries
from training.outcomes import Outcomes, contract_outcomes, observed_until
from training.permutation import Dealer, RankedWithin, Scorer, by_heart, permuted
from training.simulation import simulate
from training.single_columns import lower_bound, rankings
from training.splits import Fold, entries_before, entries_from
from training.splits import test_cut as cut_of
from training.truncation import Past

CHECKS = ["settled", "parted", "truncation", "portfolio", "permutation", "single_columns"]


@dataclass(frozen=True)
class Training:
    """What a training has in hand when it is audited."""

    tables: Tables
    reference: Reference
    entries: Entries
    learned: Array
    tested: Array
    cut: int | None

    def audited(self, score: Scorer = by_heart) -> Audit:
        return audit(self.tables, self.entries, self.learned, self.tested, self.cut, self.reference, 3, score)


def learns_nothing(entries: Entries, fold: Fold) -> Array:
    """For audits in which the permutation is not what matters."""
    return np.where(fold.score, 0.0, np.nan)


def prepared(tables: Tables) -> Training:
    history = History.from_tables(tables)
    moments = snapshots(int(first_event(history).min()), int(observed_until(history).max()))
    reference = Reference(measure_portfolio(history, moments), own_columns(history)[0])
    matrix = build_matrix(history, rows_at(history, moments), reference=reference)
    outcomes = contract_outcomes(history, matrix.rows, matrix.standing, HORIZONS)
    whole = Entries(matrix, outcomes, outcomes.labels >= 0, matrix.rows.account, False)
    entries = whole.rows(np.flatnonzero(whole.usable.any(axis=1)))
    as_of = entries.matrix.rows.as_of
    cut = cut_of(entries.outcomes, as_of)
    learned, tested = entries_before(entries.outcomes, cut), entries_from(entries.outcomes, as_of, cut)
    return Training(tables, reference, entries, learned, tested, cut)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Training:
    base = tmp_path_factory.mktemp("clean")
    simulate(base / "raw", 120, 4, seed=5, truth=False)
    import_to_folder([base / "raw"], base / "tables")
    return prepared(read_tables(base / "tables"))


@pytest.fixture(scope="module")
def clean_audit(clean: Training) -> Audit:
    return clean.audited()


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """For audits of which one check matters that does not look at samples."""
    for name, number in {"recomputing.MOMENTS": 2, "recomputing.ROWS_AT_A_MOMENT": 5, "permutation.DEALS": 5}.items():
        monkeypatch.setattr(f"training.{name}", number)


def check(found: Audit, name: str) -> Check:
    (one,) = (one for one in found.checks if one.name == name)
    return one


# The whole


def test_a_clean_portfolio_passes_every_check(clean_audit: Audit) -> None:
    assert [one.name for one in clean_audit.checks] == CHECKS
    assert [one.passed for one in clean_audit.checks] == [True] * len(CHECKS)
    assert clean_audit.passed
    assert all(one.figure <= one.limit for one in clean_audit.checks)
    assert admit(clean_audit, None) == {"audit.passed": "true"}
    assert admit(clean_audit, "not needed") == {"audit.passed": "true"}
    assert check(clean_audit, "truncation").details["rows"] > 100
    assert check(clean_audit, "portfolio").details["months"]
    assert len(check(clean_audit, "permutation").details["auc"]) == permutation.FITS


def test_an_audit_is_plain_json(clean_audit: Audit) -> None:
    read = json.loads(json.dumps(clean_audit.document(), allow_nan=False))
    assert read["passed"] is True
    assert read["checks"][4]["figure"] == check(clean_audit, "permutation").figure
    assert {tuple(one) for one in read["checks"]} == {tuple(Check.__dataclass_fields__)}


@pytest.mark.usefixtures("brief")
def test_the_same_seed_gives_the_same_audit(clean: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutation, "FITS", 1)
    assert clean.audited() == clean.audited()


def test_a_failure_stops_the_registration_unless_a_reason_is_given() -> None:
    fine = Check("settled", True, 0, 0, "All well.", {})
    unknown = Check("portfolio", None, float("nan"), 0, "Nothing to see.", {})
    wrong = Check("parted", False, 3, 0, "3 in both parts.", {})
    leaky = Check("truncation", False, 0.5, 0, "Half look ahead.", {})
    assert Audit((fine, unknown)).passed
    assert Audit((unknown,)).document()["checks"][0]["figure"] is None
    failed = Audit((fine, unknown, wrong, leaky))
    with pytest.raises(AuditFailed, match=r"3 in both parts\. Half look ahead\. .*--despite-audit REASON") as refused:
        admit(failed, None)
    assert isinstance(refused.value, ValueError)
    assert "All well" not in str(refused.value)
    assert "Nothing to see" not in str(refused.value)
    for empty in ("", "  "):
        with pytest.raises(ValueError, match="say the reason"):
            admit(failed, empty)
    assert admit(failed, " we know: see ticket 7 ") == {
        "audit.passed": "false",
        "audit.failed": "parted,truncation",
        "audit.override": "we know: see ticket 7",
    }


# What was learned and what is judged by


def test_test_entries_among_those_learned_from_are_caught(clean: Training) -> None:
    """Of every other account: by their sets exactly, and by the permutation, without looking at the sets."""
    mixed = clean.learned | (clean.tested & (clean.entries.matrix.rows.account % 2 == 0)[:, None])
    found = replace(clean, learned=mixed).audited()
    assert [one.name for one in found.failed] == ["parted", "permutation"]
    parted = check(found, "parted")
    assert parted.details["in_both_parts"] == (mixed & clean.tested).sum() > 0
    assert parted.details["learned_but_settled_after"] == (mixed & clean.tested).sum()
    assert f"{(mixed & clean.tested).sum():,} in both parts" in parted.sentence


@pytest.mark.usefixtures("brief")
def test_one_entry_on_the_wrong_side_is_caught(clean: Training) -> None:
    straddling = (clean.entries.usable & ~clean.learned & ~clean.tested).nonzero()
    learned, tested = clean.learned.copy(), clean.tested.copy()
    learned[straddling[0][0], straddling[1][0]] = True
    tested[straddling[0][1], straddling[1][1]] = True
    details = check(replace(clean, learned=learned).audited(learns_nothing), "parted").details
    assert list(details.values()) == [0, 1, 0, 0]
    details = check(replace(clean, tested=tested).audited(learns_nothing), "parted").details
    assert list(details.values()) == [0, 0, 1, 0]


@pytest.mark.usefixtures("brief")
def test_parts_by_accounts_across_time_share_no_account(clean: Training) -> None:
    group, usable = clean.entries.group, clean.entries.usable
    even = (group % 2 == 0)[:, None]
    apart = replace(clean, learned=usable & even, tested=usable & ~even, cut=None)
    found = apart.audited()
    assert found.passed
    assert check(found, "parted").sentence.endswith("no account is in both.")
    assert len(check(found, "permutation").details["auc"]) == permutation.FITS

    # One row of an account of the test is learned from instead.
    row = int(np.flatnonzero(apart.tested.any(axis=1))[0])
    learned, tested = apart.learned.copy(), apart.tested.copy()
    learned[row], tested[row] = tested[row], False
    details = check(replace(apart, learned=learned, tested=tested).audited(learns_nothing), "parted").details
    assert list(details.values()) == [0, tested[group == group[row]].sum(), 0]
    assert tested[group == group[row]].any()


@pytest.mark.usefixtures("brief")
def test_a_row_that_occurs_twice_is_caught(clean: Training) -> None:
    index = np.sort(np.append(np.arange(len(clean.entries.matrix)), 40))
    doubled = Training(
        clean.tables,
        clean.reference,
        clean.entries.rows(index),
        clean.learned[index],
        clean.tested[index],
        clean.cut,
    )
    assert list(check(doubled.audited(learns_nothing), "parted").details.values()) == [0, 0, 0, 1]


@pytest.mark.usefixtures("brief")
def test_an_outcome_settled_before_it_is_foretold_is_caught(clean: Training) -> None:
    known_by = clean.entries.outcomes.known_by.copy()
    row, place = (part[0] for part in clean.entries.usable.nonzero())
    known_by[row, place] = clean.entries.matrix.rows.as_of[row]
    early = replace(clean.entries, outcomes=replace(clean.entries.outcomes, known_by=known_by))
    found = check(replace(clean, entries=early).audited(learns_nothing), "settled")
    assert (found.passed, found.figure) == (False, 1)
    assert found.sentence.startswith("1 outcomes were settled")


# Truncation


def imported(world: World, folder: Path) -> Tables:
    source = folder / "source"
    source.mkdir(parents=True)
    for table, rows in as_documents(world).items():
        if rows:
            (source / f"{table}.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    assert import_to_folder([source], folder / "tables").rejected == 0
    return read_tables(folder / "tables")


@pytest.mark.parametrize("seed", range(6))
def test_cut_tables_hold_what_a_copy_made_then_would_hold(seed: int, tmp_path: Path) -> None:
    """Late, changed and doubled rows, outcomes entered later, values with dates: against a cut made row by row."""
    world = random_world(seed, accounts=4, touches=80)
    tables = imported(world, tmp_path)
    assert tables.dataset.versioned
    past, dice = Past(tables), random.Random(seed)
    for t in sorted(BEGIN + dice.randrange(SPAN) for _ in range(3)):
        by_hand = matrix_of(History.from_records(with_accounts(truncated(world, t), world), Dataset()), [t])
        cut = past.at(t)
        assert differences(by_hand, matrix_of(History.from_tables(cut), [t])) == []
        assert differences(by_hand, matrix_of(History.from_tables(tables), [t])) == []
        part = past.at(t, ["A2", "A0"])
        some = by_hand.take(np.flatnonzero(np.isin(by_hand.account_ids, ["A0", "A2"])))
        assert differences(replace_accounts(some, ["A0", "A2"]), matrix_of(History.from_tables(part), [t])) == []


def with_accounts(cut: World, world: World) -> World:
    """With an empty row for each account, so that those without any record at t are there too."""
    ids = {row["account_id"] for row in world["accounts"]}
    return cut | {"accounts": cut["accounts"] + [{"account_id": account} for account in sorted(ids)]}


def replace_accounts(matrix: Matrix, accounts: list[str]) -> Matrix:
    """The same rows under the codes that accounts have when they are alone."""
    rows = Rows(np.arange(len(accounts), dtype=np.int32), matrix.rows.as_of)
    return replace(matrix, accounts=accounts, rows=rows)


def test_nothing_of_later_is_left_in_cut_tables(clean: Training) -> None:
    past, t = Past(clean.tables), clean.cut
    assert t is not None
    cut = past.at(t)
    whole = clean.tables
    assert 0 < len(cut.interactions) < len(whole.interactions)
    for table in (cut.interactions, cut.deals, cut.stage_reviews):
        for name in {"recorded_at", "updated_at", "closed_at"} & set(table.column_names):
            assert (table[name].drop_null().cast(pa.int64()).to_numpy() <= t).all()
    assert cut.deals["outcome"].null_count > 0
    assert cut.accounts["account_id"].to_pylist() == whole.accounts["account_id"].to_pylist()
    assert cut.dataset.observed_until == t
    assert "text" not in cut.interactions.column_names
    assert past.at(0).interactions.num_rows == 0
    assert set(past.at(0).accounts["account_id"].to_pylist()) == set(whole.accounts["account_id"].to_pylist())


def test_a_figure_that_looks_ahead_is_caught(clean: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """An indicator that counts every interaction on record, whenever it was."""
    honest = indicators_of(clean.reference)[7]

    def everything(frame: Frame) -> Figure:
        count = np.diff(frame.history.interactions.start)[frame.segment]
        return Figure(count.astype(np.float64), count)

    def with_leak(reference: Reference) -> tuple[Indicator, ...]:
        others = tuple(one for one in indicators_of(reference) if one != honest)
        return (*others, replace(honest, column="leak.now", compute=everything))

    monkeypatch.setattr(features.matrix, "indicators_of", with_leak)
    found = prepared(clean.tables).audited(learns_nothing)
    truncation = check(found, "truncation")
    assert truncation in found.failed
    assert list(truncation.details["different"]) == ["leak.now"]
    assert truncation.figure > 0.5
    assert "what became known later is in leak.now" in truncation.sentence


def test_records_read_before_they_were_recorded_are_caught(clean: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the views of what was known switched off, about one row in thirty shows early: in rows, and in the whole."""
    monkeypatch.setattr(
        visibility, "_between_happening_and_known", lambda log, table, segment, as_of: np.zeros(len(segment), bool)
    )
    found = prepared(clean.tables).audited(learns_nothing)
    assert {"truncation", "portfolio"} <= {one.name for one in found.failed}
    assert len(check(found, "truncation").details["different"]) > 5


def test_a_portfolio_measured_with_hindsight_is_caught(clean: Training) -> None:
    portfolio = clean.reference.portfolio
    assert portfolio is not None
    shifted = replace(portfolio, months=(*portfolio.months[1:], portfolio.months[-1]))
    found = check(
        replace(clean, reference=replace(clean.reference, portfolio=shifted)).audited(learns_nothing), "portfolio"
    )
    assert found.passed is False
    assert "revenue" in next(iter(found.details["different"].values()))


def test_a_matrix_of_other_figures_is_caught(clean: Training) -> None:
    values = clean.entries.matrix.values.copy()
    values[:, 3] = np.nextafter(values[:, 3], np.inf)
    standing = replace(clean.entries.matrix.standing, former=~clean.entries.matrix.standing.former)
    matrix = replace(clean.entries.matrix, values=values, standing=standing)
    found = check(replace(clean, entries=replace(clean.entries, matrix=matrix)).audited(learns_nothing), "truncation")
    assert list(found.details["different"]) == [matrix.columns[3], "standing.former"]


# Permuted outcomes


def outcomes_without_ties(seed: int) -> tuple[Entries, Array, Array]:
    """Outcomes that nothing foretells: accounts that come and go, losses that last, and more of them later and within
    longer horizons. The first half of the time is learned from, the second judged by."""
    dice = np.random.default_rng(seed)
    accounts, moments, horizons = 60, 10, 2
    begin = dice.integers(0, 5, accounts)
    present = (np.arange(moments) >= begin[:, None]) & (dice.random((accounts, moments)) < 0.9)
    account, moment = present.nonzero()
    trouble = dice.normal(0, 1.2, accounts)  # lasts as long as the account
    chance = trouble[account, None] + 0.25 * moment[:, None] + np.array([-2.0, -0.5])
    labels = (dice.logistic(size=(len(account), horizons)) < chance).astype(np.int8)
    labels[dice.random(labels.shape) < 0.1] = -1
    rows = Rows(account.astype(np.int32), BEGIN + moment * 30 * DAY)
    nothing = np.zeros(len(rows))
    matrix = Matrix(
        [str(name) for name in range(accounts)],
        rows,
        (),
        np.empty((len(rows), 0)),
        None,
        Standing(*[nothing] * len(Standing.__dataclass_fields__)),
        "",
    )
    known_by = rows.as_of[:, None] + np.array([30, 60]) * DAY
    outcomes = Outcomes((30, 60), np.ones(len(rows), bool), labels, known_by, 0, 0)
    early = (moment < 5)[:, None] & (labels >= 0)
    late = (moment >= 5)[:, None] & (labels >= 0)
    return Entries(matrix, outcomes, labels >= 0, rows.account, False), early, late


def knows_them_again(entries: Entries, fold: Fold) -> Array:
    """Leans on all that could mislead: the share of an account's losses that it learned, the horizon and the time."""
    account, lost = entries.matrix.rows.account, (entries.outcomes.labels == 1) & fold.learn
    share = np.bincount(account, lost.sum(axis=1)) / np.maximum(np.bincount(account, fold.learn.sum(axis=1)), 1)
    scores = share[account][:, None] + np.array([0.0, 1.0]) + (entries.matrix.rows.as_of[:, None] - BEGIN) / (90 * DAY)
    return np.where(fold.score, scores, np.nan)


def test_permuted_outcomes_give_one_half_where_nothing_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutation, "FITS", 60)
    monkeypatch.setattr(permutation, "DEALS", 20)
    auc, spread = [], []
    for seed in range(10):
        entries, learned, tested = outcomes_without_ties(seed)
        found = permuted(entries, learned, tested, seed, knows_them_again)
        auc.append(found.auc)
        spread.append(found.spread)
    every, chance = np.concatenate(auc), np.concatenate(spread)
    assert len(every) == 600
    assert abs(every.mean() - 0.5) < 4 * np.sqrt((chance**2).sum()) / len(every) < 0.01
    # The spread told is that of the figures themselves.
    scaled = (every - 0.5) / chance
    assert 0.9 < scaled.std() < 1.1


def test_one_deal_for_both_parts_or_all_moments_together_would_not_be_one_half() -> None:
    """Why the permutation is as it is: the same scorer, on the same data, by the ways that seem simpler."""
    same_giver, all_together = [], []
    for seed in range(40):
        entries, learned, tested = outcomes_without_ties(seed)
        dice, labels, rows = np.random.default_rng(seed), entries.outcomes.labels, entries.matrix.rows
        dealt = Dealer(rows, labels).deal(dice)
        moved = replace(entries, outcomes=replace(entries.outcomes, labels=dealt))
        fold = Fold(learned & (dealt >= 0), tested & (dealt >= 0))
        same_giver.append(RankedWithin(rows.as_of, knows_them_again(moved, fold)).auc(np.where(tested, dealt, -1)))

        apart = np.where(tested, Dealer(rows, np.where(tested, labels, -1)).deal(dice), -1)
        scores, judged = knows_them_again(entries, Fold(learned, tested)), apart >= 0
        all_together.append(roc_auc_score(apart[judged], scores[judged]))
    assert np.mean(same_giver) > 0.6
    assert np.mean(all_together) > 0.6


def test_ranking_within_moments_and_horizons_is_that_of_every_pair() -> None:
    dice = np.random.default_rng(2)
    as_of, scores = dice.integers(0, 4, 60) * DAY, dice.integers(0, 6, (60, 2)) / 5
    labels = dice.integers(-1, 2, (60, 2)).astype(np.int8)
    scores[dice.random(scores.shape) < 0.1] = np.nan
    won = pairs = 0.0
    for place in range(2):
        for one in range(60):
            for other in range(60):
                there = not np.isnan(scores[one, place]) and not np.isnan(scores[other, place])
                if there and as_of[one] == as_of[other] and labels[one, place] == 1 and labels[other, place] == 0:
                    pairs += 1
                    won += (scores[one, place] > scores[other, place]) + (
                        scores[one, place] == scores[other, place]
                    ) / 2
    assert RankedWithin(as_of, scores).auc(labels) == pytest.approx(won / pairs, abs=1e-12)
    assert np.isnan(RankedWithin(as_of, scores).auc(np.full((60, 2), 1, np.int8)))
    assert np.isnan(RankedWithin(as_of, np.full((60, 2), np.nan)).auc(labels))


def test_a_deal_moves_whole_accounts_within_their_moments() -> None:
    entries, learned, _ = outcomes_without_ties(1)
    rows, labels = entries.matrix.rows, np.where(learned, entries.outcomes.labels, -1)
    dealt = Dealer(rows, labels).deal(np.random.default_rng(0))
    path = {
        account: {int(t): tuple(given) for t, given in zip(rows.as_of[mine], labels[mine], strict=True)}
        for account in np.unique(rows.account)
        for mine in [rows.account == account]
    }
    moved = 0
    for account in np.unique(rows.account):
        mine = rows.account == account
        got = [
            (int(t), tuple(given), own)
            for t, given, own in zip(rows.as_of[mine], dealt[mine], labels[mine], strict=True)
            if (own >= 0).any()
        ]
        givers = [
            giver
            for giver, had in path.items()
            if all(
                given == tuple(one if mark >= 0 else -1 for one, mark in zip(had.get(t, (-1, -1)), own, strict=True))
                for t, given, own in got
            )
        ]
        assert givers
        moved += account not in givers
    assert moved > 40


@pytest.mark.usefixtures("brief")
def test_without_losses_there_is_no_verdict(clean: Training) -> None:
    none = np.where(clean.entries.outcomes.labels == 1, 0, clean.entries.outcomes.labels)
    entries = replace(clean.entries, outcomes=replace(clean.entries.outcomes, labels=none))
    found = replace(clean, entries=entries).audited(learns_nothing)
    assert check(found, "permutation").passed is None
    assert check(found, "single_columns").passed is None
    assert found.passed
    json.dumps(found.document(), allow_nan=False)


# Single columns


def with_own(tables: Tables, table: str, values: Array) -> Tables:
    """The tables with an own column, every row of which says that it was recorded at the very beginning."""
    rows = getattr(tables, table).append_column(f"{OWN_PREFIX}outlook", pa.array(values, pa.float64()))
    if table == "accounts":
        early = pa.array(np.full(len(rows), 0), pa.timestamp("s", tz="UTC"))
        rows = rows.set_column(rows.column_names.index("recorded_at"), "recorded_at", early)
    return replace(tables, **{table: rows})


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("table", ["accounts", "interactions"])
def test_an_own_column_filled_in_afterwards_is_named(clean: Training, table: str) -> None:
    """It says of an account, under early dates, whether it will ever be lost."""
    entries = clean.entries
    rows = entries.matrix.rows.account[(entries.outcomes.labels == 1).any(axis=1)]
    doomed = {entries.matrix.accounts[account] for account in rows}
    told = np.array([account in doomed for account in getattr(clean.tables, table)["account_id"].to_pylist()])
    dice = np.random.default_rng(1)
    leaky = prepared(with_own(clean.tables, table, told + dice.normal(0, 0.2, len(told)))).audited(learns_nothing)
    assert [one.name for one in leaky.failed] == ["single_columns"]
    found = check(leaky, "single_columns")
    assert {one["column"].split(".")[0] for one in found.details["suspicious"]} == {"x_outlook"}
    assert all(one["own"] for one in found.details["suspicious"])
    assert found.figure > SUSPICIOUS_AUC
    assert "your own column x_outlook" in found.sentence

    chance = with_own(clean.tables, table, dice.permutation(told) + dice.normal(0, 0.2, len(told)))
    assert prepared(chance).audited(learns_nothing).passed


def test_a_column_known_only_of_the_lost_is_named(clean: Training) -> None:
    labels, values = clean.entries.outcomes.labels, clean.entries.matrix.values.copy()
    soon = labels[:, 2] == 1
    values[:, 5] = np.where(soon, np.random.default_rng(0).random(len(soon)), np.nan)
    matrix = replace(clean.entries.matrix, values=values)
    first, second = rankings(replace(clean.entries, matrix=matrix))[:2]
    assert (first.indicator.column, first.horizon, first.by_absence) == (matrix.columns[5], 180, True)
    assert first.auc == 1.0
    assert first.least > SUSPICIOUS_AUC > second.least


def test_silence_and_contract_facts_stand_apart(clean: Training) -> None:
    values, labels = clean.entries.matrix.values.copy(), clean.entries.outcomes.labels
    apart = [place for place, one in enumerate(clean.entries.matrix.indicators) if one.signal.id in ("D8f", "L5")]
    assert len(apart) > 10
    values[:, apart] = (labels[:, :1] == 1).astype(np.float64)
    told = rankings(replace(clean.entries, matrix=replace(clean.entries.matrix, values=values)))
    assert told == rankings(clean.entries)
    assert {one.indicator.signal.id for one in told}.isdisjoint({"D8f", "L5"})


def test_each_column_is_ranked_as_a_plain_auc(clean: Training) -> None:
    """Against scikit-learn, at the horizon that was found to tell most, where that is one."""
    labels, values, usable = clean.entries.outcomes.labels, clean.entries.matrix.values, clean.entries.usable
    checked = 0
    for one in [one for one in rankings(clean.entries) if one.horizon is not None][::7]:
        assert one.horizon is not None
        place = HORIZONS.index(one.horizon)
        rows = usable[:, place]
        figure, lost = values[rows, clean.entries.matrix.columns.index(one.indicator.column)], labels[rows, place] == 1
        known = ~np.isnan(figure)
        if one.by_absence:
            ends = [roc_auc_score(lost, np.where(known, figure, end)) for end in (-1e12, 1e12)]
            expected = max(*ends, *(1 - end for end in ends))
        else:
            expected = roc_auc_score(lost[known], figure[known])
            expected = max(expected, 1 - expected)
        account = clean.entries.matrix.rows.account[rows]
        counted = lost if one.by_absence else lost & known
        assert one.auc == pytest.approx(expected, abs=1e-12)
        assert one.unknown == pytest.approx(1 - known.mean())
        assert one.lost == len(np.unique(account[counted]))
        checked += 1
    assert checked > 10


def test_a_lower_bound_is_rarely_above_the_truth_and_grows_with_evidence() -> None:
    """Lost accounts stand one normal deviate and a half above kept ones: a true AUC of 0.856."""
    dice = np.random.default_rng(4)
    true = 0.8556
    for lost, kept in ((8, 60), (30, 200)):
        above = dice.normal(1.5, 1, (400, lost, 1)) > dice.normal(0, 1, (400, 1, kept))
        found = above.mean(axis=(1, 2))
        bound = lower_bound(found, np.full(400, lost), np.full(400, kept))
        assert (bound > true).mean() < 0.09
        assert bound.mean() > true - 4 / np.sqrt(lost) * 0.15
    least = lower_bound(np.ones(4), np.array([1, 11, 12, 100]), np.full(4, 500))
    assert (np.diff(least) > 0).all()
    assert least[1] < SUSPICIOUS_AUC < least[2]
    assert lower_bound(np.array([1.0, 0.4]), np.array([0, 9]), np.array([5, 9])).tolist() == [0.5, 0.5]


@pytest.mark.usefixtures("brief")
def test_large_data_are_looked_at_in_part(clean: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.audit.MOST_ENTRIES", 2_000)
    seen: list[Entries] = []

    def watched(entries: Entries, fold: Fold) -> Array:
        seen.append(entries)
        return learns_nothing(entries, fold)

    assert clean.audited(watched).passed
    assert {int(entries.usable.sum()) <= 2_000 for entries in seen} == {True}
    some = seen[0].matrix.rows.account
    lost = np.unique(clean.entries.matrix.rows.account[(clean.entries.outcomes.labels == 1).any(axis=1)])
    assert 3 < np.isin(np.unique(some), lost).sum() < len(np.unique(some))
    assert len(single_columns.APART) == 2
