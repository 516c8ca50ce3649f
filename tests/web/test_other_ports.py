"""Another account listens where the owner's browser comes by: real processes, real ports."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from support.shell import entrance, started
from support.site import Folder

SQUATTER = Path(__file__).parents[1] / "support" / "squatter.py"


@contextmanager
def squatting(host: str, port: int, what: str) -> Iterator[subprocess.Popen[str]]:
    """Be the other account at a port."""
    process = subprocess.Popen(
        [sys.executable, "-I", str(SQUATTER), host, str(port), what],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd="/",
    )
    try:
        heard(process, "listens")
        yield process
    finally:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str], word: str) -> None:
    """Wait until it says something."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return
    raise AssertionError(f"it never said {word}")


def test_on_localhost_the_ticket_goes_to_nobody_else(
    world: Folder, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--host localhost` shows the address that we listen on: browsers would ask `[::1]` first."""
    world.enter(monkeypatch)
    with started(world.path, "--host", "localhost", "--port", "0") as process:
        address = entrance(process)
        port = int(address.split(":")[2].partition("/")[0])
        with squatting("::1", port, "ticket") as other:
            page = browser.new_page()
            page.goto(address)
            page.wait_for_url(f"http://127.0.0.1:{port}/")
            expect(page.locator("#link")).to_have_attribute("data-state", "live")
            page.context.close()
            other.kill()
            assert other.stdout is not None
            assert "asked" not in other.stdout.read()
    assert world.bought() == []


def test_under_the_name_localhost_another_account_gets_no_further(
    world: Folder, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who types it gets no cookie and no key for that name, which `[::1]` could ask for."""
    world.enter(monkeypatch)
    with started(world.path, "--port", "0") as process:
        address = entrance(process).replace("127.0.0.1", "localhost")
        port = int(address.split(":")[2].partition("/")[0])
        page = browser.new_page()
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 421
        expect(page.get_by_text("127.0.0.1, not localhost")).to_be_visible()
        assert page.context.cookies() == []
        with squatting("::1", port, "key") as other:
            page.goto(f"http://localhost:{port}/")
            heard(other, "asked /key/null")
        page.context.close()
    assert world.bought() == []
