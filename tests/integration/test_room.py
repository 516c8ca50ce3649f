"""Whether there is room for jobs that are asked for beside a run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.engine import Engine, spec

from jobs.model.ledger import campaign_key, day_key
from jobs.model.states import Blocked
from jobs.ports.control import Room
from jobs.runtime.run_context import PRICE_CEILING
from jobs.store import accounts, steering
from jobs.store.control_store import in_the_way

PRICE = 120_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Two batches: the first has rows of a campaign and of none, and one of an unknown price."""
    found = Engine(tmp_path)
    found.announce(s10=PRICE)
    found.load(
        [
            spec("a", row=0),
            spec("b", row=1, campaign="spring"),
            spec("c", row=2, duration=15),
        ]
    )
    found.load([spec("d")], batch="other")
    yield found
    found.store.close()


def pauses(engine: Engine) -> None:
    engine.store.write(lambda c: steering.set_paused(c, 1, paused=True))


def caps_the_day(engine: Engine) -> None:
    def work(connection: object) -> None:
        day = accounts.current_day(connection, engine.clock.now())  # type: ignore[arg-type]
        accounts.set_cap(connection, day_key(day), PRICE - 1)  # type: ignore[arg-type]

    engine.store.write(work)


def caps_the_campaign(engine: Engine) -> None:
    engine.store.write(lambda c: accounts.set_cap(c, campaign_key(1, "spring"), PRICE - 1))


NOTHING: dict[int, frozenset[Blocked]] = {}


@pytest.mark.parametrize(
    ("change", "keys", "found"),
    [
        (lambda _: None, "abcd", Room(some=True, blocked=NOTHING)),
        (pauses, "ab", Room(some=False, blocked={1: frozenset({Blocked.PAUSED})})),
        (pauses, "ad", Room(some=True, blocked={1: frozenset({Blocked.PAUSED})})),
        (caps_the_campaign, "ab", Room(True, {1: frozenset({Blocked.CAMPAIGN_CAP})})),
        (caps_the_campaign, "b", Room(False, {1: frozenset({Blocked.CAMPAIGN_CAP})})),
        (
            caps_the_day,
            "ad",
            Room(False, {1: frozenset({Blocked.DAY_CAP}), 2: frozenset({Blocked.DAY_CAP})}),
        ),
        (lambda e: e.cap(PRICE), "ac", Room(True, {1: frozenset({Blocked.BATCH_CAP})})),
        (lambda e: e.cap(int(PRICE_CEILING)), "ac", Room(some=True, blocked=NOTHING)),
        (lambda e: e.max_price(PRICE - 1), "a", Room(False, {1: frozenset({Blocked.PRICE})})),
        (lambda e: e.max_price(0), "cd", Room(True, {1: frozenset({Blocked.PRICE})})),
        (pauses, "", Room(some=True, blocked=NOTHING)),
    ],
)
def test_what_is_in_the_way_is_named_by_batch(
    engine: Engine, change: Callable[[Engine], object], keys: str, found: Room
) -> None:
    """Some have room where at least one can be bought; the others' reasons are all named."""
    change(engine)
    numbers = [job.id for key, job in engine.jobs().items() if key in keys]
    now = engine.clock.now()
    assert engine.store.write(lambda c: in_the_way(c, numbers, now, int(PRICE_CEILING))) == found


def test_what_has_left_the_queue_has_room(engine: Engine) -> None:
    """It was bought in the meantime."""
    pauses(engine)
    numbers = [engine.jobs()["a"].id]
    now = engine.clock.now()
    engine.store.write(lambda c: steering.cancel(c, numbers, now))
    found = engine.store.write(lambda c: in_the_way(c, numbers, now, int(PRICE_CEILING)))
    assert found == Room(some=True, blocked=NOTHING)
