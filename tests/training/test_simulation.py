"""The simulation: it passes the door, repeats itself, and its true risk is true."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

import features.signals  # noqa: F401  (registers every indicator)
from features.histories.history import History
from features.histories.spells import contract_spells
from features.histories.tables import ALLOWED_BY_KIND, INTERACTIONS, KINDS
from features.indicators import REGISTRY
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from tests.training.simulation_oracle import forward_risks, posteriors
from training.simulation import SimulationSummary, compiling, simulate
from training.simulation import records as r
from training.simulation.chain import LAPSE, N_CONDITIONS, N_TYPES, build_chain
from training.simulation.drawing import DAY
from training.simulation.mechanisms import CONDITIONS, DRIVERS, IRRELEVANT, MECHANISMS, STEADY, mechanism_at
from training.simulation.portfolio import CHUNK, Portfolio, walk_portfolio
from training.simulation.truth import HORIZONS, loss_chances, risk

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MANY = 3_000


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    return walk_portfolio(MANY, 4, seed=7)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimulationSummary]:
    folder = tmp_path_factory.mktemp("simulation") / "portfolio"
    return folder, simulate(folder, 120, 3, seed=3)


@pytest.fixture(scope="module")
def chances() -> Floats:
    return loss_chances(build_chain())


# The truth


@pytest.mark.parametrize(
    ("days_to_end", "renewal_open", "state"),
    [(300, 0, 3), (100, 1, 12), (40, 0, 83), (0, 1, 0), (-59, 0, 46), (200, 0, 61)],
)
def test_risk_agrees_with_pushing_one_state_forward(
    chances: Floats, days_to_end: int, renewal_open: int, state: int
) -> None:
    switching, otherwise = chances[:, :, renewal_open, days_to_end - LAPSE, state].T
    expected = forward_risks(build_chain(), days_to_end, bool(renewal_open), state, HORIZONS)
    np.testing.assert_allclose(risk(switching, otherwise), expected, atol=1e-12)


def test_the_filter_agrees_with_reading_the_records() -> None:
    few = walk_portfolio(30, 2, seed=5)
    reviewed = set(few.reviews["account"].tolist())
    checked = 0
    for account in np.unique(few.snapshots["account"]).tolist():
        if account in reviewed:
            continue
        expected = posteriors(few, account)
        for place in np.flatnonzero(few.snapshots["account"] == account):
            np.testing.assert_allclose(few.posterior[place], expected[int(few.snapshots["day"][place])], atol=1e-12)
            checked += 1
    assert checked > 100


def test_mean_risks_are_the_share_of_losses(portfolio: Portfolio) -> None:
    for place in range(len(HORIZONS)):
        lost, counted = _outcomes(portfolio, place)
        for risks in (portfolio.true_risk, portfolio.knowable_risk):
            assert abs(_z(portfolio, lost, risks[:, place], counted)) < 4


def test_risks_are_calibrated_where_they_are_low_and_where_they_are_high(portfolio: Portfolio) -> None:
    for place in range(len(HORIZONS)):
        lost, counted = _outcomes(portfolio, place)
        for risks in (portfolio.true_risk[:, place], portfolio.knowable_risk[:, place]):
            edges = [0.0, 0.02, 0.1, 0.3, 0.6, 1.01]
            for low, high in pairwise(edges):
                within = counted & (risks >= low) & (risks < high)
                assert within.sum() > 50
                assert abs(_z(portfolio, lost, risks, within)) < 4


def test_the_filter_is_calibrated_for_every_condition_and_every_type(portfolio: Portfolio) -> None:
    """Not for every state: some hold so few accounts that their spread says nothing."""
    state, shape = portfolio.snapshots["state"], (-1, N_TYPES, N_CONDITIONS)
    of_condition, of_type = (portfolio.posterior.reshape(shape).sum(axis=axis) for axis in (1, 2))
    for beliefs, is_now in ((of_condition, state % N_CONDITIONS), (of_type, state // N_CONDITIONS)):
        for each in range(beliefs.shape[1]):
            belief = beliefs[:, each]
            for low, high in ((0.0, 1.01), (0.0, 0.05), (0.05, 0.5), (0.5, 1.01)):
                within = (belief >= low) & (belief < high)
                if within.sum() > 50:
                    assert abs(_z(portfolio, is_now == each, belief, within)) < 4


def test_what_is_knowable_ranks_well_and_never_better_than_the_truth(portfolio: Portfolio) -> None:
    for place in range(len(HORIZONS)):
        lost, counted = _outcomes(portfolio, place)
        knowable = _auc(lost[counted], portfolio.knowable_risk[counted, place])
        assert 0.7 < knowable < 0.96
        assert knowable < _auc(lost[counted], portfolio.true_risk[counted, place])


def test_behaviour_tells_more_than_the_contract_alone(portfolio: Portfolio) -> None:
    for place in range(len(HORIZONS)):
        lost, counted = _outcomes(portfolio, place)
        by_contract = _auc(lost[counted], -portfolio.snapshots["days_to_end"][counted].astype(float))
        assert _auc(lost[counted], portfolio.knowable_risk[counted, place]) > by_contract + 0.05


def test_losses_are_those_of_the_deal_record(portfolio: Portfolio) -> None:
    for account in range(400):
        deals = portfolio.deals[portfolio.deals["account"] == account]
        leavings = portfolio.leavings[portfolio.leavings["account"] == account]
        expected = list(_leavings_by_definition(deals, portfolio.days * DAY))
        assert [(int(e["at"]), e["cause"] == r.ENDED_OTHERWISE) for e in leavings] == expected


def test_losses_are_those_that_training_counts(written: tuple[Path, SimulationSummary], tmp_path: Path) -> None:
    folder, summary = written
    import_to_folder([folder], tmp_path / "canonical")
    history = History.from_tables(read_tables(tmp_path / "canonical"))
    spells = contract_spells(history.deals)
    until = history.dataset.observed_until
    assert until is not None
    assert (spells.lost_at <= until).sum() == summary.lost
    assert (spells.left & (spells.ended <= until)).sum() == summary.ended_otherwise
    risks = pq.read_table(folder / "true_risk.parquet", columns=["account_id", "as_of"])
    names = {name: place for place, name in enumerate(history.accounts)}
    account = np.array([names[name] for name in risks["account_id"].to_pylist()])
    as_of = risks["as_of"].cast(pa.timestamp("s", "UTC")).cast("int64").to_numpy()
    at_risk, _ = spells.at(account, as_of)
    assert at_risk.all()


def test_compiled_code_is_forgotten_when_another_file_of_the_package_changes(tmp_path: Path) -> None:
    """numba alone would go on with the old constant, or stumble over the name of a file that is gone."""
    package = tmp_path / "parcel"
    package.mkdir()
    shutil.copy(compiling.__file__, package / "compiling.py")
    for module, value in (("numbers", "1"), ("numbers", "2"), ("figures", "3")):
        (package / "numbers.py").unlink(missing_ok=True)
        (package / f"{module}.py").write_text(
            f"from typing import NamedTuple\n\nVALUE = {value}\n\nclass Pair(NamedTuple):\n    one: int\n"
        )
        (package / "kernel.py").write_text(
            f"from parcel.compiling import compiled\nfrom parcel.{module} import VALUE, Pair\n\n"
            "@compiled\ndef value(pair: Pair) -> int:\n    return VALUE\n"
        )
        printing = f"from parcel.kernel import value; from parcel.{module} import Pair; print(value(Pair(0)))"
        command = [sys.executable, "-B", "-c", printing]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == value
    assert list(package.rglob("*.nbi"))


# The portfolio


def test_the_portfolio_is_plausible(portfolio: Portfolio) -> None:
    rows, deals = portfolio.rows, portfolio.deals
    assert 150 < rows.size / MANY < 260
    lost = (portfolio.leavings["cause"] != r.ENDED_OTHERWISE).sum()
    assert 0.10 < lost / (portfolio.client_days / 365.25) < 0.15
    assert (portfolio.leavings["cause"] == r.LAPSED).sum() > 0.05 * lost
    won = deals["outcome"] == r.DEAL_WON
    assert 0.05 < 1 - np.unique(deals["account"][won]).size / MANY < 0.3
    first_wins = won & (deals["kind"] == r.NEW)
    assert np.bincount(deals["account"][first_wins]).max() > 1  # some came back
    twice = np.flatnonzero(np.bincount(deals["account"][won], minlength=MANY) >= 2)
    assert 0.3 < np.isin(twice, portfolio.reviews["account"]).mean() < 0.5
    assert set(np.unique(rows["kind"])) == set(range(len(r.KINDS)))


def test_a_happier_client_is_a_livelier_one(portfolio: Portfolio) -> None:
    """Own messages in the month before a snapshot, by the condition at it."""
    own = _is(portfolio, r.MESSAGE, r.CLIENT) & (portfolio.rows["auto"] != 1)
    thriving, steady, *troubled = _monthly(portfolio, own)
    late = troubled[len(MECHANISMS) :]
    assert thriving > steady > max(late)


def test_each_mechanism_shows_in_behaviour_of_its_own(portfolio: Portfolio) -> None:
    """What a late phase changes most, as counts in the month before a snapshot."""
    rows = portfolio.rows
    slight = (rows["kind"] == r.MISTAKE_ROW) & (rows["level"] == 1)
    argued = (rows["kind"] == r.FEE) & np.isin(rows["outcome"], (r.FEE_ARGUED_DOWN, r.FEE_ARGUED_HELD, r.FEE_DISPUTED))
    senior = (rows["actor"] == r.CLIENT) & (rows["contact"] == 1) & (rows["auto"] != 1)
    shown: list[tuple[str, Mask, float]] = [
        ("neglect", slight, 3.0),
        ("champion", senior, 0.3),
        ("price", argued, 3.0),
        ("rival", (rows["kind"] == r.MENTION_ROW) & (rows["subtype"] == r.COMPETITOR), 8.0),
        ("budget", rows["kind"] == r.BRIEF_ROW, 0.3),
    ]
    for mechanism, what, change in shown:
        counts = _monthly(portfolio, what)
        for other in MECHANISMS:
            late = counts[CONDITIONS.index(f"{other}, late")] / counts[STEADY]
            beyond = late > change if change > 1 else late < change
            assert beyond == (other == mechanism), (mechanism, other, late)


def test_most_grave_mistakes_are_those_that_cost_the_client(portfolio: Portfolio) -> None:
    grave = (portfolio.rows["kind"] == r.MISTAKE_ROW) & (portfolio.rows["level"] == 3)
    counts = _monthly(portfolio, grave)
    assert counts[CONDITIONS.index("mistake, early")] > 0.2
    assert max(np.delete(counts, [CONDITIONS.index(f"mistake, {phase}") for phase in ("early", "late")])) < 0.05


def test_every_mechanism_loses_clients(portfolio: Portfolio) -> None:
    switched = portfolio.leavings["cause"] != r.ENDED_OTHERWISE
    at_work = np.array([mechanism_at(state % N_CONDITIONS) or "" for state in portfolio.leavings["state"]])
    for mechanism in MECHANISMS:
        lost, ended = ((at_work[which] == mechanism).mean() for which in (switched, ~switched))
        assert (lost > 0.08) == (mechanism != "budget")
        assert (ended > 0.3) == (mechanism == "budget")


def test_the_same_seed_gives_the_same_portfolio_and_another_does_not() -> None:
    once, again = (walk_portfolio(30, 2, 1) for _ in "12")
    for name in ("rows", "deals", "reviews", "leavings", "snapshots", "posterior", "knowable_risk"):
        np.testing.assert_array_equal(getattr(once, name), getattr(again, name))
    assert not np.array_equal(once.rows, walk_portfolio(30, 2, 2, truth=False).rows)


def test_neither_more_accounts_nor_the_truth_change_what_happens() -> None:
    small, large = walk_portfolio(CHUNK + 10, 1, 4, truth=False), walk_portfolio(CHUNK + 60, 1, 4)
    np.testing.assert_array_equal(small.rows, large.rows[large.rows["account"] < CHUNK + 10])
    np.testing.assert_array_equal(small.deals, large.deals[large.deals["account"] < CHUNK + 10])
    assert small.true_risk.size == 0


@pytest.mark.parametrize(
    ("accounts", "years", "seed", "said"),
    [(0, 4, 1, "accounts is 0"), (10, 0, 1, "years is 0; allowed is 1 to 30"), (10, 4, -1, "seed is -1")],
)
def test_arguments_out_of_range_are_refused(accounts: int, years: int, seed: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        walk_portfolio(accounts, years, seed)


# The data set


def test_every_row_passes_the_door(written: tuple[Path, SimulationSummary], tmp_path: Path) -> None:
    folder, summary = written
    imported = import_to_folder([folder], tmp_path / "canonical")
    assert imported.rejects == []
    assert imported.ignored == {}
    assert {name: counts.read for name, counts in imported.counts.items()} == {
        "accounts": summary.accounts,
        "contacts": imported.counts["contacts"].kept,
        "interactions": summary.interactions,
        "deals": summary.deals,
        "stage_reviews": summary.stage_reviews,
    }
    assert all(counts.kept == counts.read and not counts.created for counts in imported.counts.values())
    assert imported.dataset.simulated
    assert imported.dataset.observed_until == np.datetime64("2026-07-01", "s").astype(int)
    assert imported.dataset.records == frozenset(r.KINDS)


def test_interactions_hang_together(written: tuple[Path, SimulationSummary]) -> None:
    rows = pq.read_table(written[0] / "interactions.parquet").to_pandas().set_index("interaction_id")
    assert rows.index.is_unique
    assert rows["at"].is_monotonic_increasing
    assert set(rows.reset_index().columns) <= set(INTERACTIONS.column)
    until = tomllib.loads((written[0] / "dataset.toml").read_text())["dataset"]["observed_until"]
    assert (rows[["recorded_at", "outcome_recorded_at", "resolved_at"]].max() <= until).all()
    assert (rows["at"].dt.day_of_week < 5).all()

    answers = rows[rows["reply_to"].notna()]
    touches = rows.loc[answers["reply_to"]]
    assert (answers["at"].to_numpy() > touches["at"].to_numpy()).all()
    assert (answers["account_id"].to_numpy() == touches["account_id"].to_numpy()).all()
    assert (answers["actor"].to_numpy() != touches["actor"].to_numpy()).all()

    meetings = rows[rows["kind"] == "meeting"]
    assert (meetings["recorded_at"] < meetings["at"]).all()
    ahead = (meetings["at"] > until) & meetings["resolved_at"].isna()  # not called off already
    assert ahead.any()
    assert (meetings["outcome"].isna() == ahead).all()
    assert (meetings["resolved_at"].dropna() < meetings["at"][meetings["resolved_at"].notna()]).all()

    others = rows[rows["kind"] != "meeting"]
    assert 0.02 < others["recorded_at"].notna().mean() < 0.05
    assert (others["recorded_at"].dropna() >= others["at"][others["recorded_at"].notna()]).all()
    kept = rows[rows["outcome"] == "kept"]
    assert 0.4 < (kept["resolved_at"] <= kept["due_at"]).mean() < 1.0
    assert (rows["kind"] == "message").sum() == rows["words"].notna().sum()
    assert rows["contact_id"].str.startswith(tuple(rows["account_id"].unique())).all()


def test_the_risk_table_holds_every_horizon_of_accounts_at_risk(written: tuple[Path, SimulationSummary]) -> None:
    folder, summary = written
    table = pq.read_table(folder / "true_risk.parquet")
    assert len(table) == summary.snapshots * len(HORIZONS)
    assert pc.count_distinct(table["horizon_days"]).as_py() == len(HORIZONS)
    assert set(pc.day(table["as_of"]).to_pylist()) == {1}
    for name in ("true_risk", "knowable_risk"):
        values = table[name].to_numpy()
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-12


def test_what_was_hidden_stands_beside_the_tables(written: tuple[Path, SimulationSummary]) -> None:
    folder, summary = written
    monthly, losses = (pq.read_table(folder / f"{name}.parquet").to_pandas() for name in ("mechanism", "losses"))
    assert len(monthly) == summary.snapshots
    assert (losses["cause"] != "ended otherwise").sum() == summary.lost
    for table, moment in ((monthly, "as_of"), (losses, "lost_at")):
        troubled = table["mechanism"].notna()
        assert troubled.any()
        assert (table["began"].notna() == troubled).all()
        assert (table.loc[troubled, "began"] <= table.loc[troubled, moment]).all()
        assert set(table.loc[troubled, "mechanism"]) <= set(MECHANISMS)
        assert ((table["drivers"].str.len() > 0) == troubled).all()
        assert all(name.startswith(mechanism) for name, mechanism in table[["condition", "mechanism"]].dropna().values)


def test_the_signals_named_for_a_mechanism_are_in_the_catalogue() -> None:
    known = set(REGISTRY.signals)
    for mechanism in MECHANISMS:
        assert set(DRIVERS[mechanism]) | set(IRRELEVANT[mechanism]) <= known
        assert not set(DRIVERS[mechanism]) & set(IRRELEVANT[mechanism])


def test_every_kind_comes_in_all_its_forms(portfolio: Portfolio) -> None:
    assert set(r.KINDS) == set(KINDS)
    rows = portfolio.rows
    for name, vocabulary in (("subtype", r.SUBTYPES), ("outcome", r.OUTCOMES)):
        kinds, codes = rows["kind"], rows[name]
        seen = {
            (r.KINDS[kind], vocabulary[code])
            for kind, code in np.unique(np.stack([kinds, codes]), axis=1).T
            if code >= 0
        }
        allowed = {(kind, value) for kind, limits in ALLOWED_BY_KIND.items() for value in limits.get(name, ())}
        assert seen == allowed - {("mistake", "other")}


def test_it_says_that_it_is_simulated(written: tuple[Path, SimulationSummary]) -> None:
    folder, _ = written
    assert (folder / "README.txt").read_text().startswith("Everything in this folder is simulated.")
    assert tomllib.loads((folder / "dataset.toml").read_text())["dataset"]["simulated"] is True
    for name in ("interactions", "true_risk"):
        assert pq.read_schema(folder / f"{name}.parquet").metadata[b"simulated"] == b"true"
    accounts = pyarrow.csv.read_csv(folder / "accounts.csv")
    assert pc.count_distinct(accounts["name"]).as_py() == len(accounts)


def test_files_repeat_byte_for_byte_and_replace_an_earlier_simulation(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate(tmp_path / "a", 20, 1, 1, progress=lambda done, of: seen.append((done, of)))
    simulate(tmp_path / "b", 30, 1, 2, truth=False)
    simulate(tmp_path / "b", 20, 1, 1)
    assert seen == [(20, 20)]
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    simulate(tmp_path / "b", 20, 1, 1, truth=False)
    assert not (tmp_path / "b" / "true_risk.parquet").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("interaction_id\n")
    with pytest.raises(FileExistsError, match="holds no simulation"):
        simulate(tmp_path, 10, 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["interactions.csv"]


# Help


def _is(portfolio: Portfolio, kind: int, actor: int) -> Mask:
    which: Mask = (portfolio.rows["kind"] == kind) & (portfolio.rows["actor"] == actor)
    return which


def _monthly(portfolio: Portfolio, which: Mask) -> list[float]:
    """[conditions]: how many of those rows an account has in the 30 days before a snapshot."""
    rows = portfolio.rows[which]
    times = np.sort(rows["account"].astype(np.int64) << 32 | rows["at"].astype(np.int64))
    account, day = (portfolio.snapshots[name].astype(np.int64) for name in ("account", "day"))
    until = account << 32 | day * DAY
    counts = np.searchsorted(times, until) - np.searchsorted(times, until - 30 * DAY)
    condition = portfolio.snapshots["state"] % N_CONDITIONS
    return [float(counts[condition == each].mean()) for each in range(N_CONDITIONS)]


def _outcomes(portfolio: Portfolio, place: int) -> tuple[Mask, Mask]:
    """[snapshots] each: lost within the horizon; and whether the horizon was wholly observed."""
    snapshots, leavings = portfolio.snapshots, portfolio.leavings
    account, at = snapshots["account"].astype(np.int64), snapshots["day"].astype(np.int64) * DAY
    key = leavings["account"].astype(np.int64) << 32 | leavings["at"].astype(np.int64)
    following = np.searchsorted(key, account << 32 | at, side="right")
    place_of = np.minimum(following, key.size - 1)
    end = at + HORIZONS[place] * DAY
    leaves = (following < key.size) & (leavings["account"][place_of] == account) & (leavings["at"][place_of] <= end)
    otherwise = leaves & (leavings["cause"][place_of] == r.ENDED_OTHERWISE)
    return leaves & ~otherwise, (end <= portfolio.days * DAY) & ~otherwise


def _z(portfolio: Portfolio, happened: Mask, chance: Floats, counted: Mask) -> float:
    """How many standard errors the count is away from the sum of its chances.

    Accounts are independent of one another, rows of one account are not; where few accounts are left, the spread that
    the chances themselves say is the safer one.
    """
    off = happened[counted] - chance[counted]
    by_account = np.bincount(portfolio.snapshots["account"][counted], weights=off)
    variance = max((by_account**2).sum(), (chance[counted] * (1 - chance[counted])).sum())
    return float(off.sum() / np.sqrt(variance))


def _auc(lost: Mask, scores: Floats) -> float:
    ranks, losses = rankdata(scores), lost.sum()
    return float((ranks[lost].sum() - losses * (losses + 1) / 2) / (losses * (~lost).sum()))


def _leavings_by_definition(deals: NDArray[np.void], until: int) -> Iterator[tuple[int, bool]]:
    """(lost_at, for another reason than switching) as the canonical tables define it, read deal by deal."""
    events = sorted((int(deal["closed"]), place) for place, deal in enumerate(deals) if deal["closed"] >= 0)
    contracts: list[int] = []  # ends of the contracts of this spell
    for closed, place in [*events, (until + 1, -1)]:
        if contracts and max(contracts) + 60 * DAY < closed:
            yield max(contracts) + 60 * DAY, False
            contracts = []
        if place < 0:
            return
        deal = deals[place]
        if deal["outcome"] == r.DEAL_WON:
            contracts.append(int(deal["ends"]))
        elif deal["kind"] == r.RENEWAL and contracts and sum(end > closed for end in contracts) <= 1:
            yield closed, bool(deal["reason"] in (3, 4))
            contracts = []
