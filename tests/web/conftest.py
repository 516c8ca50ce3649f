"""A provider, a folder after a night, the pages over it on a real port, and a real browser."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect, sync_playwright
from support.another import IS_ROOT
from support.hostile import write_hostile
from support.site import QUICK, Folder, Site, client, serving

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

PROMPTS = {
    "kite": ("a paper kite over a dune, soft morning light", "summer", "kite.png"),
    "owl": ("an owl that turns its head in the snow", "winter", ""),
    "fox": ("a fox <b>in</b> the & snow", "winter", ""),
    "storm": ("a storm that breaks the policy", "summer", ""),
    "train": ("a night train crosses a viaduct", "summer", ""),
    "tea": ("steam rises from a teapot", "winter", ""),
}
FAILS = {"a storm that breaks the policy": ["violates our content policy"] * 999}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MOST_WAITED = 20_000
"""Milliseconds that the browser waits for what must come."""


@pytest.fixture(scope="session")
def api() -> Iterator[SandboxServer]:
    """A provider for all these tests: a database holds the generations of one alone."""
    with SandboxServer(World(time_scale=2000.0, failures=dict(FAILS))) as server:
        yield server


@pytest.fixture(scope="session")
def night(api: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished batch 'prompts' of six rows, one of which failed."""
    path = tmp_path_factory.mktemp("night")
    Image.new("RGB", (320, 240), (90, 120, 200)).save(path / "kite.png")
    rows = [
        f'{key},"{prompt}",{campaign},{image}' for key, (prompt, campaign, image) in PROMPTS.items()
    ]
    (path / "prompts.csv").write_text("\n".join(["id,prompt,campaign,image", *rows]) + "\n")
    assert Folder(path, api).call("run", "prompts.csv", "--budget", "5", *QUICK) == 3
    return path


@pytest.fixture
def world(night: Path, api: SandboxServer, tmp_path: Path) -> Folder:
    """A copy of the night's folder: one may do anything with it."""
    path = tmp_path / "web"
    shutil.copytree(night, path)
    with closing(sqlite3.connect(path / "batchsora.db")) as database, database:
        for column in ("artifact.path", "job.image", "batch.source"):
            table, name = column.split(".")
            moved = f"UPDATE {table} SET {name} = replace({name}, ?, ?)"  # noqa: S608 - our own
            database.execute(moved, (str(night), str(path)))
    return Folder(path, api, len(Folder(path, api).bought()))


@pytest.fixture
def site(world: Folder) -> Iterator[Site]:
    """The pages over a copy of the night's folder."""
    with serving(world) as found:
        yield found


@pytest.fixture
def http(site: Site) -> Iterator[httpx.Client]:
    """A client as a page of ours is one: with its cookie, its token and its origin."""
    with client(site) as found:
        yield found


@pytest.fixture
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a manifest whose every text is hostile."""
    path = tmp_path_factory.mktemp("hostile")
    write_hostile(path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium.

    Not for the whole session: Playwright's loop runs in this thread as long as the browser does,
    and no other module's tests could have one of their own.
    """
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: install Debian's package chromium")
    # as root it has no sandbox of its own
    arguments = ["--no-sandbox"] if IS_ROOT else []
    expect.set_options(timeout=MOST_WAITED)  # 5 s is too short beside other work on both cores
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A page of the browser; an error in its console, or a violated policy, fails the test."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, base_url=site.url, timezone_id="Europe/Berlin"
    )
    found = context.new_page()
    found.set_default_timeout(MOST_WAITED)
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        # an answer with 4xx that the page expects is no fault of its own
        if message.type == "error" and "status of 4" not in message.text:
            wrong.append(message.text)

    def broke(error: Error) -> None:
        wrong.append(str(error))

    found.on("console", heard)
    found.on("pageerror", broke)
    found.goto(site.entrance)
    found.wait_for_url(site.url + "/")
    yield found
    context.close()
    assert wrong == []
