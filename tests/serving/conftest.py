"""Models and a scored portfolio, made once for all tests of this folder; none of them changes one."""

from pathlib import Path

import pytest

from features.sources.importing import import_to_folder
from serving.champion import Champion
from serving.portfolio import Portfolio, score_histories
from tests.serving import clients


@pytest.fixture(scope="session")
def made() -> clients.Records:
    """The records of the portfolio."""
    return clients.records()


@pytest.fixture(scope="session")
def champion(made: clients.Records) -> Champion:
    """A champion that has learned from the portfolio."""
    return clients.champion(clients.learned(made))


@pytest.fixture(scope="session")
def tables(made: clients.Records, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portfolio as a canonical folder."""
    folder = tmp_path_factory.mktemp("portfolio")
    import_to_folder([clients.write_csv(made, folder / "raw")], folder / "tables")
    return folder / "tables"


@pytest.fixture(scope="session")
def portfolio(champion: Champion, tables: Path) -> Portfolio:
    """The portfolio as scored in batch."""
    return score_histories(champion, tables, clients.AS_OF)
