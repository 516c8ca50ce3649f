"""What every test stands on: nothing from the person's environment, nothing beyond this machine."""

import ipaddress
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Examples are judged by what they show, never by how long a busy machine takes for them.
settings.register_profile("batchsora", deadline=None)
settings.load_profile("batchsora")


def _stay_on_this_machine(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse connections to anything but loopback: a test never reaches the real provider."""
    if event != "socket.connect":
        return
    address = arguments[1]
    if not isinstance(address, tuple):  # a Unix socket's path
        return
    host = str(address[0])
    try:
        local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        raise RuntimeError(f"a test tried to connect to {host}; tests stay on this machine")


sys.addaudithook(_stay_on_this_machine)

MEMORY = Path("/dev/shm")  # noqa: S108 - what lies there is given out by pytest, as in /tmp
ROOM = 4 * 1024**3


FOLDERS = {"unit": "unit", "conformance": "unit", "simulation": "slow", "crash": "slow"}
"""The marks of the tests in a folder."""


def pytest_configure() -> None:
    """Prepare the process that runs tests.

    The tests' folders are kept where no disk is waited for, if there is room: databases are synced
    at each commit, and tests of many waited for that more than for all else. That it is synced, and
    when, ``tests/crash`` traces.

    A shell ignores SIGINT for what it starts in the background, and so would the tests and all that
    they start: who waits for a KeyboardInterrupt would wait forever.
    """
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, those that drive a browser, and those to be skipped."""
    tests = Path(__file__).parent
    windows = "msvcrt" in sys.modules  # or what stands for it (tests/like_windows)
    for item in items:
        folder = item.path.relative_to(tests).parts[0]
        if mark := FOLDERS.get(folder):
            item.add_marker(mark)
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        if windows and item.get_closest_marker("posix"):
            item.add_marker(pytest.mark.skip(reason="about what Windows lacks"))


@pytest.fixture(scope="session")
def project() -> Path:
    """Give the checkout's own folder."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the person's token, keyring, settings and proxies from tests and what they start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("BATCHSORA_", "RUNBLOB_")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        # in a folder of its own: the secret of the person's own databases is not read, nor made
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        yield
