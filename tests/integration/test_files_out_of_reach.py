"""Files whose addresses answer something else, or that are sent in unusual ways, end to end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.shell import Shell

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.mp4 import make_mp4
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--budget", "1")

Start = Callable[[str], World]

ANSWERS = (
    "400", "401", "403", "404", "405", "410", "418", "451", "499",
    "500", "html", "html403", "shape", "json",
)  # fmt: skip
"""Whatever stands in a file's place once its address has expired."""

WAYS = {
    "gzip": "ftyp",
    "chunked": "ftyp",
    "no-length": "ftyp",
    "unknown-total": "ftyp",
    "free-first": "free",
    "wide-first": "wide",
    "moov-first": "moov",
    "gzip+moov-first": "moov",
    "no-length+free-first": "free",
}
"""Ways to send a file, and its first box."""


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Run commands in a folder with a sheet of two rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "file-test-token")
    Path("night.csv").write_text("id,prompt\na,a kite\nb,a dune\n", encoding="utf-8")
    return Shell(capsys)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a provider that has faults; the program's next commands go to the last one."""
    with ExitStack() as stack:

        def server(faults: str, world: World | None = None) -> World:
            world = world or World(time_scale=2000.0)
            found = stack.enter_context(SandboxServer(world, faults=Faults.parse(faults)))
            monkeypatch.setenv("BATCHSORA_BASE_URL", found.url)
            return world

        yield server


def check(call: Shell, world: World, first: str = "ftyp") -> None:
    """Check that both files are here, as they were made, and that each was bought once."""
    jobs: list[dict[str, Any]] = call("jobs", "--json").json
    assert [job["status"] for job in jobs] == ["completed", "completed"]
    assert len(world.made) == 2
    for job in jobs:
        made = make_mp4(job["generation_id"], "9:16", 10, first)
        assert Path(job["file"]).read_bytes() == made
    assert sorted(path.name for path in Path("videos").rglob("*.*")) == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("word", ANSWERS)
def test_an_address_that_has_expired_is_renewed(word: str, call: Shell, start: Start) -> None:
    """Whatever it answers, the run ends with every file."""
    world = start(f"address-expired={word}")
    assert call("run", "night.csv", *QUICK).code == 0
    check(call, world)


@pytest.mark.parametrize(("way", "first"), WAYS.items(), ids=WAYS)
def test_a_file_is_fetched_however_it_is_sent(
    way: str, first: str, call: Shell, start: Start
) -> None:
    """Packed, in chunks, without a length or a total, whatever its first box."""
    world = start(f"file={way}")
    assert call("run", "night.csv", *QUICK).code == 0
    check(call, world, first)


@pytest.mark.parametrize("way", ["unknown-total", "chunked", "gzip"])
def test_a_file_that_breaks_off_is_fetched_in_the_end(way: str, call: Shell, start: Start) -> None:
    """What is resumed is the same file, and what can't be resumed begins again."""
    world = start(f"file={way},cut=0.5")
    call("run", "night.csv", *QUICK)
    for _ in range(5):
        if call("download").code == 0:
            break
    check(call, world)
