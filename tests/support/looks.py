"""What every page must look like: nothing is in anybody's way, cut, too small or run together."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
PHONE = 640  # pixels: narrower ones are touched by fingers

CUT = """() => [...document.querySelectorAll('td, th, .state, progress, .num, button, .button')]
  .filter((one) => one.checkVisibility() && !one.closest('.hidden, thead, .strip'))
  .filter((one) => { const box = one.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5); })
  .map((one) => one.outerHTML.slice(0, 200))"""
"""What is beyond the edge of the page, also where it could be scrolled into sight."""

SMALL = """() => [...document.querySelectorAll('button, .button, nav a, input:not([type=hidden]),' +
    'select, summary, textarea, .key a')]
  .filter((one) => one.checkVisibility() && !one.closest('.hidden'))
  .map((one) => one.matches('[type=checkbox], [type=radio]') ? one.closest('label') : one)
  .filter((one) => one.getBoundingClientRect().height < 43.5)
  .map((one) => one.outerHTML.slice(0, 200))"""
"""What a finger would miss: lower than 44 pixels."""


def run_together(text: str) -> list[str]:
    """Return amounts that touch the word before or behind them."""
    return re.findall(r"\S*(?:\w\$\d|\$\d[\d.]*\d[^\s\d.,;:)/-])\S*", text)


def check_look(page: Page) -> None:
    """Check a page as it is shown now, at its width and in its scheme."""
    found = Axe().run(page, options={"runOnly": RULES})
    assert found.violations_count == 0, found.generate_report()
    width = page.viewport_size["width"]  # type: ignore[index]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == []
    assert run_together(page.evaluate("document.body.innerText")) == []
    if width < PHONE:
        assert page.evaluate(SMALL) == []
