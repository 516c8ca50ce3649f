"""Hostile text wherever people and the provider may put it, and what it does there: nothing."""

import html
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from support.hostile import BATCH, SCRIPTS
from support.site import QUICK, Folder, Site, client, serving

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World


def test_nothing_that_is_shown_runs(hostile: Path, page: Page) -> None:
    """Each text is on the page as it is, and none of it is anything but text."""
    wrong = {f"prompt {script}": [f"failed {script}"] * 9 for script in SCRIPTS[:4]}
    with SandboxServer(World(time_scale=2000.0, failures=wrong)) as api:
        folder = Folder(hostile, api)
        code = folder.call("run", "bad.csv", "--name", BATCH, "--yes", "--skip-invalid", *QUICK)
        assert code == 3
        with serving(folder) as site:
            dialogs: list[str] = []
            page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
            page.goto(site.entrance)
            page.wait_for_url(f"{site.url}/")
            paths = ["/", "/batches/1", "/batches/1/jobs", "/batches/1/jobs?state=failed"]
            paths += [f"/jobs/{number}" for number in range(1, 9)]
            for path in paths:
                page.goto(site.url + path)
                expect(page.locator("#link")).to_have_attribute("data-state", "live")
                assert page.evaluate("window.hacked") is None, path
                assert page.locator("main script, main [onerror], main [onload]").count() == 0
                page.keyboard.press("Tab")
            page.goto(f"{site.url}/batches/1/jobs")
            expect(page.locator("tbody")).to_contain_text("<script>window.hacked=1</script>")
            expect(page.locator("tbody")).to_contain_text("&lt;b&gt; &amp;")
            page.goto(f"{site.url}/batches/1")
            page.get_by_role("button", name="Retry failures").click()
            expect(page.get_by_role("dialog")).to_be_visible()
            assert page.evaluate("window.hacked") is None
            assert dialogs == []
            page.goto("about:blank")  # or it would ask this server, which ends, for its changes


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_address_is_no_way_in(http: httpx.Client, script: str) -> None:
    """What a search, a filter or a path says comes back as text, or not at all."""
    for name in ("q", "state", "kind", "campaign", "after", "before", "part"):
        answer = http.get("/batches/1/jobs", params={name: script}, headers={"Accept": "text/html"})
        assert answer.status_code == 200
        if any(sign in script for sign in "<>\"'"):
            assert script not in answer.text, name
        if name == "q":
            shown = html.escape(script).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
            assert f'value="{shown}"' in answer.text
    answer = http.get(f"/{script}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "hacked" not in answer.text


def test_an_id_of_a_generation_is_no_way_in(http: httpx.Client) -> None:
    """What is typed to settle a doubt is refused in words, without a trace of a script."""
    answer = http.post("/jobs/1/resolve", data={"generation": SCRIPTS[0]})
    assert answer.status_code == 409
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_header_says_one_thing(site: Site) -> None:
    """A text in a header can't begin another one."""
    with client(site) as http:
        answer = http.post("/jobs/4/retry")
        assert answer.status_code == 204
        assert answer.headers["hx-trigger"].isascii()
        assert "\n" not in answer.headers["hx-trigger"]
