"""Pictures of videos and images, made once: a telling frame by PyAV, thumbnails by Pillow.

Both libraries bring decoders, which work in a process apart (:mod:`batchsora.apart`). What can't be
decoded, or needs too much memory, has no picture; nobody waits for it twice.
"""

import asyncio
import base64
import hashlib
import io
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from batchsora.apart import ApartError, Bounds, ask
from jobs.model.files import made_folder, refuse_foreign_folder, refuse_link, replaced

log = logging.getLogger(__name__)

WIDTH: Final = 480  # pixels of a poster's longer side, at most
THUMB: Final = 160  # pixels of a thumbnail's longer side
MOST_PIXELS: Final = 40_000_000  # of an image or a frame; beyond it is not decoded
LONGEST_LOOK: Final = 60  # frames that are decoded in search of a telling one
DARK: Final = 12.0  # mean brightness, of 255, below which a frame tells nothing
TASK: Final = "batchsora.web.posters:prepare"
BOUNDS: Final = Bounds(seconds=30, memory=640 * 1024**2, answer=4 * 1024**2)
"""Of a picture: a frame of the most pixels takes 160 MB, and decoders keep several."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")

AT_ONCE: Final = 2
FAILED: Final = 500  # contents that have no picture and are remembered


class Pictures:
    """Makes pictures in threads, and keeps them in a folder by the hash of what they show."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._failed: dict[str, None] = {}

    async def poster(self, video: Path, sha256: str) -> Path | None:
        """Return a JPEG of a frame of a video; None when there is none."""
        return await self._made("posters", video, sha256)

    async def thumbnail(self, image: Path, sha256: str) -> Path | None:
        """Return a small JPEG of an image; None when its content is not that any more."""
        return await self._made("thumbs", image, sha256)

    async def _made(self, kind: str, shown: Path, sha256: str) -> Path | None:
        if not _HASH.fullmatch(sha256):  # a part of the path, and a sent database says it
            log.info("no picture of %s: its hash is not valid", ascii(shown.name))
            return None
        path = self._folder / kind / f"{sha256}.jpg"
        try:
            for folder in (self._folder, path.parent):
                refuse_link(folder, "move it away")
                refuse_foreign_folder(folder)
        except OSError as error:
            log.warning("no pictures: %s: %s", error.filename, error.strerror)
            return None
        if _is_made(path):
            return path
        name = f"{kind}/{sha256}"
        if name in self._failed:
            return None
        async with self._turns:
            if _is_made(path):  # made while we waited
                return path
            return await asyncio.to_thread(self._make, path, name, shown)

    def _make(self, path: Path, name: str, shown: Path) -> Path | None:
        # pydantic, which the process that makes the picture needs not
        from batchsora.apart.answers import nonsense, only  # noqa: PLC0415
        from batchsora.web.picture_answers import ANSWER, Nothing  # noqa: PLC0415

        try:
            given = {"kind": name.partition("/")[0], "file": str(shown.absolute())}
            said = only(ask(TASK, given | {"sha256": path.stem}, BOUNDS), ANSWER)
            if isinstance(said, Nothing):
                log.info("no picture of %s: %s", path.name, ascii(said.why))
            elif said.jpeg and not said.jpeg.startswith(b"\xff\xd8\xff"):
                raise nonsense()
            elif said.jpeg:
                made_folder(self._folder, path.parent.name)
                with replaced(path) as draft:
                    draft.write_bytes(said.jpeg)
                return path
        except (ApartError, OSError) as error:
            log.info("no picture of %s: %s", path.name, error)
        if len(self._failed) >= FAILED:
            self._failed.clear()
        self._failed[name] = None
        return None


def _is_made(path: Path) -> bool:
    """Return whether a picture is there; anything else of its name is replaced."""
    return path.is_file() and not path.is_symlink()


def prepare(given: Mapping[str, str]) -> Callable[[], Iterator[dict[str, str]]]:
    """Import what makes a picture, in the process apart; return what makes it.

    That yields a JPEG in base64, empty when there is none, or why there is none.
    """
    with suppress(ImportError):  # then there is none
        import PIL.Image  # noqa: PLC0415 - a library that may be missing

        PIL.Image.init()
        if given["kind"] == "posters":
            import av  # noqa: F401, PLC0415 - as below

    def work() -> Iterator[dict[str, str]]:
        target = io.BytesIO()
        try:
            if given["kind"] == "posters":
                image = _frame(Path(given["file"]))
            else:
                image = _small(Path(given["file"]), given["sha256"])
            if image is not None:
                image.save(target, "JPEG", quality=80)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - damaged files make decoders raise anything
            yield {"why": f"{type(error).__name__}: {error}"}
        else:
            yield {"jpeg": base64.b64encode(target.getvalue()).decode("ascii")}

    return work


def _frame(video: Path) -> Any:
    """Return the first frame that is not dark, from a tenth of the video on."""
    import av  # noqa: PLC0415 - 100 ms, and a library that may be missing

    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        if stream.width * stream.height > MOST_PIXELS:
            return None
        if container.duration:
            container.seek(int(container.duration * 0.1))
        found = None
        for number, frame in enumerate(container.decode(stream)):
            image: Any = frame.to_image()  # type: ignore[no-untyped-call]
            image.thumbnail((WIDTH, WIDTH))
            found = found or image
            if _brightness(image) > DARK:
                return image
            if number >= LONGEST_LOOK:
                break
        return found


def _brightness(image: Any) -> float:
    levels: bytes = image.convert("L").resize((8, 8)).tobytes()
    return sum(levels) / len(levels)


def _small(path: Path, sha256: str) -> Any:
    """Return a smaller image; None when its content has changed."""
    from PIL import Image  # noqa: PLC0415 - as above

    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            return None
        file.seek(0)
        with Image.open(file, formats=("JPEG", "PNG", "WEBP")) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.draft("RGB", (THUMB * 2, THUMB * 2))
            image.thumbnail((THUMB, THUMB))
            return image.convert("RGB")
