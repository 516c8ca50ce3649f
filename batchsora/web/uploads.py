"""Forms with files: streamed to disk, each up to its limit, with safe names.

A file has a name of ours, and only we can read it, until its form is answered; then it is removed,
or moved to a place named by its content.
"""

import hashlib
import os
import re
import unicodedata
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from jobs import system
from jobs.model.files import made_folder

LARGEST_MANIFEST: Final = 100 * 1024**2  # bytes of an uploaded manifest
FIELDS_ROOM: Final = 256 * 1024  # bytes of a form beside its file
MOST_FIELDS: Final = 500
MOST_FILES: Final = 2000  # files of one form
LONGEST_FIELD: Final = 64 * 1024
LONGEST_HEADER: Final = 16 * 1024  # bytes of a part's header, which has a file's name
LONGEST_NAME: Final = 120  # bytes of a kept file's name without its suffix
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*]+')
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form."""

    name: str  # as its browser calls it
    path: Path  # where it is until the form is answered
    sha256: str  # of its content, in hexadecimal digits
    size: int  # in bytes
    whole: bool  # False where it was larger than its field takes; the rest was dropped


@dataclass(frozen=True, slots=True)
class Form:
    """What came with a form, without what was left empty."""

    fields: dict[str, str] = field(default_factory=dict)  # texts by their names
    files: dict[str, Upload] = field(default_factory=dict)  # by the names of their fields
    # files of fields that may have several, in their order
    several: dict[str, list[Upload]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a field's text; empty where there is none."""
        return self.fields.get(name, "")


@asynccontextmanager
async def received(
    request: Request,
    folder: Path,
    limits: Mapping[str, int] | None = None,
    several: Mapping[str, int] | None = None,
) -> AsyncIterator[Form]:
    """Read a form; its files exist as long as the context lasts.

    ``limits`` names the fields that may have a file, with its largest size in bytes, ``several``
    those that may have many, with the largest size of each.

    Raises:
        HTTPException: 400 it is not a form of ours, 413 its texts are too long, 507 the disk is
            full.
    """
    content, options = parse_options_header(request.headers.get("content-type", ""))
    if content != b"multipart/form-data":
        yield Form(await _plain_fields(request))
        return
    parts = _Parts(folder, limits or {}, several or {})
    try:
        await _read(request, options.get(b"boundary", b""), parts)
        yield parts.form
    finally:
        parts.forget()


async def _plain_fields(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FIELDS_ROOM:
            raise HTTPException(413, "This is larger than the page accepts.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise _strange() from None


async def _read(request: Request, boundary: bytes, parts: "_Parts") -> None:
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
    except (FormParserError, UnicodeDecodeError, ClientDisconnect):
        raise HTTPException(400, "The form could not be read; send it again.") from None
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise HTTPException(
            507, f"The file can't be saved ({reason}): free some space, and send it again."
        ) from None
    if not parts.complete:
        raise HTTPException(400, "The form was incomplete; send it again.")


class _Sink:
    """Writes a file as it arrives, and records its size and hash."""

    def __init__(self, name: str, path: Path, limit: int) -> None:
        self._name = name
        self._path = path
        self._limit = limit
        self._size = 0
        self._hash = hashlib.sha256()
        self._file = os.fdopen(system.create(path), "wb", buffering=0)

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            return
        self._hash.update(data)
        view = memoryview(data)
        while view:  # the system may take a part
            view = view[self._file.write(view) :]

    def close(self) -> Upload:
        self._file.close()
        return Upload(
            self._name,
            self._path,
            self._hash.hexdigest(),
            self._size,
            whole=self._size <= self._limit,
        )

    def forget(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class _Parts:
    """Takes the parts of a form as the parser finds them; ``complete``: the end has come too."""

    def __init__(self, folder: Path, limits: Mapping[str, int], several: Mapping[str, int]) -> None:
        self._folder = folder
        self._limits = {**limits, **several}
        self._several = several
        self._sinks: list[_Sink] = []
        self._sink: _Sink | None = None
        self._header, self._value = bytearray(), bytearray()
        self._name, self._text, self._disposition = "", bytearray(), b""
        self.form = Form()
        self.complete = False

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._add(self._header, data[start:end]),
            "on_header_value": lambda data, start, end: self._add(self._value, data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": lambda data, start, end: self._data(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._whole,
        }

    def forget(self) -> None:
        """Remove files that were not moved."""
        for sink in self._sinks:
            sink.forget()

    def _begin(self) -> None:
        self._header.clear()
        self._value.clear()
        self._text.clear()
        self._name, self._disposition, self._sink = "", b"", None

    def _add(self, to: bytearray, data: bytes) -> None:
        to += data
        if len(to) > LONGEST_HEADER:
            raise _strange()

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8")
        if b"filename" not in options:
            if len(self.form.fields) >= MOST_FIELDS:
                raise _strange()
            return
        limit = self._limits.get(self._name)
        if limit is None or self._name in self.form.files:
            raise _strange()
        if len(self._sinks) >= MOST_FILES:
            raise HTTPException(
                413,
                f"These are more than {MOST_FILES} files: send the pictures as a zip, or fewer.",
            )
        given = options[b"filename"].decode("utf-8", "replace")
        made_folder(self._folder)
        self._sink = _Sink(given, self._folder / f"{uuid.uuid4().hex}.part", limit)
        self._sinks.append(self._sink)

    def _data(self, data: bytes) -> None:
        if self._sink is not None:
            self._sink.write(data)
            return
        self._text += data
        if len(self._text) > LONGEST_FIELD:
            raise _strange()

    def _end(self) -> None:
        if self._sink is None:
            self.form.fields[self._name] = self._text.decode("utf-8")
            return
        upload = self._sink.close()
        if upload.name or upload.size:  # a browser sends a field without a file as an empty one
            if self._name in self._several:
                self.form.several.setdefault(self._name, []).append(upload)
            else:
                self.form.files[self._name] = upload

    def _whole(self) -> None:
        self.complete = True


def _strange() -> HTTPException:
    return HTTPException(400, "Not a valid form; reload the page, and try again.")


def keep(upload: Upload, place: Path) -> Path:
    """Move an uploaded file, durably, to its place, named by its content, if it is not there."""
    made_folder(place.parent.parent, place.parent.name)
    if place.exists():
        return place
    with upload.path.open("r+b") as file:
        system.sync(file.fileno())
    system.replace(upload.path, place)
    return place


def safe_file_name(given: str) -> str:
    """Make a file's name from what a browser calls it: no path, nothing hidden, not too long.

    Unlike :func:`batchsora.names.safe_name` it stays recognisable, and so is not unique: its folder
    is.
    """
    name = unicodedata.normalize("NFC", given.replace("\\", "/").rpartition("/")[2])
    name = "".join("_" if unicodedata.category(c) in _HIDDEN else c for c in name)
    stem, dot, suffix = _UNSAFE.sub("_", name).rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    stem = " ".join(stem.split()).lstrip(".-~ ").rstrip(". ")
    stem = stem.encode()[:LONGEST_NAME].decode("utf-8", "ignore").rstrip(". ") or "manifest"
    suffix = re.sub(r"\W", "", suffix)[:10].lower()
    return f"{stem}.{suffix}" if suffix else stem
