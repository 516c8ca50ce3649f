"""Makes the pictures of the manual from a real run against the sandbox: ``make pictures``.

A night of thirty rows is run half way, so that something is done, under way and waiting.
"""

import csv
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from support.site import Folder, serving

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

TARGET = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SUBJECTS = ("a paper kite", "an old tram", "a lighthouse", "a teapot", "a fox", "a night market")
LIGHTS = ("at dawn", "in the rain", "in soft snow", "under neon light", "in autumn fog")
FAILS = {"a fox in the rain, slow dolly shot": ["violates our content policy"] * 9}
PATHS = {
    "batch": ("/batches/1", 1180),
    "jobs": ("/batches/1/jobs", 900),
    "gallery": ("/batches/1/gallery", 900),
    "generate": ("/generate", 860),
}
WANTED = {"-dark": ("batch",), "-phone": ("batch", "gallery")}
"""Which of them, where not all."""


WHOLE = """() => Promise.all([...document.images]
  .filter((one) => !one.complete && one.getBoundingClientRect().top < innerHeight)
  .map((one) => new Promise((done) => { one.onload = one.onerror = done; })))"""
"""Waits for the images that are in sight."""


def write_manifest(path: Path) -> None:
    """Write thirty rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "prompt", "campaign", "orientation"])
        for number, subject in enumerate(SUBJECTS):
            for light in LIGHTS:
                key = f"{subject.rpartition(' ')[2]}-{light.rpartition(' ')[2]}"
                prompt = f"{subject} {light}, slow dolly shot"
                writer.writerow(
                    [key, prompt, ("autumn", "winter")[number % 2], ("9:16", "16:9")[number % 2]]
                )


def take(page: Page, url: str, suffix: str) -> None:
    """Take each picture."""
    for name, (path, height) in PATHS.items():
        if name not in WANTED.get(suffix, PATHS):
            continue
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})  # type: ignore[index]
        page.goto(url + path)
        expect(page.locator("#link")).to_have_attribute("data-state", "live")
        page.wait_for_load_state("networkidle") if name != "batch" else page.wait_for_timeout(1500)
        page.evaluate(WHOLE)
        page.screenshot(path=TARGET / f"{name}{suffix}.png")


def ideas() -> tuple[bytes, bytes]:
    """Make a workbook as its author has it, and the zip of its pictures; one is missing."""
    made, packed = openpyxl.Workbook(), io.BytesIO()
    sheet = made.worksheets[0]
    sheet.title = "Ideas"
    sheet.append(["Nr", "What we show", "Start picture", "Length (sec)", "Owner"])
    with zipfile.ZipFile(packed, "w") as archive:
        for number, subject in enumerate(SUBJECTS, 1):
            prompt = f"{subject} {LIGHTS[number % 5]}, slow dolly shot"
            length = 12 if number == 3 else 10  # one that can't be bought
            row = [
                number,
                prompt,
                f"C:\\Ads\\Motif {number}.png",
                length,
                ("Ann", "Bo")[number % 2],
            ]
            sheet.append(row)
            drawn = io.BytesIO()
            Image.new("RGB", (320, 240), (40 * number, 90, 200)).save(drawn, "PNG")
            if number != 5:  # its row names a picture that is missing
                archive.writestr(f"Ads/motif {number}.PNG", drawn.getvalue())
    book = io.BytesIO()
    made.save(book)
    return book.getvalue(), packed.getvalue()


def take_loading(page: Page, url: str, suffix: str) -> None:
    """Take a table that is loaded with its pictures."""
    book, pictures = ideas()
    page.goto(f"{url}/manifests/new")
    page.locator("#file").set_input_files(
        [
            {"name": "Ideas.xlsx", "mimeType": "application/zip", "buffer": book},
            {"name": "Ads.zip", "mimeType": "application/zip", "buffer": pictures},
        ]
    )
    page.get_by_role("button", name="Show the plan").click()
    preview = page.get_by_role("group", name="Columns and first rows")
    preview.get_by_label("What we show").select_option("prompt")
    if page.get_by_role("button", name="Show the plan").is_visible():
        page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#start-form")).to_be_visible()
    preview.get_by_label("Start picture").select_option("image")
    expect(page.get_by_role("region", name="Pictures")).to_contain_text("5 pictures used")
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=TARGET / f"load{suffix}.png")


def take_report(browser: Browser, folder: Path) -> None:
    """Take the picture of the report, once the night is over."""
    page = browser.new_page(viewport={"width": 1000, "height": 1180})
    page.goto((folder / "night.html").as_uri())
    page.screenshot(path=TARGET / "report.png")
    browser.close()


def main() -> None:
    """Run the night half way, and take the pictures light, dark and on a phone."""
    chromium = shutil.which("chromium") or sys.exit("there is no Chromium")
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        write_manifest(folder / "autumn.csv")
        with SandboxServer(World(time_scale=30.0, failures=FAILS)) as api:
            desk = Folder(folder, api)
            desk.enter(patch)
            run = subprocess.Popen(
                [sys.executable, "-m", "batchsora", "run", "autumn.csv", "--budget", "6.00",
                 "--yes", "--max-in-flight", "8", "--poll-interval", "0.5", "--quiet"],
                cwd=folder, env=dict(os.environ),
            )  # fmt: skip
            time.sleep(30)
            arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
            with serving(desk) as site, sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
                for scheme, width, suffix in (
                    ("light", 1180, ""), ("dark", 1180, "-dark"), ("light", 390, "-phone"),
                ):  # fmt: skip
                    context = browser.new_context(
                        color_scheme=scheme, viewport={"width": width, "height": 900}
                    )
                    page = context.new_page()
                    page.goto(site.entrance)
                    page.wait_for_url(f"{site.url}/")
                    take(page, site.url, suffix)
                    if suffix != "-dark":
                        take_loading(page, site.url, suffix)
                    context.close()
                browser.close()
            run.wait(120)
            desk.call("report", "-o", "night.html")
            with sync_playwright() as playwright:
                take_report(
                    playwright.chromium.launch(executable_path=chromium, args=arguments), folder
                )


if __name__ == "__main__":
    main()
