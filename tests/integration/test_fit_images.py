"""Pictures that the provider does not take, made fit: real files, read again as they are sent."""

import asyncio
import base64
import hashlib
import io
import json
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, features

from batchsora.manifest.errors import CellError
from batchsora.manifest.images import fitting
from batchsora.manifest.images.fitting import Fitter
from batchsora.manifest.images.row_images import LARGEST_IMAGE, Images
from batchsora.providers.runblob.body import FieldImage, with_images
from batchsora.providers.runblob.catalog import SORA
from jobs.model.provider import ImageRef

RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 200, 30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a manifest's folder."""
    (tmp_path / "m").mkdir()
    return tmp_path / "m"


def images(folder: Path) -> Images:
    return Images(folder, allow_outside=False, fitter=Fitter(folder.parent / "db.images"))


def fit(folder: Path, name: str) -> tuple[ImageRef, str]:
    """Read a picture with fitting: what the row gets, and what the person is told."""
    pictures = images(folder)
    image = pictures.read(name)
    assert image is not None
    return image, " ".join(pictures.notes)


def problem(folder: Path, name: str) -> CellError:
    with pytest.raises(CellError) as caught:
        images(folder).read(name)
    return caught.value


def shown(image: ImageRef) -> Image.Image:
    assert image.path is not None
    found = Image.open(image.path)
    found.load()
    return found


def near(one: object, other: tuple[int, ...]) -> bool:
    assert isinstance(one, tuple)
    return all(abs(a - b) < 12 for a, b in zip(one, other, strict=True))


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Make a picture that nothing makes small."""
    return Image.frombytes(
        mode, (width, height), random.Random(1).randbytes(width * height * len(mode))
    )


async def written(image: ImageRef) -> bytes:
    async with with_images({"prompt": "A fox"}, [FieldImage(SORA.images["start"], image)]) as body:
        return b"".join(body.pieces())


@pytest.mark.parametrize("name", ["a.gif", "a.bmp", "a.tif", "a.avif"])
def test_other_formats_become_jpegs(folder: Path, name: str) -> None:
    """What is sent is the fitted file; the row keeps its words, the original its bytes."""
    if name == "a.avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    Image.new("RGB", (40, 30), RED).save(folder / name)
    before = (folder / name).read_bytes()
    image, note = fit(folder, name)
    assert image.source == name
    assert image.path is not None
    data = Path(image.path).read_bytes()
    assert Path(image.path) == folder.parent / "db.images" / (
        hashlib.sha256(before).hexdigest() + ".jpg"
    )
    assert (image.sha256, image.size, image.media_type) == (
        hashlib.sha256(data).hexdigest(),
        len(data),
        "image/jpeg",
    )
    assert near(shown(image).getpixel((20, 15)), RED)
    assert note == f"{name}: made a JPEG, 1 KB"
    assert (folder / name).read_bytes() == before
    body = asyncio.run(written(image))
    sent = json.loads(body)["image_base64"]
    assert base64.b64decode(sent.removeprefix("data:image/jpeg;base64,")) == data


def test_the_first_frame_of_many(folder: Path) -> None:
    """A film gives its first frame, a document its first page."""
    first, second = Image.new("RGB", (20, 20), RED), Image.new("RGB", (20, 20), BLUE)
    for name, says in (("a.gif", "frame"), ("b.tif", "page")):
        first.save(folder / name, save_all=True, append_images=[second])
        image, note = fit(folder, name)
        assert near(shown(image).getpixel((5, 5)), RED)
        assert note == f"{name}: made a JPEG of its first {says}, 1 KB"


def test_acceptable_pictures_are_left_alone(folder: Path) -> None:
    """Nothing is written, decoded or said."""
    for name in ("a.jpg", "b.png", "c.webp"):
        Image.new("RGB", (9, 9), RED).save(folder / name)
        assert fit(folder, name) == (Images(folder, allow_outside=False).read(name), "")
    (folder / "limit.png").write_bytes((folder / "b.png").read_bytes().ljust(LARGEST_IMAGE, b"\0"))
    assert fit(folder, "limit.png")[0].path == str(folder / "limit.png")
    assert not (folder.parent / "db.images").exists()


def test_transparency_stays_where_it_fits(folder: Path) -> None:
    """A PNG; a picture that could be transparent and is not is a JPEG."""
    picture = Image.new("RGBA", (20, 20), (*RED, 128))
    picture.save(folder / "a.tif")
    image, note = fit(folder, "a.tif")
    assert image.media_type == "image/png"
    assert shown(image).getpixel((3, 3)) == (*RED, 128)
    assert note == "a.tif: made a PNG, 1 KB"
    picture.putalpha(255)
    picture.save(folder / "b.tif")
    assert fit(folder, "b.tif")[0].media_type == "image/jpeg"
    palette = Image.new("P", (20, 20), 1)
    palette.putpalette([0, 0, 0, *RED])
    palette.putpixel((0, 0), 0)
    palette.save(folder / "c.gif", transparency=0)
    image, _ = fit(folder, "c.gif")
    assert image.media_type == "image/png"
    assert shown(image).getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_a_large_picture_loses_quality_first_then_size(folder: Path) -> None:
    """It ends below the limit, and the person is told what it cost."""
    noise(3600, 3600).save(folder / "a.bmp")
    image, note = fit(folder, "a.bmp")
    assert image.size is not None
    assert image.size <= LARGEST_IMAGE
    assert shown(image).size == (3600, 3600)
    assert ", at quality " in note
    large = noise(5000, 4000, "L").convert("RGB")
    large.save(folder / "b.png", compress_level=0)
    assert (folder / "b.png").stat().st_size > LARGEST_IMAGE
    image, note = fit(folder, "b.png")
    assert image.size is not None
    assert image.size <= LARGEST_IMAGE
    width, height = shown(image).size
    assert width / height == pytest.approx(1.25, abs=0.01)
    assert f"b.png: made a JPEG, shrunk from 5000 x 4000 to {width} x {height}, " in note


def test_too_large_and_transparent(folder: Path) -> None:
    """Where a PNG does not fit, transparent parts are white."""
    picture = noise(1900, 1900)
    picture.putalpha(0)
    picture.paste((*RED, 255), (0, 0, 100, 100))
    picture.save(folder / "a.png")
    image, note = fit(folder, "a.png")
    assert image.media_type == "image/jpeg"
    assert "transparent parts are white" in note
    assert near(shown(image).getpixel((50, 50)), RED)
    assert near(shown(image).getpixel((1500, 1500)), (255, 255, 255))


def test_a_picture_wider_than_a_jpeg_can_be(folder: Path) -> None:
    """It is shrunk, whatever its size in bytes."""
    Image.new("RGB", (70_000, 3), RED).save(folder / "a.bmp")
    image, note = fit(folder, "a.bmp")
    assert max(shown(image).size) <= 65_500
    assert "shrunk from 70000 x 3" in note


def test_upright_in_srgb_and_without_metadata(folder: Path) -> None:
    """Orientation and profile are applied; place, camera and comments stay at home."""
    picture = Image.new("RGB", (60, 40), RED)
    picture.paste(BLUE, (0, 0, 60, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    picture.save(folder / "a.tif", exif=exif, description="SecretPlace")
    image, _ = fit(folder, "a.tif")
    found = shown(image)
    assert found.size == (40, 60)
    assert near(found.getpixel((35, 30)), BLUE)
    assert near(found.getpixel((5, 30)), RED)
    assert image.path is not None
    assert b"Secret" not in Path(image.path).read_bytes()
    assert not found.getexif()

    padded = io.BytesIO()
    picture.save(padded, "JPEG", exif=exif, comment=b"SecretComment")
    (folder / "b.jpg").write_bytes(padded.getvalue().ljust(LARGEST_IMAGE + 1, b"\0"))
    image, _ = fit(folder, "b.jpg")
    found = shown(image)
    assert found.size == (40, 60)
    assert "comment" not in found.info
    assert "exif" not in found.info


def test_a_colour_profile_is_applied(folder: Path) -> None:
    """The same colours as numbers of sRGB; a damaged profile is overlooked."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    picture = Image.new("LAB", (20, 20), (137, 208 - 128, 195 - 128))
    srgb = ImageCms.profileToProfile(
        picture, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert srgb is not None
    picture.save(folder / "a.tif", icc_profile=lab)
    want = srgb.getpixel((5, 5))
    image, _ = fit(folder, "a.tif")
    assert isinstance(want, tuple)
    assert near(shown(image).getpixel((5, 5)), want)
    assert "icc_profile" not in shown(image).info
    Image.new("RGB", (20, 20), GREEN).save(folder / "b.tif", icc_profile=b"no profile")
    assert near(shown(fit(folder, "b.tif")[0]).getpixel((5, 5)), GREEN)


def test_unusual_pixels(folder: Path) -> None:
    """Sixteen bits are brought to eight, print colours to RGB; measurements are refused."""
    grey = Image.new("I;16", (20, 20), 0x8000)
    grey.save(folder / "a.tif")
    assert near(shown(fit(folder, "a.tif")[0]).getpixel((5, 5)), (128, 128, 128))
    Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(folder / "b.tif")
    red, green, _ = shown(fit(folder, "b.tif")[0]).getpixel((5, 5))  # type: ignore[misc]
    assert red > 200
    assert green < 60
    Image.new("F", (20, 20), 0.5).save(folder / "c.tif")
    assert "unsupported kind of colours" in problem(folder, "c.tif").problem


def test_a_second_load_sends_the_same_bytes(folder: Path) -> None:
    """What was made is used again, as it is; what can't be sent any more is made anew."""
    Image.new("RGB", (20, 20), RED).save(folder / "a.gif")
    first, _ = fit(folder, "a.gif")
    assert first.path is not None
    again, note = fit(folder, "a.gif")
    assert again == first
    assert note == "a.gif: a JPEG made from it earlier is used, 1 KB"
    fitted = Path(first.path)
    for spoil in (lambda: fitted.write_bytes(b"spoilt"), lambda: fitted.symlink_to(folder)):
        fitted.unlink()
        spoil()
        anew, note = fit(folder, "a.gif")
        assert anew == first
        assert "made a JPEG" in note
    assert [path.name for path in fitted.parent.iterdir()] == [fitted.name]


@pytest.mark.posix  # a name with a control character
def test_every_picture_is_fitted_once_a_load(folder: Path) -> None:
    """A thousand rows with one picture convert it once, and say so once; so do failures."""
    Image.new("RGB", (20, 20), RED).save(folder / "a.gif")
    (folder / "bad\x1b.gif").write_bytes(b"GIF89a")
    pictures = images(folder)
    found = {str(pictures.read(name)) for name in ("a.gif", "a.gif", "./a.gif")}
    assert len(found) == 2
    assert len(pictures.notes) == 1
    (folder / "a.gif").rename(folder / "b\x1b.gif")
    pictures.read("b\x1b.gif")
    assert pictures.notes[1].startswith("b?.gif: ")


def test_two_processes_at_once(folder: Path) -> None:
    """Both end with the same file, and leave nothing else."""
    noise(1200, 900).save(folder / "a.bmp")
    code = (
        "import sys; from pathlib import Path; "
        "from batchsora.manifest.images.fitting import Fitter; "
        "sys.stdin.read(1); path = Fitter(Path(sys.argv[2])).fit(Path(sys.argv[1]))[0]; "
        "import hashlib; print(hashlib.sha256(path.read_bytes()).hexdigest())"
    )
    target = folder.parent / "both"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, folder / "a.bmp", target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("x")
        run.stdin.flush()
    hashes = {run.communicate(timeout=100)[0] for run in runs}
    assert all(run.returncode == 0 for run in runs)
    assert len(hashes) == 1
    assert len(list(target.iterdir())) == 1


def png(width: int, height: int, body: bytes = b"") -> bytes:
    """Write a PNG by hand, which may claim any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_001, 40_000])
def test_bombs_are_not_decoded(folder: Path, side: int) -> None:
    """What claims more than a hundred million pixels is refused by its header."""
    (folder / "a.png").write_bytes(png(side, side, zlib.compress(b"")).ljust(LARGEST_IMAGE + 1))
    assert problem(folder, "a.png").problem == "the image has more than 100 million pixels"
    gif = b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0)
    (folder / "b.gif").write_bytes(gif + b",\0\0\0\0\xff\xff\xff\xff\0\2\0;")
    assert "100 million" in problem(folder, "b.gif").problem


def test_damaged_pictures(folder: Path) -> None:
    """Cut off anywhere, or something else by its content: a fault of the row, with a remedy."""
    noise(60, 60).save(folder / "whole.tif", compression="tiff_lzw")
    noise(60, 60).convert("P").save(folder / "whole.gif")
    noise(60, 60).save(folder / "whole.bmp")
    for name in ("whole.tif", "whole.gif", "whole.bmp"):
        data = (folder / name).read_bytes()
        for size in (4, 20, len(data) // 2):
            (folder / "cut.bin").write_bytes(data[:size])
            error = problem(folder, "cut.bin")
            assert "damaged" in error.problem
            assert "picture program" in error.remedy
    chance = random.Random(2)
    data = (folder / "whole.tif").read_bytes()
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(8):
            broken[chance.randrange(4, len(broken))] = chance.randrange(256)
        (folder / "broken.tif").write_bytes(broken)
        try:
            found = images(folder).read("broken.tif")
        except CellError:
            continue
        assert found is not None
        assert found.media_type in {"image/jpeg", "image/png"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"hello", "not a JPEG, PNG or WEBP"),
        (b"%PDF-1.7", "a PDF"),
        (b"\0\0\0\x20ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", "video"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0", "damaged, or a kind of AVIF"),
        (b"%!PS-Adobe", "not a JPEG, PNG or WEBP"),
    ],
)
def test_what_is_no_picture_stays_an_error(folder: Path, content: bytes, says: str) -> None:
    """Only what was meant is opened by Pillow at all."""
    (folder / "a.gif").write_bytes(content)
    assert says in problem(folder, "a.gif").problem


def test_limits_before_anything_is_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file too large to read, and a JPEG of endless passes."""
    with (folder / "a.bmp").open("wb") as file:
        file.write(b"BM")
        file.truncate(fitting.LARGEST_READ + 1)
    assert "larger than 500 MB" in problem(folder, "a.bmp").problem
    (folder / "b.jpg").write_bytes(b"\xff\xd8\xff" + b"\xff\xda" * (LARGEST_IMAGE // 2))
    assert "passes" in problem(folder, "b.jpg").problem
    Image.new("RGB", (2, 2)).save(folder / "c.gif")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setattr(fitting, "TASK", "support.apart_tasks:fit_without_pillow")
    assert "pip install '.[images]'" in problem(folder, "c.gif").remedy


@pytest.mark.posix  # a pipe that lies in a folder
def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    """The row has the fault, and the person a remedy."""
    Image.new("RGB", (2, 2)).save(folder / "a.gif")
    (folder.parent / "db.images").write_text("in the way")
    assert "can't be written" in problem(folder, "a.gif").problem
    (folder.parent / "db.images").unlink()
    os.mkfifo(folder / "pipe.gif")
    assert "not a regular file" in problem(folder, "pipe.gif").problem
