"""Why a generation failed, read from the provider's words and codes.

This decides whether the engine may buy the same again by itself, which it does for ``system`` and
``timeout`` alone. So these two are a whitelist: the provider says so explicitly, and *everything*
beside it is known to us: each word, number, sign and field. What is not understood is ``unknown``.

=========  ========================================================================================
image      the start image is to blame: unreadable, of the wrong kind, or showing photorealistic
           people (the example in the provider's own documentation); another image may pass
content    moderation or a policy refused the prompt or the result
timeout    the provider itself says that it ran out of time
system     the provider itself says that it had an error, an overload or maintenance
unknown    everything else: another language, an unknown code, or no reason at all
=========  ========================================================================================
"""

import re
from typing import Final

from batchsora.providers.runblob.reasons import Piece, said, spelled
from jobs.model.states import FailureKind
from jobs.model.text import normalized

_PICTURE = r"\b(?:images?|pictures?|photos?)\b"
_PEOPLE = r"(?:people|persons?|humans?|faces?)"
_FAULT = (
    r"\b(?:people|persons?|humans?|faces?|celebrit(?:y|ies)|minors?|photo-?realistic|realistic|"
    r"invalid|unsupported|corrupt(?:ed)?|damaged|broken|unreadable|truncated|empty|missing|"
    r"inaccessible|mismatch|load error|process(?:ing)? (?:error|failed)|"
    r"too (?:large|big|small|many)|could not|can ?not|can[' ]t|couldn'?t|unable|failed to|format|"
    r"dimensions?|resolution|aspect|mime|decode|download|fetch|rejected|"
    r"not (?:allowed|supported|found))\b"
)

_TABLE: Final = (
    (FailureKind.IMAGE, (rf"\bphoto-? ?real(?:istic)? (?:{_PEOPLE}|uploads?)\b",)),
    (FailureKind.IMAGE, (rf"\b{_PEOPLE} uploads?\b",)),
    (FailureKind.IMAGE, (_PICTURE, _FAULT)),
    (FailureKind.CONTENT, (r"\b(?:moderat\w+|polic(?:y|ies)|guidelines?|guardrails?)\b",)),
    (FailureKind.CONTENT, (r"\bterms of (?:use|service)\b|\bviolat(?:es?|ed|ing|ions?)\b",)),
    (
        FailureKind.CONTENT,
        (r"\b(?:nsfw|sexual(?:ly)?|nudity|violen(?:t|ce)|self[- ]harm|hat(?:e|eful)|toxic)\b",),
    ),
    (FailureKind.CONTENT, (r"\b(?:harmful|illegal|unsafe|safety|sensitive|inappropriate)\b",)),
    (FailureKind.CONTENT, (r"\b(?:disallowed|prohibited|forbidden|blocked|flagged|banned)\b",)),
    (FailureKind.CONTENT, (r"\b(?:unacceptable|censor(?:ed|ship)?|filtered|risk control)\b",)),
    (FailureKind.CONTENT, (r"\bcontent filters?\b|\brephras(?:e|ing)\b|\bnon[- ]english\b",)),
    (FailureKind.CONTENT, (r"\bnot (?:allowed|permitted)\b",)),
    (FailureKind.CONTENT, (r"\b(?:copyright(?:ed)?|trademarks?|third[- ]party|likeness)\b",)),
    (
        FailureKind.CONTENT,
        (rf"\b(?:celebrit(?:y|ies)|public figures?|(?:real|prominent) {_PEOPLE})\b",),
    ),
    (
        FailureKind.CONTENT,
        (r"\b(?:prompt|content|input) (?:was |has been |is )?(?:rejected|refused|denied)\b",),
    ),
)
"""``(kind, what the reason says)``: the first row of which everything is found decides."""

_OWN: Final = r"(?:servers?|services?|systems?|backend|sora)"
_PASSING: Final = (
    (FailureKind.TIMEOUT, r"\btimed? ?outs?\b|\btook too long\b|\bdeadline (?:was )?exceeded\b"),
    (FailureKind.TIMEOUT, r"\btime limit (?:was |has been )?(?:exceeded|reached)\b"),
    (
        FailureKind.TIMEOUT,
        (
            r"\bexceed(?:s|ed|ing) (?:the |its )?(?:maximum |max )?(?:allowed )?"
            r"(?:processing |generation |rendering )?time\b"
        ),
    ),
    (
        FailureKind.SYSTEM,
        (
            r"\binternal (?:server |service |system |processing |rendering |model |worker )?"
            r"(?:errors?|failure|fault|exception)\b|^internal$"
        ),
    ),
    (FailureKind.SYSTEM, r"\b(?:server|system|backend) (?:error|failure|fault)\b|\bbad gateway\b"),
    (
        FailureKind.SYSTEM,
        (
            rf"\b{_OWN} (?:is |are |was )?(?:currently |temporarily |too |very )*"
            r"(?:unavailable|overloaded|busy|down|at capacity)\b"
            r"(?! (?:for|to|with|on|in) (?:your|this|these|that|the)\b)"
        ),
    ),
    (FailureKind.SYSTEM, r"\boverload(?:ed)?\b|\b(?:at|over|out of) capacity\b"),
    (FailureKind.SYSTEM, r"\b(?:high|heavy) (?:system |server )?(?:load|demand|traffic)\b"),
    (
        FailureKind.SYSTEM,
        rf"\b(?:under|undergoing|for|scheduled|{_OWN}) (?:scheduled )?maintenance\b|^maintenance$",
    ),
)
"""``(kind, the provider's own fault in so many words)``, of what :func:`spelled` makes of it."""

_BESIDE: Final = (
    "a an the this that it its is are was were has have had be been we our us to of "
    "on in at by for from with while during due because and or as after before until when if "
    "please sorry there here some few moment moments minute minutes second seconds hour hours "
    "now soon shortly currently temporarily temporary too very again later back about oops "
    "error errors exception failure failures failed fail fault errored internal unavailable "
    "server servers service services system systems backend platform provider upstream model api "
    "engine worker workers node gpu cluster capacity gateway sora openai runblob experiencing "
    "task job request generation generating generate generated prediction inference "
    "video videos render rendering rendered processing process processed creating create "
    "created creation complete completed finish finished queue waiting time s ms sec min "
    "try trying retry code type status message reason http "
    "occurred occur happened encountered unexpected unexpectedly something went wrong unable "
    "could issue problem persists contact support help center through can"
)
"""What may stand beside such words. Whatever could name a cause in the row is missing."""

_WORDS: Final = frozenset(_BESIDE.split())
_ASIDES: Final = re.compile(
    r"\b(?:you )?(?:could|can|was|were|has|have)(?:n t| not)(?: been| be)? "
    r"(?:completed?|finish(?:ed)?|generated?|processed|rendered|created)\b"
    r"|\b(?:you )?(?:was|were|has|have)(?:n t| not)(?: been| be)? charged\b"
    r"|\b(?:sora 2(?: pro)?|open ai|run blob)\b|\bwe (?:re|ve|ll)\b|\bright now\b"
    r"|\bon our (?:side|end)\b|\bthank you for your patience\b"
    r"|\b(?:you )?will not be charged\b"
    r"|\bwill be back\b"
    r"|\b(?:your )?credits (?:were|was|will be|have been) (?:refunded|returned)\b"
)
_YOURS: Final = re.compile(r"\byour (?:request|video|generation|task|job|prediction)\b")
"""What of the customer's may be named; nothing of theirs is down, at capacity or over a limit."""

_SPAN: Final = re.compile(
    r"\b[0-9]{1,9} ?(?:s|ms|secs?|seconds?|mins?|minutes?|h|hours?)\b", re.MULTILINE
)
_HTTP: Final = frozenset({"500", "502", "503", "504"})
"""Figures that mean the same in every API: what HTTP calls the server's own fault. Every other one
is a code of this provider's, whose meaning nobody told us, however plain the words beside it."""

_ILLEGIBLE: Final = re.compile(
    r"(?<!\w)[-\u2010-\u2015][0-9]|"
    r"[^\w\s!-/:-@\[-`{-~\u2010-\u2015\u2018-\u201f\u2022\u2026\u00ab\u00b7\u00bb\u3001\u3002]"
)
"""What :func:`spelled` would drop, and may mean something anyway: emoji, a figure's minus."""


def failure_kind(document: object) -> FailureKind:
    """Classify a failure, from the failed generation or the reason itself."""
    found = said(document)
    codes = "\n".join(filter(None, (spelled(piece.text) for piece in found)))
    text = " ".join(piece.text for piece in found) + "\n" + codes.replace("\n", " ")
    for kind, patterns in _TABLE:
        if all(re.search(pattern, text, re.IGNORECASE) for pattern in patterns):
            return kind
    passing = _passing(codes) if all(map(_is_legible, found)) else None
    return passing or FailureKind.UNKNOWN


def _is_legible(piece: Piece) -> bool:
    """Check whether a piece is in a known field, with nothing but words and numbers."""
    text = normalized(piece.text, "NFKC")
    return not piece.name and not _ILLEGIBLE.search(text)


def _passing(codes: str) -> FailureKind | None:
    """Return the kind of a failure of the provider itself; None if anything in it is unknown."""
    found: FailureKind | None = None
    beside = _SPAN.sub(" ", _ASIDES.sub(" ", codes))
    for kind, phrase in _PASSING:
        beside, times = re.subn(phrase, " ", beside, flags=re.MULTILINE)
        found = found or (kind if times else None)
    words = _YOURS.sub(" ", beside).split()
    understood = all(word in _WORDS or word in _HTTP for word in words)
    return found if understood else None
