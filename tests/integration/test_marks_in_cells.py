"""Small files of characters that take long to bring into one form are read in seconds."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from support.linux import in_proc

MARKS = "\u0301\u0323" * 150_000
"""600 kB as UTF-8; they are sorted one by one when they are normalised (NFKC)."""
SECONDS = 20.0
SIGNS = "\ufdfa" * 4_000_000


def csv_cell(folder: Path) -> Path:
    path = folder / "t.csv"
    path.write_text(f"prompt,duration\nA kite,10{MARKS}\n", encoding="utf-8")
    return path


def csv_orientation(folder: Path) -> Path:
    path = folder / "t.csv"
    path.write_text(f"prompt,orientation\nA kite,{MARKS}\n", encoding="utf-8")
    return path


def csv_header(folder: Path) -> Path:
    path = folder / "t.csv"
    path.write_text(f"prompt,x{MARKS}\nA kite,10\n", encoding="utf-8")
    return path


def json_key(folder: Path) -> Path:
    path = folder / "t.jsonl"
    line = json.dumps({"prompt": "A kite", f"x{MARKS}": "y"}, ensure_ascii=False)
    path.write_text(line + "\n", encoding="utf-8")
    return path


def json_cell(folder: Path) -> Path:
    path = folder / "t.json"
    rows = [{"prompt": "A kite", "duration": f"10{MARKS}"}]
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def lookalike(folder: Path) -> Path:
    """A column of somebody's own is looked at for orientations and durations, 2100 signs each."""
    path = folder / "t.csv"
    rows = (f"A kite {n},{n}{MARKS[:4000]}" for n in range(300))
    path.write_text("\n".join(["prompt,owner", *rows]), encoding="utf-8")
    return path


def picture(folder: Path) -> Path:
    path = folder / "t.csv"
    path.write_text(f"prompt,image\nA kite,{MARKS}.png\n", encoding="utf-8")
    (folder / "kite.png").touch()
    return path


def book_cells(folder: Path) -> Path:
    """Excel's own limit of a cell is kept: 20 cells of 32,767 characters."""
    made = openpyxl.Workbook()
    sheet = made.worksheets[0]
    sheet.append(["prompt", "duration"])
    for n in range(20):
        sheet.append([f"A kite {n}", f"{n}{MARKS[:32_000]}"])
    made.save(folder / "t.xlsx")
    return folder / "t.xlsx"


@pytest.mark.parametrize(
    "written",
    [csv_cell, csv_orientation, csv_header, json_key, json_cell, lookalike, picture, book_cells],
)
def test_marks_that_are_sorted_take_seconds(
    tmp_path: Path, written: Callable[[Path], Path]
) -> None:
    words = [sys.executable, "-m", "batchsora", "plan", str(written(tmp_path))]
    given = {
        "RUNBLOB_API_KEY": "x",
        "BATCHSORA_BASE_URL": "http://127.0.0.1:9",
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    subprocess.run(
        words, capture_output=True, timeout=SECONDS, cwd=tmp_path, env=given, check=False
    )


@in_proc
def test_signs_that_become_eighteen_take_little_memory(tmp_path: Path) -> None:
    """One cell of 4 million U+FDFA (12 MB) as a duration: normalised, it has 72 million."""
    path = tmp_path / "t.csv"
    path.write_text(f"prompt,duration\nA kite,{SIGNS}\n", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path\n"
        "from batchsora.manifest.read import open_manifest\n"
        "rows = list(open_manifest(Path(sys.argv[1])).rows())\n"
        # the peak of this program alone: what getrusage says begins with its parent's
        "peak = next(x for x in Path('/proc/self/status').open() if x.startswith('VmHWM'))\n"
        "print(int(peak.split()[1]) // 1024)\n"
    )
    words = [sys.executable, "-c", code, str(path)]
    said = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert int(said.stdout) < 300
