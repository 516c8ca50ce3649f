"""What the sandbox's provider does: pure and scripted, with time as an argument.

It does not know HTTP: a call takes what was sent and returns a status and a document (docs/api.md).
"""

import hashlib
import math
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, product
from typing import Any, Final
from zlib import crc32

from batchsora.providers.model import Model
from batchsora.providers.registry import ANNOUNCED, FAMILIES, MODELS
from batchsora.providers.runblob.catalog import SORA
from batchsora.sandbox.account import Made, Reserved, chance, unseen
from batchsora.sandbox.answers import Reply, answer
from batchsora.sandbox.dialects import (
    PATHS,
    as_shown,
    check,
    duration_of,
    invalid,
    kind_of_body,
    model_of,
)
from batchsora.sandbox.listing import echoed
from batchsora.sandbox.manners import Manners
from jobs.model.families import Kind
from jobs.model.money import MICROS_PER_USD, Micros, to_micros, to_usd, usd_text

GUESSED: Final = to_micros("0.18")  # what a kind costs here that has no announced price


def guessed(kind: Kind) -> Micros:
    """Return what a kind costs here: the announced price, or one that is made up."""
    made_up = (
        GUESSED if kind.model == SORA.name else to_micros(f"0.{15 + crc32(kind.key.encode()) % 70}")
    )
    return ANNOUNCED.get(kind.key, made_up)


PRICES: Final[Mapping[tuple[int, bool], Micros]] = {
    (seconds, image): guessed(SORA.kind(seconds, with_image=image))
    for seconds, image in product(SORA.durations, (False, True))
}
"""Of the first model, by duration and image."""

SHORTEST, LONGEST = 300.0, 900.0  # seconds that a generation takes, as the provider says
LARGEST_PAGE = 100
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

FAILURES = (
    "Internal error while rendering the video",
    "The prompt violates the content policy",
    "The image contains photorealistic people",
    "Generation timed out",
)


@dataclass
class World:
    """The provider: its accounts' money and generations."""

    seed: int = 1  # of all chance
    time_scale: float = 1.0  # how many times faster than life generations are
    balance: int = 100 * MICROS_PER_USD  # of the account, in micros; falls with every acceptance
    # of the first model, by duration and image
    prices: Mapping[tuple[int, bool], int] = field(default_factory=lambda: dict(PRICES))
    fail: float = 0.0  # share of generations that fail in the end
    # scripted: by prompt, error messages that are used up one generation at a time; None is a
    # success
    failures: dict[str, list[str | None]] = field(default_factory=dict)
    # scripted: prompts whose first answer is lost, while another client buys the same
    contested: frozenset[str] = frozenset()
    token: str | None = None  # the only one accepted; None accepts any
    honour_idempotency: bool = False  # a repeated key returns the first generation
    # the generations so far, oldest first; those given at the start are charged too
    made: list[Made] = field(default_factory=list)
    manners: Manners = field(default_factory=Manners)  # how it answers; may be changed at any time
    since: datetime = LONG_AGO  # when the sandbox started: times of manners count from here

    def __post_init__(self) -> None:
        self._accepted = 0
        self._looks = count(1)
        self._by_id: dict[str, Made] = {}
        self._by_family: defaultdict[str, list[Made]] = defaultdict(list)
        self._tries: dict[str, int] = {}
        self._spent = 0
        self._reserved = Reserved()
        earlier, self.made = self.made, []
        for item in earlier:
            self.add(item)

    def authorised(self, header: str | None) -> bool:
        """Return whether a bearer token is accepted."""
        kind, _, token = (header or "").partition(" ")
        return kind == "Bearer" and bool(token) and self.token in (None, token)

    def generate(
        self,
        body: Any,
        key: str | None,
        now: datetime,
        models: Mapping[str, Model] = PATHS[SORA.generate],
    ) -> Reply:
        """Create and charge a generation of one of a path's models, or refuse it."""
        model = model_of(body, models)
        if isinstance(model, Reply):
            return model
        wrong = check(body, model)
        if wrong is not None:
            return wrong
        refused = self.manners.refusal(body, self._accepted)
        if refused is not None:
            self.reserve(body, now, models)
            return refused
        if self.honour_idempotency and key is not None:
            for item in self.made:
                if item.key == key:
                    return self._created(item)
        price = self._price(body, model)
        if price > self.money_left(now):
            return Reply(402, {"detail": "INSUFFICIENT_CREDITS"})
        item = self._make(body["prompt"], model, price, key, now)
        item.orientation = body.get(model.field("orientation"), model.orientations[0])
        item.duration = duration_of(body, model)
        if model.mark is not None:
            item.seed = body.get(model.mark, item.seed)
        self.add(item)
        self._accepted += 1
        return self._created(item)

    def reserve(
        self, body: Any, now: datetime, models: Mapping[str, Model] = PATHS[SORA.generate]
    ) -> None:
        """Charge a purchase that comes to nothing, for a while, if that is the manner."""
        model = model_of(body, models)
        if self.manners.reserves and isinstance(model, Model) and check(body, model) is None:
            price = min(self._price(body, model), self.money_left(now))
            self._reserved.charges.append((now, price))

    def _price(self, body: Any, model: Model) -> int:
        odd = self.manners.odd_price
        if odd is not None and odd.turn in (None, self._accepted + 1):
            return to_micros(odd.usd)
        kind = kind_of_body(body, model)
        if model is SORA:
            return self.prices[duration_of(body, model) or 0, "+image" in kind.variant]
        return guessed(kind)

    def _created(self, item: Made) -> Reply:
        told = self.manners.price
        price = None if told == "none" else told or f"{to_usd(item.price):.4f}"
        made = {"generation_id": item.id, "status": "pending", "price": price}
        mark = MODELS[item.model].mark
        return Reply(201, made if mark is None else made | {mark: item.seed})

    def _make(self, prompt: str, model: Model, price: int, key: str | None, now: datetime) -> Made:
        turn = self._tries.get(prompt, 0)
        number = uuid.UUID(
            bytes=hashlib.sha256(f"{self.seed}/{prompt}/{turn}".encode()).digest()[:16], version=4
        )
        span = LONGEST - SHORTEST
        takes = (SHORTEST + span * chance(self.seed, "takes", prompt, turn)) / self.time_scale
        if self.manners.stuck and chance(self.seed, "stuck", prompt, turn) < self.manners.stuck:
            takes = math.inf
        return Made(
            id=str(number),
            prompt=prompt,
            orientation=model.orientations[0],
            duration=model.durations[0] if model.durations else None,
            price=price,
            key=key,
            created_at=now,
            takes=takes,
            failure=self._failure(prompt, turn),
            model=model.name,
            seed=None if model.mark is None else int(chance(self.seed, "seed", prompt, turn) * 1e9),
        )

    def _failure(self, prompt: str, turn: int) -> str | None:
        script = self.failures.get(prompt)
        if script:
            return script.pop(0)
        if chance(self.seed, "fail", prompt, turn) >= self.fail:
            return None
        reasons = self.manners.failure or FAILURES
        return reasons[int(chance(self.seed, "why", prompt, turn) * len(reasons))]

    def add(self, item: Made) -> None:
        """Add a generation and charge it, also a journal's."""
        self.made.append(item)
        self._by_id[item.id] = item
        self._by_family[MODELS[item.model].family].append(item)
        self._tries[item.prompt] = self._tries.get(item.prompt, 0) + 1
        self._spent += item.price

    def add_foreign(self, prompt: str, now: datetime, model: Model = SORA) -> None:
        """Let another client of the account buy something, if there is money for it."""
        price = self._price({}, model)
        if price > self.money_left(now):
            return
        item = self._make(prompt, model, price, None, now)
        item.foreign = True
        self.add(item)

    def try_number(self, prompt: str) -> int:
        """Return the number of generations of a prompt so far."""
        return self._tries.get(prompt, 0)

    def money_left(self, now: datetime) -> int:
        """Return the account's balance, in micros."""
        manners = self.manners
        refunded = manners.refunds.sum(self.made, self.seed, now)
        reserved = self._reserved.sum(manners.reserves, now)
        return self.balance - round(self._spent * (1 - manners.discount)) + refunded - reserved

    def money_shown(self, now: datetime) -> int:
        """Return the balance that it shows, in micros: charges may show late."""
        return self.money_left(now) + unseen(self.made, self.manners.balance_late, now)

    def status(
        self, generation_id: str, now: datetime, files: str, family: str = SORA.family
    ) -> Reply:
        """Return one generation; ``files`` is the address below which videos are."""
        item = self.find(generation_id)
        if item is None or MODELS[item.model].family != family:
            return Reply(404, {"detail": "Generation not found"})
        if self.manners.is_sick(self.seed, item.id):
            return answer(self.manners.sick_as)
        return Reply(200, self.view(item, now, files))

    def find(self, generation_id: str) -> Made | None:
        """Return a generation by its id, in any case."""
        return self._by_id.get(generation_id.lower())

    def page(
        self,
        limit: int,
        offset: int,
        now: datetime,
        files: str,
        lag: float,
        family: str = SORA.family,
    ) -> Reply:
        """Return a page of a list, newest first, without what is younger than ``lag`` seconds."""
        if not FAMILIES[family].has_list:
            return Reply(404, {"detail": "Not Found"})
        if not 1 <= limit <= LARGEST_PAGE:
            return Reply(422, invalid("limit", "must be from 1 to 100", limit, "query"))
        if offset < 0:
            return Reply(422, invalid("offset", "must not be negative", offset, "query"))
        listing = self.manners.listing
        shown = listing.pick(self._by_family[family], self.seed, now, self.since, lag)
        page = listing.page(shown, limit, offset)
        if isinstance(page, str):
            return answer(page)
        views = [self.view(item, now, files) for item in page]
        for view in views:
            echo = listing.echo_of(view["generation_id"], self.seed)
            view["prompt"] = echoed(view["prompt"], echo)
        return Reply(200, views)

    def view(self, item: Made, now: datetime, files: str) -> dict[str, Any]:
        """Return a generation as the API shows it."""
        manners = self.manners
        phase = item.phase(now)
        running = (now - item.created_at).total_seconds() / item.takes
        end = item.created_at + timedelta(seconds=item.takes) if running >= 1 else None
        shown = {
            "generation_id": item.id.upper() if manners.upper_ids else item.id,
            "status": manners.state(self.seed, item.id, phase),
            "prompt": echoed(item.prompt, manners.echo),
            "video_url": self._address(item, now, files) if phase == "completed" else None,
            "created_at": _naive(manners.moment(self.seed, item, item.created_at)),
            "completed_at": _naive(manners.moment(self.seed, item, end)),
            "progress_pct": int(100 * running) if phase == "processing" else None,
            "progress_pos_in_queue": 1 + int(9 * (1 - running)) if phase == "pending" else None,
        }
        reason = manners.reason(item.failure if phase == "failed" else None)
        return as_shown(shown, reason, MODELS[item.model], item.seed)

    def _address(self, item: Made, now: datetime, files: str) -> str | None:
        path = f"/videos/{item.id}.mp4"
        if self.manners.expiry is not None:
            path += f"?look={next(self._looks)}&shown={now.timestamp()}"
        ended = (now - item.created_at).total_seconds() - item.takes
        return self.manners.address.write(files, path, ended)

    def account(self, now: datetime) -> Reply:
        """Return the balance."""
        return Reply(200, {"balance": str(to_usd(self.money_shown(now)))})

    def ledger(self, now: datetime) -> dict[str, Any]:
        """Return what was really charged: the truth that tests compare with."""
        ours = [item for item in self.made if not item.foreign]
        return {
            "generations": [
                {
                    "generation_id": item.id,
                    "prompt": item.prompt,
                    "model": item.model,
                    "seed": item.seed,
                    "price": usd_text(item.price),
                    "idempotency_key": item.key,
                    "created_at": _naive(item.created_at),
                    "refunded": self.manners.refunds.covers(item, self.seed, now),
                    "status": item.phase(now),
                }
                for item in ours
            ],
            "foreign": len(self.made) - len(ours),
            "charged": usd_text(sum(item.price for item in ours)),
            "balance": usd_text(self.money_left(now)),
        }


def _naive(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat()
