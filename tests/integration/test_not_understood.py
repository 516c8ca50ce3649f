"""Failures, states, addresses and times that are not understood, over real HTTP."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.shell import Shell

from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Made, World

QUICK = ("--poll-interval", "0.05", "--rate", "0")
REASONS = (
    "UNSAFE_CONTENT",
    "MODERATION_FAILED",
    "PROMINENT_PEOPLE_UPLOAD",
    "PHOTOREAL_UPLOAD",
    "INVALID_IMAGE",
    "NON_ENGLISH_PROMPT",
    "GOOGLE_DECLINED",
    "TASK_FAILED",
    "content_policy_violation",
    "moderation_blocked",
    "inputModerationFailed",
    "sentinel_block",
    "INSUFFICIENT_CREDITS",
    '{"code": "sentinel_block", "message": "internal"}',
    '{"error": {"type": "invalid_request_error", "code": null}}',
    "\u5185\u5bb9\u8fdd\u89c4\uff0c\u751f\u6210\u5931\u8d25",
    "Der Inhalt verst\u00f6\u00dft gegen die Richtlinien",
    "Something went wrong. Please try again later.",
    "E005",
)


@dataclass
class OddWorld(World):
    """A provider that shows its generations as a test wants them."""

    shows: Callable[[Made, dict[str, Any]], dict[str, Any]] = field(
        default=lambda _, document: document
    )

    def view(self, item: Made, now: datetime, files: str) -> dict[str, Any]:
        """Show a generation."""
        return self.shows(item, super().view(item, now, files))


@pytest.fixture
def world() -> OddWorld:
    """A provider whose videos take half a second at most."""
    return OddWorld(time_scale=2000.0)


@pytest.fixture
def faults() -> Faults:
    """Nothing goes wrong on the way."""
    return Faults()


@pytest.fixture
def call(
    world: OddWorld,
    faults: Faults,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Shell]:
    """Run commands in an empty folder, against the provider."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "odd-test-token")
    with SandboxServer(world, faults=faults) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield Shell(capsys)


def sheet(count: int) -> None:
    """Write a manifest of rows whose prompts differ."""
    lines = [f"r{n},a kite over dune {n}" for n in range(count)]
    Path("night.csv").write_text("\n".join(["id,prompt", *lines]) + "\n", encoding="utf-8")


def test_codes_and_other_languages_are_bought_once(call: Shell, world: OddWorld) -> None:
    """19 rows that fail for reasons that are no own fault of the provider's: 19 purchases."""
    world.failures = {f"a kite over dune {n}": [why] * 9 for n, why in enumerate(REASONS)}
    sheet(len(REASONS))
    said = call("run", "night.csv", "--budget", "10", *QUICK)
    assert said.code == 3
    assert len(world.made) == len(REASONS) == 19
    failed = {job["job"]: job for job in call("jobs", "--status", "failed", "--json").json}
    kinds = [failed[f"r{n}"]["error_kind"] for n in range(19)]
    assert kinds[:6] == ["content", "content", "image", "image", "image", "content"]
    assert kinds[6:11] == ["unknown", "unknown", "content", "content", "content"]
    assert set(kinds[11:]) == {"unknown"}
    assert failed["r11"]["error"] == "sentinel_block"
    assert failed["r15"]["error"] == REASONS[15]


def test_only_a_person_buys_again_what_is_not_understood(call: Shell, world: OddWorld) -> None:
    """``retry`` leaves it alone and says how to read it; ``--kind unknown`` buys it."""
    world.failures = {"a kite over dune 0": ["GOOGLE_DECLINED"], "a kite over dune 1": ["nsfw"]}
    sheet(2)
    assert call("run", "night.csv", "--budget", "10", *QUICK).code == 3
    said = call("retry", "--yes")
    assert said.out.strip() == "nothing to retry"
    assert "1 failed by unknown, not retried: read their messages" in said.words
    assert "1 failed by content, not retried: reword the prompts" in said.words
    assert "To buy them unchanged: 'batchsora retry --kind content'" in said.words
    assert call("retry", "--kind", "unknown", "--yes").code == 0
    assert call("run", "--yes", *QUICK).code == 3  # the other one's prompt is still refused
    assert sorted(made.prompt[-1] for made in world.made) == ["0", "0", "1"]
    assert call("report", "-o", "night.html").code == 0
    report = Path("night.html").read_text(encoding="utf-8")
    assert "unchanged they would be refused again" in report


def test_what_is_the_providers_own_fault_is_meant_by_retry(call: Shell, world: OddWorld) -> None:
    """The whitelist works: an internal error, told as an object, needs no ``--kind``."""
    world.failures = {"a kite over dune 0": ["x"]}

    def show(_: Made, document: dict[str, Any]) -> dict[str, Any]:
        reason = {"code": "internal_error", "message": "Internal error", "param": None}
        own = {"error_message": None, "error": reason}
        return document | (own if document["error_message"] else {})

    world.shows = show
    sheet(1)
    assert call("run", "night.csv", "--budget", "10", "--retries", "0", *QUICK).code == 3
    (job,) = call("jobs", "--json").json
    assert job["error_kind"] == "system"
    assert job["error"] == "internal_error: Internal error"
    assert call("retry", "--yes").code == 0
    assert call("run", "--yes", *QUICK).code == 0
    assert len(world.made) == 2


@pytest.mark.parametrize(
    "words",
    [
        {"pending": "QUEUED", "processing": "IN_PROGRESS", "completed": "SUCCEEDED"},
        {"pending": "not_start", "processing": "rendering", "completed": "TASK_STATUS_SUCCEED"},
    ],
)
def test_synonyms_are_understood(call: Shell, world: OddWorld, words: dict[str, str]) -> None:
    """A provider that says it in other words, in another field, is waited for and downloaded."""
    world.shows = lambda _, document: {
        **{name: value for name, value in document.items() if name != "status"},
        "state": words[document["status"]],
        "video_url": document["video_url"] and "/" + document["video_url"].split("/", 3)[3],
    }
    sheet(3)
    said = call("run", "night.csv", "--budget", "10", *QUICK)
    assert said.code == 0, said.err
    assert len(list(Path("videos").rglob("*.mp4"))) == 3
    assert len(world.made) == 3


def test_a_cancelled_generation_has_ended(call: Shell, world: OddWorld) -> None:
    """It is a failure of its own, in the provider's word, and a person may buy it again."""
    world.shows = lambda _, document: document | {"status": "Cancelled"}
    sheet(1)
    assert call("run", "night.csv", "--budget", "10", *QUICK).code == 3
    (job,) = call("jobs", "--json").json
    assert (job["status"], job["error_kind"]) == ("failed", "unknown")
    assert job["error"] == "the provider says 'Cancelled' and gives no reason"
    world.shows = lambda _, document: document
    assert call("retry", "r0", "--yes").code == 0
    assert call("run", "--yes", *QUICK).code == 0
    assert len(world.made) == 2


def test_a_state_that_nobody_knows_is_paid_once_and_may_still_end(
    call: Shell, world: OddWorld
) -> None:
    """It fails as ``unknown`` when patience ends, is not retried, and is found finished later."""
    world.shows = lambda _, document: document | {"status": "Frobnicated"}
    sheet(1)
    patience = ("--generation-timeout", "1")
    assert call("run", "night.csv", "--budget", "10", *patience, *QUICK).code == 3
    (job,) = call("jobs", "--json").json
    assert (job["status"], job["error_kind"]) == ("failed", "unknown")
    assert "the provider says 'Frobnicated'" in job["error"]
    assert json.loads(call("show", "r0", "--json").out)["attempts"][0]["said_state"] == (
        "Frobnicated"
    )
    told = call("show", "r0")
    assert "'batchsora run' checks it again: it is paid for, and may still finish" in told.out
    refused = call("retry", "r0", "--yes")
    assert refused.code == 2
    assert "may still finish" in refused.words
    assert call("retry", "--kind", "unknown", "--yes").code == 2
    world.shows = lambda _, document: document
    again = call("run", *QUICK)
    assert again.code == 0, again.err
    (job,) = call("jobs", "--json").json
    assert job["status"] == "completed"
    assert len(world.made) == 1


def test_a_video_without_an_address_is_asked_for_again(call: Shell, world: OddWorld) -> None:
    """Completed and no address: looked at until patience ends, then ``no-file``, then found."""
    world.shows = lambda _, document: document | {"video_url": "file:///srv/v.mp4"}
    sheet(2)
    patience = ("--generation-timeout", "1")
    assert call("run", "night.csv", "--budget", "10", *patience, *QUICK).code == 3
    jobs = call("jobs", "--json").json
    assert {job["error_kind"] for job in jobs} == {"no-file"}
    assert "usable URL" in jobs[0]["error"]
    world.shows = lambda _, document: document
    assert call("run", *QUICK).code == 0
    assert len(list(Path("videos").rglob("*.mp4"))) == 2
    assert len(world.made) == 2


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"])
@pytest.mark.parametrize("faults", [Faults(drop=0.4)], ids=["dropped"])
def test_an_odd_time_in_the_list_stops_neither_run_nor_reconcile(
    call: Shell, world: OddWorld, faults: Faults, time: str
) -> None:
    """Times of another century are unreadable: the doubts beside them are settled all the same."""

    def show(item: Made, document: dict[str, Any]) -> dict[str, Any]:
        answered = faults.of_submission(world.seed, item.prompt, 1) is Fault.NONE
        return document | ({"created_at": time} if answered else {})

    world.shows = show
    sheet(8)
    said = call("run", "night.csv", "--budget", "10", "--grace", "0.5", *QUICK)
    assert said.code == 0, said.err
    dropped = [faults.of_submission(world.seed, m.prompt, 1) is Fault.DROP for m in world.made]
    assert any(dropped)
    assert not all(dropped)
    assert call("reconcile", "--grace", "0.5").code == 0
    assert len(world.made) == 8
