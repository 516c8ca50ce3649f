"""What tests of whole runs share: an engine on a file, on virtual time, at a scripted account."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engine import Engine
from support.invariants import Invariants
from support.nights import PRICE


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Make one whose prices are known and whose balance has agreed before."""
    made = Engine(tmp_path, Invariants(caps=False), takes=60.0)  # nobody waits for long
    made.announce(s10=PRICE)
    made.agreed()
    yield made
    made.store.close()
