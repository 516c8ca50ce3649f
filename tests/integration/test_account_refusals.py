"""Refusals of the account, in plain words and under a status for wrong requests too."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.refusing import told

from jobs.model.provider import GenerationRequest
from jobs.model.states import Reason

PLAIN = (
    (403, "You exceeded your quota"),
    (400, "Daily limit reached for your account"),
    (400, "Insufficient balance"),
)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine at known prices, whose invariants are checked at every commit."""
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    made.agreed()
    return made


def states(engine: Engine) -> dict[str, str]:
    return {key: job.state for key, job in engine.jobs().items()}


class Limited:
    """A provider that takes so many a day, and refuses the rest."""

    def __init__(self, engine: Engine, words: str, status: int) -> None:
        self.left = 0
        self._usual = engine.provider.submit
        self._words, self._status = words, status
        engine.provider.submit = self._submit  # type: ignore[method-assign]

    async def _submit(self, request: GenerationRequest, key: str, may: Callable[[], bool]) -> Any:
        if self.left <= 0:
            await asyncio.sleep(0.2)
            return told(self._words, self._status, request.prompt)
        self.left -= 1
        return await self._usual(request, key, may)


@pytest.mark.parametrize(("status", "words"), PLAIN)
def test_a_quota_of_each_day_makes_no_row_fail(engine: Engine, status: int, words: str) -> None:
    """Five videos a day: the sheet of 20 is bought on the fourth day, and none failed."""
    engine.load([spec(f"r{n}", row=n) for n in range(20)])
    account = Limited(engine, words, status)
    for _ in range(5):
        account.left = 5
        engine.run()
        assert "failed" not in states(engine).values()
        engine.clock.start += timedelta(days=1)
    assert set(states(engine).values()) == {"completed"}


@pytest.mark.parametrize(("status", "words"), PLAIN)
def test_an_account_that_is_refused_for_hours_in_plain_words_makes_no_row_fail(
    engine: Engine, status: int, words: str
) -> None:
    """After others were taken; whatever the balance says."""
    engine.load([spec(f"r{n}", row=n) for n in range(12)])
    account = Limited(engine, words, status)
    account.left = 6
    for _ in range(5):
        engine.run()
        assert "failed" not in states(engine).values()
        engine.clock.start += timedelta(hours=2)
    account.left = 20
    assert engine.run().reason is Reason.FINISHED
    assert set(states(engine).values()) == {"completed"}


class KilledError(Exception):
    """The process died here."""


@pytest.mark.parametrize(("status", "words"), PLAIN)
def test_a_run_that_is_killed_leaves_no_row_failed_for_the_account(
    engine: Engine, status: int, words: str
) -> None:
    """Killed with the second refusal written, it can put nothing back: nor can any later run."""
    engine.load([spec(f"r{n}", row=n) for n in range(6)])
    account = Limited(engine, words, status)
    for _ in range(2):
        written = 0

        def die(name: str) -> None:
            nonlocal written
            written += name == "outcome-written"
            if written == 2:
                raise KilledError

        with pytest.raises(KilledError):
            engine.run(checkpoint=die, rate=1)
    account.left = 20
    engine.run()
    assert set(states(engine).values()) == {"completed"}


@pytest.mark.parametrize(
    ("status", "words"),
    [(402, "Videos of 10 seconds require the Pro plan"), (404, "Image not found"), (405, "no")],
)
def test_one_row_whose_refusal_ends_a_run_does_not_end_every_run_before_the_others(
    engine: Engine, status: int, words: str
) -> None:
    """The next runs begin with the others, as after refusals that are not sure."""
    engine.load([spec(f"r{n}", row=n) for n in range(8)])
    engine.provider.script["prompt of r0"] = [told(words, status, "prompt of r0")] * 99
    for _ in range(4):
        engine.run(max_in_flight=1)
    left = {key for key, state in states(engine).items() if state != "completed"}
    assert left == {"r0"}


@pytest.mark.parametrize(("status", "words"), PLAIN)
def test_a_row_that_alone_hears_it_fails_while_others_are_bought(
    engine: Engine, status: int, words: str
) -> None:
    """After each acceptance it goes first once more; five times are its own fault, at no cost."""
    engine.load([spec(f"r{n}", row=n) for n in range(10)])
    engine.provider.script["prompt of r0"] = [told(words, status, "prompt of r0")] * 99
    assert engine.run(rate=1).reason is Reason.FINISHED
    jobs = engine.jobs()
    assert {key for key, job in jobs.items() if job.state != "completed"} == {"r0"}
    assert (jobs["r0"].state, jobs["r0"].error_kind) == ("failed", "validation")
    assert jobs["r0"].charged_micros == 0
    assert words in jobs["r0"].error


def test_an_edited_row_begins_to_count_anew(engine: Engine) -> None:
    """What its earlier request heard says nothing of the next."""
    status, words = PLAIN[0]
    engine.load([spec(f"r{n}", row=n) for n in range(4)])
    engine.provider.script["prompt of r0"] = [told(words, status)] * 99
    assert engine.run(rate=1).reason is Reason.ACCOUNT
    edited = [spec("r0", "another", row=0), *(spec(f"r{n}", row=n) for n in range(1, 7))]
    engine.provider.script["another"] = [told(words, status)] * 2
    engine.load(edited)
    assert engine.run(rate=1).reason is Reason.FINISHED
    assert set(states(engine).values()) == {"completed"}
