"""``generate`` and ``wait``: one video from the command line, against the sandbox over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest
from crash.night import Night, manifest
from support.shell import call
from support.stopping import CTRL_C

from batchsora.presentation.errors import message
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database.lock import runner_lock
from jobs.model.clock import SystemClock

QUICK = ("--poll-interval", "0.05", "--grace", "1", "--yes")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080600000"
    "01f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider whose videos take half a second, and an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "generate-test")
    return World(time_scale=2000.0)


def said(*arguments: str) -> Any:
    """Run a command that must succeed, and read its document."""
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.usefixtures("api")
def test_one_video_with_a_picture_from_prompt_to_file(tmp_path: Path) -> None:
    """Everything that can be said is sent; the file lies where it was wanted."""
    Path("cat.png").write_bytes(PNG)
    job = said(
        "generate", "the cat wakes up", "--image", "cat.png", "--duration", "15",
        "--orientation", "landscape", "--download", "films", *QUICK,
    )  # fmt: skip
    assert (job["status"], job["orientation"], job["duration"]) == ("completed", "16:9", 15)
    assert job["batch"] == "adhoc"
    assert Path(job["file"]) == tmp_path / "films" / "adhoc-1.mp4"
    assert Path(job["file"]).read_bytes()[4:8] == b"ftyp"
    assert "adhoc-1: completed" in call("wait", "adhoc-1").stdout


def test_it_is_bought_now_and_waited_for_later(world: World, api: SandboxServer) -> None:
    """Without --wait it ends as soon as the id is known; wait goes on, and buys nothing."""
    first = said("generate", "a sunset over the sea", *QUICK)
    assert first["status"] in ("pending", "processing", "completed")
    assert first["generation_id"] == world.made[0].id
    found = said("wait", "--download", "films", "--poll-interval", "0.05")
    assert [job["status"] for job in found or [first]] == ["completed"]
    assert len(world.made) == 1
    assert api.url in said("show", "adhoc-1")["video_url"]


@pytest.mark.usefixtures("api")
def test_the_same_again_is_asked_about_while_it_is_under_way(world: World) -> None:
    """Pressing Enter twice buys once; --again says that two are meant."""
    world.time_scale = 1.0
    said("generate", "a sunset", *QUICK)
    twice = call("generate", "a sunset", *QUICK)
    assert twice.exit_code == 2
    assert "adhoc-1" in message(twice.exception)
    assert len(world.made) == 1
    said("generate", "a sunset", "--again", *QUICK)
    said("generate", "a sunset", "--orientation", "16:9", *QUICK)
    assert len(world.made) == 3


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("", ), "PROMPT"),
        (("x", "--duration", "12"), "--duration"),
        (("x", "--orientation", "4:3"), "--orientation"),
        (("x", "--image", "nowhere.png"), "--image"),
        (("x", "--callback-url", "http:/x"), "--callback-url"),
    ],
)  # fmt: skip
def test_what_cannot_be_bought_is_refused_before_anything_is_sent(
    world: World, api: SandboxServer, arguments: tuple[str, ...], word: str
) -> None:
    """The option is named, as a manifest's column would be."""
    done = call("generate", *arguments)
    assert done.exit_code == 2
    assert word in message(done.exception)
    assert not world.made
    assert api.url
    assert not Path("batchsora.db").exists()


@pytest.mark.usefixtures("api")
def test_too_little_money_buys_nothing_and_leaves_nothing_in_the_queue(world: World) -> None:
    """A later run must not buy what could not be bought now."""
    world.balance = 50_000
    done = call("generate", "a sunset", "--wait", *QUICK)
    assert done.exit_code == 4
    assert "nothing was bought" in done.stderr
    assert not world.made
    assert said("jobs")[0]["status"] == "cancelled"
    world.balance = 10_000_000
    call("run", "--rate", "0", "--poll-interval", "0.05", "--no-download")
    assert not world.made


@pytest.mark.usefixtures("api")
def test_its_caps_hold_and_are_kept(world: World) -> None:
    """The cap of all single videos is a batch's: what was said once is kept, and a note says so."""
    job = said("generate", "one", "--wait", "--budget", "0.20", *QUICK)
    cap = said("status")["batches"][0]["money"]["cap"]
    assert (job["price"], cap) == ("0.12", "0.20")
    over = call("generate", "two", "--wait", *QUICK)
    assert over.exit_code == 4
    assert len(world.made) == 1
    raised = call("generate", "two", "--wait", "--budget", "0.24", *QUICK)
    assert raised.exit_code == 0
    assert "budget: $0.24 replaces $0.20" in raised.stderr
    # the file says what a batch begins with, and never raises it
    Path("batchsora.toml").write_text("[generate]\nbudget = 9\n")
    kept = call("--config", "batchsora.toml", "generate", "three", "--wait", *QUICK)
    assert "budget: $0.24 is kept; the $9.00 of the configuration" in kept.stderr
    assert kept.exit_code == 4
    assert len(world.made) == 2


@pytest.mark.usefixtures("api")
def test_the_highest_price_of_the_file_holds_for_single_videos(world: World) -> None:
    """What stands at the top of the configuration about prices is meant for all purchases."""
    said("generate", "one", "--wait", *QUICK)  # the price is known from now on
    Path("batchsora.toml").write_text("max-price = 0.01\n")
    assert call("generate", "two", "--wait", *QUICK).exit_code == 4
    assert len(world.made) == 1


@pytest.mark.parametrize("broken", ["another account", "certificates"])
def test_an_error_before_it_is_sent_leaves_nothing_to_a_later_run(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Whatever goes wrong: what could not be bought now is not bought in the night."""
    said("generate", "one", "--wait", *QUICK)
    with monkeypatch.context() as meanwhile:
        if broken == "certificates":
            meanwhile.setenv("SSL_CERT_FILE", "/nowhere.pem")
        else:
            meanwhile.setenv("BATCHSORA_BASE_URL", api.url.replace("127.0.0.1", "localhost"))
        done = call("generate", "two", "--wait", *QUICK)
        assert done.exit_code == (2 if broken == "certificates" else 5), done.exception
    assert [job["status"] for job in said("jobs")] == ["completed", "cancelled"]
    assert call("run", "--budget", "5", *QUICK[:2]).exit_code == 0
    assert len(world.made) == 1


def test_a_doubt_is_settled_before_it_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dropped answer is found in the account's list, not paid for again."""
    with SandboxServer(world, faults=Faults(drop=1.0)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        job = said("generate", "a sunset", "--wait", *QUICK)
    assert job["status"] == "completed"
    assert len(world.made) == 1


def test_a_run_that_is_alive_buys_it(world: World, api: SandboxServer, tmp_path: Path) -> None:
    """Where another terminal holds the database, its runner takes the row up, and fetches it."""
    world.time_scale = 200.0
    night = Night(tmp_path, api.url)
    manifest(tmp_path / "night.csv", 1)
    quick = ("--budget", "1", "--rate", "0", "--poll-interval", "0.1")
    with night.start("run", "night.csv", *quick) as running:
        running.until(lambda: world.made)
        done = call("generate", "a sunset", "--wait", *QUICK)
        assert done.exit_code == 0, done.exception
        assert "the active run buys it" in done.stderr
        assert running.wait(60) == 0
    assert len(world.made) == 2
    assert night.states() == {"completed": 2}
    assert (tmp_path / "videos" / "adhoc" / "adhoc-1.mp4").exists()


@pytest.mark.usefixtures("api")
def test_a_manifest_may_not_take_the_name() -> None:
    """A sheet called adhoc would cancel what was generated one by one."""
    Path("adhoc.csv").write_text("prompt\na heron\n")
    done = call("run", "adhoc.csv", "--yes")
    assert done.exit_code == 2
    assert "--name" in message(done.exception)


@pytest.mark.usefixtures("api")
def test_waiting_with_nothing_under_way_ends_at_once() -> None:
    """Neither an error nor a hang."""
    Path("night.csv").write_text("id,prompt\nr1,a heron\n")
    with runner_lock(Path("batchsora.db"), SystemClock().now()):
        pass
    said("generate", "a sunset", "--wait", *QUICK)
    done = call("wait")
    assert (done.exit_code, "nothing is under way" in done.stderr) == (0, True)


def test_ctrl_c_after_a_paid_failure_says_what_was_spent(world: World, api: SandboxServer) -> None:
    """The row waits for its retry when it is stopped: what failed was charged all the same."""
    world.failures["a sunset"] = ["internal error"] * 3
    night = Night(Path.cwd(), api.url)
    failed = "SELECT id FROM job WHERE state = 'queued' AND charged_micros > 0"
    with night.start("generate", "a sunset", "--wait", *QUICK) as asking:
        asking.until(lambda: world.made and night.rows(failed))
        asking.send_signal(CTRL_C)
        said = asking.communicate(timeout=60)[1]
        assert asking.returncode == 130
    assert "nothing was bought" not in said
    assert "$0.12 was spent on a video that failed; it is not bought again" in said
    call("run", "--budget", "9", "--rate", "0", *QUICK, "--no-download")
    assert len(world.made) == 1


@pytest.mark.parametrize("words", [(), ("--wait",), ("--max-price", "0.20"), ("--json",)])
@pytest.mark.usefixtures("api")
def test_without_a_terminal_nothing_is_bought_without_a_budget(
    world: World, words: tuple[str, ...]
) -> None:
    """It says what to type, and leaves no row behind; a day's or a price's limit is no budget."""
    done = call("generate", "a sunset", "--poll-interval", "0.05", *words)
    assert done.exit_code == 2
    assert "Use --budget USD, which is kept, or --yes" in message(done.exception)
    assert not world.made
    assert call("jobs", "--json").stdout in ("", "[]\n")


@pytest.mark.usefixtures("api")
def test_a_budget_that_is_kept_or_configured_allows_the_next_video(world: World) -> None:
    """Whoever gave one is not asked again; a configuration that somebody named counts as well."""
    Path("batchsora.toml").write_text("[generate]\nbudget = 0.20\n")
    quick = ("--wait", "--poll-interval", "0.05", "--grace", "1")
    found = call("generate", "one", *quick)
    assert found.exit_code == 2  # nobody named that file
    assert "budget" in message(found.exception)
    assert not world.made
    said("--config", "batchsora.toml", "generate", "one", *quick)
    Path("batchsora.toml").unlink()
    assert call("generate", "two", *quick).exit_code == 4
    said("generate", "two", "--budget", "1", *quick)
    said("generate", "three", *quick)
    assert len(world.made) == 3


@pytest.mark.usefixtures("api")
def test_beside_a_run_nothing_is_handed_over_without_a_budget_either(
    world: World, tmp_path: Path
) -> None:
    """A living run would buy what it is handed: the question comes before."""
    said("generate", "one", "--wait", *QUICK)  # there is a database
    with runner_lock(tmp_path / "batchsora.db", SystemClock().now()):
        done = call("generate", "two", "--poll-interval", "0.05")
    assert done.exit_code == 2
    assert "no budget for single videos" in message(done.exception)
    assert [job["status"] for job in said("jobs")] == ["completed"]
    assert len(world.made) == 1


@pytest.mark.usefixtures("api")
def test_a_rehearsal_costs_nothing_so_nobody_is_asked(world: World) -> None:
    """``--sandbox`` needs neither a budget nor a yes, as with ``run``."""
    assert call("generate", "a sunset", "--sandbox", "--poll-interval", "0.05").exit_code == 0
    assert not world.made
