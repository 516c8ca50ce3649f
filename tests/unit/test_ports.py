"""The SQLite store answers what the engine asks of its store (jobs/ports)."""

import inspect
from pathlib import Path

import pytest
from support.blank import blank

from jobs.ports.job_store import JobStore
from jobs.store import Store

ROLES = [
    name
    for name, value in inspect.getmembers(JobStore, lambda value: isinstance(value, property))
    if name != "path"
]


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    blank(tmp_path / "b.db")
    return Store(tmp_path / "b.db")


def test_there_are_roles() -> None:
    """So that the tests below look at something."""
    assert {"account", "purchases"} <= set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_the_methods_of_its_protocol_and_no_others(role: str, store: JobStore) -> None:
    """What the engine may ask stands in one place; mypy compares the parameters."""
    protocol = inspect.signature(getattr(JobStore, role).fget, eval_str=True).return_annotation

    def methods(of: type) -> set[str]:
        return {
            name
            for name, _ in inspect.getmembers(of, inspect.isfunction)
            if not name.startswith("_")
        }

    assert methods(type(getattr(store, role))) == methods(protocol)
