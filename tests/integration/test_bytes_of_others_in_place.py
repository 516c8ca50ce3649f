"""Results written into a text table leave every byte of all else, in any encoding."""

from io import BytesIO
from pathlib import Path

import pytest

from batchsora.manifest.formats.csv_results import write_csv_results
from batchsora.manifest.formats.written import check_written
from batchsora.manifest.raw import Reading

HEADERS = {"status": "status", "error": "error"}


def written(path: Path, encoding: str, rows: tuple[int, ...], error: str = "a, b") -> bytes:
    """Write results into some rows, and check that all else is read as before."""
    target = BytesIO()
    reading = Reading(encoding=encoding)
    results = {row: {"status": "done", "error": error} for row in rows}
    write_csv_results(path, target, results, HEADERS, {}, reading)
    draft = path.with_name("draft.csv")
    draft.write_bytes(target.getvalue())
    check_written(path, draft, HEADERS, {}, reading)
    return target.getvalue()


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize(
    ("encoding", "raw"),
    [("cp932", b"\x87\x90"), ("big5", b"\xa2\xcc"), ("cp950", b"\xf9\xe9"), ("utf-8", b"\xc3\xa9")],
)
def test_two_codes_of_one_sign_stay(tmp_path: Path, encoding: str, raw: bytes, end: bytes) -> None:
    """Both in rows that are no jobs and in those that get results."""
    assert raw.decode(encoding)
    path = tmp_path / "t.csv"
    lines = [
        b"prompt,notes,owner",
        b'A kite over the sea,"x ' + raw + b'",' + raw,
        b",note " + raw + b",",
        b"A boat " + raw + b",,",
    ]
    path.write_bytes(end.join([*lines, b""]))
    added = [b",status,error", b',done,"a, b"', b"", b',done,"a, b"']
    expected = end.join([*(line + more for line, more in zip(lines, added, strict=True)), b""])
    assert written(path, encoding, (2, 4)) == expected


@pytest.mark.parametrize(
    "encoding",
    [
        "utf-16",
        "utf-32",
        "utf-16-be",
        "iso2022_jp",
        "euc_jp",
        "shift_jis",
        "gb18030",
        "hz",
        "cp037",
        "utf-7",
    ],
)
def test_every_encoding_is_written_as_it_was(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    kite = "A kite é" if encoding in ("cp037", "utf-7") else "日本"
    text = f'prompt,notes\r\n{kite} over the sea,"{kite}, {kite}"\r\n,{kite}\r\n'
    path.write_bytes(text.encode(encoding))
    said = text.replace("notes", "notes,status,error").replace(f'{kite}"', f'{kite}",done,x')
    new = written(path, encoding, (2,), "x")
    assert new.decode(encoding) == said
    assert new.endswith(f",{kite}\r\n".encode(encoding)[-4:])
