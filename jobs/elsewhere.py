"""Whether somebody else buys the same on this account: a second machine, a copied database.

Whatever page of the account's list is read during a run, a generation on it that no attempt of ours
has, and that was made since the run began, says what somebody else buys. When a queued row asks for
the same prompt, it is held back instead of bought (:mod:`jobs.store.claims`).
"""

from collections.abc import Callable, Container, Iterable, Sequence
from datetime import datetime, timedelta

from .provider import Generation, GenerationPhase
from .text import prompt_key

MARGIN = timedelta(seconds=30)
"""By how much the look before buying may have seen less than was made by then."""


def since_when(began: datetime, looked_at: datetime | None) -> datetime:
    """Return from when on others' generations are news to a run, by our clock.

    Args:
        began: when the run began: without a look before, older ones are what a person accepted.
        looked_at: when the list was looked through before, if it was.
    """
    return began if looked_at is None else looked_at - MARGIN


class Elsewhere:
    """Remembers what others have made since a time.

    Args:
        since: by our clock; None remembers nothing.
    """

    def __init__(self, since: datetime | None = None) -> None:
        self._since = since
        self._made: dict[str, dict[str, None]] = {}

    def note(
        self,
        page: Iterable[Generation],
        ahead: timedelta | None,
        known: Callable[[Sequence[str]], Container[str]],
    ) -> None:
        """Remember what is on a page that is news and nobody's of ours.

        Args:
            page: of the account's list, or any part of it.
            ahead: by how much the provider's clock is ahead of ours; None: not known.
            known: tells which of some generation ids attempts of ours have.
        """
        if self._since is None:
            return
        since = self._since + (ahead or timedelta(0))
        news = [one for one in page if _is_news(one, since)]
        ours = known([one.id for one in news]) if news else ()
        for one in news:
            if one.id not in ours and one.prompt is not None:
                self._made.setdefault(prompt_key(one.prompt), {})[one.id] = None

    def made(self, key: str) -> Sequence[str]:
        """List the generations of a prompt that others have made, the first seen first.

        An acceptance of ours that was on its way meanwhile may be among them: whoever asks looks
        whether they are still nobody's.
        """
        return tuple(self._made.get(key, ()))


def _is_news(generation: Generation, since: datetime) -> bool:
    """Check whether a generation is newer than a time of the provider's, and not dead."""
    return (
        generation.created_at is not None
        and generation.prompt is not None
        and generation.phase is not GenerationPhase.FAILED
        and generation.created_at > since
    )
