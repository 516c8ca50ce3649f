"""What the project promises of its own tests: a hang fails by itself, and says where it hung."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HANGS = """
import threading

def test_that_waits_forever():
    threading.Event().wait()

def test_after_it():
    pass
"""

INTERRUPTED = """
import os, signal, pytest

def test_ctrl_c_arrives():
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
"""


def pytest_on(test: Path, project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a test file under the project's own configuration, with SIGINT ignored as in a job."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-c",
            project / "pyproject.toml",
            "--rootdir",
            project,
            "--confcutdir",
            project,
            *words,
            test,
        ],
        cwd=project,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )


@pytest.mark.posix  # it ignores a signal from the start
def test_a_test_that_hangs_fails_with_its_stack_and_the_next_one_runs(
    tmp_path: Path, project: Path
) -> None:
    """The limit of pyproject.toml is long; here it is a second."""
    test = tmp_path / "test_hangs.py"
    test.write_text(HANGS)
    done = pytest_on(test, project, "--timeout", "1")
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "threading.Event().wait()" in done.stdout
    assert "Timeout (>1.0s)" in done.stdout


def test_each_test_has_a_limit(project: Path) -> None:
    """It stands in the configuration, so that nobody has to think of it."""
    with (project / "pyproject.toml").open("rb") as file:
        options = tomllib.load(file)["tool"]["pytest"]["ini_options"]
    assert 0 < options["timeout"] <= 600


@pytest.mark.posix  # it ignores a signal from the start
def test_ctrl_c_reaches_tests_that_a_shell_started_in_the_background(
    tmp_path: Path, project: Path
) -> None:
    """A shell ignores SIGINT for its jobs; what waits for it would wait forever."""
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "conftest.py").write_text((project / "tests" / "conftest.py").read_text())
    test = folder / "test_interrupted.py"
    test.write_text(INTERRUPTED)
    done = pytest_on(test, project, "--timeout", "20")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
