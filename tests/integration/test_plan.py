"""``plan``: what would be bought, against caps and balance, and with a few rows alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.shell import Shell

from batchsora.options import RunOptions
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.usecases.from_options import pick_of

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--no-download", "--yes")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A provider whose videos take half a second, at the address in the environment."""
    made = World(time_scale=2000.0)
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def manifest(rows: int, more: str = "") -> str:
    lines = [f"r{n},a kite over dune {n},{'spring' if n % 2 else ''},10" for n in range(rows)]
    Path("kites.csv").write_text("\n".join(["id,prompt,campaign,duration", *lines]) + more)
    return "kites.csv"


def test_a_plan_says_what_it_costs_and_where_the_price_is_from(call: Shell, world: World) -> None:
    """An announced price first; once something was bought, what was paid."""
    before = call("plan", manifest(5), "--json").json
    assert before["cost"] == "0.60"
    (kind,) = before["cost_by_kind"].values()
    assert (kind["jobs"], kind["price"], kind["price_from"]) == (5, "0.12", "announced")
    assert before["campaigns"] == {"spring": {"jobs": 2, "cost": "0.24"}}
    assert [sample["job"] for sample in before["samples"]] == ["r0", "r1", "r2"]
    assert call("run", manifest(2), *QUICK).code == 0
    after = call("plan", manifest(5), "--json").json
    (kind,) = after["cost_by_kind"].values()
    assert kind["price_from"] == "paid"
    assert (after["already_done"], after["remaining_cost"]) == (2, "0.36")
    assert len(world.made) == 2


def test_a_price_is_paid_only_after_it_was_paid(call: Shell, world: World) -> None:
    """Not because a run has loaded the rows, and not because a person has set it."""

    def source() -> str:
        (kind,) = call("plan", "kites.csv", "--json").json["cost_by_kind"].values()
        return str(kind["price_from"])

    assert call("run", manifest(1), *QUICK, "--max-price", "0.01").code == 4
    assert (source(), len(world.made)) == ("announced", 0)
    assert call("prices", "set", "runblob/sora/10", "0.11", "--yes").code == 0
    assert source() == "set"
    assert call("run", "--batch", "kites", *QUICK, "--max-price", "1").code == 0
    assert source() == "paid"
    assert call("run", "kites.csv", "--sandbox", "--no-download", "--rate", "0").code == 0
    (kind,) = call("plan", "kites.csv", "--sandbox", "--json").json["cost_by_kind"].values()
    assert kind["price_from"] == "rehearsed"


def test_a_budget_is_tried_and_the_run_stops_where_the_plan_says(call: Shell, world: World) -> None:
    """In the order of the run, by priority; what is kept and spent counts, and nothing changes."""
    rows = [f"r{n},a kite over dune {n},{n}" for n in range(5)]
    Path("kites.csv").write_text("\n".join(["id,prompt,priority", *rows]))
    said = call("plan", "kites.csv", "--budget", "0.4", "--json").json
    assert said["fits"] == {"jobs": 3, "cost": "0.36", "stops_at": "r1"}
    shown = call("plan", "kites.csv", "--budget", "0.4").out
    assert "3 of 5 fit, for $0.36" in shown
    assert "the first that does not fit is row 3 (r1)" in shown
    assert call("run", "kites.csv", "--budget", "0.4", *QUICK).code == 4
    assert sorted(item.prompt[-1] for item in world.made) == ["2", "3", "4"]
    again = call("plan", "kites.csv", "--json").json
    assert again["fits"] == {"jobs": 0, "cost": "0.00", "stops_at": "r1"}
    more = call("plan", "kites.csv", "--budget", "$0.60")
    assert "all 2 fit, for $0.24" in more.out
    assert call("budget", "--json").json["batches"][0]["cap"] == "0.40"


def test_a_full_campaign_does_not_stop_the_others(call: Shell, world: World) -> None:
    """As in a run, rows behind the first that does not fit are still bought."""
    rows = [f"{{id: r{n}, prompt: kite {n}, campaign: {'ab'[n % 2]}}}" for n in range(4)]
    head = "batch: kites\ncampaigns: {a: {budget: 0.12}}\njobs:\n"
    Path("kites.yaml").write_text(head + "".join(f"  - {row}\n" for row in rows))
    said = call("plan", "kites.yaml", "--json").json
    assert said["fits"] == {"jobs": 3, "cost": "0.36", "stops_at": "r2"}
    assert call("run", "kites.yaml", *QUICK).code == 4
    assert len(world.made) == 3
    none = call("plan", "kites.yaml", "--budget", "0", "--json").json
    assert none["fits"]["jobs"] == 0


def test_a_plan_names_paid_rows_that_were_edited(call: Shell, world: World) -> None:
    """They are left as they are, and so does the run; what buys them again is said."""
    assert call("run", manifest(2), *QUICK).code == 0
    assert "edited" not in call("plan", manifest(3)).out
    edited = Path(manifest(3))
    edited.write_text(edited.read_text().replace("dune 1", "dune one").replace("dune 2", "a bay"))
    said = call("plan", "kites.csv")
    assert "edited    1 edited after they were paid for" in said.out
    assert "r1; --redo-changed buys them again" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    planned = call("plan", "kites.csv", "--json").json
    assert (planned["edited"], planned["already_done"], planned["remaining_cost"]) == (1, 2, "0.12")
    assert call("run", "kites.csv", *QUICK).code == 0
    assert len(world.made) == 3


@pytest.mark.usefixtures("world")
def test_a_plan_for_people_is_a_table(call: Shell) -> None:
    """Everything that decides whether to say yes, within 80 columns."""
    said = call("plan", manifest(3, "\nbad,x,,12\n"))
    assert said.code == 2
    assert "kites: 4 rows, 3 videos, 1 row(s) invalid" in said.out
    lines = said.out.splitlines()
    assert any(line.split() == ["10", "s", "3", "$0.12", "announced", "$0.36"] for line in lines)
    assert any(line.split() == ["spring", "1", "$0.12", "-"] for line in lines)
    assert "balance   $" in said.out
    assert "r2" in said.out
    assert "a kite over dune 2" in said.out
    assert max(map(len, lines)) <= 80
    assert "row 5" in said.err


def test_a_cap_or_a_balance_that_does_not_reach_is_said(call: Shell, world: World) -> None:
    """Before the evening, not in the morning."""
    world.balance = 200_000
    Path("k.yaml").write_text("budget: 0.30\njobs:\n- one\n- two\n- three\n")
    said = call("plan", "k.yaml")
    assert "the budget leaves $0.30 of the $0.36" in said.words
    assert "the balance does not cover the cost" in said.words
    assert call("plan", "k.yaml", "--first", "1", "--json").json["warnings"] == []


@pytest.mark.usefixtures("world")
def test_a_campaign_is_tried_with_its_first_rows(call: Shell) -> None:
    """What plan says of them is what run buys of them."""
    path = manifest(6)
    plan = call("plan", path, "--first", "2", "--json").json
    assert plan["picked"] == {"jobs": 2, "remaining_cost": "0.24"}
    assert plan["cost"] == "0.72"
    call("run", path, "--first", "2", *QUICK)
    done = [job["job"] for job in call("jobs", "--json").json if job["status"] == "completed"]
    assert done == ["r0", "r1"]


def test_a_sample_is_the_same_each_time(call: Shell, world: World) -> None:
    """So that a run of a sample can be resumed, and buys no second one."""
    path = manifest(40)
    plan = call("plan", path, "--sample", "3", "--json").json
    chosen = [sample["job"] for sample in plan["samples"]]
    assert len(chosen) == 3
    assert chosen != ["r0", "r1", "r2"]
    for _ in range(2):
        assert call("run", path, "--sample", "3", *QUICK).code in (0, 4)
        done = [job["job"] for job in call("jobs", "--json").json if job["status"] == "completed"]
        assert done == chosen
    other = call("plan", path, "--sample", "3", "--seed", "7", "--json").json
    assert [sample["job"] for sample in other["samples"]] != chosen
    assert len(world.made) == 3


def test_two_ways_to_pick_are_one_too_many(call: Shell) -> None:
    """A person who says both means something else."""
    said = call("plan", manifest(1), "--first", "1", "--sample", "1")
    assert said.code == 2
    assert "not both" in said.err


@given(st.sets(st.integers(1, 500), min_size=1), st.integers(1, 30), st.integers(0, 5))
def test_a_sample_grows_by_rows_and_never_changes_those_it_has(
    rows: set[int], size: int, seed: int
) -> None:
    """Asking for more buys the difference."""
    ordered = sorted(rows)
    pick, more = (pick_of(RunOptions(sample=n, seed=seed)) for n in (size, size + 1))
    assert pick is not None
    assert more is not None
    small, larger = pick(ordered), more(ordered)
    assert len(small) == min(size, len(rows))
    assert small <= larger <= rows
