"""What a program asks to buy, checked before anything is sent: a refusal costs nothing.

The engine's rows were checked when they were loaded, so only the client's public methods use this.
"""

import base64
import binascii
import numbers
import os
import re
from collections.abc import Iterator
from typing import Final

from batchsora.providers.model import Model
from batchsora.providers.runblob.errors import ImageError, ValidationError
from batchsora.providers.runblob.images import ImageSource
from batchsora.providers.runblob.phases import web_address
from batchsora.providers.runblob.words import clean
from jobs.model.provider import ImageRef

_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_KEY = re.compile(r"[!-~]{1,255}")
_SHOWN: Final = 40
"""Characters of a wrong argument that a message quotes."""


def check_request(
    model: Model,
    prompt: object,
    orientation: object,
    duration: object,
    callback_url: object,
    idempotency_key: object,
) -> int:
    """Check the arguments of a ``generate``; return the duration as a whole number of seconds.

    Raises:
        ValidationError: some can't be used; its ``details`` have a line for each.
    """
    found = [*_problems(model, prompt, orientation, callback_url, idempotency_key)]
    # 10.0 is 10, and so are numpy's numbers; True is not 1
    if isinstance(duration, bool) or not isinstance(duration, numbers.Real):
        found.append(f"duration: must be {model.seconds} as a number, not {_kind(duration)}")
    elif float(duration) not in model.durations:
        found.append(f"duration: must be {model.seconds}")
    if found:
        raise ValidationError(f"nothing was sent: {'; '.join(found)}", details=found)
    return next(seconds for seconds in model.durations if seconds == duration)


def _problems(
    model: Model, prompt: object, orientation: object, callback_url: object, key: object
) -> Iterator[str]:
    if not isinstance(prompt, str):
        yield f"prompt: must be text, not {_kind(prompt)}"
    elif not prompt.strip():
        yield "prompt: is empty"
    elif len(prompt) > model.longest_prompt:
        yield f"prompt: has {len(prompt)} characters, more than {model.longest_prompt}"
    elif _CONTROLS.search(prompt):
        yield "prompt: has control characters"
    if not isinstance(orientation, str) or orientation not in model.orientations:
        yield f"orientation: must be {' or '.join(map(repr, model.orientations))}"
    if callback_url is not None and not _is_address(callback_url, "https://"):
        yield "callback_url: must be an https:// address"
    if key is not None and not (isinstance(key, str) and _KEY.fullmatch(key)):
        yield "idempotency_key: must be 1 to 255 plain characters without spaces"


def chosen_image(image: object, image_url: object, image_base64: object) -> ImageSource | None:
    """Return the one image that was given; None if there is none.

    Text that contains a picture becomes its bytes, so that these are checked as a file's are.

    Raises:
        ImageError: there are several, or it can't be used.
    """
    given = {"image": image, "image_url": image_url, "image_base64": image_base64}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise _refused(f"pass only one of {' and '.join(names)}")
    if not names:
        return None
    if image_url is not None:
        return _address(image_url)
    return _decoded(image_base64) if image is None else _of_any_kind(image)


def _of_any_kind(image: object) -> ImageSource:
    """Return an image that is a path, a picture's bytes, an address or a data URI."""
    if isinstance(image, str) and image[:8].lower().startswith(("http://", "https://")):
        return _address(image)
    if isinstance(image, str) and image[:5].lower() == "data:":
        return _decoded(image)
    if isinstance(image, bytearray | memoryview):
        return bytes(image)
    if isinstance(image, ImageRef | bytes | str):
        return image
    if isinstance(image, os.PathLike):
        return os.fsdecode(image)
    raise _refused(f"image: must be a path, bytes, a web address or a data URI, not {_kind(image)}")


def _address(value: object) -> str:
    if isinstance(value, str) and _is_address(value, "http://", "https://"):
        return value
    raise _refused(
        "image_url: must be an http(s) address of a picture; a file or its bytes are passed as "
        "image=, base64 as image_base64="
    )


def _decoded(value: object) -> bytes:
    """Return the bytes of a data URI, or of base64 alone."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if not isinstance(value, str):
        raise _refused(f"image_base64: must be text, not {_kind(value)}")
    head = _DATA_URI.match(value)
    try:
        found = base64.b64decode("".join(value[head.end() if head else 0 :].split()), validate=True)
    except (binascii.Error, ValueError) as error:  # not ASCII
        raise _refused(
            "image_base64: is damaged or not base64 (a data URI begins with data:image/png;base64,)"
        ) from error
    return found


def _is_address(value: object, *schemes: str) -> bool:
    begins = isinstance(value, str) and value[:8].lower().startswith(schemes)
    return begins and web_address(value) is not None


def _refused(problem: str) -> ImageError:
    return ImageError(f"nothing was sent: {problem}", details=[problem])


def _kind(value: object) -> str:
    return clean(type(value).__name__, longest=_SHOWN)
