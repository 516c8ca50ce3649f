"""RunBlob's models (docs/api.md): one entry each."""

from collections.abc import Mapping
from typing import Final

from batchsora.models import Model
from jobs.money import to_micros

SORA: Final = Model(
    provider="runblob",
    name="sora",
    orientations=("9:16", "16:9"),
    durations=(10, 15),
    longest_prompt=4000,
    largest_image=10 * 1024**2,
    # of the provider's public documentation, as read on 2026-11-01; it says none of 15 seconds
    prices={"10": to_micros("0.12"), "10+image": to_micros("0.12")},
)

MODELS: Final[Mapping[str, Model]] = {model.name: model for model in (SORA,)}
