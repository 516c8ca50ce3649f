"""What a job's row asks for, whichever row of it that is."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class AsksFor(Protocol):
    """A row that says what a job asks for.

    Its fingerprint hashes the rest as it is spelled (:func:`jobs.spec.fingerprint`); the picture is
    as :class:`jobs.provider.ImageRef` has it.
    """

    @property
    def fingerprint(self) -> str:
        """What decides which video comes out, hashed."""

    @property
    def prompt(self) -> str:
        """As it is spelled."""

    @property
    def orientation(self) -> str:
        """``9:16`` or ``16:9``."""

    @property
    def duration(self) -> int:
        """In seconds."""

    @property
    def image(self) -> dict[str, Any] | None:
        """Of the picture that it begins with, the fields of its reference."""

    @property
    def callback_url(self) -> str | None:
        """Whom the provider tells of its end."""


class AskedBefore(AsksFor, Protocol):
    """A job's row that says what the job asks for, and what its manifest asked for."""

    @property
    def id(self) -> int:
        """Of the job."""

    @property
    def manifest_fingerprint(self) -> str | None:
        """What the manifest asked for; None: the same as the row."""


class AskedRow(NamedTuple):
    """What a job's row asks for, and nothing else of it."""

    fingerprint: str
    prompt: str
    orientation: str
    duration: int
    image: dict[str, Any] | None
    callback_url: str | None


def asked_in(values: Mapping[str, Any]) -> AskedRow:
    """Pick what is asked for out of a row's values by their names."""
    return AskedRow(*(values[name] for name in AskedRow._fields))
