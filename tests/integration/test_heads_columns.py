"""Headers as people write them, from the file to what a run would buy."""

from pathlib import Path

import pytest
from support.shell import Shell
from support.tiny import PNG

from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest, open_manifest
from batchsora.providers.registry import kind_of
from jobs.model.spec import SpecRow


def written(folder: Path, content: str, name: str = "m.csv") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


def read(manifest: Manifest) -> list[SpecRow]:
    found = list(manifest.spec_rows(lambda request: kind_of(request).key))
    assert all(isinstance(item, SpecRow) for item in found), found
    return [item for item in found if isinstance(item, SpecRow)]


@pytest.mark.parametrize(
    ("header", "cells", "name"),
    [
        ("file", ["kite.png", "", "heron.JPG"], "image"),
        ("asset", ["https://example.com/a.webp?w=1", "~/Ä/b.jfif"], "image"),
        ("layout", ["landscape", "9:16"], "orientation"),
        ("takes", ["10", "15 s"], "duration"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_column_is_known_by_its_cells(
    tmp_path: Path, header: str, cells: list[str], name: str, suffix: str
) -> None:
    """Whatever it is called: left alone, every row would be bought at the default."""
    rows = [f"A{n},{cell}" for n, cell in enumerate(cells)]
    text = "\n".join([f"prompt,{header}", *rows])
    if suffix == ".jsonl":
        lines = [f'{{"prompt": "A{n}", "{header}": "{cell}"}}' for n, cell in enumerate(cells)]
        text = "\n".join(lines)
    path = written(tmp_path, text, f"m{suffix}")
    manifest = open_manifest(path)
    read(manifest)
    assert manifest.suspicious_columns == (header,)
    assert f"--map '{header}={name}'" in manifest.warnings[-1].remedy
    own = open_manifest(path, reading=Reading(columns={header: ""}))
    read(own)
    assert own.suspicious_columns == ()


@pytest.mark.parametrize(
    "rows",
    [
        "prompt,note\nA,kite.png\nB,see the kite",
        "prompt,image_url,note\nA,https://example.com/b.png,kite.png",
        "prompt,note\nA,\nB,",
        "prompt,duration,mine\nA,10,15\nB,,10",
    ],
)
def test_one_cell_that_is_something_else_is_enough(tmp_path: Path, rows: str) -> None:
    """Nor is a column asked about beside one of ours that says the same thing."""
    manifest = open_manifest(written(tmp_path, rows))
    read(manifest)
    assert manifest.suspicious_columns == ()


def test_a_column_far_down_is_seen(tmp_path: Path) -> None:
    """Its first cell may stand below a thousand others."""
    rows = ["prompt,asset,takes", *[f"A{n},," for n in range(1200)], "B,kite.png,10", "C,a hill,15"]
    manifest = open_manifest(written(tmp_path, "\n".join(rows)))
    read(manifest)
    assert manifest.suspicious_columns == ("takes",)


@pytest.mark.parametrize("header", ["asset", "file"])
def test_a_run_stops_at_such_a_column(call: Shell, tmp_path: Path, header: str) -> None:
    """Before anything is loaded, with what to type; ``plan`` warns."""
    written(tmp_path, f"id,prompt,{header}\na,A kite,kite.png\n")
    (tmp_path / "kite.png").write_bytes(PNG)
    done = call("run", "m.csv", "--budget", "1")
    assert done.code == 2
    assert f"--map '{header}=image'" in done.err
    assert "--allow-unknown" in call("plan", "m.csv", "--json").json["needs"]
