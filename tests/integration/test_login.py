"""Keeping the token: in a keyring or a file, for one API alone, and nowhere else."""

import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring.errors
import pytest
from keyring.backends import fail, null
from support.shell import MemoryKeyring, Said, Shell, using

from batchsora import Batch, SyncRunBlobClient, keychain
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
    with SandboxServer(World(token=TOKEN, time_scale=1e9)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Call commands in an empty folder, with something on standard input."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
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


class Odd(MemoryKeyring):
    """A keyring whose own library lets its errors through, with the token in them."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise ConnectionAbortedError(f"no bus for {service} {username} {password}")

    def get_password(self, service: str, username: str) -> str | None:
        raise LookupError(f"no bus for {service} {username}")


class Fickle(MemoryKeyring):
    """A keyring that is locked after the first look."""

    def __init__(self) -> None:
        super().__init__()
        self.locked = False

    def set_password(self, service: str, username: str, password: str) -> None:
        if password == TOKEN:
            self.locked = True
            raise keyring.errors.PasswordSetError("locked meanwhile")
        super().set_password(service, username, password)

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked("locked meanwhile")
        return super().get_password(service, username)


@pytest.fixture
def own(api: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a token is kept without a keyring."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "batchsora" / f"token-http-127.0.0.1%3A{api.url.rpartition(':')[2]}"


@pytest.mark.parametrize(
    ("system", "words"),
    [
        (fail.Keyring(), "this system has none"),
        (null.Keyring(), "does not store anything"),
        (Broken(), "locked"),
        (Odd(), "ConnectionAbortedError"),
        (Fickle(), "locked meanwhile"),
    ],
    ids=["none", "null", "locked", "odd", "locked meanwhile"],
)
def test_without_a_keyring_a_file_keeps_it(
    call: Call, own: Path, system: keyring.backend.KeyringBackend, words: str
) -> None:
    """For its owner alone; every command finds it, doctor says where, logout removes it."""
    with using(system):
        said = call("login", typed=TOKEN.encode())
        assert (said.code, words in said.words) == (0, True)
        assert str(own) in said.out
        assert own.read_text() == f"{TOKEN}\n"
        assert stat.S_IMODE(own.stat().st_mode) == 0o600
        assert call("balance").code == 0
        checks = call("doctor", "--json").json["checks"]
        assert [str(own) in one["found"] for one in checks if one["check"] == "token"] == [True]
        with SyncRunBlobClient() as client:
            assert client.get_balance() == 100
        Path("m.csv").write_text("id,prompt\na,a kite\n")
        assert Batch("m.csv").run(budget="1", poll_interval=0.05, download=None).done
        assert call("generate", "a red kite", "--budget", "1", "--poll-interval", "0.05").code == 0
        assert call("wait").code == 0
        assert call("logout").code == 0
        assert call("balance").code == 2
        with pytest.raises(ValueError, match="batchsora login"):
            SyncRunBlobClient()
    assert left() == []


def test_without_the_library_a_file_keeps_it(api: SandboxServer, own: Path, tmp_path: Path) -> None:
    """As after an installation without extras: the place is said before the token is asked for."""
    code = "import sys; sys.modules['keyring'] = None; from batchsora.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "login"],
        input=TOKEN,
        cwd=tmp_path,
        env={**os.environ, "BATCHSORA_BASE_URL": api.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the extra 'keyring' is not installed" in done.stderr
    assert own.read_text() == f"{TOKEN}\n"


def test_the_newer_token_counts(call: Call, own: Path, backend: MemoryKeyring) -> None:
    """Not one that the keyring has from before; and no file once the keyring is back."""
    backend.set_password("batchsora", os.environ["BATCHSORA_BASE_URL"], "an-old-one")
    with using(fail.Keyring()):
        assert call("login", typed=TOKEN.encode()).code == 0
    assert call("balance").code == 0
    own.write_text("an-old-one")
    assert call("balance").code == 6
    assert call("login", typed=TOKEN.encode()).code == 0
    assert not own.exists()
    assert call("balance").code == 0
    own.write_text(TOKEN)
    said = call("logout", "--json")
    assert said.json["removed_from"] == f"{own} and the system keyring"
    assert (own.exists(), backend.kept) == (False, {})


@pytest.mark.usefixtures("api")
def test_where_nothing_can_keep_it_nobody_types_it(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal comes first, and names the remedy; standard input is not read."""
    Path("plain").write_text("x")
    monkeypatch.setenv("XDG_STATE_HOME", str(Path("plain").absolute()))
    with using(fail.Keyring()):
        said = call("login", typed=TOKEN.encode())
        assert said.code == 2
        assert "--token-file" in said.words
        assert sys.stdin.read() == TOKEN
        said = call("login", "--token-file", "plain/token", typed=TOKEN.encode())
        assert (said.code, sys.stdin.read()) == (2, TOKEN)
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", "relative")
    with using(fail.Keyring()):
        said = call("login", typed=TOKEN.encode())
        assert (said.code, "HOME is" in said.words) == (2, True)
    assert left() == []


def test_an_error_of_a_keyring_never_has_the_token() -> None:
    """Neither its words nor what led to it."""
    with using(Odd()), pytest.raises(keychain.KeychainError, match=r"^ConnectionAborted") as caught:
        keychain.keep("http://127.0.0.1:9", TOKEN)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.usefixtures("api")
def test_a_keyring_that_locks_later_says_so(call: Call) -> None:
    """The command has no token then, and the words say what to do."""
    with using(Broken()):
        said = call("balance")
    assert said.code == 2
    assert "unlock it, or 'batchsora login' keeps the token in a file" in said.words


@pytest.mark.posix  # modes say who may read a file
@pytest.mark.usefixtures("backend")
def test_a_file_that_others_can_read_is_told(call: Call, own: Path) -> None:
    """Each command warns, and doctor has the command that fixes it."""
    with using(fail.Keyring()):
        assert call("login", typed=TOKEN.encode()).code == 0
        own.chmod(0o644)
        assert "can be read by other users" in call("balance").words
        checks = call("doctor", "--json").json["checks"]
    assert [one["remedy"] for one in checks if one["check"] == "token"] == [f"chmod 600 {own}"]


@pytest.mark.usefixtures("api", "backend")
def test_what_the_environment_says_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept token that will not be used is a surprise, unless somebody says so."""
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    assert "takes precedence" in call("login", typed=TOKEN.encode()).words
    assert "unset RUNBLOB_API_KEY" in call("logout").words


@pytest.mark.posix  # there are no pseudo-terminals on Windows
def test_on_a_terminal_it_is_typed_unseen(api: SandboxServer, tmp_path: Path) -> None:
    """A real terminal: the prompt names the API, and what is typed does not appear."""
    import pty  # noqa: PLC0415

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


@pytest.mark.posix
def test_a_folder_where_others_can_write_has_no_token(
    call: Call, api: SandboxServer, backend: MemoryKeyring
) -> None:
    """Somebody else could put a token there, or wait for ours."""
    del api, backend
    folder = Path("state", "batchsora")
    with using(Broken()):
        assert call("login", typed=TOKEN.encode()).code == 0
        folder.chmod(0o777)
        said = call("balance")
        assert said.code == 2
        assert "is not used; its folder" in said.words
        assert f"chmod go-w {folder.absolute()}" in said.words
        said = call("login", typed=TOKEN.encode())
        assert said.code == 2
        assert "no token was stored: its folder would be" in said.words
        folder.chmod(0o700)
        assert call("balance").code == 0
