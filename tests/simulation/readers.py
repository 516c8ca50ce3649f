"""Damages manifests and reads them: a manifest is understood or refused, and never breaks a reader.

Run as a script it goes on for minutes: ``make fuzz MINUTES=10``.
"""

import argparse
import io
import random
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from batchsora.manifest.raw import Reading
from batchsora.manifest.read import ManifestError, open_manifest

TABLE = """\
id,prompt,Aspect Ratio,seconds,count,note
a,"A fox, ""red""\",16:9,15,2,=1+1

b,Ein Bär,,,,x
"""
YAML = """\
batch: night
budget: 6.00
campaigns: {mood: {budget: 1.50, defaults: {duration: 15}}}
defaults: &d {orientation: 16:9}
jobs:
  - {<<: *d, id: a, prompt: "A fox"}
  - A heron
matrix:
  prompt: A {animal} in {place}
  values: {animal: [fox, Bär], place: [snow, rain]}
"""
JSON = """\
{"batch": "n", "defaults": {"duration": 15},
 "jobs": [{"id": "a", "prompt": "A \\u00e9", "count": 2}, "B"]}
"""
LINES = '{"prompt": "A", "x": [1, {"y": null}]}\n\n"B"\n{"prompt": "C", "duration": 15.0}\n'
WORDS: tuple[bytes, ...] = (
    b'"', b"'", b"\n", b"\r", b",", b";", b"\t", b"\0", b"{", b"}", b"[", b"]", b": ", b"- ", b"#",
    b"&a ", b"*a", b"<<", b"!!python/object:os.system", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3",
    b"9" * 400, b"1e999", b"=cmd|'/c calc'!A1", b"NaN", b"null", b"{" * 60, b"../",
    b"data:image/png;base64,", b"<c r='ZZZ9999999'/>", b"<f>A1</f>", b"t='s'><v>99999</v>", b"&lt;",
    b"&amp;#0;", b"<!DOCTYPE a>",
)  # fmt: skip


def workbook() -> bytes:
    """Make a small workbook."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append(["id", "prompt", "orientation", "duration", "note"])
    sheet.append([7, "A fox", "16:9", 15, "=1+1"])
    sheet["A2"].number_format = "000"
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def seeds() -> Mapping[str, bytes]:
    """Give a good manifest of each format, by its suffix."""
    return {
        "csv": TABLE.encode(),
        "tsv": TABLE.replace(",", "\t").encode("utf-16"),
        "yaml": YAML.encode(),
        "json": JSON.encode(),
        "jsonl": LINES.encode(),
        "xlsx": workbook(),
    }


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut, repeat, overwrite or insert a few pieces."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                del data[place : place + chance.randint(1, 20)]
            case 1:
                data[place:place] = data[max(0, place - chance.randint(1, 40)) : place]
            case 2 if data:
                data[place % len(data)] = chance.randrange(256)
            case 3:
                data = data[:place] if chance.random() < 0.2 else data
            case _:
                data[place:place] = chance.choice(WORDS)
    return bytes(data)


def damaged_package(content: bytes, chance: random.Random) -> bytes:
    """Damage a workbook from without, or one of its parts."""
    if chance.random() < 0.3:
        return damaged(content, chance)
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as package, zipfile.ZipFile(target, "w") as made:
        names = package.namelist()
        victims = {chance.choice(names), chance.choice([n for n in names if "sheet" in n])}
        for name in names:
            part = package.read(name)
            made.writestr(name, damaged(part, chance) if name in victims else part)
    return target.getvalue()


def read(path: Path, reading: Reading) -> str:
    """Read a manifest to its end; says whether it was understood."""
    try:
        manifest = open_manifest(path, reading=reading)
        return "read" if all(1 for _ in manifest.rows()) else "none"
    except ManifestError as error:
        problem = error.problem
        if not (problem.problem and problem.remedy):
            raise AssertionError("a refusal without words") from error
        return "refused"


def fuzz(
    seed: int, folder: Path, most: int, go_on: Callable[[], bool] = lambda: True
) -> dict[str, int]:
    """Read damaged manifests.

    Args:
        seed: of all chance.
        folder: for the files.
        most: so many at most.
        go_on: asked before each.

    Returns:
        How many were read and refused.

    Raises:
        Exception: a reader broke; a note on it says how to see it again.
    """
    good = seeds()
    counts = {"read": 0, "refused": 0, "none": 0}
    readings = [
        Reading(),
        Reading(defaults={"duration": "15"}),
        Reading(columns={"note": "campaign"}),
    ]
    for number in range(most):
        if not go_on():
            break
        chance = random.Random(f"{seed}:{number}")
        suffix = chance.choice(sorted(good))
        make = damaged_package if suffix == "xlsx" else damaged
        path = folder / f"m.{suffix}"
        path.write_bytes(make(good[suffix], chance))
        try:
            counts[read(path, chance.choice(readings))] += 1
        except Exception as error:
            error.add_note(
                f"seed {seed}, number {number}, a .{suffix} of {path.stat().st_size} bytes"
            )
            raise
    return counts


def main() -> None:
    """Read for minutes, and say how many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    said = parser.parse_args()
    end = time.monotonic() + said.minutes * 60
    with TemporaryDirectory() as folder:
        counts = fuzz(said.seed, Path(folder), sys.maxsize, lambda: time.monotonic() < end)
    print(f"seed {said.seed}: {counts}")


if __name__ == "__main__":
    main()
