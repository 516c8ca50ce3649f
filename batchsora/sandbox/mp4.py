"""A small, real H.264 MP4, made without an encoder: I_PCM pictures, then frames that skip all.

The bitstream follows ITU-T H.264 (baseline profile, CAVLC): each scene is one IDR picture whose
macroblocks carry their samples uncompressed (``I_PCM``), held by P pictures of one skip run. The
boxes follow ISO/IEC 14496-12 and -15. Players decode it as they decode any video; the bytes differ
with the generation they are made for.
"""

import hashlib
import struct
from functools import lru_cache

WIDTH, HEIGHT = 144, 256  # samples of the short and the long side; whole macroblocks of 16
SIDES = {"9:16": (WIDTH, HEIGHT), "16:9": (HEIGHT, WIDTH), "1:1": (WIDTH, WIDTH)}
UNSAID = 8  # seconds of a video here whose model leaves no choice of them
FRAMES_PER_SECOND = 8
SCENES = 5  # pictures that differ; each is held for its share of the time
MACROBLOCK = 16
TIMESCALE = 1000
_I_SLICE, _P_SLICE = 7, 5
_I_PCM = 25


def _u(value: int, width: int) -> str:
    """Return an unsigned number of a fixed width, in bits."""
    return format(value, f"0{width}b")


def _ue(value: int) -> str:
    """Return an unsigned Exp-Golomb code (H.264, 9.1); of 0 it is the signed one too."""
    code = format(value + 1, "b")
    return "0" * (len(code) - 1) + code


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


def _unit(header: int, bits: str) -> bytes:
    """Return a unit with its stop bit (H.264, 7.3.2.11)."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    return _nal(header, int(bits, 2).to_bytes(len(bits) // 8, "big"))


def _sps(width: int, height: int) -> bytes:
    """Return the sequence parameter set (H.264, 7.3.2.1.1)."""
    bits = _u(0x42C01E, 24)  # baseline, constraint sets 0 and 1, level 3.0
    bits += _ue(0) + _ue(4)  # its number; log2_max_frame_num - 4
    bits += _ue(2) + _ue(1) + "0"  # output in decoding order; one reference frame; no gaps
    bits += _ue(width // MACROBLOCK - 1) + _ue(height // MACROBLOCK - 1)
    return _unit(0x67, bits + "1100")  # frames only, direct_8x8_inference, no cropping, no VUI


_PPS = bytes.fromhex("68ce3c80")
"""The picture parameter set: number 0, CAVLC, one slice group, with deblocking filter control."""


def _slice_head(kind: int, frame_num: int, idr: int | None) -> str:
    """Return the head of a picture's only slice (H.264, 7.3.3)."""
    bits = _ue(0) + _ue(kind) + _ue(0) + _u(frame_num % 256, 8)  # begins at macroblock 0; PPS 0
    # an IDR picture drops no earlier ones; the others change neither references nor their marks
    bits += "000" if idr is None else _ue(idr) + "00"
    return bits + _ue(0) + _ue(1)  # slice_qp_delta; deblocking filter off


def _picture(width: int, height: int, colour: bytes, scene: int) -> bytes:
    """Make an IDR picture: a slanted gradient in the colours of its generation."""
    bits = _slice_head(_I_SLICE, 0, scene % 2)
    base, blue, red = colour[scene], colour[scene + 8], colour[scene + 16]
    for row in range(height // MACROBLOCK):
        for column in range(width // MACROBLOCK):
            bits += _ue(_I_PCM)
            bits += "0" * (-len(bits) % 8)
            steps = bytes(
                16 + (base + 5 * (row + column) + (3 * x + 2 * y) // 4) % 219
                for y in range(MACROBLOCK)
                for x in range(MACROBLOCK)
            )
            chroma = bytes([64 + (blue + 3 * row) % 128]) * 64
            samples = steps + chroma + bytes([64 + (red + 3 * column) % 128]) * 64
            bits += _u(int.from_bytes(samples, "big"), 8 * len(samples))
    return _unit(0x65, bits)


def _held(width: int, height: int, frame_num: int) -> bytes:
    """Make a P picture that skips every macroblock: the last picture stays."""
    bits = _slice_head(_P_SLICE, frame_num, None)
    return _unit(0x41, bits + _ue((width // MACROBLOCK) * (height // MACROBLOCK)))


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
    sps = _sps(width, height)
    avcc = _box(
        b"avcC",
        bytes([1, sps[1], sps[2], sps[3], 0xFF, 0xE1]),
        struct.pack(">H", len(sps)) + sps,
        bytes([1]) + struct.pack(">H", len(_PPS)) + _PPS,
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
def make_mp4(
    generation_id: str, orientation: str, duration: int | None, first: str = "ftyp"
) -> bytes:
    """Make the video of a generation: the id decides the colours, so that two files differ.

    The box in front is ``first``: ``ftyp``; ``free`` or ``wide`` before that; ``moov``: none.
    """
    duration = UNSAID if duration is None else duration
    width, height = SIDES.get(orientation, (HEIGHT, WIDTH))
    colour = hashlib.sha256(generation_id.encode()).digest()
    frames = duration * FRAMES_PER_SECOND
    starts = [frames * scene // SCENES for scene in range(SCENES)]
    samples: list[bytes] = []
    for frame in range(frames):
        if frame in starts:
            since = 0
            unit = _picture(width, height, colour, starts.index(frame))
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
