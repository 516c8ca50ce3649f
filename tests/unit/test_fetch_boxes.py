"""The first box of a video, and the boxes that show where it ends."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.fetch.part import BOX_HEAD, FIRST, begins_video, first_box_fits, whole_video
from batchsora.sandbox.mp4 import make_mp4


def box(name: bytes, content: bytes = b"", *, long: bool = False) -> bytes:
    """Write a box, with its length in either form."""
    if long:
        return b"\0\0\0\1" + name + (16 + len(content)).to_bytes(8) + content
    return (8 + len(content)).to_bytes(4) + name + content


def whole(content: bytes) -> bool:
    return whole_video(lambda count, at: content[at : at + count], len(content))


def head(length: int, name: bytes, longer: int = 0) -> bytes:
    return length.to_bytes(4) + name + longer.to_bytes(8)


TABLE = [
    (head(24, b"ftyp"), True),
    (head(15, b"ftyp"), False),
    (head(65_536, b"ftyp"), True),
    (head(65_537, b"ftyp"), False),
    (head(8, b"wide"), True),
    (head(8, b"free"), True),
    (head(8, b"skip"), True),
    (head(7, b"free"), False),
    (head(24, b"styp"), True),
    (head(12, b"pdin"), True),
    (head(900_000, b"moov"), True),
    (head(8, b"moov"), False),
    (head(2**31 - 1, b"mdat"), True),
    (head(2**31 + 1, b"mdat"), False),
    (head(0, b"mdat"), True),
    (head(0, b"ftyp"), False),
    (head(0, b"moov"), False),
    (head(1, b"mdat", 10**6), True),
    (head(1, b"mdat", 15), False),
    (head(1, b"mdat", 2**63), False),
    (head(24, b"FTYP"), False),
    (head(24, b"uuid"), False),
    (b"<!doctype html><title>", False),
    (b"<?xml version='1.0'?><Error>", False),
    (b'{"detail":"ftyp moov mdat"}', False),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", False),
    (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1f", False),
    (bytes(16), False),
]


@pytest.mark.parametrize(("begin", "video"), TABLE)
def test_what_a_video_begins_with(begin: bytes, *, video: bool) -> None:
    """Eight names, each with a length that such a box can have."""
    assert begins_video(begin[:BOX_HEAD]) is video


@given(st.sampled_from(sorted(FIRST)), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_lengths_are_read_in_both_forms(name: bytes, length: int, longer: int) -> None:
    """Whatever length a first box has is accepted within its bounds, and not beyond them."""
    least, most = FIRST[name]
    said, form = (longer, 16) if length == 1 else (length, 8)
    expected = max(least, form) <= said <= most or (length == 0 and name == b"mdat")
    assert begins_video(head(length, name, longer)) is expected


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=16, max_size=2000))
def test_text_is_never_a_video(text: str) -> None:
    """Even where the name of a box stands in the right place: its length is far beyond the end."""
    content = text.encode()
    named = content[:4] + b"moov" + content[8:]
    for found in (content, named):
        assert not (begins_video(found[:BOX_HEAD]) and first_box_fits(found, len(found)))
        assert not whole(found)


NAMES = st.sampled_from([b"free", b"moof", b"mdat", b"moov", b"uuid", b"\0\0\0\0"])
BOXES = st.lists(st.builds(box, NAMES, st.binary(max_size=40), long=st.booleans()), max_size=8)


@given(BOXES, BOXES, st.data())
def test_a_video_is_whole_at_the_end_of_its_boxes(
    before: list[bytes], after: list[bytes], data: st.DataObject
) -> None:
    """Cut anywhere else it is not; at the end of a box it is, once nothing needed is missing."""
    boxes = [*before, box(b"moov", b"index"), box(b"mdat", b"pictures"), *after]
    content = b"".join(boxes)
    assert whole(content)
    cut = data.draw(st.integers(0, len(content)))
    ends = {sum(map(len, boxes[:count])): boxes[:count] for count in range(len(boxes) + 1)}
    names = {found[4:8] for found in ends.get(cut, ())}
    assert whole(content[:cut]) is ({b"moov", b"mdat"} <= names)


@pytest.mark.parametrize("first", ["ftyp", "free", "wide", "moov"])
def test_the_sandbox_makes_whole_videos(first: str) -> None:
    """They begin as videos begin, and a cut one is seen."""
    content = make_mp4("gen-1", "9:16", 10, first)
    assert begins_video(content[:BOX_HEAD])
    assert first_box_fits(content, len(content))
    assert whole(content)
    for short, _ in pairwise(range(0, len(content), 997)):
        assert not whole(content[:short])


def test_a_last_box_without_a_length_proves_nothing() -> None:
    """It could end anywhere; neither do very many boxes."""
    assert not whole(box(b"moov", b"index") + b"\0\0\0\0mdat" + b"pictures")
    assert not whole(box(b"moov") + box(b"free") * 100_000 + box(b"mdat"))
