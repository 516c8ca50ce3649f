"""Beside a run that is alive: what other terminals ask for is bought, and nothing else of it."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from crash.night import TOKEN, Night, Running
from sqlalchemy import Connection
from support.shell import call
from support.stopping import CTRL_C

from batchsora.composition.databases import existing_store, working_store
from batchsora.presentation.errors import message
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Reply, World
from batchsora.usecases import generate as generating
from jobs.database import schema
from jobs.database.lock import runner_lock
from jobs.database.tables import BATCH
from jobs.model.clock import SystemClock
from jobs.model.ledger import batch_key
from jobs.services.runner import Owner
from jobs.store import accounts, handing, steering
from jobs.store.rows import change

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--no-download")
REFUSED = "violates our content policy"
LONG = "a train that takes all night"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider, and a folder with a trial of twelve rows and a run that takes long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    rows = [f"r{n},a trial of kite {n}" for n in range(12)]
    Path("trial.csv").write_text("\n".join(["id,prompt", *rows]))
    Path("long.csv").write_text(f"id,prompt\nlong,{LONG}\n")
    return World(time_scale=2000.0, failures={"a trial of kite 0": ["internal error"]})


def document(*arguments: str) -> Any:
    """Run a command and read its document."""
    return json.loads(call(*arguments, "--json").stdout)


def status(name: str) -> Any:
    """Show where a batch stands, for scripts."""
    return document("status", "--batch", name)["batches"][0]


def bought(world: World) -> Counter[str]:
    """Count what the provider has made for us, by prompt."""
    return Counter(item.prompt for item in world.made if item.prompt != LONG and not item.foreign)


@contextmanager
def living(world: World, url: str, *more: str) -> Iterator[Running]:
    """Have a run of another batch in a process of its own, alive until the block is left.

    It then ends by itself, as soon as nothing is left in its hands.
    """
    with Night(Path.cwd(), url).start("run", "long.csv", "--budget", "9", *QUICK, *more) as running:
        found = running.until(lambda: [item for item in world.made if item.prompt == LONG])
        found[0].takes = 10.0**6
        try:
            yield running
        finally:
            found[0].takes = 0.1
        running.said = running.communicate(timeout=60)[1]


@pytest.fixture
def tried(api: SandboxServer, world: World) -> None:
    """A trial with the first row, which failed."""
    assert api.url
    assert call("run", "trial.csv", "--yes", "--first", "1", *QUICK).exit_code == 3
    assert bought(world) == {"a trial of kite 0": 1}


@pytest.mark.usefixtures("tried")
def test_a_retry_buys_its_row_alone(world: World, api: SandboxServer) -> None:
    """For about $0.12, as it says: not the eleven rows that the trial left out, without a cap."""
    with living(world, api.url) as running:
        said = document("retry", "r0", "--yes")
        assert (said["retried"], said["cost"]) == (["r0"], "0.12")
    assert running.returncode == 0
    assert bought(world) == {"a trial of kite 0": 2}
    assert status("trial")["held_back"] == {"left_out": 11}
    assert status("trial")["jobs"]["completed"] == 1
    # a run that names no batch buys them neither, and says what does
    later = call("run", "--yes", *QUICK)
    assert later.exit_code == 0
    assert "11 held back" in later.stderr
    assert "'batchsora run --batch trial' buys them" in later.stderr
    assert bought(world).total() == 2
    assert call("run", "--batch", "trial", "--yes", *QUICK).exit_code == 0
    assert bought(world).total() == 13


def test_rows_that_nothing_holds_back_are_not_handed_over_either(
    world: World, api: SandboxServer
) -> None:
    """A batch that its cap had stopped: a retry beside another run buys its row, not the rest."""
    assert call("run", "trial.csv", "--budget", "0.12", *QUICK).exit_code == 4
    assert status("trial")["held_back"] == {}
    with existing_store(Path("batchsora.db")) as store:
        store.write(lambda c: accounts.set_cap(c, batch_key(1), 9_000_000))
    with living(world, api.url):
        assert document("retry", "--batch", "trial", "--yes")["retried"] == ["r0"]
    assert bought(world) == {"a trial of kite 0": 2}
    assert status("trial")["jobs"]["queued"] == 11
    assert call("run", *QUICK).exit_code == 0  # they were asked for
    assert bought(world).total() == 13


@pytest.mark.usefixtures("tried")
def test_resume_hands_over_what_nothing_holds_back(world: World, api: SandboxServer) -> None:
    """It says how many, and their cost; a row that was left out is none of them."""
    assert call("retry", "r0", "--yes").exit_code == 0
    assert call("pause", "trial").exit_code == 0
    with living(world, api.url) as running:
        said = call("resume", "trial").output
        assert "1 video(s) left to buy, for about $0.12" in said
        assert "11 held back (left out by --first or --sample)" in said
    assert running.returncode == 0
    assert bought(world) == {"a trial of kite 0": 2}


@pytest.mark.usefixtures("tried")
def test_a_row_that_was_left_out_can_be_asked_for_by_name(world: World, api: SandboxServer) -> None:
    """Shown with its reason and with what buys it, and then bought, alone."""
    assert "held back: left out by --first or --sample" in call("jobs", "--batch", "trial").stdout
    shown = call("show", "r5").stdout
    assert "held back: left out by --first or --sample" in shown
    assert "'batchsora retry r5' buys it" in shown
    assert "11 left out by --first or --sample" in call("status").stdout
    assert "2 job(s) would be bought (1 of them again) for about $0.24" in (
        call("retry", "r0", "r5", "--dry-run").stdout
    )
    assert "1 job(s) would be bought for about $0.12" in call("retry", "r5", "--dry-run").stdout
    with living(world, api.url):
        assert document("retry", "r5", "--yes")["retried"] == ["r5"]
    assert bought(world) == {"a trial of kite 0": 1, "a trial of kite 5": 1}


def test_what_the_account_has_is_not_handed_over(world: World, api: SandboxServer) -> None:
    """Left out of its run, and of everything that is asked for beside another one."""
    for n in range(1, 12):
        world.add_foreign(f"a trial of kite {n}", datetime.now(UTC))
    first = call("run", "trial.csv", "--budget", "5", *QUICK)
    assert first.exit_code == 3
    assert "11 held back (in the account already)" in first.stderr
    assert status("trial")["held_back"] == {"exists": 11}
    with living(world, api.url):
        assert document("retry", "--batch", "trial", "--yes")["retried"] == ["r0"]
        assert call("resume", "trial").exit_code == 0
    assert bought(world) == {"a trial of kite 0": 2}
    assert call("run", "--budget", "5", *QUICK).exit_code == 4  # the same, by no name
    assert bought(world).total() == 2
    named = document("jobs", "--batch", "trial")[1]
    assert named["held_back"] == "exists"
    assert named["held_back_by"] in [item.id for item in world.made]
    assert call("run", "--batch", "trial", "--buy-again", "--budget", "5", *QUICK).exit_code == 0
    assert bought(world).total() == 13


def test_a_load_that_nobody_agreed_to_is_bought_by_nobody(world: World, api: SandboxServer) -> None:
    """Not by a hand-over beside another run, nor by a run of everything, whatever its cap."""
    declined = call("run", "trial.csv", *QUICK)
    assert declined.exit_code == 2
    assert "nothing was bought" in declined.stderr
    assert status("trial")["held_back"] == {"unasked": 12}
    with living(world, api.url):
        assert "0 video(s) left to buy" in call("resume", "trial").output
        assert document("retry", "r3", "--yes")["retried"] == ["r3"]
    assert bought(world) == {"a trial of kite 3": 1}
    assert call("run", "--budget", "9", *QUICK).exit_code == 0
    assert bought(world) == {"a trial of kite 3": 1}
    assert call("run", "trial.csv", "--budget", "9", *QUICK).exit_code == 3
    assert bought(world).total() == 12


@pytest.mark.parametrize("more", [(), ("--wait",)], ids=["submitted", "waited for"])
def test_generate_without_room_beside_a_run_gives_up_at_once(
    world: World, api: SandboxServer, more: tuple[str, ...]
) -> None:
    """It says which budget is in the way and cancels its row; the run has no part in that."""
    with living(world, api.url) as running:
        done = call("generate", "a sunset", "--budget", "0.05", *more, "--poll-interval", "0.05")
        assert done.exit_code == 4, done.exception
        assert "budget of the batch" in done.stderr
        assert "--budget" in done.stderr
        assert "nothing was bought" in done.stderr
        assert "buys it" not in done.stderr
        assert document("show", "adhoc-1")["status"] == "cancelled"
    assert running.returncode == 0
    assert call("run", "--batch", "adhoc", "--budget", "9", *QUICK).exit_code == 0
    assert bought(world) == {}


def test_generate_that_is_handed_over_has_succeeded(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --wait it ends soon with 0, also where the run has no slot free just now."""
    monkeypatch.setattr(generating, "SOON", 0.2)
    with living(world, api.url, "--max-in-flight", "1") as running:
        done = call("generate", "a sunset", "--yes", "--poll-interval", "0.05")
        assert done.exit_code == 0, done.exception
        assert "the active run buys it" in done.stderr
        assert "adhoc-1: queued" in done.stdout
        assert "the active run buys it" in done.stdout
        assert bought(world) == {}
    assert running.returncode == 0
    assert bought(world) == {"a sunset": 1}


def test_generate_in_a_paused_batch_is_refused(world: World, api: SandboxServer) -> None:
    """Nothing is left behind that a later resume would buy, and nothing hangs."""
    assert call("generate", "a lake", "--wait", "--yes", "--poll-interval", "0.05").exit_code == 0
    assert call("pause", "adhoc").exit_code == 0
    for beside in (False, True):
        with living(world, api.url) if beside else nullcontext():
            done = call("generate", "a sunset", "--wait", "--yes", "--poll-interval", "0.05")
            assert done.exit_code == 2
            assert "'batchsora resume adhoc'" in message(done.exception)
    assert bought(world) == {"a lake": 1}
    assert [job["job"] for job in document("jobs", "--batch", "adhoc")] == ["adhoc-1"]


@pytest.mark.usefixtures("api")
def test_generate_whose_runner_lets_go_of_it_is_not_left_in_the_queue(world: World) -> None:
    """A run that ends takes its marks back before it is gone: whoever waits goes on by itself."""
    database = Path("batchsora.db")
    with working_store(database, SystemClock(), lambda: Owner("", "")):
        pass
    with existing_store(database) as store:
        store.write(lambda c: handing.set_serving(c, serving=True))
    night = Night(Path.cwd(), os.environ["BATCHSORA_BASE_URL"])
    waiting = None
    with runner_lock(database, SystemClock().now()):
        waiting = night.start("generate", "a sunset", "--wait", "--yes", "--poll-interval", "0.05")
        assert waiting.stderr is not None
        while "the active run buys it" not in waiting.stderr.readline():
            assert waiting.poll() is None
        for _ in range(3):
            with existing_store(database) as store:
                waiting.until(lambda: store.read(handing.anything))
                store.write(handing.take_back)
    with waiting:
        said = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, said
    assert bought(world) == {"a sunset": 1}


@pytest.mark.usefixtures("tried")
def test_a_run_does_not_answer_for_the_cap_of_another_batch(
    world: World, api: SandboxServer
) -> None:
    """It did what it was started for; whose cap was in the way it says, and what to type."""
    assert call("run", "trial.csv", "--budget", "0.12", *QUICK).exit_code == 4
    with living(world, api.url) as running:
        assert call("retry", "r0", "--yes").exit_code == 0
    assert running.returncode == 0, running.said
    assert "trial: 1 job(s) left" in running.said
    assert "$0.12 of $0.12" in running.said
    assert "'batchsora run --batch trial --budget USD'" in running.said
    assert bought(world).total() == 1


PAUSED = "trial is paused, so nothing of it is bought: 'batchsora resume trial' continues it"
NO_ROOM = (
    "trial is blocked by budget of the batch ($0.12 of $0.12 used); raise it to continue: "
    "'batchsora run --batch trial --budget USD'"
)
TOO_DEAR = "trial is blocked by price above --max-price"


def of_the_trial(change: Callable[[Connection], object]) -> None:
    """Change something of the batch beside whatever runs."""
    with existing_store(Path("batchsora.db")) as store:
        store.write(change)


def pause(*, to: bool = True) -> None:
    """Pause the trial, or end that."""
    of_the_trial(lambda c: steering.set_paused(c, 1, paused=to))


def cap(micros: int | None = 120_000) -> None:
    """Set the budget of the trial."""
    of_the_trial(lambda c: accounts.set_cap(c, batch_key(1), micros))


def max_price(micros: int | None = 10_000) -> None:
    """Set the highest price of the trial."""
    of_the_trial(lambda c: change(c, BATCH, 1, max_price_micros=micros))


@pytest.mark.usefixtures("tried")
@pytest.mark.parametrize("beside", [True, False], ids=["beside a run", "alone"])
@pytest.mark.parametrize(
    ("close", "reopen", "words"),
    [
        (pause, lambda: pause(to=False), PAUSED),
        (cap, lambda: cap(9_000_000), NO_ROOM),
        (max_price, lambda: max_price(9_000_000), TOO_DEAR),
    ],
)
def test_a_retry_that_no_run_buys_says_what_is_in_its_way(
    world: World,
    api: SandboxServer,
    close: Callable[[], None],
    reopen: Callable[[], None],
    words: str,
    beside: bool,  # noqa: FBT001 - a table's column
) -> None:
    """Not that a run takes it up, or that the next one does; it is bought once the way is free."""
    close()
    with living(world, api.url) if beside else nullcontext():
        said = call("retry", "r0", "--yes").output
        assert words in said
        assert "takes over" not in said
        assert "buys them" not in said
    assert bought(world) == {"a trial of kite 0": 1}  # a run beside it has ended without it
    reopen()
    assert call("run", "--budget", "9", *QUICK).exit_code == 0
    assert bought(world) == {"a trial of kite 0": 2}


@pytest.mark.usefixtures("tried")
def test_a_retry_of_two_batches_names_the_one_that_is_paused(
    world: World, api: SandboxServer
) -> None:
    """The other one is taken up."""
    Path("second.csv").write_text("id,prompt\ns0,a second kite\n")
    world.failures |= {"a second kite": ["internal error"]}
    assert call("run", "second.csv", "--yes", *QUICK).exit_code == 3
    pause()
    with living(world, api.url):
        dry = call("retry", "--dry-run").stdout
        assert "2 job(s) would be bought again" in dry
        assert PAUSED in dry
        said = call("retry", "--yes").stdout
        assert "the active run takes over" in said
        assert said.strip().endswith(PAUSED)
        shown = call("show", "r0").stdout
        assert PAUSED in shown
        assert "buys it" not in shown
    assert bought(world) == {"a trial of kite 0": 1, "a second kite": 2}


@pytest.mark.usefixtures("tried")
def test_a_resume_without_room_says_so(world: World, api: SandboxServer) -> None:
    """The pause is gone, and the budget is used up."""
    pause()
    cap()
    assert call("retry", "r0", "--yes").exit_code == 0
    with living(world, api.url) as running:
        said = call("resume", "trial").stdout
        assert "trial is resumed: 1 video(s) left to buy" in said
        assert NO_ROOM in said
        assert "takes over" not in said
    assert running.returncode == 0
    assert bought(world) == {"a trial of kite 0": 1}


@pytest.mark.parametrize(("ends", "code"), [([], 0), ([REFUSED], 3)])
def test_a_run_answers_for_the_jobs_that_were_handed_to_it_alone(
    world: World, api: SandboxServer, ends: list[str], code: int
) -> None:
    """An earlier failure of their batch is none of its own; theirs is."""
    world.failures |= {"a sunset": [REFUSED], "a lake": ends}
    assert call("generate", "a sunset", "--wait", "--yes", "--poll-interval", "0.05").exit_code == 3
    with living(world, api.url) as running:
        done = call("generate", "a lake", "--wait", "--yes", "--poll-interval", "0.05")
        assert done.exit_code == code
    assert running.returncode == code, running.said
    assert ("1 job(s) failed" in running.said) == bool(code)


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a run"])
def test_generate_that_is_killed_before_it_bought_is_bought_by_nobody(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    beside: bool,  # noqa: FBT001 - a table's column
) -> None:
    """Every submission is throttled when it is killed; later ones are not."""
    night_of = Path.cwd()
    with SandboxServer(world, faults=Faults(throttle=1.0)) as deaf:
        night = Night(night_of, deaf.url)
        words = ["generate", "a sunset", "--wait", "--yes", "--poll-interval", "0.05"]
        with night.start("run", "long.csv", "--budget", "9", *QUICK) as running:
            if not beside:
                running.kill()
                running.wait(60)
            waits = night.start(*words)
            until_queued(night, waits)
            for process in (running, waits):
                process.kill()
                process.communicate(timeout=60)
    with SandboxServer(world, port=int(deaf.url.rpartition(":")[2])) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        call("run", "--budget", "9", *QUICK)
        assert bought(world) == {}
        assert status("adhoc")["held_back"] == {"unasked": 1}
        assert call("retry", "adhoc-1", "--yes").exit_code == 0
        assert call("run", "--budget", "9", *QUICK).exit_code == 0
        assert bought(world) == {"a sunset": 1}


def test_generate_waits_for_a_run_that_still_makes_the_database(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both begin at once: the run has its lock, and no database yet."""
    database = Path("batchsora.db")
    seen: list[str | None] = []

    def makes(path: Path) -> str | None:
        seen.append(schema.version(path))
        if seen[-1] is None:
            schema.upgrade(path)
            with existing_store(path) as store:
                store.write(lambda c: handing.set_serving(c, serving=True))
        return seen[-1]

    monkeypatch.setattr(generating, "version", makes)
    monkeypatch.setattr(generating, "SOON", 0.2)
    with runner_lock(database, SystemClock().now()):
        done = call("generate", "a sunset", "--yes")
        assert (done.exit_code, seen) == (0, [None, schema.HEAD]), done.output
        with existing_store(database) as store:
            assert store.read(handing.anything)
    assert bought(world) == {}


def until_queued(night: Night, waits: Running) -> None:
    """Wait until a single video was submitted once, and released; whoever waits for it is alive."""
    query = (
        "SELECT job.id FROM job JOIN attempt ON attempt.job_id = job.id"
        " WHERE job.key = 'adhoc-1' AND job.state = 'queued' AND attempt.state = 'rejected'"
    )
    waits.until(lambda: night.database.exists() and _is_there(night, query))


def _is_there(night: Night, query: str) -> bool:
    tables = night.rows("SELECT name FROM sqlite_master WHERE name = 'attempt'")
    return bool(tables and night.rows(query))


def test_a_waiting_generate_that_is_stopped_takes_its_row_back(
    world: World, api: SandboxServer
) -> None:
    """Ctrl-C beside a run that had no slot free for it yet: nobody buys it afterwards."""
    night = Night(Path.cwd(), api.url)
    with living(world, api.url, "--max-in-flight", "1"):
        waiting = night.start("generate", "a sunset", "--wait", "--yes", "--poll-interval", "0.05")
        assert waiting.stderr is not None
        while "the active run buys it" not in waiting.stderr.readline():
            assert waiting.poll() is None
        waiting.send_signal(CTRL_C)
        with waiting:
            assert "nothing was bought" in waiting.communicate(timeout=60)[1]
        assert waiting.returncode == 130
        assert call("generate", "a lake", "--yes", "--poll-interval", "0.05").exit_code == 0
    assert bought(world) == {"a lake": 1}


def test_a_sample_stays_a_sample(world: World, api: SandboxServer) -> None:
    """What a sample has left out stays so until the batch is named without one."""
    world.failures.clear()
    assert call("run", "trial.csv", "--yes", "--sample", "3", *QUICK).exit_code == 0
    sampled = bought(world)
    assert sampled.total() == 3
    with living(world, api.url):
        assert call("resume", "trial").exit_code == 0
    assert bought(world) == sampled
    assert call("run", "trial.csv", "--yes", "--first", "2", *QUICK).exit_code == 0
    assert {"a trial of kite 0", "a trial of kite 1"} <= set(bought(world))
    assert bought(world).total() <= 5
    assert call("run", "trial.csv", "--yes", *QUICK).exit_code == 0
    assert bought(world) == {f"a trial of kite {n}": 1 for n in range(12)}


NO_LIST = Reply(404, {"detail": "no list here"})


@pytest.mark.parametrize("consent", [("--budget", "9"), ("--yes",)], ids=["a cap", "a word"])
def test_rows_that_were_not_looked_for_are_handed_to_nobody(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, consent: tuple[str, ...]
) -> None:
    """A run whose look fails leaves them so; the next run of everything looks, and buys."""
    world.failures.clear()
    with monkeypatch.context() as deaf:
        deaf.setattr(world, "page", lambda *_: NO_LIST)
        assert call("run", "trial.csv", *consent, *QUICK).exit_code == 2
    assert status("trial")["held_back"] == {"not_looked": 12}
    with living(world, api.url):
        said = call("resume", "trial").output
        assert "0 video(s) left to buy" in said
        assert "12 held back (not looked for in the account's list)" in said
    assert bought(world) == {}
    assert call("run", *consent, *QUICK).exit_code == 0
    assert bought(world).total() == 12


def test_new_and_edited_rows_of_a_paused_batch_are_looked_for_first(
    world: World, api: SandboxServer
) -> None:
    """A load into it is bought by no hand-over; what was asked for before is."""
    world.failures.clear()
    assert call("run", "trial.csv", "--budget", "0.12", *QUICK).exit_code == 4
    assert call("pause", "trial").exit_code == 0
    text = Path("trial.csv").read_text().replace("kite 5", "red kite 5")
    Path("trial.csv").write_text(f"{text}\nr12,a trial of kite 12")
    for prompt in ("a trial of red kite 5", "a trial of kite 12"):
        world.add_foreign(prompt, datetime.now(UTC))
    assert call("run", "trial.csv", "--budget", "9", *QUICK).exit_code == 4
    assert status("trial")["held_back"] == {"not_looked": 2}
    with living(world, api.url):
        assert "10 video(s) left to buy" in call("resume", "trial").output
    assert bought(world) == {f"a trial of kite {n}": 1 for n in range(12) if n != 5}
    assert call("run", *QUICK).exit_code == 4
    assert status("trial")["held_back"] == {"exists": 2}
    assert bought(world).total() == 11
