"""A workbook as marketing people have it: dropped with its pictures, mapped, rehearsed, bought."""

import base64
import errno
import io
import re
from collections.abc import Iterator
from dataclasses import replace

import httpx
import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect
from support.site import Folder, Site, serving
from web.test_dropped import packed
from web.test_manifest_page import LATE, batch_named, finished
from web.test_mapping_on_the_page import hidden_of, said, words_of

from batchsora.web.kept_manifests import token_beside
from jobs.ports.selection import Filter


@pytest.fixture
def site(world: Folder) -> Iterator[Site]:
    """The pages, whose runs are quick."""
    (world.path / "batchsora.toml").write_text("poll-interval = 0.05\nrate = 0\n")
    with serving(world) as found:
        yield found


def png(colour: str) -> bytes:
    """Draw a picture."""
    drawn = io.BytesIO()
    Image.new("RGB", (320, 240), colour).save(drawn, "PNG")
    return drawn.getvalue()


def workbook(name: str) -> bytes:
    """Make a workbook of three ideas whose pictures are named as on the machine of its author."""
    made = openpyxl.Workbook()
    sheet = made.worksheets[0]
    sheet.title = "Ideas"
    for row in (
        ["Nr", "Was man sieht", "Motiv", "Sekunden"],
        [1, f"a mug on {name}", "C:\\Ads\\Mug 1.png", 10],
        [2, f"a jug on {name}", "jug.PNG", 10],
        [3, f"a cup on {name}", "cup.png", 12],
    ):
        sheet.append(row)
    made.create_sheet("Notes").append(["nothing here"])
    data = io.BytesIO()
    made.save(data)
    return data.getvalue()


PICTURES = packed({"Ads/mug 1.PNG": png("red"), "Ads/Jug.png": png("blue"), "x/spare.png": b"x"})


def drop(page: Page, files: dict[str, bytes]) -> None:
    """Drop files on the page, as a person drags them there."""
    given = {name: base64.b64encode(data).decode() for name, data in files.items()}
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, data] of Object.entries(files)) {
                const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
                transfer.items.add(new File([bytes], name));
            }
            return transfer;
        }""",
        given,
    )
    zone = page.locator("[data-drop]")
    for event in ("dragover", "drop"):
        zone.dispatch_event(event, {"dataTransfer": transfer})


def looks_right(page: Page, width: int) -> None:
    """Check that nothing is cut off, and that axe finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def fields_are_heard(page: Page) -> None:
    """Wait until what is chosen is noticed: a person sees the new fields no sooner."""
    expect(page.locator(".htmx-added, .htmx-settling, .htmx-request")).to_have_count(0)


def map_columns(page: Page) -> None:
    """Choose the prompts, then see the plan, and choose the other columns there."""
    preview = page.get_by_role("group", name="Columns and first rows")
    preview.get_by_label("Was man sieht").select_option("prompt")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#figures")).to_contain_text("of 3 videos to buy", timeout=LATE)
    fields_are_heard(page)
    preview.get_by_label("Motiv").select_option("image")
    expect(page.locator("#figures")).to_contain_text("image ← Motiv", timeout=LATE)
    fields_are_heard(page)
    preview.get_by_label("Sekunden").select_option("duration")
    expect(preview).to_contain_text("unsupported duration", timeout=LATE)


def drop_all(page: Page, name: str, width: int) -> None:
    """Drop the table and its pictures, one after the other."""
    page.goto("/manifests/new")
    drop(page, {"Ideas.xlsx": workbook(name)})
    drop(page, {"Ads.zip": PICTURES, "plan.pdf": b"%PDF"})
    chosen = page.get_by_role("list", name="Chosen files")
    expect(chosen).to_contain_text("Ideas.xlsx")
    expect(chosen).to_contain_text("plan.pdf")
    looks_right(page, width)
    page.get_by_role("button", name="Show the plan").click()
    understood = page.get_by_role("heading", name="The table is not understood yet")
    expect(understood).to_be_visible(timeout=LATE)
    looks_right(page, width)


def rehearse(page: Page, width: int) -> None:
    """Rehearse it without a budget, and go back to the plan."""
    page.get_by_label("Continue without 1 row").check()
    page.get_by_role("button", name="Rehearse free").click()
    outcome = page.get_by_role("region", name="Outcome")
    expect(outcome).to_contain_text("rows with problems were left out", timeout=LATE)
    expect(outcome).to_contain_text("2 completed")
    expect(outcome).to_contain_text("would have cost $0.24")
    looks_right(page, width)
    page.get_by_role("link", name="Back to the plan").click()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_from_a_drop_to_a_finished_batch(page: Page, site: Site, width: int, scheme: str) -> None:
    """Mapped with a preview, a missing picture added, rehearsed, asked once, bought."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 844})
    where = f"a {scheme} table"
    drop_all(page, where, width)
    map_columns(page)
    preview = page.get_by_role("group", name="Columns and first rows")
    expect(preview).to_contain_text(f"a jug on {where}")
    expect(preview.locator("td.wrong")).to_have_count(2)
    pictures = page.get_by_role("region", name="Pictures")
    expect(pictures).to_contain_text("2 pictures used by rows; 1 picture that no row names")
    for words in ("x/spare.png", "Ideas!C4: cup.png", "plan.pdf: neither a table nor a picture"):
        expect(pictures).to_contain_text(words)
    looks_right(page, width)
    page.get_by_label("Add pictures").set_input_files(
        {"name": "CUP.png", "mimeType": "image/png", "buffer": png("green")}
    )
    expect(pictures).to_contain_text("3 pictures used by rows", timeout=LATE)
    expect(preview.get_by_label("Motiv")).to_have_value("image")
    expect(preview.locator("td.wrong")).to_have_count(1)

    rehearse(page, width)
    assert site.folder.bought() == []

    expect(preview.get_by_label("Motiv")).to_have_value("image", timeout=LATE)
    page.locator("#budget").fill("1.50")
    expect(page.get_by_label("Continue without 1 row")).to_be_checked()
    page.get_by_role("button", name="Buy 2 videos for about $0.24").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("1 row with problems will be left out.")
    expect(question).to_contain_text("Never more than the budget of $1.50.")
    looks_right(page, width)
    assert site.folder.bought() == []
    question.get_by_role("button", name="Buy 2 videos").click()
    page.wait_for_url("**/batches/*", timeout=LATE)
    expect(page.locator("#summary")).to_contain_text("2 completed", timeout=LATE)
    for started in site.web.launcher.all():
        started.process.wait(60)
    assert sorted(site.folder.bought()) == [f"a jug on {where}", f"a mug on {where}"]


def load(http: httpx.Client, *files: tuple[str, bytes]) -> httpx.Response:
    """Send files as one form."""
    return http.post(
        "/manifests", files=[("file", (name, io.BytesIO(data))) for name, data in files]
    )


ROWS = b"prompt,image\na tin of %s,C:\\ads\\a.png\n"


def test_a_run_gets_the_pictures_that_came_with_the_table(http: httpx.Client, site: Site) -> None:
    """They are sent, and kept with the batch: the next time nobody drops them again."""
    address = load(http, ("m.csv", ROWS % b"tea"), ("A.png", png("red"))).headers["HX-Redirect"]
    page = http.get(f"{address}?part").text
    assert "1 picture used by rows." in words_of(page)
    form = hidden_of(page) | {"budget": "1"}
    assert http.post(f"{address}/start", data=form).status_code == 204
    assert "1 completed" in finished(site)
    (job,) = site.web.queries.page(batch_named(site, "m").id, Filter(), 5).jobs
    assert job.asked.image is not None


def test_the_same_table_with_other_pictures_is_another_one(http: httpx.Client, site: Site) -> None:
    """A run may be reading the first one; nothing that was kept is changed."""
    first = load(http, ("m.csv", ROWS % b"a"), ("a.png", png("red"))).headers["HX-Redirect"]
    again = load(http, ("m.csv", ROWS % b"a"), ("a.png", png("red"))).headers["HX-Redirect"]
    other = load(http, ("m.csv", ROWS % b"a"), ("a.png", png("blue"))).headers["HX-Redirect"]
    assert first == again != other
    form = hidden_of(http.get(f"{first}?part").text)
    files = [("file", ("A.PNG", io.BytesIO(png("green"))))]
    shown = http.post(f"{first}/pictures", data=form, files=files)
    assert shown.status_code == 200
    added = shown.headers["HX-Replace-Url"]
    assert added not in (first, other)
    kept = {path.parts[-3]: path for path in site.web.manifest_folder.glob("*/pictures/*")}
    assert len(kept) == 3
    assert kept[first.rpartition("/")[2]].read_bytes() == png("red")
    assert kept[added.rpartition("/")[2]].read_bytes() == png("green")
    assert {path.stat().st_mode & 0o777 for path in kept.values()} == {0o600}
    assert not [*site.web.manifest_folder.glob(".new-*"), *site.web.manifest_folder.glob("*.part")]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([("a.png", b"x")], "the table with the prompts"),
        ([("a.csv", b"prompt\nx\n"), ("b.csv", b"prompt\ny\n")], "several tables: a.csv, b.csv"),
        (
            [("a.csv", b"prompt\nx\n"), ("z.zip", b"PK")],
            "z.zip can&#39;t be used: the zip",
        ),
        ([("a.docx", b"x")], "a.docx: neither a table nor a picture"),
    ],
)
def test_what_can_not_be_used_is_refused(
    http: httpx.Client, site: Site, files: list[tuple[str, bytes]], says: str
) -> None:
    """In words beside the field, and nothing is kept."""
    answer = load(http, *files)
    assert answer.status_code == 422
    assert says in answer.text
    assert [*site.web.manifest_folder.iterdir()] == []


def test_another_table_is_not_added(http: httpx.Client) -> None:
    """Only pictures are; the plan stays as it is."""
    address = load(http, ("m.csv", ROWS % b"a")).headers["HX-Redirect"]
    files = [("file", ("n.csv", io.BytesIO(b"prompt\nx\n")))]
    answer = http.post(f"{address}/pictures", files=files)
    assert answer.status_code == 409
    assert "Only pictures can be added" in answer.text


def test_a_price_is_agreed_to_once(http: httpx.Client, site: Site) -> None:
    """The question changes nothing; mistakes come before it."""
    address = load(http, ("m.csv", b"prompt\na kettle\n")).headers["HX-Redirect"]
    form = hidden_of(http.get(f"{address}?part").text)
    wrong = http.post(f"{address}/ask", data=form)
    assert wrong.status_code == 422
    assert wrong.headers["HX-Retarget"] == "#start-form"
    assert "Set a budget" in wrong.text
    question = http.post(f"{address}/ask", data=hidden_of(wrong.text) | {"budget": "2"})
    assert question.headers["HX-Retarget"] == "#ask"
    assert "Buy 1 video for about $0.12?" in question.text
    assert "Never more than the budget of $2.00." in question.text
    assert site.web.launcher.all() == []


def test_a_rehearsal_needs_no_budget_and_no_token(
    http: httpx.Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a database and an account of its own; the page's own batches stay as they are."""
    monkeypatch.delenv("RUNBLOB_API_KEY")
    before = [batch.name for batch in site.web.queries.batches()]
    address = load(http, ("m.csv", b"prompt\na teapot\n")).headers["HX-Redirect"]
    answer = http.post(f"{address}/rehearse", data=hidden_of(http.get(f"{address}?part").text))
    assert answer.status_code == 204, answer.text
    assert "no money is spent" in answer.headers["HX-Trigger"]
    finished(site)
    shown = http.get(answer.headers["HX-Redirect"]).text
    assert "All its videos were made." in words_of(shown)
    assert "No money is spent" in words_of(shown)
    assert "batchsora web --sandbox" in words_of(shown)
    assert site.folder.bought() == []
    assert [batch.name for batch in site.web.queries.batches()] == before
    assert http.get(f"{address}/rehearsed/{'0' * 32}").status_code == 200


def test_a_table_that_was_edited_after_its_rehearsal_is_rehearsed_whole(
    http: httpx.Client, site: Site
) -> None:
    """Its prompts have videos from the first rehearsal, which is no reason to leave them out."""
    table = site.folder.path / "ideas.csv"
    for rows in ("a,a teapot\n", "a,a teapot\nb,a kettle\n"):
        table.write_text(f"id,prompt\n{rows}")
        address = f"/manifests/{token_beside(table)}"
        answer = http.post(f"{address}/rehearse", data=hidden_of(http.get(f"{address}?part").text))
        for started in site.web.launcher.all():
            started.process.wait(60)
        shown = words_of(http.get(answer.headers["HX-Redirect"]).text)
        assert "All its videos were made." in shown
        assert f"{rows.count(chr(10))} completed" in shown


def test_a_page_of_rehearsals_shows_one_too(http: httpx.Client, site: Site) -> None:
    """As ``web --sandbox`` is; its database has the name of a rehearsal's already."""
    address = load(http, ("m.csv", b"prompt\na teapot\n")).headers["HX-Redirect"]
    database = site.web.settings.database.with_name("batchsora-sandbox.db")
    site.web.settings = replace(site.web.settings, database=database, sandbox=True)
    shown = http.get(f"{address}/rehearsed/{'0' * 32}")
    assert shown.status_code == 200, shown.text
    assert "Its rehearsals are in batchsora-sandbox.db" in words_of(shown.text)


def test_pictures_are_added_where_the_disk_has_no_links(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on memory cards and some shares: those that are here already are copied."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    table = b"id,prompt,image\na,a mug,a.png\nb,a jug,b.png\n"
    address = load(http, ("m.csv", table), ("a.png", png("red"))).headers["HX-Redirect"]
    monkeypatch.setattr("os.link", refuse)
    files = [("file", ("b.png", png("blue"), "image/png"))]
    shown = http.post(f"{address}/pictures", files=files)
    assert shown.status_code == 200, shown.text
    assert "2 pictures used by rows" in words_of(shown.text)


def test_pictures_of_another_kind_are_converted_if_it_is_said(
    http: httpx.Client, site: Site
) -> None:
    """As --fit-images does: the plan says what was made, and the run sends that."""
    drawn = io.BytesIO()
    Image.new("RGB", (320, 240), "red").save(drawn, "GIF")
    table = b"prompt,image\na pan of milk,a.gif\n"
    address = load(http, ("m.csv", table), ("a.gif", drawn.getvalue())).headers["HX-Redirect"]
    shown = http.get(f"{address}?part").text
    assert "the image is actually a GIF" in words_of(shown)
    shown, form = said(http, address, fit="yes")
    assert "of 1 video to buy" in words_of(shown)
    assert "a.gif: made a JPEG" in words_of(shown)
    assert http.post(f"{address}/start", data=form | {"budget": "1"}).status_code == 204
    assert "1 completed" in finished(site)


def test_problems_stand_in_their_cells(http: httpx.Client) -> None:
    """Of the first rows; text from a table stays text."""
    table = b"prompt,duration\n<b>a lamp</b>,10\na door,soon\n"
    address = load(http, ("m.csv", table)).headers["HX-Redirect"]
    shown = http.get(f"{address}?part").text
    wrong = re.findall(r'<td class="wrong".*?</td>', shown, re.DOTALL)
    assert len(wrong) == 1
    assert "soon" in wrong[0]
    assert "<b>a lamp" not in shown
    shown, _ = said(http, address, **{"column-1": "-"})
    assert 'class="wrong"' not in shown
