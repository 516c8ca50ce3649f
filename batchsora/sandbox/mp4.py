"""A small, real H.264 MP4, made without an encoder: I_PCM pictures, then frames that skip all.

The bitstream follows ITU-T H.264 (baseline profile, CAVLC): each scene is one IDR picture whose
macroblocks carry their samples uncompressed (``I_PCM``), held by P pictures of one skip run. The
boxes follow ISO/IEC 14496-12 and -15. Players decode it as they decode any video; the bytes differ
with the generation they are made for.
"""

import hashlib
import struct
from functools import lru_cache

WIDTH, HEIGHT = 144, 256
"""Samples of the short and the long side; whole macroblocks of 16."""

FRAMES_PER_SECOND = 8
SCENES = 5
"""Pictures that differ; each is held for its share of the time."""

MACROBLOCK = 16
TIMESCALE = 1000
_I_SLICE, _P_SLICE = 7, 5
_I_PCM = 25


class _Bits:
    """Writes bits, Exp-Golomb codes and aligned bytes."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def u(self, value: int, width: int) -> None:
        """Write an unsigned number of a fixed width."""
        self._bits.append(format(value, f"0{width}b"))

    def ue(self, value: int) -> None:
        """Write an unsigned Exp-Golomb code (H.264, 9.1)."""
        code = format(value + 1, "b")
        self._bits.append("0" * (len(code) - 1) + code)

    def se(self, value: int) -> None:
        """Write a signed Exp-Golomb code (H.264, 9.1.1)."""
        self.ue(2 * value - 1 if value > 0 else -2 * value)

    def align(self) -> None:
        """Fill the byte with zero bits."""
        length = sum(map(len, self._bits))
        self._bits.append("0" * (-length % 8))

    def raw(self, data: bytes) -> None:
        """Write whole bytes, at a byte's border."""
        self._bits.append("".join(format(byte, "08b") for byte in data))

    def finish(self) -> bytes:
        """Close the payload with its stop bit (H.264, 7.3.2.11)."""
        self._bits.append("1")
        self.align()
        text = "".join(self._bits)
        return int(text, 2).to_bytes(len(text) // 8, "big")


def _nal(header: int, payload: bytes) -> bytes:
    """Wrap a payload, keeping start codes from appearing inside (H.264, 7.4.1)."""
    out = bytearray([header])
    zeros = 0
    for byte in payload:
        if zeros == 2 and byte <= 3:  # noqa: PLR2004 - the standard's emulation prevention
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _sps(width: int, height: int) -> bytes:
    bits = _Bits()
    bits.u(66, 8)  # baseline
    bits.u(0b11000000, 8)  # constraint sets 0 and 1
    bits.u(30, 8)  # level 3.0
    bits.ue(0)  # seq_parameter_set_id
    bits.ue(4)  # log2_max_frame_num - 4
    bits.ue(2)  # pic_order_cnt_type: output order is decoding order
    bits.ue(1)  # max_num_ref_frames
    bits.u(0, 1)  # no gaps in frame_num
    bits.ue(width // MACROBLOCK - 1)
    bits.ue(height // MACROBLOCK - 1)
    bits.u(1, 1)  # frames only
    bits.u(1, 1)  # direct_8x8_inference
    bits.u(0, 1)  # no cropping
    bits.u(0, 1)  # no VUI
    return _nal(0x67, bits.finish())


def _pps() -> bytes:
    bits = _Bits()
    bits.ue(0)  # pic_parameter_set_id
    bits.ue(0)  # seq_parameter_set_id
    bits.u(0, 1)  # CAVLC
    bits.u(0, 1)
    bits.ue(0)  # one slice group
    bits.ue(0)
    bits.ue(0)
    bits.u(0, 1)  # no weighted prediction
    bits.u(0, 2)
    bits.se(0)  # pic_init_qp - 26
    bits.se(0)
    bits.se(0)
    bits.u(1, 1)  # deblocking_filter_control_present
    bits.u(0, 1)
    bits.u(0, 1)
    return _nal(0x68, bits.finish())


def _slice_head(bits: _Bits, kind: int, frame_num: int, idr: int | None) -> None:
    bits.ue(0)  # first macroblock
    bits.ue(kind)
    bits.ue(0)  # pic_parameter_set_id
    bits.u(frame_num % 256, 8)
    if idr is not None:
        bits.ue(idr)
    else:
        bits.u(0, 1)  # num_ref_idx_active_override
        bits.u(0, 1)  # ref_pic_list_modification
    if idr is not None:
        bits.u(0, 2)  # no_output_of_prior_pics, long_term_reference
    else:
        bits.u(0, 1)  # adaptive_ref_pic_marking
    bits.se(0)  # slice_qp_delta
    bits.ue(1)  # deblocking filter off


def _picture(width: int, height: int, colour: bytes, scene: int) -> bytes:
    """Make an IDR picture: a slanted gradient in the colours of its generation."""
    bits = _Bits()
    _slice_head(bits, _I_SLICE, 0, scene % 2)
    across, down = width // MACROBLOCK, height // MACROBLOCK
    base, blue, red = colour[scene], colour[scene + 8], colour[scene + 16]
    for row in range(down):
        for column in range(across):
            bits.ue(_I_PCM)
            bits.align()
            steps = bytes(
                16 + (base + 5 * (row + column) + (3 * x + 2 * y) // 4) % 219
                for y in range(MACROBLOCK)
                for x in range(MACROBLOCK)
            )
            chroma = bytes([64 + (blue + 3 * row) % 128]) * 64
            bits.raw(steps + chroma + bytes([64 + (red + 3 * column) % 128]) * 64)
    return _nal(0x65, bits.finish())


def _held(width: int, height: int, frame_num: int) -> bytes:
    """Make a P picture in which every macroblock is skipped: the last picture stands."""
    bits = _Bits()
    _slice_head(bits, _P_SLICE, frame_num, None)
    bits.ue((width // MACROBLOCK) * (height // MACROBLOCK))
    return _nal(0x41, bits.finish())


def _box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", len(content) + 8) + name + content


def _full(name: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)


_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _movie(
    width: int, height: int, sizes: list[int], keys: list[int], offset: int, duration: int
) -> bytes:
    length = duration * TIMESCALE
    sps, pps = _sps(width, height), _pps()
    avcc = _box(
        b"avcC",
        bytes([1, sps[1], sps[2], sps[3], 0xFF, 0xE1]),
        struct.pack(">H", len(sps)) + sps,
        bytes([1]) + struct.pack(">H", len(pps)) + pps,
    )
    avc1 = _box(
        b"avc1",
        bytes(6) + struct.pack(">H", 1) + bytes(16),
        struct.pack(">HHIIIH", width, height, 0x480000, 0x480000, 0, 1),
        bytes(32) + struct.pack(">Hh", 24, -1),
        avcc,
    )
    count = len(sizes)
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), avc1),
        _full(b"stts", struct.pack(">III", 1, count, TIMESCALE // FRAMES_PER_SECOND)),
        _full(b"stss", struct.pack(f">I{len(keys)}I", len(keys), *keys)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
        _full(b"stsz", struct.pack(f">II{count}I", 0, count, *sizes)),
        _full(b"stco", struct.pack(">II", 1, offset)),
    )
    media = _box(
        b"mdia",
        _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, TIMESCALE, length, 0x55C4, 0)),
        _full(b"hdlr", struct.pack(">I4s12x", 0, b"vide") + b"video\0"),
        _box(
            b"minf",
            _full(b"vmhd", bytes(8), flags=1),
            _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1))),
            table,
        ),
    )
    track = _full(
        b"tkhd",
        struct.pack(">IIIII", 0, 0, 1, 0, length) + bytes(16) + _MATRIX,
        struct.pack(">II", width << 16, height << 16),
        flags=3,
    )
    movie = _full(
        b"mvhd",
        struct.pack(">IIIIIH", 0, 0, TIMESCALE, length, 0x10000, 0x100) + bytes(10) + _MATRIX,
        bytes(24) + struct.pack(">I", 2),
    )
    return _box(b"moov", movie, _box(b"trak", track, media))


@lru_cache(maxsize=64)
def make_mp4(generation_id: str, orientation: str, duration: int, first: str = "ftyp") -> bytes:
    """Make the video of a generation.

    Args:
        generation_id: decides the colours, so that files of two generations differ.
        orientation: ``"9:16"`` or ``"16:9"``.
        duration: in seconds.
        first: the box in front: ``ftyp``; ``free`` or ``wide`` before that; ``moov``: none.
    """
    upright = orientation == "9:16"
    width, height = (WIDTH, HEIGHT) if upright else (HEIGHT, WIDTH)
    colour = hashlib.sha256(generation_id.encode()).digest()
    frames = duration * FRAMES_PER_SECOND
    starts = [frames * scene // SCENES for scene in range(SCENES)]
    samples: list[bytes] = []
    for frame in range(frames):
        if frame in starts:
            scene, since = starts.index(frame), 0
            unit = _picture(width, height, colour, scene)
        else:
            since += 1
            unit = _held(width, height, since)
        samples.append(struct.pack(">I", len(unit)) + unit)
    sizes = [len(sample) for sample in samples]
    keys = [start + 1 for start in starts]
    kind = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    if first != "ftyp":
        kind = b"" if first == "moov" else _box(first.encode()) + kind
    head = len(kind) + len(_movie(width, height, sizes, keys, 0, duration)) + 8
    movie = _movie(width, height, sizes, keys, head, duration)
    return kind + movie + _box(b"mdat", *samples)
