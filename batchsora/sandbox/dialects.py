"""What the endpoints of each model take and show, as its file says it (docs/models.md)."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchsora.picture_kinds import HEAD, TAKEN, kind_of
from batchsora.providers.model import ImageRule, Model
from batchsora.providers.registry import MODELS
from batchsora.sandbox.answers import Reply
from jobs.model.families import EvidenceClass, Kind

CALLABLE = ("https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:")
"""Beginnings of addresses for callbacks; the provider takes the first alone."""

PATHS: Final[Mapping[str, Mapping[str, Model]]] = {
    path: {one.name: one for one in MODELS.values() if one.generate == path}
    for path in dict.fromkeys(one.generate for one in MODELS.values())
}
"""By the path of a submission: the models that it takes, by name."""

LISTS: Final[Mapping[str, str]] = {one.generations: one.family for one in MODELS.values()}
"""Families, by the path of their generations."""


def invalid(name: str, message: str, found: Any, place: str = "body") -> dict[str, Any]:
    """Return a 422's body about one field."""
    detail = {"type": "value_error", "loc": [place, name], "msg": message}
    return {"detail": [detail if found is None else detail | {"input": found}]}


def model_of(body: Any, models: Mapping[str, Model]) -> Model | Reply:
    """Return which of a path's models a request names, or why it is refused."""
    if not isinstance(body, Mapping):
        return Reply(422, invalid("body", "must be an object", None))
    first = next(iter(models.values()))
    if not first.field("model"):
        return first
    name = body.get(first.field("model"))
    found = models.get(name) if isinstance(name, str) else None
    if found is None:
        return Reply(422, invalid("model", f"must be one of {', '.join(models)}", name))
    return found


def kind_of_body(body: Mapping[str, Any], model: Model) -> Kind:
    """Return which price a request has that was checked."""
    images = any(body.get(name) for rule in model.images.values() for name in _fields(rule))
    return model.kind(duration_of(body, model), with_image=images, parameters=body)


def duration_of(body: Mapping[str, Any], model: Model) -> int | None:
    """Return how long the video of a checked request is; None: the model leaves no choice."""
    if not model.durations:
        return None
    return int(body.get(model.field("duration"), model.durations[0]))


def check(body: Any, model: Model) -> Reply | None:
    """Return what a model's endpoint refuses about a request; None when it is good."""
    if not isinstance(body, Mapping):
        return Reply(422, invalid("body", "must be an object", None))
    return next(_problems(body, model), None)


def _problems(body: Mapping[str, Any], model: Model) -> Iterator[Reply]:
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not (
        model.shortest_prompt <= len(prompt) <= model.longest_prompt
    ):
        length = f"{model.shortest_prompt} to {model.longest_prompt} characters"
        yield Reply(422, invalid("prompt", f"must have {length}", None))
        return
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        yield Reply(422, invalid("prompt", "must be Unicode, without half a surrogate pair", None))
    name = model.field("orientation")
    if body.get(name, model.orientations[0]) not in model.orientations:
        known = " or ".join(map(repr, model.orientations))
        yield Reply(422, invalid(name, f"must be {known}", body[name]))
    name = model.field("duration")
    if model.durations and name in body:
        said, read = body[name], str if "duration" in model.as_text else int
        # 10.0 equals 10, and is no length
        if type(said) is not read or said not in map(read, model.durations):
            yield Reply(422, invalid(name, f"must be {model.seconds}", said))
    callback = body.get("callback_url")
    if callback is not None and not str(callback).startswith(CALLABLE):
        yield Reply(422, invalid("callback_url", "must be an HTTPS address", None))
    for name, rule in model.parameters.items():
        if body.get(name) is not None and not rule.takes(body[name]):
            yield Reply(422, invalid(name, "is not a value that it takes", body[name]))
    yield from _image_problems(body, model)


def _fields(rule: ImageRule) -> list[str]:
    return [name for name in (rule.file, rule.address) if name]


def _image_problems(body: Mapping[str, Any], model: Model) -> Iterator[Reply]:
    for rule in dict.fromkeys(model.images.values()):
        data = body.get(rule.file) if rule.file else None
        address = body.get(rule.address) if rule.address else None
        if data is not None and address is not None:
            detail = f"Cannot provide both {rule.file} and {rule.address}"
            yield Reply(400, {"detail": detail})
        for name, value in ((rule.address, address), (rule.file, data)):
            if value is None:
                continue
            if rule.listed != isinstance(value, list):
                yield Reply(
                    422, invalid(name, "must be a list" if rule.listed else "no list", None)
                )
                continue
            for one in value if rule.listed else [value]:
                problem = _image_problem(one, rule, model) if name == rule.file else _address(one)
                if problem is not None:
                    yield Reply(422, invalid(name, problem, None))


def _address(value: Any) -> str | None:
    good = str(value).startswith(("http://", "https://"))
    return None if good else "must be an http(s) address"


def _image_problem(data: Any, rule: ImageRule, model: Model) -> str | None:
    head, _, encoded = str(data).rpartition(",")
    heads = ("data:image/jpeg;base64", "data:image/png;base64", "data:image/webp;base64")
    if head not in (*heads, *([""] if rule.bare else [])):
        return "must be a data URI of a JPEG, PNG or WEBP image"
    try:
        content = base64.b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error is one, and characters beyond ASCII raise the plain one
        return "is not base64"
    if len(content) > model.largest_image:
        return f"must not be larger than {model.largest_image // 1024**2} MB"
    if kind_of(content[:HEAD]) not in TAKEN:
        return "is not a JPEG, PNG or WEBP image"
    return None


def as_shown(view: dict[str, Any], model: Model, seed: int | None) -> dict[str, Any]:
    """Return a generation as its family's endpoints show it, from all that could be shown."""
    if model.evidence is EvidenceClass.LISTED:
        return view
    reason = view["error_message"]
    usual = ("generation_id", "status", "prompt", "video_url")
    shown = {name: view[name] for name in usual}
    if model.mark is not None:
        times = {name: view[name] for name in ("created_at", "completed_at")}
        error = None if reason is None else {"message": reason}
        return shown | times | {model.mark: seed, "error": error}
    return shown | {"model": model.name, "description": reason}
