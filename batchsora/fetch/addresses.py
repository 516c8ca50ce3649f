"""Which addresses a file may be fetched from, and connections to these alone.

A name that is looked up twice may lead to a public address when it is checked, and into the private
network when it is connected to. So the checked addresses travel with the request, as its extension
:data:`ADDRESSES`, and :class:`CheckedResolver` gives the connection no others.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

ADDRESSES: Final = "batchsora.addresses"
"""The extension of a request that lists the addresses it may connect to."""

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""From a host's name to its addresses; none when it has none."""

_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""An IPv4 address as the translators of networks without IPv4 show it."""

_checked: ContextVar[Sequence[str] | None] = ContextVar("_checked", default=None)


async def system_addresses(host: str) -> Sequence[str]:
    """Ask the system for a host's addresses."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: a label that is empty or too long
        # behind a proxy names may be unknown here
        return ()
    return [str(entry[4][0]) for entry in found]


async def public_addresses(url: httpx.URL, resolve: Resolve) -> Sequence[str] | None:
    """Find a URL's addresses; None if one of them is not public."""
    try:
        found: Sequence[str] = [str(ipaddress.ip_address(url.host))]
    except ValueError:
        found = await resolve(url.host)
    return found if all(map(public, found)) else None


def public(address: str) -> bool:
    """Check whether an address is public, however it is written."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return found.is_global and not found.is_multicast
    inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
    if found in _TRANSLATED:
        inner = ipaddress.IPv4Address(found.packed[-4:])
    if inner:
        return public(str(inner))
    return found.is_global and found in _GLOBAL_UNICAST


@contextmanager
def only(addresses: Sequence[str] | None) -> Iterator[None]:
    """Resolve names to these addresses alone; None looks them up."""
    token = _checked.set(addresses)
    try:
        yield
    finally:
        _checked.reset(token)


class CheckedResolver(AbstractResolver):
    """A resolver that does not look up again what was already checked."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the checked addresses, or look the name up.

        Raises:
            OSError: the name has no address.
        """
        addresses = _checked.get()
        if addresses is None:
            return await self._inner.resolve(host, port, family)
        if not addresses:
            raise OSError(None, "the name has no address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=_NUMERIC,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
