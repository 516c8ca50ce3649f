"""What a row asks for, in words: model, length, format, images and parameters."""

from jobs.model.families import FIRST_MODEL, Kind
from jobs.model.spec import AskedRow


def kind_text(kind: str) -> str:
    """Return a price kind for people: ``15 s, with image``, ``kling_2.6, 5 s``, ``veo_3_fast``."""
    one = known_kind(kind)
    if one is None:
        return kind
    length, *more = one.variant.split("+")
    model = [] if one.model == FIRST_MODEL else [one.model]
    seconds = [f"{length} s"] if length.isdigit() else []
    extras = ["with image" if extra == "image" else extra for extra in more]
    return ", ".join([*model, *seconds, *extras])


def known_kind(kind: str) -> Kind | None:
    """Read the key of a price kind; None of one that another program wrote."""
    try:
        return Kind.parse(kind)
    except ValueError:
        return None


def model_text(kind: str) -> str | None:
    """Return the model of a price kind, as far as it is known."""
    one = known_kind(kind)
    return None if one is None else one.model


def format_text(asked: AskedRow) -> str:
    """Return model, length and format: ``10 s, 9:16``, ``veo_3_fast, 16:9``."""
    model = model_text(asked.kind)
    named = [] if model in (None, FIRST_MODEL) else [str(model)]
    parts = [*named, *length_of(asked), asked.orientation]
    return ", ".join(parts)


def length_of(asked: AskedRow) -> list[str]:
    """Return the length, or nothing where the model leaves no choice of it."""
    return [] if asked.duration is None else [f"{asked.duration} s"]


def images_of(asked: AskedRow) -> dict[str, str]:
    """Return the images by their roles, as the manifest wrote them."""
    start = {} if asked.image is None else {"start": asked.image}
    return {role: str(image["source"]) for role, image in {**start, **asked.images}.items()}


def parameters_text(asked: AskedRow) -> str:
    """Return the parameters: ``seed 7, negative_prompt rain``; empty: none."""
    return ", ".join(f"{name} {value}" for name, value in asked.parameters.items())
