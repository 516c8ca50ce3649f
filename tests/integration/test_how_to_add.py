"""What docs/architecture.md says of adding things works as it is written there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def lines(project: Path) -> dict[str, str]:
    """Give the code of the page, by the word that each block is marked with."""
    page = (project / "docs" / "architecture.md").read_text()
    return dict(re.findall(r"```text (\S+)\n(.*?)```", page, re.DOTALL))


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """Give a copy of the program that may be changed."""
    for house in ("batchsora", "jobs", "migrations"):
        shutil.copytree(
            project / house, tmp_path / house, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


@pytest.fixture
def run(copy: Path) -> Run:
    """Run the copy."""

    def ran(*words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, *words],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return ran


def insert(file: Path, line: str, end: str) -> None:
    """Write a line before the one that ends a table or a class."""
    text = file.read_text()
    assert text.count(end) == 1, f"{file}: {end!r}"
    file.write_text(text.replace(end, line + end))


def test_a_result_column_is_one_line(copy: Path, run: Run, lines: dict[str, str]) -> None:
    """Tables, JSON and the recognition of an earlier export have it."""
    end = ')\n"""The columns of an export after the manifest\'s own'
    insert(copy / "batchsora" / "result_columns.py", lines["result-column"], end)
    (copy / "m.csv").write_text("id,prompt\none,a red kite\n")
    run("-m", "batchsora", "run", "m.csv", "--sandbox", "--budget", "1", "--no-download")
    run("-m", "batchsora", "--db", "batchsora-sandbox.db", "export", "-o", "out.csv")
    header, row = (copy / "out.csv").read_text("utf-8-sig").splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["tries"] == "0"
    said = run("-m", "batchsora", "--db", "batchsora-sandbox.db", "jobs", "--json").stdout
    assert [job["tries"] for job in json.loads(said)] == [0]
    plan = json.loads(run("-m", "batchsora", "plan", "out.csv", "--json").stdout)
    assert "tries" not in plan["carried"]


def test_a_failure_code_is_one_row(copy: Path, run: Run, lines: dict[str, str]) -> None:
    """It is understood, and of the kind that was said."""
    home = "batchsora.providers.runblob.failures"
    ask = f"from {home} import failure_kind as k; print(k('flux capacitor'))"
    assert run("-c", ask).stdout.strip() == "unknown"
    end = ')\n"""``(kind, what the reason says)``'
    insert(copy / "batchsora" / "providers" / "runblob" / "failures.py", lines["failure-code"], end)
    assert run("-c", ask).stdout.strip() == "content"


def test_an_option_is_one_field(copy: Path, run: Run, lines: dict[str, str]) -> None:
    """It is a flag with a range, under its heading, and a key of the configuration."""
    file = copy / "batchsora" / "options.py"
    first = re.search(r"class RunOptions.*?\n(    [a-z_]+: )", file.read_text(), re.DOTALL)
    assert first is not None
    at = first.start(1)
    text = file.read_text()
    file.write_text(text[:at] + lines["option"] + text[at:])
    shown = run("-m", "batchsora", "run", "--help").stdout
    pace = shown.partition("Pace:")[2].partition("Files:")[0]
    assert "--most-failures" in pace
    said = run("-m", "batchsora", "run", "--most-failures", "10", code=2).stderr
    assert "--most-failures" in said
    (copy / "mine.toml").write_text("[run]\nmost-failures = 10\n")
    said = run("-m", "batchsora", "--config", "mine.toml", "run", "x.csv", code=2).stderr
    assert "mine.toml" in said
    assert "most-failures" in said


TOLD = """
from pathlib import Path
from batchsora.presentation.event_words import event_words
from jobs.store import Store
with Store(Path("batchsora-sandbox.db")) as store:
    print(event_words(store.events.since(0, 999)[-1]))
"""


def test_an_event_is_a_member_its_words_and_the_line_that_writes_it(
    copy: Path, run: Run, lines: dict[str, str]
) -> None:
    """A program that reads events has it, and its words."""
    insert(copy / "jobs" / "ports" / "events.py", lines["event"], '    WAITING = "waiting"\n')
    words = copy / "batchsora" / "presentation" / "event_words.py"
    insert(words, lines["event-words"], "    BatchFact.WAITING: ")
    steering = copy / "jobs" / "store" / "steering.py"
    insert(
        steering, lines["event-written"], "    voids.follow(connection)\n    return len(cancelled)"
    )
    text = steering.read_text()
    steering.write_text(
        text.replace("\nfrom ..model.", "\nfrom ..ports.events import BatchFact\nfrom ..model.", 1)
    )
    (copy / "m.csv").write_text("id,prompt\none,a red kite\n")
    run("-m", "batchsora", "run", "m.csv", "--sandbox", "--budget", "1", "--no-download")
    run("-m", "batchsora", "--db", "batchsora-sandbox.db", "rm", "m", "--yes")
    assert run("-c", TOLD).stdout.strip() == "a removed batch: removed"


def test_a_model_is_one_file(copy: Path, run: Run, lines: dict[str, str]) -> None:
    """It is listed, a row names it and is checked by it, the sandbox sells it, its prices come."""
    catalog = copy / "batchsora" / "providers" / "runblob" / "catalog"
    (catalog / "kling_9.toml").write_text(lines["model"])
    listed = json.loads(run("-m", "batchsora", "models", "kling_9", "--json").stdout)
    assert [(one["family"], one["durations"]) for one in listed] == [("kling", [5, 20])]
    table = "id,prompt,model,duration,seed\n{0}"
    (copy / "bad.csv").write_text(table.format("a,a red kite,kling_9,10,100\n"))
    said = run("-m", "batchsora", "plan", "bad.csv", code=2).stderr
    assert "Write 5 or 20 (seconds)" in said
    assert "a whole number from 0 to 99" in said
    (copy / "m.csv").write_text(
        table.format("a,a red kite,kling_9,20,7\nb,a red kite,kling_9,5,\nc,a red kite,,,\n")
    )
    run("-m", "batchsora", "run", "m.csv", "--sandbox", "--budget", "5", "--no-download", "--yes")
    ours = ("-m", "batchsora", "--db", "batchsora-sandbox.db")
    made = json.loads(run(*ours, "jobs", "--json").stdout)
    assert [(one["job"], one["model"], one["status"]) for one in made] == [
        ("a", "kling_9", "completed"),
        ("b", "kling_9", "completed"),
        ("c", "sora", "completed"),
    ]
    assert [one["generation_id"][:6] for one in made[:2]] == ["kling:"] * 2
    known = {one["kind"]: one["price"] for one in json.loads(run(*ours, "prices", "--json").stdout)}
    assert known["runblob/kling/kling_9/20"] == made[0]["price"] == "0.40"
    assert known["runblob/kling/kling_9/5"] == made[1]["price"]
