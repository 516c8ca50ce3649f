"""The peers from PyPI, pinned with hashes, in an environment of their own beside ``.venv``."""

import hashlib
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Peers:
    """An environment that is made when it is missing or the pins changed.

    Args:
        name: of the file of pins in ``requirements``, and of the environment.
    """

    def __init__(self, name: str = "benchmarks") -> None:
        self._folder = ROOT / f".venv-{name}"
        self._pins = ROOT / "requirements" / f"{name}.txt"
        self.python = self._folder / "bin" / "python"
        self._pip = [str(self.python), "-m", "pip", "--disable-pip-version-check"]

    def install(self) -> str | None:
        """Make the environment; returns why that failed, or None."""
        wanted = hashlib.sha256(self._pins.read_bytes()).hexdigest()
        stamp = self._folder / "installed"
        if stamp.exists() and stamp.read_text() == wanted:
            return None
        print("installing the peers, once", flush=True)
        venv.create(self._folder, clear=True, with_pip=True)
        (self._folder / ".gitignore").write_text("*\n")
        install = [*self._pip, "install", "-qq", "--require-hashes", "-r", str(self._pins)]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        stamp.write_text(wanted)
        return None

    def version(self, name: str) -> str:
        """Say which version of a package is installed."""
        ask = f"import importlib.metadata as m; print(m.version({name!r}))"
        said = subprocess.run(
            [self.python, "-c", ask], capture_output=True, text=True, check=True
        )  # fmt: skip
        return said.stdout.strip()
