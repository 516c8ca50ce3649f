"""RunBlob's models (docs/models.md): a file each beside this one, the only place that has them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from batchsora.providers.model import Model, families, read_models
from jobs.model.provider import Family

MODELS: Final[Mapping[str, Model]] = read_models(Path(__file__).parent)
FAMILIES: Final[Mapping[str, Family]] = families(MODELS)
SORA: Final = MODELS["sora"]
