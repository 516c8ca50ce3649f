"""What a manifest row asks for, as the engine takes it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, NamedTuple

from .families import FIRST_MODEL, Kind
from .provider import GenerationRequest, ImageRef, Parameter
from .text import text_key


class AskedRow(NamedTuple):
    """What a job asks for, as columns of its row; statements that need it have all of them."""

    fingerprint: str
    kind: str  # the key of its price kind, which names the model
    prompt: str
    orientation: str
    duration: int | None
    image: dict[str, Any] | None  # the fields of its reference
    callback_url: str | None
    parameters: dict[str, Parameter]
    images: dict[str, dict[str, Any]]  # the others, by their roles


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One wanted video, as loaded.

    Attributes:
        key: the row's own id, or made from its content; unique within the batch. Variants of a row
            with ``count`` have ``key``, ``key#2``, ``key#3`` …
        key_from_content: the row had no id, so that an edit changes the key.
        row: its number in the file, as an editor counts it (YAML: the line).
        campaign: the group of rows with a cap of its own, or None.
        priority: higher runs first.
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
        """Hash what decides which video is made (:func:`fingerprint`)."""
        return fingerprint(self.request)

    @property
    def request_key(self) -> str:
        """Hash what is asked for, however its prompt is spelled (:func:`request_key`)."""
        return request_key(self.request)


class SpecRow(NamedTuple):
    """A wanted video as columns of the job table, JSON as text."""

    key: str
    key_from_content: bool
    row: int
    fingerprint: str
    kind: str
    prompt: str
    orientation: str
    duration: int | None
    image: str | None
    callback_url: str | None
    parameters: str
    images: str
    campaign: str | None
    priority: int
    cells: str


def asked_row(request: GenerationRequest, kind: str) -> AskedRow:
    """Write a request as columns; ``kind`` names its price."""
    return AskedRow(
        fingerprint(request),
        kind,
        request.prompt,
        request.orientation,
        request.duration,
        None if request.image is None else asdict(request.image),
        request.callback_url,
        dict(sorted(request.parameters.items())) if request.parameters else {},
        _further(request),
    )


def _further(request: GenerationRequest) -> dict[str, dict[str, Any]]:
    """Return the images beside the start image, as they are kept."""
    return {role: asdict(image) for role, image in sorted(request.images.items())}


def asked_in(values: Mapping[str, Any]) -> AskedRow:
    """Pick what is asked for out of a row's values by their names."""
    return AskedRow(*(values[name] for name in AskedRow._fields))


def spec_row(spec: JobSpec, kind: str) -> SpecRow:
    """Write a wanted video as columns; ``kind`` names its price."""
    request = spec.request
    return SpecRow(
        spec.key,
        spec.key_from_content,
        spec.row,
        fingerprint(request),
        kind,
        request.prompt,
        request.orientation,
        request.duration,
        None if request.image is None else json.dumps(asdict(request.image)),
        request.callback_url,
        json.dumps(dict(sorted(request.parameters.items()))) if request.parameters else "{}",
        json.dumps(_further(request)) if request.images else "{}",
        spec.campaign,
        spec.priority,
        json.dumps(dict(spec.cells)),
    )


FINGERPRINT_LENGTH: Final = 32  # hexadecimal digits


def fingerprint(request: GenerationRequest) -> str:
    """Hash what decides which video is made: another fingerprint is another video."""
    image = request.image
    what = [
        request.prompt,
        request.orientation,
        request.duration,
        None if image is None else _shown(image),
        *beyond(request),
    ]
    return hashed(json.dumps(what))


def _shown(image: ImageRef) -> str:
    return image.sha256 or image.source


def beyond(request: GenerationRequest) -> list[Any]:
    """Return model, parameters and further images to hash; nothing for the first model without any.

    Its rows keep the hashes that they had before requests named their model; those without further
    images the ones from before these.
    """
    images = [[role, _shown(image)] for role, image in sorted(request.images.items())]
    if request.model == FIRST_MODEL and not request.parameters and not images:
        return []
    return [request.model, sorted(request.parameters.items()), *([images] if images else [])]


def request_key(request: GenerationRequest) -> str:
    """Hash what is asked for, however its prompt is spelled (:func:`jobs.model.text.text_key`)."""
    return fingerprint(replace(request, prompt=text_key(request.prompt)))


def request_of(asked: AskedRow) -> GenerationRequest:
    """Build the request of a job's row."""
    return GenerationRequest(
        prompt=asked.prompt,
        orientation=asked.orientation,
        duration=asked.duration,
        image=None if asked.image is None else ImageRef(**asked.image),
        callback_url=asked.callback_url,
        model=Kind.parse(asked.kind).model,
        parameters=asked.parameters,
        images={role: ImageRef(**image) for role, image in asked.images.items()},
    )


def asked_key(asked: AskedRow) -> str:
    """Hash what a job's row asks for, however its prompt is spelled.

    The list may show prompts folded, so these ask for the same there. An edit of white space is an
    edit: fingerprints differ; a folded prompt's key is its fingerprint.
    """
    folded = text_key(asked.prompt) == asked.prompt
    return asked.fingerprint if folded else request_key(request_of(asked))


def hashed(document: str) -> str:
    """Hash a JSON document."""
    return hashlib.sha256(document.encode()).hexdigest()[:FINGERPRINT_LENGTH]
