"""A second account of the machine, which root can become: it makes files where everybody may."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

NOBODY: Final = 65534
"""The number of that account."""

IS_ROOT: Final = hasattr(os, "geteuid") and os.geteuid() == 0

as_root = pytest.mark.skipif(not IS_ROOT, reason="needs a second account, which root can become")


def another(program: str, *arguments: str | Path) -> None:
    """Run a program as the other account.

    Args:
        program: Python; ``sqlite3`` was imported by root, who can read the interpreter's folder.
        arguments: its own.
    """
    become = (
        "import os, sqlite3, sys\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); os.umask(0)\n"
    )
    words = [sys.executable, "-I", "-c", become + program, *map(str, arguments)]
    subprocess.run(words, cwd="/", check=True)


@contextmanager
def open_to_all(mode: int = 0o1777) -> Iterator[Path]:
    """Make a folder in which everybody makes files, and by default removes nobody else's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "work"
        folder.mkdir()
        folder.chmod(mode)
        yield folder


def fill(folder: Path, source: Path) -> None:
    """Copy what is in a folder, but for what the page keeps, into one that is there."""
    hidden = shutil.ignore_patterns(".batchsora")
    mode = folder.stat().st_mode
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=hidden)
    folder.chmod(mode)
