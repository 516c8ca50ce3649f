"""Rules about the project as a whole, which no single module can keep alone."""

import importlib
import json
import re
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.blank import blank

from jobs.model.provider import GenerationRequest
from jobs.model.spec import JobSpec
from jobs.ports.control import Terms
from jobs.store import Store

HOUSES = ("batchsora", "jobs")
LONGEST = 400
HEAVY = (
    "sqlmodel",
    "sqlalchemy",
    "alembic",
    "httpx",
    "aiohttp",
    "pydantic",
    "yaml",
    "tqdm",
    "rich",
    "keyring",
)

# Folders of somebody's own machine, and addresses of package registries: neither helps a reader.
UNWANTED = re.compile(
    r"""(?<![\w.])/(?:home|root|Users|work)/ | (?<![\w.])/tmp/[a-z]+\d/
      | hosted\.org/ | /simple/?["'\s] | index-url[ =]+.?http | registry\.[a-z]+js
      | ^(?:<{7}|>{7})[ ]""",
    re.VERBOSE,
)


@pytest.fixture(scope="module")
def files(project: Path) -> list[Path]:
    """List what is, or would be, in the repository, as paths relative to it."""
    git = shutil.which("git")
    if git is None or not (project / ".git").exists():
        pytest.skip("not a git checkout")
    # safe.directory: in a container the checkout often belongs to somebody else
    command = [git, "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    names = [Path(name) for name in listed.stdout.split("\0") if name]
    return [name for name in names if (project / name).is_file()]


def test_imports_point_downward(project: Path) -> None:
    """The contracts in pyproject.toml hold: the engine is independent, no house has a circle."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("house", HOUSES)
def test_no_module_is_too_long_to_be_seen_whole(house: str, project: Path) -> None:
    """A module holds one decision; past 400 lines it holds several."""
    lengths = {
        str(module.relative_to(project)): len(module.read_text(encoding="utf-8").splitlines())
        for module in (project / house).rglob("*.py")
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str], project: Path) -> None:
    """``--help`` and ``--version`` don't pay for the database, HTTP, YAML or progress bars."""
    code = (
        "import json, sys\n"
        "from batchsora.cli import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "finally:\n"
        "    json.dump(sorted(sys.modules), sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert set(HEAVY) & set(json.loads(done.stderr)) == set()


ORM = {"sqlmodel", "sqlalchemy", "alembic", "pydantic", "httpx", "aiohttp", "yaml", "tqdm"}


@pytest.mark.parametrize(
    "command",
    [["status"], ["status", "--json"], ["jobs"], ["jobs", "--json"], ["show", "adhoc-1"]],
    ids=" ".join,
)
def test_looking_loads_no_orm(command: list[str], project: Path, tmp_path: Path) -> None:
    """``status``, ``jobs`` and ``show`` ask in plain SQL: a person waits for each of them."""
    database = tmp_path / "jobs.db"
    blank(database)
    request = GenerationRequest("a cat", "9:16", 10)
    spec = JobSpec("adhoc-1", key_from_content=False, row=1, request=request)
    with Store(database) as store:
        store.loading.add(
            "adhoc", ["prompt"], lambda _: None, lambda _: (spec, "10s"), Terms(), datetime.now(UTC)
        )
    modules = tmp_path / "modules.json"
    code = (
        "import json, pathlib, sys\n"
        "from batchsora.cli import main\n"
        "try:\n"
        f"    main({['--db', str(database), *command]!r})\n"
        "finally:\n"
        f"    pathlib.Path({str(modules)!r}).write_text(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "adhoc" in done.stdout
    assert ORM & set(json.loads(modules.read_text())) == set()


ASKING = re.compile(r"sqlalchemy|jobs\.store\.(?!same_file)|jobs\.(?:tables|columns)\b")


def test_the_application_asks_the_store_by_its_ports(project: Path) -> None:
    """It neither writes SQL nor passes a function that takes a connection."""
    asking = {
        str(module.relative_to(project))
        for module in (project / "batchsora").rglob("*.py")
        for line in module.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(?:from|import) ", line)
        and (
            ASKING.search(line)
            or ("from jobs.store import" in line and not line.endswith(" Store"))
        )
    }
    assert asking == set()


def test_no_file_names_somebodys_machine_or_a_registry(project: Path, files: list[Path]) -> None:
    """Nothing depends on, or gives away, where it was written or where packages came from.

    Marks that a merge left are found, too.
    """
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in files
        if b"\0" not in (content := (project / name).read_bytes())
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1)
        if UNWANTED.search(line)
    ]
    assert found == []


def test_nothing_made_at_run_time_is_in_the_repository(files: list[Path]) -> None:
    """Databases, videos, logs and foreign locks stay out of version control."""
    made = {".db", ".sqlite", ".sqlite3", ".mp4", ".log"}
    assert [str(n) for n in files if n.suffix in made or n.name == "uv.lock"] == []


@pytest.mark.parametrize(
    ("line", "unwanted"),
    [
        ("see /" + "home/me/notes", True),
        ("cd /" + "work/main", True),
        ("--extra-index" + "-url https://example.com", True),
        (">" * 7 + " a branch", True),
        ("https://example.com/home/page", False),
        ("./work/list.csv", False),
    ],
)
def test_the_search_finds_what_it_looks_for(line: str, unwanted: bool) -> None:  # noqa: FBT001 - a table's column
    """The pattern above knows a machine's path from an address or a relative path."""
    assert bool(UNWANTED.search(line)) is unwanted


@pytest.mark.parametrize(
    ("family", "host"),
    [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")],
    ids=["IPv4", "IPv6"],
)
def test_tests_can_not_leave_this_machine(family: socket.AddressFamily, host: str) -> None:
    """A connection to anything but loopback is refused before a packet leaves (conftest.py)."""
    with socket.socket(family) as attempt:
        attempt.setblocking(False)
        with pytest.raises(RuntimeError, match=host):
            attempt.connect((host, 9))


def test_the_benchmarks_import_what_is_there(project: Path) -> None:
    """Their scripts are texts that no linter reads, and nobody runs them every day."""
    pattern = re.compile(
        r"^ *from ((?:jobs|batchsora|support)[\w.]*) import (\([^)]*\)|.+)$", re.MULTILINE
    )
    found = [
        (module, name.partition(" as ")[0].strip())
        for path in sorted((project / "benchmarks").rglob("*.py"))
        for module, names in pattern.findall(path.read_text(encoding="utf-8"))
        for name in names.partition("#")[0].strip("() \n").split(",")
        if name.strip()
    ]
    assert len(found) > 30
    missing = []
    for module, name in found:
        try:
            importlib.import_module(f"{module}.{name}")
        except ModuleNotFoundError:
            if not hasattr(importlib.import_module(module), name):
                missing.append((module, name))
    assert missing == []
