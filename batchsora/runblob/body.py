"""The body of a ``generate``: JSON that is written at most once, and knows whether it was.

This is where "a POST is sent at most once" is held. The transport is given nothing but an iterator
over the body's pieces. When it fails before the first piece was asked for, no server can have the
request: *known unsent*. Once it was asked for, the outcome is the server's to tell, or in doubt.
A layer below that would send the request again finds no body to send.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence

from batchsora.runblob.images import ImageSource, read_image

_PIECE = 64 * 1024


class OnceBody:
    """An asynchronous iterable over a request's body that can be written once.

    Args:
        pieces: the body.
        may_send: asked when the first piece is about to be written; False writes nothing.

    Attributes:
        size: in bytes, all pieces together.
        started: True from the moment at which some of it may have left this process.
        withheld: True when ``may_send`` said no.
    """

    def __init__(self, pieces: Sequence[bytes], may_send: Callable[[], bool]) -> None:
        self._pieces = pieces
        self._may_send = may_send
        self.size = sum(len(piece) for piece in pieces)
        self.started = False
        self.withheld = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.started or self.withheld:
            raise RuntimeError("a request that buys something is never written twice")
        if not self._may_send():
            self.withheld = True
            raise InterruptedError("held back by the caller")
        self.started = True
        for piece in self._pieces:
            view = memoryview(piece)
            for start in range(0, len(view), _PIECE):
                yield bytes(view[start : start + _PIECE])


async def encode(
    prompt: str,
    orientation: str,
    duration: int,
    image: ImageSource | None,
    callback_url: str | None,
) -> tuple[bytes, ...]:
    """Write the JSON of a ``generate``, in pieces: an image of 10 MB is held once, not three times.

    Raises:
        ImageError: the image is missing, changed, too large or of another kind; nothing was sent.
    """
    fields: dict[str, object] = {
        "prompt": prompt,
        "orientation": orientation,
        "duration": duration,
    }
    if callback_url is not None:
        fields["callback_url"] = callback_url
    if image is None:
        return (json.dumps(fields).encode("ascii"),)
    found = await asyncio.to_thread(read_image, image)
    if isinstance(found, str):
        fields["image_base64" if found[:5].lower() == "data:" else "image_url"] = found
        return (json.dumps(fields).encode("ascii"),)
    data, media_type = found
    encoded = await asyncio.to_thread(base64.b64encode, data)
    head = json.dumps(fields).removesuffix("}")
    # base64 needs no escaping in JSON
    return (f'{head}, "image_base64": "data:{media_type};base64,'.encode("ascii"), encoded, b'"}')
