"""The images that rows name, on a real file system."""

import base64
import hashlib
import os
from pathlib import Path

import pytest
from support.tiny import JPEG, PNG, WEBP

from batchsora.manifest.errors import CellError
from batchsora.manifest.images.row_images import LARGEST_IMAGE, Images, media_type, url
from jobs.model.provider import ImageRef


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a manifest's folder with a picture in it, and one outside."""
    (tmp_path / "m" / "images").mkdir(parents=True)
    (tmp_path / "m" / "images" / "fox.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    return tmp_path / "m"


def read(folder: Path, text: str, *, allow_outside: bool = False) -> ImageRef | None:
    return Images(folder, allow_outside=allow_outside).read(text)


def problem(folder: Path, text: str) -> str:
    with pytest.raises(CellError) as caught:
        read(folder, text)
    return caught.value.problem


def test_a_file_is_known_by_its_content(folder: Path) -> None:
    """Path, size, type and hash of a local image are taken at load."""
    assert read(folder, " images/fox.png ") == ImageRef(
        "images/fox.png",
        str((folder / "images" / "fox.png").resolve()),
        hashlib.sha256(PNG).hexdigest(),
        len(PNG),
        "image/png",
    )


@pytest.mark.parametrize(
    ("content", "media"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")]
)
def test_the_type_is_what_the_content_says(folder: Path, content: bytes, media: str) -> None:
    """A wrong suffix misleads nobody."""
    (folder / "picture.txt").write_bytes(content)
    image = read(folder, "picture.txt")
    assert image is not None
    assert image.media_type == media


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"GIF89a......", "a GIF"),
        (b"BM..........", "a BMP"),
        (b"%PDF-1.7", "a PDF"),
        (b"\0\0\0\x20ftypheic", "HEIC"),
        (b"<svg/>", "SVG"),
        (b"hello, I am a text", "not a JPEG, PNG or WEBP"),
        (b"RIFF\0\0\0\0WAVE", "not a JPEG, PNG or WEBP"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_name(folder: Path, content: bytes, says: str) -> None:
    """The message says what the file is instead."""
    (folder / "picture.png").write_bytes(content)
    assert says in problem(folder, "picture.png")


def test_ten_megabytes_are_the_limit(folder: Path) -> None:
    """Ten times 1024 times 1024 bytes may be sent, one more may not."""
    (folder / "large.png").write_bytes(PNG.ljust(LARGEST_IMAGE, b"\0"))
    image = read(folder, "large.png")
    assert image is not None
    assert image.size == LARGEST_IMAGE == 10_485_760
    with (folder / "large.png").open("ab") as file:
        file.write(b"\0")
    assert "larger than 10 MB" in problem(folder, "large.png")


@pytest.mark.parametrize(
    "text", ["../secret.png", "images/../../secret.png", "link.png", "out/secret.png"]
)
def test_nothing_outside_the_folder_is_read(folder: Path, text: str) -> None:
    """A manifest from somebody else can't send files from elsewhere, not through links either."""
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "out").symlink_to(folder.parent)
    assert "outside" in problem(folder, text)
    assert read(folder, text, allow_outside=True) is not None


def test_absolute_paths(folder: Path) -> None:
    """An absolute path is judged by where it leads."""
    assert read(folder, str(folder / "images" / "fox.png")) is not None
    assert "outside" in problem(folder, str(folder.parent / "secret.png"))


def test_links_inside_the_folder_are_followed(folder: Path) -> None:
    """A link that stays inside is as good as the file."""
    (folder / "link.png").symlink_to("images/fox.png")
    image = read(folder, "link.png")
    assert image is not None
    assert image.path == str((folder / "images" / "fox.png").resolve())


@pytest.mark.posix  # a pipe that lies in a folder
def test_only_regular_files_are_opened(folder: Path) -> None:
    """Pipes would block for ever, devices never end, folders have no bytes."""
    os.mkfifo(folder / "pipe.png")
    assert "not a regular file" in problem(folder, "pipe.png")
    assert "not a regular file" in problem(folder, "images")
    with pytest.raises(CellError, match="not a regular file"):
        read(folder, os.devnull, allow_outside=True)


@pytest.mark.parametrize(
    "text",
    [
        "missing.png",
        pytest.param("images/FOX.png", marks=pytest.mark.posix),
        "images\\fox.png",
        "fox.png/x",
    ],
)
def test_a_missing_file_is_named_as_such(folder: Path, text: str) -> None:
    """The remedy says where paths start."""
    assert "image not found" in problem(folder, text)


def test_paths_that_no_system_takes(folder: Path) -> None:
    """A NUL, a circle of links, a name too long: errors of the row, not of the program."""
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    for text in ("fox\0.png", "a", "x" * 5000):
        assert "can't be read" in problem(folder, text)


def test_a_file_is_read_once_a_load(folder: Path) -> None:
    """A thousand rows with one picture read it once; the verdict on a bad one is kept as well."""
    images = Images(folder, allow_outside=False)
    first = images.read("images/fox.png")
    (folder / "images" / "fox.png").write_bytes(JPEG)
    again = images.read("./images/fox.png")
    assert first is not None
    assert again is not None
    assert (again.sha256, again.source) == (first.sha256, "./images/fox.png")
    (folder / "bad.png").write_bytes(b"GIF8")
    for _ in range(2):
        with pytest.raises(CellError, match="GIF"):
            images.read("bad.png")
        (folder / "bad.png").write_bytes(PNG)


def test_web_addresses_are_left_to_the_provider(folder: Path) -> None:
    """Nothing is fetched; http and https are taken as they are."""
    for text in ("https://example.com/a.jpg?x=1", "HTTP://example.com/a.jpg"):
        assert read(folder, text) == ImageRef(text)
        assert url(text) == ImageRef(text)
    assert read(folder, " ") is None
    assert url("") is None


@pytest.mark.parametrize("text", ["file:///etc/hostname", "ftp://example.com/a.png", "https://"])
def test_other_addresses_are_refused(folder: Path, text: str) -> None:
    """Only the web: a file has a path."""
    assert "address" in problem(folder, text)


def uri(content: bytes, media: str = "image/png") -> str:
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


def test_a_data_uri_is_checked_like_a_file(folder: Path) -> None:
    """Its bytes are decoded, hashed and recognised."""
    assert read(folder, uri(PNG)) == ImageRef(
        uri(PNG), None, hashlib.sha256(PNG).hexdigest(), len(PNG), "image/png"
    )
    folded = uri(JPEG, "image/jpg").replace(",", ",\n ")
    image = read(folder, folded)
    assert image is not None
    assert image.media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data:,hello", "not a usable data URI"),
        ("data:image/png,abc", "not a usable data URI"),
        ("data:image/png;base64", "not a usable data URI"),
        ("data:image/png;base64,@@@@", "damaged"),
        ("data:image/png;base64,iVBORw0KG", "damaged"),
        ("data:image/png;base64,é", "damaged"),
        ("data:image/png;base64,", "empty"),
        (uri(JPEG), "its content is image/jpeg"),
        (uri(b"GIF89a", "image/gif"), "GIF"),
        (uri(PNG.ljust(LARGEST_IMAGE + 1, b"\0")), "larger than 10 MB"),
        ("data:image/png;base64," + "A" * (LARGEST_IMAGE * 2 + 1), "larger than 10 MB"),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_no_image_as_a_data_uri(folder: Path, text: str, says: str) -> None:
    """Damaged, mislabelled and oversized images are found before anything is sent."""
    assert says in problem(folder, text)


def test_every_type_is_recognised_from_its_first_bytes() -> None:
    """Sixteen bytes suffice, fewer don't crash."""
    assert [media_type(c[:16]) for c in (PNG, JPEG, WEBP)] == [
        "image/png",
        "image/jpeg",
        "image/webp",
    ]
    for head in (b"R", b"\xff", b"\x89PNG"):
        with pytest.raises(CellError):
            media_type(head)
