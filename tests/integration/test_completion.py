"""Completion in the shell: batches and jobs, quick, harmless, and silent when it can't."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from support.shell import Shell

from batchsora.cli import COMMANDS, group
from batchsora.cli.common import Cli
from batchsora.cli.picking import MOST
from jobs.database import schema

HEAVY = {"sqlmodel", "sqlalchemy", "alembic", "httpx", "aiohttp", "pydantic", "yaml", "rich"}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def database(path: str, batches: dict[str, list[str]], removed: tuple[str, ...] = ()) -> None:
    """Make a database with batches and the keys of their jobs."""
    schema.upgrade(Path(path))
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    with closing(sqlite3.connect(path)) as connection, connection:
        for number, (name, keys) in enumerate(batches.items(), 1):
            connection.execute(
                "INSERT INTO batch (id, name, columns, active, paused, created_at, removed_at)"
                " VALUES (?, ?, '[]', 0, 0, ?, ?)",
                (number, name, now, now if name in removed else None),
            )
            connection.executemany(
                "INSERT INTO job (batch_id, key, key_from_content, row, fingerprint, kind, prompt,"
                " orientation, duration, priority, in_manifest, cells, state, attempts, retries,"
                " charged_micros, created_at)"
                " VALUES (?, ?, 0, 1, 'f', 'k', 'p', '9:16', 10, 0, 1, '{}', 'queued', 0, 0, 0, ?)",
                [(number, key, now) for key in keys],
            )


def completed(*arguments: str) -> list[str]:
    """Complete the last of these words, as click does for a shell."""
    completion = ShellComplete(group, {"obj": Cli()}, "batchsora", "_BATCHSORA_COMPLETE")
    found = completion.get_completions(list(arguments[:-1]), arguments[-1])
    return [item.value for item in found if item.type == "plain"]


@pytest.mark.parametrize(
    "command",
    ["jobs", "status", "export", "download", "resolve", "run", "show", "wait", "retry", "cancel"],
)
def test_names_of_batches_are_completed(command: str) -> None:
    """By what was typed so far; removed ones are in no list."""
    database("batchsora.db", {"night": [], "noon": [], "gone": []}, removed=("gone",))
    assert completed(command, "--batch", "") == ["night", "noon"]
    assert completed(command, "--batch", "ni") == ["night"]
    assert completed(command, "--batch", "x") == []


@pytest.mark.parametrize("command", ["pause", "resume", "rm"])
def test_arguments_that_are_batches_are_completed(command: str) -> None:
    """As the option of that name."""
    database("batchsora.db", {"night": [], "noon": []})
    assert completed(command, "n") == ["night", "noon"]


@pytest.mark.parametrize("command", ["show", "wait", "retry", "cancel", "download", "resolve"])
def test_keys_of_jobs_are_completed(command: str) -> None:
    """Of all batches that are not removed, or of the one that is on the line."""
    batches = {"night": ["a-1", "a-2", "b"], "noon": ["a-2", "c"], "gone": ["a-9"]}
    database("batchsora.db", batches, removed=("gone",))
    assert completed(command, "") == ["a-1", "a-2", "b", "c"]
    assert completed(command, "a") == ["a-1", "a-2"]
    assert completed(command, "--batch", "noon", "") == ["a-2", "c"]


def test_no_more_than_fifty_are_offered() -> None:
    """A screen full; typing more makes it fewer."""
    database("batchsora.db", {"night": [f"row-{number:04}" for number in range(3000)]})
    assert completed("show", "") == [f"row-{number:04}" for number in range(MOST)]
    assert completed("show", "row-29") == [f"row-29{number:02}" for number in range(50)]


def test_only_what_a_shell_takes_as_one_word_is_offered() -> None:
    """The shell puts an answer on the line as it is: none may be run, split or hidden there."""
    hostile = [
        "$(touch x)", "`id`", "a b", "a;b", "a|b", "a&b", "-rf", "#1", "~root", "a\nb", "a\x1bb",
        "a'b", 'a"b', "*", "a<b", "a\u202eb", "", "a!b", "{a,b}",
    ]  # fmt: skip
    fine = ["id#2", "größe", "猫", "a.b_c-d", "v1:2", "100%"]
    database("batchsora.db", {"night": [*hostile, *fine]})
    assert sorted(completed("show", "")) == sorted(fine)


def test_the_database_is_found_as_a_command_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flag before the name or after it, environment, configuration, default."""
    for name in ("batchsora", "flag", "environment", "file"):
        database(f"{name}.db", {name: []})
    assert completed("status", "--batch", "") == ["batchsora"]
    Path("batchsora.toml").write_text('db = "file.db"\n')
    assert completed("status", "--batch", "") == ["file"]
    monkeypatch.setenv("BATCHSORA_DB", "environment.db")
    assert completed("status", "--batch", "") == ["environment"]
    assert completed("status", "--db", "flag.db", "--batch", "") == ["flag"]
    assert completed("--db", "flag.db", "status", "--batch", "") == ["flag"]


def nothing() -> None:
    """Choose a file."""


def text() -> None:
    Path("batchsora.db").write_text("no database" * 500)


def folder() -> None:
    Path("batchsora.db").mkdir()


def foreign() -> None:
    with closing(sqlite3.connect("batchsora.db")) as connection:
        connection.execute("CREATE TABLE batch (x)")


def broken_configuration() -> None:
    Path("batchsora.toml").write_text("nonsense\n")


def bad_path() -> None:
    Path("batchsora.toml").write_text('db = "postgres://x"\n')


@pytest.mark.parametrize(
    "prepare", [nothing, text, folder, foreign, broken_configuration, bad_path]
)
def test_what_can_not_be_read_is_passed_over(
    prepare: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """No answer, no word, no file."""
    prepare()
    before = sorted(os.listdir())  # noqa: PTH208 - names
    assert completed("show", "") == []
    assert completed("status", "--batch", "") == []
    assert sorted(os.listdir()) == before  # noqa: PTH208 - names
    assert capfd.readouterr() == ("", "")


def test_a_run_is_not_disturbed() -> None:
    """In the middle of somebody's transaction the last committed state is offered."""
    database("batchsora.db", {"night": ["a"]})
    with closing(sqlite3.connect("batchsora.db", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE batch SET name = 'other'")
        assert completed("status", "--batch", "") == ["night"]
        writer.execute("ROLLBACK")
    assert completed("status", "--batch", "") == ["night"]
    assert sorted(os.listdir()) == ["batchsora.db"]  # noqa: PTH208 - names


def ask_the_program(shell: str, words: str) -> list[str]:
    """Do what a shell's script does: start the program with the line in its environment."""
    code = (
        "import json, sys\n"
        "from batchsora.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    json.dump(sorted(sys.modules), sys.stderr)\n"
    )
    environment = {
        **os.environ,
        "_BATCHSORA_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": "" if shell == "fish" else str(len(words.split())),
    }
    if shell == "fish":
        environment["COMP_CWORD"] = ""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(re.findall(r'"(\w+)"', done.stderr))
    assert "sqlite3" in loaded
    assert loaded & HEAVY == set()
    return done.stdout.split("\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_program_answers_without_loading_anything_heavy(shell: str) -> None:
    """The whole way, as each shell asks."""
    database("batchsora.db", {"night": ["a-1", "a-2"]})
    answer = " ".join(ask_the_program(shell, "batchsora show"))
    assert "a-1" in answer
    assert "a-2" in answer


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    """It asks the program by its own name."""
    said = Shell(capfd)("completion", shell)
    assert said.code == 0
    assert f"_BATCHSORA_COMPLETE={shell}_complete" in said.out
    assert Shell(capfd)("completion", "tcsh").code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_itself_completes_with_it(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The script is sourced, its function called, and the answer is what was asked for."""
    database("batchsora.db", {"night": ["kite-1", "kite-2"], "noon": []})
    program = tmp_path / "bin" / "batchsora"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m batchsora "$@"\n')
    program.chmod(0o755)
    script = Shell(capfd)("completion", "bash").out
    script += (
        'COMP_WORDS=(batchsora show kite-); COMP_CWORD=2; COMP_LINE="batchsora show kite-"\n'
        "_batchsora_completion batchsora\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script],  # noqa: S607 - whichever there is
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["kite-1", "kite-2"]
    assert done.stderr == ""


def test_commands_themselves_are_completed() -> None:
    """What is there is offered."""
    assert completed("") == list(COMMANDS)
    assert completed("comp") == ["completion"]
    assert "--batch" in completed("jobs", "--b")
