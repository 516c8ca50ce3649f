"""``budget`` shows and changes what may be spent, also of a run that is alive."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crash.night import TOKEN, Night, Running
from support.shell import Said, Shell

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--no-download")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider, and six rows of two campaigns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    rows = [f"r{n},a heron in reeds {n},{('summer', 'winter')[n % 2]}" for n in range(6)]
    Path("night.csv").write_text("\n".join(["id,prompt,campaign", *rows]))
    return World(time_scale=2000.0)


@pytest.fixture
def night(call: Shell, api: SandboxServer) -> Shell:
    """Two of six rows bought, under a budget of two."""
    assert api.url
    assert call("run", "night.csv", "--budget", "0.24", *QUICK).code == 4
    return call


def budget(said: Said) -> tuple[str | None, str, str | None, int]:
    """Return the budget of the only batch, what is spent and free, and the rows left to buy."""
    assert said.code == 0, said.err
    (one,) = said.json["batches"]
    return one["cap"], one["charged"], one["free"], one["to_buy"]


def test_it_is_shown_for_people_and_scripts(night: Shell) -> None:
    """The batch's, the campaigns', the day's; what is left to buy, and what it lacks."""
    assert budget(night("budget", "--json")) == ("0.24", "0.24", "0.00", 4)
    said = night("budget", "night", "--json").json
    assert said["batches"][0]["to_buy_cost"] == "0.48"
    assert (said["day"]["charged"], said["day"]["cap"]) == ("0.24", None)
    shown = night("budget", "night").out
    for line in (
        "budget    $0.24",
        "spent     $0.24",
        "left      $0.00",
        "to buy    4 row(s), for about $0.48; $0.48 more than is left",
        "campaign  summer: $0.12 spent, no budget",
    ):
        assert line in shown
    assert night("budget", "nobody").code == 2
    said = night("budget", "0.48")
    assert said.code == 2
    assert "name the batch before its budget: 'batchsora budget BATCH 0.48'" in said.words


def test_it_is_raised_and_the_next_run_buys_within_it(night: Shell, api: SandboxServer) -> None:
    said = night("budget", "night", "$0.48", "--json")
    assert budget(said) == ("0.48", "0.24", "0.24", 4)
    assert "$0.48 replaces $0.24" in said.words
    assert "'batchsora run --batch night' buys the rest within this budget" in said.words
    assert night("run", "--batch", "night", *QUICK).code == 4
    assert len(api.world.made) == 4


def test_one_below_what_is_spent_says_what_that_means(night: Shell) -> None:
    """It is kept, nothing more is bought, and no command is named that would buy nothing."""
    said = night("budget", "night", "0.1")
    assert "$0.10 is less than the $0.24 already spent or reserved: nothing more is bought" in (
        said.words
    )
    assert "batchsora run" not in said.words
    assert budget(night("budget", "--json")) == ("0.10", "0.24", "0.00", 4)


def test_one_is_removed_only_when_somebody_agrees(night: Shell) -> None:
    """Without a terminal it is refused; afterwards a run asks again, or needs ``--yes``."""
    refused = night("budget", "night", "none")
    assert refused.code == 2
    assert "'night' has 4 row(s) left to buy, for about $0.48" in refused.words
    assert budget(night("budget", "--json"))[0] == "0.24"
    said = night("budget", "night", "none", "--yes", "--json")
    assert budget(said) == (None, "0.24", None, 4)
    assert "budget: $0.24 is removed" in said.words
    assert night("run", "--batch", "night", *QUICK).code == 2
    assert night("budget", "night", "none").code == 0  # there is nothing to remove any more


def test_those_of_campaigns_and_of_the_day(night: Shell) -> None:
    """Each is set and removed; a misspelt campaign is refused, and nothing else is kept then."""
    night("budget", "night", "--cap", "summer=1.5", "--day-budget", "9")
    found = night("budget", "--json").json
    assert found["batches"][0]["campaigns"]["summer"]["free"] == "1.38"
    assert (found["day"]["cap"], found["day"]["free"]) == ("9.00", "8.76")
    assert night("budget", "--day-budget", "none").code == 2
    night("budget", "--day-budget", "none", "--yes")
    night("budget", "night", "--cap", "summer=none", "--yes")
    found = night("budget", "--json").json
    assert found["day"]["cap"] is None
    assert found["batches"][0]["campaigns"]["summer"]["cap"] is None
    assert night("budget", "night", "7", "--cap", "sommer=1").code == 2
    assert budget(night("budget", "--json"))[0] == "0.24"


@pytest.mark.parametrize("amount", ["a lot", "nan", "1e12", "inf", ""])
def test_what_is_no_amount_is_refused(night: Shell, amount: str) -> None:
    assert night("budget", "night", amount).code == 2
    assert budget(night("budget", "--json"))[0] == "0.24"


@contextmanager
def running(api: SandboxServer, *more: str) -> Iterator[Running]:
    """Have a run that is alive, as what it bought does not end before the block is left."""
    api.world.time_scale = 1e-6
    with Night(Path.cwd(), api.url).start("run", "night.csv", *QUICK, *more) as run:
        try:
            yield run
        finally:
            for one in api.world.made:
                one.takes = 0.1
            api.world.time_scale = 2000.0
        run.said = run.communicate(timeout=60)[1]


def test_a_living_run_follows_a_raised_budget(call: Shell, api: SandboxServer) -> None:
    """It had stopped buying at its budget; now it buys the rest, and ends with 0."""
    with running(api, "--budget", "0.24") as run:
        run.until(lambda: len(api.world.made) == 2)
        run.until(lambda: call("status", "--json").json["batches"][0]["waiting_for"])
        said = call("budget", "night", "0.72")
        assert "the active run follows it" in said.words
        run.until(lambda: len(api.world.made) == 6)
    assert run.returncode == 0, run.said
    assert budget(call("budget", "--json")) == ("0.72", "0.72", "0.00", 0)


def test_a_living_run_follows_a_lowered_budget(call: Shell, api: SandboxServer) -> None:
    """What is under way is finished, and nothing more is bought."""
    with running(api, "--budget", "5", "--max-in-flight", "2") as run:
        run.until(lambda: len(api.world.made) == 2)
        assert "nothing more is bought" in call("budget", "night", "0.2").words
    assert run.returncode == 4, run.said
    assert len(api.world.made) == 2
    assert budget(call("budget", "--json")) == ("0.20", "0.24", "0.00", 4)


def test_a_second_run_with_a_budget_names_the_command_that_changes_it(
    call: Shell, api: SandboxServer
) -> None:
    """It ends with 5, changes nothing, and what it names does what it was for."""
    with running(api, "--budget", "0.24") as run:
        run.until(lambda: len(api.world.made) == 2)
        said = call("run", "--batch", "night", "--budget", "0.48", "--cap", "summer=0.36", *QUICK)
        assert said.code == 5
        assert "'batchsora budget night 0.48 --cap summer=0.36'" in said.words
        assert budget(call("budget", "--json"))[0] == "0.24"
        assert "batchsora budget" not in call("run", "--batch", "night", *QUICK).words
        assert call("budget", "night", "0.48", "--cap", "summer=0.36").code == 0
        run.until(lambda: len(api.world.made) == 4)
    assert run.returncode == 4, run.said


def test_a_misspelt_campaign_gets_a_suggestion(night: Shell) -> None:
    """Of the campaigns that the batch has."""
    Path("two.csv").write_text("prompt,campaign\na fox,summer\na hen,winter\n")
    said = night("run", "two.csv", "--cap", "sumer=1", *QUICK)
    assert said.code == 2
    assert "no row has that campaign; did you mean 'summer'?" in said.words


def test_a_batch_that_was_not_paused_is_not_resumed(night: Shell) -> None:
    """It says so, and how many videos are left."""
    assert night("resume", "night").out.startswith("night was not paused: 4 video(s) left to buy")
    assert night("pause", "night").code == 0
    assert night("resume", "night").out.startswith("night is resumed: 4 video(s) left to buy")
