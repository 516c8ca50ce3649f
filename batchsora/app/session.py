"""The composition root: settings become a provider, a store, a clock; nothing is global."""

import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer, serve
from batchsora.sandbox.world import World
from batchsora.settings import (
    TOKEN_VARIABLE,
    Settings,
    SettingsError,
    origin_of,
    read_token,
)
from jobs.clock import Clock, SystemClock
from jobs.context import nothing
from jobs.money import to_micros
from jobs.runner import Owner
from jobs.store.views import BatchStatus

SANDBOX_TIME_SCALE = 200.0
"""A rehearsal's 5 to 15 minutes take 1.5 to 4.5 seconds."""

SANDBOX_TOKEN = "sandbox"  # noqa: S105 - opens nothing but the rehearsal on this machine


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to buy, and with what.

    Attributes:
        base_url: of the API.
        token: sent to that origin alone; kept out of every repr.
        origin: what the database is bound to.
        private_files: whether files may come from loopback and private addresses.
    """

    base_url: str
    token: str = field(repr=False)
    origin: str = ""
    private_files: bool = False

    @property
    def owner(self) -> Owner:
        """Say whose generations these are."""
        return Owner(self.origin, self.token)


Observer = Callable[[Sequence[BatchStatus]], None]


class Switch:
    """Stops a run from another thread, as Ctrl-C does in a terminal: first gently, then at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pull: Callable[[], object] | None = None
        self._times = 0

    def __call__(self) -> None:
        """Stop; before the run has begun as well."""
        with self._lock:
            self._times += 1
            if self._pull is not None:
                self._pull()

    def bind(self, pull: Callable[[], object] | None) -> None:
        """Say what stops the run; None when it is over."""
        with self._lock:
            self._pull = pull
            if pull is not None:
                for _ in range(self._times):
                    pull()


@dataclass(frozen=True, slots=True)
class Hooks:
    """What tests put in place of time, chance and nothing.

    Attributes:
        checkpoint: called at every named point where a crash must lose nothing.
        quiet: show no progress.
        observer: told where the batches of a run stand, whenever that has changed.
        switch: stops a run that is in no terminal.
    """

    clock: Clock = field(default_factory=SystemClock)
    chance: random.Random = field(default_factory=random.SystemRandom)
    checkpoint: Callable[[str], None] = nothing
    quiet: bool = False
    observer: Observer | None = None
    switch: Switch = field(default_factory=Switch)


def endpoint(settings: Settings) -> AbstractContextManager[Endpoint]:
    """Find where to buy: the API, or a sandbox that lives as long as the context.

    Raises:
        SettingsError: there is no token.
    """
    if settings.sandbox:
        return _sandbox(settings.database)
    token = read_token(settings, os.environ)
    if token is None:
        raise SettingsError(no_token(settings))
    return nullcontext(api_endpoint(settings.base_url, token))


def no_token(settings: Settings) -> str:
    """Say that there is no token, and what to do."""
    if settings.strange:
        return (
            f"no token for {settings.origin}: this address stands in a batchsora.toml that lay in "
            "the working folder and that nobody named, so that no other token is sent there. If it "
            f"is right, 'batchsora --base-url {settings.base_url} login' keeps a token for it, or "
            "name it yourself, with --base-url or --config"
        )
    return (
        "no token: 'batchsora login' keeps one in the system keyring; or put it in the environment "
        f"variable {TOKEN_VARIABLE}, or in a file that --token-file names. Nothing was bought; "
        "'batchsora run … --sandbox' rehearses without one"
    )


def api_endpoint(base_url: str, token: str) -> Endpoint:
    """Describe an API; files of a local one may come from this machine."""
    local = urlsplit(base_url).hostname in ("localhost", "127.0.0.1", "::1")
    return Endpoint(base_url, token, origin_of(base_url), private_files=local)


@contextmanager
def _sandbox(database: Path) -> Iterator[Endpoint]:
    journal = database.with_name(f"{database.name}.world")
    world = World(time_scale=SANDBOX_TIME_SCALE)
    with SandboxServer(world, faults=Faults(), journal=journal) as server:
        yield Endpoint(server.url, SANDBOX_TOKEN, "sandbox", private_files=True)


def serve_sandbox(
    port: int,
    time_scale: float,
    balance: str,
    faults: str,
    seed: int,
    journal: Path | None,
    say: Callable[[str], None],
) -> None:
    """Serve the sandbox on loopback until stopped.

    Raises:
        SettingsError: the balance or the faults can't be read.
    """
    try:
        world = World(seed=seed, time_scale=time_scale, balance=to_micros(balance))
        wrong = Faults.parse(faults)
    except ValueError as error:
        raise SettingsError(str(error)) from error

    def ready(url: str) -> None:
        say(f"the sandbox listens on {url}; stop it with Ctrl-C")
        say(f"  RUNBLOB_API_KEY=anything batchsora --base-url {url} run prompts.csv --yes")

    serve("127.0.0.1", port, world, faults=wrong, journal=journal, on_ready=ready)
