"""One generation's trouble stays its own, and no row pays for the account's: over real HTTP."""

import csv
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support.api import BALANCE, LIST, POST, Answered, Answerer, OddServer, html

from batchsora.cli import main
from batchsora.sandbox.world import World

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download", "--grace", "0.2")
ROWS = 6


@dataclass
class Shop:
    """A provider whose answers a test replaces, and what a command said."""

    answer: Answerer = lambda _: None
    world: World = field(default_factory=lambda: World(time_scale=2000.0))
    posts: int = 0
    url: str = ""

    def run(self, *more: str, rows: int = ROWS, prompts: Sequence[str] = ()) -> int:
        """Load the sheet and run it; gives the exit code."""
        prompts = prompts or [f"kite {i}" for i in range(rows)]
        with Path("night.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                [["id", "prompt"], *([f"r{i}", prompt] for i, prompt in enumerate(prompts))]
            )
        return self.call("run", "night.csv", *QUICK, *more)

    def call(self, *arguments: str) -> int:
        """Run a command against the API."""
        with pytest.raises(SystemExit) as ended:
            main(("--base-url", self.url, *arguments))
        return int(ended.value.code or 0)

    def first(self, request: web.Request) -> Answered | Awaitable[Answered]:
        """Answer what the test replaces."""
        self.posts += request.path == POST
        return self.answer(request)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Work in an empty folder, with a token."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "whose-fault-token")
    shop = Shop()
    with OddServer(shop.world, shop.first) as server:
        shop.url = server.url
        yield shop


@pytest.fixture
def status(shop: Shop, capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, Any]]:
    """Read where the one batch stands."""

    def read() -> dict[str, Any]:
        capsys.readouterr()
        shop.call("status", "--json")
        batch: dict[str, Any] = json.loads(capsys.readouterr().out)["batches"][0]
        return batch

    return read


def refusal(status: int, **fields: Any) -> web.Response:
    return web.json_response(fields, status=status)


def answered(document: Any) -> web.Response:
    return web.json_response(document)


ENVELOPE = {"status": "error", "message": "Internal server error, please try again"}
ENDED = {"status": "failed", "error_message": "Internal error"}
ODD: dict[str, Callable[[], web.Response]] = {
    "403": lambda: refusal(403, detail="Forbidden"),
    "403 HTML": lambda: html(403),
    "400": lambda: refusal(400, detail="bad id"),
    "404": lambda: refusal(404, detail="not found"),
    "410": lambda: refusal(410, detail="gone"),
    "422": lambda: refusal(422, detail="unprocessable"),
    "500": lambda: refusal(500, detail="boom"),
    "HTML": lambda: html(200),
    "another shape": lambda: web.json_response([1, 2]),
    "another id": lambda: web.json_response({"generation_id": "other", "status": "failed"}),
    "an envelope": lambda: answered(ENVELOPE),
    "an envelope of another id": lambda: answered({**ENVELOPE, "generation_id": "other"}),
    "an envelope around another id": lambda: answered({**ENVELOPE, "data": {**ENDED, "id": "x"}}),
    "an envelope around none": lambda: answered({**ENVELOPE, "data": ENDED}),
    "no id": lambda: answered({**ENVELOPE, "generation_id": None}),
    "an end of nobody": lambda: answered({"status": "canceled", "detail": "Request canceled"}),
    "a video of nobody": lambda: answered({"status": "success", "video_url": "/v.mp4"}),
}


class OneId:
    """Answers oddly about the first generation that is asked for."""

    def __init__(self, odd: Callable[[], web.Response], listing: web.Response | None) -> None:
        self.odd = odd
        self.fails_list = listing is not None
        self.id = ""

    def __call__(self, request: web.Request) -> web.StreamResponse | None:
        asked = request.path.removeprefix(f"{LIST}/").strip("/")
        if request.path == LIST and self.fails_list:
            return refusal(500, detail="the list is broken")
        if request.method == "GET" and request.path.startswith(f"{LIST}/"):
            self.id = self.id or asked
            return self.odd() if asked == self.id else None
        return None


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_id_whose_status_fails_is_found_in_the_list(
    shop: Shop, status: Callable[[], Any], odd: Callable[[], web.Response]
) -> None:
    """Nobody else is slowed down, and the one is seen where it is shown."""
    shop.answer = OneId(odd, None)
    assert shop.run(rows=2) == 0
    assert status()["jobs"]["completed"] == 2


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_id_that_nothing_shows_stops_nobody(
    shop: Shop, status: Callable[[], Any], odd: Callable[[], web.Response]
) -> None:
    """Its status and the list both fail: the others complete, the one is told as overdue."""
    shop.answer = OneId(odd, html(500))
    code = shop.run("--buy-again", "--generation-timeout", "2")
    found = status()
    assert found["jobs"]["completed"] == ROWS - 1
    assert (code, found["failed_kinds"]) == (3, {"overdue": 1})
    assert len(shop.world.made) == ROWS


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (200, "Sora is overloaded right now", "system"),
        (0, "internal error", "system"),
        (1301, "internal error", "unknown"),
        (200, "success", "unknown"),
        (200, "Internal error: blocked by moderation", "content"),
    ],
)
def test_an_envelope_that_went_well_hides_no_reason(
    shop: Shop, status: Callable[[], Any], code: int, words: str, kind: str
) -> None:
    """Only the generation's own words tell why it failed, and an unknown code keeps it waiting."""

    def answer(request: web.Request) -> web.StreamResponse | None:
        if request.method != "GET" or not request.path.startswith(f"{LIST}/"):
            return None
        asked = request.path.removeprefix(f"{LIST}/").strip("/")
        inner = {"generation_id": asked, "status": "failed", "error": words}
        return answered({"code": code, "msg": "success", "data": inner})

    shop.answer = answer
    assert shop.run("--buy-again", "--retries", "0", rows=1) == 3
    assert status()["failed_kinds"] == {kind: 1}
    assert len(shop.world.made) == 1
    assert shop.call("retry", "--yes") == 0  # what is not meant is left alone
    assert status()["jobs"]["queued"] == (kind == "system")


def test_a_list_that_fails_for_ever_keeps_no_video_back(
    shop: Shop, status: Callable[[], Any]
) -> None:
    """Single looks find every video, and the broken list is not asked all the time."""
    reads = 0

    def answer(request: web.Request) -> web.StreamResponse | None:
        nonlocal reads
        if request.path != LIST:
            return None
        reads += 1
        return refusal(500, detail="the list is broken")

    shop.answer = answer
    assert shop.run("--buy-again") == 0
    assert status()["jobs"]["completed"] == ROWS
    assert reads < 15


def test_a_token_that_is_refused_everywhere_is_the_tokens(shop: Shop) -> None:
    """403 also on the balance: exit 6, and nothing was sent."""
    shop.answer = lambda _: refusal(403, detail="invalid key")
    assert shop.run("--buy-again") == 6
    assert shop.posts == 0


def test_a_403_on_submissions_whose_balance_is_refused_too_is_the_tokens(shop: Shop) -> None:
    """The token was revoked in the middle of the run."""
    revoked = False

    def answer(request: web.Request) -> web.StreamResponse | None:
        nonlocal revoked
        revoked |= request.path == POST
        return refusal(403, detail="key revoked") if revoked else None

    shop.answer = answer
    assert shop.run("--buy-again") == 6


SUSPENDED = "Your account was suspended due to violations of our content policy"
REFUSED = [
    (lambda: html(403), "access", "Attention required"),
    (lambda: refusal(403, detail="Forbidden"), "access", "Forbidden"),
    (lambda: refusal(400, detail="Insufficient balance"), "balance", "top up"),
    (lambda: refusal(403, code="INSUFFICIENT_CREDITS"), "balance", "top up"),
    (lambda: refusal(429, error={"code": "insufficient_quota"}), "balance", "top up"),
    (lambda: refusal(422, message="Daily limit reached"), "the account", "Daily limit"),
    (lambda: refusal(400, detail="Your account has been suspended"), "the account", "suspended"),
    (lambda: refusal(429, detail="monthly quota exceeded"), "the account", "quota"),
    (lambda: refusal(400, detail="Model sora-1 is retired"), "a change", "retired"),
    (lambda: refusal(422, detail=[{"loc": ["body", "model"], "msg": "bad"}]), "a change", "model"),
    (
        lambda: refusal(400, detail="Image generation failed: insufficient credits"),
        "balance",
        "top",
    ),
    (lambda: refusal(422, detail="Prompt quota exceeded"), "the account", "Prompt quota"),
    (lambda: refusal(403, detail=SUSPENDED), "the account", "violations"),
    (lambda: refusal(400, error={"code": "image_generation_failed"}), "a change", "image_gen"),
    (lambda: refusal(400, detail="15 seconds need a Pro plan"), "a change", "Pro plan"),
    (lambda: refusal(403, detail="Images are not enabled for you"), "a change", "not enabled"),
]


@pytest.mark.parametrize(("odd", "waits", "words"), REFUSED, ids=[w for _, _, w in REFUSED])
def test_what_concerns_the_account_or_the_run_stops_the_run(
    shop: Shop,
    status: Callable[[], Any],
    capsys: pytest.CaptureFixture[str],
    odd: Callable[[], web.Response],
    waits: str,
    words: str,
) -> None:
    """Exit 4 in the provider's words; every row is queued as if it had never been tried."""
    shop.answer = lambda request: odd() if request.path == POST else None
    assert shop.run("--buy-again", "--max-in-flight", "4") == 4
    assert words in capsys.readouterr().err
    found = status()
    assert found["jobs"]["queued"] == ROWS
    assert waits in found["waiting_for"]
    assert shop.posts <= 7
    capsys.readouterr()
    shop.call("jobs", "--json")
    jobs = json.loads(capsys.readouterr().out)
    assert [(job["attempts"], job["error"]) for job in jobs] == [(0, None)] * ROWS
    shop.answer = lambda _: None
    assert shop.run("--buy-again") == 0
    assert len(shop.world.made) == ROWS


@pytest.mark.parametrize("told", ["Your subscription has expired: {}", "A Pro plan makes '{}'"])
@pytest.mark.parametrize("code", [400, 403, 422])
def test_the_accounts_refusal_that_quotes_each_prompt_stops_the_run(
    shop: Shop, status: Callable[[], Any], code: int, told: str
) -> None:
    """No row pays for it, and all are bought when it is settled."""

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if request.path != POST:
            return None
        return refusal(code, detail=told.format((await request.json())["prompt"]))

    shop.answer = answer
    prompts = [f"{thing} in the rain" for thing in ("kite", "tram", "dune", "fox", "lamp", "sea")]
    assert shop.run("--buy-again", prompts=prompts) == 4
    assert status()["jobs"]["queued"] == ROWS
    shop.answer = lambda _: None
    assert shop.run("--buy-again", prompts=prompts) == 0
    assert len(shop.world.made) == ROWS


AS_OF_THE_ACCOUNT = [
    (400, "This one needs a top-up"),  # which the balance denies
    (403, "Billing address in the scene"),
    (422, "Payment required signs can't be shown"),
    (400, "The user is suspended"),
    (400, "Your account has been suspended"),
]


@pytest.mark.parametrize(
    ("code", "words"), AS_OF_THE_ACCOUNT, ids=[w for _, w in AS_OF_THE_ACCOUNT]
)
def test_one_row_that_alone_hears_of_the_account_stays_queued_behind_the_others(
    shop: Shop,
    status: Callable[[], Any],
    capsys: pytest.CaptureFixture[str],
    code: int,
    words: str,
) -> None:
    """Whose fault it is can't be told in a small sheet: it is asked a few times, at no cost."""
    prompts = [f"Recharge your life {i}" for i in range(ROWS)]

    async def answer(request: web.Request) -> web.StreamResponse | None:
        odd = request.path == POST and (await request.json())["prompt"] == prompts[0]
        return refusal(code, detail=words) if odd else None

    shop.answer = answer
    assert shop.run("--buy-again", prompts=prompts) == 4
    assert words in capsys.readouterr().err
    found = status()
    assert (found["jobs"]["completed"], found["jobs"]["queued"]) == (ROWS - 1, 1)
    assert len(shop.world.made) == ROWS - 1
    assert shop.posts <= ROWS + 3


OF_ONE_ROW = [
    (400, "Recharge your life is not a permitted slogan"),
    (400, 'The words "insufficient funds" are not permitted'),
    (403, "Forbidden: 'Recharge your life'"),
    (422, "Exceeded the plan limit of 20 MB"),
    (400, "Video limit of 15 seconds exceeded"),
    (400, "users are banned from depicting minors"),
    (422, "a Pro plan is required for 15 seconds"),
    (403, "a Pro plan is required for 15 seconds"),
    (400, "Your subscription has expired"),
    (403, "Not allowed"),
    (403, "Attention required"),
]


@pytest.mark.parametrize(("code", "words"), OF_ONE_ROW, ids=[w for _, w in OF_ONE_ROW])
@pytest.mark.parametrize("place", [0, 3])
def test_one_rows_refusal_ends_no_run(
    shop: Shop,
    status: Callable[[], Any],
    capsys: pytest.CaptureFixture[str],
    code: int,
    words: str,
    place: int,
) -> None:
    """It fails in the provider's words, and all others are bought, each once."""
    prompts = [f"Recharge your life {i}" for i in range(ROWS)]
    refused = prompts[place]

    async def answer(request: web.Request) -> web.StreamResponse | None:
        odd = request.path == POST and (await request.json())["prompt"] == refused
        return refusal(code, detail=words) if odd else None

    shop.answer = answer
    assert shop.run("--buy-again", prompts=prompts) == 3
    found = status()
    assert (found["jobs"]["completed"], found["jobs"]["failed"]) == (ROWS - 1, 1)
    shop.call("jobs", "--status", "failed", "--json")
    (job,) = json.loads(capsys.readouterr().out)
    assert job["job"] == f"r{place}"
    assert words in job["error"]
    assert shop.run("--buy-again", prompts=prompts) == 3
    assert len(shop.world.made) == ROWS - 1


def test_a_campaign_whose_prompts_speak_of_money_fails_row_by_row(
    shop: Shop, status: Callable[[], Any]
) -> None:
    """Each of them is refused for its words: the run goes through, and the last one is bought."""
    prompts = [*(f"Recharge your life {i}" for i in range(ROWS - 1)), "a kite"]

    async def answer(request: web.Request) -> web.StreamResponse | None:
        odd = request.path == POST and "life" in (await request.json())["prompt"]
        return refusal(400, detail="Recharge your life is not permitted") if odd else None

    shop.answer = answer
    assert shop.run("--buy-again", prompts=prompts) == 3
    assert status()["failed_kinds"] == {"validation": ROWS - 1}
    assert len(shop.world.made) == 1


@pytest.mark.parametrize("code", [400, 403, 422])
def test_a_sheet_that_moderation_refuses_fails_row_by_row(
    shop: Shop, status: Callable[[], Any], code: int
) -> None:
    """All in the same words, which are about the prompt: the last row is bought, nothing else."""
    words = "Your prompt violates our content policy. Repeated violations may get you banned."

    async def answer(request: web.Request) -> web.StreamResponse | None:
        odd = request.path == POST and "kite" not in (await request.json())["prompt"]
        return refusal(code, detail=words) if odd else None

    shop.answer = answer
    prompts = [*(f"dune {i}" for i in range(20)), "a kite"]
    assert shop.run("--buy-again", "--max-in-flight", "4", prompts=prompts) == 3
    kind = "content" if code == 403 else "validation"
    assert status()["failed_kinds"] == {kind: 20}
    assert len(shop.world.made) == 1
    posts = shop.posts
    assert shop.run("--buy-again", prompts=prompts) == 3
    assert shop.posts == posts  # nor is any of them sent again by itself


def test_two_rows_that_the_account_refused_stay_queued(
    shop: Shop, status: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """They are asked until it is a streak: the run ends, and the next one buys them."""
    words = "Your account has been suspended"
    shop.answer = lambda request: refusal(400, detail=words) if request.path == POST else None
    assert shop.run("--buy-again", rows=2) == 4
    assert f"{words}; 2 job(s) stay queued" in capsys.readouterr().err
    assert status()["jobs"]["queued"] == 2
    assert words in status()["waiting_for"]
    assert shop.posts <= 4  # each twice, until three were refused in a row
    shop.answer = lambda _: None
    assert shop.call("run", *QUICK) == 0
    assert len(shop.world.made) == 2


def test_the_last_row_in_words_that_nobody_understands_fails_in_the_second_run(
    shop: Shop, status: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The first one says what it can't tell and what to do; then 'retry' is offered."""

    async def answer(request: web.Request) -> web.StreamResponse | None:
        odd = request.path == POST and (await request.json())["prompt"] == "kite 2"
        return refusal(400, detail="nope") if odd else None

    shop.answer = answer
    assert shop.run("--buy-again", "--max-in-flight", "1", rows=3) == 4
    assert "the rows or the account: 1 job(s) stay queued, at no cost" in capsys.readouterr().err
    assert "nope" in status()["waiting_for"]
    assert shop.run("--buy-again", rows=3) == 3
    assert status()["failed_kinds"] == {"validation": 1}
    shop.answer = lambda _: None
    assert shop.call("retry", "--kind", "validation", "--yes") == 0
    assert shop.call("run", *QUICK) == 0
    assert len(shop.world.made) == 3


@pytest.mark.parametrize("words", ["Recharge your life", "Billing scene could not be rendered"])
def test_a_doubt_of_one_row_that_speaks_of_money_stops_no_other(
    shop: Shop, status: Callable[[], Any], words: str
) -> None:
    """The doubt stays one, with its hold; the balance suffices, so the others are bought."""
    prompts = [f"Recharge your life {i}" for i in range(ROWS)]

    async def answer(request: web.Request) -> web.StreamResponse | None:
        odd = request.path == POST and (await request.json())["prompt"] == prompts[0]
        return refusal(500, detail=words) if odd else None

    shop.answer = answer
    shop.run("--buy-again", prompts=prompts)
    assert status()["jobs"]["completed"] == ROWS - 1
    assert len(shop.world.made) == ROWS - 1


@pytest.mark.parametrize("shown", [{"balance": "0.05"}, {"ok": True}], ids=["little", "unreadable"])
@pytest.mark.parametrize("code", [400, 403, 422])
def test_no_money_in_so_many_words_is_believed_where_the_balance_says_so(
    shop: Shop, status: Callable[[], Any], code: int, shown: dict[str, Any]
) -> None:
    """The balance is below the row's price, or says nothing: the run stops, the row is queued."""
    spent = False

    def answer(request: web.Request) -> web.StreamResponse | None:
        nonlocal spent
        spent |= request.path == POST
        if request.path == BALANCE and spent:
            return answered(shown)
        return refusal(code, detail="Insufficient balance") if request.path == POST else None

    shop.answer = answer
    assert shop.run("--buy-again", rows=1) == 4
    assert status()["jobs"]["queued"] == 1
    assert "balance" in status()["waiting_for"]


def test_a_402_is_believed_whatever_the_balance_says(shop: Shop, status: Callable[[], Any]) -> None:
    """It is a status of its own."""
    shop.answer = lambda request: refusal(402, detail="no") if request.path == POST else None
    assert shop.run("--buy-again", rows=1) == 4
    assert status()["jobs"]["queued"] == 1
    assert shop.posts == 1


def test_a_500_that_speaks_of_the_quota_stops_the_run_and_stays_a_doubt(
    shop: Shop, status: Callable[[], Any]
) -> None:
    """It may have been made all the same: it keeps its hold, and nothing more is sent."""
    shop.answer = lambda request: (
        refusal(500, detail="Quota exceeded for this account") if request.path == POST else None
    )
    assert shop.run("--buy-again", "--max-in-flight", "2") == 7
    assert "Quota exceeded" in status()["waiting_for"]
    assert status()["jobs"]["queued"] == ROWS - shop.posts
    assert status()["jobs"]["in_doubt"] == shop.posts <= 2


def callback_refused(request: web.Request) -> web.StreamResponse | None:
    detail = [{"loc": ["body", "callback_url"], "msg": "URL is not reachable"}]
    return refusal(422, detail=detail) if request.path == POST else None


def test_the_runs_own_callback_address_is_no_fault_of_the_rows(
    shop: Shop, status: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The run stops and names the flag."""
    shop.answer = callback_refused
    assert shop.run("--buy-again", "--callback-base", "https://hooks.example.com") == 4
    assert "--callback-base" in capsys.readouterr().err
    assert status()["jobs"]["queued"] == ROWS


def test_a_rows_own_callback_address_is_its_fault(shop: Shop, status: Callable[[], Any]) -> None:
    """The row that names it fails."""
    shop.answer = callback_refused
    Path("own.csv").write_text(
        "id,prompt,callback_url\nr0,kite,https://hooks.example.com/x\n", encoding="utf-8"
    )
    assert shop.call("run", "own.csv", "--buy-again", *QUICK) == 3
    assert status()["failed_kinds"] == {"validation": 1}


def test_one_odd_balance_is_no_end(shop: Shop) -> None:
    """A firewall in front of the balance alone, after the run began, stops nothing."""
    reads = 0

    def answer(request: web.Request) -> web.StreamResponse | None:
        nonlocal reads
        reads += request.path == BALANCE
        return html(502) if request.path == BALANCE and reads > 1 else None

    shop.answer = answer
    assert shop.run("--buy-again") == 0
