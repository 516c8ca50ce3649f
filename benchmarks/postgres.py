"""A PostgreSQL of a benchmark's own: in a temporary folder, on a socket, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

INSTALLED = Path("/usr/lib/postgresql")
USER = "postgres"


def binaries() -> Path | None:
    """Find the newest one that is installed."""
    found = sorted(INSTALLED.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """A server with its default settings, which are durable: a context manager.

    Args:
        folder: of the programs.
        core: where it runs: that of the contestants, to which it belongs.
    """

    def __init__(self, folder: Path, core: int) -> None:
        self._folder = folder
        self._core = core
        self._home = Path(tempfile.mkdtemp(prefix="pg-"))
        self._made = 0

    def __enter__(self) -> Self:
        if os.geteuid() == 0:  # it refuses to run as root
            shutil.chown(self._home, USER, USER)
        self._run("initdb", "-D", f"{self._home}/data", "-U", USER, "--auth=trust")
        options = f"-k {self._home} -c listen_addresses= -c max_connections=300"
        self._run("pg_ctl", "-D", f"{self._home}/data", "-l", f"{self._home}/log", "-w",
                  "-o", options, "start")  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", f"{self._home}/data", "-m", "immediate", "stop")
        shutil.rmtree(self._home)

    def database(self) -> str:
        """Make a new database; gives its address."""
        self._made += 1
        name = f"bench{self._made}"
        self._run("createdb", "-h", str(self._home), "-U", USER, name)
        return f"postgresql://{USER}@/{name}?host={self._home}"

    def cpu(self) -> float:
        """Count the CPU seconds of all its processes so far."""
        leader = int((self._home / "data" / "postmaster.pid").read_text().split()[0])
        ticks = sum(_ticks(leader))
        for folder in Path("/proc").glob("[0-9]*"):
            fields = _stat(folder)
            if fields and int(fields[1]) == leader:
                ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def _run(self, program: str, *words: str) -> None:
        user = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
        command = ["taskset", "-c", str(self._core), *user, str(self._folder / program), *words]
        # a file, no pipe: the server inherits it, and a pipe would never end
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(command, cwd="/", stdout=said, stderr=said, check=False)
            if done.returncode != 0:
                said.seek(0)
                raise RuntimeError(f"{program}: {said.read()}")


def _ticks(pid: int) -> tuple[int, ...]:
    """Read what a process and its ended children have used."""
    return tuple(map(int, _stat(Path(f"/proc/{pid}"))[11:15]))


def _stat(folder: Path) -> list[str]:
    """Read the fields of a process after its name; none when it has ended."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
