"""What was deleted at the provider holds nothing back, and a list that stands still is noticed."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual

from jobs.evidence.sight import MOST_ASKED
from jobs.model.provider import (
    Generation,
    GenerationRequest,
    ProviderError,
    UnknownGenerationError,
    UnreachableError,
)
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import EarlierWork, find_earlier


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, Invariants(), takes=60.0)
    made.announce(s10=120_000, s15=120_000)
    return made


def delete(
    engine: Engine, names: Sequence[str], *, listed: bool = False, says: type[ProviderError] | None
) -> None:
    """Let some be shown no more, and their ids answer so; None: as before."""
    engine.provider.hides |= {} if listed else dict.fromkeys(names, 1e9)
    single = type(engine.provider).generation

    async def without(name: str) -> Generation:
        if name in names and says is not None:
            engine.provider.single_reads += 1
            raise says(name)
        return await single(engine.provider, name)

    engine.provider.generation = without  # type: ignore[method-assign]


def bought(engine: Engine, rows: int = 12) -> None:
    """Let others buy one, and this database some, three days later."""
    engine.provider.make(GenerationRequest("the first of the account", "9:16", 10))
    engine.clock.start += timedelta(days=3)
    engine.load([spec(f"r{n}", row=n) for n in range(rows)])
    engine.run()


def night(engine: Engine, number: int) -> EarlierWork:
    """Buy a sheet of its own."""
    engine.load([spec(f"n{number}-{n}", row=n) for n in range(3)], batch=f"night {number}")
    work = run_virtual(
        find_earlier(engine.store, engine.provider, engine.clock, Sought([number + 1]))
    )
    engine.store.adoption.hold_back(work)
    engine.run([number + 1], looked_at=engine.clock.now(), looked_for=work.looked_at)
    return work


def waiting(engine: Engine) -> int:
    return sum(job.held_back == "not_looked" for job in engine.jobs().values())


@pytest.mark.parametrize("days", [1, 60])
def test_a_person_deleted_one_of_our_videos_on_the_providers_page(
    engine: Engine, days: int
) -> None:
    """The list is honest; the deleted one is a 404 by its id."""
    bought(engine)
    delete(engine, ["gen-1"], says=UnknownGenerationError)
    for number in (1, 2):
        engine.clock.start += timedelta(days=days)
        assert night(engine, number).trouble == ""
    assert {job.state for job in engine.jobs().values()} == {"completed"}


def test_the_newest_that_was_deleted_holds_back_for_two_days(engine: Engine) -> None:
    """Until then a list, and looks at ids, that stand still would look the same."""
    bought(engine)
    delete(engine, ["gen-12"], says=UnknownGenerationError)
    engine.clock.start += timedelta(days=1)
    assert "does not show generation gen-12" in night(engine, 1).trouble
    engine.clock.start += timedelta(days=2)
    assert night(engine, 2).trouble == ""
    assert waiting(engine) == 3


@pytest.mark.parametrize("says", [None, UnreachableError])
def test_a_list_without_one_that_is_there_proves_nothing(
    engine: Engine, says: type[ProviderError] | None
) -> None:
    """Its id answers, or tells nothing."""
    bought(engine)
    delete(engine, ["gen-1", "gen-2"], says=says)
    engine.clock.start += timedelta(days=9)
    assert "does not show generation" in night(engine, 1).trouble
    assert waiting(engine) == 3


def test_ids_prove_nothing_where_one_that_is_shown_is_not_known_either(engine: Engine) -> None:
    """All looks answer 404."""
    bought(engine)
    delete(engine, ["gen-1"], says=UnknownGenerationError)
    every = [made.id for made in engine.provider.made]
    delete(engine, every, listed=True, says=UnknownGenerationError)
    engine.clock.start += timedelta(days=9)
    assert "does not show generation gen-1" in night(engine, 1).trouble
    assert waiting(engine) == 3


def test_a_list_that_stands_still_is_noticed_by_few_questions(engine: Engine) -> None:
    """What it lacks is there by its id, whatever else was deleted."""
    bought(engine, rows=40)
    names = [made.id for made in engine.provider.made]
    delete(engine, names[1:], says=None)
    before = engine.provider.single_reads
    engine.clock.start += timedelta(days=9)
    work = run_virtual(find_earlier(engine.store, engine.provider, engine.clock, Sought([1])))
    assert not work.jobs
    assert "does not show generation gen-40" in night(engine, 1).trouble
    assert engine.provider.single_reads - before <= 9
    assert waiting(engine) == 3


@pytest.mark.parametrize("more", [0, 1])
def test_so_many_are_asked_for_in_a_look_and_no_more(engine: Engine, more: int) -> None:
    """Whoever deletes more of what the list reaches back to is asked."""
    bought(engine, rows=MOST_ASKED + 3)
    deleted = [made.id for made in engine.provider.made][1 : MOST_ASKED + 1 + more]
    delete(engine, deleted, says=UnknownGenerationError)
    before = engine.provider.single_reads
    engine.clock.start += timedelta(days=1)
    work = night(engine, 1)
    assert bool(work.trouble) == bool(more)
    assert (engine.provider.single_reads == before) == bool(more)
    assert waiting(engine) == 3 * more


def test_a_provider_that_keeps_a_week_and_a_batch_each_fortnight(engine: Engine) -> None:
    """Of what the database knows the list shows nothing any more, and a single look says 404."""
    shown, single = type(engine.provider)._shows, type(engine.provider).generation

    def kept(made: Any) -> bool:
        young = engine.clock.now() - made.created_at < timedelta(days=7)
        return young and shown(engine.provider, made)

    async def one(name: str) -> Generation:
        if not any(made.id == name and kept(made) for made in engine.provider.made):
            raise UnknownGenerationError(name)
        return await single(engine.provider, name)

    engine.provider._shows = kept  # type: ignore[method-assign]
    engine.provider.generation = one  # type: ignore[method-assign]
    for number in range(3):
        assert night(engine, number).trouble == ""
        engine.clock.start += timedelta(days=14)
    assert {job.state for job in engine.jobs().values()} == {"completed"}
