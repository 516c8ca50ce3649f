import hashlib
import io
import struct
from collections.abc import Iterator

import av
import pytest
from av.video.frame import VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from batchsora.sandbox.mp4 import FRAMES_PER_SECOND, MACROBLOCK, SCENES, _nal, make_mp4

ID = "6f1c0f5e-8d0b-4d35-9c3b-0c5f5d2b7a11"
OTHER_ID = "0d9a1f0c-55aa-4c6e-8a57-3f2f1f0e9b22"


def _frames(content: bytes) -> Iterator[VideoFrame]:
    with av.open(io.BytesIO(content), "r") as container:
        yield from container.decode(video=0)


def _rgb(frame: VideoFrame) -> bytes:
    return bytes(frame.reformat(format="rgb24").planes[0])


def _luma(frame: VideoFrame) -> list[bytes]:
    """Give the rows of the luma plane, without their padding."""
    plane = frame.planes[0]
    content = bytes(plane)
    starts = range(0, plane.line_size * frame.height, plane.line_size)
    return [content[start : start + frame.width] for start in starts]


@pytest.mark.parametrize(
    ("orientation", "duration", "size"),
    [("9:16", 10, (144, 256)), ("16:9", 15, (256, 144)), ("1:1", 5, (144, 144))],
)
def test_a_player_finds_the_video_that_was_ordered(
    orientation: str, duration: int, size: tuple[int, int]
) -> None:
    """Codec, size, length and number of frames are those of the order."""
    with av.open(io.BytesIO(make_mp4(ID, orientation, duration)), "r") as container:
        (stream,) = container.streams
        (video,) = container.streams.video
        assert stream is video
        assert video.codec_context.name == "h264"
        assert (video.codec_context.width, video.codec_context.height) == size
        assert container.duration == duration * av.time_base
        times = [frame.time for frame in container.decode(video)]
    assert times == [number / FRAMES_PER_SECOND for number in range(duration * FRAMES_PER_SECOND)]


def test_each_scene_is_one_picture_held_for_its_share() -> None:
    """The held frames show exactly the last picture, and every scene shows another."""
    shown = [hashlib.sha256(_rgb(frame)).digest() for frame in _frames(make_mp4(ID, "9:16", 10))]
    share = 10 * FRAMES_PER_SECOND // SCENES
    scenes = [shown[start : start + share] for start in range(0, len(shown), share)]
    assert [len(set(scene)) for scene in scenes] == [1] * SCENES
    assert len({scene[0] for scene in scenes}) == SCENES


def test_every_sample_decodes_to_what_was_written() -> None:
    """The decoder shows the gradient itself, so that no macroblock was lost or concealed."""
    colour = hashlib.sha256(ID.encode()).digest()
    pictures = list(_frames(make_mp4(ID, "16:9", 10)))[:: 10 * FRAMES_PER_SECOND // SCENES]
    for scene, frame in enumerate(pictures):
        assert frame.format.name == "yuv420p"
        for y, line in enumerate(_luma(frame)):
            row, down = divmod(y, MACROBLOCK)
            assert line == bytes(
                16 + (colour[scene] + 5 * (row + x // 16) + (3 * (x % 16) + 2 * down) // 4) % 219
                for x in range(frame.width)
            )


def test_two_generations_have_two_videos() -> None:
    """Bytes and colours tell generations apart, so that a mix-up of files can't hide."""
    one, other = (make_mp4(name, "9:16", 10) for name in (ID, OTHER_ID))
    assert one != other
    for mine, theirs in zip(_frames(one), _frames(other), strict=True):
        assert _rgb(mine) != _rgb(theirs)


def test_a_generation_has_the_same_video_for_ever() -> None:
    """A download can be resumed after a restart of the sandbox: the bytes have not changed."""
    kept = make_mp4(ID, "9:16", 10)
    make_mp4.cache_clear()
    assert make_mp4(ID, "9:16", 10) == kept


def test_the_boxes_fill_the_file_with_the_index_in_front() -> None:
    """A browser can start to play before the end has come: moov stands before mdat."""
    content = make_mp4(ID, "9:16", 10)
    names, at = [], 0
    while at < len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        names.append(name)
        at += size
    assert names == [b"ftyp", b"moov", b"mdat"]
    assert at == len(content)


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 255])).map(bytes))
def test_no_start_code_appears_inside_a_unit(payload: bytes) -> None:
    """What a scanner could take for a start code is escaped, and a decoder gets it all back."""
    unit = _nal(0x65, payload)
    assert unit[0] == 0x65
    assert not any(bytes([0, 0, code]) in unit for code in (0, 1, 2))
    assert _unescaped(unit[1:]) == payload


def _unescaped(unit: bytes) -> bytes:
    """Undo emulation prevention as a decoder does (H.264, 7.3.1)."""
    out, zeros = bytearray(), 0
    for byte in unit:
        if zeros == 2 and byte == 3:
            zeros = 0
            continue
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def test_a_decoder_has_nothing_to_complain_of() -> None:
    """No warning comes from the demuxer or the decoder, which would repair damage silently."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture(local=False) as complaints:
            count = sum(1 for _ in _frames(make_mp4(ID, "9:16", 15)))
    finally:
        av.logging.set_level(level)
    assert complaints == []
    assert count == 15 * FRAMES_PER_SECOND
