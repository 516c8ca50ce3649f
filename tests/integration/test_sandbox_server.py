"""The sandbox over real HTTP: the documented API, every fault, and books that survive a restart."""

import io
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from support.clock import START, HandClock
from support.stopping import REACHABLE, STOPS

from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import LONGEST, World
from jobs.model.money import to_micros

GENERATE = "/v1/sora/generate"
LIST = "/v1/sora/generations"
BALANCE = "/v1/data/balance"
TOKEN = "right"
PRICE = Decimal("0.12")
SERVE = """
import sys
from functools import partial
from pathlib import Path
from batchsora.sandbox.server import serve
from batchsora.sandbox.world import World
serve("127.0.0.1", 0, World(), journal=Path(sys.argv[1]), on_ready=partial(print, flush=True))
"""


@contextmanager
def _serving(
    world: World | None = None,
    faults: Faults | None = None,
    journal: Path | None = None,
    clock: HandClock | None = None,
) -> Iterator[httpx.Client]:
    server = SandboxServer(
        world or World(token=TOKEN), faults=faults, journal=journal, clock=clock or HandClock()
    )
    with server, httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False
    ) as http:  # fmt: skip
        yield http


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def http(clock: HandClock) -> Iterator[httpx.Client]:
    """A sandbox in which nothing goes wrong."""
    with _serving(clock=clock) as client:
        yield client


def _buy(http: httpx.Client, prompt: str = "a fox", **more: Any) -> str:
    reply = http.post(GENERATE, json={"prompt": prompt, **more})
    assert reply.status_code == 201
    generation_id: str = reply.json()["generation_id"]
    return generation_id


def _ledger(http: httpx.Client) -> Any:
    return http.get("/__ledger").json()


def _video(http: httpx.Client, clock: HandClock) -> str:
    """Buy a generation, let it end, and give the address of its video."""
    generation_id = _buy(http)
    clock.advance(LONGEST)
    url: str = http.get(f"{LIST}/{generation_id}/").json()["video_url"]
    return url


# the documented calls


def test_from_prompt_to_video(http: httpx.Client, clock: HandClock) -> None:
    """The whole way of one generation, with the documented fields at each step."""
    created = http.post(GENERATE, json={"prompt": "a fox", "orientation": "16:9", "duration": 15})
    assert created.status_code == 201
    assert created.json() | {"generation_id": ""} == {
        "generation_id": "", "status": "pending", "price": "0.1800"
    }  # fmt: skip
    address = f"{LIST}/{created.json()['generation_id']}/"
    waiting = http.get(address).json()
    assert waiting["status"] == "pending"
    assert waiting["progress_pos_in_queue"] >= 1
    assert waiting["created_at"] == "2026-01-02T03:04:05"
    clock.advance(200)
    running = http.get(address).json()
    assert running["status"] == "processing"
    assert 0 < running["progress_pct"] < 100
    clock.advance(LONGEST)
    done = http.get(address.rstrip("/")).json()
    assert done["status"] == "completed"
    assert set(done) == {
        "generation_id", "status", "prompt", "video_url", "created_at", "completed_at",
        "progress_pct", "progress_pos_in_queue", "error_message",
    }  # fmt: skip
    file = http.get(done["video_url"], headers={"Authorization": ""})
    assert file.headers["Content-Type"] == "video/mp4"
    with av.open(io.BytesIO(file.content), "r") as container:
        assert container.duration == 15 * av.time_base
        assert container.streams.video[0].codec_context.width == 256


def test_a_failed_generation_shows_its_reason() -> None:
    """Its status is ``failed``, with the provider's words, and there is no file."""
    clock = HandClock()
    with _serving(World(failures={"a fox": ["people"]}), clock=clock) as http:
        generation_id = _buy(http)
        clock.advance(LONGEST)
        view = http.get(f"{LIST}/{generation_id}/").json()
        assert (view["status"], view["error_message"]) == ("failed", "people")
        assert http.get(f"/videos/{generation_id}.mp4").status_code == 404


def test_the_balance_falls_with_each_acceptance(http: httpx.Client) -> None:
    """Charged at the moment of the 201, and told exactly."""
    assert http.get(BALANCE).json() == {"balance": "100"}
    _buy(http)
    assert http.get(BALANCE).json() == {"balance": "99.88"}


def test_the_list_is_bare_and_newest_first(http: httpx.Client, clock: HandClock) -> None:
    """Limit and offset cut it into pages; by default it is one page."""
    ids = []
    for number in range(5):
        ids.append(_buy(http, f"fox {number}"))
        clock.advance(1)

    def shown(**params: Any) -> list[str]:
        return [view["generation_id"] for view in http.get(LIST, params=params).json()]

    assert shown() == ids[::-1]
    assert shown(limit=2) == [ids[4], ids[3]]
    assert shown(limit=2, offset=4) == [ids[0]]
    assert shown(limit=100, offset=5) == []
    assert shown(offset=10**30) == []


@pytest.mark.parametrize(
    "params",
    [{"limit": 0}, {"limit": 101}, {"limit": -1}, {"offset": -1}, {"limit": "many"},
     {"offset": "1.5"}, {"limit": "9" * 5000}],
)  # fmt: skip
def test_a_page_beyond_the_limits_is_422(http: httpx.Client, params: dict[str, Any]) -> None:
    """From 1 to 100, from 0 on, and a number at all."""
    reply = http.get(LIST, params=params)
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"][0] == "query"


def test_health_and_ledger_need_no_token(http: httpx.Client) -> None:
    """Scripts and tests read them from outside the account."""
    del http.headers["Authorization"]
    assert http.get("/__health").json() == {"status": "ok"}
    assert _ledger(http) == {
        "generations": [], "foreign": 0, "charged": "0.00", "balance": "100.00"
    }  # fmt: skip


# the documented errors


@pytest.mark.parametrize(
    ("method", "path"), [("POST", GENERATE), ("GET", LIST), ("GET", f"{LIST}/x/"), ("GET", BALANCE)]
)
@pytest.mark.parametrize("header", ["Bearer wrong", "", "Bearer"])
def test_a_wrong_token_is_401(http: httpx.Client, method: str, path: str, header: str) -> None:
    """On every call of the account, before anything else is looked at."""
    reply = http.request(method, path, headers={"Authorization": header})
    assert reply.status_code == 401
    assert reply.json() == {"detail": "Missing credentials"}


def test_no_money_is_402() -> None:
    """The documented word, and neither a generation nor a charge."""
    with _serving(World(balance=to_micros("0.1"))) as http:
        reply = http.post(GENERATE, json={"prompt": "a fox"})
        assert (reply.status_code, reply.json()) == (402, {"detail": "INSUFFICIENT_CREDITS"})
        assert _ledger(http)["generations"] == []
        assert http.get(BALANCE).json() == {"balance": "0.1"}


def test_two_images_are_400(http: httpx.Client) -> None:
    """The one documented 400."""
    image = {"image_url": "https://a/b.png", "image_base64": "data:image/png;base64,iVBORw0KGgo="}
    reply = http.post(GENERATE, json={"prompt": "a fox", **image})
    assert reply.status_code == 400
    assert reply.json() == {"detail": "Cannot provide both image_base64 and image_url"}


def test_an_unknown_generation_is_404(http: httpx.Client) -> None:
    """As a status and as a file."""
    reply = http.get(f"{LIST}/00000000-0000-4000-8000-000000000000/")
    assert (reply.status_code, reply.json()) == (404, {"detail": "Generation not found"})
    assert http.get("/videos/00000000-0000-4000-8000-000000000000.mp4").status_code == 404


def test_an_unfinished_generation_has_no_file(http: httpx.Client) -> None:
    """The address can be guessed, the file is not there before its time."""
    assert http.get(f"/videos/{_buy(http)}.mp4").status_code == 404


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"\xff\xfe\xff", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"prompt": "a fox"}', "application/json; charset=none-such"),
        (b"[]", "application/json"),
        (b'"a fox"', "application/json"),
        (b"null", "application/json"),
        (b"{}", "application/json"),
        (b'{"prompt": 7}', "application/json"),
        (b'{"prompt": {"text": "a fox"}}', "application/json"),
        (b'{"prompt": "half \\ud800 a pair"}', "application/json"),
        (b'{"prompt": "a fox", "orientation": null}', "application/json"),
        (b'{"prompt": "a fox", "orientation": "wide"}', "application/json"),
        (b'{"prompt": "a fox", "duration": 10.0}', "application/json"),
        (b'{"prompt": "a fox", "duration": NaN}', "application/json"),
    ],
)
def test_a_request_that_is_none_is_422(http: httpx.Client, content: bytes, kind: str) -> None:
    """A bad request is said to be one, with details, never a 500 that would look like a doubt."""
    reply = http.post(GENERATE, content=content, headers={"Content-Type": kind})
    assert reply.status_code == 422
    assert {"type", "loc", "msg"} <= set(reply.json()["detail"][0])
    assert _ledger(http)["generations"] == []


def test_the_largest_image_fits_and_more_is_413(http: httpx.Client) -> None:
    """Nearly 10 MB of an image pass as base64; a body beyond all limits buys nothing."""
    image = "data:image/png;base64,iVBORw0KGgo" + "A" * (13 * 1024**2 + 1)
    assert _buy(http, image_base64=image)
    reply = http.post(GENERATE, content=b" " * (16 * 1024**2 + 1))
    assert reply.status_code == 413
    assert len(_ledger(http)["generations"]) == 1


# the files


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=100-199", 100, 199), ("bytes=1000-", 1000, None),
     ("bytes=-10", -10, None), ("bytes=5-99999999999", 5, None), ("bytes=-99999999999", 0, None)],
)  # fmt: skip
def test_a_part_of_a_file_is_206(
    http: httpx.Client, clock: HandClock, asked: str, first: int, last: int | None
) -> None:
    """First to last, from a first, the last so many; the end of the file cuts all of them."""
    url = _video(http, clock)
    whole = http.get(url)
    assert whole.status_code == 200
    assert whole.headers["Accept-Ranges"] == "bytes"
    total = len(whole.content)
    start = first % total
    end = total - 1 if last is None else last
    part = http.get(url, headers={"Range": asked})
    assert part.status_code == 206
    assert part.headers["Content-Range"] == f"bytes {start}-{end}/{total}"
    assert part.content == whole.content[start : end + 1]
    assert part.headers["ETag"] == whole.headers["ETag"]


def test_a_part_behind_the_end_is_416(http: httpx.Client, clock: HandClock) -> None:
    """With the length, so that a client knows that it has all."""
    url = _video(http, clock)
    total = len(http.get(url).content)
    reply = http.get(url, headers={"Range": f"bytes={total}-"})
    assert reply.status_code == 416
    assert reply.headers["Content-Range"] == f"bytes */{total}"


@pytest.mark.parametrize(
    "asked",
    ["bytes=5-2", "bytes=-", "bytes=a-b", "items=0-5", "bytes=0-1,5-6", "", f"bytes={'9' * 5000}-"],
)
def test_a_range_that_makes_no_sense_is_ignored(
    http: httpx.Client, clock: HandClock, asked: str
) -> None:
    """The whole file comes, as HTTP has it."""
    url = _video(http, clock)
    reply = http.get(url, headers={"Range": asked})
    assert reply.status_code == 200
    assert len(reply.content) == int(reply.headers["Content-Length"])


def test_a_part_of_another_version_is_not_given(http: httpx.Client, clock: HandClock) -> None:
    """``If-Range`` with the file's own tag gives the part, with another the whole file."""
    url = _video(http, clock)
    tag = http.get(url).headers["ETag"]
    ours, other = (
        http.get(url, headers={"Range": "bytes=9-", "If-Range": name}) for name in (tag, '"x"')
    )
    assert (ours.status_code, other.status_code) == (206, 200)
    assert ours.content == other.content[9:]


# the faults


@pytest.mark.parametrize(("fault", "charged"), [("drop", True), ("lost", False)])
def test_a_dropped_connection_tells_nothing(fault: str, charged: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Both look the same to the client; the ledger alone knows which one was paid."""
    with _serving(faults=Faults.parse(f"{fault}=1")) as http:
        with pytest.raises(httpx.TransportError):
            http.post(GENERATE, json={"prompt": "a fox"})
        assert len(_ledger(http)["generations"]) == charged
        assert http.get(BALANCE).json() == {"balance": "99.88" if charged else "100"}


@pytest.mark.parametrize(
    ("fault", "status", "charged"),
    [
        ("error", 502, True),
        ("broken", 500, False),
        ("garbled", 201, True),
        ("throttle", 429, False),
    ],
)
def test_an_answer_that_is_wrong(fault: str, status: int, charged: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Each fault has its status, and is charged or not as it says."""
    with _serving(faults=Faults.parse(f"{fault}=1")) as http:
        assert http.post(GENERATE, json={"prompt": "a fox"}).status_code == status
        assert len(_ledger(http)["generations"]) == charged
        assert _ledger(http)["balance"] == ("99.88" if charged else "100.00")


def test_a_garbled_answer_can_not_be_read() -> None:
    """A 201 whose id never arrives whole."""
    with _serving(faults=Faults(garbled=1)) as http:
        reply = http.post(GENERATE, json={"prompt": "a fox"})
        with pytest.raises(ValueError, match="Unterminated"):
            reply.json()


def test_throttling_asks_for_patience_in_both_forms(clock: HandClock) -> None:
    """Retry-After comes as seconds and as a date, by turns; both are a second from now."""
    with _serving(faults=Faults(throttle=1), clock=clock) as http:
        seconds, date = (
            http.post(GENERATE, json={"prompt": "a fox"}).headers["Retry-After"] for _ in range(2)
        )
    assert seconds == "1"
    assert parsedate_to_datetime(date) == START + timedelta(seconds=1)


def test_a_late_answer_is_charged_before_it_comes(tmp_path: Path) -> None:
    """The generation is in the books and on disk before the waiting begins."""
    world, journal = World(), tmp_path / "world"
    seen: list[tuple[float, int, int]] = []

    def note(seconds: float) -> None:
        seen.append((seconds, len(world.made), journal.read_bytes().count(b"\n")))

    faults = Faults(late=1, late_seconds=30)
    with _serving(world, faults, journal, HandClock(note)) as http:
        generation_id = _buy(http)
    assert seen == [(30, 1, 1)]
    assert [item.id for item in world.made] == [generation_id]


def test_flaky_reads_answer_503_and_never_a_post() -> None:
    """Status, list and balance fail; what is paid is not touched."""
    with _serving(faults=Faults(flaky=1)) as http:
        generation_id = _buy(http)
        for path in (LIST, f"{LIST}/{generation_id}/", BALANCE):
            assert http.get(path).status_code == 503
        assert len(_ledger(http)["generations"]) == 1


def test_a_foreign_generation_comes_beside_ours() -> None:
    """It is in the list and gone from the balance, and it is no charge of ours."""
    with _serving(faults=Faults(foreign=1)) as http:
        generation_id = _buy(http)
        listed = http.get(LIST).json()
        assert len(listed) == 2
        assert generation_id in [view["generation_id"] for view in listed]
        ledger = _ledger(http)
        assert (ledger["foreign"], ledger["charged"], ledger["balance"]) == (1, "0.12", "99.76")


def test_a_foreign_generation_needs_a_request_of_ours_and_money() -> None:
    """A refused request brings none, and the balance never falls below zero."""
    with _serving(World(balance=to_micros("0.20")), Faults(foreign=1)) as http:
        assert http.post(GENERATE, json={"prompt": ""}).status_code == 422
        _buy(http)
        assert _ledger(http)["foreign"] == 0
        assert http.get(BALANCE).json() == {"balance": "0.08"}


def test_a_lagging_list_shows_the_new_later(clock: HandClock) -> None:
    """The status knows at once what the list does not."""
    with _serving(faults=Faults(lag=30), clock=clock) as http:
        generation_id = _buy(http)
        assert http.get(f"{LIST}/{generation_id}/").status_code == 200
        assert http.get(LIST).json() == []
        clock.advance(30)
        assert len(http.get(LIST).json()) == 1


def test_all_generations_fail_on_request(clock: HandClock) -> None:
    """The rate of failures is a fault like the others."""
    with _serving(faults=Faults(fail=1), clock=clock) as http:
        for number in range(3):
            _buy(http, f"fox {number}")
        clock.advance(LONGEST)
        views = http.get(LIST).json()
        assert [view["status"] for view in views] == ["failed"] * 3
        assert all(view["error_message"] for view in views)


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=1000-"}])
def test_a_cut_download_breaks_off_in_the_middle(clock: HandClock, headers: dict[str, str]) -> None:
    """Less comes than was announced, and the connection says so."""
    with _serving(faults=Faults(cut=1), clock=clock) as http:
        url = _video(http, clock)
        came = 0
        with http.stream("GET", url, headers=headers) as reply:
            announced = int(reply.headers["Content-Length"])
            with pytest.raises(httpx.TransportError):  # noqa: PT012 - what came before counts
                for block in reply.iter_raw():
                    came += len(block)
        assert came < announced


# the books


def test_the_ledger_is_what_was_charged_under_faults() -> None:
    """With all faults and eight clients at once, exactly what each fault says is in the books.

    The clients are told of some of it only; another order would have made the same.
    """
    faults = Faults.parse(
        "drop=0.1,lost=0.1,error=0.1,broken=0.1,late=0.1,throttle=0.1,garbled=0.1,foreign=0.2"
    )
    prompts = [f"fox {number}" for number in range(120)]

    def told(http: httpx.Client, prompt: str) -> str | None:
        try:
            reply = http.post(GENERATE, json={"prompt": prompt})
            return str(reply.json()["generation_id"]) if reply.status_code == 201 else None
        except (httpx.TransportError, ValueError):
            return None

    with _serving(faults=faults) as http, ThreadPoolExecutor(8) as pool:
        ids = dict(zip(prompts, pool.map(lambda prompt: told(http, prompt), prompts), strict=True))
        ledger = _ledger(http)
        listed = http.get(LIST, params={"limit": 100}).json()
        listed += http.get(LIST, params={"limit": 100, "offset": 100}).json()
        balance = Decimal(http.get(BALANCE).json()["balance"])

    fates = {prompt: faults.of_submission(1, prompt, 1) for prompt in prompts}
    assert set(fates.values()) == set(Fault)  # every one was met
    unpaid = (Fault.LOST, Fault.BROKEN, Fault.THROTTLE)
    paid = Counter(prompt for prompt, fate in fates.items() if fate not in unpaid)
    assert Counter(entry["prompt"] for entry in ledger["generations"]) == paid
    assert Decimal(ledger["charged"]) == PRICE * paid.total()
    assert Decimal(ledger["balance"]) == balance
    assert balance == 100 - PRICE * (paid.total() + ledger["foreign"])
    assert ledger["foreign"] > 0
    assert len(listed) == paid.total() + ledger["foreign"]
    known = {entry["prompt"]: entry["generation_id"] for entry in ledger["generations"]}
    heard = {prompt for prompt, fate in fates.items() if fate in (Fault.NONE, Fault.LATE)}
    assert {prompt: name for prompt, name in ids.items() if name} == {
        prompt: known[prompt] for prompt in heard
    }


def test_a_restart_keeps_generations_and_balance(tmp_path: Path, clock: HandClock) -> None:
    """Ledger, list, balance and files are the same, and the next one is another generation."""
    journal = tmp_path / "world"

    def start() -> Any:
        return _serving(World(token=TOKEN), Faults(foreign=1), journal, clock)

    with start() as http:
        first = _buy(http)
        _buy(http, "a cat", duration=15)
        assert http.post(GENERATE, json={}).status_code == 422
        clock.advance(LONGEST)
        before = [_ledger(http), http.get(LIST).json(), http.get(BALANCE).json()]
        file = http.get(f"/videos/{first}.mp4").content
        own = str(http.base_url).rstrip("/")
    with start() as http:
        after = [_ledger(http), http.get(LIST).json(), http.get(BALANCE).json()]
        now = str(http.base_url).rstrip("/")
        assert str(after) == str(before).replace(own, now)
        assert http.get(f"/videos/{first}.mp4").content == file
        assert _buy(http) != first


def test_a_torn_journal_loses_only_what_was_never_answered(tmp_path: Path) -> None:
    """After power loss in the middle of a line the account is that of the whole lines."""
    journal = tmp_path / "world"
    with _serving(journal=journal) as http:
        kept = _buy(http)
        _buy(http, "a cat")
    journal.write_bytes(journal.read_bytes()[:-20])
    with _serving(journal=journal) as http:
        assert [entry["generation_id"] for entry in _ledger(http)["generations"]] == [kept]
        assert http.get(BALANCE).json() == {"balance": "99.88"}
        _buy(http, "a dog")
    with _serving(journal=journal) as http:
        assert [view["prompt"] for view in http.get(LIST).json()] == ["a dog", "a fox"]


# the server itself


def test_a_taken_port_is_said_at_the_start() -> None:
    """The one who starts it gets the error, instead of a server that never comes."""
    with SandboxServer(World()) as first:
        port = httpx.URL(first.url).port
        assert port
        with pytest.raises(OSError, match="address"), SandboxServer(World(), port=port):
            pass


@pytest.mark.parametrize("stop", [*STOPS, None])
def test_a_served_sandbox_ends_by_signal_and_keeps_its_books(
    tmp_path: Path, stop: signal.Signals | None
) -> None:
    """A process of its own: asked, it ends well; killed, what it answered is kept all the same."""
    journal = tmp_path / "world"
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(journal)], stdout=subprocess.PIPE, text=True,
        **REACHABLE,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            headers = {"Authorization": f"Bearer {TOKEN}"}
            with httpx.Client(base_url=url, headers=headers, trust_env=False) as http:
                generation_id = _buy(http)
                if stop is None:
                    process.kill()
                else:
                    process.send_signal(stop)
                assert (process.wait(30) == 0) == (stop is not None)
        finally:
            process.kill()
    with _serving(journal=journal) as http:
        assert [entry["generation_id"] for entry in _ledger(http)["generations"]] == [generation_id]


def test_it_stops_with_connections_open() -> None:
    """Leaving the context ends the server, whatever clients hold on to, and frees its port."""
    with httpx.Client(trust_env=False) as http:
        with SandboxServer(World()) as server:
            assert http.get(f"{server.url}/__health").status_code == 200
        with pytest.raises(httpx.TransportError):
            http.get(f"{server.url}/__health")
        port = httpx.URL(server.url).port
        assert port
        with SandboxServer(World(), port=port) as again:
            assert again.url == server.url
