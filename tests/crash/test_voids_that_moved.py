"""SIGKILL while what counts as never made is sent again for the row that it went to."""

from pathlib import Path

import pytest
from crash.night import Night
from support.listed import Account
from support.stopping import KILLED
from support.voids import LOST, OneIsLost, hidden

from batchsora.sandbox.server import SandboxServer

DYING = Path(__file__).parent / "dying.py"
RUN = (
    "run", "night.csv", "--budget", "5", "--poll-interval", "0.1", "--rate", "0",
    "--grace", "0.3", "--no-download",
)  # fmt: skip


@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("point", ["intent-written", "answer-read", "outcome-written"])
def test_what_was_made_twice_is_told_and_nothing_else(
    tmp_path: Path, point: str, *, honours: bool
) -> None:
    """Where keys are honoured it is made once, whatever the kill cut off."""
    sheet = tmp_path / "night.csv"
    sheet.write_text("id,prompt\n" + "".join(f'r{i},"a heron, number {i}"\n' for i in range(4)))
    world = Account(time_scale=2000.0)
    world.listing = hidden
    with SandboxServer(world, faults=OneIsLost()) as api:
        night = Night(tmp_path, api.url)
        assert night.command(*RUN).returncode == 7
        said = night.command("resolve", "r1", "--never-made", "--grace", "0.2")
        assert said.returncode == 0, said.stderr
        world.honour_idempotency = honours
        sheet.write_text(sheet.read_text().replace("r1,", "r9,"))
        killed = night.command(*RUN, "--yes", "--buy-again", program=(str(DYING), point, "1", "--"))
        assert killed.returncode == KILLED, (killed.stdout, killed.stderr)
        world.listing = None
        ended = [night.command(*RUN) for _ in range(3)]
    told = any(one.returncode == 7 and "twice" in one.stderr for one in ended)
    made = [one.prompt for one in world.made].count(LOST)
    assert told == (made > 1), [one.stderr for one in ended]
    assert made == 1 or not honours
    assert ended[-1].returncode == 0, ended[-1].stderr
