"""A text table that is not UTF-8, or separated by who knows what, is read as its person says."""

from collections.abc import Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from support.site import Folder, Site, serving
from web.test_manifest_page import finished, upload
from web.test_mapping_on_the_page import hidden_of, reading_of, said, words_of

from batchsora.manifest.encodings import likely
from batchsora.web.written_fields import ENCODINGS

GERMAN = "Prompt;Sec\nMöwen über dem Watt, während die Flut steigt;15\n".encode("cp1252")
"""As Excel saves "CSV (separated by semicolons)" in Germany."""
MOEWEN = "Möwen über dem Watt, während die Flut steigt"
EITHER = "prompt,notes;duration\nA kite,red;15\n"
"""Two separators, each as often as the other."""


@pytest.fixture
def site(world: Folder) -> Iterator[Site]:
    """The pages, whose runs are quick."""
    (world.path / "batchsora.toml").write_text("poll-interval = 0.05\nrate = 0\n")
    with serving(world) as found:
        yield found


def test_a_table_that_excel_saved_is_read_as_a_person_says(http: httpx.Client, site: Site) -> None:
    """Its letters are right in what is bought, and in a terminal afterwards nobody asks."""
    address = upload(http, "Film.csv", GERMAN)
    refused = http.get(f"{address}?part").text
    assert "Use --encoding cp1252" in words_of(refused)
    assert "Encoding" in refused
    assert "Delimiter" not in refused
    shown, form = said(http, address, encoding="cp1252")
    assert "prompt ← Prompt · duration ← Sec" in words_of(shown)
    answer = http.post(f"{address}/start", data=form | {"budget": "3"})
    assert answer.status_code == 204, answer.text
    finished(site)
    assert site.folder.bought() == [MOEWEN]
    assert reading_of(site, "Film")["encoding"] == "cp1252"
    again = http.get(f"{address}?part").text
    assert "Read with your saved options: --encoding cp1252" in words_of(again)
    assert "Encoding" in again
    (kept,) = site.web.manifest_folder.glob("u*/Film.csv")
    code, told = site.folder.typed("plan", str(kept))
    assert code == 0
    assert "saved --encoding cp1252" in " ".join(told.split())


def test_columns_are_said_once_the_letters_are_right(http: httpx.Client) -> None:
    """Of the headers as they are read now."""
    address = upload(http, "m.csv", "Bild;Länge\nMöwen über dem Watt;15\n".encode("cp1252"))
    shown, form = said(http, address, encoding="cp1252")
    assert "Länge" in shown
    assert 'value="cp1252" selected' in shown
    shown, _ = said(http, address, **form, **{"column-0": "prompt", "column-1": "duration"})
    assert "prompt ← Bild · duration ← Länge" in words_of(shown)


def test_what_separates_cells_can_be_said(http: httpx.Client, site: Site) -> None:
    address = upload(http, "m.csv", EITHER)
    refused = http.get(f"{address}?part").text
    assert "cannot tell whether ',' or ';' separates the cells" in words_of(refused)
    assert "Delimiter" in refused
    shown, form = said(http, address, delimiter="comma")
    assert 'value="comma" selected' in shown
    form |= {"column-1": "-"}
    shown, form = said(http, address, **form)
    answer = http.post(f"{address}/start", data=form | {"budget": "3"})
    assert answer.status_code == 204, answer.text
    finished(site)
    assert site.folder.bought() == ["A kite"]
    assert reading_of(site, "m")["delimiter"] == ","


@pytest.mark.parametrize(
    ("field", "value"), [("encoding", "rot13"), ("encoding", "cp1251"), ("delimiter", "k")]
)
def test_nonsense_reads_nothing(http: httpx.Client, field: str, value: str) -> None:
    """Neither an encoding that is none of those offered, nor another separator."""
    address = upload(http, "m.csv", GERMAN)
    form = hidden_of(http.get(f"{address}?part").text) | {field: value}
    shown = http.post(f"{address}/plan", data=form).text
    assert MOEWEN not in words_of(shown)
    assert http.post(f"{address}/start", data=form | {"budget": "3"}).status_code in (409, 422)


def test_what_was_said_of_another_content_does_not_count(http: httpx.Client, site: Site) -> None:
    (site.folder.path / "m.csv").write_bytes(GERMAN)
    page = http.get("/manifests/new").text
    address = page.partition('href="/manifests/b')[2].partition('"')[0]
    form = hidden_of(http.get(f"/manifests/b{address}?part").text)
    (site.folder.path / "m.csv").write_bytes(GERMAN + b"x;10\n")
    shown = http.post(f"/manifests/b{address}/plan", data=form | {"encoding": "cp1252"}).text
    assert "the file has changed since its columns were shown" in words_of(shown)


def test_utf_8_needs_no_word(http: httpx.Client) -> None:
    address = upload(http, "m.csv", "prompt\nMöwen über dem Watt\n")
    shown = http.get(f"{address}?part").text
    assert "Encoding" not in shown
    assert "Delimiter" not in shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_is_read_by_everybody(page: Page, http: httpx.Client, scheme: str, width: int) -> None:
    """On a phone and a desktop, in both schemes."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(upload(http, "m.csv", GERMAN))
    expect(page.get_by_label("Encoding")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("Encoding").select_option("cp1252")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_text(MOEWEN).first).to_be_visible()


def test_all_that_an_error_names_is_offered() -> None:
    """So that nobody has to go to a terminal for it."""
    texts = {
        "cp1252": "Möwen über dem Watt",
        "cp1251": "Чайка над морем и маяк в тумане",
        "cp1253": "Ένας γλάρος πάνω από τη θάλασσα",
        "shift_jis": "海の上のカモメがとぶ",
        "utf-16-le": "a gull above the sea",
        "utf-16-be": "a gull above the sea",
    }
    for name, text in texts.items():
        assert likely(text.encode(name)) == name
        assert name in ENCODINGS
