"""What a process that the page starts is given: no more than it needs, and not for all to see."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.linux import in_proc

from batchsora import children
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.settings import read_settings
from batchsora.web.web_context import Launcher, Started
from jobs.model.clock import SystemClock

PROMPT = "the secret campaign of autumn; signed https://files.example/a.png?Signature=0123abcd"
PASSWORD = "the page's own password"
SIGNING = "what callbacks are signed with"
TOKEN = "tok-children-77"
PATIENCE = 30.0
"""Seconds in which a process here begins and ends."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with modules that wait to be imported, and the page's own environment."""
    for name in ("click", "json", "aiohttp", "sitecustomize", "batchsora"):
        (tmp_path / f"{name}.py").write_text(
            "import os, pathlib\n"
            f"pathlib.Path(__file__).with_name('ran-{name}').write_text(str(dict(os.environ)))\n"
        )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHSORA_WEB_PASSWORD", PASSWORD)
    monkeypatch.setenv("BATCHSORA_WEBHOOK_SECRET", SIGNING)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of another program")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(("", ".", str(tmp_path / "none"))))
    monkeypatch.setenv("PYTHONSTARTUP", "click.py")
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    monkeypatch.setenv("BATCHSORA_RUN_MAX_PRICE", "0.50")
    return tmp_path


@pytest.fixture
def api() -> Iterator[SandboxServer]:
    """The provider, slow enough to look at who waits for it."""
    with SandboxServer(World(time_scale=60.0, token=TOKEN)) as server:
        yield server


def launched(folder: Path, api: SandboxServer, *words: str) -> Started:
    settings = read_settings(database=str(folder / "night.db"), base_url=api.url)
    launcher = Launcher(settings, folder / "said", SystemClock())
    arguments = ["generate", *words, "--budget", "5", "--wait", "--", PROMPT]
    return launcher.start(arguments, "generate", "adhoc")


def shown(pid: int, name: str) -> list[str]:
    return Path(f"/proc/{pid}/{name}").read_bytes().decode("utf-8", "replace").split("\0")


def waited(until: float, *, done: object) -> None:
    assert time.monotonic() < until, done
    time.sleep(0.01)


@in_proc
def test_a_run_of_the_page_shows_nothing_and_gets_what_it_needs(
    folder: Path, api: SandboxServer
) -> None:
    """While it works: no prompt in its arguments, no password around it, no click.py run."""
    started = launched(folder, api)
    until = time.monotonic() + PATIENCE
    while not api.world.made:
        assert started.code is None, started.said()
        waited(until, done=started.said)
    arguments = shown(started.process.pid, "cmdline")
    environment = dict(one.partition("=")[::2] for one in shown(started.process.pid, "environ"))
    assert "generate" in arguments
    assert "-P" in arguments
    for secret in (PROMPT, "Signature", TOKEN, str(folder), api.url):
        assert not any(secret in word for word in arguments), arguments
    assert environment["RUNBLOB_API_KEY"] == TOKEN
    assert environment["BATCHSORA_RUN_MAX_PRICE"] == "0.50"
    for name in ("BATCHSORA_WEB_PASSWORD", "BATCHSORA_WEBHOOK_SECRET", "AWS_SECRET_ACCESS_KEY",
                 "PYTHONSTARTUP"):  # fmt: skip
        assert name not in environment
    assert all(map(os.path.isabs, environment.get("PYTHONPATH", "/").split(os.pathsep)))
    (made,) = api.world.made.values() if isinstance(api.world.made, dict) else api.world.made
    assert made.prompt == PROMPT
    started.process.wait(PATIENCE)
    assert started.code == 0, started.said()
    assert [one.name for one in folder.glob("ran-*")] == []


def test_arguments_of_any_size_arrive(folder: Path, api: SandboxServer) -> None:
    """More than a pipe holds, and bytes of paths that are no Unicode: nobody waits for them."""
    long = ["export", "--batch", "ä☃" + "x" * 300_000, "-o", "\udce4.csv"]
    begun = time.monotonic()
    settings = read_settings(database=str(folder / "night.db"), base_url=api.url)
    started = Launcher(settings, folder / "said", SystemClock()).start(long, "export")
    assert time.monotonic() - begun < PATIENCE / 3
    started.process.wait(PATIENCE)
    assert started.code == 5, started.said()
    assert "there is no database" in started.said()


def test_every_child_is_started_in_one_place(project: Path) -> None:
    """A second place would forget one of the three rules."""
    starts = re.compile(
        r"subprocess\.(?:Popen|run|call|check_|get)|create_subprocess|from subprocess"
        r"|os\.(?:exec|spawn|system|popen)|multiprocessing|webbrowser\.open"
    )
    places = {
        str(path.relative_to(project))
        for house in ("batchsora", "jobs")
        for path in (project / house).rglob("*.py")
        if starts.search(path.read_text("utf-8"))
    }
    assert places == {"batchsora/children.py"}


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("PATH", "/bin", "/bin"),
        ("LC_ALL", "C", "C"),
        ("https_proxy", "http://p:1", "http://p:1"),
        ("BATCHSORA_DB", "a.db", "a.db"),
        ("BATCHSORA_WEB_PASSWORD_FILE", "x", None),
        ("PYTHONINSPECT", "1", None),
        ("PYTHONPATH", ":.:relative", None),
        ("PYTHONPATH", ":/a:.:/b", "/a:/b"),
        ("GITHUB_TOKEN", "x", None),
    ],
)
def test_the_environment_of_a_child(name: str, value: str, kept: str | None) -> None:
    """By a list of what a run needs."""
    assert children.environment({name: value}).get(name) == kept


def test_the_browser_gets_neither_token_nor_password(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is started as a browser is a program like any."""
    fake = folder / "fake-browser"
    fake.write_text(
        f"#!{sys.executable} -I\nimport json, os, pathlib, sys\n"
        "said = json.dumps([sys.argv[1:], dict(os.environ)])\n"
        f"pathlib.Path({str(folder)!r}, 'draft').write_text(said)\n"
        f"pathlib.Path({str(folder)!r}, 'draft').rename(pathlib.Path({str(folder)!r}, 'seen'))\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{fake} %s")
    children.open_browser("http://127.0.0.1:8321/")
    until = time.monotonic() + PATIENCE
    while not (folder / "seen").exists():
        waited(until, done="no browser was started")
    words, environment = json.loads((folder / "seen").read_text())
    assert words == ["http://127.0.0.1:8321/"]
    assert not {TOKEN, PASSWORD, SIGNING} & set(environment.values())
    assert [one.name for one in folder.glob("ran-*")] == []


def test_a_configuration_that_was_named_is_named_to_a_run(
    folder: Path, api: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what a person stands behind would count as merely found."""
    handed: list[list[str]] = []
    monkeypatch.setattr(children, "start", lambda words, *_: handed.append(words))
    named = read_settings(
        database=str(folder / "night.db"), base_url=api.url, configuration=Path("own.toml")
    )
    Launcher(named, folder / "said", SystemClock()).start(["status"], "status")
    place = handed[0].index("--config")
    assert handed[0][place + 1] == str(folder / "own.toml")
