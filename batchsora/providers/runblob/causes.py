"""Whose fault a refused or failed submission is, read from the API's words and codes.

Real APIs say "no money" and "suspended" under any status, so the words decide. Tables are read from
the top; the first line that matches decides.

=========  ========================================================================================
funds      the account's money: credits, balance, billing, a payment
account    the account itself: suspended, deactivated, a quota or a plan's limit that is used up
busy       passing: too many at once, too many a minute, where it is said of requests
=========  ========================================================================================

Words about an account only count as a statement of fact ("your account has been suspended"). Then
they win, even beside moderation ("… for violating our content policy"): to stop costs nothing and
harms no row. A warning ("violations may get your account suspended") is not such a statement. What
is said of one row says nothing of the account: a line that begins with a field of the row
(``prompt: …``), quoted text, what the row's own prompt says, and limits with a row's measure
("20 MB", "15 seconds").

For what the table leaves open the question is: is it said of the row, in forms that we know, and
not of an account (:func:`is_the_rows`)? Only that is the row's, however often it comes: a word for
moderation beside a word for a refusal is not enough. Whatever else names a field or moderation
("Image generation failed", "under review for policy violations") is the run's when three different
rows get the same.
"""

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final

from batchsora.providers.runblob.quoting import (
    says_again,
    spread,
    unquoted,
    within,
    without_marked,
    without_prompt,
    without_runs,
    words_of,
)


class Cause(Enum):
    """What concerns every submission, not one row."""

    FUNDS = "funds"
    ACCOUNT = "account"
    BUSY = "busy"


_WHO = r"(?:accounts?|organi[sz]ations?|users?|projects?|api keys?|keys?|subscriptions?|teams?|workspaces?|tenants?|customers?|members?|memberships?|plans?|trials?|access)"  # noqa: E501
_STATE = r"(?:suspended|banned|deactivated|disabled|terminated|closed|locked|restricted|frozen|inactive|revoked|expired|on hold|not active)"  # noqa: E501
_IS = r"(?:is|was|has been|have been|are|currently|temporarily|permanently|now|status|id \S+|:|=)"
_MONEY = r"(?:credits?|funds?|balances?|money|tokens? balance)"
_LIMITED = r"(?:daily|monthly|weekly|yearly|account|plan|subscription|tier|usage|spending|spend|generations?|videos?|trial)"  # noqa: E501
_USED_UP = r"(?:exceed(?:ed|s)?|reached|exhausted|used up|depleted|hit|over)"

_REQUESTS: Final = r"requests?|calls?|submissions?|generations?|videos?|jobs?|tasks?"
_ASKED: Final = rf"{_REQUESTS}|times|once"
_TABLE: Final = (
    (Cause.BUSY, rf"\b(?:concurren\w+|parallel) (?:\w+ )?(?:limits?|limited|{_REQUESTS})\b"),
    (Cause.BUSY, rf"\b(?:max\w*|(?:{_REQUESTS})(?: \w+)?) concurren\w+\b"),
    (Cause.BUSY, rf"\btoo many (?:\w+ )?(?:{_REQUESTS})\b|\brpm\b"),
    (Cause.BUSY, r"(?<!frame )(?<!bit )(?<!sample )\brate ?limit\w*\b"),
    (Cause.BUSY, rf"\b(?:{_ASKED})\b.{{0,30}}\bper (?:second|minute)\b"),
    (Cause.FUNDS, rf"\binsufficient (?:\w+ )?(?:{_MONEY}|quota)\b"),
    (
        Cause.FUNDS,
        rf"\b{_MONEY} (?:\w+ )?(?:is |are |was )?(?:too low|low|not enough|insufficient)\b",
    ),
    (
        Cause.FUNDS,
        rf"\b(?:not (?:have )?enough|no|out of|run out of|lack of|exhausted) (?:\w+ )?{_MONEY}\b",
    ),
    (Cause.FUNDS, rf"\b{_MONEY} (?:\w+ )?(?:exhausted|depleted|used up|exceeded)\b"),
    (Cause.FUNDS, r"\bpayment (?:is )?(?:required|overdue|failed)\b|\bbilling\b|\bunpaid\b"),
    (Cause.FUNDS, r"\btop[- ]?up\b|\brecharge\b|余额不足|欠费"),
    (Cause.ACCOUNT, rf"\b{_WHO} (?:{_IS} ){{0,3}}{_STATE}\b"),
    (Cause.ACCOUNT, rf"\b{_STATE} (?:(?:your|this|the) )?(?:{_WHO})\b"),
    (Cause.ACCOUNT, r"\byou (?:have been|were|are) (?:\w+ly )?(?:suspended|banned|deactivated)\b"),
    (Cause.ACCOUNT, rf"\bquotas?\b.{{0,40}}\b{_USED_UP}\b|\b{_USED_UP}\b.{{0,40}}\bquotas?\b"),
    (Cause.ACCOUNT, rf"\b{_LIMITED} (?:\w+ )?limits?\b.{{0,20}}\b{_USED_UP}\b"),
    (Cause.ACCOUNT, rf"\b{_USED_UP}\b.{{0,30}}\b{_LIMITED} (?:\w+ )?limits?\b"),
)
"""``(cause, what the API says)``, in lower case, with codes taken apart into words."""

# the first repetition is possessive: else "a.a.a." is split between it and the next in every way
_FIELD = (
    r"^\W*(?:(?:the|your|this|an?|invalid|bad|unsupported|field|parameter|property|body)\b\W*)*+"
    r"(?:\w+\.)*(?:prompts?|prompt_?text|images?(?:_\w+)?|picture|photo|duration|orientation|callback_?url)\b"
    r"(?:\W+(?:file|size|length|text|field|value|\d+)\b)?"
)
_IN_FIELD = re.compile(rf"{_FIELD}[^:\w]{{0,20}}:", re.IGNORECASE)
"""``prompt: …``, ``field 'image': …``, but not ``Image generation failed: …``."""

_OF_FIELD = re.compile(
    rf"{_FIELD}\W+(?:is|are|was|has|have|must|may|can|should|does|do|contains?|exceeds?|mentions?|"
    r"needs?)\b",
    re.IGNORECASE,
)
"""``The prompt contains …``"""

_MEASURED = re.compile(
    r"\b\d[\d., ]*(?:[kmg]i?b|(?:kilo|mega|giga)?bytes?|s|secs?|seconds?|min|minutes?|px|pixels?|"
    r"characters?|chars?|words?|fps)\b"
)
_WAIT = re.compile(
    r"\b(?:in|after|every|wait|within|per) \d[\d ]*(?:s|secs?|seconds?|min|minutes?)\b"
)
"""How long to wait, which measures no row."""

_BY_TIME = re.compile(r"\b(?:dai|week|month|year)ly\b|\bquotas?\b")
"""What an account has so much of in a time: measures beside it are the account's."""

_CALLBACK = re.compile(r"\b(?:callback|webhook)(?:[_ -]?ur[il])?\b", re.IGNORECASE)
_OF_THE_ROW = re.compile(
    r"\b(?:prompts?(?:text)?|images?(?:_\w+)?|pictures?|duration|seconds|orientation|aspect|ratio|"
    r"content)\b",
    re.IGNORECASE,
)
_MODERATED: Final = re.compile(
    r"\b(?:moderat\w+|content[ _-]polic\w+|usage polic\w+|community guidelines|guardrails?|nsfw|"
    r"sexual\w*|nud(?:e|ity)|violence|violent|unsafe|safety|harmful|copyright\w*|celebrit\w+|"
    r"minors?|violat\w+|terms of (?:use|service)|inappropriate|offensive|sensitive|prohibited|"
    r"explicit)\b|verstö(?:ß|ss)t|infringe|enfreint|違反|违规|违反|敏感|наруша",
    re.IGNORECASE,
)
"""What a refusal of one prompt or image says, under any status."""

_REFUSED = r"(?:flagged|blocked|rejected|refused|denied|declined|filtered|moderated|violat\w+)"
_BAD = r"(?:inappropriate|offensive|harmful|unsafe|explicit|sensitive|prohibited)"
_BROKEN = r"(?:invalid|unsupported|malformed|corrupt\w*|unreadable|missing|empty|blank)"
_WRONG = (
    rf"(?:{_REFUSED}|{_BAD}|{_BROKEN}|breach\w*|forbidden|disallowed|banned|depicts?|"
    r"contain(?:s|ed)?|not (?:allowed|permitted|accepted|supported|appropriate|reachable|found|"
    r"valid)|not be (?:decoded|read|downloaded|fetched|loaded|opened|used|shown)|exceeds|"
    r"too (?:long|short|large|small|big)|at (?:most|least)|must|should)"
)
_ONE = (
    r"(?:prompt|image|picture|photo|duration|orientation|aspect ratio|content)"
    r"(?: (?:text|url|base64|file|format|size|length|dimensions?|resolution|value))?"
)
_JOINT = (
    r"(?:is|was|be|been|has|have|had|may|might|can|could|will|would|does|did|of|in|with|that|which|"
    r"and|or|you|it|appears|seems|potentially|likely|too|not)"
)
_RULES = (
    r"(?:content (?:\w+ )?(?:polic\w+|filters?|moderation|rules|guidelines|check\w*)|"
    r"usage polic\w+|usage guidelines|community guidelines|guardrails?|moderation|safety|"
    r"terms of (?:use|service))"
)
_THIS = r"(?:request|input|text|submission|video|media|this|it)"
_KINDS = (
    r"(?:sexual\w*|nsfw|nud(?:e|ity)|violence|violent|celebrit\w+|minors|copyright\w*|"
    rf"{_BAD} (?:\w+ )?(?:content|words?|material|imagery|elements?|information))"
)
_BLAMES: Final = re.compile(
    rf"(?<!ing )\b{_ONE}(?: {_JOINT}(?: \w+){{0,8}}?)? {_WRONG}\b|"
    rf"\b{_THIS}(?: {_JOINT}(?: \w+){{0,4}}?)? {_REFUSED}(?: \w+){{0,8}}? {_RULES}\b|"
    rf"\b{_REFUSED}(?: \w+){{0,3}}? (?:by|of|to)(?: \w+){{0,8}}? {_RULES}\b|"
    rf"(?<!ing )\b(?:content polic\w+|moderation|safety|{_ONE}) (?:violation|{_REFUSED})\b|"
    rf"\b(?:{_BROKEN}|{_BAD}) {_ONE}(?: {_JOINT}\b|:|$)|"
    rf"\b(?:detected|found|present|depicted) in (?:the|your|this) {_ONE}\b|\b{_KINDS}\b|"
    r"verstösst|infringe|enfreint|違反|违规|违反|敏感|наруша"
)
"""What is wrong with this row, in words that we know, in one of these forms:

===================================================  ===============================================
*its* prompt, image, content … *is wrong*            The prompt contains …; your prompt was flagged
*wrong* prompt, image …                              Invalid image: …; unsupported image format
this request *is refused* … *a rule for content*     Your request was rejected by the safety system
*refused* by, due to, as a result of *such a rule*   Blocked by our content moderation system
*such a rule* or its prompt … violation, blocked     content_policy_violation; MODERATION_BLOCKED
a kind of content                                    nudity; sensitive words
===================================================  ===============================================

A row has one prompt and one image: prompts and images are more than it. What follows the name must
be what is said of it: "image service", "content generation", "prompt upsampling" are none of it.
"""

_ACCOUNTS: Final = re.compile(
    r"\b(?:accounts?|subscriptions?|memberships?|plans?|tiers?|trials?|credits?|quotas?|billing|"
    r"balances?|funds|pay\w*|paid|api|organi[sz]ations?|workspaces?|licen[cs]es?|upgrade\w*|access|"
    r"revoked|deactivated|terminated|expired|deprecated|retired|today|day|daily|monthly|weekly|"
    r"country|region|verif\w+|accept|agree|enabled?|content (?:type|length|encoding)|headers?|json|"
    r"keys?|token|credentials|users?|guests?|customers?|teams?|projects?|tenants?|members?|"
    r"e ?mail|phone|kyc|ip|log(?:ged)? in|sign(?:ed)?|points|coins|purchas\w+|contract|hours?|"
    r"unavailable|bucket|service is|too often|(?:repeated|too many) (?:\w+ ){0,2}violat\w+)\b|"
    r"\byou (?:must (?:be|complete|confirm|first|have|register)|"
    r"(?:have been|were|are) (?:\w+ly )?(?:blocked|restricted|limited|locked))\b|"
    r"(?:^|\b(?:been|was|were|is|are) )(?:suspended|disabled|banned)\b|"
    r"账户|账号|余额|封禁|\bkonto|gesperrt|guthaben|\bcuenta|suspendid|\bsaldo|\bcompte|suspendu|"
    r"\bsolde|аккаунт|заблокирован|アカウント|积分|用户(?!输入|提示|上传|内容)|ユーザー(?=[はが])|"
    r"пользовател|доступ|лимит|\bzugang|\busuario|\butilisateur"
)
"""With these in a sentence it may be the account, or the request as such, that was refused."""

_WARNING = re.compile(
    r"\b(?:may|might|could|will|risks?|leads? to|results? in)\b.{0,60}?"
    rf"\b(?:{_STATE}|suspension|termination|deactivation|closure|restrictions?|bans?)\b"
)
"""What may become of an account is no statement that it has."""

_ASIDE: Final = re.compile(
    rf"\b(?:accounts?|you|{_MONEY}) (?:was |were |has |have |will )?(?:not|never) (?:be |been )?"
    rf"(?:charged|deducted|used|billed)\b|\bno {_MONEY} (?:was|were|have been) \w+\b|"
    r"\b(?:users|members|customers|accounts) are (?:\w+ly )?\w+ from \w+ing\b"
)
"""Beside a row's refusal: that it cost nothing, and what is so for all accounts alike."""

_THEIRS: Final = re.compile(rf"\b(?:your|this|the) (?:\w+ )?(?:{_WHO}|e ?mail)\b")

_SENTENCES: Final = re.compile(r"(?<=[.!?;])\s+|\s[(\[]|\u3002|\uff01|\uff1f")


def cause_of(lines: Sequence[str], prompt: str = "") -> Cause | None:
    """Return what the API's words, which may quote the prompt, say of the account, or None."""
    own = words_of(prompt)
    texts = [
        without_runs(own, _stated(without_prompt(line, prompt)))
        for line in lines
        if not (_IN_FIELD.match(line) or _OF_FIELD.match(line))
    ]
    for cause, pattern in _TABLE:
        for text in texts:
            of_a_row = cause is not Cause.FUNDS and _MEASURED.search(_WAIT.sub(" ", text))
            if of_a_row and not _BY_TIME.search(text):
                continue
            if any(not within(found[0], own) for found in re.finditer(pattern, text)):
                return cause
    return None


def quotes(lines: Sequence[str], prompt: str) -> bool:
    """Check whether the words quote the row's prompt, and mention no account: it is the row's.

    A certain quotation may mention anything. Words that merely occur in the prompt ("his account is
    banned") are the API's own if they are about an account.
    """
    return any(says_again(line, prompt) for line in lines) and not any(
        _ACCOUNTS.search(_meant(without_prompt(line, prompt))) for line in lines
    )


def gist(lines: Sequence[str], prompt: str) -> str:
    """Return the API's words without quotations of the prompt, to compare refusals."""
    return "; ".join(filter(None, (unquoted(line, prompt) for line in lines)))


def names_callback(lines: Sequence[str]) -> bool:
    """Check whether only the callback address was refused."""
    text = " ".join(lines)
    return bool(_CALLBACK.search(text)) and not _OF_THE_ROW.search(text)


def names_row(lines: Sequence[str]) -> bool:
    """Check whether the words name a field of the row, its content or its image."""
    text = " ".join(lines).replace("_", " ")
    return bool(_OF_THE_ROW.search(text) or _MODERATED.search(text))


def is_the_rows(lines: Sequence[str], prompt: str = "") -> bool:
    """Check whether the words say what is wrong with the row, and nothing of an account."""
    left = [without_prompt(line, prompt) for line in lines]
    return (
        any(map(_IN_FIELD.match, left))
        or quotes(lines, prompt)
        or any(map(_first_blames_row, left))
    )


def _first_blames_row(line: str) -> bool:
    """Check a line's sentences until one is about the customer's account: it is the reason."""
    for sentence in _SENTENCES.split(line):
        if _blames_row(sentence):
            return True
        if _THEIRS.search(_stated(sentence)):
            return False
    return False


def _blames_row(sentence: str) -> bool:
    text = _stated(sentence)
    if not _BLAMES.search(text):
        return False
    of_its_size = _OF_FIELD.match(sentence) and _MEASURED.search(text)
    return bool(not _ACCOUNTS.search(text) or (of_its_size and not _BY_TIME.search(text)))


def _stated(line: str) -> str:
    """Remove quoted text, warnings, and what is true of every account."""
    return _meant(without_marked(line))


def _meant(line: str) -> str:
    """Remove warnings, and what is true of every account."""
    return _ASIDE.sub(" ", _WARNING.sub(" ", spread(line)))
