"""The command line as a test uses it, and a keyring that is nobody's."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keyring
import pytest
from click.testing import CliRunner, Result
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from batchsora.cli import group, main
from batchsora.cli.common import Cli
from batchsora.cli.failures import exit_of
from support.stopping import REACHABLE


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Read the one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """Give what was said on stderr, as one line."""
        return " ".join(self.err.split())


class Shell:
    """Calls commands.

    Args:
        capture: of both streams.
    """

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> Said:
        """Call one."""
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = self._capture.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)


def call(*arguments: str) -> Result:
    """Run a command in this process; its exit code is the process's."""
    done = CliRunner().invoke(group, list(arguments), obj=Cli(), standalone_mode=False)
    done.exit_code = exit_of(done.exception) if done.exception else int(done.return_value or 0)
    return done


class MemoryKeyring(KeyringBackend):
    """A keyring, by the library's own interface, that is gone with the test."""

    priority = 1  # type: ignore[assignment]
    name = "memory"  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.reads = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.reads += 1
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not there")


@contextmanager
def using(backend: KeyringBackend) -> Iterator[None]:
    """Let a keyring be the system's for a while."""
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    try:
        yield
    finally:
        keyring.set_keyring(before)


@contextmanager
def started(folder: Path, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command in a folder, with a browser where one is named; ends it in any case."""
    browser = [] if "BROWSER" in environment else ["--no-browser"]
    process = subprocess.Popen(
        [sys.executable, "-m", "batchsora", "web", *browser, *words],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **REACHABLE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def entrance(process: subprocess.Popen[str]) -> str:
    """Read what it says up to the next address that lets somebody in: its file is named alone."""
    assert process.stdout is not None
    for line in process.stdout:
        assert "/enter/" not in line, "others may read what is no terminal"
        if found := re.fullmatch(r"the newest address .* is in (/.+)\n", line):
            text = Path(found[1]).read_text()
            assert re.fullmatch(r"http://\S+/enter/[\w-]{43}\n", text)
            return text.strip()
    raise AssertionError("it said no address")
