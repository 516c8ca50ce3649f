"""A manifest that came through the page, and whose pictures lie beside the database."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect
from support.site import Folder, Site, serving
from web.test_manifest_page import finished, upload
from web.test_mapping_on_the_page import hidden_of, reading_of, said, words_of

from batchsora.web.written_fields import picture_folders
from jobs.store import views

SHEET = "prompt,image\nthe mug turns,coffee_mug.png\nno picture at all,\n"
ASKED = "Another folder to look for pictures in"


@pytest.fixture
def site(world: Folder) -> Iterator[Site]:
    """The pages, whose runs are quick; three folders beside the database, one of them hidden."""
    (world.path / "batchsora.toml").write_text("poll-interval = 0.05\nrate = 0\n")
    picture(world.path / "products" / "spring" / "coffee_mug.png")
    picture(world.path / "others" / "tea.png")
    picture(world.path / ".hidden" / "coffee_mug.png")
    (world.path / "texts").mkdir()
    with serving(world) as found:
        yield found


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 32), "teal").save(path)


def test_a_folder_is_said_and_kept(http: httpx.Client, site: Site) -> None:
    """The picture is sent, and the next time nobody asks."""
    address = upload(http, "mugs.csv", SHEET)
    refused = http.get(f"{address}?part").text
    assert ASKED in refused
    assert "image not found" in refused
    shown, form = said(http, address, images="products/spring/")
    assert 'value="products/spring/" selected' in shown
    assert "image not found" not in shown
    answer = http.post(f"{address}/start", data=form | {"budget": "3"})
    assert answer.status_code == 204, answer.text
    finished(site)
    folder = site.folder.path / "products" / "spring"
    assert reading_of(site, "mugs")["images"] == str(folder)
    images = site.read(lambda c: [one.image for one in views.jobs(c) if one.image])
    (mug,) = [image for image in images if image["source"] == "coffee_mug.png"]
    assert mug["path"] == str(folder / "coffee_mug.png")
    again = http.get(f"{address}?part").text
    assert f"Read with your saved options: --images {folder}" in words_of(again)
    assert ASKED in again


def test_another_folder_lacks_it_still(http: httpx.Client) -> None:
    shown, _ = said(http, upload(http, "mugs.csv", SHEET), images="others/")
    assert "image not found" in shown


@pytest.mark.parametrize("value", ["../", "/etc/", ".hidden/", "texts/", "link/", "products"])
def test_no_other_folder_of_the_machine_can_be_said(
    http: httpx.Client, site: Site, tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    """Who may open the page may not send what lies elsewhere, nor find out what there is."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    picture(elsewhere / "coffee_mug.png")
    (site.folder.path / "link").symlink_to(elsewhere)
    address = upload(http, "mugs.csv", SHEET)
    form = hidden_of(http.get(f"{address}?part").text) | {"images": value}
    shown = http.post(f"{address}/plan", data=form).text
    assert "this folder has no pictures now" in shown
    assert http.post(f"{address}/start", data=form | {"budget": "3"}).status_code in (409, 422)
    assert site.folder.bought() == []


def test_which_folders_have_pictures(tmp_path: Path) -> None:
    """The database's own too, by its own name; empty ones and what lies deep are left out."""
    picture(tmp_path / "a.png")
    picture(tmp_path / "one" / "two" / "three" / "a.jpg")
    picture(tmp_path / "one" / "two" / "three" / "four" / "a.jpg")
    (tmp_path / "empty").mkdir()
    found = picture_folders(tmp_path / "batchsora.db")
    assert found == {"./": tmp_path, "one/two/three/": tmp_path / "one" / "two" / "three"}


def test_the_nearest_are_found_among_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a home folder not everything is looked into."""
    monkeypatch.setattr("batchsora.web.written_fields.MOST_LOOKED_AT", 4)
    picture(tmp_path / "a" / "deep" / "a.png")
    picture(tmp_path / "b" / "a.png")
    picture(tmp_path / "c" / "a.png")
    assert set(picture_folders(tmp_path / "batchsora.db")) == {"b/", "c/"}


def test_who_misses_no_picture_is_not_asked(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are folders looked into."""

    def looked(_: Path) -> dict[str, Path]:
        raise AssertionError("nobody asked")

    monkeypatch.setattr("batchsora.web.pages.manifests.picture_folders", looked)
    address = upload(http, "plain.csv", "prompt\na mug\n")
    shown = http.get(f"{address}?part").text
    assert ASKED not in shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_is_read_by_everybody(page: Page, http: httpx.Client, scheme: str, width: int) -> None:
    """On a phone and a desktop, in both schemes."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(upload(http, "mugs.csv", SHEET))
    field = page.get_by_label(ASKED)
    expect(field).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    field.select_option("products/spring/")
    expect(page.get_by_text("image not found")).to_have_count(0)
