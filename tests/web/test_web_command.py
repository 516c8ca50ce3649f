"""``batchsora web`` as its user starts it: a real process, a real port, Ctrl-C."""

import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from support.shell import entrance, started
from support.site import enter
from support.stopping import CTRL_C

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.web import serve

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
        way_in = entrance(process)
        with httpx.Client(base_url=way_in.partition("/enter/")[0]) as http:
            enter(http, way_in)
            assert "No batches yet" in http.get("/").text
            with http.stream("GET", "/events") as events:
                assert next(events.iter_lines()) == "event: changed"
                process.send_signal(CTRL_C)
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
        assert "pip install '.[web]'" in " ".join(said.split())


@pytest.mark.parametrize("name", ["videos.example", "VIDEOS.example"])
def test_a_further_name_is_taken(tmp_path: Path, name: str) -> None:
    """As a proxy in front sends it: with a password, like all that comes from elsewhere."""
    words = ("--port", "0", "--allow-host", name)
    with started(tmp_path, *words) as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "BATCHSORA_WEB_PASSWORD" in said
    with started(tmp_path, *words, BATCHSORA_WEB_PASSWORD=PASSWORD) as process:
        url = address(process)
        known = {"Authorization": f"Bearer {PASSWORD}"}
        for host, status in (("videos.example", 200), ("other.example", 421)):
            assert httpx.get(url, headers={"Host": host, **known}).status_code == status
        assert httpx.get(url, headers={"Host": "videos.example"}).status_code == 401


def test_the_caps_of_a_run_without_flags_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the file where nothing is kept yet, from the environment at once: as 'run' does."""
    (tmp_path / "batchsora.toml").write_text("max-price = 0.15\n[run]\nday-budget = 20\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHSORA_RUN_MIN_BALANCE", "2.50")
    seen: list[Any] = []
    monkeypatch.setattr(serve, "serve", lambda *given: seen.append(given[1]))
    done = CliRunner().invoke(group, ["web"], obj=Cli(), standalone_mode=False)
    assert done.exception is None
    (terms,) = seen
    assert terms.standing.begin["max_price"] == 150_000
    assert terms.standing.begin["day"] == 20_000_000
    assert terms.standing.floor == 2_500_000
    assert terms.standing.batch is None


@pytest.mark.parametrize(
    ("host", "shown", "refused"),
    [
        ("localhost", "127.0.0.1", "localhost"),
        ("LocalHost", "127.0.0.1", "[::1]"),
        ("127.0.0.1", "127.0.0.1", "localhost"),
        ("0:0:0:0:0:0:0:1", "[::1]", "localhost"),
        ("::1", "[::1]", "127.0.0.1"),
    ],
)
def test_one_address_of_this_machine_is_shown_and_answers(
    tmp_path: Path, host: str, shown: str, refused: str
) -> None:
    """Browsers ask `[::1]` first for `localhost`: any other account may listen there."""
    with started(tmp_path, "--host", host, "--port", "0") as process:
        way_in = entrance(process)
        assert re.match(rf"http://{re.escape(shown)}:\d+/enter/", way_in)
        other = way_in.split("/")[2].replace(shown, refused)
        assert httpx.get(way_in, headers={"Host": other}).status_code == 421
        assert httpx.get(way_in).status_code == 200


@pytest.mark.parametrize(
    ("host", "shown"), [(ANYWHERE, "127.0.0.1"), ("::", "[::1]"), ("", "127.0.0.1")]
)
def test_where_all_can_reach_it_this_machine_has_one_address(
    tmp_path: Path, host: str, shown: str
) -> None:
    """The rest needs a name that was given: `localhost` too, which is a word for the owner."""
    words = ("--host", host, "--port", "0")
    with started(tmp_path, *words, BATCHSORA_WEB_PASSWORD=PASSWORD) as process:
        url = address(process)
        assert url.rpartition(":")[0] == f"http://{shown}"
        port = url.rpartition(":")[2]
        known = {"Authorization": f"Bearer {PASSWORD}"}
        assert httpx.get(url, headers=known).status_code == 200
        refused = httpx.get(url, headers={"Host": f"localhost:{port}", **known})
        assert refused.status_code == 421
