"""The state of a generation, and the address of its video, in whatever words the API has.

An unknown word is kept as it is, and nothing final is concluded from it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from batchsora.providers.runblob.failures import failure_kind
from batchsora.providers.runblob.reasons import spelled
from batchsora.providers.runblob.words import clean
from jobs.model.states import FailureKind

FIELDS: Final = ("status", "state", "task_status")
LONGEST: Final = 40

_REASON: Final = frozenset({FailureKind.IMAGE, FailureKind.CONTENT})
_TABLE: Final = (
    ("pending", "pending queued queueing submitted waiting created accepted scheduled starting"),
    ("pending", "not_start not_started in_queue"),
    ("processing", "processing in_progress running generating rendering active started working"),
    ("completed", "completed complete succeeded succeed success successful done finished ready"),
    ("failed", "failed fail failure error errored"),
    ("stopped", "cancelled canceled cancel aborted expired"),
    ("refused", "rejected moderated blocked nsfw flagged content_filtered"),
)
"""``(what it means, the words for it)``, in any case, joined in any way."""

_MEANINGS: Final = {
    word.replace("_", ""): meaning for meaning, words in _TABLE for word in words.split()
}
ENDED_BADLY: Final = ("refused", "stopped", "failed")
_LIVE: Final = ("processing", "pending", "completed")
_DEEPEST: Final = 3
_COMPATIBLE: Final = (ENDED_BADLY, ("processing", "pending"), ("completed",))
"""Rows that do not contradict each other; of several the first one counts."""

_PREFIX: Final = re.compile(
    r"^(?:(?:task|job|video|media|generation|prediction) )*(?:(?:status|state) )+"
)


LONGEST_URL: Final = 8192
VIDEO_FIELDS: Final = ("video_url", "result_url", "output_url", "output", "video", "url")
"""Fields with the address, the first one that is usable counts."""

_URL = re.compile(r"https?://[^\s\x00-\x20\x7f-\x9f\ud800-\udfff<>\"\\]+", re.IGNORECASE)
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{1,63}(?::\d{1,5})?/", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """The state of a generation.

    Attributes:
        status: ``pending``, ``processing``, ``completed``, ``failed``; else the API's own word in
            lower case; None if there is none.
        said: the API's own word; None if there is none.
    """

    status: str | None
    said: str | None
    failure: FailureKind | None = None


def meaning(word: str) -> str | None:
    """Return the row of a word: a status, ``stopped`` or ``refused``; None if it is in none."""
    plain = spelled(word[: 4 * LONGEST])
    return _MEANINGS.get(plain.replace(" ", "")) or _MEANINGS.get(
        _PREFIX.sub("", plain).replace(" ", "")
    )


def canonical(word: str) -> str:
    """Return the one word for a state, or the API's own in lower case."""
    found = meaning(word)
    return "failed" if found in ENDED_BADLY else found or clean(word, longest=LONGEST).lower()


def told(
    document: Mapping[str, Any], secret: str = "", whole: Mapping[str, Any] | None = None
) -> Told:
    """Read the state of a generation.

    Fields that contradict each other say nothing: one of them may be about the answer itself. The
    same is true if something around or beside the generation (``whole``) says that it is still
    running.
    """
    words = [word for name in FIELDS if (word := _word(document.get(name), secret))]
    meanings = {found for word in words if (found := meaning(word))}
    row = next((row for row in _COMPATIBLE if meanings and meanings <= set(row)), None)
    if row is not None:
        found = next(one for one in row if one in meanings)
        said = next(word for word in words if meaning(word) == found)
        if found not in ENDED_BADLY:
            return Told(found, said)
        inner = [word for word in _inside(document, _DEEPEST) if meaning(word) in _LIVE]
        whole = whole or document
        beside = [word for word in _states(whole, 2 * _DEEPEST) if meaning(word) in _LIVE]
        inner += [word for word in beside if meaning(word) != "completed"]
        if not inner:
            strange = len(words) > sum(meaning(word) is not None for word in words)
            # what is said to be done, or has a video, may be there anyway
            strange = strange or bool(beside) or any(map(video_address, (document, whole)))
            return Told("failed", said, _failure(found, whole, strange=strange))
        words += inner
    said_all = ", ".join(dict.fromkeys(words)) or None
    return Told(said_all and said_all.lower(), said_all)


def _inside(document: Mapping[str, Any], depth: int) -> Iterator[str]:
    """List the states inside a generation: one may say that it has not ended."""
    for part in document.values() if depth else ():
        if isinstance(part, Mapping):
            yield from _states(part, depth - 1)


def _states(document: Mapping[str, Any], depth: int) -> Iterator[str]:
    """List the states of an object, and of its parts."""
    yield from (word for name in FIELDS if (word := _word(document.get(name), "")))
    yield from _inside(document, depth)


def _failure(found: str, document: Mapping[str, Any], *, strange: bool) -> FailureKind:
    """Return why it failed; a cancelled one, or one with a ``strange`` state, is never retried."""
    kind = failure_kind(document)
    if (found == "failed" and not strange) or kind in _REASON:
        return kind
    return FailureKind.CONTENT if found == "refused" else FailureKind.UNKNOWN


def _word(value: object, secret: str) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**LONGEST:
        return str(value)
    return (clean(value, secret, LONGEST) or None) if isinstance(value, str) else None


def web_address(value: object) -> str | None:
    """Return a web address as it is; None for anything else."""
    if isinstance(value, str) and len(value) <= LONGEST_URL and _URL.fullmatch(value):
        return value
    return None


def video_address(document: Mapping[str, Any], base_url: str = "") -> str | None:
    """Return the usable address of a generation's video, resolved against the API's, or None."""
    for name in VIDEO_FIELDS:
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
