"""What differs between systems is named in one place, and each part of it keeps one contract."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from jobs import system

PLACE: Final = "jobs/system/"

UNEVEN: Final = re.compile(
    r"import (?:ctypes|fcntl|grp|msvcrt|nt|posix|pty|pwd|resource|select|selectors|shlex|termios"
    r"|tty|winreg|_winapi)"
    r"|os\.(?:O_\w+|sched_\w+|posix_\w+|f?ch(?:mod|own)|copy_file_range|fork|f?statvfs|fsync|fdatasync"
    r"|f?truncate|[gs]et_blocking|get(?:e?[ug]id|pgid|pgrp)|kill(?:pg)?|memfd_create|mkfifo|name"
    r"|nice|open|openpty|p(?:read|write)v?|rename|replace|sendfile|setsid|startfile|uname|waitpid)"
    r"|sys\.platform|signal\.SIG(?!INT$|TERM$)[A-Z]+\w*"
    r"|\w+\.(?:add_signal_handler|remove_signal_handler|clock_gettime|hardlink_to)"
    r"|=(?:creationflags|pass_fds|preexec_fn|process_group|start_new_session|startupinfo)"
    r"|Path\.(?:rename|replace)"
)
"""What not every system has, or has in its own way, as :func:`named` writes it."""


def named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return what a module imports, reads and passes, with the line."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, f"import {one.name}") for one in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield node.lineno, f"import {module}"
                yield from ((node.lineno, f"{module}.{one.name}") for one in names)
            case ast.Attribute(value=ast.Name(id=owner), attr=attr):
                yield node.lineno, f"{owner}.{attr}"
            case ast.keyword(arg=str(word)) | ast.Constant(value=str(word)):
                yield node.lineno, f"={word}"
            case ast.Call(func=ast.Attribute(attr="replace" | "rename"), args=[_], keywords=[]):
                yield node.lineno, "Path.replace"  # that of a text has two arguments


def uneven(code: str) -> dict[int, str]:
    """Return what differs between systems, by the line that names it."""
    return {line: name for line, name in named(ast.parse(code)) if UNEVEN.fullmatch(name)}


@pytest.mark.parametrize(
    "code",
    [
        "import fcntl",
        "from os import O_NOFOLLOW",
        "from shlex import quote",
        "flags = os.O_NOFOLLOW",
        "os.pread(1, 2, 3)",
        "os.kill(pid, signal.SIGKILL)",
        "code == -signal.SIGKILL",
        "loop.add_signal_handler(2, print)",
        "if sys.platform == 'win32': pass",
        "subprocess.Popen([], pass_fds=[1])",
        "words = {'start_new_session': True}",
        "draft.replace(target)",
    ],
)
def test_a_platform_is_noticed(code: str) -> None:
    """Each of them is found, so that the next test finds it in the code."""
    assert uneven(code)


@pytest.mark.parametrize(
    "code", ["signal.SIGTERM", "signal.SIG_IGN", "text.replace('a', 'b')", "os.path.join(a, b)"]
)
def test_what_every_system_has_is_free(code: str) -> None:
    """The rule asks for no detour where none is needed."""
    assert not uneven(code)


def test_nothing_else_names_a_platform(project: Path) -> None:
    """Locks, positional reads, flags of open, signals, permissions: one package knows them."""
    found = {
        f"{path.relative_to(project)}:{line}": name
        for house in ("jobs", "batchsora")
        for path in (project / house).rglob("*.py")
        if PLACE not in path.as_posix()
        for line, name in uneven(path.read_text(encoding="utf-8")).items()
    }
    assert found == {}


def test_both_parts_have_all_of_it(project: Path) -> None:
    """What one system has, the other has under the same name, with the same parameters."""

    def contracts(part: str) -> dict[str, str]:
        tree = ast.parse((project / PLACE / part).read_text(encoding="utf-8"))
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        found = {node.name: ast.unparse(node.args) for node in functions}
        return {name: args for name, args in found.items() if not name.startswith("_")}

    assert contracts("posix.py") == contracts("windows.py")
    assert set(contracts("posix.py")) <= set(system.__all__)
