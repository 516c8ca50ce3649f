"""The composition root: settings become a provider, a store, a clock; nothing is global."""

import asyncio
import logging
import os
import random
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from batchsora.composition.ownership import Endpoint
from batchsora.providers.registry import open_provider
from batchsora.settings import (
    TOKEN_VARIABLE,
    Settings,
    SettingsError,
    find_token,
    is_here,
    origin_of,
)
from jobs.model.clock import Clock, SystemClock
from jobs.model.money import Micros
from jobs.model.provider import Provider
from jobs.ports.seen import BatchStatus
from jobs.runtime.run_context import nothing

log = logging.getLogger(__name__)


class StopSignal:
    """Stops a run from another thread, like Ctrl-C in a terminal: first gently, then at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pull: Callable[[], object] | None = None
        self._times = 0

    def __call__(self) -> None:
        """Stop, also before the run has begun."""
        with self._lock:
            self._times += 1
            if self._pull is not None:
                self._pull()

    def bind(self, pull: Callable[[], object] | None) -> None:
        """Set what stops the run; None when it is over."""
        with self._lock:
            self._pull = pull
            if pull is not None:
                for _ in range(self._times):
                    pull()


@dataclass(frozen=True, slots=True)
class RunDependencies:
    """Time, chance and what tests and programs observe.

    Attributes:
        checkpoint: called at every named point where a crash must lose nothing.
        quiet: show no progress.
        observer: called with the batches of a run whenever they have changed.
        switch: stops a run that is not in a terminal.
        sandbox: opens the sandbox of a rehearsal; None: one in which nothing goes wrong.
    """

    clock: Clock = field(default_factory=SystemClock)
    chance: random.Random = field(default_factory=random.SystemRandom)
    checkpoint: Callable[[str], None] = nothing
    quiet: bool = False
    observer: Callable[[Sequence[BatchStatus]], None] | None = None
    switch: StopSignal = field(default_factory=StopSignal)
    sandbox: Callable[[Path], AbstractContextManager[Endpoint]] | None = None


def endpoint(
    settings: Settings, deps: RunDependencies | None = None
) -> AbstractContextManager[Endpoint]:
    """Return the API or a temporary sandbox; raise a SettingsError if there is no token."""
    if settings.sandbox and deps is not None and deps.sandbox is not None:
        return deps.sandbox(settings.database)
    if settings.sandbox:
        from batchsora.composition.sandbox_session import sandbox  # noqa: PLC0415 - 60 ms for rehearsals alone

        return sandbox(settings.database)
    token = find_token(settings, os.environ)
    if token is None:
        raise SettingsError(no_token(settings))
    return nullcontext(api_endpoint(settings.base_url, token.value))


def no_token(settings: Settings) -> str:
    """Return the message about a missing token."""
    if settings.strange:
        return (
            f"no token for {settings.origin}: this address comes from a batchsora.toml that was "
            "only found in the working folder, so no other token is sent there. If the address is "
            f"right, 'batchsora --base-url {settings.base_url} login' stores a token for it, or "
            "give it with --base-url or --config"
        )
    return (
        "no token, so nothing was bought. 'batchsora login' stores one; or "
        f"set the environment variable {TOKEN_VARIABLE}, or use --token-file. 'batchsora run … "
        "--sandbox' needs none"
    )


def api_endpoint(base_url: str, token: str) -> Endpoint:
    """Return the endpoint of an API; files of a local one may come from this machine.

    A token that would travel unencrypted beyond this machine causes a warning, and is not kept
    back: there may be a tunnel (docs/decisions/0021).
    """
    if urlsplit(base_url).scheme != "https" and not is_here(base_url):
        log.warning(
            "%s is not encrypted: others on the network can read the token and spend with "
            "it. Use the https:// address if there is one (--base-url)",
            origin_of(base_url),
        )
    return Endpoint(base_url, token, origin_of(base_url), private_files=is_here(base_url))


T = TypeVar("T")
TIMEOUT = 30.0
"""Seconds for one question that a person waits for."""


def ask(
    place: Endpoint, question: Callable[[Provider], Awaitable[T]], timeout: float = TIMEOUT
) -> T:
    """Open a client, ask, close it; raise a ProviderError if the API does not answer."""

    async def main() -> T:
        async with open_provider(place.token, place.base_url, timeout) as provider:
            return await question(provider)

    return asyncio.run(main())


def read_balance(place: Endpoint, timeout: float = TIMEOUT) -> Micros:
    """Read the account's balance."""
    return ask(place, lambda provider: provider.balance(), timeout)
