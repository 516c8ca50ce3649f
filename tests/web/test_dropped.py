"""A table with its pictures: as files, a folder or a zip, friendly or hostile."""

import hashlib
import io
import struct
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.web import zips
from batchsora.web.dropped import DropError, Dropped, parts_of, sorted_out
from batchsora.web.uploads import Upload

TABLE = b"prompt,image\na lamp,a.png\n"


def upload(folder: Path, name: str, data: bytes) -> Upload:
    """Make an upload as a form has it."""
    path = folder / f"{hashlib.sha256(name.encode() + data).hexdigest()}.part"
    path.write_bytes(data)
    return Upload(name, path, hashlib.sha256(data).hexdigest(), len(data), whole=True)


def packed(files: Mapping[str, bytes], *more: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    """Pack files into a zip."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        for info, data in more:
            archive.writestr(info, data)
    return made.getvalue()


def sort(folder: Path, *files: tuple[str, bytes]) -> Dropped:
    """Sort out what was dropped."""
    unpacked = folder / "unpacked"
    unpacked.mkdir(exist_ok=True)
    return sorted_out([upload(folder, name, data) for name, data in files], unpacked)


def test_table_pictures_and_zip_are_told_apart(tmp_path: Path) -> None:
    """By their names; what systems leave in zips and folders is not even mentioned."""
    data = packed(
        {
            "Ads/b.PNG": b"b",
            "__MACOSX/Ads/._b.PNG": b"x",
            "Ads/.DS_Store": b"x",
            "Ads/Thumbs.db": b"x",
            "Ads/notes.docx": b"x",
            "more.zip": packed({"c.png": b"c"}),
        }
    )
    found = sort(tmp_path, ("m.csv", TABLE), ("ads/a.png", b"a"), ("z.zip", data))
    assert found.table is not None
    assert found.table.path.read_bytes() == TABLE
    assert sorted("/".join(parts) for parts, _ in found.pictures.values()) == [
        "Ads/b.PNG",
        "ads/a.png",
    ]
    assert found.pictures["ads/b.png"][1].path.read_bytes() == b"b"
    assert found.aside == [
        "Ads/notes.docx: neither a table nor a picture",
        "more.zip: a zip in a zip is not opened",
    ]


def test_the_table_may_be_in_the_zip(tmp_path: Path) -> None:
    """A person packs the whole folder; notes beside it don't count."""
    data = packed({"Ads/m.csv": TABLE, "Ads/readme.txt": b"x", "Ads/a.png": b"a"})
    found = sort(tmp_path, ("ads.zip", data))
    assert found.table is not None
    assert found.table.name == "Ads/m.csv"
    assert found.aside == ["Ads/readme.txt: another table"]


def test_several_tables_are_not_guessed_from(tmp_path: Path) -> None:
    """Each is a batch of its own."""
    with pytest.raises(DropError, match=r"several tables: m\.csv, n\.csv"):
        sort(tmp_path, ("m.csv", TABLE), ("n.csv", TABLE))


def test_names_of_macos_are_utf_8(tmp_path: Path) -> None:
    """Its zips don't say so; letters and marks are put together."""
    name = unicodedata.normalize("NFD", "Größe.png")
    made = bytearray(packed({name: b"a"}))
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = made.index(sign) + place
        flags = struct.unpack_from("<H", made, at)[0]
        struct.pack_into("<H", made, at, flags & ~0x800)
    found = sort(tmp_path, ("m.csv", TABLE), ("z.zip", bytes(made)))
    assert [parts for parts, _ in found.pictures.values()] == [("Größe.png",)]


@pytest.mark.parametrize("names", [("a.png", "A.png/b.png"), ("x/a.png/b.png", "X/a.png")])
def test_a_picture_and_a_folder_of_one_name_are_refused(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    """No system can hold both; told before anything is written."""
    with pytest.raises(DropError, match="is a picture and a folder: rename one"):
        sort(tmp_path, ("m.csv", TABLE), ("z.zip", packed(dict.fromkeys(names, b"a"))))


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    """In whatever case; the same content twice is one picture."""
    with pytest.raises(DropError, match=r"Two different pictures are called a\.PNG"):
        sort(tmp_path, ("A.png", b"a"), ("z.zip", packed({"a.PNG": b"b"})))
    assert len(sort(tmp_path, ("A.png", b"a"), ("a.png", b"a")).pictures) == 1


@pytest.mark.parametrize(
    "name",
    ["../a.png", "/etc/a.png", "x/../../a.png", "C:/a.png", "..\\a.png", "x:y.png", "b\n.png"],
)
def test_names_that_lead_outside_are_left_aside(tmp_path: Path, name: str) -> None:
    """Nothing is written anywhere but under names of ours."""
    found = sort(tmp_path, ("m.csv", TABLE), ("z.zip", packed({name: b"a"})))
    assert found.pictures == {}
    assert len(found.aside) == 1
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} <= {
        tmp_path,
        tmp_path / "unpacked",
    }


def test_a_link_in_a_zip_is_not_followed(tmp_path: Path) -> None:
    """It is named among what is not used."""
    info = zipfile.ZipInfo("a.png")
    info.external_attr = 0o120777 << 16
    found = sort(tmp_path, ("m.csv", TABLE), ("z.zip", packed({}, (info, b"/etc/passwd"))))
    assert found.aside == ["a.png: a link, which is not followed"]


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    """With what to do."""
    made = bytearray(packed({"a.png": b"a"}))
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        made[made.index(sign) + place] |= 1
    with pytest.raises(DropError, match=r"encrypted\. Pack the files without a password"):
        sort(tmp_path, ("z.zip", bytes(made)))


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it would unpack to, what it lists, and how tightly it is packed."""
    with pytest.raises(DropError, match="unpacks to 200 times its size"):
        sort(tmp_path, ("z.zip", packed({"a.png": bytes(5 * 1024**2)})))
    monkeypatch.setattr(zips.Room, "__init__", _small)
    with pytest.raises(DropError, match="it unpacks to more than"):
        sort(tmp_path, ("z.zip", packed({"a.png": b"a" * 3000, "b.png": b"b" * 3000})))
    with pytest.raises(DropError, match="more than 5000 files"):
        sort(tmp_path, ("z.zip", packed({f"{n}.png": b"" for n in range(30)})))


def _small(self: zips.Room) -> None:
    self.bytes, self.entries = 5000, 20


def test_a_long_list_of_files_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million names would take gigabytes before the first one is counted."""
    monkeypatch.setattr(zips, "LARGEST_DIRECTORY", 1000)
    with pytest.raises(DropError, match="it lists more than"):
        sort(tmp_path, ("z.zip", packed({f"{n}.png": b"" for n in range(100)})))


def test_a_file_that_is_larger_than_its_zip_says(tmp_path: Path) -> None:
    """It is refused as damaged; nothing beyond that is written."""
    made = bytearray(packed({"a.png": bytes(range(256)) * 100}))
    struct.pack_into("<I", made, made.index(b"PK\x01\x02") + 24, 100)
    with pytest.raises(DropError, match="the zip is damaged"):
        sort(tmp_path, ("z.zip", bytes(made)))
    sizes = [path.stat().st_size for path in (tmp_path / "unpacked").iterdir()]
    assert max(sizes, default=0) <= 100


@given(data=st.binary(max_size=300), at=st.none() | st.integers(0, 400))
def test_any_bytes_are_a_zip_or_refused(
    data: bytes, at: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is damaged: an error in words, never another one."""
    whole = packed({"a.png": b"a" * 100, "b.png": b"b"})
    damaged = data if at is None else whole[:at] + data + whole[at + len(data) :]
    folder = tmp_path_factory.mktemp("any")
    try:
        found = sort(folder, ("z.zip", damaged))
    except DropError as error:
        assert str(error).startswith("z.zip can't be used: ")  # noqa: PT017 - it may be fine, too
    else:
        assert len(found.pictures) + len(found.aside) <= 4


@given(st.text(max_size=80))
def test_any_name_stays_inside(name: str) -> None:
    """Its parts are names of files, none of them hidden or leading up."""
    parts = parts_of(name)
    if parts is not None:
        assert parts
        for part in parts:
            assert not part.startswith(".")
            assert not {"/", "\\", ":", "\0"} & set(part)
