"""What a contract is tried against."""

import pytest
from support.providers import BENCHES, Bench


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Bench:
    """Give each kind of provider in turn."""
    return BENCHES[request.param]
