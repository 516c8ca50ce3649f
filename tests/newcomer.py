"""Plays a marketing person's first minutes: from a clean environment to a filled workbook.

``make newcomer``. They have a workbook of forty ideas, a token, and a terminal of 80 columns in
which they type what README says, in this order: install, plan, rehearse, log in, run, export. The
account is the sandbox's, over real HTTP; the rehearsal makes one of its own. It fails when more
than ``MOST_COMMANDS`` are needed, when all takes longer than ``MOST_SECONDS``, or when the
workbook in the end has not a file and a price beside each idea.
"""

import argparse
import os
import pty
import select
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from openpyxl import Workbook, load_workbook

sys.path.insert(0, str(Path(__file__).parent))

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

MOST_COMMANDS = 6
MOST_SECONDS = 180.0

PROJECT = Path(__file__).resolve().parent.parent
TOKEN = "rb-newcomer-0123456789"
IDEAS = 40
PRICE = Decimal("0.12")


def write_ideas(path: Path) -> None:
    """Write the workbook as such people have it: a title, own columns, a comment here and there."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Ideas"
    sheet.append(["Nr", "Product", "Prompt", "Format", "Comment"])
    for number in range(1, IDEAS + 1):
        sheet.append(
            [
                number,
                ("Kite", "Tram", "Teapot", "Lamp")[number % 4],
                f"Take {number}: a paper kite over the harbour, slow dolly shot",
                ("9:16", "16:9")[number % 2],
                "for Anna" if number % 7 == 0 else None,
            ]
        )
    book.save(path)


def type_command(
    command: Sequence[str | Path],
    cwd: Path,
    environment: Mapping[str, str],
    answers: Sequence[tuple[str, str]] = (),
) -> str:
    """Run a command in a terminal, answer its questions, and return what the screen got.

    Args:
        command: program and arguments.
        cwd: the folder in which it is typed.
        environment: all of its environment.
        answers: what is waited for on the screen, and what is typed then.

    Raises:
        SystemExit: it failed; with what it had printed.
    """
    print("$", shlex.join(str(part) for part in command), flush=True)
    person, terminal = pty.openpty()
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=terminal, stdout=terminal, stderr=terminal,
        start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    screen = ""
    waiting = list(answers)
    while time.monotonic() - started < MOST_SECONDS:
        if not select.select([person], [], [], 0.2)[0]:
            continue
        try:
            more = os.read(person, 65536)
        except OSError:  # the other end is closed
            break
        screen += more.decode("utf-8", "replace")
        if waiting and waiting[0][0] in screen:
            os.write(person, f"{waiting.pop(0)[1]}\n".encode())
    else:
        process.kill()
    status = process.wait()
    os.close(person)
    print(f"  {time.monotonic() - started:.1f} s", flush=True)
    if status or waiting:
        missing = f"never asked: {waiting[0][0]}\n" if waiting else ""
        raise SystemExit(f"{screen}\n{missing}exit status {status}")
    return screen


def play(folder: Path, api: str) -> tuple[int, Path]:
    """Type all commands.

    Returns:
        How many they were, and the workbook that came out.
    """
    home = folder / "home"
    work = home / "videos of spring"
    work.mkdir(parents=True)
    write_ideas(work / "ideas.xlsx")
    venv.create(folder / "env", with_pip=True)
    program = folder / "env" / "bin" / "batchsora"
    environment = {
        name: os.environ[name] for name in os.environ if name.startswith("PIP_") or name == "PATH"
    } | {
        "HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8", "COLUMNS": "80",
        "BATCHSORA_BASE_URL": api,  # a person's is the provider's own, which needs no setting
    }  # fmt: skip
    typed: list[tuple[Sequence[str | Path], Path, Sequence[tuple[str, str]]]] = [
        ([folder / "env/bin/pip", "install", "--quiet", ".[all]"], PROJECT, ()),
        ([program, "plan", "ideas.xlsx"], work, ()),
        ([program, "run", "ideas.xlsx", "--sandbox"], work, ()),
        ([program, "login"], work, [("Token for", TOKEN)]),
        ([program, "run", "ideas.xlsx", "--budget", "6"], work, ()),
        ([program, "export", "-o", "done.xlsx"], work, ()),
    ]
    for command, cwd, answers in typed:
        type_command(command, cwd, environment, answers)
    return len(typed), work / "done.xlsx"


def filled(path: Path) -> list[str]:
    """Return what is missing in the workbook; nothing when it is as it should be."""
    sheet = load_workbook(path, read_only=False)["Ideas"]
    header, *rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert header[:5] == ["Nr", "Product", "Prompt", "Format", "Comment"], header
    problems = [f"{IDEAS} ideas, {len(rows)} rows"] if len(rows) != IDEAS else []
    for row in rows:
        of = dict(zip(header, row, strict=True))
        if of["status"] != "completed" or Decimal(str(of["price"])) != PRICE:
            problems.append(f"Nr {of['Nr']}: {of['status']}, price {of['price']}")
        elif not (path.parent / str(of["file"])).stat().st_size:
            problems.append(f"Nr {of['Nr']}: an empty file")
    return problems


def main() -> None:
    """Play it, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="newcomer-") as folder,
        SandboxServer(World(time_scale=200)) as sandbox,
    ):
        commands, book = play(Path(folder), sandbox.url)
        problems = filled(book)
    seconds = time.monotonic() - started
    print(f"{commands} commands, {seconds:.0f} s")
    if commands > MOST_COMMANDS or seconds > MOST_SECONDS:
        problems.append(f"at most {MOST_COMMANDS} commands and {MOST_SECONDS:.0f} s are promised")
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()
