"""Damages files and reads them: each is understood or refused, within bounds, and breaks nothing.

Every file is read in a process of its own that may take 300 MB and 10 s of processor time, whatever
it starts included. Run as a script it goes on for minutes, and prints figures:
``make fuzz MINUTES=30``.
"""

import argparse
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet
from PIL import Image
from support import bombs

from batchsora.config import find_configuration
from batchsora.manifest.errors import CellError
from batchsora.manifest.images.fitting import Fitter
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import READERS, ManifestError, open_manifest
from batchsora.settings import SettingsError
from batchsora.web.posters import Pictures

MEMORY: Final = 300 * 1024**2
"""Bytes that whoever reads a file may take, as address space."""
SECONDS: Final = 10
"""Of processor time, for each file, whatever is started for it included."""
PATIENCE: Final = 6
"""How many times longer it may take by the clock: others use the machine, too."""
PACKAGES: Final = ("xlsx", "ods")
PICTURES: Final = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "tif": "TIFF"}

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
CONFIGURATION = """\
budget = 6.00
time-zone = "Europe/Berlin"
rate = 2.5
wait-for-funds = true
[generate]
max-price = 0.15
[run]
download = "videos"
download-rate = "2M"
"""
COMMANDS: Final = ("run", "generate")
WORDS: tuple[bytes, ...] = (
    b'"', b"'", b"\n", b"\r", b",", b";", b"\t", b"\0", b"{", b"}", b"[", b"]", b": ", b"- ", b"#",
    b"&a ", b"*a", b"<<", b"!!python/object:os.system", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3",
    b"9" * 400, b"1e999", b"=cmd|'/c calc'!A1", b"NaN", b"null", b"{" * 60, b"../",
    b"data:image/png;base64,", b"<c r='ZZZ9999999'/>", b"<f>A1</f>", b"t='s'><v>99999</v>", b"&lt;",
    b"&amp;#0;", b"<!DOCTYPE a>", b"<text:s text:c='99999'/>", b"<text:s text:c='&#57;99999999'/>",
    b" table:number-columns-repeated='16000'", b" table:number-rows-repeated='1000000'",
    b"<row r='1048576'/>", b"*l, " * 500, b"<si><t>a</t></si>" * 500,
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


def picture(kind: str) -> bytes:
    """Make a small picture."""
    saved = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(saved, kind)
    return saved.getvalue()


def old_workbook(content: bytes) -> Mapping[str, bytes]:
    """Have LibreOffice make an .xls of a workbook, where it is installed."""
    program = shutil.which("soffice")
    if program is None:
        return {}
    with TemporaryDirectory() as folder:
        (Path(folder) / "m.xlsx").write_bytes(content)
        command = [program, f"-env:UserInstallation=file://{folder}/profile", "--headless"]
        command += ["--convert-to", "xls", "--outdir", folder, f"{folder}/m.xlsx"]
        subprocess.run(command, capture_output=True, check=True, timeout=120)
        return {"xls": (Path(folder) / "m.xls").read_bytes()}


def seeds() -> Mapping[str, bytes]:
    """Give a good file of each format, by its suffix."""
    with TemporaryDirectory() as folder:
        rows = bombs.ods_row('A <text:s text:c="9"/>', 'table:number-rows-repeated="3"')
        sheet = bombs.package(Path(folder) / "m.ods", bombs.ods_parts(rows)).read_bytes()
    return {
        "csv": TABLE.encode(),
        "tsv": TABLE.replace(",", "\t").encode("utf-16"),
        "txt": b"sep=;\r\n" + TABLE.replace(",", ";").replace("\n", "\r\n").encode("cp1252"),
        "tab": TABLE.replace(",", "\t").encode("utf-16-be"),  # without a mark at its beginning
        "toml": CONFIGURATION.encode(),
        "yaml": YAML.encode(),
        "json": JSON.encode(),
        "jsonl": LINES.encode(),
        "xlsx": workbook(),
        "ods": sheet,
        **{suffix: picture(kind) for suffix, kind in PICTURES.items()},
    }


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut, repeat, overwrite or insert a few pieces."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 6))):
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
        victims = {
            chance.choice(names),
            chance.choice([n for n in names if "sheet" in n or "content" in n]),
        }
        made.compression = zipfile.ZIP_DEFLATED
        for name in names:
            part = package.read(name)
            made.writestr(name, damaged(part, chance) if name in victims else part)
    return target.getvalue()


def read(path: Path, reading: Reading) -> str:
    """Read a file to its end; says whether it was understood."""
    try:
        if path.suffix == ".toml":
            return "none" if find_configuration(str(path), COMMANDS) is None else "read"
        if path.suffix in READERS:
            manifest = open_manifest(path, reading=reading)
            return "read" if all(1 for _ in manifest.rows()) else "none"
        Fitter(path.parent / "fitted").fit(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        thumb = path.parent / "thumbs" / f"{sha256}.jpg"
        if Pictures(path.parent)._make(thumb, f"thumbs/{sha256}", path) is None:
            return "none"
    except ManifestError as error:
        problem = error.problem
        if not (problem.problem and problem.remedy):
            raise AssertionError("a refusal without words") from error
        return "refused"
    except (CellError, SettingsError):
        return "refused"
    return "read"


@dataclass(slots=True)
class Figures:
    """What became of the files of a format.

    Attributes:
        ends: how many were read, refused or had nothing.
        mb: the most that one took.
        seconds: the most processor time that one took.
    """

    ends: Counter[str] = field(default_factory=Counter)
    mb: int = 0
    seconds: float = 0.0


def read_bounded(path: Path, reading: Reading, figures: Figures) -> None:
    """Read a file in a process that can take no more than it may.

    Raises:
        AssertionError: it broke, or wanted more; the text says what is known.
    """
    answer, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            signal.alarm(PATIENCE * SECONDS)
            os.write(told, read(path, reading).encode())
            os._exit(0)
        except BaseException:  # noqa: BLE001 - told to whoever waits
            os.write(told, traceback.format_exc()[-4000:].encode())
        finally:
            os._exit(1)
    os.close(told)
    with os.fdopen(answer, encoding="utf-8") as file:
        said = file.read()
    _, status, used = os.wait4(child, 0)
    if status:
        raise AssertionError(f"ended with {os.waitstatus_to_exitcode(status)}: {said}")
    seconds = used.ru_utime + used.ru_stime
    if seconds > SECONDS:
        raise AssertionError(f"took {seconds:.1f} s")
    figures.ends[said] += 1
    figures.mb = max(figures.mb, used.ru_maxrss // 1024)
    figures.seconds = max(figures.seconds, seconds)


def fuzz(
    seed: int,
    folder: Path,
    good: Mapping[str, bytes],
    most: int,
    go_on: Callable[[], bool] = lambda: True,
) -> dict[str, Figures]:
    """Read damaged files, each format as often.

    Args:
        seed: of all chance.
        folder: for the files.
        good: what is damaged, by its suffix.
        most: so many at most.
        go_on: asked before each.

    Raises:
        AssertionError: a reader broke, or took too much; a note on it says how to see it again.
    """
    figures = {suffix: Figures() for suffix in good}
    readings = [
        Reading(),
        Reading(defaults={"duration": "15"}),
        Reading(columns={"note": "campaign"}),
        Reading(encoding="cp1252"),
        Reading(encoding="utf-16-be"),
    ]
    for number in range(most):
        if not go_on():
            break
        chance = random.Random(f"{seed}:{number}")
        suffix = sorted(good)[number % len(good)]
        path = folder / f"m.{suffix}"
        content = good[suffix]
        if chance.random() < 0.95:  # else a good one, so that it is seen that they are read
            content = (damaged_package if suffix in PACKAGES else damaged)(content, chance)
        path.write_bytes(content)
        try:
            read_bounded(path, chance.choice(readings), figures[suffix])
        except AssertionError as error:
            error.add_note(f"seed {seed}, number {number}, a .{suffix} of {len(content)} bytes")
            kept = Path(f"fuzz-{seed}-{number}.{suffix}").absolute()
            shutil.copy(path, kept)
            error.add_note(f"it is kept as {kept}")
            raise
    return figures


def main() -> None:
    """Read for minutes, or so many; print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--files", type=int, default=sys.maxsize)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    said = parser.parse_args()
    end = time.monotonic() + said.minutes * 60
    good = seeds()
    if said.files == sys.maxsize:  # LibreOffice takes longer than a few files do
        good = {**good, **old_workbook(good["xlsx"])}
    with TemporaryDirectory() as folder:
        found = fuzz(said.seed, Path(folder), good, said.files, lambda: time.monotonic() < end)
    for suffix, one in found.items():
        ends = dict(sorted(one.ends.items()))
        line = {"format": suffix, **ends, "most_mb": one.mb, "longest": round(one.seconds, 2)}
        print(json.dumps(line))
    print(f"seed {said.seed}: {sum(one.ends.total() for one in found.values())} files")


if __name__ == "__main__":
    main()
