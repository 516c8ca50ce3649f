"""A trivial raw client: how many requests a second the provider answers at most."""

import argparse
import asyncio
import time
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

CONNECTIONS = 32


class Asker(asyncio.Protocol):
    """Sends the same request again as soon as it was answered."""

    def __init__(self, request: bytes, times: int) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._request, self._left = request, times
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Send the next, or end."""
        self._left -= 1
        if self._left:
            self._transport.write(self._request)
        else:
            self._transport.close()
            self.done.set_result(None)


async def main(url: str, path: str, document: str, requests: int) -> None:
    """Print the requests answered in a second."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    head = f"{'POST' if document else 'GET'} {path} HTTP/1.1\r\nHost: {host}\r\n"
    request = f"{head}Content-Length: {len(document)}\r\n\r\n{document}".encode()
    loop, each = asyncio.get_running_loop(), requests // CONNECTIONS
    began = time.perf_counter()
    askers = [
        (await loop.create_connection(lambda: Asker(request, each), host, port))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(asker.done for asker in askers))
    print(each * CONNECTIONS / (time.perf_counter() - began))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("path")
    parser.add_argument("--document", default="")
    parser.add_argument("--requests", type=int, default=20_000)
    asked = parser.parse_args()
    uvloop.run(main(asked.url, asked.path, asked.document, asked.requests))
