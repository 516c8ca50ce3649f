"""Consent is state of the row: runs, hand-overs and holds, in the engine (money.md, *Consent*)."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update
from support.blank import blank
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loads import load

from jobs.database.tables import BATCH, JOB
from jobs.evidence.looked_for import Wish
from jobs.model.provider import (
    Generation,
    GenerationPhase,
    InDoubt,
    RefusalCause,
    Refused,
    Rejected,
    Throttled,
)
from jobs.model.states import ASKED_BY_NAME, FOUND, FailureKind, HeldBack, JobState, Reason
from jobs.ports.selection import Sought
from jobs.services.runner import Runner
from jobs.store import Store, handing, holding, outstanding, steering, takeovers, views

FAILED = Generation("", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="broken")


@pytest.fixture
def engine(tmp_path: Path):
    """An engine with two batches: 'night' of three rows, and 'other' of twelve."""
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    made.load([spec(f"n{i}", row=i) for i in range(3)])
    made.load([spec(f"o{i}", row=i) for i in range(12)], batch="other")
    yield made
    made.store.close()


def wishes(engine: Engine, jobs: list[int]) -> dict[int, Wish]:
    """Say what rows ask for, as the look before a run has looked for it."""
    return engine.store.read(lambda c: takeovers.wishes(c, Sought((), jobs=jobs)))


def bought(engine: Engine) -> list[str]:
    """List what was submitted, by the rows' keys."""
    return sorted(prompt.removeprefix("prompt of ") for prompt, _ in engine.provider.posts)


def beside(engine: Engine, work: Callable[[Connection], object], after: float = 2.0):
    """Do something from another terminal, some seconds after a run has begun."""

    def during(runner: Runner) -> None:
        del runner

        async def act() -> None:
            await asyncio.sleep(after)
            with Store(engine.path) as store:
                store.write(work)

        engine.acting = asyncio.ensure_future(act())  # type: ignore[attr-defined]

    return during


def numbers(engine: Engine, *keys: str) -> list[int]:
    """List the numbers of jobs."""
    jobs = engine.jobs()
    return [jobs[key].id for key in keys]


def test_a_run_is_handed_jobs_and_never_their_batch(engine: Engine) -> None:
    """What was handed over is brought to its end; the run waits for it, and buys nothing else."""
    hand = numbers(engine, "o3", "o7")
    ending = engine.run([1], during=beside(engine, lambda c: handing.hand_over(c, hand)))
    assert ending.reason is Reason.FINISHED
    assert bought(engine) == ["n0", "n1", "n2", "o3", "o7"]
    jobs = engine.jobs()
    assert {jobs[key].state for key in ("o3", "o7")} == {"completed"}
    assert not any(job.handed for job in jobs.values())
    assert not any(row.active for row in engine.rows(select(BATCH)))


# state of the row when it is handed over → whether the run buys it
TABLE = [
    (None, True),
    (HeldBack.UNASKED, True),  # handing over is asking
    (HeldBack.LEFT_OUT, False),  # whoever hands such a row over releases it first
    (HeldBack.EXISTS, False),
    (HeldBack.PAID_BEFORE, False),
    (HeldBack.ELSEWHERE, False),
    (HeldBack.NOT_LOOKED, False),
]


@pytest.mark.parametrize(("reason", "buys"), TABLE)
@pytest.mark.parametrize("held_first", [True, False], ids=["held first", "handed first"])
def test_what_was_found_about_a_row_goes_over_its_hand_over(
    engine: Engine,
    reason: HeldBack | None,
    buys: bool,  # noqa: FBT001 - a table's column
    held_first: bool,  # noqa: FBT001 - a table's column
) -> None:
    """In whichever order: a look that finds the row elsewhere takes it out of the run's hands."""
    (number,) = numbers(engine, "o3")

    def act(connection: Connection) -> None:
        steps = [lambda: handing.hand_over(connection, [number])]
        if reason is not None:
            hold = lambda: holding.hold_back(connection, {number: "g"}, reason)  # noqa: E731
            steps.insert(0 if held_first else 1, hold)
        for step in steps:
            step()

    assert engine.run([1], during=beside(engine, act)).reason is Reason.FINISHED
    # held while it was in hand, also an unasked row is taken out of them
    expected = buys and (reason is None or held_first)
    assert bought(engine) == ["n0", "n1", "n2"] + ["o3"] * expected


@pytest.mark.parametrize("reason", HeldBack)
def test_no_run_of_a_batch_buys_what_is_held_back(engine: Engine, reason: HeldBack) -> None:
    """Its own run neither, and it does not wait for it."""
    held = dict.fromkeys(numbers(engine, "n1"), None)
    engine.store.write(lambda c: holding.hold_back(c, held, reason))
    assert engine.run([1]).reason is Reason.FINISHED
    assert bought(engine) == ["n0", "n2"]
    assert engine.status().held_back == {reason: 1}
    engine.store.write(lambda c: holding.release(c, Sought([1]), [reason]))
    assert engine.run([1]).reason is Reason.FINISHED
    assert bought(engine) == ["n0", "n1", "n2"]
    assert engine.status().held_back == {}


def test_what_is_handed_over_is_waited_for_whatever_becomes_of_it(engine: Engine) -> None:
    """A throttled, a failed and a lost submission of handed jobs hold the run until they end."""
    engine.provider.script = {
        "prompt of o1": [Throttled(3.0)],
        "prompt of o2": ["made"],
    }
    engine.provider.ends["prompt of o3"] = [FAILED]
    hand = numbers(engine, "o1", "o2", "o3")
    ending = engine.run([1], during=beside(engine, lambda c: handing.hand_over(c, hand)), grace=30)
    assert ending.reason is Reason.FINISHED
    jobs = engine.jobs()
    assert {jobs[key].state for key in ("o1", "o2", "o3")} == {"completed"}
    assert {key for key, job in jobs.items() if job.state == "queued"} == {
        key for key in jobs if key.startswith("o") and key not in ("o1", "o2", "o3")
    }


def add_late(engine: Engine) -> int:
    """Add a row as ``generate`` does, and hand it over."""

    def work(connection: Connection) -> int:
        row = spec("late", row=99)
        number = steering.add(connection, 2, row, "fake/sora/10", engine.clock.now())
        handing.hand_over(connection, [number])
        return number

    return engine.store.write(work)


def test_a_run_that_was_killed_leaves_nothing_in_the_next_ones_hands(engine: Engine) -> None:
    """The mark is the runner's: a new one forgets it, and the row is as it was before."""
    number = add_late(engine)
    assert engine.jobs()["late"].handed
    engine.store.write(steering.serve_none)
    assert engine.run([1]).reason is Reason.FINISHED
    assert engine.run([2]).reason is Reason.FINISHED
    job = engine.jobs()["late"]
    assert (job.state, job.held_back, job.handed) == ("queued", "unasked", False)
    assert engine.store.write(lambda c: steering.retry(c, [number])) == [number]
    engine.run([2])
    assert engine.jobs()["late"].state == "completed"


def test_a_row_stays_unasked_until_it_is_known_to_be_bought(engine: Engine) -> None:
    """Killed between hold and answer, shown never made: nobody buys it by itself again."""
    engine.agreed()
    engine.provider.script = {"prompt of late": [InDoubt("no answer in time")]}
    add_late(engine)

    def take_back(connection: Connection) -> None:
        assert engine.jobs()["late"].state == JobState.IN_DOUBT
        handing.take_back(connection)

    engine.run([1], during=beside(engine, take_back, after=4.0), grace=30)
    engine.run([1, 2], grace=30)
    job = engine.jobs()["late"]
    assert (job.state, job.held_back) == ("queued", "unasked")
    assert "late" in bought(engine)
    assert bought(engine).count("late") == 1


def test_a_paused_batch_is_not_bought_from_by_hand(engine: Engine) -> None:
    """And the run waits for it, as it does for its own."""
    hand = numbers(engine, "o3")
    engine.store.write(lambda c: steering.set_paused(c, 2, paused=True))

    def resume(connection: Connection) -> None:
        assert bought(engine) == ["n0", "n1", "n2"]
        steering.set_paused(connection, 2, paused=False)

    def during(runner: Runner) -> None:
        beside(engine, lambda c: handing.hand_over(c, hand))(runner)
        engine.first = engine.acting  # type: ignore[attr-defined]
        beside(engine, resume, after=4000.0)(runner)

    assert engine.run([1], during=during).reason is Reason.FINISHED
    assert bought(engine) == ["n0", "n1", "n2", "o3"]


def test_a_hand_over_keeps_the_caps_of_its_own_batch(engine: Engine) -> None:
    """What has no room stays queued; the run says what it waits for, and ends."""
    engine.cap(120_000, batch_id=2)
    hand = numbers(engine, "o3", "o4")
    ending = engine.run([1], during=beside(engine, lambda c: handing.hand_over(c, hand)))
    assert ending.reason is Reason.BLOCKED
    assert set(ending.blocked) == {2}
    assert bought(engine) == ["n0", "n1", "n2", "o3"]
    assert engine.status(2).waiting_for == "budget of the batch"


def test_handed_jobs_go_first_and_in_order(engine: Engine) -> None:
    """A person waits for them; priority and first attempts decide among them."""
    engine.store.write(lambda c: c.execute(update(JOB).where(JOB.c.key == "o5").values(priority=1)))
    engine.store.write(lambda c: c.execute(update(JOB).where(JOB.c.key == "o1").values(retries=1)))
    handed = numbers(engine, "o1", "o2", "o5")
    engine.store.write(lambda c: handing.hand_over(c, handed))
    engine.run([1], max_in_flight=1, looked_for=wishes(engine, handed))
    prompts = [prompt.removeprefix("prompt of ") for prompt, _ in engine.provider.posts]
    assert prompts == ["o5", "o2", "o1", "n0", "n1", "n2"]


@pytest.mark.parametrize(
    ("cause", "waits"),
    [(RefusalCause.ACCESS, False), (RefusalCause.FUNDS, False), (RefusalCause.FUNDS, True)],
)
@pytest.mark.parametrize("single", [True, False])
def test_a_single_video_that_was_told_as_failed_is_not_bought_later(
    engine: Engine, cause: RefusalCause, *, single: bool, waits: bool
) -> None:
    """Three refusals put rows back in the queue; that of ``generate`` has ended for its person.

    In words about money it has not failed: that run may buy it when money comes, and no later one.
    """
    (hand,) = numbers(engine, "o3")
    if single:
        engine.store.write(
            lambda c: c.execute(update(BATCH).values(source=None).where(BATCH.c.id == 2))
        )
        engine.store.write(
            lambda c: c.execute(
                update(JOB).values(held_back=HeldBack.UNASKED).where(JOB.c.batch_id == 2)
            )
        )
    broke = Refused(cause, "insufficient credits", sure=False)
    engine.provider.script = {f"prompt of {key}": [broke] for key in ("n0", "n1", "o3")}
    engine.store.write(lambda c: handing.hand_over(c, [hand]))
    engine.run([1], max_in_flight=1, wait_for_funds=waits, looked_for=wishes(engine, [hand]))
    posts = [prompt.removeprefix("prompt of ") for prompt, _ in engine.provider.posts]
    assert posts[:3] == ["o3", "n0", "n1"]
    if not waits:
        engine.run([1, 2], max_in_flight=1)
        posts = [prompt.removeprefix("prompt of ") for prompt, _ in engine.provider.posts]
    job = engine.jobs()["o3"]
    bought = waits or not single
    left = JobState.FAILED if cause is RefusalCause.ACCESS else JobState.QUEUED
    assert posts.count("o3") == (2 if bought else 1)
    assert job.state == (JobState.COMPLETED if bought else left)
    assert {engine.jobs()[f"n{i}"].state for i in range(3)} == {JobState.COMPLETED}


def test_the_batches_of_handed_jobs_are_served(engine: Engine) -> None:
    """Their files and their progress are looked after; status says that a runner works on them."""
    engine.store.write(lambda c: handing.hand_over(c, numbers(engine, "o1", "o2")))
    assert engine.store.read(outstanding.served_batches) == [2]
    assert engine.status(2).active
    assert not engine.status(1).active
    assert not engine.store.read(lambda c: views.find_job(c, "o1")).served  # nobody is alive
    engine.store.write(lambda c: handing.set_serving(c, serving=True))
    assert engine.store.read(lambda c: views.find_job(c, "o1")).served
    assert not engine.store.read(lambda c: views.find_job(c, "o3")).served


ROWS = st.frozensets(st.integers(0, 5), max_size=6)
START = st.lists(
    st.tuples(st.sampled_from([None, *ASKED_BY_NAME]), st.sampled_from([None, *FOUND])),
    min_size=6,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(start=START, rows=ROWS, named=st.booleans())
def test_a_pick_buys_its_rows_and_what_was_found_stays(
    tmp_path_factory: pytest.TempPathFactory,
    start: list[tuple[HeldBack | None, HeldBack | None]],
    rows: frozenset[int],
    named: bool,  # noqa: FBT001 - drawn
) -> None:
    """``--first`` and ``--sample``, from whatever earlier commands have left.

    What was found hides whether a row was asked for, and does not change it.
    """
    path = tmp_path_factory.mktemp("pick") / "test.db"
    blank(path)
    engine = Engine(path.parent)
    engine.load([spec(f"r{i}", row=i) for i in range(6)])
    jobs = engine.jobs()
    for row, reasons in enumerate(start):
        for reason in filter(None, reasons):
            held = {jobs[f"r{row}"].id: None}
            engine.store.write(lambda c, h=held, r=reason: holding.hold_back(c, h, r))
    overruled = ASKED_BY_NAME if named else ()
    engine.store.write(lambda c: holding.release(c, Sought([1], rows={1: rows}), overruled))
    engine.store.write(lambda c: holding.pick(c, 1, rows))
    after = {job.row: job for job in engine.jobs().values()}
    engine.store.write(lambda c: holding.release(c, Sought([1]), FOUND))
    released = {job.row: job.held_back for job in engine.jobs().values()}
    for row, (asked, found) in enumerate(start):
        unlooked = found is HeldBack.NOT_LOOKED and row not in rows
        if found is not None and not unlooked:
            assert after[row].held_back == found
        else:
            assert after[row].held_back == released[row]
        if row not in rows:
            assert released[row] == HeldBack.LEFT_OUT
        elif named or asked is None:
            assert released[row] is None
        else:  # nobody asked for it by its batch's name
            assert released[row] in ASKED_BY_NAME
    counted = engine.store.queries.statuses([1])[0].held_back
    assert sum(counted.values()) == sum(reason is not None for reason in released.values())
    engine.store.close()


# (state of the row, how it is held back, whether its prompt is edited) → how a load that nobody
# has agreed to leaves it
LOADS = [
    ("new", None, False, HeldBack.UNASKED),
    ("queued", None, False, None),
    ("queued", None, True, HeldBack.UNASKED),
    ("queued", HeldBack.LEFT_OUT, False, HeldBack.LEFT_OUT),
    ("queued", HeldBack.LEFT_OUT, True, HeldBack.LEFT_OUT),
    ("queued", HeldBack.EXISTS, False, HeldBack.EXISTS),
    ("queued", HeldBack.EXISTS, True, HeldBack.UNASKED),  # it was found for another prompt
    ("gone", None, False, HeldBack.UNASKED),  # it left the manifest, and is back
]


@pytest.mark.parametrize(("before", "reason", "edited", "after"), LOADS)
def test_a_load_that_nobody_has_agreed_to(
    tmp_path: Path,
    before: str,
    reason: HeldBack | None,
    edited: bool,  # noqa: FBT001 - a table's column
    after: HeldBack | None,
) -> None:
    """What was asked for stays so; what is new or another request now is not."""
    engine = Engine(tmp_path, Invariants())
    rows = [spec("a", row=1), spec("b", row=2)]
    if before == "gone":
        engine.load(rows)
        engine.load(rows[:1])
    elif before == "queued":
        engine.load(rows)
        if reason is not None:
            held = {engine.jobs()["b"].id: "g"}
            engine.store.write(lambda c: holding.hold_back(c, held, reason))
    rows[1] = spec("b", "another prompt" if edited else None, row=2)
    engine.load(rows, held_back=HeldBack.UNASKED)
    job = engine.jobs()["b"]
    assert (job.state, job.held_back) == ("queued", after)
    engine.run()
    assert ("b" in {k for k, j in engine.jobs().items() if j.state == "completed"}) is (
        after is None
    )
    engine.store.close()


@pytest.mark.parametrize("state", ["failed", "queued"])
def test_an_edited_row_is_in_nobodys_hands(engine: Engine, state: str) -> None:
    """It was handed over, and failed unpaid or waits; a load makes it another request."""
    engine.provider.script = {"prompt of o3": [Rejected(FailureKind.VALIDATION, "no")]}
    if state == "queued":
        engine.provider.script = {"prompt of o3": [Throttled(9000.0)]}
    engine.provider.takes = 600.0
    hand = numbers(engine, "o3")
    states: list[str] = []

    def edit(connection: Connection) -> None:
        states.append(engine.jobs()["o3"].state)
        kind = lambda request: engine.provider.kind(request).key  # noqa: E731
        rows = [spec(f"o{i}", "another prompt" if i == 3 else None, row=i) for i in range(12)]
        now = engine.clock.now()
        load(connection, 2, rows, kind, now, held_back=HeldBack.UNASKED)

    def during(runner: Runner) -> None:
        beside(engine, lambda c: handing.hand_over(c, hand))(runner)
        engine.first = engine.acting  # type: ignore[attr-defined]
        beside(engine, edit, after=60.0)(runner)

    assert engine.run([1], during=during).reason is Reason.FINISHED
    assert states == [state]
    assert bought(engine) == ["n0", "n1", "n2", "o3"]
    job = engine.jobs()["o3"]
    assert (job.state, job.held_back, job.prompt) == ("queued", "unasked", "another prompt")
