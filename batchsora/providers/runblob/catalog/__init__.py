"""RunBlob's models (docs/models.md): a file each beside this one, the only place that has them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from batchsora.providers.model import Model, ParameterRule, families
from batchsora.providers.model_files import read_models
from jobs.model.families import Family

MODELS: Final[Mapping[str, Model]] = read_models(Path(__file__).parent)
FAMILIES: Final[Mapping[str, Family]] = families(MODELS)
PATHS: Final[Mapping[str, str]] = {one.family: one.generations for one in MODELS.values()}
"""Of the list of a family's generations and, with an id behind it, of a look at one."""

MARKS: Final[Mapping[str, tuple[str, ParameterRule]]] = {
    one.family: (one.mark, one.parameters[one.mark])
    for one in MODELS.values()
    if one.mark is not None
}
"""The parameter that a family's list gives back, where there is one, and what it can be."""

LISTED: Final[Sequence[str]] = [name for name, family in FAMILIES.items() if family.has_list]
SORA: Final = MODELS["sora"]
