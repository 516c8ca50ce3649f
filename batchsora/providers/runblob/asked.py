"""A request as the wire has it: the fields that a model takes, under its names."""

from collections.abc import Mapping
from typing import NamedTuple

from batchsora.providers.model import Model
from batchsora.providers.runblob.body import FieldImage
from batchsora.providers.runblob.images import ImageSource
from jobs.model.provider import Parameter


class Asked(NamedTuple):
    """What a submission says.

    Attributes:
        fields: without the images.
        images: in the order of their roles.
    """

    model: Model
    prompt: str
    fields: Mapping[str, object]
    images: tuple[FieldImage, ...]


def asked_of(
    model: Model,
    prompt: str,
    orientation: str,
    duration: int | None,
    callback_url: str | None,
    parameters: Mapping[str, Parameter],
    images: Mapping[str, ImageSource],
) -> Asked:
    """Write a request by its model's names; all of it is known to be what the model takes.

    Args:
        images: by their roles.
    """
    said: dict[str, object] = {"prompt": prompt, "model": model.name, "orientation": orientation}
    if duration is not None:
        said["duration"] = duration
    if callback_url is not None:
        said["callback_url"] = callback_url
    fields = {
        wire: str(value) if name in model.as_text else value
        for name, value in said.items()
        if (wire := model.field(name))
    }
    roles = [role for role in model.roles if role in images]
    pictures = (FieldImage(model.image_rule(role, images), images[role]) for role in roles)
    return Asked(model, prompt, {**fields, **parameters}, tuple(pictures))
