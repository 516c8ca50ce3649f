"""What is built and installed: the wheel's contents, the light package root, the sibling guard."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import batchsora

SHADOW = "raise SystemExit('the shadowing module was imported')\n"


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel for real, without a network, as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=project,
        check=True,
        capture_output=True,
    )
    (built,) = folder.iterdir()
    return built


def python(
    *arguments: str, cwd: Path, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the interpreter in a folder, with one more entry on its path."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_the_two_houses_and_nothing_else(wheel: Path) -> None:
    """Installing batchsora puts exactly batchsora and jobs beside other packages."""
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    assert top == {"batchsora", "jobs", f"batchsora-{batchsora.__version__}.dist-info"}


def test_the_wheel_is_complete(wheel: Path, project: Path) -> None:
    """Every module, migration and sample of the checkout is in the wheel, with its type markers."""
    names = set(zipfile.ZipFile(wheel).namelist())
    homes = {
        "batchsora": "batchsora",
        "jobs": "jobs",
        "migrations": "jobs/_migrations",
        "sample_manifests": "batchsora/_samples",
    }
    expected = {
        f"{home}/{file.relative_to(project / folder).as_posix()}"
        for folder, home in homes.items()
        for file in (project / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert expected - names == set()
    assert {"batchsora/py.typed", "jobs/py.typed", "jobs/_migrations/env.py"} <= names
    assert any(name.startswith("jobs/_migrations/versions/") for name in names)
    assert any(name.startswith("batchsora/_samples/") for name in names)


def test_the_wheel_carries_no_tests_and_no_databases(wheel: Path) -> None:
    """Neither tests nor anything made at run time is shipped."""
    names = zipfile.ZipFile(wheel).namelist()
    made = {".db", ".log", ".mp4", ".lock", ".pyc"}
    tests = re.compile(r"(^|/)(tests?/|test_|conftest)")
    assert [name for name in names if Path(name).suffix in made or tests.search(name)] == []


def test_the_packages_hold_code_and_no_stray_files(wheel: Path) -> None:
    """Among the modules lie only type markers and what the page and the migrations need."""
    meant = {".py", ".typed", ".mako", ".html", ".css", ".js", ".svg", ".LICENSE"}
    stray = [
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if Path(name).suffix not in meant
        and not name.startswith("batchsora/_samples/")
        and name not in ("jobs/_migrations/shapes.json", "jobs/_migrations/newest.sql")
        and not re.fullmatch(r"batchsora/providers/\w+/catalog/[\w.]+\.toml", name)
        and ".dist-info/" not in name
    ]
    assert stray == []


def test_the_wheel_says_how_to_start_it(wheel: Path, project: Path) -> None:
    """The metadata name the command, the licence and the Python that it needs."""
    archive = zipfile.ZipFile(wheel)
    info = f"batchsora-{batchsora.__version__}.dist-info"
    metadata = archive.read(f"{info}/METADATA").decode()
    wanted = tomllib.loads((project / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f"\nRequires-Python: {wanted}\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
    assert f"{info}/licenses/LICENSE" in archive.namelist()
    assert "batchsora = batchsora.cli:main" in archive.read(f"{info}/entry_points.txt").decode()


@pytest.mark.parametrize("how", ["checkout", "zipped wheel", "installed wheel"])
def test_the_package_finds_its_own_engine(
    how: str, project: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The guard lets batchsora start from a checkout, out of a zip, and where it is installed."""
    place = project
    if how != "checkout":
        place = request.getfixturevalue("wheel")
    if how == "installed wheel":
        zipfile.ZipFile(place).extractall(tmp_path / "site")
        place = tmp_path / "site"
    done = python("-c", "import batchsora; print(batchsora.__file__)", cwd=tmp_path, path=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(place / "batchsora"))


@pytest.mark.parametrize("shadow", ["jobs.py", "jobs/__init__.py"])
@pytest.mark.parametrize("how", ["-m", "-c"])
def test_a_shadowing_jobs_module_is_refused(
    how: str, shadow: str, project: Path, tmp_path: Path
) -> None:
    """A user's own ``jobs`` in the working folder stops the start, before any of it is run."""
    intruder = tmp_path / shadow
    intruder.parent.mkdir(exist_ok=True)
    intruder.write_text(SHADOW)
    what = ["-m", "batchsora", "--help"] if how == "-m" else ["-c", "import batchsora"]
    done = python(*what, cwd=tmp_path, path=project)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert str(intruder) in last
    assert "rename" in last
    assert "shadowing module was imported" not in done.stdout + done.stderr


def test_a_folder_without_code_shadows_nothing(project: Path, tmp_path: Path) -> None:
    """A plain folder of the name ``jobs`` in the working folder is no engine and does no harm."""
    (tmp_path / "jobs").mkdir()
    done = python("-c", "import batchsora, jobs.model.states", cwd=tmp_path, path=project)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("leftover", ["module without a spec", "no engine at all"])
def test_a_missing_engine_is_named(leftover: str, project: Path, tmp_path: Path) -> None:
    """Without any engine the refusal says so, instead of failing somewhere deep inside."""
    shutil.copytree(project / "batchsora", tmp_path / "batchsora")
    arrange = "import sys, types; sys.modules['jobs'] = types.ModuleType('jobs')"
    if leftover == "no engine at all":
        # -S: no site-packages, so that no installed copy lends its engine
        arrange = "import sys"
    done = python("-S", "-c", f"{arrange}; import batchsora", cwd=tmp_path)
    assert done.returncode != 0
    assert "leads to nothing" in done.stderr


def test_the_public_names_are_these() -> None:
    """What ``from batchsora import …`` offers changes on purpose only, and all of it exists."""
    assert batchsora.__all__ == [
        "BadTokenError",
        "Batch",
        "DownloadError",
        "GenerationCreated",
        "GenerationFailedError",
        "GenerationInfo",
        "ImageError",
        "InDoubtError",
        "InsufficientCreditsError",
        "JobResult",
        "NotFoundError",
        "RateLimitedError",
        "RunBlobClient",
        "RunBlobError",
        "RunReport",
        "ServerError",
        "SoraAPI",
        "SoraClient",
        "StillRunningError",
        "SyncRunBlobClient",
        "UnreachableError",
        "ValidationError",
        "WrongAddressError",
        "__version__",
    ]
    for name in batchsora.__all__:
        assert getattr(batchsora, name) is not None
    assert set(batchsora.__all__) <= set(dir(batchsora))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The lazy names don't turn a typing error into something else."""
    with pytest.raises(AttributeError, match="RunBlobKlient"):
        _ = batchsora.RunBlobKlient  # type: ignore[attr-defined]


def test_importing_the_package_is_cheap(project: Path, tmp_path: Path) -> None:
    """The package root loads no third party, and not even the engine."""
    code = (
        "import sys; before = set(sys.modules); import batchsora;"
        "print(sorted({n.partition('.')[0] for n in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names)))"
    )
    done = python("-S", "-c", code, cwd=tmp_path, path=project)
    assert done.stdout.strip() == "['batchsora']", done.stderr


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ('case "$2" in *version_info*) exit 1;; esac', "needs Python 3.11 or newer"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "python3-venv"),
    ],
    ids=["too old", "without venv"],
)
def test_make_explains_an_unfit_python(
    answers: str, says: str, project: Path, tmp_path: Path
) -> None:
    """On a machine whose Python can't make the environment, make names the remedy and stops."""
    for name in ("Makefile", "pyproject.toml", "requirements/dev.txt", "requirements/user.txt"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(project / name, target)
    unfit = tmp_path / "unfit-python"
    unfit.write_text(f"#!/bin/sh\n{answers}\n")
    unfit.chmod(0o755)
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, "test", f"PYTHON={unfit}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert says in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_lock_pins_every_requirement(project: Path) -> None:
    """The lock pins, with hashes, whatever pyproject.toml asks for, and names no index."""
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    groups = settings["dependency-groups"]
    asked = [*settings["project"]["dependencies"], *groups["build"], *groups["dev"][1:]]
    assert groups["dev"][0] == {"include-group": "build"}
    lock = (project / "requirements" / "dev.txt").read_text()
    missing = [name for name in (a.partition(">")[0] for a in asked) if f"\n{name}==" not in lock]
    assert missing == []
    pins = [line for line in lock.splitlines() if "==" in line]
    assert all(pin.endswith("\\") for pin in pins), "every pin goes on to its hashes"
    assert "://" not in lock


def test_no_user_gets_the_witnesses(project: Path) -> None:
    """Others' clients are for a benchmark alone, pinned with hashes in a file of their own."""
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    names = {name.partition(">")[0] for name in settings["dependency-groups"]["witnesses"]}
    lock = (project / "requirements" / "witnesses.txt").read_text()
    pinned = {line.partition("==")[0] for line in lock.splitlines() if "==" in line}
    assert names <= pinned
    assert "://" not in lock
    users = (project / "requirements" / "user.txt").read_text()
    assert [name for name in sorted(names) if f"\n{name}==" in users] == []
