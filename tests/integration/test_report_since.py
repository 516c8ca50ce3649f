"""A report covers what ran last, or what finished since a moment, or everything."""

from pathlib import Path

import pytest

from tests.support.shell import Shell

pytest.importorskip("jinja2")


@pytest.fixture
def nights(call: Shell) -> Shell:
    """Return a shell in a folder with the rehearsals of two batches, one after the other."""
    for name in ("first", "second"):
        Path(f"{name}.csv").write_text(f"id,prompt\nr1,a kite {name}\n", encoding="utf-8")
        said = call("run", f"{name}.csv", "--sandbox", "--rate", "0", "--no-download")
        assert said.code == 0, said.err
    return call


@pytest.mark.parametrize(
    ("options", "batches"),
    [
        ((), ["second"]),
        (("--all",), ["second", "first"]),
        (("--since", "8h"), ["second", "first"]),
        (("--since", "2026-01-01"), ["second", "first"]),
        (("-b", "first"), ["first"]),
    ],
)
def test_a_report_covers_what_was_asked(
    nights: Shell, options: tuple[str, ...], batches: list[str]
) -> None:
    """And says when there is more."""
    said = nights("report", "--sandbox", "-o", "r.html", "--json", *options)
    assert said.code == 0, said.err
    assert said.json["batches"] == batches
    assert ("1 other batch(es) are not in it; --all covers" in said.words) == (options == ())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--since", "0m"), "nothing has finished since"),
        (("--since", "soon"), "is not a moment"),
        (("--since", "8h", "--all"), "use one of"),
        (("--since", "8h", "-b", "first"), "use one of"),
    ],
)
def test_what_covers_nothing_is_refused(nights: Shell, options: tuple[str, ...], says: str) -> None:
    """Without a file."""
    said = nights("report", "--sandbox", "-o", "r.html", *options)
    assert said.code == 2
    assert says in said.words
    assert not Path("r.html").exists()
