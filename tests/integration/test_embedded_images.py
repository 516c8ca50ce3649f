"""``--embedded-images``: the pictures of a workbook become the images of its rows."""

import base64
import hashlib
import io
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.drawing.image import Image as Drawn
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.worksheet.worksheet import Worksheet
from PIL import Image
from support.books import row, saved_as, xlsx
from support.shell import Shell

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.formats.embedded import take_out
from batchsora.manifest.images.fitting import Fitter
from batchsora.manifest.raw import Embedded, Reading
from batchsora.manifest.read import Manifest, open_manifest
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.spec import JobSpec

EMBEDDED = Reading(embedded_images=True)
QUICK = ("--poll-interval", "0.05", "--rate", "0", "--no-download", "--budget", "50")
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LINKED = (
    "http://schemas.microsoft.com/office/2022/10/relationships/richValueRel",
    "http://schemas.microsoft.com/office/2017/06/relationships/rdRichValue",
    "http://schemas.microsoft.com/office/2017/06/relationships/rdRichValueStructure",
)


class Taking(World):
    """A provider that keeps what was sent to it."""

    def __init__(self) -> None:
        super().__init__(time_scale=2000.0)
        self.images: dict[str, bytes] = {}

    def generate(self, body: Any, key: str | None, now: datetime, *more: Any) -> Any:
        said = str(body.get("image_base64") or "")
        self.images[body["prompt"]] = base64.b64decode(said.rpartition(",")[2])
        return super().generate(body, key, now, *more)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Taking]:
    made = Taking()
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def picture(number: int = 0, form: str = "PNG", size: int = 40) -> bytes:
    """Make a picture that no other number makes."""
    content = io.BytesIO()
    Image.new("RGB", (size, 20), (number % 256, 10, number // 256)).save(content, form)
    return content.getvalue()


def book(path: Path, rows: int, pictures: Mapping[str, bytes], header: str = "Picture") -> Path:
    """Save rows with pictures over these cells."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    sheet.append(["id", "Video idea", header, "Notes"])
    for number in range(1, rows + 1):
        sheet.append([f"v{number}", f"Idea {number}", None, f"note {number}"])
        sheet.row_dimensions[number + 1].height = 30
    for cell, data in pictures.items():
        sheet.add_image(Drawn(io.BytesIO(data)), cell)
    made.save(path)
    return path


def opened(path: Path, reading: Reading = EMBEDDED, *, fit: bool = False) -> Manifest:
    kept = path.parent / "db.images"
    return open_manifest(path, reading=reading, fitter=Fitter(kept) if fit else None, kept=(kept,))


def jobs(manifest: Manifest) -> dict[int, JobSpec]:
    found = list(manifest.rows())
    assert all(isinstance(item, JobSpec) for item in found), found
    return {item.row: item for item in found if isinstance(item, JobSpec)}


def problems(path: Path, reading: Reading = EMBEDDED, *, fit: bool = False) -> dict[str, str]:
    items = opened(path, reading, fit=fit).rows()
    return {str(one.cell): one.problem for one in items if isinstance(one, RowProblem)}


def bytes_of(job: JobSpec) -> bytes | None:
    image = job.request.image
    return None if image is None else Path(str(image.path)).read_bytes()


def told(path: Path) -> list[str]:
    manifest = opened(path)
    list(manifest.rows())
    return [f"{one.cell}: {one.problem}" for one in manifest.warnings]


@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_each_row_gets_its_own_picture(tmp_path: Path, form: str) -> None:
    """With the bytes that it has in the workbook; a row without one stays a text."""
    path = book(tmp_path / "m.xlsx", 3, {"C2": picture(1), "D4": picture(2)})
    if form != "xlsx":
        path = saved_as(form, path, tmp_path / "office")
    found = jobs(opened(path))
    assert [bytes_of(found[number]) for number in (2, 3, 4)] == [picture(1), None, picture(2)]
    image = found[2].request.image
    assert image is not None
    sha256 = hashlib.sha256(picture(1)).hexdigest()
    assert image.source == f"embedded:{sha256}"
    assert Path(str(image.path)) == path.parent / "db.images" / f"embedded-{sha256}.png"
    assert image.sha256 == sha256


def test_the_error_without_it_names_it(tmp_path: Path) -> None:
    """In formats from which pictures can be taken; both words at once are refused."""
    path = book(tmp_path / "m.xlsx", 1, {"C2": picture()})
    (problem,) = [str(one) for one in opened(path, Reading()).rows()]
    assert "Videos!C2" in problem
    assert "--embedded-images" in problem
    old = saved_as("xls", path, tmp_path / "office")
    (problem,) = [str(one) for one in opened(old, Reading()).rows()]
    assert "--embedded-images" not in problem
    (problem,) = [str(one) for one in opened(old).rows()]
    assert "Videos!C2" in problem
    assert "Save the workbook as .xlsx" in problem
    with pytest.raises(ManifestError, match="Use either"):
        opened(path, Reading(embedded_images=True, ignore_pictures=True))


def test_a_sheet_without_a_column_of_images_gets_one(tmp_path: Path) -> None:
    """The row's key is the same at each load, and without the pictures' bytes as well."""
    path = book(tmp_path / "m.xlsx", 2, {"F2": picture(1)}, header="Mood")
    made = openpyxl.load_workbook(path)
    made["Videos"].delete_cols(1)
    made.save(path)
    manifest = opened(path)
    found = jobs(manifest)
    assert bytes_of(found[2]) == picture(1)
    assert manifest.columns == ("Video idea", "Mood", "Notes", "image")
    assert manifest.headers == ("Video idea", "Mood", "Notes")
    shutil.rmtree(tmp_path / "db.images")
    again = open_manifest(path, reading=EMBEDDED)
    assert [spec.key for spec in again.named_rows()] == [job.key for job in found.values()]
    assert not (tmp_path / "db.images").exists()


def test_what_two_rows_could_claim_is_refused(tmp_path: Path) -> None:
    """Two pictures over one row; one that lies over several rows."""
    path = book(tmp_path / "m.xlsx", 4, {"C2": picture(1), "D2": picture(2)})
    (found,) = problems(path).items()
    assert found[0] == "Videos!D2"
    assert "Videos!C2 and Videos!D2" in found[1]
    path = book(tmp_path / "n.xlsx", 4, {"C2": picture(1), "D2": picture(1)})
    assert problems(path) == {}
    tall = io.BytesIO()
    Image.new("RGB", (40, 100)).save(tall, "PNG")  # 75 points over rows of 30
    path = book(tmp_path / "o.xlsx", 4, {"C2": tall.getvalue()})
    ((cell, problem),) = problems(path).items()
    assert cell == "Videos!C2"
    assert "over rows 2 to 4, but not mostly" in problem
    path = book(tmp_path / "p.xlsx", 4, {"C5": tall.getvalue()})
    assert bytes_of(jobs(opened(path))[5]) == tall.getvalue()  # nothing else below it


@pytest.mark.parametrize(
    ("corners", "row"),
    [
        (((1, 0), (1, 380_000)), 2),
        (((1, 100_000), (2, 200_000)), 2),
        (((1, 300_000), (2, 300_000)), None),
        (((0, 100_000), (1, 380_000)), None),
        (((0, 0), (1, 50_000)), 0),
    ],
)
@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_a_picture_belongs_to_the_row_in_which_it_mostly_begins(
    tmp_path: Path, corners: Any, row: int | None, form: str
) -> None:
    """By its corners and the rows' heights: 30 points are 381,000 EMU. 0: it belongs to none."""
    path = book(tmp_path / "m.xlsx", 3, {"C2": picture(1)})
    made = openpyxl.load_workbook(path)
    (drawn,) = made["Videos"]._images  # type: ignore[attr-defined]
    (top, start), (bottom, end) = corners
    drawn.anchor = TwoCellAnchor(
        _from=AnchorMarker(col=2, row=top, rowOff=start),
        to=AnchorMarker(col=3, row=bottom, rowOff=end),
    )
    made.save(path)
    if form == "ods":
        path = saved_as("ods", path, tmp_path / "office")
    if row is None:
        ((cell, problem),) = problems(path).items()
        assert cell == "Videos!C2"
        assert "not mostly" in problem
    elif row:
        assert [n for n, job in jobs(opened(path)).items() if job.request.image] == [row]
    else:
        (said,) = told(path)
        assert said.startswith("Videos!C1: 1 picture is over rows that are not videos")


def test_hidden_rows_have_no_height(tmp_path: Path) -> None:
    """What is filtered out takes its picture along, and counts for none beside it."""
    tall = io.BytesIO()
    Image.new("RGB", (40, 60)).save(tall, "PNG")
    path = book(tmp_path / "m.xlsx", 4, {"C2": tall.getvalue(), "C4": picture(4)})
    made = openpyxl.load_workbook(path)
    made["Videos"].row_dimensions[3].hidden = True
    made["Videos"].row_dimensions[4].hidden = True
    made["Videos"].row_dimensions[2].height = 60
    made.save(path)
    found = jobs(opened(path))
    assert {n: bytes_of(job) for n, job in found.items()} == {2: tall.getvalue(), 5: None}
    assert told(path) == ["Videos!3:3: 2 rows are hidden and were left out (rows 3, 4)"]


def test_a_picture_that_reaches_out_of_a_hidden_row_is_not_dropped(tmp_path: Path) -> None:
    """With hidden rows taken, each has its own again."""
    path = book(tmp_path / "m.xlsx", 3, {"C2": picture(1), "C3": picture(2)})
    made = openpyxl.load_workbook(path)
    first, second = made["Videos"]._images  # type: ignore[attr-defined]
    second.anchor = TwoCellAnchor(
        _from=AnchorMarker(col=2, row=2, rowOff=0), to=AnchorMarker(col=3, row=3, rowOff=300_000)
    )
    made["Videos"].row_dimensions[3].hidden = True
    made.save(path)
    assert "over rows 3 to 4" in problems(path)["Videos!C4"]
    second.anchor = TwoCellAnchor(
        _from=AnchorMarker(col=2, row=2, rowOff=0), to=AnchorMarker(col=3, row=3, rowOff=0)
    )
    first.ref, second.ref = io.BytesIO(picture(1)), io.BytesIO(picture(2))
    made.save(path)
    assert [bytes_of(job) for job in jobs(opened(path)).values()] == [picture(1), None]
    whole = opened(path, Reading(embedded_images=True, include_hidden=True))
    assert [bytes_of(job) for job in jobs(whole).values()] == [picture(1), picture(2), None]


def test_pictures_of_no_row_are_told(tmp_path: Path) -> None:
    """A logo over the header, one below the table; over a blank row between others: an error."""
    path = book(tmp_path / "m.xlsx", 3, {"A1": picture(1), "C2": picture(2), "B9": picture(3)})
    assert bytes_of(jobs(opened(path))[2]) == picture(2)
    assert told(path) == [
        "Videos!A1: 2 pictures are over rows that are not videos (Videos!A1, Videos!B9): not sent"
    ]
    made = openpyxl.load_workbook(path)
    made["Videos"]["B11"] = "An idea far below"
    made.save(path)
    ((cell, problem),) = problems(path).items()
    assert cell == "Videos!B9"
    assert "without a prompt" in problem


def test_a_row_that_names_an_image_sends_that(tmp_path: Path) -> None:
    """And it is told that the picture, probably its preview, is not sent."""
    path = book(tmp_path / "m.xlsx", 2, {"D2": picture(1), "C3": picture(2)})
    (tmp_path / "boat.png").write_bytes(picture(9))
    made = openpyxl.load_workbook(path)
    made["Videos"]["C2"] = "boat.png"
    made.save(path)
    found = jobs(opened(path))
    assert [bytes_of(job) for job in found.values()] == [picture(9), picture(2)]
    (said,) = told(path)
    assert "1 picture is at rows whose cells name an image" in said
    assert "Videos!D2" in said


def test_formats_that_the_provider_does_not_take(tmp_path: Path) -> None:
    """An error by the picture's cell; what ``--fit-images`` converts becomes an image by it."""
    for number, form in enumerate(("GIF", "BMP", "TIFF")):
        path = book(tmp_path / f"{form}.xlsx", 1, {"D2": picture()})
        path = replaced(path, picture(number, form))
        ((cell, problem),) = problems(path).items()
        assert cell == "Videos!D2"
        assert form in problem
        made = bytes_of(jobs(opened(path, fit=True))[2])
        assert made is not None
        assert made.startswith(b"\xff\xd8\xff")
    emf = b"\x01\0\0\0" + bytes(36) + b" EMF" + bytes(80)
    path = replaced(book(tmp_path / "e.xlsx", 1, {"C2": picture()}), emf)
    assert problems(path) == {"Videos!C2": "the picture is actually an EMF"}
    assert problems(path, fit=True) == {"Videos!C2": "the picture is actually an EMF"}


def replaced(path: Path, data: bytes, *, old: str = "", new: str = "") -> Path:
    """Exchange the picture of a workbook for other bytes, and a text of its drawing."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            made = content
            if "/media/" in name:
                made = data
            elif name == "xl/drawings/drawing1.xml" and old:
                assert old.encode() in content
                made = content.replace(old.encode(), new.encode())
            elif "rIdX" in new and name.startswith("xl/drawings/_rels/"):
                image = (f"{OFFICE}/image", "/xl/media/image1.png")
                made = links(image, outside="https://ex.am/a.png")
            package.writestr(name, made)
    return path


def test_a_picture_that_breaks_off_is_refused(tmp_path: Path) -> None:
    """As a file is, by the picture's cell; so is one that is too large."""
    path = replaced(book(tmp_path / "m.xlsx", 1, {"C2": picture()}), picture()[:-6])
    ((cell, problem),) = problems(path).items()
    assert cell == "Videos!C2"
    assert "ends after" in problem
    path = replaced(path, picture() + bytes(11 * 1024**2))
    assert "10 MB" in problems(path)["Videos!C2"]
    path = replaced(path, bytes(65 * 1024**2))
    assert "64 MB" in problems(path)["Videos!C2"] or "usual" in problems(path)["Videos!C2"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<a:stretch", '<srcRect b="20000"/><a:stretch', "cropped"),
        ("<a:stretch", '<srcRect b="20"/><a:stretch', None),
        ("<spPr>", '<spPr><xfrm rot="5400000"/>', "turned"),
        ("<spPr>", '<spPr><xfrm flipH="1"/>', "turned"),
        ("<cNvPr", '<cNvPr hidden="1"', "hidden"),
        ("r:embed", 'r:link="rIdX" r:embed', None),
        ("r:embed", "r:link", "not in the workbook"),
        ('r:embed="rId1"', 'r:link="rIdX"', "linked (https://ex.am/a.png)"),
    ],
)
def test_what_is_seen_otherwise_than_it_is_kept_is_refused(
    tmp_path: Path, old: str, new: str, says: str | None
) -> None:
    """A person sees a part of what is cropped, and the bytes have all of it."""
    path = replaced(book(tmp_path / "m.xlsx", 1, {"C2": picture()}), picture(), old=old, new=new)
    found = problems(path)
    assert (says is None and not found) or (says is not None and says in found["Videos!C2"])


def test_a_group_of_pictures_is_several(tmp_path: Path) -> None:
    """One picture with a caption is one."""
    path = book(tmp_path / "m.xlsx", 1, {"C2": picture()})
    path = replaced(path, picture(), old="<pic>", new="<grpSp><sp/><pic>")
    path = replaced(path, picture(), old="</pic>", new="</pic></grpSp>")
    assert bytes_of(jobs(opened(path))[2]) == picture()
    with zipfile.ZipFile(path, "a") as package:
        package.writestr("xl/media/image2.png", picture(2))
        name = "xl/drawings/_rels/drawing1.xml.rels"
        media = (("image1.png", picture()), ("image2.png", picture(2)))
        parts = {one: package.read(one) for one in package.namelist() if one != name}
    parts[name] = links(*((f"{OFFICE}/image", f"/xl/media/{file}") for file, _ in media))
    drawing = "xl/drawings/drawing1.xml"
    inner = parts[drawing].decode()
    pic = inner[inner.index("<pic>") : inner.index("</pic>")] + "</pic>"
    twice = pic + pic.replace('r:embed="rId1"', 'r:embed="rId2"')
    parts[drawing] = inner.replace(pic, twice).encode()
    with zipfile.ZipFile(path, "w") as package:
        for one, content in parts.items():
            package.writestr(one, content)
    assert "several pictures belong to one row" in problems(path)["Videos!C2"]


def links(*pairs: tuple[str, str], outside: str = "") -> bytes:
    """Write the links of a part: kinds and targets."""
    inner = "".join(
        f'<Relationship Id="rId{number}" Type="{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(pairs, 1)
    )
    if outside:
        inner += (
            f'<Relationship Id="rIdX" Type="{OFFICE}/image" Target="{outside}" '
            'TargetMode="External"/>'
        )
    return f'<Relationships xmlns="{PACKAGE}">{inner}</Relationships>'.encode()


def rich(path: Path, rows: str) -> Path:
    """Save rows whose cells ``vm="1"`` and ``vm="3"`` hold pictures, and ``vm="2"`` an error."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    data = "http://schemas.microsoft.com/office/spreadsheetml/2017/richdata"
    blocks = "".join(
        f'<bk><extLst><ext uri="{{3e2802c4-a4d2-4d8b-9148-e3be6c30e623}}"><xlrd:rvb i="{n}"/>'
        "</ext></extLst></bk>"
        for n in range(3)
    )
    values = "".join(f'<bk><rc t="1" v="{n}"/></bk>' for n in range(3))
    return xlsx(
        path,
        rows,
        also={
            "xl/_rels/workbook.xml.rels": links(
                (f"{OFFICE}/worksheet", "worksheets/sheet1.xml"),
                (f"{OFFICE}/styles", "styles.xml"),
                (f"{OFFICE}/sheetMetadata", "metadata.xml"),
                (LINKED[0], "richData/richValueRel.xml"),
                (LINKED[1], "richData/rdrichvalue.xml"),
                (LINKED[2], "richData/rdrichvaluestructure.xml"),
                ("http://www.wps.cn/officeDocument/2020/cellImage", "cellimages.xml"),
            ),
            "xl/metadata.xml": f"""<metadata xmlns="{main}" xmlns:xlrd="{data}">
                <metadataTypes count="1"><metadataType name="XLRICHVALUE"/></metadataTypes>
                <futureMetadata name="XLRICHVALUE" count="3">{blocks}</futureMetadata>
                <valueMetadata count="3">{values}</valueMetadata></metadata>""".encode(),
            "xl/richData/rdrichvalue.xml": f"""<rvData xmlns="{data}" count="3">
                <rv s="0"><v>0</v><v>5</v></rv><rv s="1"><v>8</v><v>3</v></rv>
                <rv s="0"><v>1</v><v>5</v></rv></rvData>""".encode(),
            "xl/richData/rdrichvaluestructure.xml": f"""<rvStructures xmlns="{data}" count="2">
                <s t="_localImage"><k n="_rvRel:LocalImageIdentifier" t="i"/>
                <k n="CalcOrigin" t="i"/></s>
                <s t="_error"><k n="errorType" t="i"/><k n="subType" t="i"/></s>
                </rvStructures>""".encode(),
            "xl/richData/richValueRel.xml": f"""<richValueRels xmlns="{data}/2022"
                xmlns:r="{OFFICE}"><rel r:id="rId1"/><rel r:id="rId2"/></richValueRels>""".encode(),
            "xl/richData/_rels/richValueRel.xml.rels": links(
                (f"{OFFICE}/image", "../media/image1.png"),
                (f"{OFFICE}/image", "../media/image2.png"),
            ),
            "xl/cellimages.xml": f"""<etc:cellImages xmlns:r="{OFFICE}"
                xmlns:etc="http://www.wps.cn/officeDocument/2017/etCustomData"
                xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"
                xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing">
                <etc:cellImage><xdr:pic><xdr:nvPicPr><xdr:cNvPr id="1" name="ID_AB12"/>
                </xdr:nvPicPr><xdr:blipFill><a:blip r:embed="rId1"/></xdr:blipFill></xdr:pic>
                </etc:cellImage></etc:cellImages>""".encode(),
            "xl/_rels/cellimages.xml.rels": links((f"{OFFICE}/image", "media/image2.png")),
            "xl/media/image1.png": picture(1),
            "xl/media/image2.png": picture(2),
        },
    )


HEADER = row(1, "id", "prompt", "image", "Mood")
VM = '<c r="{}" t="e" vm="{}"><v>#VALUE!</v></c>'


def test_pictures_placed_in_cells(tmp_path: Path) -> None:
    """By Excel, in a column of images or of one's own, and by WPS; each row its own."""
    wps = '<c r="C4" t="str"><f>_xlfn.DISPIMG("ID_AB12",1)</f><v>=DISPIMG("ID_AB12",1)</v></c>'
    rows = (
        row(2, "a", "A kite", VM.format("C2", 3))
        + row(3, "b", "A fox", None, VM.format("D3", 1))
        + row(4, "c", "A boat", wps)
        + row(5, "d", "A tree", None, VM.format("D5", 2))
    )
    found = jobs(opened(rich(tmp_path / "m.xlsx", HEADER + rows)))
    assert [bytes_of(found[n]) for n in (2, 3, 4)] == [picture(2), picture(1), picture(2)]
    assert bytes_of(found[5]) is None  # an error of another kind, in a column of one's own
    assert found[3].cells["Mood"] == ""


def test_pictures_in_cells_that_are_not_in_the_file(tmp_path: Path) -> None:
    """Linked ones, with their address; lost ones; an error that is none; one in another column."""
    image = '<c r="C2" t="e" vm="9"><f>_xlfn.IMAGE("https://ex.am/a.png")</f><v>#VALUE!</v></c>'
    lost = '<c r="C3" t="str"><v>=DISPIMG("ID_GONE",1)</v></c>'
    rows = row(2, "a", "A kite", image) + row(3, "b", "A fox", lost)
    rows += row(4, "c", "A boat", VM.format("C4", 2)) + row(5, "d", VM.format("B5", 1))
    found = problems(rich(tmp_path / "m.xlsx", HEADER + rows))
    assert found.keys() == {"Videos!C2", "Videos!C3", "Videos!C4", "Videos!B5"}
    assert "https://ex.am/a.png" in found["Videos!C2"]
    assert found["Videos!C3"] == "the picture is not in the workbook"
    assert found["Videos!C4"] == "the formula returned an error"
    assert found["Videos!B5"].startswith("the cell contains a picture")


def test_kept_pictures_are_what_their_names_say(tmp_path: Path) -> None:
    """One that somebody exchanged is written anew; a link in its place is not followed."""
    path = book(tmp_path / "m.xlsx", 1, {"C2": picture(1)})
    (job,) = jobs(opened(path)).values()
    kept = Path(str(job.request.image and job.request.image.path))
    kept.write_bytes(picture(2))
    assert bytes_of(jobs(opened(path))[2]) == picture(1)
    other = tmp_path / "other.png"
    other.write_bytes(picture(1))
    kept.unlink()
    kept.symlink_to(other)
    assert bytes_of(jobs(opened(path))[2]) == picture(1)
    assert not kept.is_symlink()
    assert [one.name for one in kept.parent.iterdir()] == [kept.name]


def test_a_workbook_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """What a process apart says is checked by the SHA-256 that it said before."""
    path = book(tmp_path / "m.xlsx", 1, {"C2": picture(1)})
    one = Embedded(2, 2, "xl/media/image1.png", "0" * 64, 100)
    with pytest.raises(ManifestError, match="changed while it was read"):
        take_out(path, tmp_path / "db.images", [one])
    gone = Embedded(2, 2, "xl/media/image9.png", "0" * 64, 100)
    with pytest.raises(ManifestError, match="damaged"):
        take_out(path, tmp_path / "db.images", [gone])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "planted").symlink_to(tmp_path / "elsewhere")
    sha256 = hashlib.sha256(picture(1)).hexdigest()
    with pytest.raises(ManifestError, match="can't be extracted"):
        take_out(path, tmp_path / "planted", [Embedded(2, 2, one.part, sha256, 100)])
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_cell_that_means_a_picture_names_no_file_elsewhere(tmp_path: Path) -> None:
    """An export that is loaded again finds it; where it is not kept, it is an error."""
    path = book(tmp_path / "m.xlsx", 1, {"C2": picture(1)})
    (job,) = jobs(opened(path)).values()
    assert job.request.image is not None
    table = tmp_path / "t.csv"
    table.write_text(f"id,prompt,image\nv1,Idea 1,{job.request.image.source}\n")
    (again,) = jobs(opened(table, Reading())).values()
    assert again.request == job.request
    table.write_text(f"id,prompt,image\nv1,Idea 1,embedded:{'0' * 64}\n")
    (problem,) = [str(one) for one in opened(table, Reading()).rows()]
    assert "is not stored with this database" in problem


def test_from_a_workbook_with_pictures_to_results_in_it(
    call: Shell, world: Taking, tmp_path: Path
) -> None:
    """Forty ideas: each is sent with its own picture; the book keeps every cell and picture."""
    sent = {f"C{n + 1}": picture(n) for n in range(1, 41)}
    path = book(tmp_path / "ideas.xlsx", 40, {**sent, "A1": picture(500)})
    before = parts(path)
    assert call("plan", "ideas.xlsx", "--embedded-images", "--json").json["jobs"] == 40
    assert not (tmp_path / "batchsora.db.images").exists()
    said = call("run", "ideas.xlsx", "--embedded-images", *QUICK)
    assert said.code == 0, said.err
    assert "40 pictures are extracted from the workbook" in said.words
    assert world.images == {f"Idea {n}": picture(n) for n in range(1, 41)}
    assert call("export", "--in-place").code == 0
    after = parts(path)
    changed = {name for name in before if before[name] != after.get(name)}
    sheet_alone = {"xl/worksheets/sheet1.xml", "xl/worksheets/_rels/sheet1.xml.rels"}
    assert changed <= {*sheet_alone, "xl/styles.xml"}
    sheet = openpyxl.load_workbook(path)["Videos"]
    for number in range(1, 41):
        cells = [sheet.cell(number + 1, column).value for column in range(1, 5)]
        assert cells == [f"v{number}", f"Idea {number}", None, f"note {number}"]
    header = [cell.value for cell in sheet[1]]
    assert header[:4] == ["id", "Video idea", "Picture", "Notes"]
    assert None not in header
    status = header.index("status") + 1
    assert {sheet.cell(n, status).value for n in range(2, 42)} == {"completed"}
    assert len(sheet._images) == 41
    said = call("run", "ideas.xlsx", *QUICK)  # said once, it is kept
    assert said.code == 0, said.err
    assert "--embedded-images" in said.words
    assert len(world.made) == 40


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist()}


def test_pictures_are_sent_after_the_workbook_is_gone(
    call: Shell, world: Taking, tmp_path: Path
) -> None:
    """What was loaded is sent as it was then, days later, with the workbook changed or deleted."""
    path = book(tmp_path / "m.xlsx", 2, {"C2": picture(1), "C3": picture(2)})
    assert call("run", "m.xlsx", "--embedded-images", *QUICK[:-1], "0.13").code == 4
    assert world.images == {"Idea 1": picture(1)}
    path.unlink()
    assert call("run", *QUICK).code == 0
    assert world.images == {"Idea 1": picture(1), "Idea 2": picture(2)}


@pytest.mark.usefixtures("world")
def test_the_word_is_taken_back(call: Shell, tmp_path: Path) -> None:
    """By its opposite, or by the other word about pictures."""
    book(tmp_path / "m.xlsx", 1, {"C2": picture(1)})
    assert call("run", "m.xlsx", "--embedded-images", *QUICK).code == 0
    assert call("plan", "m.xlsx", "--json").code == 0
    assert "--embedded-images" in call("plan", "m.xlsx", "--no-embedded-images").words
    said = call("plan", "m.xlsx", "--ignore-pictures", "--json")
    assert "pictures can't be both used and ignored" not in said.words
    assert said.json["invalid"] == []


def frames(path: Path, pictures: Mapping[str, bytes], *rows: tuple[str | None, ...]) -> Path:
    """Save rows of Veo with columns of several images, and pictures over these cells."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Videos"
    sheet.append(["prompt", "model", "Start frame", "End frame", "Reference image 1"])
    for cells in rows or ((),):
        sheet.append(["A kite over the bay", "veo_3_fast", *cells])
        sheet.row_dimensions[sheet.max_row].height = 30
    for cell, data in pictures.items():
        sheet.add_image(Drawn(io.BytesIO(data)), cell)
    made.save(path)
    return path


def roles(job: JobSpec) -> dict[str, bytes]:
    request = job.request
    images = {} if request.image is None else {"start": request.image}
    return {
        role: Path(str(image.path)).read_bytes()
        for role, image in (images | dict(request.images)).items()
    }


@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_pictures_of_several_columns_are_what_their_columns_say(tmp_path: Path, form: str) -> None:
    """First and last frame, a reference; one in a person's own column is the first frame."""
    over = {"C2": picture(1), "D2": picture(2), "E3": picture(3), "F4": picture(4)}
    path = frames(tmp_path / "m.xlsx", over, (), (), ())
    if form != "xlsx":
        path = saved_as(form, path, tmp_path / "office")
    manifest = opened(path)
    found = jobs(manifest)
    assert [roles(found[number]) for number in (2, 3, 4)] == [
        {"start": picture(1), "end": picture(2)},
        {"reference_1": picture(3)},
        {"start": picture(4)},
    ]
    list(manifest.spec_rows(lambda _: ""))
    assert manifest.notes[0] == "4 pictures are extracted from the workbook"


def test_no_column_of_first_frames_is_needed_for_others(tmp_path: Path) -> None:
    """None is added."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    sheet.append(["prompt", "model", "reference_image_1"])
    sheet.append(["A kite over the bay", "veo_3_fast"])
    sheet.add_image(Drawn(io.BytesIO(picture(1))), "C2")
    made.save(tmp_path / "m.xlsx")
    manifest = opened(tmp_path / "m.xlsx")
    assert roles(jobs(manifest)[2]) == {"reference_1": picture(1)}
    assert manifest.columns == ("prompt", "model", "reference_image_1")


def test_an_end_without_a_start_is_an_error_of_its_cell(tmp_path: Path) -> None:
    found = problems(frames(tmp_path / "m.xlsx", {"D2": picture(2)}))
    assert found == {"Videos!D2": "there is an end image without a start image"}


def test_two_pictures_of_one_further_image_are_an_error(tmp_path: Path) -> None:
    path = frames(tmp_path / "m.xlsx", {"C2": picture(1)})
    book = openpyxl.load_workbook(path)
    for number in (2, 3):
        book["Videos"].add_image(Drawn(io.BytesIO(picture(number))), "D2")
    book.save(path)
    assert problems(path) == {"Videos!D2": "several pictures are in one cell"}


def test_a_name_in_a_further_column_goes_before_its_picture_alone(tmp_path: Path) -> None:
    """And a named first frame does not hide a picture of the last one."""
    (tmp_path / "a.png").write_bytes(picture(7))
    over = {"D2": picture(2), "D3": picture(3)}
    path = frames(tmp_path / "m.xlsx", over, ("a.png", "a.png"), ("a.png",))
    found = jobs(opened(path))
    assert roles(found[2]) == {"start": picture(7), "end": picture(7)}
    assert roles(found[3]) == {"start": picture(7), "end": picture(3)}
    assert "1 picture is at rows whose cells name an image" in told(path)[0]
    said = problems(path, Reading())
    assert list(said) == ["Videos!D3"]


def test_pictures_placed_in_cells_of_further_images(tmp_path: Path) -> None:
    header = row(1, "id", "prompt", "image", "end_image", "model")
    cells = row(2, "a", "A kite over the bay", VM.format("C2", 1), VM.format("D2", 3), "veo_3_fast")
    path = rich(tmp_path / "m.xlsx", header + cells)
    assert roles(jobs(opened(path))[2]) == {"start": picture(1), "end": picture(2)}
    found = [one for one in opened(path, Reading()).rows() if isinstance(one, RowProblem)]
    assert all("--embedded-images" in one.remedy for one in found)
