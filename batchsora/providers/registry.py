"""The providers that videos can be bought of: one entry each, and the one place that opens them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batchsora.providers.model import Model, families
from batchsora.providers.runblob import catalog
from jobs.model.families import FIRST_MODEL, Family, Kind, kinds_of
from jobs.model.money import Micros
from jobs.model.provider import GenerationRequest, Provider

if TYPE_CHECKING:
    from batchsora.providers.runblob.client import RunBlobClient


@dataclass(frozen=True, slots=True)
class Entry:
    """A provider.

    Attributes:
        name: the beginning of a kind's key (:attr:`jobs.model.families.Kind.key`).
        models: by name.
        opened: opens it, from the token, the API's address, and the seconds a call may take.
    """

    name: str
    models: Mapping[str, Model]
    opened: Callable[[str, str, float], AbstractAsyncContextManager[Provider]]


def runblob_client(token: str, base_url: str, timeout: float) -> "RunBlobClient":
    """Make a client of RunBlob; the caller opens and closes it."""
    from batchsora.providers.runblob.client import RunBlobClient  # noqa: PLC0415 - HTTP: only who asks pays

    return RunBlobClient(token, base_url=base_url, timeout=timeout)


@asynccontextmanager
async def _runblob(token: str, base_url: str, seconds: float) -> AsyncIterator[Provider]:
    from batchsora.providers.runblob.adapter import RunBlobProvider  # noqa: PLC0415 - as above

    async with runblob_client(token, base_url, seconds) as client:
        yield RunBlobProvider(client)


RUNBLOB: Final = Entry("runblob", catalog.MODELS, _runblob)
PROVIDERS: Final[Mapping[str, Entry]] = {one.name: one for one in (RUNBLOB,)}

MODELS: Final[Mapping[str, Model]] = {
    name: model for one in PROVIDERS.values() for name, model in one.models.items()
}
FAMILIES: Final[Mapping[str, Family]] = families(MODELS)
DEFAULT_MODEL: Final = MODELS[FIRST_MODEL]
ANNOUNCED: Final[Mapping[str, Micros]] = {
    kind.key: model.prices[kind.variant].micros
    for model in MODELS.values()
    for kind in model.kinds
    if kind.variant in model.prices
}
"""The prices that are known before anything is bought, in micros, by the keys of kinds."""


def kind_of(request: GenerationRequest) -> Kind:
    """Return the kind of a request."""
    return MODELS[request.model].kind_of(request)


def kinds_made_by(name: str) -> str:
    """Return how the keys of all kinds of a model or a family begin, by its name.

    Raises:
        KeyError: there is none of that name.
    """
    if (family := FAMILIES.get(name)) is not None:
        return kinds_of(family.provider, family.name)
    model = MODELS[name]
    return Kind(model.provider, model.family, name, "").key


def open_provider(
    token: str, base_url: str, timeout: float, name: str = RUNBLOB.name
) -> AbstractAsyncContextManager[Provider]:
    """Open a provider for an account; the context closes its connections.

    Args:
        timeout: seconds a call may take.

    Raises:
        ValueError: the token or the address is not valid.
    """
    return PROVIDERS[name].opened(token, base_url, timeout)
