"""The look before buying believes a list only as far as it shows what the database knows."""

import asyncio
import html
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual

from jobs.database.tables import ATTEMPT
from jobs.model.provider import Generation, GenerationPhase, GenerationRequest
from jobs.model.retry import RetryPolicy
from jobs.model.states import FailureKind, Reason
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import EarlierWork, find_earlier, take_over

LONG = "{} a heron & a boat in tall reeds at dusk, number {} of a series, and so on until the end"
ROWS = [LONG.format(n, n) for n in range(12)]
Alter = Callable[[str], str | None]


def cut(prompt: str) -> str:
    """Show the beginning alone."""
    return prompt[:40]


def enhanced(prompt: str) -> str:
    """Show it as the provider's own model has rewritten it."""
    return f"Cinematic, 8k: {prompt}"


def hidden(_: str) -> None:
    """Show none."""


def plainly(prompt: str) -> str:
    """Show it as it was sent."""
    return prompt


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine whose videos take a minute."""
    made = Engine(tmp_path, Invariants(), takes=60.0)
    made.announce(s10=120_000, s15=120_000)
    yield made
    made.store.close()


def show(engine: Engine, alter: Alter = plainly, only: Sequence[str] | None = None) -> None:
    """Let the list alter prompts, or show some generations alone."""
    pages = type(engine.provider).generations

    async def altered(_: str, limit: int, offset: int) -> Sequence[Generation]:
        whole = await pages(engine.provider, "sora", 10_000, 0)
        kept = [one for one in whole if only is None or one.id in only]
        page = kept[offset : offset + limit]
        return [replace(one, prompt=alter(one.prompt or "")) for one in page]

    engine.provider.generations = altered  # type: ignore[method-assign]


def others(engine: Engine, *prompts: str) -> list[str]:
    """Let somebody else, or a database that was lost, buy videos; returns their ids."""
    return [engine.provider.make(GenerationRequest(p, "9:16", 10)).id for p in prompts]


def look(engine: Engine) -> EarlierWork:
    """Look before buying, and hold back what must wait."""
    work = run_virtual(find_earlier(engine.store, engine.provider, engine.clock, Sought([1])))
    engine.store.adoption.hold_back(work)
    return work


def restored(engine: Engine, bought: int = 3, rows: int = 6) -> list[str]:
    """Buy the first rows, and the others from a database that is lost; the rows' order."""
    engine.load([spec(f"r{n}", ROWS[n], row=n) for n in range(bought)])
    engine.run()
    engine.clock.start += timedelta(hours=1)
    ids = others(engine, *ROWS[bought:rows])
    engine.clock.start += timedelta(hours=1)
    engine.load([spec(f"r{n}", ROWS[n], row=n) for n in range(rows)])
    return ids


def held(engine: Engine) -> Counter[str | None]:
    return Counter(job.held_back for job in engine.jobs().values())


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (plainly, "exists"),
        (cut, "exists"),
        (html.escape, "exists"),
        (str.upper, "exists"),
        (enhanced, "not_looked"),
        (hidden, "not_looked"),
    ],
)
def test_what_a_lost_database_bought_is_found_however_prompts_are_shown(
    engine: Engine, alter: Alter, reason: str
) -> None:
    """Our own generations show how; where they show it in no way, what is not found waits."""
    restored(engine)
    show(engine, alter)
    work = look(engine)
    engine.run(looked_at=engine.clock.now(), looked_for=work.looked_at)
    assert len(engine.provider.posts) == 3
    assert held(engine) == {None: 3, reason: 3}
    assert bool(work.trouble) == (reason == "not_looked")


@pytest.mark.parametrize("alter", [plainly, cut, html.escape])
def test_what_is_not_in_the_account_is_bought_under_an_alteration_that_is_known(
    engine: Engine, alter: Alter
) -> None:
    """And what is there can be taken over, where it fits one row alone."""
    restored(engine)
    engine.load([spec(f"r{n}", ROWS[n], row=n) for n in range(8)])
    show(engine, alter)
    work = look(engine)
    assert take_over(engine.store, work, engine.clock.now()) == 3
    assert (
        engine.run(looked_at=engine.clock.now(), looked_for=work.looked_at).reason
        is Reason.FINISHED
    )
    assert [prompt for prompt, _ in engine.provider.posts[3:]] == ROWS[6:8]
    assert {job.state for job in engine.jobs().values()} == {"completed"}


@pytest.mark.parametrize("missing", ["newest", "oldest", "one between", "all"])
def test_a_list_without_what_we_know_proves_nothing(engine: Engine, missing: str) -> None:
    """It stands still, shows the newest alone, loses some, or is empty."""
    ids = restored(engine)
    engine.load([spec("kite", "a kite", row=9)], batch="other")
    engine.run(batch_ids=[2])
    known = [made.id for made in engine.provider.made if made.id not in ids]
    shown = {
        "newest": known[:3], "oldest": known[-1:], "one between": known[:2] + known[3:], "all": []
    }  # fmt: skip
    show(engine, only=shown[missing])
    work = look(engine)
    assert "does not show generation" in work.trouble
    engine.run(looked_at=engine.clock.now(), looked_for=work.looked_at)
    assert len(engine.provider.posts) == 4
    assert held(engine)["not_looked"] == 3
    show(engine)
    assert look(engine).trouble == ""
    assert held(engine)["exists"] == 3


def test_a_provider_that_deletes_what_is_old_makes_nothing_wait(engine: Engine) -> None:
    """Beyond two days only the newest ten of ours are asked for."""
    engine.load([spec(f"a{n}", f"an old one {n}", row=n) for n in range(5)])
    engine.run()
    deleted = {made.id for made in engine.provider.made}
    engine.clock.start += timedelta(days=30)
    engine.load([spec(f"b{n}", f"a newer one {n}", row=n) for n in range(10)], batch="second")
    engine.run(batch_ids=[2])
    engine.load([spec(f"a{n}", f"an old one {n}", row=n) for n in range(6)])
    show(engine, only=[made.id for made in engine.provider.made if made.id not in deleted])
    assert look(engine).trouble == ""
    assert held(engine) == {None: 16}


def test_a_list_that_is_behind_is_read_again(engine: Engine) -> None:
    """A run ended a moment ago: what it bought last is shown a few seconds later."""
    engine.load([spec("r0", ROWS[0])])
    engine.run()
    engine.load([spec("r0", ROWS[0]), spec("r1", ROWS[1], row=1)])
    (made,) = engine.provider.made
    made.created_at = engine.clock.now()
    engine.provider.lag = 12.0
    engine.store.write(lambda c: c.execute(update(ATTEMPT).values(accepted_at=made.created_at)))

    async def looked() -> tuple[EarlierWork, timedelta]:
        work = await find_earlier(engine.store, engine.provider, engine.clock, Sought([1]))
        return work, engine.clock.now() - made.created_at

    work, took = run_virtual(looked())
    assert (work.trouble, work.looked, list(work.not_looked)) == ("", 1, [])
    assert timedelta(seconds=12) <= took < timedelta(seconds=40)
    engine.provider.lag = 600.0
    work, took = run_virtual(looked())
    assert "does not show generation" in work.trouble
    assert took < timedelta(seconds=60)


@pytest.mark.parametrize(
    ("alter", "reason"),
    [(cut, "exists"), (html.escape, "exists"), (str.upper, "exists"), (hidden, "not_looked")],
)
def test_a_database_that_knows_nothing_is_careful(
    engine: Engine, alter: Alter, reason: str
) -> None:
    """What could be a row's prompt, cut or altered, makes it wait, and is not taken over."""
    others(engine, *ROWS[:3])
    engine.load([spec(f"r{n}", ROWS[n], row=n) for n in range(3)])
    show(engine, alter)
    work = look(engine)
    assert held(engine) == {reason: 3}
    assert take_over(engine.store, work, engine.clock.now()) == 0
    engine.run(looked_at=engine.clock.now(), looked_for=work.looked_at)
    assert engine.provider.posts == []


def test_others_work_that_is_like_none_of_ours_stops_nothing(engine: Engine) -> None:
    """Neither a shorter prompt of theirs that the list shows beside longer ones, nor another."""
    others(engine, "a heron in the reeds", "a harbour at night, seen from a drone above the pier")
    engine.load([spec("a", "a heron in the reeds at dusk"), spec("b", "a fox", row=1)])
    look(engine)
    assert engine.run().reason is Reason.FINISHED
    assert len(engine.provider.posts) == 2


@pytest.mark.parametrize("twin", ["queued", "completed"])
def test_rows_that_a_cut_makes_equal_get_no_video_of_each_other(engine: Engine, twin: str) -> None:
    """Which of the two the account has can't be told, so nothing is taken over by itself."""
    alike = [f"{ROWS[0][:60]}, seen by {who}" for who in ("day", "night")]
    engine.load([spec("known", ROWS[7]), *([spec("a", alike[0], row=1)] * (twin == "completed"))])
    engine.run()
    engine.clock.start += timedelta(hours=1)
    (name,) = others(engine, alike[1])
    engine.load([spec("known", ROWS[7]), spec("a", alike[0], row=1), spec("b", alike[1], row=2)])
    show(engine, cut)
    work = look(engine)
    assert take_over(engine.store, work, engine.clock.now()) == 0
    assert engine.jobs()["b"].held_back_by == name
    assert held(engine)["exists"] == (2 if twin == "queued" else 1)


@pytest.mark.parametrize("alter", [plainly, cut, html.escape, str.upper])
def test_what_somebody_else_buys_meanwhile_is_seen_however_prompts_are_shown(
    engine: Engine, alter: Alter
) -> None:
    """Their video of the last row stands on every page that this run reads."""
    engine.load([spec(f"r{n}", ROWS[n], row=n) for n in range(12)])
    show(engine, alter)

    def meanwhile(_: GenerationRequest) -> None:
        if len(engine.provider.posts) == 2:
            others(engine, ROWS[11])

    engine.provider.on_post = meanwhile
    engine.run(max_in_flight=4, looked_at=engine.clock.now())
    assert [prompt for prompt, _ in engine.provider.posts].count(ROWS[11]) == 0
    assert engine.jobs()["r11"].held_back == "elsewhere"


def test_a_doubt_of_ours_is_nobody_elses_where_prompts_are_cut(engine: Engine) -> None:
    """A list that makes all rows equal shows ours, whose answer was lost, to all the others."""
    rows = [f"{'a heron in tall reeds at the far side of the lake'} {n}" for n in range(12)]
    engine.provider.script = {rows[2]: ["made"]}
    engine.load([spec(f"r{n}", rows[n], row=n) for n in range(12)])
    show(engine, cut)
    engine.run(max_in_flight=4, looked_at=engine.clock.now(), grace=20.0)
    assert held(engine) == {None: 12}
    assert len(engine.provider.posts) == 12


@pytest.mark.parametrize("alter", [plainly, cut, enhanced])
def test_a_row_that_fails_yet_is_not_bought_again_where_the_list_can_not_tell(
    engine: Engine, alter: Alter
) -> None:
    """A backup was restored: there its row had failed, and been bought again, since."""
    engine.load([spec("r0", ROWS[0])])
    failed = Generation("", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="no")
    engine.provider.ends = {ROWS[0]: [failed]}
    engine.provider.takes = 600.0
    engine.run(
        during=lambda runner: asyncio.get_running_loop().call_later(60, runner.stop), rate=0.005
    )
    others(engine, ROWS[0])
    show(engine, alter)
    work = look(engine)
    engine.run(
        looked_at=engine.clock.now(), looked_for=work.looked_at, retry=RetryPolicy(2, 1.0, 2.0)
    )
    assert len(engine.provider.posts) == 1
    reason = "not_looked" if alter is enhanced else "exists"
    assert engine.jobs()["r0"].held_back == reason
