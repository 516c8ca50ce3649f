"""A server on loopback that hears callbacks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Ear:
    """A server that hears callbacks.

    Attributes:
        url: where.
        answers: statuses, used up one callback at a time; then 204.
        heard: headers and bodies.
        enough: set when a callback was answered with 204.
    """

    url: str = ""
    answers: list[int] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)


@contextmanager
def listening(*answers: int) -> Iterator[Ear]:
    """Hear callbacks; ``answers`` as in :class:`Ear`."""
    ear = Ear(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            ear.heard.append(({k.lower(): v for k, v in self.headers.items()}, body))
            status = ear.answers.pop(0) if ear.answers else 204
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if status == 204 or len(ear.heard) == 5:
                ear.enough.set()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        ear.url = f"http://127.0.0.1:{server.server_port}/told"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield ear
        finally:
            server.shutdown()
            thread.join()
