"""The report: one file that a browser without a network opens, reads aloud and prints."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page
from pypdf import PdfReader
from support.blank import blank
from support.hostile import BATCH, SCRIPTS
from support.site import QUICK, Folder, Site

from batchsora.composition.databases import existing_store
from batchsora.presentation.timeline import Course
from batchsora.report import writing
from batchsora.report.writing import HEIGHT, WIDTH, link, plots, write_report
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.tables import TableError
from jobs.model.clock import SystemClock

LENGTHS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 9_000_000)),
                   min_size=1, max_size=60)  # fmt: skip


@contextmanager
def opened(browser: Browser, path: Path, **options: object) -> Iterator[Page]:
    """Open a file without a network; whatever asks for one, or runs, fails the test."""
    context = browser.new_context(offline=True, **options)  # type: ignore[arg-type]
    page = context.new_page()
    wrong: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert wrong == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]


def test_it_tells_the_night_without_a_network(world: Folder, browser: Browser) -> None:
    """Figures, plots, failures with advice, pictures and rows; its links lead to the files."""
    target = world.path / "night.html"
    assert world.call("report", "-o", str(target)) == 0
    with opened(browser, target) as page:
        text = page.locator("body").inner_text()
        assert "6 of 6 done" in text.replace("\n", " ")
        assert "$0.72" in text
        assert "of $5.00" in text
        assert "violates our content policy" in text
        assert "unchanged they would be refused again" in text
        assert page.locator(".plots svg").count() == 3
        pictures = page.locator(".sheet img")
        assert pictures.count() == 5
        sizes = pictures.evaluate_all("all => all.map(one => one.naturalWidth)")
        assert min(sizes) > 100
        assert page.locator(".rows tbody tr").count() == 6
        for address in page.locator(".sheet a").evaluate_all("all => all.map(one => one.href)"):
            assert httpx.URL(address).path.endswith(".mp4")
            assert Path(httpx.URL(address).path).is_file()
        assert page.locator("script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_is_read_by_everybody(world: Folder, browser: Browser, scheme: str, width: int) -> None:
    """axe-core finds nothing, nothing scrolls sideways."""
    target = world.path / "night.html"
    assert world.call("report", "-o", str(target)) == 0
    viewport = {"width": width, "height": 900}
    with opened(browser, target, color_scheme=scheme, viewport=viewport) as page:
        rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
        found = Axe().run(page, options={"runOnly": rules})
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_it_prints(world: Folder, browser: Browser) -> None:
    """The pages have its text, its table's head again on each, and its pictures."""
    target = world.path / "night.html"
    assert world.call("report", "-o", str(target), "--batch", "prompts") == 0
    with opened(browser, target) as page:
        page.pdf(path=world.path / "night.pdf", format="A4")
    printed = PdfReader(world.path / "night.pdf")
    text = "\n".join(sheet.extract_text() for sheet in printed.pages)
    assert "violates our content policy" in text
    assert all(key in text for key in ("kite", "owl", "fox", "storm", "train", "tea"))
    assert sum(len(sheet.images) for sheet in printed.pages) >= 5


def test_hostile_text_is_text(hostile: Path, browser: Browser) -> None:
    """No prompt, key, campaign, error or name of a batch is anything else."""
    wrong = {f"prompt {script}": [f"failed {script}"] * 9 for script in SCRIPTS[:4]}
    with SandboxServer(World(time_scale=5000.0, failures=wrong)) as api:
        folder = Folder(hostile, api)
        words = ("--name", BATCH, "--budget", "5", "--yes", *QUICK)
        assert folder.call("run", "bad.csv", *words) == 3
        assert folder.call("report", "-o", str(hostile / "out.html")) == 0
    with opened(browser, hostile / "out.html") as page:
        assert page.evaluate("window.hacked") is None
        assert BATCH in page.locator("h1").inner_text()
        shown = page.locator(".rows").inner_text()
        for script in SCRIPTS[:5]:
            assert f"prompt {script}" in shown
        assert "\u202e" not in page.content()


def test_json_says_what_was_written(world: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no room is counted, in the file as well."""
    monkeypatch.setattr(writing, "ROWS", 4)
    monkeypatch.setattr(writing, "PICTURES", 2)
    target = world.path / "night.html"
    code, said = world.typed("report", "-o", str(target), "--json")
    assert code == 0
    assert json.loads(said) == {
        "file": str(target),
        "batches": ["prompts"],
        "rows": 4,
        "left_out": 2,
        "pictures": 2,
        "bytes": target.stat().st_size,
    }
    text = target.read_text()
    assert "2 jobs more" in text
    assert "and 3 videos more" in text


@pytest.mark.parametrize(
    ("name", "problem"),
    [("night.pdf", "ends with .html"), ("folder.html", "folder"), ("no/night.html", "Create it")],
)
def test_what_can_t_be_written_is_said(world: Folder, name: str, problem: str) -> None:
    """With what to do, and nothing is left behind."""
    (world.path / "folder.html").mkdir()
    before = sorted(world.path.iterdir())
    target = world.path / name
    with existing_store(world.path / "batchsora.db") as store:
        now = SystemClock().now()
        with pytest.raises(TableError, match=re.escape(problem)):
            write_report(store, target, None, now, world.path / ".batchsora")
    assert world.call("report", "-o", str(target)) == 2
    assert sorted(world.path.iterdir()) == before


def test_what_was_there_stays_when_it_fails(world: Folder) -> None:
    """A batch that does not exist leaves last night's report as it is."""
    target = world.path / "night.html"
    target.write_text("last night's")
    assert world.call("report", "-o", str(target), "--batch", "nobody") == 2
    assert target.read_text() == "last night's"
    assert not list(world.path.glob(".*.part"))


def test_a_video_that_is_gone_has_no_picture(world: Folder) -> None:
    """It has its place and says so."""
    for video in (world.path / "videos").rglob("*.mp4"):
        video.write_bytes(b"no video")
    target = world.path / "night.html"
    assert world.call("report", "-o", str(target)) == 0
    text = target.read_text()
    assert text.count("no picture") == 5
    assert "data:image" not in text


def test_an_empty_database_has_a_report_too(tmp_path: Path, api: SandboxServer) -> None:
    """It says that there is nothing."""
    folder = Folder(tmp_path, api)
    blank(tmp_path / "batchsora.db")
    target = tmp_path / "out.html"
    said = f"0 row(s) and 0 picture(s) in {target}\n"
    assert folder.typed("report", "-o", str(target)) == (0, said)
    assert "No batch yet" in target.read_text()


def test_the_page_links_nothing_outside(site: Site) -> None:
    """What the report is made of asks for nothing."""
    assert site.folder.call("report", "-o", str(site.folder.path / "out.html")) == 0
    text = (site.folder.path / "out.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", text)
    assert "url(" not in text
    assert "@import" not in text


@given(LENGTHS, st.none() | st.floats(0, 1000))
def test_whatever_is_drawn_lies_within_its_plot(
    figures: list[tuple[int, int, int]], cap: float | None
) -> None:
    """No bar, line or limit leaves it."""
    spent, total = [], 0.0
    for _, _, charged in figures:
        total += charged / 1e6
        spent.append(total)
    course = Course(
        60,
        list(range(0, 60 * len(figures), 60)),
        [done + 1 for done, _, _ in figures],
        [failed for _, failed, _ in figures],
        spent,
        [(0, 0), (30, 4), (60, 1)],
    )
    found = plots(course, cap)
    assert len(found) == 3
    for plot in found:
        for bar in plot.bars:
            assert -1e-6 <= bar.x <= bar.x + bar.width <= WIDTH + 1e-6
            assert -1e-6 <= bar.y <= bar.y + bar.height <= HEIGHT + 1e-6
        for corner in plot.line.split():
            x, y = map(float, corner.split(","))
            assert 0 <= x <= WIDTH + 0.1
            assert -0.1 <= y <= HEIGHT + 0.1
        assert plot.limit is None or -0.1 <= plot.limit <= HEIGHT + 0.1


def test_nothing_is_drawn_of_nothing() -> None:
    assert plots(Course(), 5.0) == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/a/b/videos/x y.mp4", "videos/x%20y.mp4"),
        ("/a/c/ü#?.mp4", "../c/%C3%BC%23%3F.mp4"),
        ("/a/b/javascript:alert(1).mp4", "javascript%3Aalert%281%29.mp4"),
    ],
)
def test_a_link_goes_from_the_report_to_the_file(file: str, expected: str) -> None:
    """However it is called."""
    assert link(file, Path("/a/b/night.html")) == expected
