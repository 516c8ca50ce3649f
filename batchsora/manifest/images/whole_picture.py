"""Check whether a picture is complete, by its structure alone: nothing is decoded.

A broken-off download or copy begins as a picture does. Sent, it would be refused by the provider or
become half a first frame, and the row be paid for.
"""

from batchsora.manifest.errors import CellError

_SOS = 0xDA
_ALONE = (0x01, *range(0xD0, 0xD9))
"""Markers of a JPEG that have no length behind them."""


def check_whole(data: bytes, media: str) -> None:
    """Raise CellError if a picture of this media type is cut off, or damaged before its end."""
    whole = {"image/png": _png, "image/jpeg": _jpeg, "image/webp": _webp}[media]
    if not whole(data):
        raise CellError(
            f"the image is damaged: it ends after {len(data)} bytes",
            "Download or copy it again.",
        )


def _png(data: bytes) -> bool:
    place = 8
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4])
        if data[place + 4 : place + 8] == b"IEND":
            return end <= len(data)
        place = end
    return False


def _jpeg(data: bytes) -> bool:
    """Follow the segments to the pixels, which must be followed by an end.

    A thumbnail in a segment has an end of its own; what cameras write after the last one is
    ignored.
    """
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:  # noqa: PLR2004 - begins each marker
        marker = data[place + 1]
        if marker == 0xFF:  # noqa: PLR2004 - fills
            place += 1
        elif marker in _ALONE:
            place += 2
        elif marker == _SOS:
            return data.find(b"\xff\xd9", place + 4) >= 0
        else:
            place += 2 + max(2, int.from_bytes(data[place + 2 : place + 4]))
    return False


def _webp(data: bytes) -> bool:
    return 12 < int.from_bytes(data[4:8], "little") + 8 <= len(data)  # noqa: PLR2004 - the head
