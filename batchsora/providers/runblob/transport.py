"""HTTP for every client: ``httpx`` in front, ``aiohttp`` below.

The package ``httpx-aiohttp`` joins the two (docs/performance.md says why). Its exceptions mislead:
a connection that drops after the request was read raises ``httpx.ConnectTimeout``, and some
failures are not translated at all. Here every failure is an ``httpx.TransportError``:

========================  ======================================================================
``httpx.ConnectError``    no connection was made: refused, unknown name, TLS, the proxy said no
``httpx.ConnectTimeout``  … in time
``httpx.ReadTimeout``     silence after that
``httpx.ReadError``       anything else: dropped, reset, truncated, not HTTP
========================  ======================================================================

Whether a POST has left is *not* read from these:
:class:`batchsora.providers.runblob.body.OnceBody` knows it.
"""

import base64
import os
import ssl
import urllib.request
from collections.abc import AsyncIterator, Mapping
from functools import cache
from urllib.parse import unquote, urlsplit

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport

from batchsora._version import __version__
from batchsora.fetch.addresses import ADDRESSES, CheckedResolver, only
from batchsora.settings import SettingsError

USER_AGENT = f"batchsora/{__version__}"

KEEP_ALIVE = 1.5
"""Seconds for which an idle connection is used again: less than servers keep theirs open (2 s and
more), because a POST on a connection that is just being closed ends in doubt."""

_BROKEN = (
    aiohttp.ClientError,
    HttpProcessingError,
    httpx.TransportError,
    OSError,
    EOFError,
    ValueError,
)
_CONNECTING = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError)
_PROXY_SCHEMES = ("http", "https")


def _system_certificates() -> ssl.SSLContext:
    """Load the trusted certificates; raise a SettingsError if they can't be used."""
    try:
        return _loaded(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    except OSError as error:  # an SSLError as well
        raise SettingsError(
            "the certificates that SSL_CERT_FILE or SSL_CERT_DIR name can't be used "
            f"({error.strerror or error}); name others, or unset it"
        ) from error


@cache
def _loaded(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Load certificates once for all clients of a process: it takes longer than a request."""
    del file, folder  # httpx reads them from the environment
    return httpx.create_ssl_context()


class Transport(httpx.AsyncBaseTransport):
    """One pool of connections without a limit: how much is in flight is the scheduler's decision.

    Nothing is opened before the first request.

    Args:
        ssl_context: whom to trust; None: as ``httpx`` does, with ``SSL_CERT_FILE`` and
            ``SSL_CERT_DIR``.
        resolver: of names; None: the system's.
        proxies: by scheme, ``all``, and ``no`` for the exceptions; None: the environment's.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        self._ssl = _system_certificates() if ssl_context is None else ssl_context
        self._given_resolver = resolver
        self._resolver: CheckedResolver | None = None
        self._proxies = dict(
            urllib.request.getproxies_environment() if proxies is None else proxies
        )
        self._session: aiohttp.ClientSession | None = None
        self._ways: dict[str | None, AiohttpTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; without a proxy only to the addresses that it names.

        Raises:
            httpx.TransportError: see the module; without the original exception, which knows the
                request's headers and the token in them.
        """
        try:
            way = self._way(request)
            # a proxy looks the names up itself, and its own name is none of the request's business
            with only(request.extensions.get(ADDRESSES) if way.proxy is None else None):
                response = await way.handle_async_request(request)
        except _BROKEN as error:
            failure = _translated(error)
        else:
            response.stream = _Stream(response.stream)
            return response
        raise failure

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
        if self._resolver is not None:
            await self._resolver.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._resolver = CheckedResolver(self._given_resolver or aiohttp.DefaultResolver())
            connector = aiohttp.TCPConnector(
                limit=0, ssl=self._ssl, resolver=self._resolver, keepalive_timeout=KEEP_ALIVE
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                # its own reading of the environment would look into .netrc, and refuse our token
                trust_env=False,
            )
        return self._session

    def _way(self, request: httpx.Request) -> AiohttpTransport:
        """Choose between the direct way and a proxy."""
        address = self._proxy_for(request.url)
        proxy: httpx.Proxy | None = None
        if address is not None:
            parts = urlsplit(address)
            if parts.scheme not in _PROXY_SCHEMES or not parts.hostname:
                raise httpx.ConnectError(f"a proxy of the kind {parts.scheme!r} can't be used")
            authorization = _basic(parts.username, parts.password)
            if authorization and request.url.scheme == "http":
                request.headers["Proxy-Authorization"] = authorization
            plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
            headers = {"Proxy-Authorization": authorization} if authorization else {}
            proxy = httpx.Proxy(plain, headers=headers)
        if address not in self._ways:
            self._ways[address] = AiohttpTransport(verify=self._ssl, proxy=proxy, client=self._open)
        return self._ways[address]

    def _proxy_for(self, url: httpx.URL) -> str | None:
        found = self._proxies.get(url.scheme) or self._proxies.get("all")
        if not found:
            return None
        host = url.host if url.port is None else f"{url.host}:{url.port}"
        # typeshed does not list this function, which is the rule of NO_PROXY for given settings
        if urllib.request.proxy_bypass_environment(host, self._proxies):  # type: ignore[attr-defined]
            return None
        return found if "://" in found else f"http://{found}"


class _Stream(httpx.AsyncByteStream):
    """A body whose failures are translated too."""

    def __init__(self, inner: httpx.AsyncByteStream | httpx.SyncByteStream) -> None:
        if not isinstance(inner, httpx.AsyncByteStream):
            raise TypeError("an asynchronous transport gave a synchronous body")
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                yield chunk
        except _BROKEN as error:
            failure = _translated(error)
        else:
            return
        raise failure

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        except _BROKEN as error:
            failure = _translated(error)
        else:
            return
        raise failure


def _translated(error: Exception) -> httpx.TransportError:
    """Return a failure in httpx's words, without the original exception."""
    original = error
    if isinstance(error, httpx.TransportError):
        if isinstance(error.__cause__, Exception):
            original = error.__cause__
        elif isinstance(error, httpx.ConnectError):
            return httpx.ConnectError(str(error))
    if isinstance(original, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout("no connection in time")
    if isinstance(original, TimeoutError | httpx.TimeoutException):
        return httpx.ReadTimeout("no answer in time")
    words = str(original) or type(original).__name__
    if isinstance(original, _CONNECTING):
        return httpx.ConnectError(words)
    return httpx.ReadError(words)


def _basic(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
