"""Why a generation failed, read from the provider's ``error_message``.

The API gives no codes, only words. What is decided here is whether the engine may buy the same
again by itself: it does so for ``system`` and ``timeout``. So where words point both ways the kind
that is *not* bought again wins: image and content come before timeout.

=========  ========================================================================================
image      the start image is to blame: unreadable, of the wrong kind, or showing photorealistic
           people (the example in the provider's own documentation); another image may pass
content    moderation or a policy refused the prompt or the result
timeout    the provider's own patience ended
system     everything else, also no message at all
=========  ========================================================================================
"""

import re
from typing import Final

from jobs.states import FailureKind

_LONGEST_SEARCHED: Final = 2000

_PICTURE = r"(?:images?|pictures?|photos?)"
_PEOPLE = r"(?:people|persons?|humans?|faces?)"
_FAULT = (
    r"(?:people|persons?|humans?|faces?|celebrit(?:y|ies)|minors?|photo-?realistic|realistic|"
    r"invalid|unsupported|corrupt(?:ed)?|damaged|broken|unreadable|truncated|empty|missing|"
    r"too (?:large|big|small)|could not|can ?not|can't|couldn't|unable|failed to|format|"
    r"dimensions?|resolution|aspect|mime|decode|download|fetch|rejected|"
    r"not (?:allowed|supported|found))"
)

_TABLE: Final = (
    (FailureKind.IMAGE, rf"\bphoto-?realistic {_PEOPLE}\b"),
    (FailureKind.IMAGE, rf"\b{_PICTURE}\b.*\b{_FAULT}\b"),
    (FailureKind.IMAGE, rf"\b{_FAULT}\b.*\b{_PICTURE}\b"),
    (FailureKind.CONTENT, r"\b(?:moderat(?:ed|ion|or)|polic(?:y|ies)|guidelines?|guardrails?)\b"),
    (FailureKind.CONTENT, r"\bterms of (?:use|service)\b|\bviolat(?:es?|ed|ing|ions?)\b"),
    (
        FailureKind.CONTENT,
        r"\b(?:nsfw|sexual(?:ly)?|nudity|violen(?:t|ce)|self-harm|hat(?:e|eful))\b",
    ),
    (FailureKind.CONTENT, r"\b(?:harmful|illegal|unsafe|safety|sensitive|inappropriate)\b"),
    (FailureKind.CONTENT, r"\b(?:disallowed|prohibited|forbidden|blocked|flagged|banned)\b"),
    (FailureKind.CONTENT, r"\bnot (?:allowed|permitted)\b"),
    (FailureKind.CONTENT, r"\b(?:copyright(?:ed)?|trademarks?|third[- ]party|likeness)\b"),
    (FailureKind.CONTENT, r"\b(?:celebrit(?:y|ies)|public figures?|real people)\b"),
    (
        FailureKind.CONTENT,
        r"\b(?:prompt|content|input) (?:was |has been |is )?(?:rejected|refused|denied)\b",
    ),
    (FailureKind.TIMEOUT, r"\btimed?[- ]?out\b|\btimeouts?\b|\btime limit\b"),
    (FailureKind.TIMEOUT, r"\btook too long\b|\bdeadline exceeded\b|\bexpired\b"),
)
"""``(kind, what the message says)``: the first row that fits decides, else it is ``system``."""


def failure_kind(message: str | None) -> FailureKind:
    """Classify a failure by the provider's words."""
    text = " ".join((message or "")[:_LONGEST_SEARCHED].split())
    for kind, pattern in _TABLE:
        if re.search(pattern, text, re.IGNORECASE):
            return kind
    return FailureKind.SYSTEM
