"""A token that would travel unencrypted: every command that sends it says so first."""

from pathlib import Path

import pytest
from support.shell import Shell


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-plain")
    return Shell(capfd)


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("http://[::ffff:127.0.0.1]:9", True),
        ("HTTP://127.1:9", True),
        ("http://127.0.0.1:9", False),
        ("http://localhost:9", False),
        ("http://[::1]:9", False),
        ("https://127.0.0.1:9", False),
    ],
)
def test_a_token_over_plain_http_is_warned_of(call: Shell, address: str, *, warned: bool) -> None:
    """Beyond this machine anybody on the way reads it; the warning says what to do."""
    said = call("--base-url", address, "-q", "balance")
    assert said.code != 0
    assert ("is not encrypted" in said.words) is warned
    assert ("https://" in said.words) is warned or address.startswith("https")
    assert "tok-plain" not in said.words


@pytest.mark.parametrize(
    "words", [("doctor",), ("login",), ("generate", "a kite"), ("generations",)]
)
def test_every_command_that_sends_it_warns(
    call: Shell, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also before it is kept: the token that login is about to try."""
    (tmp_path / "in").write_text("tok-typed\n")
    with (tmp_path / "in").open() as typed:
        monkeypatch.setattr("sys.stdin", typed)
        said = call("--base-url", "http://127.1:9", *words)
    assert "is not encrypted" in said.words
