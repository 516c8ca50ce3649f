"""Another account listens where the owner's browser comes by: real processes, real ports."""

import errno
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from support.shell import entrance, started
from support.site import Folder

from batchsora.settings import SettingsError
from batchsora.web import serve
from batchsora.web.serve import FIXED, RANDOM, WebTerms
from jobs.ports.control import Terms

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


@pytest.mark.parametrize("what", ["cache", "boot"])
def test_who_takes_the_port_of_a_stopped_page_gets_nothing_into_its_tab(
    world: Folder, browser: Browser, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The tab asks whether its server is back, and loads nothing that would be kept."""
    world.enter(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    page = browser.new_page()
    with started(world.path, "--port", str(port)) as process:
        page.goto(entrance(process))
        page.wait_for_url(f"http://127.0.0.1:{port}/")
        expect(page.locator("#link")).to_have_attribute("data-state", "live")
        process.terminate()
        process.wait(30)
    with squatting("127.0.0.1", port, what) as other:
        heading = page.get_by_role("heading", name="You are not logged in")
        expect(heading).to_be_visible(timeout=60_000)
        expect(page.get_by_text("the page was stopped. Open the newest address")).to_be_visible()
        expect(page.locator("#main")).not_to_contain_text("prompts")
        # neither what is seen again nor what changed brings it back
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        other.kill()
        assert other.stdout is not None
        asked = {line.split()[1] for line in other.stdout if line.startswith("asked")}
        assert asked
        assert asked <= {"/events", "/healthz"}
    with started(world.path, "--port", str(port)) as process:
        page.goto(entrance(process))
        page.wait_for_url(f"http://127.0.0.1:{port}/")
        expect(page.locator("#link")).to_have_attribute("data-state", "live")
    page.context.close()
    assert world.bought() == []


def terms(port: int | None, *, webhooks: bool = False) -> WebTerms:
    """Serve on this machine."""
    return WebTerms(
        "127.0.0.1",
        port,
        (),
        None,
        Path("videos"),
        browser=False,
        webhooks=webhooks,
        standing=Terms(),
        terminal=False,
    )


def test_without_a_word_nobody_knows_the_port_before() -> None:
    """It is a random one; a password and callbacks are for what must know it."""
    assert serve._port(terms(None), None) == 0
    assert serve._port(terms(0), "a-password-of-the-tests") == 0
    assert serve._port(terms(9000), None) == 9000
    assert serve._port(terms(None), "a-password-of-the-tests") == FIXED
    assert serve._port(terms(None, webhooks=True), None) == FIXED


def test_a_random_port_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice is ours, not the system's, which counts up on some."""
    with serve._listening(terms(None), 0) as taken, serve._listening(terms(None), 0) as other:
        number, free = taken.getsockname()[1], other.getsockname()[1]
        assert number in RANDOM
        assert free in RANDOM
        other.close()
        chosen = iter([number, number] + [free] * serve.TRIES)
        monkeypatch.setattr("secrets.randbelow", lambda _: next(chosen) - RANDOM.start)
        with serve._listening(terms(None), 0) as third:
            assert third.getsockname()[1] == free
        monkeypatch.setattr("secrets.randbelow", lambda _: number - RANDOM.start)
        with pytest.raises(SettingsError, match="--port") as refused:
            serve._listening(terms(None), 0)
        assert isinstance(refused.value.__cause__, OSError)
        assert refused.value.__cause__.errno == errno.EADDRINUSE
