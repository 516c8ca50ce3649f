"""Whole runs on virtual time: what the account has already, and rows that come meanwhile."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from support.engine import Engine, spec
from support.loop import run_virtual
from support.nights import PRICE, at, counts, load, money
from support.provider import SORA_LIST

from jobs.model.provider import GenerationRequest, ThrottledError, UnreachableError
from jobs.model.states import HeldBack
from jobs.ports.control import Handing
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import EarlierWork, find_earlier, read_list, take_over
from jobs.services.run_outcome import Reason


def other(engine: Engine, prompt: str) -> str:
    """Let another client of the account buy a prompt."""
    return engine.provider.make(GenerationRequest(prompt, "9:16", 10)).id


def look(engine: Engine, batch_ids: Sequence[int] = (1,)) -> EarlierWork:
    """Look for what the account has of rows, and hold that back."""
    work = run_virtual(
        find_earlier(engine.store, engine.provider, engine.clock, Sought(list(batch_ids)))
    )
    engine.store.adoption.hold_back(work)
    return work


def test_what_the_account_has_already_is_not_bought(engine: Engine) -> None:
    """Held back with the generation; taken over, it is looked at and costs nothing."""
    engine.provider.takes = 0.0
    old = [other(engine, f"prompt of n{n}") for n in range(2)]
    engine.clock.start += timedelta(minutes=5)
    load(engine, 3)
    work = look(engine)
    assert (len(work.matches), work.jobs, work.looked, work.finished) == (2, 3, 2, 2)
    assert engine.jobs()["n0"].held_back_by == old[0]
    assert engine.run().reason is Reason.FINISHED
    assert counts(engine) == {"completed": 1, "queued": 2}
    assert take_over(engine.store, work, engine.clock.now()) == 2
    assert engine.run().reason is Reason.FINISHED
    assert (counts(engine), money(engine)) == ({"completed": 3}, (PRICE, 0))
    assert look(engine).jobs == 0


def test_rows_that_ask_for_different_videos_of_one_prompt_wait(engine: Engine) -> None:
    """Which one it is can't be told: nothing is taken over by itself."""
    other(engine, "the same")
    rows = [spec("a", prompt="the same"), spec("b", prompt="the same", row=1, orientation="16:9")]
    engine.load(rows)
    work = look(engine)
    assert not any(one.takeable for one in work.matches)
    assert engine.status().held_back == {HeldBack.EXISTS: 2}


def test_a_list_that_lacks_what_is_ours_says_nothing_of_rows(engine: Engine) -> None:
    """They wait until it does; nothing is bought unlooked."""
    load(engine, 3, "first")
    engine.run()
    engine.clock.start += timedelta(minutes=30)
    for made in engine.provider.made[:2]:
        engine.provider.hides[made.id] = 10**9
    load(engine, 2)
    work = look(engine, [2])
    assert work.trouble
    assert engine.status(2).held_back == {HeldBack.NOT_LOOKED: 2}
    engine.provider.hides.clear()
    assert not look(engine, [2]).trouble
    assert engine.status(2).held_back == {}


def test_a_list_whose_pages_fail_is_not_believed(engine: Engine) -> None:
    load(engine, 1)
    engine.provider.list_errors = [UnreachableError("503")] * 9
    with pytest.raises(UnreachableError):
        look(engine)
    assert counts(engine) == {"queued": 1}


def test_the_list_is_read_to_its_end(engine: Engine) -> None:
    names = [other(engine, f"p{n}") for n in range(25)]
    engine.provider.list_limit = 12
    engine.clock.start += timedelta(minutes=1)
    seen: list[int] = []
    found = run_virtual(read_list(engine.provider, engine.clock, SORA_LIST, seen.append))
    assert [one.id for one in found.generations] == names[::-1]
    assert (found.whole, sum(seen)) == (True, 25)


# -- beside a run


def test_what_is_handed_over_is_looked_for_and_bought(engine: Engine) -> None:
    """One whose prompt the account has waits; a single video is wanted anew."""
    load(engine, 12)
    work = look(engine)
    load(engine, 2, "extra")
    numbers = [one.id for one in engine.jobs_of(2)]
    others: list[str] = []

    def hand() -> None:
        others.append(other(engine, "prompt of e0"))
        offered = engine.store.control.offer(numbers, engine.clock.now(), Handing.ASKED, PRICE)
        assert offered.served

    ending = engine.run(
        during=at((10, hand)),
        rate=0.1,
        looked_at=engine.clock.now(),
        looked_for=work.looked_at,
    )
    assert ending.reason is Reason.FINISHED
    assert counts(engine) == {"completed": 12}
    held = engine.store.queries.numbered(numbers)
    assert [one.state for one in held] == ["queued", "completed"]
    assert held[0].held_back in (HeldBack.EXISTS, HeldBack.ELSEWHERE)
    assert held[0].held_back_by == others[0]


@pytest.mark.parametrize("error", [UnreachableError("503"), ThrottledError("429", 9.0)])
def test_what_can_not_be_looked_for_waits(engine: Engine, error: Exception) -> None:
    load(engine, 8)
    load(engine, 1, "extra")
    number = engine.jobs_of(2)[0].id

    def hand() -> None:
        engine.provider.list_errors = [error] * 500
        engine.store.control.offer([number], engine.clock.now(), Handing.ASKED, PRICE)

    engine.run(during=at((5, hand)), rate=0.1, looked_at=engine.clock.now(), looked_for={})
    (job,) = engine.store.queries.numbered([number])
    assert (job.state, job.held_back) == ("queued", HeldBack.NOT_LOOKED)
    assert counts(engine) == {"completed": 8}


def test_what_somebody_else_buys_meanwhile_is_held_back(engine: Engine) -> None:
    """On whatever page of the list it is seen first."""
    engine.provider.takes = 300.0  # so that several are due together, and the list is read
    load(engine, 9)

    def buy() -> None:
        other(engine, "prompt of n8")

    engine.run(during=at((20, buy)), rate=0.02, looked_at=engine.clock.now(), looked_for={})
    assert counts(engine) == {"completed": 8, "queued": 1}
    assert engine.status().held_back == {HeldBack.ELSEWHERE: 1}
    assert engine.provider.charged == 9 * PRICE
