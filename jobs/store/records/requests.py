"""What a job's row asks for, whichever row of it that is."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ...spec import AsksFor


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
