"""Real processes whose account can keep no secret (a container whose home can't be written).

By nothing but its token such a database is known again.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--no-download")
RUN = ("-m", "batchsora", "run", "a.csv", "--budget", "1", *QUICK)
LOAD = ("-c", "from batchsora import Batch; Batch('a.csv').load(budget=1)")
OPEN = ("-c", """
import os
from pathlib import Path
from batchsora.composition.session import RunDependencies
from batchsora.settings import read_settings
from batchsora.web.web_context import opened
settings = read_settings(database="batchsora.db", base_url=os.environ["BATCHSORA_BASE_URL"])
with opened(settings, RunDependencies(), Path("videos")):
    pass
""")  # fmt: skip
OWN, OTHER = "tok-owner-51aa", "tok-other-7c20"

Done = subprocess.CompletedProcess[str]
Python = Callable[..., Done]


@pytest.fixture
def world() -> World:
    """The provider."""
    return World(time_scale=2000.0)


@pytest.fixture
def port() -> int:
    """Where it will be reached."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def python(tmp_path: Path, port: int) -> Python:
    """Start Python in a folder with a manifest, without a home."""
    (tmp_path / "a.csv").write_text("id,prompt\na,a boat\n")
    hidden = {name: text for name, text in os.environ.items() if name != "XDG_STATE_HOME"}

    def start(token: str, *words: str) -> Done:
        given = {"HOME": "/proc", "RUNBLOB_API_KEY": token}
        given["BATCHSORA_BASE_URL"] = f"http://127.0.0.1:{port}"
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={**hidden, **{name: text for name, text in given.items() if text}},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


@pytest.mark.parametrize("first", [RUN, LOAD, OPEN], ids=["run", "Batch.load", "web"])
def test_what_reached_nobody_is_gone_on_with(
    first: tuple[str, ...], python: Python, port: int, world: World
) -> None:
    """The first command may never have reached the API: the next one knows the database."""
    python(OWN, *first)
    with SandboxServer(world, port=port):
        said = python(OWN, *RUN)
    assert said.returncode == 0, said.stderr
    assert len(world.made) == 1


def test_another_token_asks(python: Python, port: int, world: World) -> None:
    """Whoever has neither the secret nor the token is asked, and the answer is kept."""
    assert python(OWN, *LOAD).returncode == 0
    with SandboxServer(world, port=port):
        said = python(OTHER, *RUN)
        assert said.returncode == 5
        assert "may not be yours" in said.stderr
        assert python(OTHER, *RUN, "--moved").returncode == 0
        assert len(world.made) == 1
        assert python(OTHER, *RUN).returncode == 0


def test_without_a_token_it_is_said_what_comes_of_it(python: Python) -> None:
    """Nothing can be bound yet, so that the next run asks."""
    said = python("", *OPEN)
    assert "there is no token to bind this one to: the next run asks" in said.stderr
    assert "XDG_STATE_HOME" in said.stderr
