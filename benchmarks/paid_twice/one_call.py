"""One call, one fault: how often each client of this field sends the request that is paid for."""

import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import DEVNULL, PIPE, TimeoutExpired, run
from typing import Final, Self

from peers import Peers

from batchsora import __version__

from .tools import SCRIPTS, environment

TIMEOUT: Final = 1.0
LATE: Final = 3.0
PATIENCE: Final = 240.0
AT_A_TIME: Final = 4
WITNESSES: Final = ("fal-client", "lumaai", "runwayml", "runblob", "replicate")


class Fault(StrEnum):
    """How each POST is answered; the server counts it as a creation before."""

    DROPPED = "dropped"
    ERROR_502 = "502"
    ERROR_500 = "500"
    TOO_MANY = "429"
    LATE = "late"


class Counting:
    """A server on loopback that counts POSTs, and meets each with the same fault."""

    def __init__(self, fault: Fault) -> None:
        self.creations = 0
        counting = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                counting.creations += 1
                self.close_connection = True
                if fault is Fault.DROPPED:
                    return
                if fault is Fault.LATE:
                    time.sleep(LATE)
                status = 201 if fault is Fault.LATE else int(fault)
                body = b'{"detail": "benchmark"}'
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    return  # nobody waits any more

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def creations(python: Path, client: str, fault: Fault) -> int:
    """Let a client buy one video, and count what it sent.

    Raises:
        RuntimeError: it sent nothing, or did not end.
    """
    with Counting(fault) as server, tempfile.TemporaryDirectory() as name:
        try:
            done = run(
                [python, SCRIPTS / "one_call.py", client, server.url, "--timeout", str(TIMEOUT)],
                cwd=name, env=environment(server.url, Path(name)), stdin=DEVNULL,
                stdout=DEVNULL, stderr=PIPE, text=True, check=False, timeout=PATIENCE,
            )  # fmt: skip
        except TimeoutExpired as error:
            raise RuntimeError(f"{client}, {fault}: not done after {PATIENCE:.0f} s") from error
        if done.returncode != 0 or not server.creations:
            raise RuntimeError(f"{client}, {fault}: {done.stderr.strip()[-500:]}")
        return server.creations


def measure(pythons: Mapping[str, Path]) -> dict[str, Sequence[int]]:
    """Count the creations of each client at each fault, in the order of the faults."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        under_way = {
            client: [pool.submit(creations, python, client, fault) for fault in Fault]
            for client, python in pythons.items()
        }
        return {client: [one.result() for one in runs] for client, runs in under_way.items()}


def print_all() -> None:
    """Print the table; without the witnesses there is our own line alone."""
    pythons = {"batchsora": Path(sys.executable)}
    names = {"batchsora": f"batchsora {__version__}"}
    peers = Peers("witnesses")
    problem = peers.install()
    if problem is None:
        pythons = dict.fromkeys(WITNESSES, peers.python) | pythons
        names |= {client: f"{client} {peers.version(client)}" for client in WITNESSES}
    found = measure(pythons)
    print(f"\none call that buys, with a time-out of {TIMEOUT:g} s: requests that the server got")
    print(f"{'':36}" + "".join(f"{fault:>9}" for fault in Fault))
    for client, counts in found.items():
        print(f"{names[client]:36}" + "".join(f"{count:9}" for count in counts))
    if problem is not None:
        print(f"left out: {', '.join(WITNESSES)}: {problem}")
