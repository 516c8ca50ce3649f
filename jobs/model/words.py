"""What the engine keeps in the job table for people to read: the words are the application's.

They are kept because others read them later, without the run that knew the facts.
"""

from datetime import datetime
from typing import NamedTuple, Protocol

from .states import FailureKind, Reason


class Pause(NamedTuple):
    """How long no submission leaves, and what was answered last."""

    until: datetime
    why: str


class Words(Protocol):
    """Makes texts of facts.

    Of what a batch waits for, details stand in parentheses at the end: what stands before them
    tells whether it is still the same (:func:`jobs.store.steering.set_waiting`).
    """

    def paused(self, pause: Pause) -> str:
        """Return what every submission waits for."""

    def after(self, reason: Reason, message: str) -> str | None:
        """Return what batches wait for after a run.

        Args:
            reason: why it ended.
            message: the provider's words.
        """

    def takes_nothing(self, minutes: float, why: str) -> str:
        """Return that no submission was taken for so long, and what was answered last."""

    def own_callback(self, message: str) -> str:
        """Return why the run's own address for callbacks is refused."""

    def given_up(self, kind: FailureKind, minutes: float, said: str | None) -> str:
        """Return why a generation is waited for no longer, and what the provider said of it."""
