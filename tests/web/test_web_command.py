"""``batchsora web`` as its user starts it: a real process, a real port, Ctrl-C."""

import re
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
from support.shell import started

PASSWORD = "a-password-of-the-tests"
ANYWHERE = "0.0.0.0"  # noqa: S104 - what is tested


def address(process: subprocess.Popen[str]) -> str:
    """Read where it listens."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://\S+?(?=/)", line):
            return found[0]
    raise AssertionError("it said no address")


def test_it_serves_until_ctrl_c(tmp_path: Path) -> None:
    """In an empty folder it makes the database, serves the empty list, and ends with 130 or 0."""
    with started(tmp_path, "--port", "0") as process:
        url = address(process)
        page = httpx.get(url)
        assert "No batch yet" in page.text
        with httpx.stream("GET", f"{url}/events") as events:
            assert next(events.iter_lines()) == "event: changed"
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=30)
        assert process.returncode in (0, 130), said
        assert "Traceback" not in said
    assert (tmp_path / "batchsora.db").stat().st_mode & 0o777 == 0o600


def test_beyond_this_machine_it_asks_for_a_password(tmp_path: Path) -> None:
    """Without one, or with a short one, it does not even listen; with one it names TLS."""
    with started(tmp_path, "--host", ANYWHERE, "--port", "0") as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "BATCHSORA_WEB_PASSWORD" in said
    short = {"BATCHSORA_WEB_PASSWORD": "short"}
    with started(tmp_path, "--host", ANYWHERE, "--port", "0", **short) as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "12 characters" in said
        assert "'short'" not in said
    long = {"BATCHSORA_WEB_PASSWORD": PASSWORD}
    with started(tmp_path, "--host", ANYWHERE, "--port", "0", **long) as process:
        url = address(process)
        assert httpx.get(url, headers={"Accept": "*/*"}).status_code == 401
        assert process.stdout is not None
        assert "TLS" in process.stdout.readline()


def test_a_password_may_lie_in_a_file(tmp_path: Path) -> None:
    """One that can't be read is named."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    words = ("--port", "0", "--password-file", "password")
    with started(tmp_path, *words) as process:
        url = address(process)
        assert httpx.get(url).status_code == 401
        known = {"Authorization": f"Bearer {PASSWORD}"}
        assert httpx.get(url, headers=known).status_code == 200
    (tmp_path / "password").write_bytes(b"\xff\xfe\xff")
    with started(tmp_path, *words) as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "can't be read" in said


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(tmp_path, "--port", port) as process:
            said, _ = process.communicate(timeout=60)
            assert process.returncode == 2
            assert port in said
            assert "--port" in said


def test_without_its_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """A module that is missing is no traceback."""
    (tmp_path / "starlette.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'starlette'\", name='starlette')\n"
    )
    with started(tmp_path, "--port", "0", PYTHONPATH=str(tmp_path)) as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "pip install 'batchsora[web]'" in " ".join(said.split())


@pytest.mark.parametrize("name", ["videos.example", "VIDEOS.example"])
def test_a_further_name_is_taken(tmp_path: Path, name: str) -> None:
    """As a proxy in front sends it."""
    with started(tmp_path, "--port", "0", "--allow-host", name) as process:
        url = address(process)
        assert httpx.get(url, headers={"Host": "videos.example"}).status_code == 200
        assert httpx.get(url, headers={"Host": "other.example"}).status_code == 421
