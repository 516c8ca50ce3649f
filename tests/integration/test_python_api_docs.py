"""Every example of docs/python.md is run as it stands, against the sandbox."""

import ast
import asyncio
import inspect
import re
from collections.abc import Awaitable
from pathlib import Path

import pytest
from support import tiny

import batchsora
from batchsora import RunBlobClient, SyncRunBlobClient
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.money import to_micros

PNG = tiny.PNG
ERRORS = "Progress and errors"

EXPECTED = {
    "From Python": (1, r"bought \S+ for \$0\.12\d*\nkite.mp4\n"),
    "From the provider's examples": (1, r"\S+ for \$0\.12\d*\nready: http\S+\.mp4\n"),
    "With and without async": (1, r"kite.mp4\n"),
    "With and without async 2": (3, r"(?:A [\w ]+ videos/\S+\.mp4\n){3}"),
    "In a notebook": (0, r"100\n100\n"),
    "Look at the balance first": (1, r"\$100 before, \$0\.12\d* spent\n"),
    ERRORS: (1, r"(?:\d+ of \d+ bytes\n)+"),
    "Image to video": (3, r"(?:http\S+\.mp4\n){3}"),
    "What the account has": (
        1,
        r"completed None None http\S+\n\S+ completed .*\n1 finished in all\n.*no such.*\n",
    ),
    "A batch from a script": (
        2,
        r"2 videos for 0\.24\n(\d done\n)+0 0\.24\ns1 calm 0\.12 s1\.mp4\ns2 wild 0\.12 .*\n",
    ),
    "A batch from a script 2": (1, r"True completed 0\.12\n"),
}
"""By heading: the videos that the example buys, and what it prints."""


def page(project: Path) -> str:
    return (project / "docs" / "python.md").read_text(encoding="utf-8")


def examples(project: Path) -> dict[str, str]:
    """Find the examples, each under its heading."""
    found: dict[str, str] = {}
    heading = ""
    parts = re.compile(r"^#+ ([^\n]+)$|^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for title, code in parts.findall(page(project)):
        heading = title or heading
        if code:
            number = sum(name.startswith(heading) for name in found)
            found[heading if not number else f"{heading} {number + 1}"] = code
    return found


def run(code: str) -> None:
    """Run a program, or a notebook's cell."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, "docs/python.md", "exec", flags=flags, dont_inherit=True)
    result = eval(compiled, {"__name__": "__main__"})  # noqa: S307 - our own manual

    async def cell(rest: Awaitable[None]) -> None:
        await rest

    if inspect.isawaitable(result):
        asyncio.run(cell(result))


@pytest.fixture
def web_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give a folder with a picture, and a token in the environment."""
    (tmp_path / "boat.png").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok")
    return monkeypatch


def test_every_example_is_known(project: Path) -> None:
    """A new example gets its row above."""
    assert list(examples(project)) == list(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_example_does_what_it_says(
    name: str, project: Path, web_context: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It runs as it stands, buys what it should, and prints what it should."""
    bought, printed = EXPECTED[name]
    with SandboxServer(World(time_scale=1e9)) as server:
        web_context.setenv("BATCHSORA_BASE_URL", server.url)
        run(examples(project)[name])
    assert len(server.world.made) == bought
    said = capsys.readouterr().out
    assert re.fullmatch(printed, said), said


@pytest.mark.parametrize(
    ("world", "faults", "says"),
    [
        (World(balance=0), Faults(), "the account needs money"),
        (World(token="another"), Faults(), "the token is wrong or has expired"),
        (World(), Faults(throttle=1), "too many requests; try again in 1 s"),
        (World(), Faults(error=1), r"no answer|inconclusive answer"),
        (World(), Faults(drop=1), r"perhaps this one: \S+ 20"),
        (
            World(
                time_scale=1e9, failures={"A lighthouse in a storm, seen from above": ["nudity"]}
            ),
            Faults(),
            r"no video \(content\): nudity",
        ),
    ],
)
def test_the_example_meets_each_error(
    world: World,
    faults: Faults,
    says: str,
    project: Path,
    web_context: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its branches are reached, and none of them breaks."""
    with SandboxServer(world, faults=faults) as server:
        web_context.setenv("BATCHSORA_BASE_URL", server.url)
        run(examples(project)[ERRORS])
    assert re.search(says, capsys.readouterr().out)


def test_the_example_shows_what_was_refused(
    project: Path, web_context: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A validation error is told line by line."""
    with SandboxServer(World()) as server:
        web_context.setenv("BATCHSORA_BASE_URL", server.url)
        run(examples(project)[ERRORS].replace("duration=15", "duration=11"))
    assert capsys.readouterr().out == "refused: duration: must be 10 or 15\n"
    assert server.world.made == []


def test_a_poor_account_is_not_asked_to_buy(project: Path, web_context: pytest.MonkeyPatch) -> None:
    """The example that looks at the balance refuses when it is too low."""
    with SandboxServer(World(balance=to_micros("0.11"))) as server:
        web_context.setenv("BATCHSORA_BASE_URL", server.url)
        with pytest.raises(SystemExit, match=r"0\.11 is not enough"):
            run(examples(project)["Look at the balance first"])


def test_the_page_names_what_there_is(project: Path) -> None:
    """Its table has the methods as they are, its errors are all of them."""
    text = page(project)
    table = text.partition("## The methods")[2]
    rows = dict(re.findall(r"^\| `(\w+)\((.*?)\)`", table, re.MULTILINE))
    for name, given in rows.items():
        if name != "close":
            method = inspect.signature(getattr(RunBlobClient, name))
            parameters = [p for p in method.parameters.values() if p.name != "self"]
            written = [
                p.name if p.default is p.empty else f"{p.name}={_shown(p.default)}"
                for p in parameters
            ]
            assert given == ", ".join(written)
    public = {name for name in vars(SyncRunBlobClient) if not name.startswith("_")}
    assert set(rows) == public - {"base_url"}
    errors = {name for name in batchsora.__all__ if name.endswith("Error")}
    assert errors == set(re.findall(r"`(\w+Error)`", text)) - {"TimeoutError"}


def _shown(default: object) -> str:
    return f'"{default}"' if isinstance(default, str) else repr(default)
