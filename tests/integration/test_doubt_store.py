"""What the engine asks of its store about doubts: one transaction, and what is remembered of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec

from jobs.evidence.account_list import Reading
from jobs.evidence.suspects import Appeared, Settlement
from jobs.model.provider import Generation, GenerationPhase, InDoubt
from jobs.model.states import FailureKind
from jobs.ports.doubts import DoubtDecision, DoubtSnapshot, Settled
from jobs.ports.updates import Completed, Failed, UnendedAttempt, Updates


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """One row whose answer is lost, and that nothing settles."""
    made = Engine(tmp_path)
    made.announce(s10=120_000)
    made.provider.script = {"prompt of r0": [InDoubt("the connection dropped")]}
    made.load([spec("r0")])
    made.run(grace=60)
    assert [one.state for one in made.attempts()] == ["in_doubt"]
    return made


def showing(engine: Engine, *names: str) -> Reading:
    """Make a reading of the list that shows some generations of the row's prompt."""
    now = engine.clock.now()
    shown = [Generation(name, GenerationPhase.PENDING, "prompt of r0", now) for name in names]
    return Reading("sora", shown, now, whole=True, to_the_end=True)


async def settle(engine: Engine, reading: Reading, settlement: Settlement, **more: Any) -> None:
    """Have a settlement written; what is remembered is put into a list."""
    decided = DoubtDecision(settlement, "never made", most_voids=5, lag=more.get("lag"))
    await engine.store.doubts.settle(
        reading,
        engine.clock.now(),
        None,
        more.get("decide", lambda _: decided),
        lambda _, settled: more["told"].append(settled),
    )


def adopted(engine: Engine, reading: Reading) -> Settlement:
    (attempt,) = engine.attempts()
    return Settlement(adopt=[(attempt.id, reading.generations[0])])


def test_what_is_decided_of_a_snapshot_is_written_with_it(engine: Engine) -> None:
    """The doubt and how the clocks stood are in it; the lag is kept in the same transaction."""
    reading, told = showing(engine, "gen-late"), list[Settled]()
    asyncio.run(settle(engine, reading, adopted(engine, reading), told=told, lag=7.0))
    (attempt,) = engine.attempts()
    assert (attempt.state, attempt.generation_id) == ("accepted", "gen-late")
    assert engine.store.account.list_lag("sora") == 7.0
    assert [one.adopted for one in told] == [[(attempt.id, "gen-late")]]
    (suspect,) = told[0].snapshot.suspects
    assert (suspect.id, suspect.state, suspect.prompt) == (attempt.id, "in_doubt", "prompt of r0")
    assert told[0].snapshot.offsets.keys() == {attempt.id}
    assert suspect.sent_until >= suspect.intent_at
    # what it settled is no suspect any more, and ours
    asyncio.run(settle(engine, reading, Settlement(), told=told))
    assert told[1].snapshot.suspects == []
    assert told[1].snapshot.ours["gen-late"].attempt_id == attempt.id


def test_what_was_settled_meanwhile_is_not_told_as_written(engine: Engine) -> None:
    """A person gave the generation to the doubt between the reading and the transaction."""
    reading, told = showing(engine, "gen-late"), list[Settled]()
    settlement = adopted(engine, reading)
    (attempt,) = engine.attempts()
    assert engine.store.doubts.adopt(attempt.id, "gen-late", engine.clock.now()) is True
    asyncio.run(settle(engine, reading, settlement, told=told))
    assert told[0].adopted == []
    owner = engine.store.doubts.adopt(attempt.id, "gen-late", engine.clock.now())
    assert owner is not True
    assert owner
    assert (owner.key, owner.batch) == ("r0", "night")


def test_a_decision_that_fails_writes_nothing_and_is_not_remembered(engine: Engine) -> None:
    reading, told = showing(engine, "gen-late"), list[Settled]()

    def wrong(_: DoubtSnapshot) -> DoubtDecision:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        asyncio.run(settle(engine, reading, Settlement(), told=told, decide=wrong))
    assert not told
    assert [one.state for one in engine.attempts()] == ["in_doubt"]


def test_what_is_paid_for_twice_is_told_although_the_run_ends_just_then(engine: Engine) -> None:
    """The task that waits is cancelled before the transaction is made; its work stands."""
    (lost,) = engine.attempts()
    now = engine.clock.now()
    assert engine.store.doubts.void(lost.id, "never made", now)
    engine.clock.start += timedelta(minutes=5)
    engine.run()  # buys it again
    reading, told = showing(engine, "gen-late"), list[Settled]()
    settlement = Settlement(appeared=[(lost.id, reading.generations[0])])

    async def main() -> None:
        task = asyncio.create_task(settle(engine, reading, settlement, told=told))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert [one.appeared for one in told] == [[(lost.id, "gen-late", Appeared.SURPLUS)]]


def test_ends_of_several_generations_are_one_transaction(tmp_path: Path) -> None:
    """Each lands where it has not ended meanwhile; what was put off is, by its attempt."""
    commits: list[int] = []
    engine = Engine(tmp_path, lambda _: commits.append(1))
    engine.announce(s10=120_000)
    engine.load([spec(f"r{n}", row=n) for n in range(3)])
    engine.run(during=lambda runner: asyncio.get_running_loop().call_later(20, runner.stop))
    pending = [one for one in engine.attempts() if one.state == "accepted"]
    names = [one.generation_id for one in pending]
    assert len(names) == 3
    now, later = engine.clock.now(), engine.clock.now() + timedelta(hours=1)

    def decide(ours: Any) -> Updates:
        assert {type(one) for one in ours.values()} == {UnendedAttempt}
        first, second, third = (ours[name].id for name in names)
        reason = Failed(second, FailureKind.CONTENT, "refused", None)
        return Updates(
            [Completed(first, "http://videos/1.mp4"), reason, replace(reason, message="again")],
            postponed={third: later},
        )

    commits.clear()
    asyncio.run(engine.store.updates.record([*names, "gen-else"], now, decide))
    assert len(commits) == 1
    first, second, third = engine.attempts()
    assert [one.state for one in (first, second, third)] == ["completed", "failed", "accepted"]
    assert (first.video_url, second.error) == ("http://videos/1.mp4", "refused")
    assert third.next_look_at.timestamp() == later.timestamp()
    assert engine.store.updates.next_look() == later
