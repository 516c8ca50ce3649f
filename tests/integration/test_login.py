"""Keeping the token: in a keyring or a file, for one API alone, and nowhere else."""

import io
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring.errors
import pytest
from keyring.backends import fail, null
from support.shell import MemoryKeyring, Said, Shell, using

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

TOKEN = "tok-login/9b41c7e0=="


class Broken(MemoryKeyring):
    """A keyring that is locked."""

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked(f"locked: {service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        # a backend may say more than it should
        raise keyring.errors.PasswordSetError(f"locked: {service} {username}") from ValueError(
            password
        )


@pytest.fixture
def backend() -> Iterator[MemoryKeyring]:
    """The system's keyring, for this test."""
    backend = MemoryKeyring()
    with using(backend):
        yield backend


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """A provider that takes one token."""
    with SandboxServer(World(token=TOKEN)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Call commands in an empty folder, with something on standard input."""
    monkeypatch.chdir(tmp_path)
    shell = Shell(capfd)

    def call(*arguments: str, typed: bytes = b"") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
        said = shell(*arguments)
        assert TOKEN not in said.out + said.err
        assert TOKEN[:12] not in said.out + said.err
        return said

    return call


Call = Callable[..., Said]


def left() -> list[str]:
    """List the files that have the token in them."""
    return [
        str(path)
        for path in Path().rglob("*")
        if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]


def test_the_keyring_keeps_it_for_this_api_alone(
    call: Call, api: SandboxServer, backend: MemoryKeyring
) -> None:
    """Login checks it, commands find it, another address does not get it, logout forgets it."""
    assert call("balance").code == 2
    said = call("login", "-v", "--log-file", "x.log", typed=f"{TOKEN}\n".encode())
    assert said.code == 0
    assert "balance $100.00" in said.out
    assert backend.kept == {("batchsora", api.url): TOKEN}
    assert call("balance", "--log-file", "x.log").code == 0
    elsewhere = api.url.replace("127.0.0.1", "localhost")
    said = call("--base-url", elsewhere, "balance")
    assert said.code == 2
    assert "batchsora login" in said.words
    assert call("logout", "--log-file", "x.log").code == 0
    assert backend.kept == {}
    assert call("balance").code == 2
    again = call("logout", "--json")
    assert (again.code, again.json["removed_from"]) == (0, None)
    assert left() == []


def test_a_refused_token_is_not_kept(
    call: Call, api: SandboxServer, backend: MemoryKeyring
) -> None:
    """Exit 6 when the API says no, 8 when it does not answer; ``--no-check`` asks nobody."""
    assert call("login", typed=b"another").code == 6
    api.world.token = "renewed"
    assert call("login", typed=TOKEN.encode()).code == 6
    away = ("--base-url", "http://127.0.0.1:9")
    assert call(*away, "login", typed=TOKEN.encode()).code == 8
    assert backend.kept == {}
    assert call(*away, "login", "--no-check", typed=TOKEN.encode()).code == 0
    assert list(backend.kept.values()) == [TOKEN]


@pytest.mark.parametrize(
    "typed", [b"", b"\n", b"two words", b"\xff\xfe", b"a" * 5000, b"tok\x1b[2J", b"a\nb"]
)
def test_what_can_not_be_a_token_is_refused(
    call: Call, backend: MemoryKeyring, typed: bytes
) -> None:
    """Nothing of it is shown, nothing is asked, nothing is kept."""
    said = call("--base-url", "http://127.0.0.1:9", "login", typed=typed)
    assert said.code == 2
    assert "two" not in said.err
    assert backend.kept == {}


@pytest.mark.usefixtures("api")
def test_the_environment_goes_before_the_file_and_that_before_the_keyring(
    call: Call, backend: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keyring is not even asked while the token comes from elsewhere."""
    Path("token").write_text("wrong-file")
    assert call("login", typed=TOKEN.encode()).code == 0
    reads = backend.reads
    assert call("--token-file", "token", "balance").code == 6
    monkeypatch.setenv("BATCHSORA_TOKEN_FILE", "token")
    assert call("balance").code == 6
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    assert call("balance").code == 0
    assert backend.reads == reads
    monkeypatch.delenv("RUNBLOB_API_KEY")
    monkeypatch.delenv("BATCHSORA_TOKEN_FILE")
    assert call("balance").code == 0
    assert backend.reads > reads


def test_the_environment_spares_the_import_of_the_keyring(
    api: SandboxServer, tmp_path: Path
) -> None:
    """With the token in the environment the library is not loaded."""
    code = (
        "import sys\nfrom batchsora.cli import main\n"
        "try:\n    main(['balance'])\n"
        "finally:\n    assert 'keyring' not in sys.modules\n"
    )
    environment = {**os.environ, "RUNBLOB_API_KEY": TOKEN, "BATCHSORA_BASE_URL": api.url}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


@pytest.mark.usefixtures("api", "backend")
def test_a_file_keeps_it_for_its_owner_alone(call: Call) -> None:
    """0600 from its first moment, in a folder of its own, replaced in one step, no other trace."""
    before = os.umask(0)
    try:
        said = call("--token-file", "keys/token", "login", typed=f"{TOKEN}\r\n".encode())
    finally:
        os.umask(before)
    assert said.code == 0
    assert stat.S_IMODE(Path("keys/token").stat().st_mode) == 0o600
    assert stat.S_IMODE(Path("keys").stat().st_mode) == 0o700
    Path("keys/token").write_text("old")
    Path("keys/token").chmod(0o644)
    assert call("--token-file", "keys/token", "login", typed=TOKEN.encode()).code == 0
    assert stat.S_IMODE(Path("keys/token").stat().st_mode) == 0o600
    assert os.listdir("keys") == ["token"]  # noqa: PTH208 - names
    assert left() == ["keys/token"]
    assert call("--token-file", "keys/token", "balance").code == 0
    assert call("--token-file", "keys/token", "logout").code == 0
    assert left() == []
    assert call("--token-file", "keys/token", "logout").code == 0


@pytest.mark.usefixtures("api", "backend")
def test_a_misspelt_name_costs_no_file(call: Call) -> None:
    """What is no token is neither replaced nor removed."""
    Path("prompts.csv").write_text("id,prompt\na,a kite\n")
    Path("folder").mkdir()
    Path("folder/kept").write_text("x")
    for name in ("prompts.csv", "folder"):
        for command in ("login", "logout"):
            said = call("--token-file", name, command, typed=TOKEN.encode())
            assert said.code == 2
            assert said.err
    said = call("--token-file", "/proc/no/token", "login", typed=TOKEN.encode())
    assert said.code == 2
    assert Path("prompts.csv").read_text() == "id,prompt\na,a kite\n"
    assert left() == []


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("system", "words"),
    [
        (fail.Keyring(), "this system has no keyring"),
        (null.Keyring(), "does not store anything"),
        (Broken(), "locked"),
    ],
    ids=["none", "null", "locked"],
)
def test_without_a_keyring_the_words_name_the_file(
    call: Call, system: keyring.backend.KeyringBackend, words: str
) -> None:
    """No backend, one that does not store anything, one that is locked: exit 2 with the remedy."""
    with using(system):
        said = call("login", typed=TOKEN.encode())
        assert said.code == 2
        assert words in said.words
        assert "--token-file" in said.words
        assert call("balance").code == 2
        assert call("logout").code == 0
    assert left() == []


@pytest.mark.usefixtures("api", "backend")
def test_what_the_environment_says_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept token that will not be used is a surprise, unless somebody says so."""
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    assert "takes precedence" in call("login", typed=TOKEN.encode()).words
    assert "unset RUNBLOB_API_KEY" in call("logout").words


def test_on_a_terminal_it_is_typed_unseen(api: SandboxServer, tmp_path: Path) -> None:
    """A real terminal: the prompt names the API, and what is typed does not appear."""
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "batchsora", "login", "--token-file", str(tmp_path / "token")],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "BATCHSORA_BASE_URL": api.url},
        cwd=tmp_path,
        start_new_session=True,  # no terminal of its own but this one
    )
    os.close(terminal)
    seen = b""
    # the last blank of the question comes after the echo is off
    while not seen.endswith(b": "):
        seen += os.read(person, 1024)
    os.write(person, f"{TOKEN}\n".encode())
    out, _ = process.communicate()
    try:
        while part := os.read(person, 1024):
            seen += part
    except OSError:  # the other end is closed
        pass
    os.close(person)
    assert process.returncode == 0, seen
    assert b"accepts the token" in out
    assert api.url.encode() in seen
    assert TOKEN.encode() not in seen + out
    assert (tmp_path / "token").read_text() == f"{TOKEN}\n"
