"""``plan`` says what ``run`` then does, on the same database: by examples, and over any history."""

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.shell import Said, Shell

from batchsora.composition.databases import existing_store
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Reply, World
from jobs.model.states import HeldBack
from jobs.store import holding

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--no-download", "--quiet")
PROMPTS = ("heron", "swan", "crane", "gull", "refused")
Rows = list[tuple[int, str, str]]


class Provider(World):
    """A provider whose list may refuse to answer.

    Attributes:
        blind: it does.
    """

    blind = False

    def page(self, *words: Any) -> Reply:
        """Show a page of the list."""
        return Reply(403, {"detail": "not now"}) if self.blind else super().page(*words)


class Account:
    """Two sheets in a folder, and the account that buys them.

    Args:
        call: calls commands in the folder.
        world: of the sandbox that sells.
    """

    def __init__(self, call: Shell, world: Provider) -> None:
        self.call = call
        self.world = world
        world.failures = {"refused": ["The prompt violates the content policy"] * 50}

    def write(self, sheet: str, rows: Rows, *, ids: bool = True) -> None:
        """Write a sheet of rows: an id, a prompt, and a duration."""
        lines = [f"r{key},{prompt},{seconds}" for key, prompt, seconds in rows]
        if not ids:
            lines = [line.partition(",")[2] for line in lines]
        head = "id,prompt,duration" if ids else "prompt,duration"
        Path(f"{sheet}.csv").write_text("\n".join([head, *lines]) + "\n")

    def run(self, sheet: str, *more: str, consent: bool = True) -> Said:
        """Run a sheet."""
        return self.call("run", f"{sheet}.csv", *QUICK, *more, *(("--yes",) if consent else ()))

    def spent(self) -> Counter[int]:
        """Count what was bought by price: the account's own ledger."""
        return Counter(item.price for item in self.world.made if not item.foreign)

    def held(self, sheet: str) -> Counter[str]:
        """Count the queued rows of a sheet's batch that nobody buys, by reason."""
        said = self.call("status", "--batch", sheet, "--json").json
        return Counter(said["batches"][0]["held_back"])

    def hold_elsewhere(self, key: int) -> None:
        """Hold queued rows of an id back, as a run does that sees others buy them."""
        with existing_store(Path("batchsora.db")) as store:
            store.write(
                lambda c: holding.hold_back(
                    c,
                    dict.fromkeys(
                        c.exec_driver_sql(
                            "SELECT id FROM job WHERE state = 'queued' AND key = ?", (f"r{key}",)
                        ).scalars(),
                        "somebody-elses",
                    ),
                    HeldBack.ELSEWHERE,
                )
            )

    def check(self, sheet: str, *pick: str) -> dict[str, Any]:
        """Hold the plan of a sheet against the run that follows; returns the plan."""
        planned = self.call("plan", f"{sheet}.csv", *pick, "--json")
        plan: dict[str, Any] = planned.json
        before = self.spent()
        said = self.run(sheet, *pick)
        bought = self.spent() - before
        if plan["stops"] is not None:
            assert (said.code, bought) == (2, Counter()), said.err
            assert plan["stops"] in said.err
            return plan
        shown = f"{plan}\n{said.err}"
        held = self.held(sheet)
        # plan says that it looks at no list: what only the list shows is the one difference
        found = held["exists"] - plan["waiting"].get("exists", 0)
        assert found == 0 or "already exist in this account" in said.words, shown
        # one that was made a moment ago also says that somebody is at it just now
        others = held["elsewhere"] - plan["waiting"].get("elsewhere", 0)
        assert others <= 0 or (found and "somebody else is buying" in said.words), shown
        assert found + others >= 0, shown  # one that waits for that may be found now
        found += others
        assert bought.total() + found == plan["to_buy"], shown
        remaining = (plan["picked"] or plan)["remaining_cost"]
        if not found and remaining is not None:  # else a price that the first tells
            cost = sum(price * count for price, count in bought.items())
            assert round(float(remaining) * 1_000_000) == cost, shown
        if plan["waiting"].get("paused"):
            return plan  # it waits, whatever was asked for
        for reason in ("paid_before", "left_out", "unasked"):
            assert held[reason] == plan["waiting"].get(reason, 0), shown
        return plan


@contextmanager
def opened(capfd: pytest.CaptureFixture[str]) -> Iterator[Account]:
    """Make a folder, and an account whose videos take a tenth of a second."""
    world = Provider(time_scale=10_000.0)
    with (
        tempfile.TemporaryDirectory() as folder,
        chdir(folder),
        SandboxServer(world) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RUNBLOB_API_KEY", "tok-plan")
        patch.setenv("BATCHSORA_BASE_URL", server.url)
        yield Account(Shell(capfd), world)


@pytest.fixture
def account(capfd: pytest.CaptureFixture[str]) -> Iterator[Account]:
    """An account that nothing was bought with, and an empty folder."""
    with opened(capfd) as made:
        yield made


def rows(*prompts: str) -> Rows:
    """Number some prompts, of ten seconds each."""
    return [(number, prompt, "10") for number, prompt in enumerate(prompts)]


def test_rows_that_a_person_said_to_buy_again_are_bought(account: Account) -> None:
    """``retry JOB`` went over what was found, and no money was there yet."""
    account.write("old", rows("heron"))
    assert account.run("old").code == 0
    account.write("night", rows("heron", "swan"))
    assert account.run("night").code == 4
    assert account.call("retry", "r0", "--batch", "night", "--yes").code == 0
    assert account.check("night")["to_buy"] == 1


def test_rows_that_were_edited_back_wait(account: Account) -> None:
    """They have their video; the run in between could not buy the edit."""
    account.write("night", rows("heron"))
    assert account.run("night").code == 0
    money, account.world.balance = account.world.balance, 0
    account.write("night", rows("swan"))
    assert account.run("night", "--redo-changed").code == 4
    account.world.balance = money
    account.write("night", rows("heron"))
    plan = account.check("night")
    assert (plan["to_buy"], plan["paid_before"]) == (0, 1)


def test_rows_that_the_account_has_wait(account: Account) -> None:
    """An earlier look has found them."""
    account.world.add_foreign("heron", datetime.now(UTC))
    account.write("night", rows("heron", "swan"))
    assert account.run("night").code == 4
    plan = account.check("night")
    assert (plan["to_buy"], plan["waiting"]) == (0, {"exists": 1})
    assert "1 in the account already" in account.call("plan", "night.csv").out


def test_a_plan_says_that_what_was_found_may_have_failed_since(account: Account) -> None:
    """The run sees that in the list, and buys the row."""
    account.world.add_foreign("heron", datetime.now(UTC))
    account.write("night", rows("heron"))
    assert account.run("night").code == 4
    account.world.made[0].failure = "internal error"
    said = " ".join(account.call("plan", "night.csv").out.split())
    assert (
        "rows held back for a video in the list are bought if that video has failed since" in said
    )
    assert account.run("night").code == 0
    assert account.spent() == {120_000: 1}


def test_rows_that_were_cancelled_or_failed_wait(account: Account) -> None:
    """Until a person puts them back."""
    account.write("night", rows("heron", "refused", "swan"))
    account.run("night", "--first", "2")
    assert account.call("cancel", "r2", "--yes").code == 0
    plan = account.check("night")
    assert (plan["to_buy"], plan["waiting"]) == (0, {"cancelled": 1, "failed": 1})
    shown = account.call("plan", "night.csv").out
    assert "1 cancelled" in shown
    assert "1 failed" in shown


def test_nothing_of_a_paused_batch_is_bought(account: Account) -> None:
    """``plan`` says so, as ``run`` does."""
    account.write("night", rows("heron"))
    account.run("night", consent=False)
    assert account.call("pause", "night").code == 0
    plan = account.call("plan", "night.csv", "--json").json
    assert (plan["to_buy"], plan["waiting"]) == (0, {"paused": 1})
    account.run("night")
    assert account.spent() == Counter()


def test_what_stops_the_run_stops_the_plan(account: Account) -> None:
    """Edits without ids, and another file's batch: in the same words."""
    account.write("night", rows("heron", "swan"), ids=False)
    assert account.run("night").code == 0
    account.write("night", rows("heron", "gull"), ids=False)
    plan = account.check("night")
    assert "--redo-changed" in plan["stops"]
    assert plan["to_buy"] == 0


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("id,prompt,duration\nr0,heron,10\nr1,swan,12\n", ["--skip-invalid"]),
        ("id,prompt,durration\nr0,heron,10\n", ["--allow-unknown"]),
    ],
)
def test_a_plan_names_the_options_that_its_figures_need(
    account: Account, text: str, needs: list[str]
) -> None:
    """Without them the run buys nothing; with them what the plan says."""
    Path("night.csv").write_text(text)
    plan = account.call("plan", "night.csv", "--json").json
    assert (plan["to_buy"], plan["needs"]) == (1, needs)
    assert f"or add {needs[0]}" in account.call("plan", "night.csv").words
    assert account.run("night").code == 2
    assert account.spent() == Counter()
    account.run("night", *needs)
    assert account.spent() == {120_000: 1}


def test_a_plan_says_that_it_looks_at_no_list(account: Account) -> None:
    """What only the account's list shows is found by the run."""
    account.world.add_foreign("heron", datetime.now(UTC))
    account.write("night", rows("heron", "swan"))
    shown = " ".join(account.call("plan", "night.csv").out.split())
    assert "not checked yet: the run reads the account's list" in shown
    plan = account.check("night")
    assert plan["to_buy"] == 2
    assert sum(account.spent().values()) == 1


SHEETS = st.sampled_from(["night", "day"])
ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(PROMPTS), st.sampled_from(["10", "15"])),
    min_size=1,
    max_size=5,
    unique_by=lambda row: row[0],
)
KEYS = st.integers(0, 4)
RUNS = (
    (), (), ("--first", "1"), ("--sample", "2"), ("--redo-changed",), ("--redo-changed",),
    ("--keep-both",), ("--adopt-existing",), ("--buy-again",),
)  # fmt: skip
STEPS = st.one_of(
    st.tuples(st.just("write"), SHEETS, ROWS, st.sampled_from([True, True, True, False])),
    st.tuples(st.just("swap"), SHEETS),
    st.tuples(st.just("back"), SHEETS),
    st.tuples(st.just("renumber"), SHEETS, st.integers(1, 3)),
    st.tuples(st.just("run"), SHEETS, st.sampled_from(RUNS), st.booleans(), st.booleans()),
    st.tuples(st.just("run"), SHEETS, st.sampled_from(RUNS), st.just(True), st.just(True)),
    st.tuples(st.just("retry"), SHEETS, KEYS),
    st.tuples(st.just("cancel"), SHEETS, KEYS),
    st.tuples(st.just("elsewhere"), KEYS),
    st.tuples(st.just("others"), st.sampled_from(PROMPTS[:-1])),
    st.tuples(st.just("rm"), SHEETS),
    st.tuples(st.sampled_from(["blind_run", "pause", "resume"]), SHEETS),
)
PICKS = st.sampled_from([(), (), (), ("--first", "1"), ("--first", "2"), ("--sample", "2")])


MANY = int(os.environ.get("BATCHSORA_HISTORIES", "20"))
"""Histories that are tried; more of them by hand."""


class History:
    """What people did with two sheets.

    Args:
        account: with the sheets' folder.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.written: dict[str, list[tuple[Rows, bool]]] = {"night": [], "day": []}

    def write(self, sheet: str, rows: Rows, ids: bool) -> None:  # noqa: FBT001 - drawn
        self.written[sheet].append((rows, ids))
        self.account.write(sheet, rows, ids=ids)

    def swap(self, sheet: str) -> None:
        """Give the first two rows each other's prompts."""
        rows, ids = self.written[sheet][-1]
        if len(rows) > 1:
            (a, *first), (b, *second), *rest = rows
            self.write(sheet, [(a, *second), (b, *first), *rest], ids)  # type: ignore[list-item]

    def back(self, sheet: str) -> None:
        """Take the last edit back."""
        if len(self.written[sheet]) > 1:
            self.write(sheet, *self.written[sheet][-2])

    def renumber(self, sheet: str, more: int) -> None:
        rows, ids = self.written[sheet][-1]
        self.write(sheet, [(key + more, *rest) for key, *rest in rows], ids)  # type: ignore[misc]

    def run(self, sheet: str, more: tuple[str, ...], consent: bool, money: bool) -> None:  # noqa: FBT001 - drawn
        world = self.account.world
        kept, world.balance = world.balance, world.balance if money else 0
        self.account.run(sheet, *more, consent=consent)
        world.balance = kept

    def retry(self, sheet: str, key: int) -> None:
        self.account.call("retry", f"r{key}", "--batch", sheet, "--yes")

    def cancel(self, sheet: str, key: int) -> None:
        self.account.call("cancel", f"r{key}", "--batch", sheet, "--yes")

    def elsewhere(self, key: int) -> None:
        if Path("batchsora.db").exists():
            self.account.hold_elsewhere(key)

    def others(self, prompt: str) -> None:
        self.account.world.add_foreign(prompt, datetime.now(UTC))

    def blind_run(self, sheet: str) -> None:
        """Run while the account's list can't be read: rows stay as they were loaded."""
        self.account.world.blind = True
        self.account.run(sheet)
        self.account.world.blind = False

    def pause(self, sheet: str) -> None:
        self.account.call("pause", sheet)

    def resume(self, sheet: str) -> None:
        self.account.call("resume", sheet)

    def rm(self, sheet: str) -> None:
        self.account.call("rm", sheet, "--yes")


@settings(
    max_examples=MANY,
    derandomize="BATCHSORA_HISTORIES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each example takes seconds
)
@given(st.tuples(ROWS, ROWS), st.lists(STEPS, min_size=2, max_size=9), SHEETS, PICKS)
def test_the_plan_of_any_history_is_what_the_run_buys(
    capfd: pytest.CaptureFixture[str],
    sheets: tuple[Rows, Rows],
    steps: list[tuple[Any, ...]],
    sheet: str,
    pick: tuple[str, ...],
) -> None:
    """How many, for how much, and what waits: against the account's own ledger."""
    with opened(capfd) as account:
        history = History(account)
        history.write("night", sheets[0], ids=True)
        history.write("day", sheets[1], ids=True)
        for name, *words in steps:
            getattr(history, name)(*words)
        account.check(sheet, *pick)
