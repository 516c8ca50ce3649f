"""docs/api.md says what the files of the models say."""

from pathlib import Path

import pytest

from batchsora.providers.model import Model
from batchsora.providers.registry import MODELS


@pytest.fixture(scope="module")
def page() -> str:
    """Give the page."""
    return (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_paths_and_fields_of_each_model_are_there(model: Model, page: str) -> None:
    """Each in code, as it is on the wire."""
    paths = [f"`POST {model.generate}`", f"`GET {model.generations}/{{id}}"]
    fields = {model.field(name) for name in ("prompt", "orientation", "duration", "callback_url")}
    fields |= model.parameters.keys()
    fields |= {name for rule in model.images.values() for name in (rule.file, rule.address)}
    missing = [path for path in paths if path not in page]
    missing += [name for name in fields if name and f"`{name}`" not in page]
    assert missing == []


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_limits_of_each_model_are_there(model: Model, page: str) -> None:
    """The longest prompt, and the edges of parameters."""
    said = page.replace("\N{EN DASH}", " ")
    limits = [model.longest_prompt, model.shortest_prompt]
    limits += [
        edge for rule in model.parameters.values() for edge in (rule.least, rule.most) if edge
    ]
    assert [edge for edge in limits if f"{edge:.10g}" not in said.replace("(", " ").split()] == []
