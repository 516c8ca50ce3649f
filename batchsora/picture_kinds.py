"""Kinds of pictures, by their first bytes, whatever their name."""

from typing import Final, NamedTuple

HEAD: Final = 16
"""Bytes at the beginning of a file that show its kind."""

OTHER_SUFFIX: Final = ".bin"


class PictureKind(NamedTuple):
    """A kind of picture.

    Attributes:
        name: Pillow's.
        called: with its article, in messages.
        suffix: of a file.
        media: its media type if the provider takes it; else None.
        converted: ``--fit-images`` can make a JPEG or PNG of it.
    """

    name: str
    called: str
    suffix: str = OTHER_SUFFIX
    media: str | None = None
    converted: bool = False


JPEG: Final = PictureKind("JPEG", "a JPEG", ".jpg", "image/jpeg", converted=True)
PNG: Final = PictureKind("PNG", "a PNG", ".png", "image/png", converted=True)
WEBP: Final = PictureKind("WEBP", "a WEBP", ".webp", "image/webp", converted=True)
GIF: Final = PictureKind("GIF", "a GIF", ".gif", converted=True)
BMP: Final = PictureKind("BMP", "a BMP", ".bmp", converted=True)
TIFF: Final = PictureKind("TIFF", "a TIFF", ".tif", converted=True)
AVIF: Final = PictureKind("AVIF", "a HEIC, AVIF or video", converted=True)
ISO_MEDIA: Final = PictureKind("ISO media", AVIF.called)
PDF: Final = PictureKind("PDF", "a PDF")
SVG: Final = PictureKind("SVG", "an SVG")

TAKEN: Final = tuple(kind for kind in (JPEG, PNG, WEBP) if kind.media is not None)
"""What the provider takes."""

_BY_START: Final = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF8", GIF),
    (b"BM", BMP),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"%PDF", PDF),
    (b"<svg", SVG),
    (b"<?xml", SVG),
)
_AVIF_BRANDS: Final = (b"avif", b"avis", b"mif1", b"msf1")

SUFFIXES: Final = tuple(dict.fromkeys(kind.suffix for kind in (*TAKEN, GIF, BMP, TIFF, AVIF)))
"""Of files that hold pictures of a known kind, and of all others."""


def kind_of(head: bytes) -> PictureKind | None:
    """Return a picture's kind by its first :data:`HEAD` bytes; None if it is unknown."""
    found = next((kind for start, kind in _BY_START if head.startswith(start)), None)
    if found is None and head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if found is None and head[4:8] == b"ftyp":
        return AVIF if head[8:12] in _AVIF_BRANDS else ISO_MEDIA
    return found
