"""The benchmark of one call counts what a client really sends."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

FAULTS = ("dropped", "502", "500", "429", "late")


@pytest.fixture
def one_call(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the benchmark's module."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("paid_twice.one_call")


@pytest.mark.parametrize("fault", FAULTS)
def test_our_client_sends_one_request(one_call: Any, fault: str) -> None:
    """Whatever is answered, or not."""
    assert one_call.creations(Path(sys.executable), "batchsora", one_call.Fault(fault)) == 1


@pytest.mark.parametrize(("fault", "expected"), [("502", 4), ("429", 4)])
def test_a_client_that_repeats_is_counted(one_call: Any, fault: str, expected: int) -> None:
    """The provider's own package sends it three times more."""
    found = one_call.creations(Path(sys.executable), "runblob", one_call.Fault(fault))
    assert found == expected


def test_a_client_that_is_not_there_is_no_zero(one_call: Any) -> None:
    """Nothing sent is a broken benchmark."""
    with pytest.raises(RuntimeError, match="nobody, 500"):
        one_call.creations(Path(sys.executable), "nobody", one_call.Fault("500"))
