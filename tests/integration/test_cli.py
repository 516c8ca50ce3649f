"""The command line as people and scripts use it, against the sandbox over real HTTP."""

import csv
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchsora.cli import main
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database.lock import runner_lock
from jobs.model.clock import SystemClock

QUICK = ("--poll-interval", "0.05", "--rate", "0")


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Read the one JSON document on stdout."""
        return json.loads(self.out)


Call = Callable[..., Said]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Run commands in an empty folder, with a token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "cli-test-token")

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = capsys.readouterr()
        assert "cli-test-token" not in said.out + said.err
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second at most."""
    return World(time_scale=2000.0)


def sheet(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write a spreadsheet."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows(count: int, **more: str) -> list[dict[str, str]]:
    """Make rows whose prompts differ."""
    return [{"id": f"r{i}", "prompt": f"a kite over dune {i}"} | more for i in range(count)]


def table(path: Path) -> list[dict[str, str]]:
    """Read an export."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_from_a_spreadsheet_to_videos_beside_the_rows(
    call: Call, api: SandboxServer, tmp_path: Path
) -> None:
    """Load, buy within the budget, poll, download, export: the whole promise in one run."""
    sheet(tmp_path / "night.csv", rows(4, mood="calm"))
    said = call("run", "night.csv", "--budget", "1", "--json", *QUICK)
    assert said.code == 0, said.err
    (batch,) = said.json["batches"]
    assert batch["jobs"]["completed"] == batch["jobs"]["total"] == 4
    money = {"cap": "1.00", "charged": "0.48", "held": "0.00", "refunded": "0.00", "free": "0.52"}
    assert batch["money"] == money
    assert call("export", "-o", "out.csv").code == 0
    results = table(tmp_path / "out.csv")
    assert [row["id"] for row in results] == ["r0", "r1", "r2", "r3"]
    assert list(results[0])[:3] == ["id", "prompt", "mood"]
    for row in results:
        assert (row["status"], row["price"], row["mood"]) == ("completed", "0.12", "calm")
        video = (tmp_path / row["file"]).read_bytes()
        assert video[4:8] == b"ftyp"
    assert len(api.world.ledger(SystemClock().now())["generations"]) == 4
    # the export is a manifest: loaded again it adds nothing and buys nothing
    again = call("run", "out.csv", "--name", "night", "--json", *QUICK)
    assert again.code == 0, again.err
    assert len(api.world.made) == 4


def test_a_budget_that_is_too_small_ends_with_4_and_says_what_is_left(
    call: Call, api: SandboxServer, tmp_path: Path
) -> None:
    """Exit 4, the rest still queued, and the remedy in words; a higher budget goes on."""
    sheet(tmp_path / "night.csv", rows(6))
    said = call("run", "night.csv", "--budget", "0.30", *QUICK)
    assert said.code == 4
    assert "4 job(s) left" in said.err
    assert "--budget" in said.err
    assert len(api.world.made) == 2
    status = call("status", "--json").json
    assert status["batches"][0]["waiting_for"] == "budget of the batch"
    assert status["batches"][0]["runner"] is None
    assert status["balance"] == "99.76"
    more = call("run", "--budget", "2", *QUICK)
    assert more.code == 0
    assert "$2.00 replaces $0.30" in more.err
    assert len(api.world.made) == 6


def test_without_a_terminal_nothing_is_spent_unless_said(
    call: Call, api: SandboxServer, tmp_path: Path
) -> None:
    """No budget, no --yes, nobody to ask: exit 2, the rows loaded, nothing bought."""
    sheet(tmp_path / "night.csv", rows(2))
    said = call("run", "night.csv", *QUICK)
    assert said.code == 2
    assert "--budget" in said.err
    assert "$0.24" in said.err
    assert api.world.made == []
    assert call("status", "--json").json["batches"][0]["jobs"]["queued"] == 2
    assert call("run", "--yes", *QUICK).code == 0


def test_a_yaml_budget_is_as_good_as_the_flag(
    call: Call, api: SandboxServer, tmp_path: Path
) -> None:
    """The manifest's own caps allow an unattended run, and hold."""
    (tmp_path / "night.yaml").write_text(
        "budget: 1.00\ncampaigns:\n  a: {budget: 0.12}\njobs:\n"
        "  - {id: x, prompt: one, campaign: a}\n  - {id: y, prompt: two, campaign: a}\n"
        "  - {id: z, prompt: three}\n"
    )
    said = call("run", "night.yaml", "--json", *QUICK)
    assert said.code == 4
    (batch,) = said.json["batches"]
    assert batch["campaigns"]["a"]["charged"] == batch["campaigns"]["a"]["cap"] == "0.12"
    assert batch["jobs"]["completed"] == 2
    assert len(api.world.made) == 2


@pytest.mark.usefixtures("api")
def test_failures_end_with_3_and_are_sorted(call: Call, world: World, tmp_path: Path) -> None:
    """A content failure is final; the export and the list say why, with its kind."""
    world.failures = {"a kite over dune 1": ["The prompt violates the content policy"]}
    sheet(tmp_path / "night.csv", rows(3))
    said = call("run", "night.csv", "--budget", "1", *QUICK)
    assert said.code == 3
    listed = call("jobs", "--status", "failed", "--json").json
    assert [(job["job"], job["error_kind"], job["price"]) for job in listed] == [
        ("r1", "content", "0.12")
    ]
    call("export", "-o", "failed.jsonl", "--status", "failed")
    (line,) = (tmp_path / "failed.jsonl").read_text().splitlines()
    assert json.loads(line)["error"] == "The prompt violates the content policy"


@pytest.mark.usefixtures("api")
def test_a_refused_token_ends_with_6(call: Call, world: World, tmp_path: Path) -> None:
    """Nothing is bought, the rows wait, and the words say what to do."""
    world.token = "another"
    sheet(tmp_path / "night.csv", rows(2))
    said = call("run", "night.csv", "--budget", "1", *QUICK)
    assert said.code == 6
    assert "renew" in said.err
    assert call("balance").code == 6
    assert world.made == []


@pytest.mark.usefixtures("api")
def test_missing_credits_end_with_4(call: Call, world: World, tmp_path: Path) -> None:
    """The account holds two videos' worth: two are bought, polled and fetched."""
    world.balance = 300_000
    sheet(tmp_path / "night.csv", rows(5))
    said = call("run", "night.csv", "--yes", *QUICK)
    assert said.code == 4
    assert len(world.made) == 2
    assert call("status", "--json").json["batches"][0]["jobs"]["completed"] == 2


def test_doubts_end_with_7_and_a_person_settles_them(
    call: Call, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer is dropped, and somebody else makes the same: a person must tell them apart."""
    sheet(tmp_path / "night.csv", rows(2))
    with SandboxServer(world, faults=Faults(drop=1.0, twin=1.0)) as api:
        monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
        for _ in range(2):
            said = call("run", "night.csv", "--budget", "1", "--grace", "0.5", *QUICK)
            assert said.code == 7, said.err
            assert "resolve" in said.err
        assert len(world.made) == 4
        doubts = json.loads(call("status", "--json").out)["batches"][0]["doubts"]
        made = {item.prompt: item.id for item in world.made if not item.foreign}
        for doubt in doubts:
            candidates = {one["generation_id"] for one in doubt["candidates"]}
            assert len(candidates) == 2
            assert made[f"a kite over dune {doubt['job'][1:]}"] in candidates
        assert "could be" in call("status").out
        wrong = call("resolve", "r0", "--generation", made["a kite over dune 1"])
        assert (wrong.code, "another prompt" in wrong.err) == (2, True)
        early = call("resolve", "r0", "--never-made")
        assert (early.code, "--force" in early.err) == (2, True)
        unknown = call("resolve", "r0", "--generation", "no-such-id")
        assert unknown.code == 2
        for i in range(2):
            done = call("resolve", f"r{i}", "--generation", made[f"a kite over dune {i}"])
            assert done.code == 0, done.err
        twice = call("resolve", "r0", "--never-made", "--force")
        assert (twice.code, "not unconfirmed" in twice.err) == (2, True)
        assert call("run", *QUICK).code == 0
    assert sum(not item.foreign for item in world.made) == 2


def test_an_edited_paid_row_is_reported_and_not_bought(
    call: Call, api: SandboxServer, tmp_path: Path
) -> None:
    """The video that was paid for stays; --redo-changed buys the new one, under the same cap."""
    sheet(tmp_path / "night.csv", rows(2))
    call("run", "night.csv", "--budget", "1", *QUICK)
    edited = rows(2)
    edited[1]["prompt"] = "a kite over the sea"
    sheet(tmp_path / "night.csv", edited)
    said = call("run", "night.csv", *QUICK)
    assert said.code == 0
    assert "edited after they were paid for" in said.err
    assert "r1" in said.err
    assert len(api.world.made) == 2
    assert call("run", "night.csv", "--redo-changed", *QUICK).code == 0
    assert [item.prompt for item in api.world.made][2:] == ["a kite over the sea"]
    assert len(list((tmp_path / "videos" / "night").glob("r1*.mp4"))) == 2


def test_a_broken_manifest_is_refused_whole(call: Call, api: SandboxServer, tmp_path: Path) -> None:
    """Every problem is named with row and column; nothing is loaded; the valid rows can go on."""
    bad = rows(3)
    bad[1]["prompt"] = " "
    sheet(tmp_path / "night.csv", [row | {"duration": "10"} for row in bad])
    text = (tmp_path / "night.csv").read_text().replace("dune 2,10", "dune 2,12")
    (tmp_path / "night.csv").write_text(text)
    said = call("run", "night.csv", "--budget", "1", *QUICK)
    assert said.code == 2
    assert "row 3" in said.err
    assert "row 4" in said.err
    assert "duration" in said.err
    assert call("status", "--json").json["batches"] == []
    planned = call("plan", "night.csv", "--json")
    assert planned.code == 2
    assert [(p["row"], p["column"]) for p in planned.json["invalid"]] == [
        (3, "prompt"),
        (4, "duration"),
    ]
    assert (planned.json["rows"], planned.json["jobs"], planned.json["cost"]) == (3, 1, "0.12")
    skipped = call("run", "night.csv", "--budget", "1", "--skip-invalid", *QUICK)
    assert skipped.code == 3
    assert len(api.world.made) == 1


def test_a_misspelt_column_stops_before_it_buys_the_wrong_thing(
    call: Call, api: SandboxServer, tmp_path: Path
) -> None:
    """``durration`` would buy ten seconds for everyone; --allow-unknown says it is meant."""
    sheet(tmp_path / "night.csv", rows(1, durration="15"))
    said = call("run", "night.csv", "--budget", "1", *QUICK)
    assert (said.code, "durration" in said.err) == (2, True)
    assert api.world.made == []
    assert call("run", "night.csv", "--budget", "1", "--allow-unknown", *QUICK).code == 0


def test_plan_writes_nothing_and_needs_nothing(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without token, network and database: rows, cost and time, the balance null with a warning."""
    monkeypatch.delenv("RUNBLOB_API_KEY")
    sheet(tmp_path / "night.csv", rows(20))
    before = sorted(tmp_path.iterdir())
    said = call("plan", "night.csv", "--json")
    assert said.code == 0, said.err
    assert said.json["jobs"] == 20
    assert said.json["cost"] == said.json["remaining_cost"] == "2.40"
    assert said.json["balance"] is None
    assert any("balance" in warning for warning in said.json["warnings"])
    assert said.json["seconds"] >= 600
    assert sorted(tmp_path.iterdir()) == before
    gone = call("plan", "nowhere.csv", "--json")
    assert gone.code == 2
    assert gone.json["error"]["file"] == "nowhere.csv"


def test_plan_knows_what_is_done_already(call: Call, api: SandboxServer, tmp_path: Path) -> None:
    """After a part was bought, the plan of the same manifest says what the rest costs."""
    sheet(tmp_path / "night.csv", rows(4))
    call("run", "night.csv", "--budget", "1", "--first", "3", *QUICK)
    assert len(api.world.made) == 3
    said = call("plan", "night.csv", "--json")
    assert (said.json["already_done"], said.json["remaining_cost"]) == (3, "0.12")
    assert said.json["balance"] == "99.64"
    assert said.json["caps"]["batch"] == "1.00"


def test_what_the_account_has_already_is_not_bought_unless_said(
    call: Call, api: SandboxServer, tmp_path: Path
) -> None:
    """A lost database: unattended, rows that exist are left out; adopted, they cost nothing."""
    sheet(tmp_path / "night.csv", rows(3))
    call("run", "night.csv", "--budget", "1", *QUICK)
    sheet(tmp_path / "night.csv", rows(4))
    other = ("--db", "other.db")
    said = call(*other, "run", "night.csv", "--budget", "1", *QUICK)
    assert said.code == 4
    assert "3 of these 4 prompts already exist in this account, 3 finished" in said.err
    assert len(api.world.made) == 4
    adopted = call(*other, "run", "--adopt-existing", "--json", *QUICK)
    assert adopted.code == 0, adopted.err
    (batch,) = adopted.json["batches"]
    assert (batch["jobs"]["completed"], batch["money"]["charged"]) == (4, "0.12")
    assert len(api.world.made) == 4
    again = call("--db", "third.db", "run", "night.csv", "--budget", "1", "--buy-again", *QUICK)
    assert again.code == 0
    assert len(api.world.made) == 8


@pytest.mark.usefixtures("api")
def test_a_second_runner_ends_with_5_and_names_the_first(call: Call, tmp_path: Path) -> None:
    """While one holds the database, readers go on and a second runner does not start."""
    sheet(tmp_path / "night.csv", rows(1))
    call("run", "night.csv", "--budget", "1", *QUICK)
    with runner_lock(tmp_path / "batchsora.db", SystemClock().now()):
        said = call("run", *QUICK)
        assert (said.code, f"pid {os.getpid()}" in said.err) == (5, True)
        assert call("status").code == 0
        assert call("jobs").code == 0


def test_a_database_that_is_none_ends_with_5(call: Call, tmp_path: Path) -> None:
    """No database yet, or somebody's text file: the words name the remedy."""
    assert call("status").code == 5
    (tmp_path / "notes.txt").write_text("not a database, and long enough to be read as one" * 50)
    said = call("status", "--db", "notes.txt")
    assert (said.code, "--db" in said.err) == (5, True)
    assert call("--db", "postgresql://u:secret@h/x", "status").code == 2


def test_deleted_files_are_fetched_again_at_no_cost(
    call: Call, api: SandboxServer, tmp_path: Path
) -> None:
    """``download`` notices what is gone, and never buys."""
    sheet(tmp_path / "night.csv", rows(2))
    call("run", "night.csv", "--budget", "1", "--no-download", *QUICK)
    assert not (tmp_path / "videos").exists()
    said = call("download", "--json")
    assert (said.code, said.json["fetched"]) == (0, 2)
    (tmp_path / "videos" / "night" / "r0.mp4").unlink()
    assert call("download", "--json").json["fetched"] == 1
    assert call("download", "--json").json["fetched"] == 0
    assert call("download", "nobody").code == 2
    assert len(api.world.made) == 2


def test_a_rehearsal_has_a_database_of_its_own_and_needs_no_token(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--sandbox`` touches neither the real database nor the account."""
    monkeypatch.delenv("RUNBLOB_API_KEY")
    sheet(tmp_path / "night.csv", rows(2))
    said = call("run", "night.csv", "--sandbox", "--rate", "0")
    assert said.code == 0, said.err
    assert (tmp_path / "batchsora-sandbox.db").exists()
    assert not (tmp_path / "batchsora.db").exists()
    assert len(list((tmp_path / "sandbox-videos").rglob("*.mp4"))) == 2


def test_an_unreachable_api_ends_resumable(call: Call, tmp_path: Path) -> None:
    """No network: the rows are loaded, nothing is bought, exit 8, run again."""
    sheet(tmp_path / "night.csv", rows(1))
    url = "http://127.0.0.1:9"
    said = call("--base-url", url, "run", "night.csv", "--budget", "1", *QUICK)
    assert said.code == 8
    assert "run it again" in said.err
    assert call("status", "--json").json["batches"][0]["jobs"]["queued"] == 1


def test_usage_errors_end_with_2(call: Call) -> None:
    """Unknown words, and flags that contradict each other."""
    assert call("fly").code == 2
    assert call("run", "a.csv", "--batch", "b").code == 2
    assert call("run", "--budget", "a lot").code == 2
    assert call("resolve", "x").code == 2
    assert call("run", "--batch", "nobody").code == 2
    assert call("--version").out.startswith("batchsora")
