"""Small files that ask for gigabytes or minutes: refused within bounds, in a process that ends."""

import asyncio
import hashlib
import io
import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from support import bombs
from support.linux import in_proc

from batchsora.apart import ApartError, Bounds, ask, asking
from batchsora.manifest.formats.apart_table import TASK
from batchsora.manifest.read import ManifestError, open_manifest
from batchsora.web.posters import Pictures
from batchsora.workbook import WorkbookError
from batchsora.workbook.annotate import Columns, annotate
from batchsora.workbook.package import check_package

ROOM = 300
"""MB that a small file may take, Python included."""
SECONDS = 10
"""Of processor time that a file may take."""

READER = """
import json, resource, sys
from pathlib import Path
from batchsora.manifest.read import ManifestError, open_manifest
from batchsora.workbook.annotate import Columns, annotate
from batchsora.workbook.package import check_package
from batchsora.workbook import WorkbookError
try:
    count = sum(1 for _ in open_manifest(Path(sys.argv[1])).spec_rows(lambda request: "kind"))
    said = f"rows: {count}"
except ManifestError as error:
    said = str(error)
own, apart = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps({
    "said": said,
    "mb": max(own.ru_maxrss, apart.ru_maxrss) // 1024,
    "seconds": own.ru_utime + own.ru_stime + apart.ru_utime + apart.ru_stime,
}))
"""

SMALL: dict[str, tuple[Callable[[Path], Path], str]] = {
    "spaces.ods": (bombs.ods_of_spaces, "999999999"),
    "short-spaces.ods": (bombs.ods_of_short_spaces, "MB of memory"),
    "columns.ods": (bombs.ods_of_columns, "100000000"),
    "rows.ods": (bombs.ods_of_rows, "cells"),
    "string.xlsx": (bombs.xlsx_of_one_string, "MB of text"),
    "gaps.xlsx": (bombs.xlsx_of_gaps, "MB of text"),
    "aliases.yaml": (bombs.yaml_of_aliases, "MB of text"),
    "combinations.yaml": (bombs.yaml_of_combinations, "too large"),
}


def measured(path: Path) -> dict[str, float | str]:
    """Read a manifest in a process of its own; say what it and its children took."""
    command = [sys.executable, "-P", "-c", READER, str(path)]
    # a process takes over the peak of the one that starts it: here of a shell
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -v 4000000; "$@"; exit $?', "sh", *command],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, float | str] = json.loads(done.stdout)
    return found


@pytest.mark.posix  # it is measured in a POSIX shell
@pytest.mark.parametrize("name", SMALL)
def test_what_is_small_takes_little(name: str, tmp_path: Path) -> None:
    """Each is refused with what it asks for and what to do, in less than 300 MB and 10 s."""
    make, says = SMALL[name]
    found = measured(make(tmp_path / name))
    assert says in str(found["said"])
    assert str(tmp_path / name) in str(found["said"])
    assert str(found["said"]).rstrip().endswith((".", ".xlsx"))
    assert float(found["mb"]) < ROOM
    assert float(found["seconds"]) < SECONDS


@pytest.mark.posix  # it is measured in a POSIX shell
def test_a_sheet_that_breaks_off_is_told(tmp_path: Path) -> None:
    """The end of a row is missing, for which a library looked for ever; the fuzzer found it."""
    parts = bombs.ods_parts(bombs.ods_row("A"))
    parts["content.xml"] = parts["content.xml"].partition("</table:table>")[0]
    found = measured(bombs.package(tmp_path / "m.ods", parts))
    assert "the workbook can't be read: Premature end" in str(found["said"])
    assert float(found["seconds"]) < SECONDS


@pytest.mark.posix  # it is measured in a POSIX shell
def test_strings_that_nobody_uses_are_bounded(tmp_path: Path) -> None:
    """Some 400 KB took 1.3 GB and 170 s."""
    found = measured(bombs.xlsx_of_unused_strings(tmp_path / "m.xlsx"))
    assert "MB of memory" in str(found["said"]) or " s to read" in str(found["said"])
    assert float(found["mb"]) < ROOM
    assert float(found["seconds"]) < 2 * SECONDS  # 20 s more for each MB


@pytest.mark.posix  # it is measured in a POSIX shell
def test_a_sheet_beside_is_read_as_ever(tmp_path: Path) -> None:
    """The bounds are about what is odd."""
    for name, make, parts in (
        ("m.xlsx", bombs.xlsx_parts, bombs.HONEST),
        ("m.ods", bombs.ods_parts, bombs.ods_row("A fox")),
    ):
        found = measured(bombs.package(tmp_path / name, make(parts)))
        assert found["said"] == "rows: 1"
        assert float(found["mb"]) < ROOM / 2


FITTER = """
import json, resource, sys
from pathlib import Path
from batchsora.manifest.images.fitting import CellError, Fitter
try:
    said = Fitter(Path(sys.argv[1]).parent / "fitted").fit(Path(sys.argv[1]))[1]
except CellError as error:
    said = str(error)
own, apart = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps({"said": said, "own": own.ru_maxrss // 1024, "mb": apart.ru_maxrss // 1024}))
"""


@pytest.mark.posix  # it is typed into a POSIX shell
def test_a_picture_of_one_colour_takes_what_its_bytes_justify(tmp_path: Path) -> None:
    """A hundred million pixels in 130 KB took over a gigabyte, in the process of the page."""
    Image.new("P", (9999, 9999)).save(tmp_path / "bomb.gif")
    Image.new("P", (2000, 2000)).save(tmp_path / "fox.gif")
    found = {}
    for name in ("bomb.gif", "fox.gif"):
        command = [sys.executable, "-P", "-c", FITTER, str(tmp_path / name)]
        done = subprocess.run(
            ["/bin/sh", "-c", '"$@"; exit $?', "sh", *command],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        found[name] = json.loads(done.stdout)
    assert "memory" in found["bomb.gif"]["said"]
    assert found["bomb.gif"]["mb"] < 450
    assert found["bomb.gif"]["own"] < 100
    assert "made a JPEG" in found["fox.gif"]["said"]


def test_problems_name_the_file_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process apart works elsewhere; file, row and column are told as before."""
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text("jobs:\n- prompt: A\n- [B]\n")
    _, problem = open_manifest(Path("m.yaml")).rows()
    assert str(problem).startswith("m.yaml, row 3")
    Path("n.json").write_text('{"jobs": [}')
    with pytest.raises(ManifestError, match=r"^n\.json, row 1"):
        open_manifest(Path("n.json"))


@in_proc
def test_the_process_apart_has_no_secret_and_nothing_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the token nor the page's password is in its environment; no local module is run."""
    for module in ("openpyxl", "click", "yaml", "sitecustomize"):
        (tmp_path / f"{module}.py").write_text("open('owned', 'w').close()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "a-secret")
    monkeypatch.setenv("BATCHSORA_WEB_PASSWORD", "another")
    given = {"path": "/proc/self/environ"}
    answer = ask("support.apart_tasks:content", given, bounds())
    (said,) = map(json.loads, answer.lines())
    assert "secret" not in said
    assert "BATCHSORA" not in said
    bombs.package(tmp_path / "m.xlsx", bombs.xlsx_parts(bombs.HONEST))
    assert len(list(open_manifest(Path("m.xlsx")).rows())) == 1
    assert not (tmp_path / "owned").exists()


@pytest.fixture(autouse=True)
def _tasks_of_tests(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(project / "tests"))


def bounds(seconds: int = 5, memory: int = 64 * 1024**2, answer: int = 1024**2) -> Bounds:
    return Bounds(seconds, memory, answer)


def children() -> set[str]:
    """Name the processes that this one has started and not waited for."""
    lists = Path("/proc/self/task").glob("*/children")
    return {number for found in lists for number in found.read_text().split()}


@in_proc
@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("spin", "more than 1 s"),
        ("wait", "more than 1 s"),
        ("grow", "more than 64 MB of memory"),
        ("talk", "more than 1 MB of text"),
        ("crash", "SIGSEGV"),
        ("leave", "exit code 7"),
    ],
)
def test_whatever_a_library_does_ends(
    task: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It spins, waits, grows, talks without end, breaks, or goes: told, and nothing is left."""
    monkeypatch.setattr(asking, "PATIENCE", 1 if task == "wait" else 60)
    before = children()
    with pytest.raises(ApartError, match=says):
        ask(f"support.apart_tasks:{task}", {}, bounds(seconds=1))
    assert children() <= before


def test_a_bug_of_ours_is_a_bug() -> None:
    """It is not told as a damaged file."""
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        ask("support.apart_tasks:bug", {}, bounds())


def test_an_answer_is_read_by_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """From memory, or from a file where it is large; each from its beginning."""
    for held in (1024**2, 1024):
        monkeypatch.setattr("batchsora.apart.asking.HELD", held)
        answer = ask("support.apart_tasks:count", {"to": 20_000}, bounds())
        one, other = answer.lines(), answer.lines()
        assert [next(one), next(one)] == [b"0", b"1"]
        assert list(map(int, other)) == list(range(20_000))
        assert next(one) == b"2"


@in_proc
def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """SIGKILL to the one who asked ends also a library that never comes back to Python."""
    note = tmp_path / "pid"
    code = textwrap.dedent(f"""
        from batchsora.apart import Bounds, ask
        ask("support.apart_tasks:tell_and_hang", {{"note": {str(note)!r}}}, Bounds(60, 1 << 26, 9))
    """)
    with subprocess.Popen([sys.executable, "-P", "-c", code]) as parent:
        until(lambda: note.exists() and note.read_text().endswith("\n"))
        apart = int(note.read_text())
        assert alive(apart)
        parent.kill()
    until(lambda: not alive(apart))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(true: Callable[[], bool]) -> None:
    """Look again and again, for 20 s at most."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_task_is_where_it_is_said_to_be() -> None:
    """The name that goes to the process apart leads to the module that defines it."""
    module, _, name = TASK.partition(":")
    assert module == "batchsora.manifest.formats.apart_table"
    assert name == "prepare"


LAUGHS = '<!DOCTYPE a [<!ENTITY l "lol">]>'


def hidden(text: str, how: str) -> bytes:
    """Put a document type into XML where a look at its first bytes in ASCII does not see it."""
    comment = f"<!--{'a' * 100_000}-->"
    front, encoding = {
        "plainly": (LAUGHS, "utf-8"),
        "behind a long comment": (comment + LAUGHS, "utf-8"),
        "no root for long": (comment * 10, "utf-8"),
        "EBCDIC": (f'<?xml version="1.0" encoding="cp037"?>{LAUGHS}', "cp037"),
        "a code page": (f'<?xml version="1.0" encoding="cp1252"?>{LAUGHS}', "cp1252"),
        "UTF-16 without a mark": (LAUGHS, "utf-16-le"),
    }.get(how, (LAUGHS, how))
    return (front + (text.partition("?>")[2] or text)).encode(encoding)


@pytest.mark.parametrize(
    "how",
    [
        "plainly", "behind a long comment", "UTF-16", "UTF-16-BE", "UTF-16 without a mark",
        "UTF-32", "EBCDIC", "a code page", "no root for long",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("suffix", "part"),
    [
        ("xlsx", "xl/workbook.xml"),
        ("xlsx", "xl/worksheets/s.xml"),
        ("xlsx", "xl/t.xml"),
        ("xlsx", "xl/media/s.bin"),
        ("ods", "content.xml"),
        ("ods", "META-INF/manifest.xml"),
    ],
)
def test_no_document_type_hides(how: str, suffix: str, part: str, tmp_path: Path) -> None:
    """Behind a comment, in any encoding, in a sheet by another name: it is never parsed."""
    sheet = part if "s." in part else "xl/worksheets/s.xml"
    parts: dict[str, str | bytes] = {
        **(bombs.xlsx_parts(bombs.HONEST, sheet=sheet) if suffix == "xlsx" else bombs.ods_parts(""))
    }
    parts[part] = hidden(str(parts[part]), how)
    with pytest.raises(WorkbookError, match=r"document type|not XML|no element"):
        check_package(bombs.package(tmp_path / f"m.{suffix}", parts))


def test_xml_as_others_write_it_is_taken(tmp_path: Path) -> None:
    """UTF-16 with its mark, a comment, a drawing that names its type, parts that are no XML."""
    parts: dict[str, str | bytes] = {**bombs.xlsx_parts(bombs.HONEST)}
    strings = f'<?xml version="1.0" encoding="UTF-16"?>{parts["xl/t.xml"]}'
    parts |= {
        "xl/t.xml": strings.encode("utf-16"),
        "xl/worksheets/s.xml": f"<!-- by hand -->\n{parts['xl/worksheets/s.xml']}",
        "xl/media/a.svg": '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd"><svg/>',
        "xl/media/a.png": b"\x89PNG\r\n\x1a\n\0\0<",
        "xl/empty.xml": b"",
    }
    path = bombs.package(tmp_path / "m.xlsx", parts)
    assert [row.cells for row in open_manifest(path)._table.rows()] == [["A fox"]]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (bombs.ods_row('A<text:s text:c="32768"/>'), "spaces 32768"),
        (bombs.ods_row("A<text:s  x=\"1\"\n text:c = '0099999999999999999999'/>"), "spaces 9999"),
        (bombs.ods_row("A", 'table:number-rows-repeated="1048577"'), "rows 1048577"),
        (bombs.ods_row("A", "", 'table:number-columns-repeated="16385"'), "columns 16385"),
    ],
)
def test_numbers_beyond_any_sheet_are_refused_unread(row: str, says: str, tmp_path: Path) -> None:
    """They are seen before a library acts on them, also where a block of the file ends in them."""
    for before in (0, 1024**2 - 430):
        filler = bombs.ods_row("x" * before)
        path = bombs.package(tmp_path / "m.ods", bombs.ods_parts(filler + row))
        with pytest.raises(WorkbookError, match=says):
            check_package(path)


def test_numbers_in_a_text_are_texts(tmp_path: Path) -> None:
    """A prompt may say what a tag would."""
    text = 'say text:c="999999999" and number-columns-repeated="999999999"'
    row = bombs.ods_row(
        f"{text}<text:s/>{text}",
        'table:number-rows-repeated="1"',
        'table:number-columns-repeated="2"',
    )
    check_package(bombs.package(tmp_path / "m.ods", bombs.ods_parts(row)))


def test_a_picture_that_breaks_its_decoder_has_no_thumbnail(tmp_path: Path) -> None:
    """A PNG cut in the middle of its pixels makes Pillow raise a SyntaxError, of all things."""
    path = bombs.png_of_one_colour(tmp_path / "a.png", 64)
    data = path.read_bytes()
    place = data.index(b"IDAT") - 4
    length = int.from_bytes(data[place : place + 4], "big") - 20
    path.write_bytes(data[:place] + length.to_bytes(4, "big") + data[place + 4 :])
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    pictures = Pictures(tmp_path / "made")
    assert asyncio.run(pictures.thumbnail(path, sha256)) is None


def test_results_are_not_written_into_a_sheet_that_unpacks_without_end(tmp_path: Path) -> None:
    """An export holds the sheet as a tree; some 100 KB would have become hundreds of MB."""
    rows = "".join(f'<row r="{number}"/>' for number in range(1000, 1900)) * 2_000
    path = bombs.package(tmp_path / "m.xlsx", bombs.xlsx_parts(rows))
    with pytest.raises(WorkbookError, match="xml' unpacks to 25 MB"):
        annotate(path, io.BytesIO(), "S", 1, {}, [], Columns({"status": "status"}))
