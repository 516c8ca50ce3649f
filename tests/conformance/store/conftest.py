"""What the contract of the store is tried against."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.steps import Steps
from support.stores import STORES


@pytest.fixture(params=STORES)
def steps(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Steps]:
    """Give an empty job table of each kind in turn, whose one price kind is known."""
    kind = STORES[request.param]
    store = kind.make(tmp_path)
    made = Steps(store, kind, tmp_path)
    made.price()
    yield made
    made.close()
