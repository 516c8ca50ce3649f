"""Whole nights under a virtual clock, one seed each; ``make soak SEEDS=20000`` plays many more."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from sqlite3 import IntegrityError

import pytest

from simulation.mutants import MUTANTS, Mutant, order_is_a_time, rows_pay_for_the_account
from simulation.night import CLASSES, play, refuses

SEEDS = 150
PARTS = 10
BUGGY = range(12, 172)
"""Seeds within which a planted bug must be found; these are as good as any, and find all early."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("part", range(PARTS))
def test_the_promises_hold_in_every_night(part: int) -> None:
    """Random manifests, caps, faults, clocks, crashes and operators: nothing paid twice or lost."""
    for seed in range(part, SEEDS, PARTS):
        try:
            outcome = play(seed)
        except Exception as error:
            error.add_note(f"replay: .venv/bin/python tests/simulation/soak.py --seed {seed}")
            raise
        assert outcome.commits > 0


@pytest.mark.parametrize("evidence", [name for name in CLASSES if name != "listed"])
def test_they_hold_whatever_the_lists_show_of_a_lost_answer(evidence: str) -> None:
    """The same nights with rows of other models: marked, ordered, blind, and all in one table."""
    for seed in range(SEEDS, SEEDS + 60):
        try:
            play(seed, CLASSES[evidence])
        except Exception as error:
            again = f"soak.py --evidence {evidence} --seed {seed}"
            error.add_note(f"replay: .venv/bin/python tests/simulation/{again}")
            raise


def test_order_that_is_taken_for_a_time_is_found() -> None:
    """A video that somebody made by hand after a crash is not the one that the run had lost."""
    with order_is_a_time(), pytest.raises(AssertionError, match="somebody else's"):
        play(47, CLASSES["ordered"])


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_planted_bug_is_found(mutant: Mutant) -> None:
    """The nights can fail: each way to break a promise is seen within a few seeds."""
    for seed in (MUTANTS[mutant], *BUGGY):
        if mutant is rows_pay_for_the_account and not refuses(seed):
            continue  # it has nothing to break there
        with mutant(), suppress(AssertionError, IntegrityError):
            play(seed)
            continue
        return  # found
    pytest.fail(f"{mutant.__name__} was not found in {len(BUGGY)} nights")
