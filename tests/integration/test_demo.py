"""The demo as somebody types it: what it shows, and that each command that it prints works."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.stopping import CTRL_C, REACHABLE

HERE = Path(sys.executable).parent
pytestmark = pytest.mark.posix  # commands are typed into a POSIX shell

PROJECT = Path(__file__).resolve().parents[2]


def run(line: str, folder: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    """Type a line into a shell."""
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the demo in a folder like a checkout's; return the folder and what was said."""
    folder = tmp_path_factory.mktemp("a checkout")
    (folder / ".venv" / "bin").mkdir(parents=True)
    program = folder / ".venv" / "bin" / "batchsora"
    program.symlink_to(HERE / "batchsora")
    shutil.copytree(PROJECT / "sample_manifests", folder / "sample_manifests")
    done = run(".venv/bin/batchsora demo --folder demo sample_manifests/campaign.csv", folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


def commands(said: str) -> list[str]:
    return [line for line in said.splitlines() if re.match(r"\S*batchsora ", line)]


def test_it_shows_what_can_go_wrong(shown: tuple[Path, str]) -> None:
    """One row failed and one is unconfirmed, each with what to do about it; the page is named."""
    folder, said = shown
    assert "failed, on purpose: spring-02. The provider refuses its prompt" in said
    assert "unconfirmed, on purpose: autumn-03. The answer to its purchase was lost" in said
    assert len(list((folder / "demo" / "videos").rglob("*.mp4"))) == 11
    assert commands(said)[-1] == ".venv/bin/batchsora --db demo/demo.db web --sandbox"
    assert said.count("batchsora ") == len(commands(said))


def test_each_command_works_as_typed(shown: tuple[Path, str], tmp_path: Path) -> None:
    """From the folder where the demo was started, in the order in which they stand."""
    folder = tmp_path / "copy"
    shutil.copytree(shown[0], folder, symlinks=True)
    *lines, page = commands(shown[1])
    assert [line.split()[3] for line in lines] == [
        *("status", "show", "retry", "show", "resolve", "run"),
    ]
    said = [run(line, folder) for line in lines]
    assert [done.returncode for done in said] == [0] * len(said), said
    assert "content policy" in said[1].stdout
    assert said[3].stdout.count("could be") == 2
    assert len(list((folder / "demo" / "videos").rglob("*.mp4"))) == 13
    assert not (folder / "sandbox-videos").exists()
    status = run(lines[0].replace("status", "status --json"), folder)
    (batch,) = json.loads(status.stdout)["batches"]
    assert batch["jobs"]["completed"] == batch["jobs"]["total"] == 13
    process = subprocess.Popen(
        [*page.split(), "--no-browser"], cwd=folder, stderr=subprocess.PIPE, text=True, **REACHABLE
    )
    assert process.stderr is not None
    with process.stderr as said_by_page:
        assert "the page is served" in said_by_page.readline()
        process.send_signal(CTRL_C)
        said_by_page.read()
    assert process.wait(60) == 130


def test_it_is_named_as_the_shell_finds_it(tmp_path: Path) -> None:
    """By its name alone where that is enough; by the interpreter without a script."""
    sheet = tmp_path / "one.csv"
    sheet.write_text("id,prompt\na,a kite\n")
    done = run("batchsora demo one.csv --json", tmp_path, str(HERE))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["commands"] == [
        "batchsora --db demo/demo.db status --sandbox",
        "batchsora --db demo/demo.db web --sandbox",
    ]
    assert (document["failed"], document["unconfirmed"]) == ([], [])
    again = run(f"{sys.executable} -m batchsora demo one.csv --folder 'my demo' --json", tmp_path)
    first = json.loads(again.stdout)["commands"][0]
    assert first == f"{sys.executable} -m batchsora --db 'my demo/demo.db' status --sandbox"
    assert run(first, tmp_path).returncode == 0
