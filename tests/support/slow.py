"""A provider that takes its time with one submission."""

import asyncio
from dataclasses import dataclass
from typing import Any

from jobs.model.provider import Accepted, GenerationRequest, Micros, SubmitOutcome, Throttled

from .provider import Made, ScriptedProvider


@dataclass
class Slow(ScriptedProvider):
    """Takes its time with one submission, while the list begins to show what it hid.

    Attributes:
        slow: seconds of that.
        throttles: how many submissions are told to wait then; the others are accepted.
        honours: whether a key that it knows is answered with the generation that it made.
        armed: whether the next submission is that one.
    """

    slow: float = 20.0
    throttles: int = 0
    honours: bool = False
    armed: bool = False

    async def submit(self, request: GenerationRequest, key: str, may_send: Any) -> SubmitOutcome:
        if not (self.armed and may_send()):
            return await super().submit(request, key, may_send)
        self.posts.append((request.prompt, key))
        asyncio.get_running_loop().call_later(1.0, self.hides.clear)
        await asyncio.sleep(self.slow)
        if self.throttles:
            self.throttles -= 1
            return Throttled(60.0)
        self.armed = False
        return Accepted(self.make(request, key).id, Micros(self.price(request)))

    def make(self, request: GenerationRequest, key: str = "foreign") -> Made:
        known = [one for one in self.made if self.honours and one.key == key]
        return known[0] if known else super().make(request, key)
