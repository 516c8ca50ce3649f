"""Edits of model, seed, parameters and images in rows that are loaded: CSV, workbook and YAML."""

import csv
import json
from itertools import product
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from openpyxl.worksheet.worksheet import Worksheet
from support.shell import Said, Shell
from support.tiny import png

from batchsora.sandbox.world import World

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download", "--budget", "90")
HEAD = (
    *("id", "prompt", "model", "duration", "seed", "negative_prompt", "param.cfg_scale"),
    *("image", "end_image", "notes"),
)
Rows = list[dict[str, str]]

pytestmark = pytest.mark.usefixtures("api")


class Taking(World):
    """A provider that keeps what was sent to it."""

    def __init__(self) -> None:
        super().__init__(time_scale=2000.0)
        self.bodies: list[dict[str, Any]] = []

    def generate(self, body: Any, *more: Any) -> Any:
        self.bodies.append(body)
        return super().generate(body, *more)


@pytest.fixture
def world() -> Taking:
    return Taking()


@pytest.fixture
def rows() -> Rows:
    """Four rows of three families."""
    for name in ("a", "b", "c"):
        Path(f"{name}.png").write_bytes(png(name.encode()))
    said = (
        {"model": "veo_3_fast", "seed": "7", "image": "a.png", "end_image": "b.png"},
        {"model": "Kling 2.6", "duration": "10", "seed": "5", "negative_prompt": "rain"},
        {"model": "kling_2.6", "param.cfg_scale": "0.7"},
        {"duration": "15", "notes": "of the first model"},
    )
    return [
        {"id": f"r{number}", "prompt": f"A kite over the bay, take {number}", **row}
        for number, row in enumerate(said, 1)
    ]


def save(name: str, rows: Rows) -> None:
    """Save rows as the name's ending says."""
    lines = [[row.get(column, "") for column in HEAD] for row in rows]
    if name.endswith(".csv"):
        with Path(name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEAD, *lines])
    elif name.endswith(".xlsx"):
        book = openpyxl.Workbook()
        sheet = book.active
        assert isinstance(sheet, Worksheet)
        for line in [HEAD, *lines]:
            sheet.append([int(one) if one.isdecimal() else one or None for one in line])
        book.save(name)
    else:
        Path(name).write_text(yaml.safe_dump({"jobs": rows}), encoding="utf-8")


def run(call: Shell, name: str, *more: str) -> Said:
    said = call("run", name, *QUICK, *more)
    assert said.code == 0, said.err
    return said


FORMATS = pytest.mark.parametrize("name", ["m.csv", "m.xlsx", "m.yaml"])
EDITS = (
    (0, {"seed": "8"}, {"seed": 8}),
    (0, {"end_image": "c.png"}, {"end_frame": None}),
    (0, {"model": "veo_3_quality"}, {"model": "veo_3_quality"}),
    (0, {"seed": ""}, {"model": "veo_3_fast"}),
    (1, {"negative_prompt": "snow"}, {"negative_prompt": "snow"}),
    (2, {"param.cfg_scale": "0.2"}, {"cfg_scale": 0.2}),
    (3, {"model": "kling_2.6", "duration": "5"}, {"model": "kling_2.6", "duration": "5"}),
)


@FORMATS
@pytest.mark.parametrize("edit", EDITS, ids=lambda one: f"r{one[0] + 1} {next(iter(one[1]))}")
def test_a_bought_row_that_was_edited_is_held_back(
    call: Shell, world: Taking, rows: Rows, name: str, edit: tuple[int, Any, Any]
) -> None:
    """It is said, and bought again, as edited, only when a person says so."""
    place, change, sent = edit
    save(name, rows)
    run(call, name)
    (before,) = (one for one in world.bodies if one["prompt"] == rows[place]["prompt"])
    rows[place].update(change)
    save(name, rows)
    assert call("plan", name, "--json").json["edited"] == 1
    said = run(call, name)
    assert f"not bought again: r{place + 1}; --redo-changed buys them again" in said.words
    assert len(world.bodies) == 4
    run(call, name, "--redo-changed")
    (body,) = world.bodies[4:]
    assert body["prompt"] == rows[place]["prompt"]
    assert {key: body[key] for key in sent if sent[key] is not None} == {
        key: value for key, value in sent.items() if value is not None
    }
    assert body != before
    assert "end_frame" not in sent or body["end_frame"] != before["end_frame"]
    run(call, name)
    assert len(world.bodies) == 5


@FORMATS
def test_rows_that_are_not_bought_follow_their_edits(
    call: Shell, world: Taking, rows: Rows, name: str
) -> None:
    """Each is bought once, as it stands then."""
    save(name, rows)
    run(call, name, "--first", "1")
    rows[1].update({"model": "veo_3_fast", "duration": "", "negative_prompt": ""})
    rows[2].update({"param.cfg_scale": "0.1", "seed": "9"})
    rows[3].update({"model": "veo_3_quality", "duration": "", "image": "c.png"})
    save(name, rows)
    said = run(call, name)
    assert "3 updated, 1 unchanged" in said.words
    by_prompt = {body["prompt"][-1]: body for body in world.bodies[1:]}
    assert len(world.bodies) == 4
    assert (by_prompt["2"]["model"], by_prompt["2"]["seed"]) == ("veo_3_fast", 5)
    assert (by_prompt["3"]["cfg_scale"], by_prompt["3"]["seed"]) == (0.1, 9)
    assert by_prompt["4"]["model"] == "veo_3_quality"
    assert by_prompt["4"]["bytes_image"]


@FORMATS
def test_an_edit_that_its_model_does_not_take_changes_nothing(
    call: Shell, world: Taking, rows: Rows, name: str
) -> None:
    save(name, rows)
    run(call, name, "--first", "1")
    rows[3]["seed"] = "4"
    save(name, rows)
    said = call("run", name, *QUICK)
    assert said.code == 2
    assert "sora takes no seed" in said.words
    assert len(world.bodies) == 1


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        *product(("m.csv", "m.xlsx", "m.yaml"), ("csv", "xlsx", "json", "jsonl")),
        ("m.yaml", "yaml"),  # only a YAML manifest is exported as YAML
    ],
)
def test_an_export_loads_as_the_same_rows(
    call: Shell, world: Taking, rows: Rows, name: str, ending: str
) -> None:
    """Nothing of it is bought again, whatever kind it is."""
    save(name, rows)
    run(call, name)
    assert call("export", "-o", f"done.{ending}").code == 0
    planned = call("plan", f"done.{ending}", "--name", "m", "--json")
    assert planned.code == 0, planned.err
    assert (planned.json["already_done"], planned.json["edited"]) == (4, 0)
    run(call, f"done.{ending}", "--name", "m")
    assert len(world.bodies) == 4


@FORMATS
def test_results_go_into_the_rows_that_they_belong_to(
    call: Shell, world: Taking, rows: Rows, name: str
) -> None:
    """With end images and parameters; an edited row gets none, and the file loads as before."""
    save(name, rows)
    run(call, name)
    said = call("export", "--in-place")
    assert said.code == 0, said.err
    assert said.words == ""
    planned = call("plan", name, "--json")
    assert (planned.json["already_done"], planned.json["edited"]) == (4, 0)
    assert states(name) == ["completed"] * 4
    for copy in Path().glob("m.2*"):  # it is named by the second
        copy.unlink()
    save(name, [{**rows[0], "end_image": "c.png"}, {**rows[1], "seed": "6"}, *rows[2:]])
    said = call("export", "--in-place")
    assert "2 rows" in said.words
    assert "edited after the video was bought" in said.words
    assert states(name) == ["", "", "completed", "completed"]
    assert len(world.bodies) == 4


def states(name: str) -> list[str]:
    """Return the results in a manifest, by row."""
    if name.endswith(".csv"):
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            return [row["status"] or "" for row in csv.DictReader(file)]
    if name.endswith(".xlsx"):
        head, *lines = openpyxl.load_workbook(name).active.iter_rows(values_only=True)  # type: ignore[union-attr]
        return [str(line[head.index("status")] or "") for line in lines]
    jobs = yaml.safe_load(Path(name).read_text(encoding="utf-8"))["jobs"]
    return [json.loads(json.dumps(job)).get("status", "") for job in jobs]
