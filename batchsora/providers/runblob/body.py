"""The body of a ``generate``: JSON that is written at most once, and knows whether it was.

This is where "a POST is sent at most once" is held. The transport is given nothing but an iterator
over the body's pieces. When it fails before the first piece was asked for, no server can have the
request: *known unsent*. Once it was asked for, the outcome is the server's to tell, or in doubt.
A layer below that would send the request again finds no body to send.

A picture is encoded while it is sent. Its bytes were hashed before, and are hashed again: when they
differ, the last piece is never written, so that no server has a whole request with another picture.
"""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from batchsora.fetch.beside import beside
from batchsora.providers.runblob.images import ImageSource, Picture, opened

PIECE: Final = 64 * 1024
"""Bytes that are written at a time."""

_RAW: Final = PIECE // 4 * 3
"""Bytes of a picture that make a piece; a multiple of three: pieces join without padding."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request's JSON, made while it is written.

    Attributes:
        head: all of it, or what comes before a picture.
        picture: in the middle.
        tail: what comes after it.
    """

    head: bytes
    picture: Picture | None = None
    tail: bytes = b""

    @property
    def size(self) -> int:
        """Return the bytes of all pieces together."""
        encoded = 0 if self.picture is None else (self.picture.size + 2) // 3 * 4
        return len(self.head) + encoded + len(self.tail)

    def pieces(self) -> Iterator[bytes]:
        """Return it piece by piece.

        Raises:
            OSError: the picture can't be read any more, or has changed; its end was not given.
        """
        for start in range(0, len(self.head), PIECE):
            yield self.head[start : start + PIECE]
        if self.picture is not None:
            for block in self.picture.blocks(_RAW):
                yield base64.b64encode(block)
            yield self.tail


class OnceBody(httpx.AsyncByteStream):
    """A request's body that can be written once.

    Args:
        body: what is written.
        may_send: asked when the first piece is about to be written; False writes nothing.
        written: told of each piece that the connection has taken, whether it was the last one.

    Attributes:
        size: in bytes, all pieces together.
        started: True from the moment at which some of it may have left this process.
        withheld: True when ``may_send`` said no.
        broken: why its end was not written, where the reason is ours.
    """

    def __init__(
        self, body: Body, may_send: Callable[[], bool], written: Callable[[bool], None]
    ) -> None:
        self._body = body
        self._may_send = may_send
        self._written = written
        self.size = body.size
        self.started = False
        self.withheld = False
        self.broken = ""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.started or self.withheld:
            raise RuntimeError("a request that buys something is never written twice")
        if not self._may_send():
            self.withheld = True
            raise InterruptedError("held back by the caller")
        self.started = True
        pieces = self._body.pieces()
        while piece := self._next(pieces):
            yield piece
            self._written(False)
        self._written(True)

    def _next(self, pieces: Iterator[bytes]) -> bytes:
        try:
            return next(pieces, b"")
        except OSError as error:
            self.broken = str(error)
            raise


def fields_of(
    prompt: str, orientation: str, duration: int, callback_url: str | None
) -> dict[str, object]:
    """Name what a ``generate`` asks for, but its image."""
    fields: dict[str, object] = {
        "prompt": prompt,
        "orientation": orientation,
        "duration": duration,
    }
    if callback_url is not None:
        fields["callback_url"] = callback_url
    return fields


def encoded(fields: Mapping[str, object]) -> bytes:
    """Write fields as JSON."""
    return json.dumps(fields).encode("ascii")


@asynccontextmanager
async def with_image(fields: Mapping[str, object], image: ImageSource) -> AsyncIterator[Body]:
    """Return the JSON of a ``generate`` from an image, which can be written while the block lasts.

    Raises:
        ImageError: the image is missing, changed, too large or of another kind; nothing was sent.
    """
    with ExitStack() as stack:
        found = await beside(lambda: stack.enter_context(opened(image)))
        if isinstance(found, str):
            name = "image_base64" if found[:5].lower() == "data:" else "image_url"
            yield Body(encoded({**fields, name: found}))
        else:
            # base64 needs no escaping in JSON
            begin = f', "image_base64": "data:{found.media_type};base64,'.encode("ascii")
            yield Body(encoded(fields).removesuffix(b"}") + begin, found, b'"}')
