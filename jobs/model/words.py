"""Texts that the job table keeps for people, who read them when the run that knew is gone."""

from datetime import datetime
from typing import NamedTuple, Protocol

from .states import FailureKind, Reason


class Pause(NamedTuple):
    """How long no submission leaves, and what was answered last."""

    until: datetime
    why: str


class Words(Protocol):
    """Makes texts of facts; the application supplies it.

    For what a batch waits for, details come in parentheses at the end: the text before them shows
    whether it is still the same (:func:`jobs.store.steering.set_waiting`).
    """

    def paused(self, pause: Pause) -> str:
        """Return what every submission waits for."""

    def after(self, reason: Reason, message: str) -> str | None:
        """Return what batches wait for after a run that ended with the provider's words."""

    def takes_nothing(self, minutes: float, why: str) -> str:
        """Return that no submission was taken for so long, and what was answered last."""

    def own_callback(self, message: str) -> str:
        """Return why the run's own address for callbacks is refused."""

    def given_up(self, kind: FailureKind, minutes: float, said: str | None) -> str:
        """Return why a generation is no longer waited for, and what the provider said of it."""
