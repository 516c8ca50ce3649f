"""The measuring of bad connections: it plays them all, and judges what the person met."""

import pytest

pytest.importorskip("resource")  # many files are open at once, and /proc tells the processor time
from web import siege


def test_a_few_strangers_of_each_kind_hold_nobody_up() -> None:
    """The real command on a real port; how long answers take is judged by ``make siege`` alone."""
    person, figures = siege.siege(connections=20, seconds=2, pause=0.2)
    assert not person.failed
    assert not person.lost
    assert len(person.took) == figures["requests"] > 0
    assert {kind.__name__ for kind in siege.STRANGERS} <= set(figures["connected"])
    assert figures["server CPU s"] > 0


def test_a_server_that_ends_is_a_failure() -> None:
    """Nobody is answered, and each request is counted."""
    person = siege.Person("http://127.0.0.1:9")
    with siege.httpx.Client(base_url=person.url) as http:
        person._ask(http, "/")
    assert len(person.failed) == 1
    assert not person.took
