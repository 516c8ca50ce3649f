"""What the sandbox's provider does: pure and scripted, with time as an argument.

Chance is a hash of (seed, what, prompt, which try), so that concurrency changes nothing. It knows
nothing of HTTP: a call takes what was sent and gives a status and a document (docs/api.md).
"""

import base64
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from jobs.money import MICROS_PER_USD, Micros, to_micros, to_usd, usd_text

PRICES: Mapping[tuple[int, bool], Micros] = {
    (10, False): to_micros("0.12"),
    (10, True): to_micros("0.12"),
    (15, False): to_micros("0.18"),
    (15, True): to_micros("0.18"),
}
"""By duration and image. Ten seconds are the provider's; fifteen are our guess (docs/api.md)."""

SHORTEST, LONGEST = 300.0, 900.0
"""Seconds that a generation takes, as the provider says."""

QUEUED_SHARE = 0.2
LONGEST_PROMPT = 4000
LARGEST_IMAGE = 10 * 1024**2
LARGEST_PAGE = 100

CALLABLE = ("https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:")
"""Beginnings of addresses for callbacks; the provider takes the first alone."""

FAILURES = (
    "Internal error while rendering the video",
    "The prompt violates the content policy",
    "The image contains photorealistic people",
    "Generation timed out",
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider answers."""

    status: int
    body: Any


@dataclass(slots=True)
class Made:
    """One generation as the provider keeps it.

    Attributes:
        price: what was charged for it, in micros.
        takes: seconds of real time until it ends.
        failure: its error message, when it fails in the end.
        foreign: True when another client of the account made it.
    """

    id: str
    prompt: str
    orientation: str
    duration: int
    price: int
    key: str | None
    created_at: datetime
    takes: float
    failure: str | None = None
    foreign: bool = False

    def phase(self, now: datetime) -> str:
        """Say where it stands."""
        age = (now - self.created_at).total_seconds()
        if age >= self.takes:
            return "completed" if self.failure is None else "failed"
        return "pending" if age < self.takes * QUEUED_SHARE else "processing"


def chance(seed: int, *what: object) -> float:
    """Draw a number from 0 to 1 that depends on nothing but its arguments."""
    text = "\x1f".join(map(str, (seed, *what)))
    # a POST is drawn for before it is checked: half a surrogate pair must not break this
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest[:7], "big") >> 3) / 2**53


@dataclass
class World:
    """The provider: its accounts' money and generations.

    Attributes:
        seed: of all chance.
        time_scale: how many times faster than life generations are.
        balance: of the account, in micros; falls with every acceptance.
        prices: by duration and image.
        fail: share of generations that fail in the end.
        failures: scripted failures: error messages by prompt, used up one generation at a time,
            None for a success.
        refund_failed: whether a failed generation is refunded.
        token: the one token taken; None takes any.
        honour_idempotency: whether a repeated key gives the first generation again.
        made: the generations so far, oldest first; those given at the start are charged too.
    """

    seed: int = 1
    time_scale: float = 1.0
    balance: int = 100 * MICROS_PER_USD
    prices: Mapping[tuple[int, bool], int] = field(default_factory=lambda: dict(PRICES))
    fail: float = 0.0
    failures: dict[str, list[str | None]] = field(default_factory=dict)
    refund_failed: bool = False
    token: str | None = None
    honour_idempotency: bool = False
    made: list[Made] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._by_id: dict[str, Made] = {}
        self._tries: dict[str, int] = {}
        self._spent = 0
        earlier, self.made = self.made, []
        for item in earlier:
            self.add(item)

    def authorised(self, header: str | None) -> bool:
        """Say whether a bearer token is good."""
        kind, _, token = (header or "").partition(" ")
        return kind == "Bearer" and bool(token) and self.token in (None, token)

    def generate(self, body: Any, key: str | None, now: datetime) -> Reply:
        """Create a generation and charge it, or say why not."""
        wrong = check(body)
        if wrong is not None:
            return wrong
        if self.honour_idempotency and key is not None:
            for item in self.made:
                if item.key == key:
                    return _created(item)
        image = body.get("image_url") is not None or body.get("image_base64") is not None
        duration = body.get("duration", 10)
        price = int(self.prices[duration, image])
        if price > self.money_left(now):
            return Reply(402, {"detail": "INSUFFICIENT_CREDITS"})
        item = self._make(
            body["prompt"], body.get("orientation", "9:16"), duration, price, key, now
        )
        self.add(item)
        return _created(item)

    def _make(
        self,
        prompt: str,
        orientation: str,
        duration: int,
        price: int,
        key: str | None,
        now: datetime,
    ) -> Made:
        turn = self._tries.get(prompt, 0)
        number = uuid.UUID(
            bytes=hashlib.sha256(f"{self.seed}/{prompt}/{turn}".encode()).digest()[:16], version=4
        )
        span = LONGEST - SHORTEST
        takes = (SHORTEST + span * chance(self.seed, "takes", prompt, turn)) / self.time_scale
        return Made(
            id=str(number),
            prompt=prompt,
            orientation=orientation,
            duration=duration,
            price=price,
            key=key,
            created_at=now,
            takes=takes,
            failure=self._failure(prompt, turn),
        )

    def _failure(self, prompt: str, turn: int) -> str | None:
        script = self.failures.get(prompt)
        if script:
            return script.pop(0)
        if chance(self.seed, "fail", prompt, turn) >= self.fail:
            return None
        return FAILURES[int(chance(self.seed, "why", prompt, turn) * len(FAILURES))]

    def add(self, item: Made) -> None:
        """Take a generation in and charge it; a journal's are taken in the same way."""
        self.made.append(item)
        self._by_id[item.id] = item
        self._tries[item.prompt] = self._tries.get(item.prompt, 0) + 1
        self._spent += item.price

    def add_foreign(self, prompt: str, now: datetime) -> None:
        """Let another client of the account make something, when there is money for it."""
        price = int(self.prices[10, False])
        if price > self.money_left(now):
            return
        item = self._make(prompt, "9:16", 10, price, None, now)
        item.foreign = True
        self.add(item)

    def try_number(self, prompt: str) -> int:
        """Count the generations of a prompt so far."""
        return self._tries.get(prompt, 0)

    def money_left(self, now: datetime) -> int:
        """Say what the account holds, in micros."""
        if not self.refund_failed:  # asked before every acceptance: don't walk what is made
            return self.balance - self._spent
        refunds = sum(item.price for item in self.made if self._refunded(item, now))
        return self.balance - self._spent + refunds

    def _refunded(self, item: Made, now: datetime) -> bool:
        return self.refund_failed and item.phase(now) == "failed"

    def status(self, generation_id: str, now: datetime, files: str) -> Reply:
        """Show one generation; ``files`` is the address below which videos are."""
        item = self._by_id.get(generation_id)
        if item is None:
            return Reply(404, {"detail": "Generation not found"})
        return Reply(200, self.view(item, now, files))

    def find(self, generation_id: str) -> Made | None:
        """Find a generation by its id."""
        return self._by_id.get(generation_id)

    def page(self, limit: int, offset: int, now: datetime, files: str, lag: float) -> Reply:
        """Show a page of the list, newest first, without what is younger than ``lag`` seconds."""
        if not 1 <= limit <= LARGEST_PAGE:
            return Reply(422, _invalid("limit", "must be from 1 to 100", limit, "query"))
        if offset < 0:
            return Reply(422, _invalid("offset", "must not be negative", offset, "query"))
        known = (i for i in reversed(self.made) if (now - i.created_at).total_seconds() >= lag)
        first = min(offset, len(self.made))  # islice refuses what fits no machine word
        return Reply(200, [self.view(i, now, files) for i in islice(known, first, first + limit)])

    def view(self, item: Made, now: datetime, files: str) -> dict[str, Any]:
        """Show a generation as the API does."""
        phase = item.phase(now)
        age = (now - item.created_at).total_seconds()
        ended = phase in ("completed", "failed")
        running = age / item.takes
        return {
            "generation_id": item.id,
            "status": phase,
            "prompt": item.prompt,
            "video_url": f"{files}/videos/{item.id}.mp4" if phase == "completed" else None,
            "created_at": _naive(item.created_at),
            "completed_at": _naive(item.created_at + timedelta(seconds=item.takes))
            if ended
            else None,
            "progress_pct": int(100 * running) if phase == "processing" else None,
            "progress_pos_in_queue": 1 + int(9 * (1 - running)) if phase == "pending" else None,
            "error_message": item.failure if phase == "failed" else None,
        }

    def account(self, now: datetime) -> Reply:
        """Show the balance."""
        return Reply(200, {"balance": str(to_usd(self.money_left(now)))})

    def ledger(self, now: datetime) -> dict[str, Any]:
        """Tell what was really charged: the truth that tests compare with."""
        ours = [item for item in self.made if not item.foreign]
        return {
            "generations": [
                {
                    "generation_id": item.id,
                    "prompt": item.prompt,
                    "price": usd_text(item.price),
                    "idempotency_key": item.key,
                    "created_at": _naive(item.created_at),
                    "refunded": self._refunded(item, now),
                    "status": item.phase(now),
                }
                for item in ours
            ],
            "foreign": len(self.made) - len(ours),
            "charged": usd_text(sum(item.price for item in ours)),
            "balance": usd_text(self.money_left(now)),
        }


def check(body: Any) -> Reply | None:  # noqa: PLR0911 - one rule of the API a line
    """Refuse what the API refuses (docs/api.md); None when a request is good."""
    if not isinstance(body, Mapping):
        return Reply(422, _invalid("body", "must be an object", None))
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= LONGEST_PROMPT:
        return Reply(422, _invalid("prompt", "must have 1 to 4000 characters", None))
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        return Reply(
            422, _invalid("prompt", "must be Unicode, without half a surrogate pair", None)
        )
    if body.get("orientation", "9:16") not in ("9:16", "16:9"):
        return Reply(422, _invalid("orientation", "must be '9:16' or '16:9'", body["orientation"]))
    duration = body.get("duration", 10)
    if type(duration) is not int or duration not in (10, 15):  # 10.0 equals 10, and is no length
        return Reply(422, _invalid("duration", "must be 10 or 15", duration))
    callback = body.get("callback_url")
    if callback is not None and not str(callback).startswith(CALLABLE):
        return Reply(422, _invalid("callback_url", "must be an HTTPS address", None))
    url, data = body.get("image_url"), body.get("image_base64")
    if url is not None and data is not None:
        return Reply(400, {"detail": "Cannot provide both image_base64 and image_url"})
    if url is not None and not str(url).startswith(("http://", "https://")):
        return Reply(422, _invalid("image_url", "must be an http(s) address", None))
    problem = None if data is None else _image_problem(data)
    return None if problem is None else Reply(422, _invalid("image_base64", problem, None))


def _image_problem(data: Any) -> str | None:
    head, _, encoded = str(data).partition(",")
    if head not in ("data:image/jpeg;base64", "data:image/png;base64", "data:image/webp;base64"):
        return "must be a data URI of a JPEG, PNG or WEBP image"
    try:
        content = base64.b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error is one, and characters beyond ASCII raise the plain one
        return "is no base64"
    if len(content) > LARGEST_IMAGE:
        return "must not be larger than 10 MB"
    webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    if not (webp or content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))):
        return "is no JPEG, PNG or WEBP image"
    return None


def _invalid(name: str, message: str, found: Any, place: str = "body") -> dict[str, Any]:
    detail = {"type": "value_error", "loc": [place, name], "msg": message}
    return {"detail": [detail if found is None else detail | {"input": found}]}


def _created(item: Made) -> Reply:
    price = f"{to_usd(item.price):.4f}"
    return Reply(201, {"generation_id": item.id, "status": "pending", "price": price})


def _naive(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat()
