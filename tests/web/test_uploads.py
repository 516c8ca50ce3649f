"""Forms with files: streamed, bounded, kept under names that are safe."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request

from batchsora.web.uploads import LONGEST_FIELD, LONGEST_NAME, Form, keep, received, safe_file_name

BOUNDARY = "the-end-of-a-part"
CONTENT = bytes(range(256)) * 40


def part(name: str, data: bytes, filename: str | None = None) -> bytes:
    """Write a part as browsers do."""
    more = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def body(*parts: bytes) -> bytes:
    """Put parts together."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def request_of(data: bytes, chunk: int, content: str, *, breaks: bool = False) -> Request:
    """Make a request whose body comes in pieces; it may break off."""
    pieces = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    last: dict[str, Any] = {"type": "http.request", "body": b"", "more_body": False}
    messages.append({"type": "http.disconnect"} if breaks else last)

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content.encode())]}
    return Request(scope, receive)


def read(
    data: bytes,
    folder: Path,
    look: Callable[[Form], Any],
    *,
    limits: dict[str, int] | None = None,
    chunk: int = 1000,
    content: str = f"multipart/form-data; boundary={BOUNDARY}",
    breaks: bool = False,
) -> Any:
    """Read a form, and give what was seen while its files were there."""

    async def main() -> Any:
        request = request_of(data, chunk, content, breaks=breaks)
        async with received(request, folder, limits or {"file": 10**6}) as form:
            return look(form)

    return asyncio.run(main())


@pytest.mark.parametrize("chunk", [1, 7, 1000, 10**6])
def test_a_form_arrives_whole_in_whatever_pieces(tmp_path: Path, chunk: int) -> None:
    """Texts and a file, for us alone, gone when the form is answered."""
    data = body(part("prompt", "a 🦊".encode()), part("file", CONTENT, "rows.csv"))

    def look(form: Form) -> None:
        upload = form.files["file"]
        assert form.text("prompt") == "a 🦊"
        assert form.text("absent") == ""
        assert upload.path.read_bytes() == CONTENT
        assert upload.path.stat().st_mode & 0o777 == 0o600
        assert (upload.name, upload.size, upload.whole) == ("rows.csv", len(CONTENT), True)
        assert upload.sha256 == hashlib.sha256(CONTENT).hexdigest()

    read(data, tmp_path, look, chunk=chunk)
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    """The rest of the form is read all the same, so that it can be shown again."""
    data = body(part("file", CONTENT, "rows.csv"), part("name", b"summer"))

    def look(form: Form) -> None:
        upload = form.files["file"]
        assert not upload.whole
        assert upload.path.stat().st_size <= 5000
        assert form.text("name") == "summer"

    read(data, tmp_path, look, limits={"file": 5000})


def test_a_field_without_a_file_has_none(tmp_path: Path) -> None:
    """Browsers send it as an empty one without a name."""
    assert read(body(part("file", b"", "")), tmp_path, lambda form: form.files) == {}


@pytest.mark.parametrize(
    "data",
    [
        body(part("other", CONTENT, "rows.csv")),
        body(part("file", b"a", "a.csv"), part("file", b"b", "b.csv")),
        body(part("prompt", b"x" * (LONGEST_FIELD + 1))),
        body(part("prompt", b"\xff")),
        body(*(part(f"field{number}", b"") for number in range(501))),
        body(part("file", CONTENT, "rows.csv"))[:-20],
        b"nothing of a form",
        b"",
    ],
    ids=["unknown", "twice", "long", "no-utf-8", "many", "cut", "none", "empty"],
)
def test_what_is_no_form_of_ours_is_refused(tmp_path: Path, data: bytes) -> None:
    """400, and nothing of it stays on the disk."""
    with pytest.raises(HTTPException) as caught:
        read(data, tmp_path, lambda form: form)
    assert caught.value.status_code == 400
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    """What came of the file is removed."""
    data = body(part("file", CONTENT, "rows.csv"))[:5000]
    with pytest.raises(HTTPException) as caught:
        read(data, tmp_path, lambda form: form, breaks=True)
    assert caught.value.status_code == 400
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_said(tmp_path: Path) -> None:
    """507, with the system's reason."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HTTPException) as caught:
        read(body(part("file", CONTENT, "rows.csv")), tmp_path / "file", lambda form: form)
    assert caught.value.status_code == 507
    assert "can't be saved" in caught.value.detail


def test_a_form_without_files(tmp_path: Path) -> None:
    """As browsers write it when no file can be chosen; too much of it is refused."""
    plain = "application/x-www-form-urlencoded"
    fields = read(b"budget=3&name=a%20b&empty=", tmp_path, lambda form: form.fields, content=plain)
    assert fields == {"budget": "3", "name": "a b", "empty": ""}
    with pytest.raises(HTTPException) as caught:
        read(b"x" * 300_000, tmp_path, lambda form: form, content=plain)
    assert caught.value.status_code == 413


def test_a_kept_file_is_never_replaced(tmp_path: Path) -> None:
    """Its place goes by its content; what somebody has changed there since stays as well."""
    place = tmp_path / "kept" / "rows.csv"

    def look(form: Form) -> Path:
        return keep(form.files["file"], place)

    data = body(part("file", CONTENT, "rows.csv"))
    assert read(data, tmp_path / "incoming", look) == place
    assert place.read_bytes() == CONTENT
    assert place.stat().st_mode & 0o777 == 0o600
    place.write_bytes(b"edited")
    assert read(data, tmp_path / "incoming", look) == place
    assert place.read_bytes() == b"edited"


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("rows.csv", "rows.csv"),
        ("Summer launch (2).XLSX", "Summer launch (2).xlsx"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\rows.csv", "rows.csv"),
        ("<script>.csv", "_script_.csv"),
        (".hidden.csv", "hidden.csv"),
        ("-rf.csv", "rf.csv"),
        ("...csv", "manifest.csv"),
        ("a\u202eb\x00c.csv", "a_b_c.csv"),
        ("", "manifest"),
        ("été.csv", "été.csv"),
    ],
)
def test_names_are_made_safe(given_name: str, name: str) -> None:
    """No path, nothing hidden or unseen, and still what a person recognises."""
    assert safe_file_name(given_name) == name


@given(st.text(max_size=300))
def test_any_name_is_one_file_in_its_folder(given_name: str) -> None:
    """Whatever a browser says."""
    name = safe_file_name(given_name)
    assert os.path.basename(name) == name  # noqa: PTH119 - a name, no path
    assert name not in ("", ".", "..")
    assert not name.startswith((".", "-", "~"))
    assert name.isprintable()
    assert len(name.encode()) <= LONGEST_NAME + 40
