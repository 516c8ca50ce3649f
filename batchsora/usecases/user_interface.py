"""What use cases need from the command line and the page."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from batchsora.composition.session import RunDependencies
from batchsora.settings import Settings


class UserInterface(Protocol):
    """Shows messages and results, and asks questions."""

    def say(self, text: str = "") -> None:
        """Show a message."""

    def can_ask(self) -> bool:
        """Return whether a person can answer."""

    def confirm(self, question: str) -> bool:
        """Ask a question; return whether the answer is yes."""

    def amount(self, question: str) -> Decimal | None:
        """Ask for an amount in USD; None: the person gives none."""

    def result(self, document: Any, text: Callable[[], str]) -> None:
        """Show the result: the document to scripts, the text to people."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every use case works with."""

    settings: Settings
    deps: RunDependencies
    ui: UserInterface
