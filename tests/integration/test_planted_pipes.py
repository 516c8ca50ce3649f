"""Pipes, devices and hard links where files of ours come to be: nothing waits, nothing is lost."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from support.hosts import hosting, reply

from batchsora.apart.asking import HELD, Spool
from batchsora.composition.callbacks import callback_path
from batchsora.fetch import FetchError, fetch_video
from batchsora.fetch.part import Part
from batchsora.providers.runblob.transport import Transport
from batchsora.settings import SettingsError
from jobs.database.lock import current_runner
from jobs.model.files import read_small

pytestmark = pytest.mark.posix  # pipes and devices have names in a folder

VICTIM = b"what its owner wants to keep"
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4_000
SECONDS = 60
"""For a process to end: it takes one; a pipe would keep it for ever."""


def plant(path: Path, what: str) -> None:
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")


def ends(code: str, *arguments: str) -> str:
    """Run code in a process of its own, with little memory; gives what it wrote."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))\n"
    done = subprocess.run(
        [sys.executable, "-P", "-c", limit + code, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_who_runs_is_not_read_from_a_pipe_or_device(tmp_path: Path, what: str) -> None:
    """Such a ``.runner`` tells of nobody."""
    plant(tmp_path / "batchsora.db.runner", what)
    code = (
        "import sys; from pathlib import Path; from jobs.database.lock import current_runner\n"
        "print(current_runner(Path(sys.argv[1])))"
    )
    assert ends(code, str(tmp_path / "batchsora.db")) == "None\n"
    assert current_runner(tmp_path / "other.db") is None


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_a_note_is_not_read_from_a_pipe_or_device(tmp_path: Path, what: str) -> None:
    """A part without a note of its own is begun anew."""
    plant(tmp_path / "a.mp4.part.json", what)
    code = (
        "import sys; from pathlib import Path; from batchsora.fetch.part import Part\n"
        "with Part.opened(Path(sys.argv[1])) as part: part.resume(); print(part.size)"
    )
    assert ends(code, str(tmp_path / "a.mp4")) == "0\n"


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_the_secret_of_callbacks_is_not_read_from_a_pipe_or_device(
    tmp_path: Path, what: str
) -> None:
    """It is refused, with the path."""
    (tmp_path / ".batchsora").mkdir()
    plant(tmp_path / ".batchsora" / "webhook", what)
    with pytest.raises(SettingsError, match="webhook"):
        callback_path(tmp_path / "batchsora.db")


@pytest.mark.parametrize("suffix", [".part", ".part.json"])
def test_a_hard_link_is_not_written_through(tmp_path: Path, suffix: str) -> None:
    """The video is fetched, and what the link leads to keeps its bytes."""
    victim, target = tmp_path / "victim", tmp_path / "videos" / "a.mp4"
    victim.write_bytes(VICTIM)
    target.parent.mkdir()
    target.with_name(f"a.mp4{suffix}").hardlink_to(victim)

    async def main() -> None:
        async with (
            hosting(reply(VIDEO, 'ETag: "v1"')) as host,
            httpx.AsyncClient(transport=Transport(proxies={}), timeout=20) as http,
        ):
            with suppress(FetchError, OSError):
                await fetch_video(http, f"{host.url}/v", target, allow_private=True)

    asyncio.run(main())
    assert victim.read_bytes() == VICTIM


def test_a_pipe_as_the_part_is_replaced(tmp_path: Path) -> None:
    """It is no file that bytes could be kept in."""
    os.mkfifo(tmp_path / "a.mp4.part")
    with Part.opened(tmp_path / "a.mp4"):
        assert (tmp_path / "a.mp4.part").is_file()


def test_a_small_file_is_read_up_to_its_size(tmp_path: Path) -> None:
    """One byte more is refused."""
    path = tmp_path / "small"
    path.write_bytes(b"12345")
    assert read_small(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_small(path, 4)


@pytest.mark.parametrize("size", [0, 1, 300_000, 2 * HELD])
def test_lines_of_any_length_are_given_as_they_were_written(size: int) -> None:
    """In memory and on the disk, with and without an end."""
    for end in (b"", b"\n"):
        lines = [b"a" * size, b"", b"b", b"c" * size + b"."]
        spool = Spool()
        spool.write(b"\n".join(lines) + end)
        assert list(spool.lines()) == lines
