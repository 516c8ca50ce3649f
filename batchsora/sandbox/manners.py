"""How the provider answers, whatever it charges: its words, states, times, addresses and refusals.

Pure: chance depends on the seed and a generation's id.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from batchsora.sandbox.account import Made, Refunds, chance
from batchsora.sandbox.answers import (
    Reply,
    Span,
    answer,
    checked,
    count,
    number,
    rate,
    seconds,
    span,
    words,
)
from batchsora.sandbox.listing import Echo, Listing

MOMENTS: Final[Mapping[str, datetime | None]] = {
    "year1": datetime(1, 1, 1, tzinfo=UTC),
    "year9999": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    "epoch": datetime(1970, 1, 1, tzinfo=UTC),
    "none": None,
}
"""Times that no generation has."""

FORMS: Final[Mapping[str, Callable[[str], Any]]] = {
    "text": str,
    "object": lambda reason: {"code": reason, "message": "The generation did not succeed."},
    "list": lambda reason: [{"code": reason}],
    "json": lambda reason: json.dumps({"error": {"code": reason}}),
    "none": lambda _: None,
}
"""In what form the reason of a failure comes."""

ADDRESSES: Final = ("relative", "schemeless", "bare", "none")
FILES: Final = ("gzip", "chunked", "no-length", "unknown-total", "free-first", "wide-first",
                "moov-first")  # fmt: skip
SCOPES: Final = ("all", "posts", "reads", "files")

REFUSALS: Final[Mapping[str, tuple[str, str]]] = {
    "quota": ("403", "You exceeded your current quota; check your plan and billing details."),
    "no-credit": ("400", "Insufficient balance. Please top up your account."),
    "suspended": ("403", "Your account has been suspended. Contact support."),
    "html403": ("html403", ""),
    "throttled": ("429", "Concurrency limit of your plan reached; upgrade to continue."),
}
"""``name: (answer, words)`` of what refuses every POST, whichever row it is for."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """From the ``after``-th acceptance on every POST gets this reply, and makes nothing."""

    after: int
    reply: Reply

    @classmethod
    def reader(cls, name: str) -> "Callable[[str], Refusal]":
        """Return what reads ``3`` (after three acceptances) and ``3:400`` (with this status).

        The second figure of ``throttled`` is a ``Retry-After`` in seconds.
        """
        word, said = REFUSALS[name]

        def read(text: str) -> Refusal:
            after, _, more = text.partition(":")
            waits = name == "throttled"
            reply = answer(word if waits or not more else checked(more))
            headers = {"Retry-After": str(count(more))} if waits and more else {}
            body = {"detail": said} if said and not reply.is_page else reply.body
            return cls(count(after or "0"), Reply(reply.status, body, headers))

        return read


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which every request, or one kind of them, gets this answer."""

    span: Span
    scope: str = "all"
    answer: str = "503"

    @classmethod
    def read(cls, text: str) -> "tuple[Outage, ...]":
        """Read ``60:120:posts:502+…``; without an end it is forever.

        Raises:
            ValueError: one of its parts can't be read.
        """
        found = []
        for start, rest in words(text):
            times = [start]
            while rest and rest[0] not in SCOPES and len(times) < 2:  # noqa: PLR2004 - start, end
                times.append(rest.pop(0))
            scope = rest.pop(0) if rest and rest[0] in SCOPES else "all"
            found.append(cls(span(times), scope, checked(":".join(rest) or "503")))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Expiry:
    """What a file's address answers once it has expired."""

    answer: str  # a word of an answer
    # seconds after it was shown; None: the first address used of each file
    after: float | None = None

    @classmethod
    def read(cls, text: str) -> "Expiry":
        """Read ``403`` or ``403:60``."""
        word, _, after = text.partition(":")
        return cls(checked(word), seconds(after) if after else None)


@dataclass(frozen=True, slots=True)
class Odd:
    """A time that no generation has, and the share of entries that show it."""

    moment: str
    share: float = 1.0

    @classmethod
    def read(cls, text: str) -> "Odd":
        """Read ``year1`` or ``year1:0.1``."""
        moment, _, share = text.partition(":")
        return cls(one_of(MOMENTS)(moment), rate(share) if share else 1.0)


@dataclass(frozen=True, slots=True)
class Address:
    """How a file's address is written; ``none`` may end so many seconds after the completion."""

    form: str = ""
    until: float | None = None

    @classmethod
    def read(cls, text: str) -> "Address":
        """Read ``relative`` or ``none:60``."""
        form, _, until = text.partition(":")
        return cls(one_of(ADDRESSES)(form), seconds(until) if until else None)

    def write(self, files: str, path: str, ended: float) -> str | None:
        """Return the address, ``ended`` seconds after the file was made."""
        if self.form == "none" and (self.until is None or ended < self.until):
            return None
        host = files.partition("//")[2]
        starts = {"relative": "", "schemeless": f"//{host}", "bare": host}
        return f"{starts.get(self.form, files)}{path}"


@dataclass(frozen=True, slots=True)
class OddPrice:
    """A price of another size, which is charged and stated."""

    usd: str  # the price
    turn: int | None = None  # of which acceptance; None: of every one

    @classmethod
    def read(cls, text: str) -> "OddPrice":
        """Read ``12.0``, ``12.0:once`` (the first acceptance) or ``12.0:3`` (the third)."""
        usd, _, turn = text.partition(":")
        number(usd, 1e6)
        return cls(usd, None if not turn else 1 if turn == "once" else count(turn))


@dataclass(frozen=True, slots=True)
class Manners:
    """How the provider answers; by default as docs/api.md says.

    :mod:`batchsora.sandbox.table` describes each by its name, but for ``listing`` (``list``),
    ``expiry`` (``address-expired``) and ``outages``. Answers are kept as words
    (:func:`batchsora.sandbox.answers.answer`); an empty one leaves the usual answer.
    """

    listing: Listing = field(default_factory=Listing)
    echo: tuple[Echo, ...] = ()
    failure: tuple[str, ...] = ()
    failure_form: str = "text"
    failure_field: str = "error_message"
    status_pending: str = ""
    status_processing: str = ""
    status_completed: str = ""
    status_failed: str = ""
    status_share: float = 1.0
    stuck: float = 0.0
    sick: float = 0.0
    sick_as: str = "404"
    quota: Refusal | None = None
    no_credit: Refusal | None = None
    suspended: Refusal | None = None
    html403: Refusal | None = None
    throttled: Refusal | None = None
    callback_refused: bool = False
    posts: str = ""
    balance: str = ""
    balance_late: float = 0.0
    refunds: Refunds = field(default_factory=Refunds)
    discount: float = 0.0
    reserves: float = 0.0
    outages: tuple[Outage, ...] = ()
    address: Address = field(default_factory=Address)
    expiry: Expiry | None = None
    file: tuple[str, ...] = ()
    odd_time: Odd | None = None
    odd_date: str = ""
    odd_price: OddPrice | None = None
    price: str = ""
    upper_ids: bool = False

    def refusal(self, body: Mapping[str, Any], accepted: int) -> Reply | None:
        """Return what a POST is refused with after so many acceptances, or None."""
        if self.posts:
            return answer(self.posts)
        if self.callback_refused and body.get("callback_url") is not None:
            detail = {"type": "url_parsing", "loc": ["body", "callback_url"],
                      "msg": "the address of the callback is not allowed"}  # fmt: skip
            return Reply(422, {"detail": [detail]})
        for name in REFUSALS:
            refusal: Refusal | None = getattr(self, name.replace("-", "_"))
            if refusal is not None and accepted >= refusal.after:
                return refusal.reply
        return None

    def outage(self, age: float, kind: str) -> str | None:
        """Return what every request of a kind (of ``SCOPES``) is answered at an age, or None."""
        for outage in self.outages:
            if outage.scope in ("all", kind) and outage.span.covers(age):
                return outage.answer
        return None

    def is_sick(self, seed: int, generation_id: str) -> bool:
        """Return whether a generation's single status is unavailable."""
        return self.sick > 0 and chance(seed, "sick", generation_id) < self.sick

    def state(self, seed: int, generation_id: str, phase: str) -> str:
        """Return the word that is shown for a generation's phase."""
        word: str = getattr(self, f"status_{phase}")
        odd = word and chance(seed, "status", generation_id) < self.status_share
        return word if odd else phase

    def reason(self, failure: str | None) -> dict[str, Any]:
        """Return the fields that say why a generation failed."""
        told = None if failure is None else FORMS[self.failure_form](failure)
        return {"error_message": None} | {self.failure_field: told}

    def moment(self, seed: int, item: Made, usual: datetime | None) -> datetime | None:
        """Return a time of a generation as it is shown."""
        odd = self.odd_time
        if usual is None or odd is None or chance(seed, "time", item.id) >= odd.share:
            return usual
        return MOMENTS[odd.moment]


def one_of(names: Any) -> Callable[[str], str]:
    """Return what reads one of some names."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text!r}: one of {', '.join(names)}")
        return text

    return read


def read_form(text: str) -> dict[str, str]:
    """Read ``object``, ``field:failure_reason`` or both."""
    found = {}
    for word, arguments in words(text):
        if word == "field" and len(arguments) == 1:
            found["failure_field"] = arguments[0]
        else:
            found["failure_form"] = one_of((*FORMS, "field:NAME"))(":".join([word, *arguments]))
    return found


def read_file(text: str) -> tuple[str, ...]:
    """Read ``gzip+free-first``, or an answer."""
    names = tuple(name for name, _ in words(text))
    return names if set(names) <= set(FILES) else (checked(text),)
