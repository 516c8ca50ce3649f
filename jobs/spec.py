"""What a manifest row asks for, as the engine takes it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from .provider import GenerationRequest


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


def fingerprint(request: GenerationRequest) -> str:
    """Hash what decides which video comes out: another fingerprint is another video."""
    image = request.image
    what = [
        request.prompt,
        request.orientation,
        request.duration,
        None if image is None else image.sha256 or image.source,
    ]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]
