"""Refusals that nobody understands: whose fault they are comes out over several runs."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.evidence.blame import open_words
from jobs.model.provider import (
    About,
    GenerationRequest,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
)
from jobs.model.states import FailureKind, Reason

STRANGE = Rejected(FailureKind.VALIDATION, "the API refused the request (400): nope", About.UNKNOWN)
UNCLEAR = Rejected(FailureKind.VALIDATION, "Image generation failed (7)", About.UNCLEAR)
NO_ACCESS = Refused(RefusalCause.ACCESS, "Forbidden", sure=False)
NO_PLAN = Refused(RefusalCause.ACCOUNT, "your plan has expired", sure=False)
DENIED = Refused(RefusalCause.FUNDS, "this one needs a top-up", sure=False)
EVERY = [STRANGE, UNCLEAR, NO_ACCESS, NO_PLAN, DENIED]
IDS = ["strange", "unclear", "access", "account", "funds"]
OPEN, OPEN_IDS = EVERY[:3], IDS[:3]
"""What may be the rows' own: what speaks of money or the account fails none of them by a streak."""


REASONS = {RefusalCause.ACCOUNT: Reason.ACCOUNT, RefusalCause.FUNDS: Reason.FUNDS}
"""How a run ends for words about the account."""


def open_cause(outcome: SubmitOutcome) -> RefusalCause | None:
    """Return what a refusal says that it is for, where it says so."""
    return outcome.cause if isinstance(outcome, Refused) else None


class Refusing(Engine):
    """An engine whose provider refuses some rows.

    Attributes:
        refused: keys of the rows that are refused.
        answer: what they hear.
        after: seconds until they hear it.
        others: what single rows hear instead.
        asked: keys of the rows that were sent, in order.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Invariants())
        self.refused: Collection[str] = ()
        self.answer: SubmitOutcome = STRANGE
        self.after = 0.2
        self.others: dict[str, SubmitOutcome] = {}
        self.asked: list[str] = []
        self._usual = self.provider.submit
        self.provider.submit = self._submit  # type: ignore[method-assign]

    async def _submit(self, request: GenerationRequest, key: str, may: Callable[[], bool]) -> Any:
        row = request.prompt.rpartition(" ")[2]
        self.asked.append(row)
        if row not in self.refused:
            return await self._usual(request, key, may)
        await asyncio.sleep(self.after)
        return self.others.get(row, self.answer)

    def states(self) -> Counter[str]:
        """Count the rows by their state."""
        return Counter(job.state for job in self.jobs().values())

    def failed(self) -> dict[str, str]:
        """Return the kinds of the rows that failed."""
        return {key: job.error_kind for key, job in self.jobs().items() if job.state == "failed"}

    def all_are_bought(self) -> None:
        """See that every row is bought, each once, as soon as none is refused any more."""
        self.refused = ()
        assert self.run(rate=1).reason is Reason.FINISHED
        count = len(self.jobs())
        assert self.states() == {"completed": count}
        assert len(self.provider.made) == count


@pytest.fixture
def engine(tmp_path: Path) -> Refusing:
    """An engine at known prices, whose invariants are checked at every commit."""
    made = Refusing(tmp_path)
    made.announce(s10=120_000)
    made.agreed()
    return made


def rows(engine: Engine, count: int, batch: str = "night") -> list[str]:
    keys = [f"{batch[0]}{i}" for i in range(count)]
    engine.load([spec(key, row=i) for i, key in enumerate(keys)], batch)
    return keys


@pytest.mark.parametrize("answer", OPEN, ids=OPEN_IDS)
def test_rows_at_the_top_that_nobody_understands_stop_one_run_only(
    engine: Refusing, answer: SubmitOutcome
) -> None:
    """The next one begins with the others; these are accepted, and then it was the rows' own."""
    keys = rows(engine, 10)
    engine.refused, engine.answer = keys[:3], answer
    assert engine.run(rate=1).reason is not Reason.FINISHED
    assert engine.states() == {"queued": 10}
    assert engine.asked == keys[:3]
    assert engine.run(rate=1).reason is Reason.FINISHED
    assert engine.asked[3:] == keys[3:] + keys[:3]
    assert engine.failed() == dict.fromkeys(keys[:3], "validation")
    assert engine.states()["completed"] == len(engine.provider.made) == 7
    assert engine.run(rate=1).reason is Reason.FINISHED
    assert len(engine.asked) == 13  # nothing is sent again by itself


@pytest.mark.parametrize(("window", "bad"), [(1, 3), (1, 8), (4, 5), (4, 8), (50, 3), (50, 8)])
def test_every_row_comes_to_its_end_after_a_few_runs(
    engine: Refusing, window: int, bad: int
) -> None:
    """However many are sent together, and in whatever order their answers come."""
    keys = rows(engine, 12)
    engine.refused = keys[:bad]
    for _ in range(4):
        engine.run(rate=100, max_in_flight=window)
    assert engine.failed() == dict.fromkeys(keys[:bad], "validation")
    assert engine.states()["completed"] == len(engine.provider.made) == 12 - bad


@pytest.mark.parametrize("answer", EVERY, ids=IDS)
def test_no_row_pays_for_an_account_that_stays_refused(
    engine: Refusing, answer: SubmitOutcome
) -> None:
    """Each run tries three others, none fails, and all are bought when it is settled."""
    keys = rows(engine, 8)
    engine.refused, engine.answer = keys, answer
    for _ in range(5):
        assert engine.run(rate=1).reason is not Reason.FINISHED
        assert {(job.state, job.attempts) for job in engine.jobs().values()} == {("queued", 0)}
    assert engine.asked[:9] == [*keys, keys[0]]
    assert len(engine.asked) == 15
    engine.all_are_bought()


@pytest.mark.parametrize("answer", EVERY, ids=IDS)
@pytest.mark.parametrize("bad", [3, 7])
@pytest.mark.parametrize("window", [1, 50])
def test_the_last_rows_of_a_sheet_do_not_stop_every_run(
    engine: Refusing, answer: SubmitOutcome, bad: int, window: int
) -> None:
    """Three or more are refused after the others: each is asked again at another hour, and fails.

    But for what speaks of the account: no number of refusals makes that the rows' own.
    """
    keys = rows(engine, 6 + bad)
    engine.refused, engine.answer = keys[6:], answer
    for _ in range(5):
        engine.run(rate=10, max_in_flight=window)
        engine.clock.start += timedelta(hours=6)
    failed = dict.fromkeys(keys[6:], "validation") if answer in OPEN else {}
    assert engine.failed() == failed
    assert engine.states()["completed"] == len(engine.provider.made) == 6
    assert engine.run().reason is REASONS.get(open_cause(answer), Reason.FINISHED)


@pytest.mark.parametrize("answer", EVERY, ids=IDS)
def test_rows_pay_for_no_bad_hour_of_an_account_that_took_others(
    engine: Refusing, answer: SubmitOutcome
) -> None:
    """However many runs are tried in it: then all are bought."""
    keys = rows(engine, 10)
    engine.refused, engine.answer = keys[6:], answer
    for _ in range(9):
        assert engine.run(rate=10).reason is not Reason.FINISHED
        assert engine.states() == {"completed": 6, "queued": 4}
        engine.clock.start += timedelta(minutes=6)
    engine.all_are_bought()


def test_an_account_that_took_others_long_ago_may_be_refused_itself(engine: Refusing) -> None:
    """What was bought days before the first refusal tells nothing: no row fails."""
    rows(engine, 6)
    engine.run()
    engine.clock.start += timedelta(days=3)
    engine.refused = rows(engine, 4, "other")
    for _ in range(4):
        assert engine.run([2], rate=10).reason is Reason.REQUEST
        engine.clock.start += timedelta(hours=6)
    assert engine.states() == {"completed": 6, "queued": 4}


def test_other_words_than_before_are_counted_anew(engine: Refusing) -> None:
    """The account is suspended when the others were bought: in other words, so nobody fails."""
    keys = rows(engine, 6)
    engine.refused = keys[:3]
    engine.run(rate=1)
    engine.answer = NO_PLAN
    assert engine.run(rate=1).reason is Reason.ACCOUNT
    assert engine.states() == {"completed": 3, "queued": 3}
    engine.all_are_bought()


def test_an_edited_row_was_not_refused_before(engine: Refusing) -> None:
    """Its new request has heard nothing yet."""
    keys = rows(engine, 6)
    engine.refused = keys[:3]
    engine.run(rate=1)
    changed = [spec(key, f"another {key}" if i < 3 else None, row=i) for i, key in enumerate(keys)]
    engine.load(changed)
    assert engine.run(rate=1).reason is Reason.REQUEST
    assert engine.states() == {"completed": 3, "queued": 3}
    engine.all_are_bought()


def test_rows_put_back_go_behind_those_of_other_batches(engine: Refusing) -> None:
    """What another batch buys tells as well that it was the rows' own."""
    first = rows(engine, 3)
    second = rows(engine, 2, "other")
    engine.refused = first
    engine.run([1, 2], rate=1)
    assert engine.run([1, 2], rate=1).reason is Reason.FINISHED
    assert engine.asked[3:] == second + first
    assert engine.failed() == dict.fromkeys(first, "validation")


@pytest.mark.parametrize("answer", EVERY, ids=IDS)
def test_the_last_rows_that_were_refused_wait_for_the_next_run(
    engine: Refusing, answer: SubmitOutcome
) -> None:
    """Too few to tell whose fault it is, and nothing was accepted after them: they stay queued.

    In words about the account they are asked until three were refused running.
    """
    keys = rows(engine, 6)
    engine.refused, engine.answer = keys[4:], answer
    ending = engine.run(rate=1)
    assert ending.reason is REASONS.get(open_cause(answer), Reason.UNDECIDED)
    assert ending.message == (open_words(answer) or answer.message)  # type: ignore[union-attr]
    assert len(engine.asked) == (6 if answer in OPEN else 7)
    assert {(job.state, job.attempts) for job in engine.jobs().values()} == {
        ("completed", 1),
        ("queued", 0),
    }
    engine.all_are_bought()


@pytest.mark.parametrize("answer", OPEN, ids=OPEN_IDS)
def test_the_last_rows_fail_when_they_hear_it_again(
    engine: Refusing, answer: SubmitOutcome
) -> None:
    """No run asks twice."""
    keys = rows(engine, 6)
    engine.refused, engine.answer = keys[4:], answer
    engine.run(rate=1)
    engine.run(rate=1)
    assert engine.asked == [*keys, *keys[4:]]
    assert engine.failed() == dict.fromkeys(keys[4:], "validation")


@pytest.mark.parametrize("answer", EVERY, ids=IDS)
@pytest.mark.parametrize("count", [1, 2])
def test_a_sheet_of_one_or_two_rows_fails_at_once(
    engine: Refusing, answer: SubmitOutcome, count: int
) -> None:
    """Nothing shows that anything is accepted, and its person is there; but for the account's."""
    engine.refused, engine.answer = rows(engine, count), answer
    ending = engine.run(rate=1)
    if answer in OPEN:
        assert (ending.reason, engine.states()) == (Reason.FINISHED, {"failed": count})
        assert len(engine.asked) == count
    else:
        assert (ending.reason, engine.states()) == (REASONS[open_cause(answer)], {"queued": count})
        assert len(engine.asked) == 3


@pytest.mark.parametrize("answer", OPEN, ids=OPEN_IDS)
def test_what_was_accepted_of_those_sent_later_makes_it_the_rows_own(
    engine: Refusing, answer: SubmitOutcome
) -> None:
    """Also where its answer came last."""
    keys = rows(engine, 6)
    engine.refused, engine.answer, engine.after = keys[:2], answer, 5.0
    assert engine.run(rate=100, max_in_flight=50).reason is Reason.FINISHED
    assert engine.failed() == dict.fromkeys(keys[:2], "validation")


@pytest.mark.parametrize("answer", EVERY, ids=IDS)
def test_a_refusal_that_is_sure_puts_back_the_rows_before_it(
    engine: Refusing, answer: SubmitOutcome
) -> None:
    """No money in the end: what the rows before heard may have been the same."""
    keys = rows(engine, 6)
    engine.refused, engine.answer = keys[3:], answer
    engine.others = {keys[5]: Refused(RefusalCause.FUNDS, "402")}
    assert engine.run(rate=1).reason is Reason.FUNDS
    assert engine.states() == {"completed": 3, "queued": 3}
