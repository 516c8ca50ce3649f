"""Every example of ``docs/commands.md`` is typed as it stands, against the sandbox over HTTP."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result
from support import tiny
from support.shell import MemoryKeyring, using

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.cli.failures import exit_of
from batchsora.presentation.errors import message
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

ELSEWHERE = ("batchsora sandbox", "RUNBLOB_API_KEY=", "batchsora demo", "batchsora web")
"""They serve until stopped, or write where the reader says: tests of their own play them."""

CODES = {
    "batchsora run": 4,  # the batch night has a cap that buys one row
    'batchsora retry sunset-03 --prompt "A sunset over calm water"': 2,  # the same
    "batchsora abandon sunset-03 --dry-run": 2,  # its generation has ended
    "batchsora abandon sunset-03 sunset-07 --yes": 2,  # the same
    "batchsora retry --kind content --campaign summer": 2,  # there is nobody to ask
    "batchsora cancel sunset-03": 2,  # the same
    "batchsora rm last-week": 2,  # the same
    "batchsora budget night none": 2,  # the same
    "batchsora wait sunset-03 --download films": 3,  # it failed
    "batchsora plan prompts.xlsx": 2,  # a run would stop: another folder's file is that batch
    "batchsora plan prompts.csv --sample 5 --json": 2,  # the same
}
"""What an example ends with, when it is not 0."""

ID = "0b6c1f0e-5d0f-4c56-9f6e-2f4f5b1f3a11"
PROJECT = Path(__file__).resolve().parents[2]
QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0")


def examples() -> list[str]:
    """Find the examples of the page."""
    page = (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")
    lines = re.findall(r"^ {4}((?:batchsora|RUNBLOB_API_KEY=) ?\S.*)$", page, re.MULTILINE)
    return list(dict.fromkeys(line.partition("   ")[0].strip() for line in lines))


def call(line: str) -> Result:
    """Type a line; somebody's token is on standard input."""
    words = shlex.split(line)[1:]
    done = CliRunner().invoke(group, words, obj=Cli(), input="tok\n", standalone_mode=False)
    done.exit_code = exit_of(done.exception) if done.exception else int(done.return_value or 0)
    return done


def sheet(name: str, prompts: dict[str, str], campaign: str) -> None:
    """Write a manifest."""
    rows = [f"{key},{prompt},{campaign}" for key, prompt in prompts.items()]
    Path(name).write_text("\n".join(["id,prompt,campaign", *rows]))


@pytest.fixture(scope="module")
def api() -> Iterator[SandboxServer]:
    """A provider that refuses one prompt, and fails another now and then."""
    failures: dict[str, list[str | None]] = {
        "sunset no. 7": ["violates our content policy"] * 9,
        "sunset no. 3": ["internal error"],
    }
    with SandboxServer(World(time_scale=2000.0, failures=failures)) as server:
        yield server


@pytest.fixture(scope="module")
def web_context(api: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after a few nights: finished, failed and left batches."""
    folder = tmp_path_factory.mktemp("web_context")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RUNBLOB_API_KEY", "tok")
        patch.setenv("BATCHSORA_BASE_URL", api.url)
        (folder / "images").mkdir()
        for picture in ("cat.jpg", "images/dog.jpg"):
            (folder / picture).write_bytes(tiny.jpeg(b"a cat"))
        book = openpyxl.Workbook()
        book["Sheet"].append(["prompt"])
        book["Sheet"].append(["a sunset"])
        book.save(folder / "prompts.xlsx")
        sheet("prompts.csv", {f"sunset-{n:02}": f"sunset no. {n}" for n in (1, 3, 7)}, "summer")
        sheet("summer.csv", {"s1": "a red kite"}, "summer")
        sheet("night.csv", {f"n{n}": f"owl no. {n}" for n in (1, 2)}, "winter")
        sheet("week.csv", {"w1": "a calendar"}, "")
        quick = " ".join(QUICK)
        assert call(f"batchsora run prompts.csv --budget 5 {quick}").exit_code == 3
        assert call(f"batchsora run summer.csv --budget 5 {quick}").exit_code == 0
        assert call(f"batchsora run week.csv --name last-week --yes {quick}").exit_code == 0
        assert call(f"batchsora run night.csv --budget 0.12 {quick}").exit_code == 4
        single = "batchsora generate 'a quiet sea' --wait --budget 5 --poll-interval 0.05"
        assert call(single).exit_code == 0  # so that there is a budget for single videos
    return folder


@pytest.fixture
def here(
    web_context: Path, api: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A copy of that folder, in which one may do anything."""
    folder = tmp_path / "web_context"
    shutil.copytree(web_context, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok")
    monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
    with using(MemoryKeyring()):
        yield folder


def test_the_page_has_examples_of_every_command() -> None:
    """Nobody has to guess how a command is typed."""
    shown = {shlex.split(line)[1] for line in examples() if line.startswith("batchsora ")}
    redirected = {"completion", "schema"}
    assert set(group.list_commands(None)) - shown == redirected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line", [line for line in examples() if not line.startswith((*ELSEWHERE, "batchsora resolve"))]
)
@pytest.mark.usefixtures("here")
def test_the_example_works(line: str, api: SandboxServer) -> None:
    """It ends as it should, and gives scripts their document."""
    typed = line.replace(ID, api.world.made[0].id)
    if line.startswith(("batchsora run", "batchsora generate", "batchsora wait")):
        typed += " --poll-interval 0.05"
    if line.startswith("batchsora run prompts.csv"):  # for the first time
        Path("batchsora.db").unlink()
        sheet("prompts.csv", {"sunset-01": f"dusk: {line}"}, "summer")
    if line == "batchsora logout":
        assert call("batchsora login").exit_code == 0
    done = call(typed)
    assert done.exit_code == CODES.get(line, 0), (done.output, done.exception)
    if "--json" in line:
        json.loads(done.stdout)


@pytest.mark.parametrize("line", [line for line in examples() if "batchsora resolve" in line])
@pytest.mark.usefixtures("here")
def test_a_doubt_is_resolved_as_shown(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer was lost, and somebody else made the same: a person's word settles it."""
    world = World(time_scale=2000.0)
    Path("batchsora.db").unlink()
    sheet("prompts.csv", {"sunset-03": "sunset no. 3"}, "summer")
    with SandboxServer(world, faults=Faults(drop=1.0, twin=1.0)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        run = f"batchsora run prompts.csv --budget 1 --grace 0.3 {' '.join(QUICK)}"
        assert call(run).exit_code == 7
        (ours,) = [made for made in world.made if not made.foreign]
        done = call(line.replace(ID, ours.id))
        if (
            "--never-made" in line
        ):  # it was made, and the list shows it: that takes more than a word
            assert (done.exit_code, "--force" in message(done.exception)) == (2, True)
        else:
            assert (done.exit_code, "sunset-03 is generation" in done.stdout) == (0, True)
