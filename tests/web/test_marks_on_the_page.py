"""A small file that somebody uploads does not stop the page for everybody."""

import threading
import time

import httpx
from web.test_manifest_page import upload

MARKS = "\u0301\u0323" * 50_000
"""200 kB; Python sorts them one by one, and lets no other thread work meanwhile."""


def test_other_pages_are_answered_while_a_plan_is_made(http: httpx.Client) -> None:
    """The pages are in this process: what holds its threads holds these, too."""
    address = upload(http, "m.csv", f"prompt,duration\nA kite,10{MARKS}\n")
    shown: list[str] = []

    def ask() -> None:
        with httpx.Client(base_url=http.base_url, cookies=http.cookies, timeout=300) as other:
            shown.append(other.get(f"{address}?part").text)

    asked = threading.Thread(target=ask, daemon=True)
    asked.start()
    longest = 0.0
    while asked.is_alive():
        start = time.monotonic()
        assert http.get("/", timeout=300).status_code == 200
        longest = max(longest, time.monotonic() - start)
    assert longest < 5
    assert "unsupported duration" in shown[0]
