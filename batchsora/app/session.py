"""The composition root: settings become a provider, a store, a clock; nothing is global."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer, serve
from batchsora.sandbox.world import World
from batchsora.settings import Settings, SettingsError, read_token
from jobs.clock import Clock, SystemClock
from jobs.context import nothing
from jobs.money import to_micros
from jobs.runner import Owner

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


@dataclass(frozen=True, slots=True)
class Hooks:
    """What tests put in place of time, chance and nothing.

    Attributes:
        checkpoint: called at every named point where a crash must lose nothing.
    """

    clock: Clock = field(default_factory=SystemClock)
    chance: random.Random = field(default_factory=random.SystemRandom)
    checkpoint: Callable[[str], None] = nothing


def endpoint(settings: Settings) -> AbstractContextManager[Endpoint]:
    """Find where to buy: the API, or a sandbox that lives as long as the context.

    Raises:
        SettingsError: there is no token.
    """
    if settings.sandbox:
        return _sandbox(settings.database)
    token = read_token(settings, os.environ)
    if token is None:
        raise SettingsError(
            "no token: put it in the environment variable RUNBLOB_API_KEY, or in a file that "
            "--token-file names; 'batchsora run … --sandbox' rehearses without one"
        )
    return nullcontext(api_endpoint(settings.base_url, token))


def api_endpoint(base_url: str, token: str) -> Endpoint:
    """Describe an API; files of a local one may come from this machine."""
    parts = urlsplit(base_url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return Endpoint(base_url, token, f"{parts.scheme}://{parts.netloc}", private_files=local)


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
