"""What was paid for is asked for again in another Unicode form or white space."""

import unicodedata
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crash.night import TOKEN
from PIL import Image
from sqlalchemy import text
from support.engine import Engine, spec
from support.older import make_0011
from support.shell import call

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database import schema
from jobs.evidence.looked_for import LookedFor
from jobs.model.provider import ImageRef
from jobs.model.text import text_key
from jobs.ports.loading import OnChange
from jobs.ports.selection import Sought
from jobs.store import Store, claims, others, past

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--no-download")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    return World(time_scale=2000.0)


def bought(world: World) -> Counter[str]:
    return Counter(text_key(item.prompt) for item in world.made)


def sheet(name: str, prompts: list[str]) -> None:
    rows = "".join(f'{n},"{prompt}"\n' for n, prompt in enumerate(prompts, 1))
    Path(name).write_text(f"id,prompt\n{rows}", "utf-8")


FOUR = ["un café à Paris", "un marché d'été", "la forêt brûlée", "un élan"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_rows_that_moved_under_their_ids_in_another_spelling(
    world: World, api: SandboxServer, form: Any
) -> None:
    """A row was put in at the top, and the file saved by a program that decomposes letters."""
    del api
    sheet("a.csv", FOUR)
    assert call("run", "a.csv", "--budget", "9", *QUICK).exit_code == 0
    sheet("a.csv", [unicodedata.normalize(form, one) for one in ["un pré", *FOUR]])
    said = call("run", "a.csv", "--budget", "9", *QUICK)
    assert set(bought(world).values()) == {1}, (bought(world), said.exit_code, said.output)


@pytest.mark.parametrize("again", [(), ("--redo-changed",)])
def test_what_was_shared_across_spellings_stays_settled(
    world: World, api: SandboxServer, again: tuple[str, ...]
) -> None:
    del api
    sheet("a.csv", FOUR)
    assert call("run", "a.csv", "--budget", "9", *QUICK).exit_code == 0
    sheet("b.csv", [unicodedata.normalize("NFD", one) for one in FOUR])
    said = call("run", "b.csv", "--budget", "9", *QUICK)
    assert said.exit_code == 4, said.output
    said = call("run", "b.csv", "--budget", "9", "--adopt-existing", *QUICK)
    assert said.exit_code == 0, said.output
    said = call("run", "b.csv", "--budget", "9", *again, *QUICK)
    assert said.exit_code == 0, said.output
    said = call("run", "--budget", "9", *QUICK)
    assert said.exit_code == 0, said.output
    assert set(bought(world).values()) == {1}, bought(world)
    # and back in the first spelling
    sheet("b.csv", FOUR)
    said = call("run", "b.csv", "--budget", "9", *again, *QUICK)
    assert set(bought(world).values()) == {1}, bought(world)


@pytest.mark.parametrize("upgraded", [False, True])
@pytest.mark.parametrize("prompt", ["a red boat", "a  red boat"])
def test_what_a_row_had_before_its_picture_was_changed_is_known_after_an_upgrade(
    tmp_path: Path, prompt: str, *, upgraded: bool
) -> None:
    """The same row, in the same spelling, with the same picture, in another batch."""
    engine = Engine(tmp_path, clock_ahead=None)
    engine.announce(**{"s10+image": 120_000})
    mug, cup = (ImageRef(source=f"https://example.org/{name}.png") for name in ("mug", "cup"))
    engine.load([spec("r0", row=0, prompt=prompt, image=mug)])
    engine.run()
    engine.load([spec("r0", row=0, prompt=prompt, image=cup)], on_change=OnChange.REDO)
    engine.run()
    assert len(engine.provider.made) == 2
    if upgraded:
        engine.store.close()
        make_0011(engine.path)
        schema.upgrade(engine.path)
        engine.store = Store(engine.path)
    engine.load([spec("c0", row=0, prompt=prompt, image=mug)], batch="copy")
    held = engine.store.write(lambda c: past.hold(c, Sought((2,))))
    engine.run((2,))
    assert len(held) == 1
    assert len(engine.provider.made) == 2


def test_two_batches_of_equal_rows_are_claimed_in_steps_that_grow_with_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No waiting row looks again at the purchases that others wait for."""
    rows = 120
    engine = Engine(tmp_path, clock_ahead=None)
    engine.announce(s10=1)
    for batch, (name, prompt) in enumerate({"a": "a  red boat", "b": "a red boat"}.items(), 1):
        engine.load((spec(f"r{n}", row=n, prompt=prompt) for n in range(rows)), batch=name)
        engine.cap(10**12, batch)
    engine.store.write(lambda c: c.execute(text("UPDATE batch SET active = 1")))
    engine.store.write(lambda c: c.execute(text("UPDATE account SET balance_micros = 10000000")))
    asked = 0
    first = others._BOUGHT_SINCE.first

    def counting(*what: Any, **values: Any) -> Any:
        nonlocal asked
        asked += 1
        return first(*what, **values)

    monkeypatch.setattr(others._BOUGHT_SINCE, "first", counting)
    looked_for = LookedFor({}, 0, past=True)
    keys = iter(range(10**6))
    while True:
        terms = claims.ClaimTerms(10**9, 50, 1, timedelta(minutes=1), looked_for=looked_for)
        now = engine.clock.now()
        made = engine.store.write(lambda c: claims.claim(c, now, terms, lambda: str(next(keys))))  # noqa: B023
        if made.found is not None:
            looked_for.keep(made.found)
        if not made.claims and not made.crowded:
            break

        def finish(connection: Any) -> None:
            for one in made.claims:  # noqa: B023
                connection.execute(
                    text(
                        "UPDATE attempt SET state = 'completed', generation_id = 'g' || id,"
                        " accepted_at = intent_at, price_micros = 1, ended_at = intent_at,"
                        " video_url = 'http://x/v' WHERE id = :id"
                    ),
                    {"id": one.attempt_id},
                )
                connection.execute(
                    text(
                        "UPDATE job SET state = 'completed', completed_at = created_at,"
                        " video_url = 'http://x/v' WHERE id = :id"
                    ),
                    {"id": one.job_id},
                )

        engine.store.write(finish)
    waiting = engine.rows(text("SELECT id FROM job WHERE held_back = 'paid_before'"))
    assert len(waiting) == rows
    assert asked <= 10 * rows, asked


@pytest.mark.parametrize("late", ["a red boat", "a  red boat"])
def test_a_row_that_is_handed_over_is_counted_with_those_that_wait_in_another_spelling(
    tmp_path: Path, late: str
) -> None:
    """One was paid for, and one row waits for it: the next one is wanted, however it is spelled."""
    engine = Engine(tmp_path, clock_ahead=None)
    engine.announce(s10=120_000)
    engine.load([spec("a0", row=0, prompt="a red boat")])
    engine.run()
    engine.load([spec("b0", row=0, prompt="a red boat")], batch="copy")
    assert len(engine.store.write(lambda c: past.hold(c, Sought((2,))))) == 1
    rows = [spec("b0", row=0, prompt="a red boat"), spec("b1", row=1, prompt=late)]
    engine.load(rows, batch="copy")
    number = engine.jobs()["b1"].id
    held = engine.store.write(lambda c: past.hold_late(c, [number]))
    assert held == []


@pytest.mark.parametrize("how", ["other ids", "no ids", "removed", "backup"])
def test_other_ways_to_the_same_rows_in_another_spelling(
    world: World, api: SandboxServer, how: str
) -> None:
    del api
    again = [unicodedata.normalize("NFD", one) for one in FOUR]
    if how == "backup":
        sheet("first.csv", ["un pré"])
        assert call("run", "first.csv", "--budget", "9", *QUICK).exit_code == 0
        before = Path("batchsora.db").read_bytes()
    if how == "no ids":
        Path("a.csv").write_text("prompt\n" + "\n".join(FOUR) + "\n", "utf-8")
    else:
        sheet("a.csv", FOUR)
    assert call("run", "a.csv", "--budget", "9", *QUICK).exit_code == 0
    if how == "other ids":
        rows = "".join(f"x{n},{prompt}\n" for n, prompt in enumerate(again))
        Path("a.csv").write_text(f"id,prompt\n{rows}", "utf-8")
    elif how == "no ids":
        Path("a.csv").write_text("prompt\n" + "\n".join(again) + "\n", "utf-8")
    elif how == "removed":
        assert call("rm", "a", "--yes").exit_code == 0
        sheet("a.csv", again)
    else:
        for left in Path().glob("batchsora.db*"):
            left.unlink()
        Path("batchsora.db").write_bytes(before)
        sheet("a.csv", again)
    said = call("run", "a.csv", "--budget", "9", *QUICK)
    call("run", "--budget", "9", *QUICK)
    assert set(bought(world).values()) == {1}, (bought(world), said.output)
    if how != "no ids":
        said = call("run", "a.csv", "--budget", "9", "--adopt-existing", *QUICK)
        assert set(bought(world).values()) == {1}, (bought(world), said.output)


@pytest.mark.parametrize("upgraded", [False, True])
def test_rows_whose_pictures_were_swapped_before_an_upgrade(
    world: World, api: SandboxServer, *, upgraded: bool
) -> None:
    """Two rows of one prompt swap their pictures: both videos are there, and neither is bought."""
    del api
    for name, shade in {"mug.png": 10, "cup.png": 200}.items():
        Image.new("RGB", (64, 64), (shade, 0, 0)).save(name)

    def load(first: str, second: str) -> None:
        Path("a.csv").write_text(
            f'id,prompt,image\na,"a  red boat",{first}\nb,"a  red boat",{second}\n', "utf-8"
        )

    load("mug.png", "cup.png")
    said = call("run", "a.csv", "--budget", "9", *QUICK)
    assert said.exit_code == 0, said.output
    load("cup.png", "mug.png")
    said = call("run", "a.csv", "--budget", "0", "--redo-changed", *QUICK)  # nothing is bought yet
    assert len(world.made) == 2, said.output
    if upgraded:
        make_0011(Path("batchsora.db"))
    said = call("run", "a.csv", "--budget", "9", "--redo-changed", *QUICK)
    assert len(world.made) == 2, said.output
