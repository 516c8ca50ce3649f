"""The sandbox over real HTTP in the manners that real providers of this kind have."""

import gzip
import html
import io
import json
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import av
import httpx
import pytest
from support.clock import START, HandClock

from batchsora.providers.registry import MODELS
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.manners import Manners
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import FAILURES, LONGEST, World

GENERATE = "/v1/sora/generate"
LIST = "/v1/sora/generations"
BALANCE = "/v1/data/balance"


class Account:
    """One client of a sandbox, and the sandbox's clock."""

    def __init__(self, http: httpx.Client, clock: HandClock, world: World) -> None:
        self.http = http
        self.clock = clock
        self.world = world

    def post(self, prompt: str = "a fox", **more: Any) -> httpx.Response:
        return self.http.post(GENERATE, json={"prompt": prompt, **more})

    def buy(self, prompt: str = "a fox") -> str:
        reply = self.post(prompt)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["generation_id"])

    def buy_many(self, count: int) -> list[str]:
        """Buy some, a second apart; gives their ids, oldest first."""
        ids = []
        for number in range(count):
            ids.append(self.buy(f"fox {number}"))
            self.clock.advance(1)
        return ids

    def page(self, limit: int = 100, offset: int = 0) -> httpx.Response:
        return self.http.get(LIST, params={"limit": limit, "offset": offset})

    def ids(self, limit: int = 100, offset: int = 0) -> list[str]:
        return [view["generation_id"] for view in self.page(limit, offset).json()]

    def status(self, generation_id: str) -> httpx.Response:
        return self.http.get(f"{LIST}/{generation_id}/")

    def finished(self, prompt: str = "a fox") -> Any:
        """Buy one, let it end, and show it."""
        generation_id = self.buy(prompt)
        self.clock.advance(LONGEST)
        return self.status(generation_id).json()

    def made(self) -> list[str]:
        ledger = self.http.get("/__ledger").json()
        return [entry["generation_id"] for entry in ledger["generations"]]


@contextmanager
def serving(faults: str, world: World | None = None) -> Iterator[Account]:
    clock = HandClock()
    world = world or World()
    with (
        SandboxServer(world, faults=Faults.parse(faults), clock=clock) as server,
        httpx.Client(
            base_url=server.url, headers={"Authorization": "Bearer any"}, trust_env=False
        ) as http,
    ):
        yield Account(http, clock, world)


def said(reply: httpx.Response) -> tuple[int, str]:
    """Return an answer's status and its kind: a page, a detail, another shape, or a document."""
    if reply.headers["Content-Type"].startswith("text/html"):
        assert reply.text.startswith("<!doctype html>")
        return reply.status_code, "page"
    document = reply.json()
    if isinstance(document, dict) and set(document) == {"detail"}:
        return reply.status_code, "detail"
    if isinstance(document, dict) and set(document) == {"status", "message"}:
        return reply.status_code, "envelope"
    return reply.status_code, "shape" if document == {"ok": True} else "document"


ANSWERS = {
    "400": (400, "detail"),
    "401": (401, "detail"),
    "403": (403, "detail"),
    "404": (404, "detail"),
    "405": (405, "detail"),
    "410": (410, "detail"),
    "418": (418, "detail"),
    "451": (451, "detail"),
    "499": (499, "detail"),
    "500": (500, "detail"),
    "html": (200, "page"),
    "html403": (403, "page"),
    "shape": (200, "shape"),
    "envelope": (200, "envelope"),
    "json": (200, "detail"),
}


@pytest.mark.parametrize(("word", "expected"), ANSWERS.items(), ids=ANSWERS)
def test_each_endpoint_gives_each_answer(word: str, expected: tuple[int, str]) -> None:
    """The list, a single status, the balance and a file, each alone: nothing else is disturbed."""
    with serving(f"list={word}") as account:
        generation_id = account.buy()
        assert said(account.page()) == expected
        assert said(account.status(generation_id)) == (200, "document")
    with serving(f"sick-as={word}") as account:
        assert said(account.status(account.buy())) == expected
        assert said(account.page()) == (200, "document")
    with serving(f"balance={word}") as account:
        account.buy()
        assert said(account.http.get(BALANCE)) == expected
        assert said(account.page()) == (200, "document")
    with serving(f"file={word}") as account:
        assert said(account.http.get(account.finished()["video_url"])) == expected
    with serving(f"posts={word}") as account:
        assert said(account.post()) == expected
        assert account.made() == []


@pytest.mark.parametrize("where", ["list", "sick-as", "balance", "posts", "file"])
def test_an_answer_can_be_none(where: str) -> None:
    """The connection drops."""
    with serving(f"{where}=hang-up") as account:
        paths = {"list": LIST, "balance": BALANCE}
        if where != "posts":
            found = account.finished() if where == "file" else {"video_url": ""}
            paths |= {"sick-as": f"{LIST}/{account.buy()}/", "file": found["video_url"]}
        with pytest.raises(httpx.TransportError):
            account.post() if where == "posts" else account.http.get(paths[where])


# the list


def test_a_list_frozen_from_the_start_shows_what_was_before() -> None:
    """What another run of the sandbox made is there; what is made now is known to its status."""
    with serving("list=frozen") as account:
        account.world.add_foreign("long ago", START.replace(year=2025))
        ours = account.buy()
        account.clock.advance(10**6)
        assert [view["prompt"] for view in account.page().json()] == ["long ago"]
        assert account.status(ours).status_code == 200


def test_a_list_stops_growing_at_a_number() -> None:
    """The oldest stay, in their order."""
    with serving("list=frozen:3") as account:
        ids = account.buy_many(5)
        assert account.ids() == ids[2::-1]
        assert account.made() == ids


def test_a_list_stands_still_for_a_time() -> None:
    """From 2 s on nothing new appears; at 10 s everything does."""
    with serving("list=frozen:2:10") as account:
        ids = account.buy_many(4)  # at 0, 1, 2 and 3 s
        assert account.ids() == ids[1::-1]
        account.clock.advance(6)
        assert account.ids() == ids[::-1]


def test_a_list_freezes_after_a_time_for_good() -> None:
    with serving("list=frozen:2s") as account:
        ids = account.buy_many(4)
        account.clock.advance(10**6)
        assert account.ids() == ids[1::-1]


def test_a_lossy_list_never_shows_some() -> None:
    """The same ones each time, about as many as asked for; their status is known."""
    with serving("list=lossy:0.3") as account:
        ids = account.buy_many(60)
        shown = account.ids()
        assert shown == account.ids() == [i for i in ids[::-1] if i in shown]
        assert 25 <= len(shown) <= 55
        lost = next(i for i in ids if i not in shown)
        assert account.status(lost).status_code == 200
        assert account.made() == ids


def test_a_list_of_the_newest_ends_early() -> None:
    """Past them it is empty, without an error."""
    with serving("list=newest:3") as account:
        ids = account.buy_many(5)
        assert account.ids() == ids[:1:-1]
        assert account.ids(2, 2) == [ids[2]]
        assert account.ids(2, 3) == account.ids(100, 4) == []


def test_pages_are_capped() -> None:
    """Whatever limit is asked for; offset counts entries, so that nothing is lost."""
    with serving("list=capped:2") as account:
        ids = account.buy_many(5)
        assert account.ids(100) == ids[:2:-1]
        assert account.ids(1) == ids[4:]
        assert account.ids(100, 4) == ids[:1]


def test_short_pages_are_not_the_end() -> None:
    """Each holds half of what it could, and the next begins where it ended."""
    with serving("list=short-pages") as account:
        ids = account.buy_many(7)
        found: list[str] = []
        sizes = []
        while page := account.ids(4, len(found)):
            found += page
            sizes.append(len(page))
        assert found == ids[::-1]
        assert sizes == [2, 2, 2, 1]


def test_an_offset_is_ignored() -> None:
    with serving("list=ignores-offset") as account:
        ids = account.buy_many(5)
        assert account.ids(2) == account.ids(2, 2) == account.ids(2, 1000) == ids[:2:-1]


@pytest.mark.parametrize("offset", [5, 6, 10**40])
@pytest.mark.parametrize(
    ("words", "status"), [("errors-past-end", 404), ("errors-past-end:500", 500)]
)
def test_a_page_past_the_end_is_an_error(words: str, status: int, offset: int) -> None:
    """Not the first one of an account that has nothing, and not the last one."""
    with serving(f"list={words}") as account:
        assert account.ids() == []
        ids = account.buy_many(5)
        assert account.ids(4, 4) == ids[:1]
        assert account.page(4, offset).status_code == status


def test_a_page_past_the_end_repeats_the_last() -> None:
    with serving("list=repeats-past-end") as account:
        ids = account.buy_many(5)
        assert account.ids(2, 4) == ids[:1]
        assert account.ids(2, 5) == account.ids(2, 100) == ids[1::-1]


def test_a_list_has_another_order() -> None:
    """Oldest first, or none at all that stays the same; pages join all the same."""
    with serving("list=oldest-first") as account:
        ids = account.buy_many(12)
        assert account.ids() == ids
    with serving("list=unordered") as account:
        ids = account.buy_many(12)
        shown = account.ids()
        assert shown not in (ids, ids[::-1])
        assert sorted(shown) == sorted(ids)
        assert account.ids(5) + account.ids(5, 5) + account.ids(5, 10) == shown


def test_manners_of_a_list_go_together() -> None:
    """Several words, and the lag beside them."""
    with serving("list=capped:2+oldest-first+altered:cut:3+altered:escape,lag=2") as account:
        account.buy("a & b")
        ids = account.buy_many(3)
        page = account.page(50).json()
        assert [view["prompt"] for view in page] == ["a &amp;", "fox"]
        assert page[1]["generation_id"] == ids[0]
        assert account.ids(50, 2) == [ids[1]]
        assert account.status(ids[0]).json()["prompt"] == "fox 0"


def test_the_order_of_a_request_is_checked_before_its_answer() -> None:
    """A limit beyond the API's is 422, whatever the list's manners."""
    with serving("list=500") as account:
        assert account.page(101).status_code == 422


# prompts

LONG = " A <b>fox</b> \n at dawn & dusk, Crème brûlée " + "and so on " * 20

ECHOES: dict[str, str | None] = {
    "cut": LONG[:100],
    "cut:7": LONG[:7],
    "ellipsis:7": LONG[:7] + "…",
    "ellipsis:4000": LONG,
    "escape": html.escape(LONG),
    "lower": LONG.lower(),
    "strip": LONG.strip(),
    "one-line": " ".join(LONG.split()),
    "nfd": unicodedata.normalize("NFD", LONG),
    "none": None,
    "strip+lower+cut:5": "a <b>",
}


@pytest.mark.parametrize(("way", "shown"), ECHOES.items(), ids=ECHOES)
def test_prompts_are_echoed_otherwise(way: str, shown: str | None) -> None:
    """In list and status alike; the ledger has the truth."""
    with serving(f"echo={way}") as account:
        generation_id = account.buy(LONG)
        assert account.status(generation_id).json()["prompt"] == shown
        assert account.page().json()[0]["prompt"] == shown
        ledger = account.http.get("/__ledger").json()
        assert ledger["generations"][0]["prompt"] == LONG


def test_prompts_are_rewritten() -> None:
    """Something of them is left, and two stay two."""
    with serving("list=altered:enhance") as account:
        account.buy_many(2)
        shown = [view["prompt"] for view in account.page().json()]
        assert len(set(shown)) == 2
        assert all("ox " in prompt and prompt not in ("fox 0", "fox 1") for prompt in shown)


# failures and states

REASON = "UNSAFE_CONTENT"
OBJECT = {"code": REASON, "message": "The generation did not succeed."}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("text", {"error_message": REASON}),
        ("object", {"error_message": OBJECT}),
        ("list", {"error_message": [{"code": REASON}]}),
        ("json", {"error_message": json.dumps({"error": {"code": REASON}})}),
        ("none", {"error_message": None}),
        ("field:failure_reason", {"error_message": None, "failure_reason": REASON}),
        ("object+field:error", {"error_message": None, "error": OBJECT}),
    ],
)
def test_a_failure_has_a_code_in_some_form(form: str, expected: dict[str, Any]) -> None:
    """Alone it makes all fail; before the end no field tells of it."""
    with serving(f"failure={REASON},failure-form={form}") as account:
        generation_id = account.buy()
        field = next(reversed(expected))
        assert account.status(generation_id).json()[field] is None
        account.clock.advance(LONGEST)
        for view in (account.status(generation_id).json(), account.page().json()[0]):
            assert {name: view[name] for name in expected} == expected
            assert view["status"] == "failed"
            assert view["video_url"] is None


ELSEWHERE = {
    "veo": [
        ("text", {"error": {"message": REASON}}),
        ("object", {"error": OBJECT}),
        ("list", {"error": {"message": [{"code": REASON}]}}),
        ("none", {"error": None}),
        ("field:failure_reason", {"error": None, "failure_reason": REASON}),
        ("object+field:failure", {"error": None, "failure": OBJECT}),
    ],
    "kling": [
        ("text", {"description": REASON}),
        ("object", {"description": OBJECT}),
        ("none", {"description": None}),
        ("field:failure_reason", {"description": None, "failure_reason": REASON}),
    ],
}
ELSEWHERE |= {"kling-o1": ELSEWHERE["kling"], "kling-o3": ELSEWHERE["kling"]}


@pytest.mark.parametrize(
    ("family", "form", "expected"),
    [(family, *told) for family, forms in ELSEWHERE.items() for told in forms],
)
def test_each_family_says_its_reason_in_its_own_field(
    family: str, form: str, expected: dict[str, Any]
) -> None:
    """In the forms that ``failure-form`` has; what it puts into another field is not lost."""
    model = next(one for one in MODELS.values() if one.family == family)
    with serving(f"failure={REASON},failure-form={form}") as account:
        said = {model.field("model"): model.name} if model.field("model") else {}
        made = account.http.post(model.generate, json={"prompt": "a fox in snow", **said})
        address = f"{model.generations}/{made.json()['generation_id']}/"
        running = account.http.get(address).json()
        assert {running[name] for name in expected} == {None}
        account.clock.advance(LONGEST)
        view = account.http.get(address).json()
        assert {name: view[name] for name in expected} == expected
        assert (view["status"], view["video_url"]) == ("failed", None)
        assert "error_message" not in view


def test_some_failures_have_one_of_several_codes() -> None:
    """At the rate of ``fail`` where that is named, and in no other words."""
    with serving("fail=0.5,failure=UNSAFE_CONTENT+内容违规") as account:
        account.buy_many(40)
        account.clock.advance(LONGEST)
        told = [view["error_message"] for view in account.page().json()]
        assert set(told) == {None, "UNSAFE_CONTENT", "内容违规"}
        assert not set(told) & set(FAILURES)


def test_each_state_has_another_word() -> None:
    """All in one: from queued to succeeded, and cancelled for a failure; the rest is as usual."""
    world = World(failures={"a cat": ["no"]})
    words = "status-pending=queued,status-processing=IN_PROGRESS,status-completed=succeeded"
    with serving(f"{words},status-failed=cancelled", world) as account:
        fox, cat = account.buy("a fox"), account.buy("a cat")
        assert account.status(fox).json()["status"] == "queued"
        account.clock.advance(200)
        assert account.status(fox).json()["status"] == "IN_PROGRESS"
        account.clock.advance(LONGEST)
        done = account.status(fox).json()
        assert (done["status"], bool(done["video_url"])) == ("succeeded", True)
        assert [view["status"] for view in account.page().json()] == ["cancelled", "succeeded"]
        ledger = account.http.get("/__ledger").json()["generations"]
        assert [entry["status"] for entry in ledger] == ["completed", "failed"]
        assert account.status(cat).json()["error_message"] == "no"


def test_a_share_of_states_has_another_word() -> None:
    """The same ones each time."""
    with serving("status-completed=frobnicated,status-share=0.5") as account:
        account.buy_many(30)
        account.clock.advance(LONGEST)
        states = [view["status"] for view in account.page().json()]
        assert set(states) == {"frobnicated", "completed"}
        assert states == [view["status"] for view in account.page().json()]


def test_some_never_end() -> None:
    """However long one waits; the others do."""
    with serving("stuck=0.5") as account:
        account.buy_many(30)
        account.clock.advance(10**8)
        states = [view["status"] for view in account.page().json()]
        assert set(states) == {"processing", "completed"}


def test_a_share_of_ids_is_sick() -> None:
    """The same ones each time, in single looks alone."""
    with serving("sick=0.5,sick-as=410") as account:
        ids = account.buy_many(30)
        statuses = [account.status(i).status_code for i in ids]
        assert set(statuses) == {200, 410}
        assert statuses == [account.status(i).status_code for i in ids]
        assert account.ids() == ids[::-1]
    with serving("sick=1") as account:
        assert account.status(account.buy()).status_code == 404


# refusals of the account


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("quota=2", 403, "exceeded your current quota"),
        ("quota=2:400", 400, "exceeded your current quota"),
        ("quota=2:429", 429, "exceeded your current quota"),
        ("no-credit=2", 400, "Insufficient balance"),
        ("no-credit=2:403", 403, "Insufficient balance"),
        ("suspended=2", 403, "has been suspended"),
        ("suspended=2:402", 402, "has been suspended"),
        ("html403=2", 403, "<h1>403 Forbidden</h1>"),
        ("quota=2:html403", 403, "<h1>403 Forbidden</h1>"),
        ("throttled=2", 429, "Concurrency limit"),
    ],
)
def test_all_purchases_are_refused_after_some(fault: str, status: int, words: str) -> None:
    """Nothing is made, the money stays, and reads work."""
    with serving(fault) as account:
        ids = account.buy_many(2)
        for _ in range(3):
            reply = account.post()
            assert reply.status_code == status
            assert words in reply.text
            assert "Retry-After" not in reply.headers
        assert account.ids() == ids[::-1]
        assert account.made() == ids
        assert account.http.get(BALANCE).json() == {"balance": "99.76"}


@pytest.mark.parametrize("fault", ["quota", "no-credit", "suspended", "html403", "throttled"])
def test_all_purchases_are_refused_from_the_start(fault: str) -> None:
    with serving(fault) as account:
        assert account.post().status_code in (400, 403, 429)
        assert account.made() == []


def test_throttling_for_ever_may_name_a_time() -> None:
    with serving("throttled=0:600") as account:
        assert account.post().headers["Retry-After"] == "600"


def test_a_wrong_request_is_wrong_first() -> None:
    """What is refused for its own sake is so beside a refusal of the account."""
    with serving("quota") as account:
        assert account.post("").status_code == 422


def test_a_refusal_ends_when_the_manners_change() -> None:
    """A test may fix the account while the sandbox runs."""
    with serving("suspended") as account:
        assert account.post().status_code == 403
        account.world.manners = Manners()
        account.buy()


def test_a_callback_is_refused_by_name() -> None:
    """A purchase without one is taken."""
    with serving("callback-refused") as account:
        reply = account.post(callback_url="https://example.org/hook")
        assert reply.status_code == 422
        assert reply.json()["detail"][0]["loc"] == ["body", "callback_url"]
        account.buy()


# outages


@pytest.mark.parametrize(
    ("fault", "posts", "reads"),
    [
        ("outage=10:20", 503, 503),
        ("outage=10:20:502", 502, 502),
        ("outage=10:20:posts", 503, 200),
        ("outage=10:20:posts:407", 407, 200),
        ("outage=10:20:reads:html502", 201, 502),
    ],
)
def test_an_outage_has_a_time_and_a_kind(fault: str, posts: int, reads: int) -> None:
    """Before it and from its end on all is well; within, what it is about is answered so."""
    with serving(fault) as account:
        first = account.buy()
        account.clock.advance(10)
        assert account.post().status_code == posts
        for path in (LIST, f"{LIST}/{first}/", BALANCE):
            assert account.http.get(path).status_code == reads
        assert account.made()[0] == first
        assert len(account.made()) == 1 + (posts == 201)
        account.clock.advance(9.9)
        assert account.post().status_code == posts
        account.clock.advance(0.2)
        account.buy()
        assert account.page().status_code == 200


@pytest.mark.parametrize("scope", ["files:500", "500"])
def test_files_have_outages(scope: str) -> None:
    """Of their own, and with everything else."""
    with serving(f"outage={LONGEST:.0f}:2000:{scope}") as account:
        generation_id = account.buy()
        account.clock.advance(LONGEST)
        url = f"/videos/{generation_id}.mp4"
        assert account.http.get(url).status_code == 500
        assert account.page().status_code == (500 if scope == "500" else 200)
        account.clock.advance(1100)
        assert account.http.get(url).status_code == 200


def test_there_may_be_several_outages() -> None:
    """One drops connections, the other has no end."""
    with serving("outage=1:2:posts:hang-up+5:reads") as account:
        account.buy()
        account.clock.advance(1)
        with pytest.raises(httpx.TransportError):
            account.post()
        assert len(account.made()) == 1
        account.clock.advance(1)
        account.buy()
        account.clock.advance(86400)
        assert account.page().status_code == 503
        account.buy()


# times, ids and prices


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("year1", "0001-01-01T00:00:00"),
        ("year9999", "9999-12-31T23:59:59"),
        ("epoch", "1970-01-01T00:00:00"),
        ("none", None),
    ],
)
def test_times_are_odd(fault: str, shown: str | None) -> None:
    """In list and status; the end of what has not ended stays unknown."""
    with serving(f"odd-time={fault}") as account:
        generation_id = account.buy()
        view = account.page().json()[0]
        assert (view["created_at"], view["completed_at"]) == (shown, None)
        account.clock.advance(LONGEST)
        view = account.status(generation_id).json()
        assert (view["created_at"], view["completed_at"]) == (shown, shown)


def test_a_share_of_times_is_odd() -> None:
    with serving("odd-time=year1:0.3") as account:
        account.buy_many(40)
        odd = [view["created_at"].startswith("0001") for view in account.page().json()]
        assert 3 <= sum(odd) <= 25
        assert odd == [view["created_at"].startswith("0001") for view in account.page().json()]


@pytest.mark.parametrize("year", [1, 9999, 1970])
def test_the_date_of_answers_is_odd(year: int) -> None:
    """On every answer, a purchase's too."""
    word = {1: "year1", 9999: "year9999", 1970: "epoch"}[year]
    with serving(f"odd-date={word}") as account:
        for reply in (account.post(), account.page()):
            assert reply.headers.get_list("Date") == [reply.headers["Date"]]
            assert f" {year:04d} " in reply.headers["Date"]
        if year > 1:
            assert parsedate_to_datetime(reply.headers["Date"]).year == year


def test_answers_have_no_date() -> None:
    with serving("odd-date=none") as account:
        assert "Date" not in account.post().headers


def test_ids_are_in_capitals() -> None:
    """The purchase tells the usual id; a look takes either."""
    with serving("upper-ids") as account:
        generation_id = account.buy()
        assert generation_id == generation_id.lower()
        assert account.ids() == [generation_id.upper()]
        for name in (generation_id, generation_id.upper()):
            assert account.status(name).json()["generation_id"] == generation_id.upper()
        assert account.made() == [generation_id]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("odd-price=12.0", ["12.0000"] * 3),
        ("odd-price=12.0:once", ["12.0000", "0.1200", "0.1200"]),
        ("odd-price=0.005:2", ["0.1200", "0.0050", "0.1200"]),
    ],
)
def test_an_odd_price_is_charged(fault: str, told: list[str]) -> None:
    """What is told is what the books have."""
    with serving(fault) as account:
        prices = [account.post(f"fox {number}").json()["price"] for number in range(3)]
        assert prices == told
        ledger = account.http.get("/__ledger").json()
        assert float(ledger["charged"]) == pytest.approx(sum(map(float, told)))


@pytest.mark.parametrize(("fault", "told"), [("0", "0"), ("none", None), ("7.5", "7.5")])
def test_a_price_is_told_that_is_not_charged(fault: str, told: str | None) -> None:
    with serving(f"price={fault}") as account:
        assert account.post().json()["price"] == told
        assert account.http.get("/__ledger").json()["charged"] == "0.12"


# files


def playable(content: bytes) -> bool:
    with av.open(io.BytesIO(content), "r") as container:
        return sum(1 for _ in container.decode(video=0)) == 80


@pytest.mark.parametrize(
    ("fault", "start"),
    [("relative", "/videos/"), ("schemeless", "//127.0.0.1:"), ("bare", "127.0.0.1:")],
)
def test_an_address_is_written_otherwise(fault: str, start: str) -> None:
    """Resolved against the API's own, each leads to the file."""
    with serving(f"address={fault}") as account:
        url = account.finished()["video_url"]
        assert url.startswith(start)
        whole = {"relative": url, "schemeless": f"http:{url}", "bare": f"http://{url}"}[fault]
        assert playable(account.http.get(whole).content)


def test_an_address_is_missing() -> None:
    """For good, or for a time after the completion."""
    with serving("address=none") as account:
        view = account.finished()
        assert (view["status"], view["video_url"]) == ("completed", None)
    with serving("address=none:60") as account:
        view = account.finished()
        account.clock.advance(60 + LONGEST)
        assert account.status(view["generation_id"]).json()["video_url"]


def test_an_address_is_missing_at_first() -> None:
    with serving("address=none:60") as account:
        generation_id = account.buy()
        account.clock.advance(account.world.made[0].takes)
        assert account.status(generation_id).json()["video_url"] is None
        account.clock.advance(59)
        assert account.status(generation_id).json()["video_url"] is None
        account.clock.advance(2)
        assert account.status(generation_id).json()["video_url"]


@pytest.mark.parametrize("word", ["400", "401", "403", "404", "410", "451", "500", "html", "json"])
def test_the_first_address_used_has_expired(word: str) -> None:
    """It never comes back; a fresh look gives one that works, again and again."""
    with serving(f"address-expired={word}") as account:
        view = account.finished()
        assert said(account.http.get(view["video_url"])) == ANSWERS[word]
        assert said(account.http.get(view["video_url"])) == ANSWERS[word]
        fresh = account.status(view["generation_id"]).json()["video_url"]
        assert fresh != view["video_url"]
        assert playable(account.http.get(fresh).content)
        assert playable(account.http.get(fresh).content)


def test_an_address_expires_with_time() -> None:
    """So many seconds after it was shown."""
    with serving("address-expired=403:60") as account:
        view = account.finished()
        account.clock.advance(59)
        assert account.http.get(view["video_url"]).status_code == 200
        account.clock.advance(1)
        assert account.http.get(view["video_url"]).status_code == 403
        fresh = account.page().json()[0]["video_url"]
        assert account.http.get(fresh).status_code == 200


def test_an_address_may_always_have_expired() -> None:
    with serving("address-expired=410:0") as account:
        assert account.http.get(account.finished()["video_url"]).status_code == 410


def raw(account: Account, url: str, **headers: str) -> tuple[httpx.Headers, bytes]:
    with account.http.stream("GET", url, headers=headers) as reply:
        return reply.headers, b"".join(reply.iter_raw())


@pytest.mark.parametrize("way", ["gzip", "chunked", "no-length", "unknown-total"])
def test_a_file_is_sent_otherwise(way: str) -> None:
    """Framed as the word says, and the same file in the end."""
    with serving(f"file={way}") as account:
        url = account.finished()["video_url"]
        headers, content = raw(account, url)
        assert playable(gzip.decompress(content) if way == "gzip" else content)
        lengths = {"gzip": True, "chunked": False, "no-length": False, "unknown-total": True}
        assert ("Content-Length" in headers) is lengths[way]
        assert headers.get("Transfer-Encoding") == ("chunked" if way == "chunked" else None)
        assert headers.get("Content-Encoding") == ("gzip" if way == "gzip" else None)
        assert headers.get("Connection") == ("close" if way == "no-length" else None)
        part, some = raw(account, url, Range="bytes=10-19")
        if way == "gzip":  # parts of what is packed are not to be had
            assert some == content
        else:
            total = "*" if way == "unknown-total" else len(content)
            assert part["Content-Range"] == f"bytes 10-19/{total}"
            assert some == content[10:20]


@pytest.mark.parametrize("box", ["free", "wide", "moov"])
def test_a_file_begins_with_another_box(box: str) -> None:
    """It plays all the same."""
    with serving(f"file={box}-first+chunked") as account:
        headers, content = raw(account, account.finished()["video_url"])
        assert content[4:8] == box.encode()
        assert headers["Transfer-Encoding"] == "chunked"
        assert playable(content)
