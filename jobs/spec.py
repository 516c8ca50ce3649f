"""What a manifest row asks for, as the engine takes it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, NamedTuple, Protocol

from .provider import FIRST_MODEL, GenerationRequest, ImageRef
from .text import text_key


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


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One wanted video, as loaded.

    Attributes:
        key: the row's own id, or one made from its content; unique within the batch. Variants of a
            row with ``count`` have ``key``, ``key#2``, ``key#3`` …
        key_from_content: True when the row had no id, so that an edit changes the key.
        row: where the row stands in its file, as an editor counts it (YAML: the line).
        request: what to buy.
        campaign: the group of rows with a cap of its own, or None.
        priority: higher goes first; 0 by default.
        cells: the row as written, column by column in the manifest's order, for the export.
    """

    key: str
    key_from_content: bool
    row: int
    request: GenerationRequest
    campaign: str | None = None
    priority: int = 0
    cells: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Hash what decides which video comes out (:func:`fingerprint`)."""
        return fingerprint(self.request)

    @property
    def request_key(self) -> str:
        """Hash what is asked for, however its prompt is spelled (:func:`request_key`)."""
        return request_key(self.request)


class SpecRow(NamedTuple):
    """A wanted video as columns of the job table; ``image`` and ``cells`` are JSON."""

    key: str
    key_from_content: bool
    row: int
    fingerprint: str
    kind: str
    prompt: str
    orientation: str
    duration: int
    image: str | None
    callback_url: str | None
    campaign: str | None
    priority: int
    cells: str


def spec_row(spec: JobSpec, kind: str) -> SpecRow:
    """Write a wanted video as columns; ``kind`` names its price."""
    request = spec.request
    return SpecRow(
        spec.key,
        spec.key_from_content,
        spec.row,
        spec.fingerprint,
        kind,
        request.prompt,
        request.orientation,
        request.duration,
        None if request.image is None else json.dumps(asdict(request.image)),
        request.callback_url,
        spec.campaign,
        spec.priority,
        json.dumps(dict(spec.cells)),
    )


FINGERPRINT_LENGTH: Final = 32
"""Hexadecimal digits."""


def fingerprint(request: GenerationRequest) -> str:
    """Hash what decides which video comes out: another fingerprint is another video."""
    image = request.image
    what = [
        request.prompt,
        request.orientation,
        request.duration,
        None if image is None else image.sha256 or image.source,
        *beyond(request),
    ]
    return hashed(json.dumps(what))


def beyond(request: GenerationRequest) -> list[Any]:
    """Return model and parameters for what is hashed; nothing for the first model without any.

    So rows of that one have the hashes that they had before requests named their model.
    """
    if request.model == FIRST_MODEL and not request.parameters:
        return []
    return [request.model, sorted(request.parameters.items())]


def request_key(request: GenerationRequest) -> str:
    """Hash what is asked for, however its prompt is spelled (:func:`jobs.text.text_key`)."""
    return fingerprint(replace(request, prompt=text_key(request.prompt)))


def request_of(row: AsksFor) -> GenerationRequest:
    """Build the request of a job's row."""
    return GenerationRequest(
        prompt=row.prompt,
        orientation=row.orientation,
        duration=row.duration,
        image=None if row.image is None else ImageRef(**row.image),
        callback_url=row.callback_url,
    )


def asked_key(row: AsksFor) -> str:
    """Hash what a job's row asks for, however its prompt is spelled (:func:`jobs.text.text_key`).

    The account's list may show prompts folded, so they ask for the same there. Their fingerprints
    differ, so that an edit of white space is an edit; of a folded prompt it is the fingerprint.
    """
    folded = text_key(row.prompt) == row.prompt
    return row.fingerprint if folded else request_key(request_of(row))


def hashed(document: str) -> str:
    """Hash the JSON of what decides which video comes out."""
    return hashlib.sha256(document.encode()).hexdigest()[:FINGERPRINT_LENGTH]
