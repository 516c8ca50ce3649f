"""What the endpoints of each model take and show, as its file says it (docs/models.md)."""

import base64
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations
from typing import Any, Final

from batchsora.picture_kinds import HEAD, TAKEN, kind_of
from batchsora.providers.model import END, START, ImageRule, Model
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


@cache
def _image_sets(model: Model) -> Mapping[frozenset[ImageRule], int]:
    """Return which images one request may have, and how many a list of them has at most."""
    found: dict[frozenset[ImageRule], int] = {frozenset(): 0}
    for together in model.together:
        for count in range(1, len(together) + 1):
            for roles in combinations(sorted(together), count):
                if END in roles and START not in roles:
                    continue
                rules = frozenset(model.image_rule(role, roles) for role in roles)
                found[rules] = max(count, found.get(rules, 0))
    return found


@cache
def _others_fields(model: Model) -> frozenset[str]:
    """Return fields for images that other models of a path take, and this one does not."""
    of_path = PATHS[model.generate].values()
    all_fields = {name for one in of_path for rule in one.images.values() for name in _fields(rule)}
    return frozenset(all_fields.difference(*map(_fields, model.images.values())))


def _image_problems(body: Mapping[str, Any], model: Model) -> Iterator[Reply]:
    for name in _others_fields(model):
        if body.get(name) is not None:
            yield Reply(422, invalid(name, f"is not for {model.name}", None))
    has = {
        rule: [name for name in _fields(rule) if body.get(name) is not None]
        for rule in model.images.values()
    }
    rules = frozenset(rule for rule, names in has.items() if names)
    most = _image_sets(model).get(rules)
    if most is None:
        name = next(names[0] for names in has.values() if names)
        yield Reply(422, invalid(name, "is not taken alone, or beside the others", None))
        return
    for rule, names in has.items():
        if len(names) > 1:
            yield Reply(400, {"detail": f"Cannot provide both {rule.file} and {rule.address}"})
        for name in names:
            problem = _field_problem(body[name], rule, model, most, is_file=name == rule.file)
            if problem is not None:
                yield Reply(422, invalid(name, problem, None))


def _field_problem(
    value: Any, rule: ImageRule, model: Model, most: int, *, is_file: bool
) -> str | None:
    if rule.listed != isinstance(value, list):
        return "must be a list" if rule.listed else "no list"
    if rule.listed and not 1 <= len(value) <= most:
        return f"must have 1 to {most} images"
    images = value if rule.listed else [value]
    problems = (_image_problem(one, rule, model) if is_file else _address(one) for one in images)
    return next((problem for problem in problems if problem is not None), None)


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


def as_shown(
    view: dict[str, Any], reason: Mapping[str, Any], model: Model, seed: int | None
) -> dict[str, Any]:
    """Return a generation as its family's endpoints show it, from all that could be shown.

    Args:
        reason: why it failed: ``error_message``, and any other field.
    """
    if model.evidence is EvidenceClass.LISTED:
        return {**view, **reason}
    said = reason["error_message"]
    elsewhere = {name: value for name, value in reason.items() if name != "error_message"}
    usual = ("generation_id", "status", "prompt", "video_url")
    shown = {name: view[name] for name in usual}
    if model.mark is not None:
        times = {name: view[name] for name in ("created_at", "completed_at")}
        error = said if said is None or isinstance(said, Mapping) else {"message": said}
        return shown | times | {model.mark: seed, "error": error} | elsewhere
    return shown | {"model": model.name, "description": said} | elsewhere
