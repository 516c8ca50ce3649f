"""Pictures of a folder (``--images``, or dropped on the page), found by the ends of paths."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from batchsora.manifest.errors import CellError
from batchsora.manifest.images.picture_paths import PictureFolder, said_parts
from batchsora.manifest.images.row_images import Images

NFD = unicodedata.normalize("NFD", "Größe.JPG")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pictures, some of them in folders inside."""
    for name in ("a.png", NFD, "x/k.png", "y/k.png", "y/z q.png", ".hidden/h.png"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (300, 300)).save(path)
    return tmp_path


def images(folder: Path) -> Images:
    """Give what reads the images of a manifest in this folder."""
    return Images(folder, allow_outside=False, more=folder / "pictures")


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("A.PNG", "a.png"),
        ("C:\\ads\\a.png", "a.png"),
        ("/Volumes/Work/a.png", "a.png"),
        ("'a.png'", "a.png"),
        ("größe.jpg", NFD),
        ("Größe", NFD),
        ("D:\\work\\X\\K.png", "x/k.png"),
        ("y/z%20q.png", "y/z q.png"),
        ("../../a.png", "a.png"),
    ],
)
def test_a_picture_is_found_by_the_end_of_its_path(folder: Path, cell: str, found: str) -> None:
    """Case, the form of Unicode, drive and folders of another machine don't count."""
    image = images(folder).read(cell)
    assert image is not None
    assert image.path == str(folder / "pictures" / found)
    assert image.source == cell


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("k.png", "there are several such images: "),
        ("nope.png", "Add it to pictures/"),
        ("C:\\ads\\nope.png", "Add it to pictures/"),
        ("h.png", "Add it to pictures/"),
        ("/etc/passwd", "outside the manifest's folder"),
    ],
)
def test_what_is_not_one_picture_of_it_is_refused(folder: Path, cell: str, says: str) -> None:
    """Two of one name, none, a hidden one, a file of the machine."""
    with pytest.raises(CellError, match=says):
        images(folder).read(cell)


def test_two_rows_of_different_folders_do_not_get_one_picture(folder: Path) -> None:
    """One of their videos would begin with a wrong picture, and be paid for."""
    reader = images(folder)
    assert reader.read("C:\\spring\\a.png") is not None
    assert reader.read("spring/A.png") is not None
    with pytest.raises(CellError, match="another row names it in another folder"):
        reader.read("C:\\autumn\\a.png")


def test_a_link_is_not_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What lies elsewhere is not sent."""
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    Image.new("RGB", (300, 300)).save(outside)
    (folder / "pictures" / "secret.png").symlink_to(outside)
    with pytest.raises(CellError):
        images(folder).read("C:\\Secret.png")


@given(st.text(max_size=60))
def test_any_cell_can_be_looked_for(cell: str) -> None:
    """Whatever it says, it is taken apart; every part is a name."""
    for parts in said_parts(cell):
        assert parts
        assert not any("/" in part or "\\" in part or part in (".", "..") for part in parts)


def test_folders_inside_are_listed_once(folder: Path) -> None:
    """Not at every cell; what was not there then is not found."""
    found = PictureFolder(folder / "pictures")
    Image.new("RGB", (300, 300)).save(folder / "pictures" / "late.png")
    assert found.find("late.png") is None
    assert found.find("A.png") == folder / "pictures" / "a.png"
