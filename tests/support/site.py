"""The pages over a folder, served on a real port, for whoever asks them over HTTP."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from click.testing import CliRunner
from sqlalchemy import Connection
from starlette.applications import Starlette

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.cli.failures import exit_of
from batchsora.composition.callbacks import callback_path
from batchsora.composition.databases import existing_store
from batchsora.composition.exit_codes import Exit
from batchsora.composition.session import RunDependencies
from batchsora.sandbox.server import SandboxServer
from batchsora.settings import read_settings
from batchsora.web.entering import ENTER
from batchsora.web.serve import configured, create_app
from batchsora.web.web_context import WebContext, opened
from batchsora.web.webhooks import Webhooks

T = TypeVar("T")

TOKEN = "tok-of-the-tests"
QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--quiet")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with a manifest, a database and videos, and the provider behind it.

    Attributes:
        path: the folder; commands and the pages work in it.
        api: the provider, whose ledger tells what was charged.
        before: generations that it had made when the folder was made.
    """

    path: Path
    api: SandboxServer
    before: int = 0

    def bought(self) -> list[str]:
        """Ask the provider which prompts it really made for this folder, in their order."""
        ledger = httpx.get(f"{self.api.url}/__ledger").json()
        return [one["prompt"] for one in ledger["generations"]][self.before :]

    def call(self, *words: str) -> int:
        """Type a command; gives its exit code."""
        return self.typed(*words)[0]

    def typed(self, *words: str) -> tuple[int, str]:
        """Type a command; gives its exit code, and what it said on stdout."""
        with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as thread:
            self.enter(patch)
            # the browser's loop goes on in this thread, and commands have one of their own
            done = thread.submit(
                CliRunner().invoke, group, list(words), obj=Cli(), standalone_mode=False
            ).result()
            if done.exception is None:
                return int(done.return_value or 0), done.stdout
            code = exit_of(done.exception)
            if code == Exit.BUG:
                raise done.exception
            return code, done.stdout

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Work in this folder, with a token for this provider."""
        patch.chdir(self.path)
        patch.setenv("RUNBLOB_API_KEY", TOKEN)
        patch.setenv("BATCHSORA_BASE_URL", self.api.url)


@dataclass(frozen=True, slots=True)
class Site:
    """The pages as they are served.

    Attributes:
        url: without a slash at its end.
        web: what the pages work with.
        folder: whose pages they are.
        tickets: those that were told, the newest last.
        app: the application that is served.
    """

    url: str
    web: WebContext
    folder: Folder
    tickets: list[str]
    app: Starlette

    @property
    def entrance(self) -> str:
        """Return the newest address that lets somebody in; without a password."""
        return f"{self.url}{ENTER}{self.tickets[-1]}"

    def read(self, work: Callable[[Connection], T]) -> T:
        """Ask the database something, by a connection of this thread's own."""
        with existing_store(self.web.settings.database) as store:
            return store.read(work)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Change it."""
        with existing_store(self.web.settings.database) as store:
            return store.write(work)


class _Server(uvicorn.Server):
    """Says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def serving(
    folder: Folder,
    password: str | None = None,
    webhooks: Mapping[str, Any] | None = None,
    http: Any = None,
    **options: Any,
) -> Iterator[Site]:
    """Serve the pages on a port of their own, by uvicorn in a thread.

    Args:
        folder: whose pages they are.
        password: asked for.
        webhooks: take callbacks, on these terms.
        http: a protocol with other bounds.
        options: of the application.
    """
    with pytest.MonkeyPatch.context() as patch:
        folder.enter(patch)
        settings = read_settings(database="batchsora.db", base_url=folder.api.url)
        with opened(settings, RunDependencies(quiet=True), Path("videos")) as web:
            path = callback_path(settings.database)
            taking = None if webhooks is None else Webhooks(web, path, **webhooks)
            tickets: list[str] = []
            app = create_app(
                web, password=password, webhooks=taking, tell=tickets.append, **options
            )
            listener = socket.create_server(("127.0.0.1", 0))
            server = _Server(configured(app, 1, http))
            loop = asyncio.new_event_loop()
            thread = threading.Thread(
                target=loop.run_until_complete, args=(server.serve(sockets=[listener]),)
            )
            thread.start()
            assert server.ready.wait(20)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            try:
                yield Site(url, web, folder, tickets, app)
            finally:
                asyncio.run_coroutine_threadsafe(app.state.live.end(), loop).result(10)
                server.should_exit = True
                thread.join(20)
                loop.close()
                listener.close()
                for started in web.launcher.all():
                    started.process.kill()
                    started.process.wait(20)


@contextmanager
def client(site: Site) -> Iterator[httpx.Client]:
    """Make a client as a page of ours is one, inside: with its cookie, its token and its origin."""
    with httpx.Client(base_url=site.url, timeout=30) as found:
        enter(found, site.entrance)
        yield found


def enter(http: httpx.Client, entrance: str) -> None:
    """Come in as a browser does, and keep the key."""
    page = http.get(entrance)
    token = re.search(r'data-key="(\w+)"', page.text)
    assert token is not None
    origin = str(http.base_url).rstrip("/")
    http.headers.update({"X-CSRF-Token": token[1], "Origin": origin, "HX-Request": "true"})


def soon(condition: Callable[[], bool]) -> bool:
    """Wait for what a task or a process of the page does after its answer."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False
