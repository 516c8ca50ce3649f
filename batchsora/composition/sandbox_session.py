"""The sandbox: for one command, or by itself until stopped."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from batchsora.composition.callbacks import webhook_secret
from batchsora.composition.ownership import SANDBOX_ORIGIN, Endpoint
from batchsora.sandbox.account import JournalError
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer, serve
from batchsora.sandbox.world import World
from batchsora.settings import SettingsError
from jobs.model.money import to_micros

SANDBOX_TIME_SCALE = 200.0
"""A rehearsal's 5 to 15 minutes take 1.5 to 4.5 seconds."""

SANDBOX_TOKEN = "sandbox"  # noqa: S105 - opens nothing but the rehearsal on this machine


@contextmanager
def sandbox(
    database: Path,
    failures: Mapping[str, str] = MappingProxyType({}),
    contested: frozenset[str] = frozenset(),
) -> Iterator[Endpoint]:
    """Serve a sandbox with a journal beside the database.

    Args:
        failures: why a prompt's first video fails.
        contested: prompts whose first answer is lost, while another client buys the same.
    """
    journal = database.with_name(f"{database.name}.world")
    scripted: dict[str, list[str | None]] = {prompt: [why] for prompt, why in failures.items()}
    world = World(time_scale=SANDBOX_TIME_SCALE, failures=scripted, contested=contested)
    try:
        kept = SandboxServer(world, faults=Faults(), journal=journal)
    except JournalError as error:
        raise SettingsError(str(error)) from error
    with kept as server:
        yield Endpoint(server.url, SANDBOX_TOKEN, SANDBOX_ORIGIN, private_files=True)


def serve_sandbox(
    port: int,
    time_scale: float,
    balance: str,
    faults: str,
    seed: int,
    journal: Path | None,
    say: Callable[[str], None],
) -> None:
    """Serve the sandbox on loopback until stopped; raise a SettingsError if it can't start."""
    try:
        world = World(seed=seed, time_scale=time_scale, balance=to_micros(balance))
        wrong = Faults.parse(faults)
    except ValueError as error:
        raise SettingsError(str(error)) from error

    def ready(url: str) -> None:
        say(f"the sandbox listens on {url}; stop it with Ctrl-C")
        say(f"  RUNBLOB_API_KEY=anything batchsora --base-url {url} run prompts.csv --yes")

    try:
        serve(
            "127.0.0.1",
            port,
            world,
            faults=wrong,
            journal=journal,
            secret=webhook_secret(),
            on_ready=ready,
        )
    except JournalError as error:
        raise SettingsError(str(error)) from error
