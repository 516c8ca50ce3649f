"""What a contract is tried against."""

import pytest
from support.providers import BENCHES, LISTING, Bench


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Bench:
    """Give each kind of provider in turn, for each family that it has."""
    return BENCHES[request.param]


@pytest.fixture(params=LISTING)
def listing(request: pytest.FixtureRequest) -> Bench:
    """Give those whose family has a list."""
    return BENCHES[request.param]
