"""A person settles a doubt, and an audit compares what there is."""

from datetime import timedelta
from typing import Any

import pytest
from support.engine import Engine
from support.loop import run_virtual
from support.nights import PRICE, attempts, load, money, states, stop

from jobs.model.errors import NotAllowedError
from jobs.model.provider import GenerationRequest, InDoubt
from jobs.reconciliation.audit import audit
from jobs.reconciliation.by_word import look_for, resolve_as, resolve_never_made

DROPPED = InDoubt("the connection dropped")
MINUTE = timedelta(minutes=1)


def lost(engine: Engine, *keys: str, how: Any = DROPPED) -> None:
    """Let the first answer for some rows be lost."""
    engine.provider.script |= {f"prompt of {key}": [how] for key in keys}


@pytest.fixture
def waiting(engine: Engine) -> Engine:
    """Three videos, and a doubt that the run has left for later."""
    lost(engine, "n2")
    load(engine, 4)
    engine.run(during=stop(9))
    assert states(engine)["n2"] == "in_doubt"
    return engine


def resolving(engine: Engine, generation: str, *, force: bool = False) -> None:
    """Say which generation a job is."""
    job = engine.store.queries.job("n2")
    run_virtual(
        resolve_as(engine.store, engine.provider, engine.clock, job, generation, force=force)
    )


def test_a_person_names_the_generation(waiting: Engine) -> None:
    """It must exist, be nobody's, and carry the prompt, unless the person insists."""
    owned = waiting.jobs()["n0"].attempt_id
    other = waiting.provider.make(GenerationRequest("another prompt", "9:16", 10))
    with pytest.raises(NotAllowedError):
        resolving(waiting, "gen-unknown")
    with pytest.raises(NotAllowedError):
        resolving(waiting, waiting.store.queries.attempts_of(owned)[0].generation_id or "")
    with pytest.raises(NotAllowedError):
        resolving(waiting, other.id)
    resolving(waiting, other.id, force=True)
    assert states(waiting)["n2"] == "pending"
    assert money(waiting) == (4 * PRICE, 0)
    with pytest.raises(NotAllowedError):
        resolving(waiting, other.id)  # it is in doubt no more


def never_made(engine: Engine, *, force: bool = False, trouble: str = "") -> None:
    """Say that nothing was made of a job's doubt."""
    resolve_never_made(
        engine.store,
        engine.clock,
        engine.store.queries.job("n2"),
        grace=3 * MINUTE,
        force=force,
        trouble=trouble,
    )


def test_a_person_says_that_nothing_was_made(waiting: Engine) -> None:
    """Not before the grace is over, nor while there is what it could be, unless forced."""
    with pytest.raises(NotAllowedError):
        never_made(waiting)
    waiting.clock.start += timedelta(minutes=10)
    with pytest.raises(NotAllowedError):
        never_made(waiting, trouble="the list has gaps")
    never_made(waiting)
    assert (states(waiting)["n2"], money(waiting)[1]) == ("queued", 0)
    with pytest.raises(NotAllowedError):
        never_made(waiting, force=True)


def test_a_look_for_a_doubt_keeps_what_it_could_be(waiting: Engine) -> None:
    """Then only force calls it never made."""
    job = waiting.store.queries.job("n2")

    def look() -> Any:
        looking = look_for(waiting.store, waiting.provider, waiting.clock, job, 3 * MINUTE)
        return run_virtual(looking)

    assert look().found == 0
    waiting.clock.start += timedelta(minutes=1)
    waiting.provider.make(GenerationRequest("prompt of n2", "9:16", 10))
    waiting.clock.start += timedelta(minutes=1)
    found = look()
    assert found.found == 1
    waiting.clock.start += timedelta(minutes=10)
    with pytest.raises(NotAllowedError):
        never_made(waiting)
    never_made(waiting, force=True)
    assert attempts(waiting, "n2") == ["void"]
    job = waiting.store.queries.job("n2")
    with pytest.raises(NotAllowedError):
        look()


def test_a_look_that_proves_nothing_says_why(waiting: Engine) -> None:
    """What the list must show is missing."""
    for made in waiting.provider.made:
        waiting.provider.hides[made.id] = 10**9
    waiting.clock.start += timedelta(minutes=20)
    job = waiting.store.queries.job("n2")
    found = run_virtual(look_for(waiting.store, waiting.provider, waiting.clock, job, 3 * MINUTE))
    assert (found.found, bool(found.trouble)) == (0, True)


# -- the audit


def test_an_audit_sets_ledger_list_and_balance_side_by_side(waiting: Engine) -> None:
    """What is nobody's of ours is listed; the balance fell by what was charged."""
    stranger = waiting.provider.make(GenerationRequest("another client's", "9:16", 10))
    found = run_virtual(audit(waiting.store, waiting.provider, waiting.clock))
    assert (found.charged, found.held, found.known) == (3 * PRICE, PRICE, 3)
    assert [one.id for one in found.orphans] == [stranger.id]
    assert found.whole
    assert (found.fell_by, found.difference) == (4 * PRICE, PRICE)


def test_an_audit_of_nothing(engine: Engine) -> None:
    found = run_virtual(audit(engine.store, engine.provider, engine.clock))
    assert (found.since, found.charged, found.known) == (None, 0, 0)
    assert (list(found.orphans), found.difference) == ([], 0)
