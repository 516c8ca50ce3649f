"""The provider as fast as Python can be: no framework, every answer put together from bytes.

It is started in the peers' environment, on a core of its own, and prints its address. Generations
are finished a fixed time after they were accepted. Beside the paths of Sora it has those of Kling,
which is what the official SDK knows. ``GET /counts`` tells what was asked of it.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from datetime import UTC, datetime
from email.utils import formatdate
from typing import cast
from urllib.parse import parse_qs, urlsplit

import httptools
import uvloop

NOTHING = b'{"detail":"Not Found"}'


class World:
    """What was made, in its order.

    Args:
        seconds: from acceptance to completion.

    Attributes:
        counts: requests by kind.
        first: when the first generation was asked for, on the system's monotonic clock.
    """

    def __init__(self, seconds: float) -> None:
        self.counts: Counter[str] = Counter()
        self.first: float | None = None
        self._seconds = seconds
        self._made: list[tuple[bytes, bytes, float]] = []
        self._places: dict[bytes, int] = {}

    def make(self, body: bytes) -> bytes:
        """Charge one generation."""
        now = time.monotonic()
        if self.first is None:
            self.first = now
        number = len(self._made)
        name = b"%08x-0000-4000-8000-000000000000" % number
        prompt = json.dumps(json.loads(body)["prompt"]).encode()
        created = datetime.now(UTC).replace(tzinfo=None).isoformat().encode()
        head = b'{"generation_id":"%s","prompt":%s,"created_at":"%s",' % (name, prompt, created)
        self._places[name] = number
        self._made.append((head, name, now + self._seconds))
        return b'{"generation_id":"%s","status":"pending","price":"0.1200"}' % name

    def find(self, name: bytes) -> bytes | None:
        """Show one generation."""
        number = self._places.get(name)
        return None if number is None else self._view(number, time.monotonic())

    def page(self, limit: int, offset: int) -> bytes:
        """Show a page of the list, newest first."""
        now, end = time.monotonic(), len(self._made) - offset
        numbers = range(end - 1, max(end - limit, 0) - 1, -1)
        return b"[" + b",".join(self._view(number, now) for number in numbers) + b"]"

    def told(self) -> bytes:
        """Tell the counts."""
        return json.dumps({**self.counts, "first": self.first}).encode()

    def _view(self, number: int, now: float) -> bytes:
        head, name, done_at = self._made[number]
        if now < done_at:
            percent = int(100 - 100 * (done_at - now) / self._seconds)
            return (
                b'%s"status":"processing","progress_pct":%d,"progress_pos_in_queue":null,'
                b'"video_url":null,"completed_at":null,"error_message":null}' % (head, percent)
            )
        return (
            b'%s"status":"completed","progress_pct":null,"progress_pos_in_queue":null,'
            b'"video_url":"http://127.0.0.1/videos/%s.mp4",'
            b'"completed_at":"2026-01-05T00:00:00","error_message":null}' % (head, name)
        )


class Connection(asyncio.Protocol):
    """One connection, kept alive; the methods are those that asyncio and httptools call."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._body = self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._body = self._url = b""

    def on_url(self, url: bytes) -> None:
        """Read the path."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """Read some of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        body = self._post() if self._parser.get_method() == b"POST" else self._get()
        status = b"404 Not Found" if body is None else b"200 OK"
        body = NOTHING if body is None else body
        self._transport.write(
            b"HTTP/1.1 %s\r\nDate: %s\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (status, _date(), len(body), body)
        )

    def _post(self) -> bytes | None:
        if not self._url.endswith(b"/generate"):
            return None
        self._world.counts["post"] += 1
        return self._world.make(self._body)

    def _get(self) -> bytes | None:
        world = self._world
        if self._url == b"/counts":
            return world.told()
        if self._url == b"/v1/data/balance":
            world.counts["balance"] += 1
            return b'{"balance":"1000000.00"}'
        address = urlsplit(self._url)
        if address.path.endswith(b"/generations"):
            world.counts["list"] += 1
            asked = parse_qs(address.query)
            return world.page(int(asked[b"limit"][0]), int(asked[b"offset"][0]))
        world.counts["status"] += 1
        return world.find(address.path.rstrip(b"/").rpartition(b"/")[2])


_dates: dict[int, bytes] = {}


def _date() -> bytes:
    """Write the time as HTTP does, once a second."""
    now = int(time.time())
    if now not in _dates:
        _dates.clear()
        _dates[now] = formatdate(now, usegmt=True).encode()
    return _dates[now]


async def serve(seconds: float) -> None:
    """Serve until killed."""
    world = World(seconds)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(world), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.5)
    uvloop.run(serve(parser.parse_args().seconds))
