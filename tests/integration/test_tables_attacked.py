"""Tables as people have them that bought the wrong thing or passed a cap."""

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from support.shell import Shell

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest, open_manifest
from batchsora.providers.registry import kind_of
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.spec import SpecRow

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")


def read(path: Path) -> tuple[Manifest, list[SpecRow], list[RowProblem]]:
    """Read a manifest to its end."""
    manifest = open_manifest(path)
    rows = list(manifest.spec_rows(lambda request: kind_of(request).key))
    problems = [row for row in rows if isinstance(row, RowProblem)]
    return manifest, [row for row in rows if isinstance(row, SpecRow)], problems


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


KEPT = ("--map", "Kunde=campaign", "--budget", "50", "--cap", "Acme=0.30")


@pytest.fixture
def bought(call: Shell, monkeypatch: pytest.MonkeyPatch) -> World:
    """Buy a table whose campaign a person named, up to near its cap."""
    world = World(time_scale=2000.0)
    with SandboxServer(world) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        table = written(Path(), "id,prompt,Kunde\n1,A kite,Acme\n2,A boat,Acme\n")
        assert call("run", str(table), *KEPT, *QUICK).code == 0
    assert len(world.made) == 2
    written(Path(), "id,prompt,Client\n1,A kite,Acme\n2,A boat,Acme\n3,A hill,Acme\n")
    return world


@pytest.mark.usefixtures("bought")
def test_a_kept_mapping_whose_header_was_renamed_stops(call: Shell) -> None:
    """The cap of a campaign holds no more when its column is called otherwise."""
    said = call("run", "t.csv", *QUICK)
    assert said.code == 2
    assert "there is no column 'Kunde' any more" in said.words
    assert "'Client'" in said.words
    assert "--map 'Kunde='" in said.words
    assert call("plan", "t.csv").code == 2


@pytest.mark.usefixtures("bought")
def test_a_renamed_header_is_named_again_or_forgotten(call: Shell) -> None:
    """Either is a word of now; the one of before is told no more."""
    plan = call("plan", "t.csv", "--map", "Client=campaign", "--json").json
    assert plan["columns"]["campaign"] == "Client"
    assert plan["said_before"] == []
    plan = call("plan", "t.csv", "--map", "Kunde=", "--json").json
    assert "campaign" not in plan["columns"]
    assert plan["said_before"] == []


@pytest.mark.usefixtures("bought")
def test_a_header_that_got_the_proper_name_needs_no_word(call: Shell) -> None:
    """Its mapping is passed over, and not told as one that counts."""
    written(Path(), "id,prompt,campaign\n1,A kite,Acme\n2,A boat,Acme\n")
    plan = call("plan", "t.csv", "--json").json
    assert (plan["columns"]["campaign"], plan["said_before"]) == ("campaign", [])


@pytest.mark.parametrize(
    "text",
    [
        "jobs:\n- prompt: A kite\n  campaign: Spring #2\n",
        "- prompt: A kite\n  campaign: Spring # 2\n",
    ],
)
def test_a_name_that_a_comment_cuts_is_an_error(tmp_path: Path, text: str) -> None:
    """``Spring #2`` is ``Spring`` to YAML: another cap."""
    _, rows, problems = read(written(tmp_path, text, "t.yaml"))
    assert rows == []
    assert "a # after a space begins a comment" in problems[0].problem


def test_a_default_campaign_that_a_comment_cuts_is_refused(tmp_path: Path) -> None:
    """It stands under every job."""
    text = "defaults:\n  campaign: Spring #2\njobs:\n- A kite\n"
    with pytest.raises(ManifestError, match="begins a comment"):
        open_manifest(written(tmp_path, text, "t.yaml"))


def test_a_comment_behind_a_number_is_one(tmp_path: Path) -> None:
    """Nothing else can be meant by it."""
    text = "jobs:\n- prompt: A kite\n  duration: 15  # seconds\n"
    _, rows, problems = read(written(tmp_path, text, "t.yaml"))
    assert (len(rows), problems) == (1, [])


@pytest.mark.parametrize(
    "cell",
    ["-", "n/a", "N/A", "nan", "None", "NULL", "TBD", "TODO:", "?", "??????", "?? ???, ???? " * 9,
     ".", "…", '""""', "\ufffd\ufffd", "(none)", "\uff1f\uff1f"],
)  # fmt: skip
@pytest.mark.parametrize("image", ["", ",note"])
def test_a_prompt_that_says_nothing_is_an_error(tmp_path: Path, cell: str, image: str) -> None:
    """A library writes ``nan``, Python ``None``, Excel's plain CSV ``????`` for other scripts."""
    cell = f'"{cell}"' if "," in cell else cell
    table = written(tmp_path, f"prompt,duration{image}\n{cell},10\nA kite,15\n")
    _, rows, problems = read(table)
    assert [(one.row, one.column) for one in problems] == [(2, "prompt")]
    assert problems[0].remedy == "Write what the video shows, or remove the row."
    assert [row.prompt for row in rows] == ["A kite"]


def test_a_truth_value_is_no_prompt(tmp_path: Path) -> None:
    """A program that writes JSON says ``true`` for a box that was ticked."""
    _, rows, problems = read(written(tmp_path, '{"prompt": true}\n', "t.jsonl"))
    assert (rows, len(problems)) == ([], 1)


@pytest.mark.parametrize(
    "prompt",
    ["凧", "воздушный змей", "طائرة", "🪁", "🌊🌊", "❤", "*️⃣", "K?", "¿Qué?", "«Kite»", "7",
     "None of them", "Nana", "-- a kite", "??? a kite"],
)  # fmt: skip
def test_a_short_prompt_is_one(tmp_path: Path, prompt: str) -> None:
    """Of any script, or a picture alone."""
    _, rows, problems = read(written(tmp_path, f"prompt,duration\nA kite,15\n{prompt},15\n"))
    assert problems == []
    assert [row.prompt for row in rows] == ["A kite", prompt]


@pytest.mark.parametrize(
    "word",
    ["Ergebnis", "Gesamtergebnis", "Total videos", "Total: 5", "Somme", "Totale", "Totaal", "Suma",
     "Total général", "Grand Sum", "GRAND TOTAL:", "Итого", "Total (USD)"],
)  # fmt: skip
def test_a_line_of_totals_is_no_prompt(tmp_path: Path, word: str) -> None:
    """Excel's own totals row of a German table says ``Ergebnis``."""
    text = f"prompt,duration,cost\nA kite,15,1.5\nA boat,10,1\n{word},25,2.5\n"
    manifest, rows, problems = read(written(tmp_path, text))
    assert (len(rows), problems, manifest.left_out.totals) == (2, [], [4])


@pytest.mark.parametrize("prompt", ["Total eclipse", "A sum of kites", "Sum total", "Videos"])
def test_a_prompt_about_a_total_is_one(tmp_path: Path, prompt: str) -> None:
    """Other words beside it, or none that sums up."""
    manifest, rows, _ = read(written(tmp_path, f"prompt,duration\nA kite,15\n{prompt},10\n"))
    assert (len(rows), manifest.left_out.totals) == (2, [])


def sheet(folder: Path, rows: Sequence[Sequence[str]], *merged: str) -> Path:
    made = openpyxl.Workbook()
    first = made.active
    assert isinstance(first, Worksheet)
    for row in rows:
        first.append(list(row))
    for area in merged:
        first.merge_cells(area)
    path = folder / "t.xlsx"
    made.save(path)
    return path


@pytest.mark.parametrize("second", ["campaign", "owner"])
def test_a_heading_merged_over_all_columns_is_no_row(tmp_path: Path, second: str) -> None:
    """It would be bought with the heading as its prompt, and as its campaign."""
    rows = [["prompt", second, "notes"], ["A kite", "a", ""], ["Block 2"], ["A boat", "b", ""]]
    manifest, found, problems = read(sheet(tmp_path, rows, "A3:C3"))
    assert problems == []
    assert [row.prompt for row in found] == ["A kite", "A boat"]
    assert any("left out (row 3)" in warning.problem for warning in manifest.warnings)


def test_a_prompt_merged_over_some_columns_is_a_row(tmp_path: Path) -> None:
    """Its other cells say something, or it leaves a column of ours free."""
    rows = [["prompt", "notes", "campaign"], ["A kite", "", "a"], ["A boat", "", ""]]
    manifest, found, _ = read(sheet(tmp_path, rows, "A2:B2", "A3:B3"))
    assert [row.prompt for row in found] == ["A kite", "A boat"]
    assert manifest.warnings == ()


@pytest.mark.parametrize(
    "rows",
    [
        ["prompt,File", "A kite,kite.png", "A boat,boat.png", "A hill,-"],
        ["prompt,File", "A kite,kite.png", "A boat,boat.png", "A hill,none"],
        ["prompt,File", "A kite,kite.png", "A boat,boat.png", "A hill,ask Ann for it"],
        ["prompt,Bild", "A kite,kite.png", "A boat,boat.png", "A hill,folgt"],
        ["prompt,Files", 'A kite,"kite.png (https://files.example.com/x/k.png)"'],
        ["prompt,Asset", "A kite,![kite](kite.png)"],
        ["prompt,Start image URL", "A kite,https://images.example.com/photo-15?w=800"],
        ["prompt,start_frame_url", "A kite,https://drive.example.com/file/d/1aB/view"],
        ["prompt;Dauer;Ausrichtung", "A kite;15;quer", "A boat;12;hoch"],
        ["prompt,Takes", "A kite,15", "A boat,15", "A hill,-"],
    ],
    ids=lambda rows: rows[0] + "|" + rows[-1][:20],
)  # fmt: skip
def test_a_column_that_holds_what_ours_holds_is_asked_about(
    tmp_path: Path, rows: Sequence[str]
) -> None:
    """One cell that says "nothing", or another notation, does not make it somebody's own."""
    manifest, _, _ = read(written(tmp_path, "\n".join(rows) + "\n"))
    assert manifest.suspicious_columns


@pytest.mark.parametrize(
    "cells",
    [["kite.png", "by Ann", "by Bob"], ["10", "15", "7"], ["9:16", "wide", "tall"], ["-", ""]],
)
def test_a_column_of_other_things_is_left_alone(tmp_path: Path, cells: Sequence[str]) -> None:
    """A few cells may look like anything."""
    rows = [f"A kite {place},{cell}" for place, cell in enumerate(cells)]
    manifest, _, _ = read(written(tmp_path, "\n".join(["prompt,mine", *rows])))
    assert manifest.suspicious_columns == ()


@pytest.mark.parametrize("key", ["num_videos", "input_image_url"])
def test_a_key_of_a_developer_is_asked_about(tmp_path: Path, key: str) -> None:
    """It is not the default that is meant."""
    manifest, _, _ = read(written(tmp_path, f'{{"prompt": "A kite", "{key}": "3"}}\n', "t.jsonl"))
    assert manifest.suspicious_columns == (key,)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('{"prompt": "A kite", "settings": {"duration": 15, "image": "kite.png"}}', "settings"),
        ('{"prompt": "A kite", "params": {"aspect_ratio": "16:9"}}', "params"),
        ('{"prompt": "A kite", "settings": {"a": 1, "video": {"duration": 15}}}', "settings"),
        ('{"prompt": "A kite", "body": {"inputs": [{"x": 1}, {"image": "k.png"}]}}', "body"),
    ],
)
def test_a_key_of_ours_inside_another_is_asked_about(tmp_path: Path, line: str, key: str) -> None:
    """It is not read there, and every video would be the default."""
    path = written(tmp_path, line + "\n", "t.jsonl")
    manifest, _, _ = read(path)
    assert manifest.suspicious_columns == (key,)
    own = open_manifest(path, reading=Reading(columns={key: ""}))
    assert list(own.spec_rows(lambda request: kind_of(request).key))
    assert own.suspicious_columns == ()


def test_what_else_lies_inside_a_key_is_left_alone(tmp_path: Path) -> None:
    """``name`` and ``text`` are keys of everything."""
    line = '{"prompt": "A kite", "author": {"name": "Ann", "text": "x", "size": 3}}\n'
    manifest, _, _ = read(written(tmp_path, line, "t.jsonl"))
    assert manifest.suspicious_columns == ()


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ("Scene,Action", "Action"),
        ("Video description,Text", "Video description"),
        ("Video idea,Prompt (negative)", "Prompt (negative)"),
        ("Video idea,Prompt (old)", "Prompt (old)"),
    ],
)
def test_two_columns_that_may_be_the_prompt_are_asked_about(
    tmp_path: Path, headers: str, asked: str
) -> None:
    """What is put aside unread may be the one that was meant; a person says which one it is."""
    path = written(tmp_path, f"{headers}\nA kite over a hill,A boat\n")
    manifest = open_manifest(path)
    assert manifest.suspicious_columns == (asked,)
    assert [warning.column for warning in manifest.warnings] == [asked]
    for said in ({asked: "prompt"}, {asked: ""}):
        assert open_manifest(path, reading=Reading(columns=said)).suspicious_columns == ()


@pytest.mark.parametrize("headers", ["prompt,Action", "Video prompt,Scene", "prompt,Prompt (old)"])
def test_beside_an_outright_prompt_nothing_is_asked(tmp_path: Path, headers: str) -> None:
    """It says itself what it is."""
    path = written(tmp_path, f"{headers}\nA kite over a hill,A boat\n")
    assert open_manifest(path).suspicious_columns == ()
