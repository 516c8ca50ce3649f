"""Whose fault a refused or failed submission is, read from the API's words and codes.

Real APIs say "no money" and "suspended" under any status: what decides is the words. Each table is
tried from its top; the first line that fits decides.

=========  ========================================================================================
funds      the account's money: credits, balance, billing, a payment
account    the account itself: suspended, deactivated, a quota or a plan's limit that is used up
busy       passing: too many at once, too many a minute
=========  ========================================================================================

Words about an account count only as a statement of fact ("your account has been suspended"). Then
they win, also where moderation is mentioned beside them ("… for violating our content policy"): to
stop costs nothing and harms no row. A warning ("violations may get your account suspended") is no
such statement, and the refusal stays the row's. What is said of one row tells nothing of the
account, whatever its words: a line that begins with a field of the row (``prompt: …``), quoted
text, what the row's own prompt says, and limits that have a row's measure ("20 MB", "15 seconds").
"""

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final


class Cause(Enum):
    """What concerns every submission, not one row."""

    FUNDS = "funds"
    ACCOUNT = "account"
    BUSY = "busy"


_WHO = r"(?:accounts?|organi[sz]ations?|users?|projects?|api keys?|keys?|subscriptions?|teams?|workspaces?|tenants?|customers?|members?|plans?)"  # noqa: E501
_STATE = r"(?:suspended|banned|deactivated|disabled|terminated|closed|locked|restricted|frozen|inactive|on hold|not active)"  # noqa: E501
_IS = r"(?:is|was|has been|have been|are|currently|temporarily|permanently|now|status|id \S+|:|=)"
_MONEY = r"(?:credits?|funds?|balances?|money|tokens? balance)"
_LIMITED = r"(?:daily|monthly|weekly|yearly|account|plan|subscription|tier|usage|spending|spend|generations?|videos?|trial)"  # noqa: E501
_USED_UP = r"(?:exceed(?:ed|s)?|reached|exhausted|used up|depleted|hit|over)"

_ASKED: Final = r"requests?|calls?|submissions?|generations?|jobs?|tasks?|times|once"
_TABLE: Final = (
    (Cause.BUSY, r"\bconcurren\w+\b|\btoo many (?:concurrent|parallel|active|running)\b"),
    (Cause.BUSY, r"\brate[- ]?limit\w*\b|\btoo many requests\b|\brpm\b"),
    (Cause.BUSY, rf"\b(?:{_ASKED})\b.{{0,30}}\bper (?:second|minute)\b"),
    (Cause.FUNDS, rf"\binsufficient (?:\w+ )?(?:{_MONEY}|quota)\b"),
    (
        Cause.FUNDS,
        rf"\b{_MONEY} (?:\w+ )?(?:is |are |was )?(?:too low|low|not enough|insufficient)\b",
    ),
    (Cause.FUNDS, rf"\b(?:not enough|no|out of|run out of|lack of|exhausted) (?:\w+ )?{_MONEY}\b"),
    (Cause.FUNDS, rf"\b{_MONEY} (?:\w+ )?(?:exhausted|depleted|used up|exceeded)\b"),
    (Cause.FUNDS, r"\bpayment (?:is )?(?:required|overdue|failed)\b|\bbilling\b|\bunpaid\b"),
    (Cause.FUNDS, r"\btop[- ]?up\b|\brecharge\b|余额不足|欠费"),
    (Cause.ACCOUNT, rf"\b{_WHO} (?:{_IS} ){{0,3}}{_STATE}\b"),
    (Cause.ACCOUNT, rf"\b{_STATE} (?:{_WHO})\b"),
    (Cause.ACCOUNT, rf"\bquotas?\b.{{0,40}}\b{_USED_UP}\b|\b{_USED_UP}\b.{{0,40}}\bquotas?\b"),
    (Cause.ACCOUNT, rf"\b{_LIMITED} (?:\w+ )?limits?\b.{{0,20}}\b{_USED_UP}\b"),
    (Cause.ACCOUNT, rf"\b{_USED_UP}\b.{{0,30}}\b{_LIMITED} (?:\w+ )?limits?\b"),
)
"""``(cause, what the API says)``, in lower case, with codes taken apart into words."""

_FIELD = re.compile(
    r"^\W*(?:(?:the|your|this|an?|invalid|bad|unsupported|field|parameter|property|body)\b\W*)*"
    r"(?:\w+\.)*(?:prompts?|images?(?:_\w+)?|picture|photo|duration|orientation|callback_?url)\b"
    r"(?:[^:]{0,20}:|\W+(?:(?:file|size|length|text|field|value)\W+)?(?:is|are|was|has|have|must|may|"
    r"can|should|does|do|contains?|exceeds?|mentions?|needs?)\b)",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"\"[^\"]*(?:\"|$)|\u201c[^\u201d]*(?:\u201d|$)|\u201e[^\u201c\u201d]*(?:[\u201c\u201d]|$)|"
    r"\u00ab[^\u00bb]*(?:\u00bb|$)|`[^`]*(?:`|$)|\u300c[^\u300d]*(?:\u300d|$)|"
    r"(?<!\w)['\u2018](?:[^'\u2019]|(?<=\w)['\u2019](?=\w))*(?:['\u2019](?!\w)|$)"
)
"""Text in quotation marks, also one that was cut before its end; an apostrophe is none."""

_MEASURED = re.compile(
    r"\b\d[\d., ]*(?:[kmg]i?b|(?:kilo|mega|giga)?bytes?|s|secs?|seconds?|min|minutes?|px|pixels?|"
    r"characters?|chars?|words?|fps)\b"
)
_BY_TIME = re.compile(r"\b(?:dai|week|month|year)ly\b|\bquotas?\b")
"""What an account has so much of in a time: measures beside it are the account's."""

_RUN = 3
"""Words in a row that stand in the row's prompt as well: they are from there."""

_CALLBACK = re.compile(r"\b(?:callback|webhook)(?:[_ -]?ur[il])?\b", re.IGNORECASE)
_OF_THE_ROW = re.compile(
    r"\b(?:prompts?|images?(?:_\w+)?|pictures?|duration|seconds|orientation|aspect|ratio|content)\b",
    re.IGNORECASE,
)
MODERATED: Final = re.compile(
    r"\b(?:moderat\w+|content[ _-]polic\w+|usage polic\w+|community guidelines|guardrails?|nsfw|"
    r"sexual\w*|nudity|violence|violent|unsafe|safety|harmful|copyright\w*|celebrit\w+|minors?)\b",
    re.IGNORECASE,
)
"""What a refusal of one prompt or image says, under any status."""

_WARNING = re.compile(rf"\b(?:may|might|could|will|risks?|lead to|result in)\b.{{0,60}}?{_STATE}\b")
"""What may become of an account is no statement that it has."""

_LONGEST_SEARCHED: Final = 2000


def cause_of(lines: Sequence[str], prompt: str = "") -> Cause | None:
    """Return what the API's words tell of the account; None when they tell nothing of it.

    Args:
        lines: the API's words.
        prompt: of the row that they are about, which they may quote.
    """
    own = _bare(_spread(prompt, None))
    texts = [
        _WARNING.sub(" ", _without(own, _spread(_without_quotes(line))))
        for line in lines
        if not _FIELD.match(line)
    ]
    for cause, pattern in _TABLE:
        for text in texts:
            of_a_row = cause is Cause.ACCOUNT and _MEASURED.search(text)
            if of_a_row and not _BY_TIME.search(text):
                continue
            if any(not _within(found[0], own) for found in re.finditer(pattern, text)):
                return cause
    return None


def quotes(lines: Sequence[str], prompt: str) -> bool:
    """Check whether the words quote the row's prompt, or a part of it: then they are about it."""
    own = _bare(_spread(prompt, None))
    said = [_bare(_spread(line)) for line in lines]
    quoted = [_spread(found[0]) for line in lines for found in _QUOTED.finditer(line)]
    return any(_without(own, text) != text for text in said) or any(
        _within(text, own) for text in quoted
    )


def _bare(text: str) -> str:
    """Leave out all but words: what quotes a prompt may write other signs between them."""
    return " ".join(re.findall(r"\w+", text))


def _within(text: str, own: str) -> bool:
    """Check whether words stand in the row's prompt; not all scripts have spaces between them."""
    bare = _bare(text)
    return bool(bare) and (f" {bare} " in f" {own} " or (not bare.isascii() and bare in own))


def _without_quotes(line: str) -> str:
    """Leave out quoted text, unless there is nothing else."""
    left = _QUOTED.sub(" ", line)
    return left if re.search(r"\w", left) else line


def _without(own: str, text: str) -> str:
    """Leave out the words that stand in the row's prompt in the same order, three at least."""
    if not own:
        return text
    words, kept, at = text.split(), [], 0
    while at < len(words):
        end = at
        while end < len(words) and _within(" ".join(words[at : end + 1]), own):
            end += 1
        if end - at < _RUN:
            kept.append(words[at])
            end = at + 1
        at = end
    return " ".join(kept)


def names_callback(lines: Sequence[str]) -> bool:
    """Check whether it is the address for callbacks that was refused, and nothing else."""
    text = " ".join(lines)
    return bool(_CALLBACK.search(text)) and not _OF_THE_ROW.search(text)


def names_row(lines: Sequence[str]) -> bool:
    """Check whether the words name a field of the row, its content or its image."""
    text = " ".join(lines).replace("_", " ")
    return bool(_OF_THE_ROW.search(text) or MODERATED.search(text))


def _spread(line: str, longest: int | None = _LONGEST_SEARCHED) -> str:
    """Take codes apart: ``INSUFFICIENT_CREDITS`` and ``accountSuspended`` are words too."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", line[:longest])
    return " ".join(re.sub(r"[_\-/.,;()\[\]'\"]+", " ", text).casefold().split())
