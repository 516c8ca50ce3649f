"""Lists that lie, over HTTP: a lost answer is never bought again on what they leave out."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

ROWS = 8
LOST = 'A heron & its <nest> in the reeds, "number 1", seen from the far side of the lake at dawn'
QUICK = (
    "--rate", "4", "--poll-interval", "0.1", "--no-download", "--grace", "0.6", "--retries", "0",
    "--budget", "5", "--generation-timeout", "20",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OneIsLost(Faults):
    """The answer to the second row is lost; its generation was made and charged."""

    fault: Fault = Fault.DROP

    def of_submission(self, seed: int, prompt: str, turn: int) -> Fault:
        del seed
        return self.fault if "number 1" in prompt and turn == 1 else Fault.NONE


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider whose videos take two seconds, a manifest of eight rows, and one of before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "list-test")
    rows = [{"id": f"r{n}", "prompt": LOST.replace("number 1", f"number {n}")} for n in range(ROWS)]
    (tmp_path / "night.json").write_text(json.dumps(rows))
    before = [{"id": f"b{n}", "prompt": f"A harbour, {n} boats"} for n in range(3)]
    (tmp_path / "before.json").write_text(json.dumps(before))
    return World(time_scale=400.0)


def call(api: SandboxServer, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        group, ["--base-url", api.url, *arguments], obj=Cli(), standalone_mode=False
    )
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


def faulty(text: str, fault: Fault = Fault.DROP) -> Faults:
    parsed = Faults.parse(text)
    names = Faults.__dataclass_fields__
    return OneIsLost(**{name: getattr(parsed, name) for name in names}, fault=fault)


def bought(world: World) -> Counter[str]:
    return Counter(item.prompt for item in world.made if not item.foreign)


@pytest.mark.parametrize(
    "manner",
    ["", "list=altered:cut:40", "list=altered:escape", "list=altered:lower", "list=capped:3",
     "list=altered:cut:40+altered:lower", "list=short-pages", "list=repeats-past-end", "lag=1"],
)  # fmt: skip
def test_a_lost_answer_is_found_although_the_list_alters_prompts(world: World, manner: str) -> None:
    """What known generations reveal of an alteration finds the lost one: eight bought, once."""
    with SandboxServer(world, faults=faulty(manner)) as api:
        code, said = call(api, "run", "night.json", *QUICK)
        assert code == 0, said
        assert set(bought(world).values()) == {1}
        assert len(bought(world)) == ROWS


@pytest.mark.parametrize(
    "manner",
    ["list=frozen:1", "list=frozen", "list=oldest-first", "list=unordered", "list=altered:enhance",
     "list=lossy:0.4", "list=lossy:0.1", "list=newest:1", "list=ignores-offset+capped:2", "lag=480",
     "list=403", "list=500", "list=html", "list=shape", "list=errors-past-end",
     "list=altered:enhance+some:0.2", "list=altered:enhance+some:0.5",
     "list=lossy:0.2,balance-late=0.4", "list=lossy:0.2,foreign=0.4"],
)  # fmt: skip
def test_a_list_that_lies_never_buys_again(world: World, manner: str) -> None:
    """The lost one is adopted, or stays in doubt with its money held and a reason: never twice."""
    with SandboxServer(world, faults=faulty(manner)) as api:
        code, said = call(api, "run", "night.json", *QUICK, "--buy-again")
        assert max(bought(world).values()) == 1, said
        (batch,) = json.loads(call(api, "status", "--json")[1])["batches"]
        spent = float(batch["money"]["charged"]) + float(batch["money"]["held"])
        assert spent == pytest.approx(
            sum(item.price for item in world.made if not item.foreign) / 1e6
        )
        if code != 0:
            assert code == 7, said
            (doubt,) = batch["doubts"]
            assert doubt["job"] == "r1"
            assert doubt["held"] == "0.12"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("money", ["refunds=1", "refunds=0.5:1", "refunds=0.5", "refunds=1:2"])
def test_failures_that_are_given_back_hide_no_purchase(world: World, money: str, seed: int) -> None:
    """Beside a list that loses the lost one: adopted, or held, and never bought twice."""
    world.seed = seed
    world.fail = 0.4
    with SandboxServer(world, faults=faulty(f"list=lossy:0.3,failure=UNSAFE,{money}")) as api:
        code, said = call(api, "run", "night.json", *QUICK, "--buy-again")
        assert code in (3, 7), said
        assert max(bought(world).values()) == 1, said
        (batch,) = json.loads(call(api, "status", "--json")[1])["batches"]
        spent = float(batch["money"]["charged"]) + float(batch["money"]["held"])
        assert spent == pytest.approx(
            sum(item.price for item in world.made if not item.foreign) / 1e6
        )


@pytest.mark.parametrize("manner", ["", "list=capped:3", "lag=0.5", "balance-late=0.4"])
def test_what_was_never_made_is_bought_again_by_an_honest_list(world: World, manner: str) -> None:
    """The list shows all that it must, and the balance agrees: the row is sent again, once."""
    with SandboxServer(world, faults=faulty(manner, Fault.LOST)) as api:
        code, said = call(api, "run", "before.json", *QUICK, "--buy-again")
        assert code == 0, said
        code, said = call(api, "run", "night.json", *QUICK, "--buy-again")
        assert code == 0, said
        assert set(bought(world).values()) == {1}
        assert len(bought(world)) == ROWS + 3


@pytest.mark.parametrize("manner", ["list=frozen:1", "list=altered:escape", "list=lossy:0.4"])
def test_what_was_never_made_waits_where_the_list_is_no_witness(world: World, manner: str) -> None:
    """Nothing is void by a list that lies; the reason is shown."""
    with SandboxServer(world, faults=faulty(manner, Fault.LOST)) as api:
        code, said = call(api, "run", "night.json", *QUICK, "--buy-again")
        assert code == 7, said
        (batch,) = json.loads(call(api, "status", "--json")[1])["batches"]
        (doubt,) = batch["doubts"]
        assert "list" in doubt["unproven"]
        assert doubt["unproven"] in call(api, "status")[1]
        assert len(bought(world)) == ROWS - 1
