"""The token is in the memory of the process and on its way to the API, and nowhere else."""

import base64
import hashlib
import json
import logging
import os
import random
import signal
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from batchsora.cli import main
from batchsora.cli.common import Cli
from batchsora.composition.session import RunDependencies
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.settings import SettingsError, Token, find_token, read_settings

TOKEN = "tok+nowhere/8c1f52d07b=="
QUICK = ("--poll-interval", "0.05", "--rate", "0", "--request-timeout", "5")


def forms() -> dict[str, bytes]:
    """List in which shapes the token could lie about."""
    raw = TOKEN.encode()
    found = {
        "plain": raw,
        "quoted": quote(TOKEN, safe="").encode(),
        "hexadecimal": raw.hex().encode(),
        "plain hash": hashlib.sha256(raw).hexdigest().encode(),
        "JSON": json.dumps(TOKEN)[1:-1].replace("/", "\\/").encode(),
        "backwards": raw[::-1],
        # the middle alone, because a line may break or cut the rest
        "a part": raw[6:20],
    }
    for name, text in (("base64", raw), ("header", b"Bearer " + raw), ("user", b":" + raw)):
        # without the end, which depends on what follows
        found[name] = base64.b64encode(text).rstrip(b"=")[:-2]
        found[f"{name} for URLs"] = base64.urlsafe_b64encode(text).rstrip(b"=")[:-2]
    return found


def traces(content: bytes) -> list[str]:
    return [name for name, form in forms().items() if form in content]


@dataclass
class WebContext:
    """A folder in which commands are run, and everything that they said or wrote."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    said: list[str] = field(default_factory=list)
    written: dict[str, bytes] = field(default_factory=dict)
    rights: dict[str, int] = field(default_factory=dict)

    def look(self, _: str = "") -> None:
        """Keep what lies in the folder at this moment."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                name = str(path.relative_to(self.folder))
                self.written[name] = self.written.get(name, b"") + path.read_bytes()
                self.rights.setdefault(name, stat.S_IMODE(path.stat().st_mode))

    def call(self, *arguments: str, then: Callable[[str], None] | None = None) -> int:
        """Run a command, looking around at each of its checkpoints."""

        def checkpoint(name: str) -> None:
            self.look()
            if then is not None:
                then(name)

        deps = RunDependencies(checkpoint=checkpoint, chance=random.Random(3))
        with pytest.raises(SystemExit) as ended:
            main(arguments, Cli(deps))
        found = self.capture.readouterr()
        self.said += [found.out, found.err]
        self.look()
        return int(ended.value.code or 0)


@pytest.fixture
def web_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[WebContext]:
    """An empty folder, the usual umask, and the token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    monkeypatch.setenv("BATCHSORA_LOG_FILE", str(tmp_path / "all.log"))
    before = os.umask(0o022)
    yield WebContext(tmp_path, capfd)
    os.umask(before)


def sheet(name: str, *keys: str) -> None:
    rows = "".join(f"{key},a kite over {key}\n" for key in keys)
    Path(name).write_text(f"id,prompt\n{rows}", encoding="utf-8")


def test_the_token_is_nowhere(web_context: WebContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through success, failures, doubts, a refusal and a crash: not in any file, nor on screen."""
    world = World(time_scale=2000.0, token=TOKEN)
    # an API that repeats what it was sent
    world.failures = {"a kite over b": [f"The prompt violates the policy; Bearer {TOKEN}"]}
    sheet("night.csv", "a", "b", "c")
    with SandboxServer(world) as api:
        monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
        assert web_context.call("-v", "plan", "night.csv") == 0
        assert web_context.call("-v", "run", "night.csv", "--budget", "2", *QUICK) == 3

    sheet("doubt.csv", "d")
    with SandboxServer(world, faults=Faults(drop=1.0, lag=3600)) as api:
        monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
        bind = ("--db", "doubt.db")

        def stop(name: str) -> None:
            if name == "outcome-written":
                signal.raise_signal(signal.SIGINT)

        doubt = (*bind, "-v", "run", "doubt.csv", "--budget", "2", *QUICK)
        assert web_context.call(*doubt, then=stop) == 130
        made = world.made[-1].id
        assert web_context.call(*bind, "-v", "resolve", "d", "--generation", "no-such") == 2
        assert web_context.call(*bind, "-v", "resolve", "d", "--generation", made) == 0
        assert web_context.call(*bind, "resolve", "d", "--never-made", "--json") == 2

    for arguments in (("status",), ("jobs",), ("status", "--json"), ("jobs", "--json", "-v")):
        assert web_context.call(*arguments) == 0
    for suffix in (".csv", ".json", ".jsonl"):
        assert web_context.call("export", "-v", "-o", f"out{suffix}") == 0
    assert b"***" in web_context.written["out.csv"]

    sheet("crash.csv", "e")
    with SandboxServer(world) as api:
        monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
        assert web_context.call("--db", "doubt.db", "download", "-v") in (0, 3)
        assert web_context.call("balance", "-v") == 0

        def crash(name: str) -> None:
            if name == "answer-read":
                raise RuntimeError("a bug")

        crashed = web_context.call(
            "--db", "c.db", "-v", "run", "crash.csv", "--yes", *QUICK, then=crash
        )
        assert crashed == 1
        assert "Traceback" in web_context.said[-1]
        world.token = "another"
        assert web_context.call("-v", "run", "night.csv", *QUICK) == 5  # another origin's database
        assert web_context.call("--db", "d.db", "-v", "run", "crash.csv", "--yes", *QUICK) == 6
        assert web_context.call("-v", "balance", "--json") == 6
    assert web_context.call("-v", "--base-url", "http://127.0.0.1:9", "balance") == 8

    database = [name for name in web_context.written if name.startswith("batchsora.db")]
    assert {"batchsora.db", "batchsora.db-wal", "batchsora.db-shm"} <= set(database)
    assert any(name.endswith(".mp4") for name in web_context.written)
    assert b"RuntimeError: a bug" in web_context.written["all.log"]
    assert len("".join(web_context.said)) > 2000
    assert traces("".join(web_context.said).encode()) == []
    assert {
        name: found for name, text in web_context.written.items() if (found := traces(text))
    } == {}


def test_the_search_would_find_it() -> None:
    """Each shape of the token that is looked for is one that is found."""
    assert "plain" in traces(f"Authorization: Bearer {TOKEN}\r\n".encode())
    assert "header" in traces(base64.b64encode(f"Bearer {TOKEN} and more".encode()))
    assert "base64" in traces(base64.b64encode(TOKEN.encode()))
    assert "base64 for URLs" in traces(base64.urlsafe_b64encode(TOKEN.encode()))
    assert "a part" in traces(TOKEN[2:-2].encode())
    assert traces(b"Authorization: Bearer ***\r\n") == []


def test_the_database_is_its_owners_alone(
    web_context: WebContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts and addresses are nobody else's business, from the first moment, with any umask."""
    sheet("night.csv", "a")
    with SandboxServer(World(time_scale=20_000.0)) as api:
        monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
        assert web_context.call("run", "night.csv", "--yes", "--no-download", *QUICK) == 0
    for suffix in ("", "-wal", "-shm", ".lock"):
        assert web_context.rights[f"batchsora.db{suffix}"] == 0o600


def token_file(folder: Path, content: bytes, mode: int) -> str:
    path = folder / "token"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(("mode", "warned"), [(0o644, 1), (0o640, 1), (0o600, 0), (0o400, 0)])
def test_a_token_file_that_others_can_read_is_told(
    mode: int, warned: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is used, and a warning says how to close it; the warning does not show the token."""
    settings = read_settings(token_file=token_file(tmp_path, TOKEN.encode() + b"\n", mode))
    with caplog.at_level(logging.WARNING):
        assert find_token(settings, {}) == Token(TOKEN, str(settings.token_file))
    assert caplog.text.count("chmod 600") == warned
    assert traces(caplog.text.encode()) == []


def test_a_token_may_come_through_a_pipe(caplog: pytest.LogCaptureFixture) -> None:
    """``--token-file <(pass show runblob)`` is as private as its process: no warning."""
    reading, writing = os.pipe()
    os.write(writing, TOKEN.encode() + b"\n")
    os.close(writing)
    try:
        file = f"/dev/fd/{reading}"
        assert find_token(read_settings(token_file=file), {}) == Token(TOKEN, file)
    finally:
        os.close(reading)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "tail", [b" x", b"\0", b"\x1b[2J", b"\x07", "é".encode(), b"\xff", b"a" * 5000, b"\r\nX: y"]
)
def test_what_can_not_be_a_token_is_refused_unseen(tail: bytes, tmp_path: Path) -> None:
    """A header can't be broken with it, and the refusal shows nothing of it."""
    settings = read_settings(token_file=token_file(tmp_path, TOKEN.encode() + tail, 0o600))
    with pytest.raises(SettingsError) as caught:
        find_token(settings, {})
    assert traces(str(caught.value).encode()) == []
    assert str(caught.value).isprintable()


def test_a_device_is_no_token_file() -> None:
    """A source without end is read as far as a token may go."""
    with pytest.raises(SettingsError, match="not a valid token"):
        find_token(read_settings(token_file="/dev/zero"), {})
