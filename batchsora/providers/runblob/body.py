"""The body of a ``generate``: JSON that is written at most once, and knows whether it was.

This is what guarantees that a POST is sent at most once. The transport only gets an iterator over
the pieces. If it fails before the first piece was requested, no server can have the request: *known
unsent*. After that only the server knows, and the outcome is in doubt. A layer below that tried to
send the request again would find no body.

A picture is encoded and hashed while it is sent. If the hash differs from the one of the first
reading, the last piece is never written, so no server gets a whole request with another picture.
"""

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, Self

import httpx

from batchsora.fetch.part import beside
from batchsora.providers.model import ImageRule
from batchsora.providers.runblob.errors import ImageError
from batchsora.providers.runblob.images import ImageSource, Picture, opened

PIECE: Final = 64 * 1024
"""Bytes that are written at a time."""

_RAW: Final = PIECE // 4 * 3
"""Bytes of a picture that make a piece; a multiple of three: pieces join without padding."""

UNDER_WAY: Final = 64 * 1024**2
"""Bytes of images, as they are sent, that are under way at the same time."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request's JSON, made while it is written: text, and pictures that it has as base64."""

    parts: Sequence[bytes | Picture]

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return sum(
            len(part) if isinstance(part, bytes) else (part.size + 2) // 3 * 4
            for part in self.parts
        )

    @property
    def has_picture(self) -> bool:
        """Return whether there is more than text."""
        return any(not isinstance(part, bytes) for part in self.parts)

    def pieces(self) -> Iterator[bytes]:
        """Return the pieces; raise an OSError before the end if a picture has changed."""
        for part in self.parts:
            if isinstance(part, bytes):
                for start in range(0, len(part), PIECE):
                    yield part[start : start + PIECE]
            else:
                for block in part.blocks(_RAW):
                    yield base64.b64encode(block)


class OnceBody(httpx.AsyncByteStream):
    """A request's body that can be written once.

    Args:
        may_send: asked when the first piece is about to be written; False writes nothing.
        written: called after each piece, with whether it was the last one.

    Attributes:
        started: some of it may have left this process.
        withheld: ``may_send`` returned False.
        broken: why the end was not written, if the reason is ours.
    """

    def __init__(
        self, body: Body, may_send: Callable[[], bool], written: Callable[[bool], None]
    ) -> None:
        self._body = body
        self._may_send = may_send
        self._written = written
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


class FieldImage(NamedTuple):
    """An image of a request, and the fields of the wire that take it."""

    rule: ImageRule
    source: ImageSource


def encoded(fields: Mapping[str, object]) -> bytes:
    """Write fields as JSON."""
    return json.dumps(fields).encode("ascii")


@asynccontextmanager
async def with_images(
    fields: Mapping[str, object], images: Sequence[FieldImage]
) -> AsyncIterator[Body]:
    """Return the JSON with images; raise an ImageError if one can't be used."""
    with ExitStack() as stack:
        values: dict[str, list[Sequence[bytes | Picture]]] = {}
        listed: set[str] = set()
        for rule, source in images:
            found = await beside(partial(_opened_in, stack, source))
            name, value = _written(rule, found)
            values.setdefault(name, []).append(value)
            listed |= {name} if rule.listed else set()
        parts: list[bytes | Picture] = [encoded(fields).removesuffix(b"}")]
        for name, written in values.items():
            begin, end = (b"[", b"]") if name in listed else (b"", b"")
            parts.append(b', "%b": %b' % (name.encode("ascii"), begin))
            for place, value in enumerate(written):
                parts += [b", ", *value] if place else value
            parts.append(end)
        yield Body([*_joined(parts), b"}"] if values else [encoded(fields)])


def _opened_in(stack: ExitStack, source: ImageSource) -> str | Picture:
    return stack.enter_context(opened(source))


def _written(rule: ImageRule, found: str | Picture) -> tuple[str, Sequence[bytes | Picture]]:
    """Return the field of an image, and its JSON."""
    if isinstance(found, str):
        is_data = found[:5].lower() == "data:"
        text = found.partition(",")[2] if is_data and rule.bare else found
        name = rule.file if is_data else rule.address
        if not name:
            raise ImageError("nothing was sent: this model takes no address as this image")
        return name, [json.dumps(text).encode("ascii")]
    # base64 needs no escaping in JSON
    begin = b"" if rule.bare else f"data:{found.media_type};base64,".encode("ascii")
    return rule.file, [b'"' + begin, found, b'"']


def _joined(parts: Sequence[bytes | Picture]) -> Iterator[bytes | Picture]:
    """Join neighbouring text: each part is written by itself."""
    text = b""
    for part in parts:
        if isinstance(part, bytes):
            text += part
        else:
            yield text
            yield part
            text = b""
    if text:
        yield text


class UploadSlots:
    """Limits the bytes under way; slots are given in the order of the requests."""

    def __init__(self, bytes_at_once: int = UNDER_WAY) -> None:
        self._all = self._free = bytes_at_once
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def slot(self, size: int) -> "UploadSlot":
        """Make a slot for an image; one above the limit is sent alone."""
        return UploadSlot(self, min(size, self._all))

    async def enter(self, size: int) -> None:
        """Wait until so many bytes are free."""
        if not self._waiting and size <= self._free:
            self._free -= size
            return
        turn = asyncio.get_running_loop().create_future()
        entry = (size, turn)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(entry)
                self.leave(0)  # the next one may be smaller
            else:
                self.leave(size)
            raise

    def leave(self, size: int) -> None:
        """Free so many bytes for those that wait."""
        self._free += size
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting[0]
            if turn.cancelled():  # its own task removes it
                return
            self._waiting.popleft()
            self._free -= wanted
            turn.set_result(None)


class UploadSlot:
    """One image's share of the bytes, held inside its block, or until it is freed earlier."""

    def __init__(self, slots: UploadSlots, size: int) -> None:
        self._slots = slots
        self._size = size
        self._held = False

    async def __aenter__(self) -> Self:
        if self._size:
            await self._slots.enter(self._size)
            self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Free it; a second time does nothing."""
        if self._held:
            self._held = False
            self._slots.leave(self._size)
