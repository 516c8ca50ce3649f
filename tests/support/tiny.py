"""The smallest pictures that reach their end: what their first bytes say, and an end."""

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xda\0\x02\xff\xd9"
WEBP = b"RIFF\x14\0\0\0WEBPVP8 \x08\0\0\0" + b"\0" * 8


def png(body: bytes) -> bytes:
    """Make a PNG of other bytes: they stand in a chunk of its own."""
    return PNG[:8] + len(body).to_bytes(4) + b"teXt" + body + b"\0\0\0\0" + PNG[8:]


def jpeg(body: bytes) -> bytes:
    """Make a JPEG of other bytes: they stand where the pixels are."""
    return JPEG[:6] + body + JPEG[6:]
