"""A process that a hostile file took over says anything: it ends as a file that can't be read."""

import base64
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchsora.apart import ApartError, Bounds, Spool, ask
from batchsora.manifest.errors import CellError, ManifestError, RowProblem
from batchsora.manifest.formats import apart_results, apart_table
from batchsora.manifest.images import fitting
from batchsora.manifest.images.fitting import Fitter
from batchsora.manifest.raw import RawRow
from batchsora.manifest.read import open_manifest
from batchsora.web import posters
from batchsora.web.posters import Pictures

HEAD: dict[str, Any] = {
    "headers": ["id", "prompt"], "header_row": 1, "sheet": "Sheet1", "batch": None,
    "budget": "5.00", "campaign_budgets": {"spring": "2"},
}  # fmt: skip
PROBLEM: dict[str, Any] = {
    "file": "x", "row": 3, "column": "prompt", "found": None, "problem": "it is empty",
    "remedy": "Write one.", "cell": None,
}  # fmt: skip


def head(**other: Any) -> str:
    """Write a head in which some is another one."""
    return json.dumps({"head": HEAD | other})


def rows(*lines: Any) -> str:
    """Write an honest head, and lines after it."""
    return "\n".join(
        [head(), *(line if isinstance(line, str) else json.dumps(line) for line in lines)]
    )


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


LIES: dict[str, str | bytes] = {
    "nothing": b"",
    "an empty line": b"\n",
    "no JSON": "head",
    "no UTF-8": b'{"head": "\xff\xfe"}',
    "UTF-16": head().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + head().encode(),
    "cut off in the head": head()[:40],
    "a number": "7",
    "null": "null",
    "a text": '"head"',
    "a list as the head": "[1, []]",
    "nested too deeply": "[" * 100_000,
    "a head that is a list": '{"head": []}',
    "a head that is null": '{"head": null}',
    "an empty head": '{"head": {}}',
    "a head with more": head(more=1),
    "a head beside a refusal": json.dumps({"head": HEAD, "refused": PROBLEM}),
    "no headers": json.dumps({"head": without(HEAD, "headers")}),
    "headers as one text": head(headers="id,prompt"),
    "headers that are numbers": head(headers=[1, 2]),
    "headers in headers": head(headers=[["id"]]),
    "a header row below zero": head(header_row=-1),
    "a header row in fractions": head(header_row=1.5),
    "a header row as a text": head(header_row="1"),
    "a header row that is true": head(header_row=True),
    "a header row of 30 digits": head(header_row=10**30),
    "a sheet that is a number": head(sheet=1),
    "a batch that is a list": head(batch=["night"]),
    "a budget that is NaN": head(budget="NaN"),
    "a budget that is a JSON NaN": head().replace('"5.00"', "NaN"),
    "an infinite budget": head().replace('"5.00"', "-Infinity"),
    "a budget below zero": head(budget="-5"),
    "a budget with an exponent": head(budget="1e999999"),
    "a budget beyond all money": head(budget="9" * 40),
    "a budget that is a number": head(budget=5),
    "budgets as a list": head(campaign_budgets=["spring"]),
    "a campaign's budget that is null": head(campaign_budgets={"spring": None}),
    "a number of 5,000 digits": head(header_row=0).replace("0,", "9" * 5000 + ",", 1),
    "a refusal that is empty": '{"refused": {}}',
    "a refusal without a remedy": json.dumps({"refused": without(PROBLEM, "remedy")}),
    "a refusal of another type": json.dumps({"refused": PROBLEM | {"problem": 7}}),
    "a row that is no list": rows({"row": 1}),
    "a row without cells": rows([1]),
    "a row with more": rows([1, ["a"], "more"]),
    "a row with one text for cells": rows([1, "ab"]),
    "a row in cells' place": rows([["a"], 1]),
    "a cell that is a number": rows([1, ["a", 2]]),
    "a cell that is null": rows([1, [None]]),
    "a cell that is a list": rows([1, [["a"]]]),
    "a row below zero": rows([-1, ["a"]]),
    "a row in fractions": rows([1.5, ["a"]]),
    "a row that is NaN": rows("[NaN, []]"),
    "a row of 30 digits": rows([10**30, ["a"]]),
    "an empty list": rows([]),
    "a second head": rows(json.loads(head())),
    "a problem that is a text": rows({"problem": "it is empty"}),
    "a problem with more": rows({"problem": PROBLEM | {"more": 1}}),
    "a problem of no row": rows({"problem": PROBLEM | {"row": "3"}}),
    "a problem beside a row": rows({"problem": PROBLEM, "row": []}),
    "cut off in a row": rows([1, ["a", "b"]])[:-4],
    "an empty line between rows": rows([1, ["a", "b"]], "", [2, ["a", "b"]]),
    "no UTF-8 in a row": rows().encode() + b'\n[1, ["\xff"]]',
}


def spool(answer: str | bytes) -> Spool:
    """Keep an answer."""
    kept = Spool()
    kept.write(answer.encode("utf-8", "surrogatepass") if isinstance(answer, str) else answer)
    return kept


def saying(answer: str | bytes) -> Callable[..., Spool]:
    """Answer so, whatever is asked."""
    return lambda *_: spool(answer)


def read(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str | bytes) -> list[Any]:
    """Read a manifest whose process answers so."""
    monkeypatch.setattr(apart_table, "ask", saying(answer))
    path = folder / "m.xlsx"
    path.write_bytes(b"PK")
    return list(apart_table.open_apart(path).rows())


def test_an_honest_answer_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, problems with the file's name here, and texts with lone surrogates."""
    lines = rows([2, ["a", "\ud800"]], {"problem": PROBLEM})
    row, problem = read(tmp_path, monkeypatch, lines)
    assert row == RawRow(2, ["a", "\ud800"])
    assert problem == RowProblem(**PROBLEM | {"file": str(tmp_path / "m.xlsx")})
    surrogate = rows('[2, ["a", "\ud800"]]')
    assert read(tmp_path, monkeypatch, surrogate) == [row]
    with pytest.raises(ManifestError, match="it is empty"):
        read(tmp_path, monkeypatch, rows([2, ["a", "b"]], {"refused": PROBLEM}, "no JSON"))


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_is_a_file_that_cannot_be_read(
    lie: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words, with the file's name; never as a bug of ours."""
    with pytest.raises(ManifestError) as refused:
        read(tmp_path, monkeypatch, lie)
    assert str(refused.value).startswith(f"{tmp_path / 'm.xlsx'}: the file can't be read: ")
    assert "gave an invalid answer" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("0_.xlsx", b"\xff\n", "gave an invalid answer"),
        ("0_.yaml", b"", "gave an invalid answer"),
        ("4_.xlsx", b"no JSON", "exit code 4"),
        ("4_.json", b"", "exit code 4"),
        ("4_.yaml", b'{"bug": [1]}', "exit code 4"),
        ("7_.xlsx", head().encode(), "exit code 7"),
        ("-35_.xlsx", head().encode(), "signal 35"),
    ],
)
def test_real_processes_that_lie(
    name: str, content: bytes, says: str, tmp_path: Path, project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """By what they say, or by how they end."""
    monkeypatch.setenv("PYTHONPATH", str(project / "tests"))
    monkeypatch.setattr(apart_table, "TASK", "support.apart_tasks:say")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError, match=says) as refused:
        open_manifest(tmp_path / name)
    assert "the file can't be read" in str(refused.value)


JPEG = base64.b64encode(b"\xff\xd8\xff\xe0 a picture").decode()
PICTURE: dict[str, Any] = {"data": JPEG, "suffix": ".jpg", "note": "fitted"}
PICTURE_LIES: dict[str, str | bytes] = {
    "nothing": b"",
    "no UTF-8": b"\xff",
    "a list": "[]",
    "an empty document": "{}",
    "two lines": f"{json.dumps(PICTURE)}\n{json.dumps(PICTURE)}",
    "no base64": json.dumps(PICTURE | {"data": "\u00e4"}),
    "half of base64": json.dumps(PICTURE | {"data": "abc"}),
    "data that is a number": json.dumps(PICTURE | {"data": 1}),
    "another picture": json.dumps(PICTURE | {"data": base64.b64encode(b"GIF89a").decode()}),
    "no picture": json.dumps(PICTURE | {"data": ""}),
    "another suffix": json.dumps(PICTURE | {"suffix": ".png"}),
    "a suffix that is a path": json.dumps(PICTURE | {"suffix": "/../../x.jpg"}),
    "no note": json.dumps(without(PICTURE, "note")),
    "a problem without a remedy": '{"problem": "none"}',
    "a problem that is a number": '{"problem": 1, "remedy": "x"}',
}


@pytest.mark.parametrize("lie", PICTURE_LIES.values(), ids=PICTURE_LIES)
def test_a_lie_about_a_picture_is_a_picture_that_cannot_be_converted(
    lie: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is written."""
    monkeypatch.setattr(fitting, "ask", saying(lie))
    (tmp_path / "a.bmp").write_bytes(b"BM" + bytes(100))
    with pytest.raises(CellError, match=r"can't be converted: .* gave an invalid answer"):
        Fitter(tmp_path / "fitted").fit(tmp_path / "a.bmp")
    assert os.listdir(tmp_path) == ["a.bmp"]  # noqa: PTH208 - names alone


@pytest.mark.parametrize(
    "lie",
    [b"", b"\xff", "[]", "{}", '{"jpeg": 1}', '{"jpeg": "abc"}', '{"jpeg": "PGh0bWw+"}',
     '{"jpeg": "", "why": "x"}', '{"why": 1}', '{"jpeg": ""}\n{"jpeg": ""}'],
)  # fmt: skip
def test_a_lie_about_a_poster_is_no_poster(
    lie: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page shows its own picture in its place; nothing is kept."""
    monkeypatch.setattr(posters, "ask", saying(lie))
    pictures = Pictures(tmp_path)
    assert pictures._make(tmp_path / "posters" / "0.jpg", "posters/0", tmp_path / "a.mp4") is None
    assert list(tmp_path.iterdir()) == []


def test_a_bug_of_ours_stays_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends an honest answer as a bug is reported as one."""
    monkeypatch.setenv("PYTHONPATH", str(project / "tests"))
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        ask("support.apart_tasks:bug", {}, Bounds(5, 64 * 1024**2, 1024**2))
    with pytest.raises(ApartError):
        ask("support.apart_tasks:leave", {}, Bounds(5, 64 * 1024**2, 1024**2))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [{"piece": "AAAA"}],
        [{"piece": "AAAA"}, {"notes": []}, {"piece": "AAAA"}],
        [{"notes": []}, {"notes": []}],
        [{"piece": "no base64!"}, {"notes": []}],
        [{"piece": 7}, {"notes": []}],
        [{"notes": "x"}],
        [{"notes": [], "more": 1}],
        [{"head": HEAD}],
    ],
)
def test_a_copy_with_results_is_whole_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    """What is no copy, or ends in the middle, is an error in words; so is what was refused."""

    def answer(*_: Any) -> Spool:
        spool = Spool()
        for line in lines:
            spool.write(json.dumps(line).encode() + b"\n")
        return spool

    monkeypatch.setattr(apart_results, "ask", answer)
    (tmp_path / "m.yaml").write_text("- A kite\n")
    with pytest.raises(
        ValueError, match=r"can't be written into .*m\.yaml: .* gave an invalid answer"
    ):
        apart_results.write_apart(
            apart_results.YAML, tmp_path / "m.yaml", io.BytesIO(), {"results": [], "keys": []}
        )


def test_a_copy_that_costs_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its bounds; the manifest was not changed."""
    monkeypatch.setattr(apart_results, "_bounds", lambda *_: Bounds(1, 1024, 1024))
    path = tmp_path / "m.yaml"
    path.write_text("- A kite\n" * 50_000)
    told = {"results": [(1, [{"status": "queued"}])], "keys": ["status"]}
    with pytest.raises(ValueError, match="far more than usual"):
        apart_results.write_apart(apart_results.YAML, path, io.BytesIO(), told)
