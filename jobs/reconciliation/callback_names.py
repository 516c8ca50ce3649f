"""Generations that callbacks named: the provider is asked before anything is believed."""

import logging
from collections.abc import AsyncIterator, Iterable

from ..evidence.echo import resembles
from ..evidence.suspects import SuspectAttempt
from ..model.provider import ForbiddenError, UnknownGenerationError, WrongAddressError
from ..model.states import AttemptState
from ..runtime.run_context import RunContext

log = logging.getLogger(__name__)


class CallbackNames:
    """Those of doubts and voids whose own address was called, each looked at once."""

    def __init__(self, context: RunContext) -> None:
        self._run = context
        self._waiting: dict[int, SuspectAttempt] = {}
        self._looked_at: set[tuple[int, str | None]] = set()

    def heed(self, suspects: Iterable[SuspectAttempt]) -> None:
        """Take in what callbacks have named by now."""
        self._waiting = {
            one.id: one
            for one in suspects
            if one.announced_as is not None
            and one.state != AttemptState.OPEN
            and (one.id, one.announced_as) not in self._looked_at
        }

    @property
    def waiting(self) -> bool:
        """Return whether one is to be looked at."""
        return bool(self._waiting)

    async def confirmed(self) -> AsyncIterator[tuple[SuspectAttempt, str]]:
        """Look at each; yield those that the provider shows under the attempt's prompt, with ids.

        Nobody but the provider was told an attempt's own address; it is asked all the same.

        Raises:
            ProviderError: it can't be asked now.
        """
        for number, one in list(self._waiting.items()):
            try:
                found = await self._run.provider.generation(one.announced_as or "")
            except (UnknownGenerationError, ForbiddenError, WrongAddressError) as error:
                log.warning("a callback named a generation of attempt %d: %s", number, error)
            else:
                if found.prompt is not None and resembles(one.prompt, found.prompt):
                    yield one, found.id
            self._looked_at.add((number, one.announced_as))
            del self._waiting[number]
