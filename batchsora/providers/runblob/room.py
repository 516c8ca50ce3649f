"""Room for images on their way: so many bytes at the same time, however many want to go."""

import asyncio
from collections import deque
from typing import Final, Self

UNDER_WAY: Final = 64 * 1024**2
"""Bytes of images, as they are sent, that are under way at the same time."""


class Room:
    """So many bytes; who came first goes first.

    Args:
        bytes_at_once: how many.
    """

    def __init__(self, bytes_at_once: int = UNDER_WAY) -> None:
        self._all = self._free = bytes_at_once
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def place(self, size: int) -> "Place":
        """Make a place for so many bytes; what is larger than all the room goes alone."""
        return Place(self, min(size, self._all))

    async def enter(self, size: int) -> None:
        """Wait for room."""
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
                self.leave(0)  # who stood behind may be smaller
            else:
                self.leave(size)
            raise

    def leave(self, size: int) -> None:
        """Free the slot for whoever waits for it."""
        self._free += size
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting[0]
            if turn.cancelled():  # its own task takes it away
                return
            self._waiting.popleft()
            self._free -= wanted
            turn.set_result(None)


class Place:
    """Room for one image, held inside of its block, or until it is given back earlier."""

    def __init__(self, room: Room, size: int) -> None:
        self._room = room
        self._size = size
        self._held = False

    async def __aenter__(self) -> Self:
        if self._size:
            await self._room.enter(self._size)
            self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Free it; a second time does nothing."""
        if self._held:
            self._held = False
            self._room.leave(self._size)
