"""``--first N`` of a sheet whose rows stand on one line, as ``json.dump`` writes it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--budget", "5", "--no-download", "--poll-interval", "0.1")
ROWS = [{"id": f"r{n}", "prompt": f"a heron {n}"} for n in range(8)]
YAML = "jobs: [" + ", ".join(f'{{id: {r["id"]}, prompt: "{r["prompt"]}"}}' for r in ROWS) + "]\n"


@pytest.mark.parametrize("pick", [("--first", "3"), ("--sample", "3")])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("night.json", json.dumps(ROWS)),
        ("indented.json", json.dumps(ROWS, indent=1)),
        ("night.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("night.yaml", YAML),
    ],
)
def test_no_more_than_the_first_rows_are_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, pick: tuple[str, str]
) -> None:
    """Each job is a row of its own, wherever it stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "first-test")
    Path(name).write_text(text)
    world = World(time_scale=500.0)
    with SandboxServer(world) as api:
        done = CliRunner().invoke(
            group, ["--base-url", api.url, "run", name, *pick, *QUICK], obj=Cli()
        )
    assert len(world.made) == 3, done.output
