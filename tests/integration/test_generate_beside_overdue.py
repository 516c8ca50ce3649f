"""``generate`` buys nothing beside a video that is paid for and may still finish."""

from pathlib import Path

import pytest
from support.shell import Shell

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--poll-interval", "0.05", "--grace", "1", "--yes")


def test_the_same_again_is_asked_about_while_it_may_still_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run has given up waiting for it: ``retry`` refuses it, and so should ``generate``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "overdue-test")
    world, call = World(time_scale=0.01), Shell(capfd)
    with SandboxServer(world) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        assert call("generate", "a sunset", *QUICK).code == 0
        assert call("generate", "a sunset", *QUICK).code == 2  # under way: it asks for --again
        code = call(
            "run", "--yes", "--no-download", "--generation-timeout", "0.3", "--poll-interval", "0.1"
        ).code
        jobs = call("jobs", "--json").json
        assert (code, jobs[0]["status"], jobs[0]["error_kind"]) == (3, "failed", "overdue"), jobs
        assert call("retry", "adhoc-1", "--yes").code == 2  # paid for, and may still finish
        again = call("generate", "a sunset", *QUICK)
        assert (again.code, len(world.made)) == (2, 1), again.err
