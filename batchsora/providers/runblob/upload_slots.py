"""Slots for image uploads: a limit on the bytes that are under way at the same time."""

import asyncio
from collections import deque
from typing import Final, Self

UNDER_WAY: Final = 64 * 1024**2
"""Bytes of images, as they are sent, that are under way at the same time."""


class UploadSlots:
    """Bounds the bytes under way; slots are given in the order in which they are asked for."""

    def __init__(self, bytes_at_once: int = UNDER_WAY) -> None:
        self._all = self._free = bytes_at_once
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def slot(self, size: int) -> "UploadSlot":
        """Make a slot for an image of some bytes; one above the limit is sent alone."""
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
