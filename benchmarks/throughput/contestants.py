"""The contestants: how each is started."""

from collections.abc import Callable
from dataclasses import dataclass

from peers import Peers
from rig import SCRIPTS, ours

from batchsora import __version__

BARE = "bare loop, each id polled"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One line of the table.

    Attributes:
        name: with its version.
        script: its command without the options that all have.
        durable: whether it survives a power cut.
        postgres: whether it needs a PostgreSQL.
        widest: the largest window at which it is tried: 2,000 threads take 2 GB, and requests that
            are limited to 50 a second gain nothing from a wider one.
        share: it gets so many times fewer jobs at a wide window, or nobody would wait for it.
    """

    name: str
    script: list[str]
    durable: bool = True
    postgres: bool = False
    widest: int = 2000
    share: int = 1

    def command(self, window: int, database: Callable[[], str] | None) -> list[str]:
        """Put its command together; the provider's address and the jobs are still to come."""
        place = ["--database", database()] if self.postgres and database is not None else []
        return [*self.script, "--window", str(window), *place]


def contestants(peers: Peers, *, alone: bool) -> list[Contestant]:
    """List them, the bare loop first.

    Args:
        peers: their environment.
        alone: leave the peers out.
    """

    def peer(script: str, *options: str) -> list[str]:
        return [str(peers.python), str(SCRIPTS / script), *options]

    def named(package: str) -> str:
        return f"{package} {peers.version(package)}"

    own = [
        Contestant(BARE, ours("bare.py"), durable=False),
        Contestant(f"batchsora {__version__}", ours("ours.py")),
        Contestant("  synchronous=OFF", [*ours("ours.py"), "--not-durable"], durable=False),
    ]
    if alone:
        return own
    return [
        *own,
        Contestant(f"{named('huey')}, threads", peer("huey_threads.py"), widest=64),
        Contestant(named("procrastinate"), peer("procrastinate_tasks.py"), postgres=True, share=5),
        Contestant(named("dbos"), peer("dbos_workflows.py"), postgres=True, share=5),
        Contestant(named("runblob"), peer("sdk.py"), durable=False, widest=64),
        Contestant(
            "  without its rate limit", peer("sdk.py", "--unlimited"), durable=False, share=5
        ),
    ]
