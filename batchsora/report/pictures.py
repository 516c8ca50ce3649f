"""Posters as parts of a file: small, and where none can be made, none."""

import asyncio
import base64
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from batchsora.web.posters import Pictures

SIDE: Final = 260
"""Pixels of a picture's longer side: sharp at half of that on paper and on dense screens."""


def data_uris(
    videos: Sequence[Any], folder: Path, through: Callable[[Iterable[Any]], Iterable[Any]]
) -> dict[int, str]:
    """Make pictures of videos.

    Args:
        videos: jobs with their files.
        folder: where the page keeps its posters; they are shared.
        through: shows how many are done, when it takes long.

    Returns:
        Data URIs by attempt; without those of which no picture can be made.
    """
    pictures = Pictures(folder)
    found: dict[int, str] = {}
    with asyncio.Runner() as runner:
        for video in through(videos):
            poster = runner.run(pictures.poster(Path(video.file), video.sha256))
            if poster is not None:
                found[video.attempt_id] = _small(poster)
    return found


def _small(poster: Path) -> str:
    from PIL import Image  # noqa: PLC0415 - a library that may be missing

    content = io.BytesIO()
    with Image.open(poster, formats=("JPEG",)) as image:
        image.thumbnail((SIDE, SIDE))
        image.save(content, "JPEG", quality=72)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")
