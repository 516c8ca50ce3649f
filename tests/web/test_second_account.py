"""Real processes: what another account of this machine gets while the page waits for its owner.

As root the other account is ``nobody``. Else it is this one, which may read its own files: then
only what comes over the port is checked, and what every process shows to all.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import intruder
from support.another import IS_ROOT, NOBODY
from support.shell import entrance, started
from support.site import TOKEN, Folder, enter

from batchsora.web.entering import PREFIX

pytestmark = pytest.mark.posix  # accounts are by number, and /proc shows processes
PATIENCE = 60.0
"""Seconds in which a process here begins."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who started the page, and whose browser has not come in yet.

    Attributes:
        folder: where they work: everybody can look into it.
        home: theirs, open to everybody as well.
        page: the process.
        browser: the process that was started as one.
        words: what it was started with.
        address: what the terminal shows.
        log: of the page.
    """

    folder: Folder
    home: Path
    page: subprocess.Popen[str]
    browser: int
    words: list[str]
    address: str
    log: Path


@pytest.fixture
def owner(world: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Owner]:
    """The page as its owner starts it, with a browser that takes its time."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        shutil.copytree(world.path, place / "work")
        (place / "home").mkdir()
        browser = place / "browser"
        browser.write_text(
            f"#!{sys.executable} -I\nimport json, os, pathlib, signal, sys\n"
            f"draft = pathlib.Path({name!r}, 'draft')\n"
            "draft.write_text(json.dumps([os.getpid(), sys.argv[1:]]))\n"
            "draft.rename(draft.with_name('seen'))\n"
            "signal.pause()\n"
        )
        browser.chmod(0o755)
        folder = Folder(place / "work", world.api, world.before)
        folder.enter(monkeypatch)
        log = place / "work" / "page.log"
        words = ("-q", "--port", "0", "--log-file", str(log))
        surroundings = {"BROWSER": f"{browser} %s", "HOME": str(place / "home")}
        with started(folder.path, *words, **surroundings) as page:
            address = entrance(page)
            pid, arguments = awaited(place / "seen")
            try:
                yield Owner(folder, place / "home", page, pid, arguments, address, log)
            finally:
                os.kill(pid, signal.SIGKILL)


def awaited(path: Path) -> Any:
    """Read what a process writes once it runs."""
    until = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < until, "no browser was started"
        time.sleep(0.02)
    return json.loads(path.read_text())


def intrude(owner: Owner, files: list[Path]) -> Any:
    """Be the other account; gives what it got."""
    knows = {
        "user": NOBODY if IS_ROOT else None,
        "port": int(owner.address.split(":")[2].partition("/")[0]),
        "files": [str(one) for one in files],
        "processes": [owner.page.pid, owner.browser],
    }
    done = subprocess.run(
        [sys.executable, "-I", intruder.__file__],
        input=json.dumps(knows),
        capture_output=True,
        text=True,
        cwd="/",
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


def test_a_second_account_gets_nothing(owner: Owner) -> None:
    """No page, no change, no ticket, no file; nothing is bought, and the owner comes in after."""
    (place,) = owner.home.glob(f"{PREFIX}*")
    (leads_on,) = place.iterdir()
    assert owner.address in leads_on.read_text()
    assert owner.words == [leads_on.as_uri()]
    ticket = owner.address.rpartition("/")[2]
    side = owner.folder.path / ".batchsora"
    (shown,) = side.glob("open-*.txt")
    hidden = [place, leads_on, side, shown, owner.folder.path / "batchsora.db", owner.log]
    got = intrude(owner, hidden)
    assert len(got["answers"]) > intruder.GUESSES
    for answer in got["answers"]:
        assert answer["cookie"] is None, answer
        if answer["asked"] == "GET /healthz":
            assert json.loads(answer["text"]) == {"status": "ok"}
        else:
            assert answer["status"] in (401, 403), answer
            assert not re.search(r"kite|owl|prompts|batchsora_jobs|X-CSRF", answer["text"]), answer
    assert str(owner.page.pid) in got["arguments"]
    assert not any(ticket in (words or "") for words in got["arguments"].values())
    assert ticket not in owner.log.read_text()
    if IS_ROOT:
        assert got["user"] == NOBODY
        assert got["files"] == {str(one): None for one in hidden}
        assert set(got["environments"].values()) == {None}
    else:
        assert got["user"] == os.geteuid()
        assert not any(ticket in (one or "") for one in got["environments"].values())
    assert owner.folder.bought() == []
    with httpx.Client(base_url=owner.address.partition("/enter/")[0]) as http:
        enter(http, owner.address)
        assert "prompts" in http.get("/").text
        assert not place.exists()
        following = entrance(owner.page)
        again = httpx.get(owner.address)
        assert (again.status_code, "terminal" in again.text) == (403, True)
        text = owner.log.read_text() + again.text
        assert ticket not in text
        assert following.rpartition("/")[2] not in text
        assert TOKEN not in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_file_is_gone_when_the_page_is(owner: Owner, number: signal.Signals) -> None:
    """Whether its ticket was used or not."""
    assert list(owner.home.glob(f"{PREFIX}*"))
    # it serves from here on, and takes signals as a server does
    assert httpx.get(owner.address.partition("/enter/")[0] + "/healthz").status_code == 200
    owner.page.send_signal(number)
    owner.page.communicate(timeout=60)
    assert list(owner.home.iterdir()) == []
