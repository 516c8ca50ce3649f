"""The keys by which rows are recognized from one load to the next.

A row's own ``id`` is its key. A row without one gets it from its content, so inserting and sorting
rows changes nothing. Variants, and identical rows without id, are numbered: ``key``, ``key#2``,
``key#3`` …, so raising ``count`` adds keys and changes none.
"""

import base64
import hashlib
import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jobs.model.provider import GenerationRequest
from jobs.model.spec import beyond

KEY_LENGTH: Final = 12
"""Characters of five bits: among a million rows two meet by chance once in two million loads."""


def content_key(request: GenerationRequest) -> str:
    """Return the key of a row without id, from what it asks for.

    It is kept in people's databases: another rule would make all their rows new ones.
    """
    image = "" if request.image is None else request.image.source
    rest = "".join(f"\0{json.dumps(part)}" for part in beyond(request))
    return key_of(request.prompt, request.orientation, request.duration, image + rest)


def key_of(prompt: str, orientation: object, duration: object, image: str) -> str:
    """Return the key of a row without id, from the parts of what it asks for."""
    # A prompt has no NUL, so that the parts can't run into each other.
    what = f"{prompt}\0{orientation}\0{duration}\0{image}"
    digest = hashlib.blake2b(what.encode(), digest_size=8).digest()
    return f"r-{base64.b32encode(digest)[:KEY_LENGTH].decode().lower()}"


def variant(key: str, number: int) -> str:
    """Return the key of the n-th variant, counted from 1."""
    return key if number == 1 else f"{key}#{number}"


@dataclass(frozen=True, slots=True)
class Clash:
    """A key that an earlier row already has."""

    key: str
    row: int


class Keys:
    """Assigns the keys of one manifest, each once."""

    def __init__(self) -> None:
        self._taken = _Places()
        self._times: dict[str, int] = {}

    def of_id(self, key: str, row: int, count: int) -> list[str] | Clash:
        """Return the keys of a row with an id, or the first that is taken."""
        names = [key] if count == 1 else [variant(key, number + 1) for number in range(count)]
        for name in names:
            earlier = self._taken.enter(name, row << 1)
            if earlier is not None:
                return Clash(name, earlier >> 1)
        return names

    def of_ids(self, keys: Sequence[str], rows: Sequence[int]) -> int:
        """Take the keys of rows with ids up to one that is taken, and return how many."""
        return self._taken.enter_all(keys, [row << 1 for row in rows])

    def of_content(self, key: str, row: int, count: int) -> list[str] | Clash:
        """Return the keys of a row without an id, numbered on from an identical earlier row."""
        mark = row << 1 | 1  # odd: a key from content
        names = []
        for _ in range(count):
            earlier = self._taken.enter(key, mark)
            name = key
            if earlier is not None and earlier & 1:
                self._times[key] = self._times.get(key, 1) + 1
                name = variant(key, self._times[key])
                earlier = self._taken.enter(name, mark)
            if earlier is not None:
                return Clash(name, earlier >> 1)
            names.append(name)
        return names


class _Places:
    """The value of each key: a hash table of two arrays, with a fifth of the memory of a dict.

    Keys are compared by their 64-bit hash: two of a million are equal once in thirty million loads,
    which refuses a row and never buys one.
    """

    def __init__(self) -> None:
        self._hashes = array("Q", bytes(8 * 1024))
        self._values = array("I", bytes(4 * 1024))
        self._used = 0

    def enter(self, key: str, value: int) -> int | None:
        """Store a key's value and return None; if the key exists, only return its value."""
        mark = hash(key) & 0xFFFF_FFFF_FFFF_FFFF or 1  # 0 is a free place
        hashes = self._hashes
        mask = len(hashes) - 1
        place = mark & mask
        while there := hashes[place]:
            if there == mark:
                return self._values[place]
            place = (place + 1) & mask
        hashes[place] = mark
        self._values[place] = value
        self._used += 1
        if self._used * 3 > len(hashes) * 2:
            self._grow()
        return None

    def enter_all(self, keys: Sequence[str], values: Sequence[int]) -> int:
        """Store keys with their values, up to one that exists already, and return how many."""
        while (self._used + len(keys)) * 3 > len(self._hashes) * 2:
            self._grow()
        hashes, kept = self._hashes, self._values
        mask = len(hashes) - 1
        entered = 0
        for key, value in zip(keys, values, strict=True):
            mark = hash(key) & 0xFFFF_FFFF_FFFF_FFFF or 1
            place = mark & mask
            while (there := hashes[place]) and there != mark:
                place = (place + 1) & mask
            if there:
                break
            hashes[place] = mark
            kept[place] = value
            entered += 1
        self._used += entered
        return entered

    def _grow(self) -> None:
        old = zip(self._hashes, self._values, strict=True)
        size = len(self._hashes) * 2
        hashes, values = array("Q", bytes(8 * size)), array("I", bytes(4 * size))
        for mark, value in old:
            if mark:
                place = mark & (size - 1)
                while hashes[place]:
                    place = (place + 1) & (size - 1)
                hashes[place], values[place] = mark, value
        self._hashes, self._values = hashes, values
