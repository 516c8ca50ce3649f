"""The gallery: the player by mouse and keyboard, verdicts, redoing, files as browsers want them."""

import io
import zipfile
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from support.site import QUICK, Site

from jobs.ports.selection import NONE, Shelf, Verdict
from jobs.store import browsing, views

GALLERY = "/batches/1/gallery"


def keys(page: Page) -> list[str]:
    """Read the keys of the tiles, in their order."""
    return page.locator(".tile .key").all_text_contents()


def attempt(site: Site, key: str) -> int:
    """Number the attempt of a job."""
    return int(site.read(lambda c: views.find_job(c, key)).attempt_id)


def test_videos_are_played_by_mouse_and_keyboard(page: Page) -> None:
    """A tile opens the player; the video is decoded, can be sought, and the keys go through it."""
    page.goto(f"{GALLERY}?order=row")
    assert keys(page) == ["kite", "owl", "fox", "train", "tea"]
    page.locator(".tile .open").first.click()
    player = page.get_by_role("dialog")
    expect(player.get_by_role("heading")).to_have_text("kite")
    video = player.locator("video")
    expect(video).to_have_js_property("readyState", 4)
    length = video.evaluate("v => v.duration")
    assert length > 0
    video.evaluate("v => { v.pause(); v.currentTime = v.duration / 2; }")
    expect(video).to_have_js_property("seeking", False)
    assert video.evaluate("v => v.currentTime") > length / 3
    page.keyboard.press("ArrowRight")
    expect(player.get_by_role("heading")).to_have_text("owl")
    expect(player.locator(".place")).to_have_text("2 of 5")
    page.keyboard.press("j")
    expect(player.get_by_role("heading")).to_have_text("fox")
    expect(player.locator(".prompt")).to_have_text("a fox <b>in</b> the & snow")
    page.keyboard.press("k")
    expect(player.get_by_role("heading")).to_have_text("owl")
    page.keyboard.press("Escape")
    expect(player).to_be_hidden()
    expect(page.locator(".tile .open").nth(1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(player.get_by_role("heading")).to_have_text("fox")


def test_keys_work_at_once(page: Page) -> None:
    """Nothing was clicked yet: J and K move, Enter opens; a click beside the tiles takes no key."""
    page.goto(f"{GALLERY}?order=row")
    tiles = page.locator(".tile .open")
    expect(tiles.nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(tiles.nth(2)).to_be_focused()
    page.keyboard.press("k")
    expect(tiles.nth(1)).to_be_focused()
    page.get_by_role("heading", name="prompts").click()
    page.keyboard.press("f")
    expect(page.locator("#said")).to_contain_text("owl is a favourite")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text("owl")
    page.keyboard.press("?")
    expect(page.locator(".keys div").filter(has_text="or J")).to_contain_text("next")
    expect(page.locator(".keys div").filter(has_text="or K")).to_contain_text("previous")


def test_a_field_keeps_its_keys(page: Page) -> None:
    """What is typed into the search is no command."""
    page.goto(f"{GALLERY}?order=row")
    page.get_by_label("Search").press_sequentially("fjkx")
    expect(page.get_by_label("Search")).to_have_value("fjkx")
    expect(page.locator("#said")).to_be_hidden()


def test_a_video_is_judged(page: Page, site: Site) -> None:
    """By button and key; it is kept, filtered by, and taken back."""
    page.goto(f"{GALLERY}?order=row")
    page.locator(".tile .open").nth(0).focus()
    page.keyboard.press("f")
    expect(page.locator("#said")).to_contain_text("kite is a favourite")
    page.locator(".tile .open").nth(1).click()
    reject = page.locator("#player").get_by_role("button", name="✕ Reject")
    reject.click()
    expect(reject).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#said")).to_contain_text("owl is rejected")
    both = [attempt(site, "kite"), attempt(site, "owl")]
    found = site.read(lambda c: browsing.verdicts(c, both))
    assert set(found.values()) == {"favourite", "rejected"}
    page.goto(f"{GALLERY}?verdict=favourite")
    assert keys(page) == ["kite"]
    page.goto(f"{GALLERY}?verdict=none&order=row")
    assert keys(page) == ["fox", "train", "tea"]
    page.goto(f"{GALLERY}?verdict=rejected")
    page.locator(".tile .open").focus()
    page.keyboard.press("x")
    expect(page.locator("#said")).to_contain_text("owl is no longer rated")


def test_a_rejected_video_is_bought_again(page: Page, site: Site) -> None:
    """The price and the cap are said first; the first video stays in the job's history."""
    old = attempt(site, "owl")
    page.goto(f"{GALLERY}?order=row")
    page.locator(".tile .open").nth(1).click()
    page.get_by_role("button", name="Redo").click()
    dialog = page.locator("#ask")
    expect(dialog).to_contain_text("Buy owl again for about $0.12?")
    expect(dialog).to_contain_text("the budget leaves $4.")
    assert site.folder.bought() == []
    dialog.get_by_role("button", name="Buy it again").click()
    expect(page.locator("#said")).to_contain_text("owl is queued again")
    assert site.folder.call("run", "--batch", "prompts", *QUICK) == 3  # the storm failed before
    assert site.folder.bought() == ["an owl that turns its head in the snow"]
    assert attempt(site, "owl") != old
    page.goto("/jobs/2")
    expect(page.locator(".story li")).to_have_count(2)
    # and the unchanged manifest buys nothing more
    assert site.folder.call("run", "prompts.csv", *QUICK) == 3
    assert len(site.folder.bought()) == 1


def test_only_what_is_completed_is_redone(http: httpx.Client, site: Site) -> None:
    """A failed job has no video to be bought again, nor one to be judged."""
    assert http.post("/jobs/4/redo").status_code == 409
    assert http.post("/jobs/4/verdict", data={"verdict": "favourite"}).status_code == 409
    assert http.post("/jobs/1/verdict", data={"verdict": "superb"}).status_code == 409
    assert site.read(lambda c: views.find_job(c, "storm")).state == "failed"


def test_a_file_is_served_as_players_want_it(http: httpx.Client, site: Site) -> None:
    """Whole, by ranges, not again when it is known; inline or as a download."""
    job = site.read(lambda c: views.find_job(c, "kite"))
    data = Path(job.file).read_bytes()
    path = f"/files/{job.attempt_id}"
    whole = http.get(path)
    assert whole.content == data
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["accept-ranges"] == "bytes"
    for asked, start, end in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(data)),
        ("bytes=-50", len(data) - 50, len(data)),
    ):
        part = http.get(path, headers={"Range": asked})
        assert part.status_code == 206, asked
        assert part.content == data[start:end]
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(data)}"
    assert http.get(path, headers={"Range": f"bytes={len(data)}-"}).status_code == 416
    assert "attachment" in http.get(f"{path}?download").headers["content-disposition"]
    assert 'filename="kite.mp4"' in http.get(path).headers["content-disposition"]


def test_only_recorded_files_are_served(http: httpx.Client, site: Site) -> None:
    """Not one that is gone, of another size, a folder or a link to somewhere; nor by any path."""
    job = site.read(lambda c: views.find_job(c, "kite"))
    path, file = f"/files/{job.attempt_id}", Path(job.file)
    data = file.read_bytes()
    file.write_bytes(data + b"more")
    assert http.get(path).status_code == 410
    file.unlink()
    assert http.get(path).status_code == 410
    file.mkdir()
    assert http.get(path).status_code == 410
    for other in ("/files/0", "/files/9999", "/files/..%2f..%2fbatchsora.db", "/files/kite.mp4"):
        assert http.get(other).status_code == 404, other
    poster = http.get(f"/posters/{job.attempt_id}.jpg")
    assert poster.status_code == 200
    assert poster.headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_no_link_is_followed_to_a_file(linked: str, http: httpx.Client, site: Site) -> None:
    """Neither one in place of a video nor of its batch's folder: not shown, not in the zip."""
    job = site.read(lambda c: views.find_job(c, "kite"))
    file = Path(job.file)
    place = file if linked == "file" else file.parent
    place.rename(place.with_name("elsewhere"))
    place.symlink_to(place.with_name("elsewhere"))
    answer = http.get(f"/files/{job.attempt_id}")
    assert answer.status_code == 410
    assert f"{place} is a link, which is not followed" in answer.text
    poster = http.get(f"/posters/{job.attempt_id}.jpg")
    assert poster.headers["content-type"] == "image/svg+xml"
    with zipfile.ZipFile(io.BytesIO(http.get("/batches/1/videos.zip").content)) as archive:
        assert "kite.mp4" not in archive.namelist()


def test_the_folder_for_videos_may_be_a_link(http: httpx.Client, site: Site) -> None:
    """It is the person's own, to a larger disk."""
    job = site.read(lambda c: views.find_job(c, "kite"))
    folder = Path(job.file).parent.parent
    folder.rename(folder.with_name("disk"))
    folder.symlink_to(folder.with_name("disk"))
    assert http.get(f"/files/{job.attempt_id}").status_code == 200


@pytest.mark.parametrize("name", ["posters", "thumbs"])
def test_no_picture_is_made_through_a_link(name: str, http: httpx.Client, site: Site) -> None:
    """What the page keeps stays where it belongs."""
    folder = site.web.folder / name
    home = folder.with_name("home")
    home.mkdir()
    folder.symlink_to(home)
    job = site.read(lambda c: views.find_job(c, "kite"))
    path = f"/posters/{job.attempt_id}.jpg" if name == "posters" else f"/thumbs/{job.id}.jpg"
    assert http.get(path).headers["content-type"] == "image/svg+xml"
    assert list(home.iterdir()) == []


def test_posters_are_frames_and_thumbnails_are_images(http: httpx.Client, site: Site) -> None:
    """Made once, kept by content; an image that has changed has none."""
    number = attempt(site, "kite")
    poster = http.get(f"/posters/{number}.jpg")
    assert poster.headers["content-type"] == "image/jpeg"
    assert poster.content[:3] == b"\xff\xd8\xff"
    (kept,) = (site.web.folder / "posters").iterdir()
    assert http.get(f"/posters/{number}.jpg").content == kept.read_bytes() == poster.content
    (site.folder.path / "kite.png").write_bytes(b"\x89PNG\r\n\x1a\n another")
    assert http.get("/thumbs/1.jpg").headers["content-type"] == "image/svg+xml"
    assert http.get("/thumbs/2.jpg").headers["content-type"] == "image/svg+xml"


def test_a_thumbnail(http: httpx.Client) -> None:
    """Of the image as it was loaded."""
    answer = http.get("/thumbs/1.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content[:3] == b"\xff\xd8\xff"


def test_a_file_that_is_no_video_has_no_poster(http: httpx.Client, site: Site) -> None:
    """A placeholder, however often it is asked for."""
    job = site.read(lambda c: views.find_job(c, "kite"))
    file = Path(job.file)
    file.write_bytes(b"\0" * file.stat().st_size)
    for _ in range(2):
        answer = http.get(f"/posters/{job.attempt_id}.jpg")
        assert answer.headers["content-type"] == "image/svg+xml"


def test_all_as_a_zip(http: httpx.Client, site: Site) -> None:
    """Streamed, each file as it is on disk, named by its key; or the favourites alone."""
    answer = http.get("/batches/1/videos.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = sorted(archive.namelist())
        assert names == ["fox.mp4", "kite.mp4", "owl.mp4", "tea.mp4", "train.mp4"]
        job = site.read(lambda c: views.find_job(c, "tea"))
        assert archive.read("tea.mp4") == Path(job.file).read_bytes()
    http.post("/jobs/1/verdict", data={"verdict": "favourite"})
    answer = http.get("/batches/1/videos.zip?verdict=favourite")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["kite.mp4"]


def test_new_videos_are_announced_not_moved(page: Page, site: Site) -> None:
    """What one looks at stays where it is; a button says how many came."""
    page.goto(GALLERY)
    assert "tea" in keys(page)
    old = attempt(site, "tea")
    page.goto(f"{GALLERY}?order=row")
    page.locator(".tile .open").nth(4).click()
    page.get_by_role("button", name="Redo").click()
    page.locator("#ask").get_by_role("button", name="Buy it again").click()
    expect(page.locator("#said")).to_contain_text("tea is queued again")
    page.goto(GALLERY)
    assert "tea" not in keys(page)
    site.folder.call("run", "--batch", "prompts", *QUICK)
    assert attempt(site, "tea") != old
    expect(page.get_by_role("link", name="1 new video: show")).to_be_visible()
    assert "tea" not in keys(page)
    page.get_by_role("link", name="1 new video: show").click()
    expect(page.locator(".tile .key").first).to_have_text("tea")


@pytest.mark.parametrize("path", [GALLERY, f"{GALLERY}#job-1", "/batches/1/contact-sheet"])
def test_the_gallery_stands_in_nobodys_way(page: Page, path: str) -> None:
    """axe-core finds nothing, with the player open as well; a phone does not scroll sideways."""
    page.goto(path)
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_verdicts_of_the_shelf(site: Site) -> None:
    """Kept by attempt, replaced, forgotten; each shelf has its own."""
    number = attempt(site, "fox")
    now = site.web.clock.now()

    def judged(verdict: Verdict | None) -> list[list[str]]:
        site.write(lambda c: browsing.judge(c, number, verdict, now))
        return [
            [
                job.key
                for job in site.read(lambda c, s=s: browsing.videos(c, 1, Shelf(verdict=s), 9))
            ]
            for s in (*Verdict, NONE)
        ]

    assert judged(Verdict.FAVOURITE)[0] == ["fox"]
    assert judged(Verdict.REJECTED)[:2] == [[], ["fox"]]
    assert "fox" in judged(None)[2]
