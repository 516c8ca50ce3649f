"""A second account of the machine, as a process of its own: tries what the port and the disk give.

Started with one JSON object on its input: what it knows. Prints one JSON object: what it got. As
root it becomes that account first; only the standard library, which is imported before.
"""

import encodings.idna  # noqa: F401 - looked for when a connection is made, and not to be read then
import http.client
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

READS = ("/", "/login", "/batches/1", "/batches/1/jobs", "/jobs/1", "/metrics", "/events",
         "/generate", "/manifests/new", "/batches/1/gallery", "/healthz")  # fmt: skip
CHANGES = ("/generate", "/manifests", "/batches/1/pause", "/batches/1/resume", "/batches/1/retry",
           "/jobs/4/retry", "/jobs/1/redo", "/logout")  # fmt: skip
GUESSES = 200


def ask(port: int, method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    """Send a request; give what came back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = "prompt=stolen&budget=5&cap=5&yes=1" if method == "POST" else None
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    status, text = answer.status, answer.read(100_000).decode("utf-8", "replace")
    cookie = answer.headers.get("Set-Cookie")
    connection.close()
    return {"asked": f"{method} {path}", "status": status, "text": text, "cookie": cookie}


def tries(port: int) -> list[dict[str, Any]]:
    """Read every page, forge every change, guess tickets."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    forged = {
        "Origin": f"http://127.0.0.1:{port}",
        "Sec-Fetch-Site": "same-origin",
        "X-CSRF-Token": secrets.token_hex(32),
        "Cookie": f"batchsora-{port}={secrets.token_urlsafe(16)}.{secrets.token_hex(32)}",
    }
    accepts = ({"Accept": "text/html"}, {"Accept": "*/*"}, {"Authorization": "Bearer "})
    got = [ask(port, "GET", path, headers) for path in READS for headers in accepts]
    got += [ask(port, "POST", path, form | extra) for path in CHANGES for extra in ({}, forged)]
    guesses = ["", *(secrets.token_urlsafe(32) for _ in range(GUESSES))]
    return got + [ask(port, "GET", f"/enter/{guess}", {}) for guess in guesses]


def read(path: str) -> str | None:
    """Read a file, or list a folder; None where that is refused."""
    try:
        found = Path(path)
        if found.is_dir():
            return "\n".join(os.listdir(path))  # noqa: PTH208 - glob() swallows refusals
        return found.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None


def main() -> None:
    """Try everything."""
    given = json.load(sys.stdin)
    if given["user"] is not None:
        os.setgroups([])
        os.setresgid(*[given["user"]] * 3)
        os.setresuid(*[given["user"]] * 3)
    numbers = [one for one in os.listdir("/proc") if one.isdecimal()]  # noqa: PTH208 - as above
    got = {
        "user": os.geteuid(),
        "answers": tries(given["port"]),
        "files": {path: read(path) for path in given["files"]},
        "arguments": {one: read(f"/proc/{one}/cmdline") for one in numbers},
        "environments": {one: read(f"/proc/{one}/environ") for one in given["processes"]},
    }
    json.dump(got, sys.stdout)


if __name__ == "__main__":
    main()
