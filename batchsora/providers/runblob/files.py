"""Where the video of a completed generation is."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

LONGEST_URL: Final = 8192
FIELDS: Final = ("video_url", "result_url", "output_url", "output", "video", "url")
"""Fields with the address, the first one that is usable counts."""

_URL = re.compile(r"https?://[^\s\x00-\x20\x7f-\x9f\ud800-\udfff<>\"\\]+", re.IGNORECASE)
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{1,63}(?::\d{1,5})?/", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def web_address(value: object) -> str | None:
    """Return a web address as it is; None for anything else."""
    if isinstance(value, str) and len(value) <= LONGEST_URL and _URL.fullmatch(value):
        return value
    return None


def video_address(document: Mapping[str, Any], base_url: str = "") -> str | None:
    """Return the usable address of a generation's video, resolved against the API's, or None."""
    for name in FIELDS:
        found = _resolved(_only(document.get(name)), base_url)
        if found is not None:
            return found
    return None


def _only(value: object) -> object:
    """Return the content of a list of one, or of an object with a ``url``."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.get("url") if isinstance(value, Mapping) else value


def _resolved(value: object, base_url: str) -> str | None:
    found = web_address(value)
    if found is not None or not isinstance(value, str) or not base_url:
        return found
    text = value.strip()
    if not text or len(text) > LONGEST_URL or text.startswith(("?", "#")):
        return None
    try:
        if _HOST.match(text):
            return web_address(f"{urlsplit(base_url).scheme}://{text}")
        if _SCHEME.match(text):
            return None
        return web_address(urljoin(f"{base_url.rstrip('/')}/", text))
    except ValueError:  # half an IPv6 address
        return None
