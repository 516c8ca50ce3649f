"""Pictures as cells name them, and as folders hold them."""

import unicodedata
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from support.shell import Shell
from support.tiny import PNG

from batchsora.manifest.errors import CellError
from batchsora.manifest.images.row_images import Images, check_whole
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import open_manifest
from jobs.model.provider import ImageRef
from jobs.model.spec import JobSpec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with some pictures."""
    (tmp_path / "images").mkdir()
    for name in ("images/kite.png", "Pic 1.png", "UPPER.PNG", "100%.png", "a#b?.png"):
        (tmp_path / name).write_bytes(PNG)
    return tmp_path


def read(folder: Path, text: str, more: Path | None = None) -> ImageRef | None:
    return Images(folder, allow_outside=False, more=more).read(text)


@pytest.mark.parametrize(
    "text",
    [
        *("./images/kite.png", "images//kite.png", "images/kite.png ", "100%.png", "a#b?.png"),
        *("HTTPS://EXAMPLE.COM/A.PNG", "https://ex\u00e4mple.com/\u00fc.png"),
    ],
)
def test_paths_and_addresses_that_are_right(folder: Path, text: str) -> None:
    """They are read as they stand."""
    assert read(folder, text) is not None


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("images\\kite.png", "Write images/kite.png."),
        ("C:\\Users\\me\\Pic 1.png", "Write Pic 1.png."),
        ("C:\\Users\\me\\heron.png", "beside the manifest and write heron.png."),
        ("\\\\server\\share\\heron.png", "beside the manifest and write heron.png."),
        ('"images/kite.png"', "Write images/kite.png."),
        ("'images/kite.png'", "Write images/kite.png."),
        ("\u201cimages/kite.png\u201d", "Write images/kite.png."),
        ("file:///tmp/my%20kite.png", "beside the manifest and write my kite.png."),
        ("~/heron.png", "beside the manifest and write heron.png."),
        ("Pic%201.png", "Write Pic 1.png."),
        ("upper.png", "Write UPPER.PNG."),
        ("Images/Kite.PNG", "Write images/kite.png."),
        ("images/kite.png?raw=1", "Write images/kite.png."),
        ("images/kite", "Write images/kite.png."),
        ("pics/UPPER.PNG", "Write UPPER.PNG."),
        ("kite.png; heron.png", "name one of them."),
        ("www.example.com/a.png", "Write https://www.example.com/a.png."),
        ("//example.com/a.png", "Write https://example.com/a.png."),
        ("https://example.com/my pic.png", "Write https://example.com/my%20pic.png."),
        ("ftp://example.com/a.png", "begins with https:// or http://."),
        ("blob:https://x/y", "Save the picture beside the manifest"),
        ("https://drive.google.com/file/d/abc/view?usp=sharing", "Download the picture"),
        ("https://www.dropbox.com/s/x/a.png?dl=0", "?raw=1"),
        ("heron.png", "--images DIR"),
        *((word, "Leave the cell empty") for word in ("-", "none", "N/A", "no", "\u2014")),
    ],
)
def test_the_remedy_fits_how_a_picture_is_named(folder: Path, text: str, remedy: str) -> None:
    """What it says to write is there."""
    with pytest.raises(CellError) as caught:
        read(folder, text)
    assert remedy in caught.value.remedy
    if caught.value.remedy.startswith("Write ") and "http" not in remedy:
        assert read(folder, caught.value.remedy.removeprefix("Write ")[:-1]) is not None


@pytest.mark.parametrize(("there", "said"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_name_in_another_unicode_form_is_found(folder: Path, there: str, said: str) -> None:
    """MacOS takes an é apart; a spreadsheet does not."""
    name = "caf\u00e9s/caf\u00e9 \u00e9.png"
    path = folder / unicodedata.normalize(there, name)  # type: ignore[arg-type]
    path.parent.mkdir()
    path.write_bytes(PNG)
    image = read(folder, unicodedata.normalize(said, name))  # type: ignore[arg-type]
    assert image is not None
    assert image.path == str(path.resolve())


def test_pictures_in_a_folder_beside_the_sheet_are_found(folder: Path) -> None:
    """One line says where they are taken from; with two such folders the person says which."""
    path = folder / "m.csv"
    path.write_text("prompt,image\nA,kite.png\nB,heron.png\n")
    (folder / "images" / "heron.png").write_bytes(PNG)
    manifest = open_manifest(path)
    items = list(manifest.spec_rows(lambda _: "k"))
    assert len(items) == 2
    assert manifest.notes == ["2 picture(s) are taken from images/: heron.png, kite.png"]
    (folder / "old").mkdir()
    (folder / "old" / "kite.png").write_bytes(PNG)
    with pytest.raises(CellError, match=r"images/kite.png and old/kite.png. Write which one"):
        read(folder, "kite.png")


def test_a_folder_that_a_person_names(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It may lie anywhere; a path does not lead out of it."""
    more = tmp_path_factory.mktemp("pictures")
    (more / "heron.png").write_bytes(PNG)
    (more.parent / "secret.png").write_bytes(PNG)
    image = read(folder, "heron.png", more)
    assert image is not None
    assert image.path == str(more / "heron.png")
    with pytest.raises(CellError, match="outside"):
        read(folder, "../secret.png", more)
    path = folder / "m.csv"
    path.write_text("prompt,image\nA,heron.png\n")
    (job,) = open_manifest(path, reading=Reading(images=str(more))).rows()
    assert isinstance(job, JobSpec)


def test_the_folder_is_kept_with_the_batch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """``--images`` is said once; the page and later runs look there as well."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-heads")
    call = Shell(capfd)
    (folder / "m.csv").write_text("prompt,image\nA,kite.png\n")
    assert call("plan", "m.csv", "--images", "images", "--json").json["jobs"] == 1
    assert call("plan", "m.csv", "--images", "nowhere").code == 2


def picture(form: str, size: int = 64) -> bytes:
    made = BytesIO()
    noise = Image.effect_noise((size, size), 90).convert("RGB")
    noise.save(made, form, **({"exif": noise.getexif()} if form == "JPEG" else {}))
    return made.getvalue()


@pytest.mark.parametrize(
    ("form", "media"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
def test_a_picture_that_breaks_off_is_refused(form: str, media: str) -> None:
    """Wherever it is cut, down to four bytes; what stands behind its end does not count."""
    data = picture(form)
    check_whole(data, media)
    check_whole(data + b"\0trailer", media)
    for end in (4, 8, 12, 20, len(data) // 3, len(data) // 2, len(data) - 1):
        with pytest.raises(CellError, match=f"ends after {end} bytes"):
            check_whole(data[:end], media)


def test_a_thumbnail_hides_no_missing_end() -> None:
    """It has an end of its own, within a segment; so has each pass of a progressive picture."""
    inner, made = picture("JPEG", 8), BytesIO()
    exif = b"\xff\xe1" + (len(inner) + 2).to_bytes(2) + inner
    data = picture("JPEG")
    data = data[:2] + exif + data[2:]
    check_whole(data, "image/jpeg")
    with pytest.raises(CellError, match="ends after"):
        check_whole(data[:-2], "image/jpeg")
    Image.effect_noise((64, 64), 90).save(made, "JPEG", progressive=True)
    check_whole(made.getvalue(), "image/jpeg")
    with pytest.raises(CellError, match="ends after"):
        check_whole(made.getvalue()[:-2], "image/jpeg")


def test_a_jfif_is_a_jpeg(folder: Path) -> None:
    """By its content, in a cell and in a folder of pictures."""
    (folder / "images" / "fox.jfif").write_bytes(picture("JPEG"))
    image = read(folder, "images/fox.jfif")
    assert image is not None
    assert image.media_type == "image/jpeg"
    found = open_manifest(folder / "images", reading=Reading(defaults={"prompt": "A"})).rows()
    assert sorted(job.key for job in found if isinstance(job, JobSpec)) == ["fox.jfif", "kite.png"]
