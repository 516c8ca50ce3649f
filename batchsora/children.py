"""Every process that we start, in one place and by three rules.

It runs isolated: ``-P`` keeps a ``click.py`` in the working folder from being imported. Its
environment is what is listed here, so that the page's password goes no further. And what it is to
do comes by a file without a name, not in its arguments, which ``ps`` shows to every account.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from jobs import system

HANDED: Final = "--arguments-on-stdin"
"""The only argument of a command that we start, but for its name."""

LARGEST: Final = 16 * 1024**2
"""Bytes of handed arguments: far more than the longest prompt, the options and their quoting."""

Process = subprocess.Popen[bytes]
TimeoutExpired = subprocess.TimeoutExpired

_NEEDED: Final = re.compile(
    # where things are, and whose
    r"PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TEMP|TMP|TZ|TZDIR|XDG_\w+|LD_LIBRARY_PATH|VIRTUAL_ENV"
    # the same on Windows, where nothing connects or draws random numbers without the first
    r"|SYSTEMROOT|WINDIR|SYSTEMDRIVE|COMSPEC|PATHEXT|USERPROFILE|USERNAME|HOMEDRIVE|HOMEPATH"
    r"|APPDATA|LOCALAPPDATA|PROGRAMDATA"
    # how texts look
    r"|LANG|LANGUAGE|LC_\w+|NO_COLOR|COLUMNS|LINES|TERM|PYTHONUTF8|PYTHONIOENCODING"
    # the network, and the keyring
    r"|(?:HTTPS?|ALL|NO)_PROXY|(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR)"
    r"|DBUS_SESSION_BUS_ADDRESS|PYTHON_KEYRING_BACKEND"
    # Python as it runs here
    r"|PYTHONHOME|PYTHONDONTWRITEBYTECODE|PYTHONWARNINGS|PYTHONHASHSEED|SQLITE_TMPDIR"
)
_OURS: Final = re.compile(r"RUNBLOB_API_KEY|BATCHSORA_(?!WEB_|WEBHOOK_)\w+")
"""Settings of the commands; those of the page itself, its password first of all, stay with it."""

_DESKTOP: Final = re.compile(r"DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|BROWSER|DESKTOP_\w+|GNOME_\w+"
                             r"|KDE_\w+|WSL\w*")  # fmt: skip


_LIBRARIES: Final = re.compile(r"HOME|LANG|LC_ALL|LC_CTYPE|LD_LIBRARY_PATH|PYTHONHOME|TMPDIR"
                                r"|SYSTEMROOT|TEMP|TMP")  # fmt: skip
"""What Python needs to find its libraries; no token, no password."""


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return what a command of ours gets of an environment."""
    return _chosen(ours, _NEEDED, _OURS)


def _chosen(given: Mapping[str, str], *wanted: re.Pattern[str]) -> dict[str, str]:
    chosen = {
        name: value for name, value in given.items() if any(one.fullmatch(name) for one in wanted)
    }
    # an empty or relative entry is the working folder, which -P does not take out of this one
    entries = given.get("PYTHONPATH", "").split(os.pathsep)
    folders = [one for one in entries if Path(one).is_absolute()]
    return chosen | ({"PYTHONPATH": os.pathsep.join(folders)} if folders else {})


def start(arguments: Sequence[str], command: str, said: IO[bytes]) -> Process:
    """Start ``batchsora`` as a process that outlives this one.

    Args:
        arguments: all of them; only the process sees them.
        command: its name, for the list of processes.
        said: where both streams go.
    """
    with tempfile.TemporaryFile() as handed:
        # a file, not a pipe: a long prompt would wait in it for the other end to start
        handed.write(json.dumps(list(arguments)).encode("ascii"))
        handed.seek(0)
        return subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-P", "-m", "batchsora", HANDED, command],
            stdin=handed,
            stdout=said,
            stderr=said,
            env=environment(os.environ),
            **system.DETACHED,  # a Ctrl-C for the page does not stop the run
        )


def apart(code: str) -> Process:
    """Start Python for a library that reads foreign files; its input and output are pipes.

    Raises:
        OSError: no process can be started.
    """
    return subprocess.Popen(  # noqa: S603 - our own program, no shell
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=os.path.abspath(os.sep),  # noqa: PTH100 - the root, of this drive on Windows
        # numpy, where openpyxl finds it, reserves gigabytes
        env=_chosen(os.environ, _LIBRARIES) | {"OPENBLAS_NUM_THREADS": "1"},
        bufsize=0,
        **system.OWN_GROUP,  # a Ctrl-C is for us; we end it
    )


def handed_arguments(words: Sequence[str]) -> list[str] | None:
    """Return the arguments that :func:`start` handed over; None if a person typed them.

    Raises:
        ValueError: they can't be read.
    """
    if words[:1] != [HANDED]:
        return None
    content = sys.stdin.buffer.read(LARGEST + 1)
    found: Any = json.loads(content) if len(content) <= LARGEST else None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"{HANDED} is for processes that batchsora starts itself")
    # whatever asks is answered by nobody, as without a terminal
    nothing = system.open_to_read(Path(os.devnull), follow=True)
    os.dup2(nothing, 0)
    os.close(nothing)
    return found


_OPENER: Final = "import sys, webbrowser; webbrowser.open(sys.stdin.read())"


def open_browser(address: str) -> None:
    """Open a browser, which gets neither token nor password, without waiting.

    Everyone can see the arguments of a process, so the address must not be a secret.
    """
    words = {
        "args": [sys.executable, "-P", "-c", _OPENER],
        "input": address.encode(),
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "env": _chosen(os.environ, _NEEDED, _DESKTOP),
        **system.DETACHED,
    }
    # some browsers end when they are closed: a thread waits for that, and nobody for the thread
    threading.Thread(target=subprocess.run, kwargs=words, daemon=True).start()


def named(path: Path | None, option: str) -> list[str]:
    """Write an option with an absolute path; nothing for None."""
    return [] if path is None else [option, str(path.absolute())]
