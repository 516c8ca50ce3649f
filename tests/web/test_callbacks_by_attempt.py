"""Callbacks to an attempt's own address on the page: they say what a lost answer was."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, select, update
from support.site import QUICK, Folder, Site, serving, soon

from batchsora.composition.callbacks import own_address
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database.tables import ATTEMPT


@pytest.fixture
def site(world: Folder) -> Iterator[Site]:
    with serving(world, webhooks={}) as found:
        yield found


def url_of(site: Site) -> str:
    secret = (site.folder.path / ".batchsora" / "webhook").read_text().strip()
    return f"{site.url}/hooks/{secret}"


def lost(site: Site) -> tuple[int, str]:
    """Make an attempt of the night one whose answer was lost; its number and key."""

    def work(connection: Connection) -> tuple[int, str]:
        found = connection.execute(
            select(ATTEMPT.c.id, ATTEMPT.c.idempotency_key)
            .where(ATTEMPT.c.state == "completed")
            .limit(1)
        ).one()
        gone = {"state": "in_doubt", "generation_id": None, "price_micros": None}
        connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == found.id).values(**gone))
        return found.id, found.idempotency_key

    return site.write(work)


def named(site: Site, number: int) -> str | None:
    query = select(ATTEMPT.c.announced_as).where(ATTEMPT.c.id == number)
    found: str | None = site.read(lambda c: c.execute(query).scalar_one())
    return found


def test_its_own_address_says_what_it_is(site: Site) -> None:
    number, key = lost(site)
    body = {"generation_id": "A-Generation", "status": "completed"}
    reply = httpx.post(own_address(url_of(site), number, key), json=body)
    assert reply.status_code == 204
    assert soon(lambda: named(site, number) == "A-Generation")


def test_another_address_says_nothing(site: Site) -> None:
    """The database's own, another attempt's, one of another key, of another secret."""
    number, key = lost(site)
    url = url_of(site)
    mark = own_address(url, number, key).rpartition("-")[2]
    told = [url, own_address(url, number, f"{key}x"), own_address(url, number + 1, key),
            f"{url}/{number + 1}-{mark}", f"{url}/{number}-{'0' * 32}"]  # fmt: skip
    for address in told:
        assert httpx.post(address, json={"generation_id": "x"}).status_code == 204
    wrong = own_address(f"{site.url}/hooks/{'a' * 43}", number, key)
    assert httpx.post(wrong, json={"generation_id": "x"}).status_code == 404
    later, other = own_address(url, number, key), {"generation_id": "it"}
    assert httpx.post(later, json=other).status_code == 204
    assert soon(lambda: named(site, number) == "it")


def test_a_model_without_a_list_is_settled_by_its_callbacks(tmp_path: Path) -> None:
    """Half of all answers are lost: no row waits for a person once the callbacks have come."""
    world = World(time_scale=400.0)
    with SandboxServer(world, faults=Faults(drop=0.5)) as api:
        folder = Folder(tmp_path, api)
        rows = [f"o{n},a fox in the snow take {n},kling_o1" for n in range(8)]
        (tmp_path / "foxes.csv").write_text("\n".join(["id,prompt,model", *rows]))
        with serving(folder, webhooks={}) as site:
            words = [*QUICK, "--callback-base", site.url, "--doubts-most", "20", "--budget", "9"]
            folder.call("run", "foxes.csv", "--yes", *words)
            made = {one.prompt: one.id for one in world.made}
            assert len(made) == len(world.made), "none was bought twice"
            unknown = select(ATTEMPT.c.id).where(
                ATTEMPT.c.state == "in_doubt", ATTEMPT.c.announced_as.is_(None)
            )
            assert soon(lambda: not site.read(lambda c: c.execute(unknown).all()))
            code = folder.call("run", "foxes.csv", "--yes", *words)
            kept = select(ATTEMPT.c.prompt, ATTEMPT.c.generation_id)
            found = dict(site.read(lambda c: c.execute(kept).all()))
    assert code == 0
    assert found == {prompt: f"kling-o1:{name}" for prompt, name in made.items()}
