"""What the API refuses of a request (docs/api.md)."""

import base64
from collections.abc import Mapping
from typing import Any

from batchsora.picture_kinds import HEAD, TAKEN, kind_of
from batchsora.providers.runblob.catalog import SORA
from batchsora.sandbox.answers import Reply

CALLABLE = ("https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:")
"""Beginnings of addresses for callbacks; the provider takes the first alone."""


def check(body: Any) -> Reply | None:  # noqa: PLR0911 - one rule of the API a line
    """Refuse what the API refuses (docs/api.md); None when a request is good."""
    if not isinstance(body, Mapping):
        return Reply(422, invalid("body", "must be an object", None))
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= SORA.longest_prompt:
        return Reply(
            422, invalid("prompt", f"must have 1 to {SORA.longest_prompt} characters", None)
        )
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        return Reply(422, invalid("prompt", "must be Unicode, without half a surrogate pair", None))
    if body.get("orientation", SORA.orientations[0]) not in SORA.orientations:
        known = " or ".join(map(repr, SORA.orientations))
        return Reply(422, invalid("orientation", f"must be {known}", body["orientation"]))
    duration = body.get("duration", SORA.durations[0])
    # 10.0 equals 10, and is no length
    if type(duration) is not int or duration not in SORA.durations:
        return Reply(422, invalid("duration", f"must be {SORA.seconds}", duration))
    callback = body.get("callback_url")
    if callback is not None and not str(callback).startswith(CALLABLE):
        return Reply(422, invalid("callback_url", "must be an HTTPS address", None))
    url, data = body.get("image_url"), body.get("image_base64")
    if url is not None and data is not None:
        return Reply(400, {"detail": "Cannot provide both image_base64 and image_url"})
    if url is not None and not str(url).startswith(("http://", "https://")):
        return Reply(422, invalid("image_url", "must be an http(s) address", None))
    problem = None if data is None else _image_problem(data)
    return None if problem is None else Reply(422, invalid("image_base64", problem, None))


def _image_problem(data: Any) -> str | None:
    head, _, encoded = str(data).partition(",")
    if head not in ("data:image/jpeg;base64", "data:image/png;base64", "data:image/webp;base64"):
        return "must be a data URI of a JPEG, PNG or WEBP image"
    try:
        content = base64.b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error is one, and characters beyond ASCII raise the plain one
        return "is not base64"
    if len(content) > SORA.largest_image:
        return f"must not be larger than {SORA.largest_image // 1024**2} MB"
    if kind_of(content[:HEAD]) not in TAKEN:
        return "is not a JPEG, PNG or WEBP image"
    return None


def invalid(name: str, message: str, found: Any, place: str = "body") -> dict[str, Any]:
    """Write what a 422 says about one field."""
    detail = {"type": "value_error", "loc": [place, name], "msg": message}
    return {"detail": [detail if found is None else detail | {"input": found}]}
