"""Models trained once for all tests of this folder; none of them changes one."""

import pytest

from models.archive import Models
from models.risk import RiskModel
from tests.models.portfolio import contract_models, silence_models


@pytest.fixture(scope="session")
def models() -> Models:
    """Models of the contract definition."""
    return contract_models()


@pytest.fixture(scope="session")
def model(models: Models) -> RiskModel:
    """The risk model of the contract definition."""
    return models.risk


@pytest.fixture(scope="session")
def silence() -> Models:
    """Models of the silence definition, of 45 days."""
    return silence_models()
