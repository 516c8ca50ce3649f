"""Tables as people have them that bought the wrong thing, were refused, or lost data."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from support.shell import Shell

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.formats.csv_results import write_csv_results
from batchsora.manifest.read import Manifest, open_manifest
from batchsora.providers.registry import kind_of
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.spec import SpecRow

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A provider whose videos take half a second."""
    made = World(time_scale=2000.0)
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def bought(world: World) -> int:
    """Count what the provider made."""
    return len(world.ledger(datetime.now(UTC))["generations"])


def read(path: Path) -> tuple[Manifest, list[SpecRow], list[RowProblem]]:
    """Read a manifest to its end."""
    manifest = open_manifest(path)
    rows = list(manifest.spec_rows(lambda request: kind_of(request).key))
    problems = [row for row in rows if isinstance(row, RowProblem)]
    return manifest, [row for row in rows if isinstance(row, SpecRow)], problems


def prompts(path: Path) -> list[str]:
    """Give the prompts of a table that has no problem."""
    _, rows, problems = read(path)
    assert not problems
    return [row.prompt for row in rows]


def is_stopped(path: Path) -> bool:
    """Whether a manifest is refused, asks about a column or a comment, or has an invalid row."""
    try:
        manifest, _, problems = read(path)
    except ManifestError:
        return True
    return bool(problems or manifest.suspicious_columns or manifest.left_out.comments)


def text_table(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_results_of_two_videos_are_no_prompts(call: Shell, world: World) -> None:
    """``run``, ``export --in-place``, ``run``: the second run buys nothing."""
    table = text_table(Path(), "prompt,notes,count\nA kite,x,2\nA boat,y,1\n")
    assert call("run", str(table), "--budget", "50", *QUICK).code == 0
    assert call("export", "--in-place").code == 0
    call("run", str(table), *QUICK)
    assert bought(world) == 3


@pytest.mark.parametrize("sign", ["\n", "\r", "\r\n"])
def test_a_line_break_in_a_result_stays_in_its_cell(tmp_path: Path, sign: str) -> None:
    """Of several videos there is a line each."""
    table = text_table(tmp_path, "prompt,notes\nA kite,x\n")
    target = BytesIO()
    said = {2: {"error": f"first{sign}second"}}
    write_csv_results(table, target, said, {"error": "error"}, {})
    table.write_bytes(target.getvalue())
    with table.open(newline="") as file:
        assert list(csv.reader(file))[1:] == [["A kite", "x", f"first{sign}second"]]


def test_a_kept_mapping_whose_header_was_renamed_is_told(call: Shell, world: World) -> None:
    """The cap of a campaign holds no more when its column is called otherwise."""
    table = text_table(Path(), "id,prompt,Kunde\n1,A kite,Acme\n2,A boat,Acme\n")
    words = ("--map", "Kunde=campaign", "--budget", "50", "--cap", "Acme=0.30")
    assert call("run", str(table), *words, *QUICK).code == 0
    text_table(Path(), "id,prompt,Client\n1,A kite,Acme\n2,A boat,Acme\n3,A hill,Acme\n")
    call("run", str(table), *QUICK)
    assert bought(world) == 2  # $0.24; a third would pass the $0.30


def test_numbers_of_scenes_are_no_prompts(tmp_path: Path) -> None:
    """A shot list has ``Scene`` 1, 2, 3 and says under ``Action`` what is seen."""
    rows = "Scene,Shot,Action,Seconds\n1,Wide,A kite over a hill,10\n2,Close,A boat,15\n"
    assert is_stopped(text_table(tmp_path, rows))


def test_a_quote_behind_a_space_does_not_cut_a_prompt(tmp_path: Path) -> None:
    """``1, "A kite, red"``: written by hand, or by a program that separates with a space."""
    table = text_table(tmp_path, 'id, prompt, notes\n1, "A kite, red"\n')
    assert prompts(table) == ["A kite, red"]


def test_a_row_without_height_is_hidden(tmp_path: Path) -> None:
    """Scripts hide rows so; nobody sees them in Excel."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    for row in (["prompt"], ["A kite"], ["A secret"]):
        sheet.append(row)
    sheet.row_dimensions[3].height = 0
    made.save(tmp_path / "t.xlsx")
    assert prompts(tmp_path / "t.xlsx") == ["A kite"]


def test_other_sheets_with_prompts_are_told(tmp_path: Path) -> None:
    """A year's plan has a sheet a month; only the first is bought."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Jan"
    for one, words in ((sheet, "A kite"), (made.create_sheet("Feb"), "A boat")):
        one.append(["prompt"])
        one.append([words])
    made.save(tmp_path / "t.xlsx")
    manifest, _, _ = read(tmp_path / "t.xlsx")
    assert any("Feb" in str(one) for one in manifest.warnings)


@pytest.mark.usefixtures("world")
def test_a_run_tells_which_rows_are_hidden(call: Shell) -> None:
    """``plan`` does; nobody has to plan."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    for row in (["prompt"], ["A kite"], ["A boat"]):
        sheet.append(row)
    sheet.row_dimensions[3].hidden = True
    made.save("t.xlsx")
    said = call("run", "t.xlsx", "--budget", "5", *QUICK)
    assert "hidden" in said.out + said.err


@pytest.mark.usefixtures("world")
def test_a_run_tells_which_columns_are_not_read(call: Shell) -> None:
    """``Text`` beside ``prompt`` is carried along; ``plan`` warns of it."""
    text_table(Path(), "prompt,Text\nA kite,overlay\n")
    said = call("run", "t.csv", "--budget", "5", *QUICK)
    assert "is not read as" in said.out + said.err


@pytest.mark.usefixtures("world")
def test_results_are_not_written_beside_another_prompt(call: Shell) -> None:
    """Ids that count the rows: after a row was put in, the load is refused, the export is not."""
    table = text_table(Path(), "id,prompt\n1,A kite\n2,A boat\n")
    assert call("run", str(table), "--budget", "50", *QUICK).code == 0
    text_table(Path(), "id,prompt\n1,A brand new hill\n2,A kite\n3,A boat\n")
    assert call("run", str(table), *QUICK).code == 2
    call("export", "--in-place")
    with table.open(newline="") as file:
        states = {row["prompt"]: row.get("status") for row in csv.DictReader(file)}
    assert states["A brand new hill"] != "completed"


@pytest.mark.parametrize(
    "text",
    [
        "prompt\nA kite, red, over a hill\nA boat\n",
        "Prompt (what, where, when);Duration (sec);Campaign\nA kite;15;x\n",
        "prompt,Aspect ratio\nA kite,Portrait (9:16)\n",
        "prompt,Aspect ratio\nA kite,16:9 landscape\n",
        "prompt,duration\nA kite,00:00:15\n",
        "prompt,duration\nA kite,15 Sek.\n",
    ],
)
def test_what_is_plain_is_read(tmp_path: Path, text: str) -> None:
    assert not is_stopped(text_table(tmp_path, text))


def test_a_title_of_the_table_above_the_header_is_passed_over(tmp_path: Path) -> None:
    """Numbers writes the table's name into a merged first row."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    for row in (["Table 1"], ["prompt", "duration"], ["A kite", 15]):
        sheet.append(row)
    sheet.merge_cells("A1:B1")
    made.save(tmp_path / "t.xlsx")
    assert not is_stopped(tmp_path / "t.xlsx")


@pytest.mark.usefixtures("world")
def test_the_encoding_that_was_said_is_kept(call: Shell) -> None:
    """As ``--map``, ``--default`` and ``--sheet`` are."""
    Path("t.csv").write_bytes("prompt\nA k\xfcte\n".encode("cp1252"))
    assert call("run", "t.csv", "--encoding", "cp1252", "--budget", "5", *QUICK).code == 0
    assert call("run", "t.csv", *QUICK).code == 0


@pytest.mark.usefixtures("world")
def test_a_status_and_a_verdict_of_their_own_stay(call: Shell) -> None:
    """Nothing was ever written into this table: whose the columns are is guessed by their words."""
    table = text_table(Path(), "prompt,status,verdict\nA kite,queued,favourite\n")
    assert call("run", str(table), "--budget", "5", *QUICK).code == 0
    assert call("export", "--in-place").code == 0
    with table.open(newline="") as file:
        assert "favourite" in next(iter(csv.DictReader(file))).values()


@pytest.mark.parametrize(
    "line",
    [
        '{"prompt": "A kite", "input_image_url": "https://images.unsplash.com/photo-15?w=800"}',
        '{"prompt": "A kite", "settings": {"duration": 15, "image": "kite.png"}}',
        '{"prompt": "A kite", "params": {"aspect_ratio": "16:9"}}',
        '{"prompt": "A kite", "num_videos": 3}',
        '{"prompt": true}',
    ],
)
def test_what_a_developer_says_is_not_the_default(tmp_path: Path, line: str) -> None:
    assert is_stopped(text_table(tmp_path, line + "\n", "t.jsonl"))
