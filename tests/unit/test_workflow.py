"""The workflow for three systems names what is there, as nobody runs it here."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def jobs(project: Path) -> Any:
    return yaml.safe_load((project / ".github/workflows/tests.yml").read_text("utf-8"))["jobs"]


def test_three_systems_are_named(jobs: Any) -> None:
    """Linux by all that CI runs; macOS and Windows by the same commands."""
    named = jobs["others"]["strategy"]["matrix"]["system"]
    assert {jobs["linux"]["runs-on"], *named} == {
        "ubuntu-latest", "macos-latest", "windows-latest"
    }  # fmt: skip
    assert jobs["others"]["runs-on"] == "${{ matrix.system }}"
    # in PowerShell, which Windows would take, @tests/… is a variable
    assert jobs["others"]["defaults"]["run"]["shell"] == "bash"


def test_its_files_are_there(jobs: Any, project: Path) -> None:
    """Every path of a command, and every test that the list names."""
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    words = [word.lstrip("@") for command in commands for word in shlex.split(command)]
    paths = [word for word in words if re.match(r"[\w.]+/\w", word)]
    assert {".ci/run", "tests/like_windows/tests.txt"} <= set(paths)
    listed = (project / "tests/like_windows/tests.txt").read_text("utf-8").split()
    assert {path for path in [*paths, *listed] if not (project / path).exists()} == set()
    assert listed == sorted(set(listed))


def test_ci_checks_the_types_of_each_system(project: Path) -> None:
    """What a system lacks shows there first."""
    run = (project / ".ci/run").read_text("utf-8")
    assert "for platform in linux darwin win32" in run
    assert "make like-windows" in run
