"""What tests of commands against the sandbox share."""

from collections.abc import Iterator

import pytest

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World


@pytest.fixture
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """Serve the test's own provider, at the address in the environment."""
    with SandboxServer(world) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server
