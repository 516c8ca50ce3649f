"""RunBlob's models (docs/api.md): an entry each, the only place that says what they take."""

from collections.abc import Mapping
from typing import Final

from batchsora.providers.model import Model
from jobs.model.money import to_micros

_CATALOG: Final = (
    Model(
        provider="runblob",
        name="sora",
        orientations=("9:16", "16:9"),
        durations=(10, 15),
        longest_prompt=4000,
        largest_image=10 * 1024**2,
        # the provider's public documentation, as of 2026-11-01; it says none for 15 seconds
        prices={"10": to_micros("0.12"), "10+image": to_micros("0.12")},
    ),
)

MODELS: Final[Mapping[str, Model]] = {model.name: model for model in _CATALOG}
SORA: Final = MODELS["sora"]
