import io

import pytest
from PIL import Image

from batchsora.picture_kinds import AVIF, HEAD, ISO_MEDIA, SUFFIXES, TAKEN, kind_of


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_what_pillow_writes_is_known_by_its_name(name: str) -> None:
    """The kind's name opens it again, and files of it have a suffix of the list."""
    if name == "AVIF" and "AVIF" not in Image.registered_extensions().values():
        Image.init()
    data = io.BytesIO()
    Image.new("RGB", (16, 16), "teal").save(data, name)
    kind = kind_of(data.getvalue()[:HEAD])
    assert kind is not None
    assert kind.name == name
    assert kind.converted
    assert kind.suffix in SUFFIXES
    assert (kind in TAKEN) == (name in ("JPEG", "PNG", "WEBP")) == (kind.media is not None)
    with Image.open(data, formats=[kind.name]) as found:
        assert found.size == (16, 16)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns", "SVG"),
        (b"\0\0\0\x18ftypavif", AVIF.name),
        (b"\0\0\0\x18ftypheic", ISO_MEDIA.name),
        (b"\0\0\0\x18ftypmp42", ISO_MEDIA.name),
        (b"\x89PNG\n\n", None),  # a download that changed its line ends
        (b"RIFF\0\0\0\0WAVE", None),
        (b"a text", None),
        (b"", None),
    ],
)
def test_what_is_not_taken_is_no_kind_that_is(head: bytes, name: str | None) -> None:
    kind = kind_of(head)
    assert kind not in TAKEN
    assert (None if kind is None else kind.name) == name
