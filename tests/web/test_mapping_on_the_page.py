"""How a file is read, said on the page: what its columns are, which sheet, what empty cells say."""

import csv
import html
import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe
from openpyxl.drawing.image import Image as SheetImage
from PIL import Image
from playwright.sync_api import Page, expect
from support.hostile import SCRIPTS
from support.site import Folder, Site, serving
from web.test_manifest_page import LATE, finished, upload

from batchsora.web.reading_fields import LONGEST_DEFAULT, SHOWN
from jobs.database.lock import runner_lock
from jobs.ports.selection import Wanted
from jobs.store import handing, views

FOREIGN = "Nr.;Was man sieht;Wie lang\n1;ein Leuchtturm im Nebel;15\n2;ein Boot im Eis;10\n"
"""No header of it is known."""
BOTH = {"column-1": "prompt", "column-2": "duration"}


@pytest.fixture
def site(world: Folder) -> Iterator[Site]:
    """The pages, whose runs are quick."""
    (world.path / "batchsora.toml").write_text("poll-interval = 0.05\nrate = 0\n")
    with serving(world) as found:
        yield found


def table(rows: Sequence[Sequence[str]]) -> str:
    """Write a text table."""
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()


def book(*sheets: tuple[str, Sequence[Sequence[Any]]], hidden: Sequence[int] = ()) -> bytes:
    """Make a workbook; some rows of each sheet are hidden."""
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for title, rows in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
        for number in hidden:
            sheet.row_dimensions[number].hidden = True
    data = io.BytesIO()
    made.save(data)
    return data.getvalue()


def hidden_of(text: str) -> dict[str, str]:
    """Give the fields of a form that nobody sees, as a browser sends them back."""
    names = ("token", "agreed", "content", "at")
    found = {name: re.search(rf'name="{name}" value="([^"]*)"', text) for name in names}
    return {name: match[1] for name, match in found.items() if match is not None}


def said(http: httpx.Client, address: str, **more: str) -> tuple[str, dict[str, str]]:
    """Say something in the fields of the page; gives what is shown, and the form to send next."""
    form = hidden_of(http.get(f"{address}?part").text) | more
    shown = http.post(f"{address}/plan", data=form)
    assert shown.status_code == 200, shown.text
    return shown.text, form | hidden_of(shown.text)


def words_of(text: str) -> str:
    """Give what is read of a part of a page."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def reading_of(site: Site, name: str) -> Any:
    """Give what is kept with a batch of how its file was read."""
    return site.read(lambda c: views.find_batches(c, name))[0].reading


def test_a_refused_file_is_read_as_a_person_says(http: httpx.Client, site: Site) -> None:
    """The right prompts are bought; the next time nobody asks, neither here nor in a terminal."""
    address = upload(http, "Film.csv", FOREIGN)
    refused = http.get(f"{address}?part").text
    assert "The table is not understood yet" in refused
    assert "Show the plan" in refused
    assert all(f'<select id="column-{place}"' in refused for place in range(3))
    shown, form = said(http, address, **BOTH)
    assert "prompt ← Was man sieht · duration ← Wie lang · carried along: Nr." in words_of(shown)
    assert "of 2 videos to buy" in words_of(shown)
    answer = http.post(f"{address}/start", data=form | {"budget": "3"})
    assert answer.status_code == 204, answer.text
    finished(site)
    assert sorted(site.folder.bought()) == ["ein Boot im Eis", "ein Leuchtturm im Nebel"]
    assert reading_of(site, "Film")["columns"] == {
        "Was man sieht": "prompt",
        "Wie lang": "duration",
    }
    again = words_of(http.get(f"{address}?part").text)
    assert "Read with your saved options: --map 'Was man sieht=prompt'" in again
    assert "duration (s), recognized" in again
    (kept,) = site.web.manifest_folder.glob("u*/Film.csv")
    code, told = site.folder.typed("plan", str(kept))
    assert code == 0
    assert "saved --map 'Was man sieht=prompt'" in " ".join(told.split())


def test_another_column_at_the_same_price_is_asked_about(http: httpx.Client, site: Site) -> None:
    """As many rows for as much money, and other prompts: what was shown is what is bought."""
    address = upload(http, "m.csv", "Eins;Zwei\nein Fisch;ein Vogel\n")
    _, form = said(http, address, **{"column-0": "prompt", "budget": "1"})
    other = {name: text for name, text in form.items() if name != "column-0"}
    other["column-1"] = "prompt"
    answer = http.post(f"{address}/start", data=other)
    assert answer.status_code == 422
    assert "The plan has changed since: Buy 1 video" in answer.text
    assert site.web.launcher.all() == []
    answer = http.post(f"{address}/start", data=other | hidden_of(answer.text))
    assert answer.status_code == 204
    finished(site)
    assert site.folder.bought() == ["ein Vogel"]


def test_a_run_that_goes_on_gets_it_as_it_was_said(http: httpx.Client, site: Site) -> None:
    """Loaded with the prompts of that column, which is kept with the batch."""
    # the account is everybody's here, and what it has already is held back
    address = upload(http, "Film.csv", FOREIGN.replace("ein ", "kein "))
    with runner_lock(site.web.settings.database, datetime.now(UTC)):
        site.write(lambda c: handing.set_serving(c, serving=True))
        _, form = said(http, address, **BOTH, **{"default-orientation": "16:9"})
        answer = http.post(f"{address}/start", data=form | {"budget": "3"})
        assert answer.status_code == 204, answer.text
        assert "the active run takes over" in answer.headers["HX-Trigger"]
        site.write(lambda c: handing.set_serving(c, serving=False))
    kept = reading_of(site, "Film")
    assert kept["columns"] == {"Was man sieht": "prompt", "Wie lang": "duration"}
    assert kept["defaults"] == {"orientation": "16:9"}
    jobs = site.read(lambda c: [*views.jobs(c, Wanted(batch="Film"))])
    assert {(job.prompt, job.duration, job.orientation) for job in jobs} == {
        ("kein Leuchtturm im Nebel", 15, "16:9"),
        ("kein Boot im Eis", 10, "16:9"),
    }


def test_the_sheet_is_chosen_and_then_its_columns(page: Page, site: Site) -> None:
    """By keyboard and mouse alone, from a workbook that can't be read to its videos."""
    rows = (["Take", "Shown", "Team"], [1, "a heron at dusk", "red"], [2, "a frozen weir", "red"])
    data = book(("Read me", [["Made by us"], ["2026"]]), ("Takes", rows))
    page.goto("/manifests/new")
    page.get_by_label("Table, pictures, or a zip of them").set_input_files(
        {"name": "Takes.xlsx", "mimeType": "application/zip", "buffer": data}
    )
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("heading", name="The table is not understood yet")).to_be_visible(
        timeout=LATE
    )
    page.get_by_label("Sheet").select_option("Takes")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_label("Shown")).to_be_visible(timeout=LATE)
    page.get_by_label("Shown").select_option("prompt")
    page.get_by_role("button", name="Show the plan").press("Enter")
    start = page.locator("#start-button button")
    expect(start).to_contain_text("Buy 2 videos for about $0.24", timeout=LATE)
    expect(page.locator("#figures h2")).to_be_focused()
    assert page.evaluate("window.scrollY") == 0
    page.get_by_label("Team").focus()
    page.get_by_label("Team").select_option("campaign")
    expect(page.locator("#figures")).to_contain_text("campaign ← Team", timeout=LATE)
    expect(page.get_by_label("Team")).to_be_focused()
    expect(page.get_by_label("Team")).to_have_value("campaign")
    page.locator("#budget").fill("1")
    start.click()
    page.get_by_role("dialog").get_by_role("button", name="Buy 2 videos").click()
    page.wait_for_url("**/batches/*", timeout=LATE)
    expect(page.locator("#summary")).to_contain_text("2 completed", timeout=LATE)
    finished(site)
    assert sorted(site.folder.bought()) == ["a frozen weir", "a heron at dusk"]


def test_a_column_that_looks_misspelt_is_said(http: httpx.Client, site: Site) -> None:
    """Its field is open and marked; said, nobody has to confirm that it has no effect."""
    address = upload(http, "m.csv", "prompt,duratoin\na compass on a dune,15\n")
    shown = http.get(f"{address}?part").text
    assert '<th scope="col" class="asks' in shown
    assert "duratoin what is it?" in words_of(shown)
    shown, form = said(http, address, **{"column-1": "duration", "budget": "3"})
    assert "allow_unknown" not in shown
    assert http.post(f"{address}/start", data=form).status_code == 204
    assert "1 completed" in finished(site)
    assert reading_of(site, "m")["columns"] == {"duratoin": "duration"}


def test_the_columns_of_a_refusal_are_marked(http: httpx.Client) -> None:
    """Two that may be the duration, and one that may be the prompt: until they are said."""
    address = upload(http, "m.csv", "Video text,Length,Seconds,Owner\na lamp of ice,15,10,Ann\n")
    shown = words_of(http.get(f"{address}?part").text)
    assert "Length what is it?" in shown
    assert "Seconds what is it?" in shown
    assert "Owner what is it?" not in shown
    shown, _ = said(http, address, **{"column-1": "duration"})
    assert "Is it 'Video text'?" in words_of(shown)
    assert "Video text what is it?" in words_of(shown)
    assert "Length what is it?" not in words_of(shown)
    shown, _ = said(http, address, **{"column-0": "prompt", "column-2": "duration"})
    assert "prompt ← Video text · duration ← Seconds" in words_of(shown)


def test_nothing_is_open_where_nothing_is_asked(http: httpx.Client) -> None:
    """Whoever has a plain table sees one closed line."""
    address = upload(http, "m.csv", "prompt,Owner\na lamp,Ann\n")
    shown = http.get(f"{address}?part").text
    assert re.search(r'<details id="how-read"\s*>', shown)
    assert 'name="hidden"' not in shown
    assert 'name="pictures"' not in shown


def test_a_column_that_is_gone_is_said_to_be(http: httpx.Client, site: Site) -> None:
    """A cap would hold no more: the page offers the word that continues it."""
    path = site.folder.path / "shots.csv"
    path.write_text("prompt,Team\na lamp of glass,red\n")
    assert site.folder.call("run", "shots.csv", "--map", "Team=campaign", "--budget", "1") == 0
    path.write_text("prompt\na lamp of glass\na lamp of brass\n")
    page = http.get("/manifests/new").text
    found = re.search(r'href="(/manifests/b\w+)"[^>]*>\s*shots\.csv', page)
    assert found is not None
    refused = http.get(f"{found[1]}?part").text
    assert "there is no column &#39;Team&#39; any more" in refused
    token = re.search(r'name="(gone-\w+)"', refused)
    assert token is not None
    shown, _ = said(http, found[1], **{token[1]: "yes"})
    assert "1 of 2 videos to buy" in words_of(shown)


def test_hidden_rows_and_defaults_are_said(http: httpx.Client, site: Site) -> None:
    """Each is offered where there is such, and passed on to the run."""
    rows = (["prompt"], ["a kestrel"], ["a plover"], ["a dunlin"])
    address = upload(http, "Birds.xlsx", book(("Birds", rows), hidden=[3]))
    shown = http.get(f"{address}?part").text
    assert "of 2 videos to buy" in words_of(shown)
    assert '<select id="hidden"' in shown
    shown, form = said(http, address, **{"hidden": "yes", "default-duration": "15"})
    assert "of 3 videos to buy" in words_of(shown)
    assert "duration (else 15)" in words_of(shown)
    assert http.post(f"{address}/start", data=form | {"budget": "1"}).status_code == 204
    finished(site)
    assert sorted(site.folder.bought()) == ["a dunlin", "a kestrel", "a plover"]
    shown = http.get(f"{address}?part").text
    assert "--default duration=15 --include-hidden" in words_of(shown)
    shown, _ = said(http, address, **{"hidden": "no", "empty-duration": "yes"})
    assert "from 2 rows" in words_of(shown)
    assert "Read with your saved options" not in words_of(shown)


def test_pictures_over_cells_are_used_as_a_person_says(http: httpx.Client, site: Site) -> None:
    """They are offered where there are some; the run takes them as the images of their rows."""
    made = openpyxl.Workbook()
    sheet = made.worksheets[0]
    for row in (["prompt", "Look"], ["a mug on a quay"], ["a mug in the snow"]):
        sheet.append(row)
    for place, colour in (("B2", "red"), ("B3", "blue")):
        drawn = io.BytesIO()
        Image.new("RGB", (320, 240), colour).save(drawn, "PNG")
        picture = SheetImage(drawn)
        picture.width = picture.height = 12  # within its row
        sheet.add_image(picture, place)
    data = io.BytesIO()
    made.save(data)
    address = upload(http, "Mugs.xlsx", data.getvalue())
    shown = http.get(f"{address}?part").text
    assert "2 rows can't be bought" in words_of(shown)
    assert '<select id="pictures"' in shown
    aside, _ = said(http, address, pictures="ignore")
    assert "2 of 2 videos to buy" in words_of(aside)
    assert ", with image" not in aside
    shown, form = said(http, address, pictures="use")
    assert "with image" in words_of(shown)
    assert http.post(f"{address}/start", data=form | {"budget": "2"}).status_code == 204
    assert "2 completed" in finished(site)
    assert reading_of(site, "Mugs")["embedded_images"] is True
    shown = words_of(http.get(f"{address}?part").text)
    assert "Read with your saved options: --embedded-images" in shown


def test_more_problems_are_those_of_the_file_as_it_is_read(http: httpx.Client) -> None:
    """What is shown on demand goes by what was said, however long ago the plan was made."""
    rows = [["Was", "Wie lang"], *[["eine Lampe", str(n)] for n in range(100, 350)]]
    address = upload(http, "m.csv", table(rows))
    shown, form = said(http, address, **{"column-0": "prompt", "column-1": "duration"})
    assert "250 rows can't be bought" in words_of(shown)
    for n in range(5):  # the plan is forgotten
        said(http, upload(http, "m.csv", f"Was\n{n}. Lampe\n"), **{"column-0": "prompt"})
    more = http.post(f"{address}/problems", params={"after": "200"}, data=form)
    assert re.findall(r'class="place">row (\d+)<', more.text)[-1] == "251"


def test_a_name_whose_words_do_not_fit_is_refused_with_fields(
    page: Page, site: Site, http: httpx.Client
) -> None:
    """The batch of that name was read by a column that this file has not: it is asked here."""
    path = site.folder.path / "shots.csv"
    path.write_text("prompt,Team\na lamp of tin,red\n")
    assert site.folder.call("run", "shots.csv", "--map", "Team=campaign", "--budget", "1") == 0
    page.goto(upload(http, "new.csv", "prompt,Group\na lamp of zinc,red\n"))
    page.locator("#budget").fill("1.25")
    page.locator("#name").press_sequentially("shots")
    refused = page.locator("#reading-form")
    expect(refused).to_contain_text("No column Team any more", timeout=LATE)
    expect(page.locator("#name")).to_have_value("shots")
    page.get_by_label("Group").select_option("campaign")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#figures")).to_contain_text("campaign ← Group", timeout=LATE)
    expect(page.locator("#budget")).to_have_value("1.25")
    expect(page.locator("#name")).to_have_value("shots")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"column-3": "prompt"}, "no such column"),
        ({"column-9999": "prompt"}, "no such column"),
        ({"column-x": "prompt"}, "no such column"),
        ({"column-1": "prompt", "sheet": "0"}, "no such column or sheet"),
        ({"column-1": "price"}, "not a valid choice for a column"),
        ({"column-1": "prompt", "column-0": "prompt"}, "two columns can&#39;t both be"),
        ({"column-1": "prompt", "content": "0" * 64}, "the file has changed since"),
        ({"column-1": "prompt", "default-prompt": "x" * (LONGEST_DEFAULT + 1)}, "too long"),
        ({"column-1": "prompt", "default-image": "a\x00b"}, "control characters"),
    ],
)
def test_what_can_not_be_said_is_refused(
    http: httpx.Client, site: Site, fields: dict[str, str], says: str
) -> None:
    """In words, with the fields once more; a start by it starts nothing."""
    address = upload(http, "Film.csv", FOREIGN)
    form = hidden_of(http.get(f"{address}?part").text) | fields
    shown = http.post(f"{address}/plan", data=form)
    assert shown.status_code == 200
    assert says in shown.text
    assert '<select id="column-1"' in shown.text
    answer = http.post(f"{address}/start", data=form | {"budget": "1"})
    assert answer.status_code == 409
    assert site.web.launcher.all() == []
    assert "Film" not in [batch.name for batch in site.read(views.find_batches)]


def hostile_table() -> str:
    """Make a table of 300 columns: scripts, twins, no names, controls, and one that counts."""
    headers = [*SCRIPTS, "twin", "twin ", "", "a\x07b", "x" * 900, "\u05d0\u05d1 rtl", "two\nlines"]
    headers += [f"of my own {number}" for number in range(300 - len(headers) - 1)]
    return table([[*headers, "Video text"], [""] * 299 + ["a lamp"]])


def test_hostile_headers_are_text(page: Page, http: httpx.Client) -> None:
    """None of them runs or leaves its field; so many are offered, and the one that counts is."""
    address = upload(http, "m.csv", hostile_table())
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    fields = page.locator("#reading-form .mapping select")
    expect(fields).to_have_count(SHOWN, timeout=LATE)
    expect(page.locator("#reading-form")).to_contain_text("more columns are not shown")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    labels = page.locator("#reading-form label").all_inner_texts()
    assert "twin" not in labels
    assert not any("\u202e" in label or "\x07" in label for label in labels)
    page.get_by_label("Video text").select_option("prompt")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#figures")).to_contain_text("of 1 video to buy", timeout=LATE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("window.hacked === undefined")
    assert page.locator("#plan img, #plan script").count() == 0
    assert dialogs == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_fields_stand_in_nobodys_way(page: Page, http: httpx.Client, scheme: str) -> None:
    """Axe finds nothing where the file is refused, and none where its fields are open."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for content, button in ((FOREIGN, "Show the plan"), ("prompt,duratoin\na,15\n", "Buy 1")):
        page.goto(upload(http, "m.csv", content))
        expect(page.get_by_role("button", name=button)).to_be_visible(timeout=LATE)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_the_row_of_the_headers_is_said(http: httpx.Client) -> None:
    """Where lines above them look like some; after a row that is not there it can be corrected."""
    rows = [["Campaign", "Owner"], ["spring", "Ann"], ["prompt", "Owner"], ["a lamp", "Ann"]]
    address = upload(http, "m.xlsx", book(("Ideas", rows)))
    refused = http.get(f"{address}?part").text
    assert 'placeholder="1"' in refused
    wrong, _ = said(http, address, header_row="99")
    assert "is empty from row 99 on" in words_of(wrong)
    assert '<input id="header_row"' in wrong
    shown, form = said(http, address, header_row="3")
    assert "1 of 1 video to buy, from 1 row" in words_of(shown)
    assert form["header_row"] == "3"
