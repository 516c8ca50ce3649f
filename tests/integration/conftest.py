"""What tests of commands against the sandbox share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.shell import Shell

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World


@pytest.fixture
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """Serve the test's own provider, at the address in the environment."""
    with SandboxServer(world) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """Call commands in an empty folder, with a token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-of-a-test")
    return Shell(capfd)
