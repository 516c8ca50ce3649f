"""Scripts like those of the provider's page run with our client: only the import is new."""

import base64
import gc
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support import tiny

from batchsora import SoraAPI, SoraClient, SyncRunBlobClient
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.money import to_micros

PROMPT = "Mist rolls down a mountain road"

SIMPLE = """
from batchsora import SoraClient

maker = SoraClient("tok")
job = maker.generate("Mist rolls down a mountain road")
address = maker.wait_for_completion(job["generation_id"])
print(f"Here it is: {address}")

job = maker.generate_from_image(
    "The picture wakes up",
    image_url="https://example.com/road.jpg",
    orientation="16:9",
    duration=15,
)
address = maker.wait_for_completion(job["generation_id"], poll_interval=1, timeout=60)
print("And here:", address)
for one in maker.list_generations(limit=10, offset=0):
    print(one["generation_id"], maker.status(one["generation_id"])["status"])
"""

ADVANCED = """
from batchsora import SoraAPI

def show(seen):
    if seen["status"] == "processing":
        print(f"at {seen['progress_pct']}%")
    elif seen["status"] == "pending":
        print(f"waiting, place {seen['progress_pos_in_queue']}")

try:
    api = SoraAPI("tok")
    money = api.get_balance()
    print(f"We have ${money}, or {float(money):.1f}")
    if money < 0.12:
        print("too little")
    else:
        job = api.generate(
            prompt="Mist rolls down a mountain road", orientation="9:16", duration=10
        )
        print(f"Begun as {job['generation_id']} for ${job['price']}")
        address = api.wait_for_completion(job["generation_id"], callback=show)
        print(f"Here it is: {address}")
        print(api.get_status(job["generation_id"])["video_url"] == str(address))
except Exception as problem:
    print(f"Problem: {str(problem)}")
"""

ENCODED = """
import base64
from batchsora import SoraClient

with open("input.jpg", "rb") as file:
    text = base64.b64encode(file.read()).decode("utf-8")
job = SoraClient("tok").generate(
    prompt="The portrait smiles",
    image_base64=f"data:image/jpeg;base64,{text}",
    orientation="9:16",
    duration=10,
)
print(f"Begun as {job['generation_id']}")
"""


@pytest.fixture
def world() -> World:
    return World(time_scale=1e9)


@pytest.fixture
def server(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[SandboxServer]:
    """A provider for scripts that know no address."""
    monkeypatch.chdir(tmp_path)
    with SandboxServer(world) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


def play(script: str) -> None:
    """Run a script; the clients that it forgets end when nothing has them any more."""
    before = {*threading.enumerate()}
    exec(compile(script, "script.py", "exec"), {})  # noqa: S102 - our own text
    gc.collect()  # its functions and their globals have each other
    assert {*threading.enumerate()} <= before


@pytest.mark.usefixtures("server")
def test_the_simple_client_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Results are read by name, and what is waited for prints as the video's address."""
    play(SIMPLE)
    first, second = (made.id for made in world.made)
    said = capsys.readouterr().out
    assert re.fullmatch(
        rf"Here it is: http\S+{first}\S*\nAnd here: http\S+{second}\S*\n"
        rf"{second} completed\n{first} completed\n",
        said,
    ), said
    assert (world.made[1].orientation, world.made[1].duration) == ("16:9", 15)


@pytest.mark.usefixtures("server")
def test_the_client_with_errors_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Balance, price, progress by a callback, the end."""
    play(ADVANCED)
    (made,) = world.made
    said = capsys.readouterr().out
    assert re.fullmatch(
        rf"We have \$100, or 100\.0\nBegun as {made.id} for \$0\.12\d*\n"
        rf"Here it is: http\S+{made.id}\S*\nTrue\n",
        said,
    ), said


def test_the_callback_sees_queue_and_percent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each status is indexed as the API's JSON is."""
    with SandboxServer(World(time_scale=600)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        play(ADVANCED.replace("callback=show", "callback=show, poll_interval=0.02"))
    said = capsys.readouterr().out
    assert re.search(r"^waiting, place \d+$", said, re.MULTILINE)
    assert re.search(r"^at \d+%$", said, re.MULTILINE)


@pytest.mark.usefixtures("server")
def test_a_picture_as_base64_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """As a data URI, and as base64 alone."""
    with open("input.jpg", "wb") as file:  # noqa: PTH123 - as the script reads it
        file.write(tiny.jpeg(b"x"))
    play(ENCODED)
    assert world.made[0].id in capsys.readouterr().out
    with SoraClient("tok") as client:
        bare = base64.b64encode(tiny.PNG)
        client.generate_from_image("it moves", image_base64=bare.decode())
        client.generate("it moves too", image_base64=bare)
    assert len(world.made) == 3


@pytest.mark.parametrize(
    ("world", "says"),
    [
        (World(token="another"), "the API refused the token (401)"),
        (World(balance=to_micros("0.11")), "too little"),
        (World(time_scale=1e9, failures={PROMPT: ["nudity"]}), "failed (content): nudity"),
    ],
)
@pytest.mark.usefixtures("server")
def test_what_goes_wrong_is_printed(
    world: World, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """``except Exception`` and ``print`` are enough to know what happened."""
    del world
    play(ADVANCED)
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(
    ("faults", "balance", "says"),
    [
        (Faults(), "0.05", "the account has too little credit (402)"),
        (Faults.parse("throttle=1"), "9", "too many requests (429)"),
        (Faults(error=1), "9", "the generation may still exist"),
    ],
)
def test_refusals_of_a_purchase_are_printed(faults: Faults, balance: str, says: str) -> None:
    """Each by its own words."""
    world = World(balance=to_micros(balance))
    with (
        SandboxServer(world, faults=faults) as server,
        SoraAPI("tok", base_url=server.url) as client,
        pytest.raises(Exception, match=re.escape(says)),
    ):
        client.generate(PROMPT)


def test_a_missing_generation_is_named(server: SandboxServer) -> None:
    """404 is a plain sentence."""
    with (
        SoraAPI("tok", base_url=server.url) as client,
        pytest.raises(Exception, match=r"the account has no such generation \(404\)"),
    ):
        client.get_status("00000000-0000-0000-0000-000000000000")


def test_the_names_of_the_examples_are_our_client() -> None:
    """There is one client, whatever it is called."""
    assert SoraAPI is SoraClient is SyncRunBlobClient
