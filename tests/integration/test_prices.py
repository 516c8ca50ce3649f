"""Prices: an odd one is charged, told and not believed; a person lists, sets and forgets them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.shell import call

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database.tables import PRICE
from jobs.model.money import to_micros
from jobs.model.states import Reason
from jobs.store import accounts

KIND = "fake/sora/10"
CENT = 10_000
RUN = ("--rate", "0", "--poll-interval", "0.05", "--no-download", "--retries", "0")
Make = Callable[..., Engine]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an engine whose provider may charge what it likes."""

    def engine(*prices: int) -> Engine:
        made = Engine(tmp_path, Invariants(caps=False))
        made.announce(s10=12 * CENT)
        made.load([spec(f"r{n}", row=n) for n in range(len(prices))])

        def next_price(_: Any) -> None:
            count = len(made.provider.posts) - 1
            made.provider.prices = {KIND: prices[min(count, len(prices) - 1)] * CENT}

        made.provider.on_post = next_price
        return made

    return engine


def price(engine: Engine) -> Any:
    (row,) = engine.rows(PRICE.select().where(PRICE.c.kind == KIND))
    return row


def test_one_odd_price_does_not_keep_the_hold_of_its_kind(make: Make) -> None:
    """Charged in full, written down, and the next ones hold what they held before."""
    engine = make(12, 90, 12, 12)
    engine.run(max_in_flight=1)
    assert [a.price_micros for a in engine.attempts()] == [
        12 * CENT,
        90 * CENT,
        12 * CENT,
        12 * CENT,
    ]
    assert {a.hold_micros for a in engine.attempts()} == {12 * CENT}
    row = price(engine)
    assert (row.last_micros, row.highest_micros, row.odd_micros) == (
        12 * CENT,
        12 * CENT,
        90 * CENT,
    )
    assert engine.budget("batch:1").charged_micros == engine.provider.charged


def test_an_odd_price_that_is_seen_twice_is_the_price(make: Make) -> None:
    """Then the hold rises, and the cap holds again."""
    engine = make(12, 90, 90, 90)
    engine.run(max_in_flight=1)
    assert [a.hold_micros for a in engine.attempts()] == [
        12 * CENT,
        12 * CENT,
        12 * CENT,
        90 * CENT,
    ]
    row = price(engine)
    assert (row.last_micros, row.odd_micros, row.source) == (90 * CENT, None, "learned")


def test_after_an_odd_price_the_next_goes_alone(make: Make) -> None:
    """Whether it is so is asked by one submission: the overshoot is one, not a window full."""
    engine = make(90)
    engine.run()
    assert price(engine).odd_micros == 90 * CENT
    engine.load([spec(f"s{n}", row=20 + n) for n in range(8)], whole=False)
    engine.run(max_in_flight=8, rate=0)
    assert [a.hold_micros for a in engine.attempts()] == [12 * CENT] * 2 + [90 * CENT] * 7


def test_a_price_above_the_limit_that_is_seen_once_blocks_nothing(make: Make) -> None:
    """--max-price stops a kind for what it costs, not for one odd answer."""
    engine = make(12, 90, 12, 12)
    engine.max_price(20 * CENT)
    assert engine.run(max_in_flight=1).reason is Reason.FINISHED
    assert engine.status().jobs["completed"] == 4


def test_what_a_person_set_is_not_announced_over(make: Make) -> None:
    """An announced price gives way to a set one; an answer does not."""
    engine = make(12)
    now = engine.clock.now()
    engine.store.write(
        lambda c: c.execute(
            PRICE.update().values(source="set", last_micros=14 * CENT, highest_micros=14 * CENT)
        )
    )
    engine.announce(s10=13 * CENT)
    assert price(engine).last_micros == 14 * CENT
    engine.run()
    assert (price(engine).last_micros, price(engine).source) == (12 * CENT, "learned")
    engine.store.write(lambda c: accounts.announce_prices(c, {KIND: 13 * CENT}, now))
    assert price(engine).last_micros == 12 * CENT


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """The provider, and a folder with a manifest of five rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "prices-test")
    rows = [f"r{n},a kite {n}" for n in range(5)]
    Path("night.csv").write_text("\n".join(["id,prompt", *rows]))
    with SandboxServer(World(time_scale=2000.0)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


def listed() -> dict[str, Any]:
    done = call("prices", "--json")
    assert done.exit_code == 0
    return {row["kind"]: row for row in json.loads(done.stdout)}


@pytest.mark.usefixtures("api")
def test_prices_are_listed_set_and_forgotten() -> None:
    """What a person says is taken, dry runs change nothing, and nonsense is refused."""
    assert call("prices").exit_code == 5  # no database yet
    call("run", "night.csv", "--budget", "1", "--first", "1", *RUN)
    ten = listed()["runblob/sora/10"]
    assert (ten["price"], ten["reserves"], ten["source"], ten["odd"]) == (
        "0.12",
        "0.12",
        "learned",
        None,
    )
    assert "runblob/sora/10  " in call("prices").stdout
    words = ("prices", "set", "runblob/sora/10", "0.20")
    assert call(*words).exit_code == 2  # no terminal to confirm on
    assert "dry run" in call(*words, "--dry-run").stdout
    assert listed()["runblob/sora/10"]["price"] == "0.12"
    assert call(*words, "--yes").exit_code == 0
    assert listed()["runblob/sora/10"]["source"] == "set"
    assert call("prices", "forget", "runblob/sora/10", "--yes").exit_code == 0
    assert "runblob/sora/10" not in listed()
    assert call("prices", "forget", "runblob/sora/10", "--yes").exit_code == 2
    for wrong in (
        ("set", "runblob/sora/10", "-1"),
        ("set", "runblob/sora/10", "0"),
        ("set", "runblob/sora/10", "a lot"),
        ("set", "sora", "0.1"),
        ("set", "runblob/sora/99", "0.1"),
        ("set", "runblob/sora/10"),
        ("raise", "runblob/sora/10"),
    ):
        assert call("prices", *wrong, "--yes").exit_code == 2, wrong
    assert "runblob/sora/10" not in listed()


def test_an_odd_price_is_told_by_the_run_and_by_prices(api: SandboxServer) -> None:
    """Once in the run's last words, and in the list until it is settled."""
    call("run", "night.csv", "--budget", "9", "--first", "1", *RUN)
    api.world.prices = {**api.world.prices, (10, False): to_micros("0.90")}
    said = call("run", "night.csv", "--budget", "9", "--first", "2", "--max-in-flight", "1", *RUN)
    assert "runblob/sora/10 cost $0.90 once" in said.stderr
    assert "prices set runblob/sora/10 0.90" in said.stderr
    assert listed()["runblob/sora/10"]["odd"] == "0.90"
    api.world.prices = {**api.world.prices, (10, False): to_micros("0.12")}
    said = call("run", "night.csv", "--budget", "9", *RUN)
    assert "cost $0.90 once" not in said.stderr
    assert "runblob/sora/10 cost $0.90 once" in call("prices").stdout
    assert listed()["runblob/sora/10"]["reserves"] == "0.12"


@pytest.mark.usefixtures("api")
def test_a_kind_that_is_too_dear_names_the_way_on() -> None:
    """The message says what to type, and that goes on."""
    call("run", "night.csv", "--budget", "9", "--first", "1", *RUN)
    assert call("prices", "set", "runblob/sora/10", "0.50", "--yes").exit_code == 0
    said = call("run", "night.csv", "--budget", "9", "--max-price", "0.20", *RUN)
    assert said.exit_code == 4
    assert "'batchsora prices' lists them" in said.stderr
    assert call("prices", "set", "runblob/sora/10", "0.12", "--yes").exit_code == 0
    assert call("run", *RUN).exit_code == 0
