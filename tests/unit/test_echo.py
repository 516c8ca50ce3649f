"""What a list does to prompts, learned from what it shows of generations that are known."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.echo import WAYS, Echo, learn_echo, resembles

LONG = 'A heron & an <egret> wade through reeds at dawn, "slowly", as the mist lifts over the lake'
SHORT = "A Fox"
OTHER = "The harbour at night, seen from a drone that circles once around the old lighthouse"


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        (lambda text: text, Echo()),
        (lambda text: f"  {text}\n", Echo()),
        (html.escape, Echo("HTML-escaped")),
        (lambda text: html.escape(text, quote=False), Echo("HTML-escaped but for quotes")),
        (str.lower, Echo("lower-cased")),
        (lambda text: text[:50], Echo(cut=50)),
        (lambda text: text if len(text) <= 50 else text[:50] + "…", Echo(cut=50, ending="…")),
        (lambda text: text if len(text) <= 47 else text[:47] + "...", Echo(cut=47, ending="...")),
        (lambda text: text.lower()[:40], Echo("lower-cased", cut=40)),
        (lambda text: html.escape(text)[:60], Echo("HTML-escaped", cut=60)),
        (lambda text: f"Cinematic, 4k: {text}", None),
        (lambda text: text.replace("heron", "stork"), None),
        (lambda _: "", None),
    ],
)
def test_what_a_list_does_to_prompts_is_learned(show: object, expected: Echo | None) -> None:
    """Cut, escaped or lower-cased prompts are understood; rewritten ones are not."""
    samples = [(text, show(text)) for text in (LONG, SHORT, OTHER)]  # type: ignore[operator]
    assert learn_echo(samples) == expected


def test_without_a_sample_nothing_is_assumed_but_the_plain_echo() -> None:
    """Where nothing is known there is nothing to contradict."""
    assert learn_echo([]) == Echo()


def test_one_that_differs_spoils_the_explanation() -> None:
    """A list that cuts one prompt and shows another whole does what nobody can foretell."""
    assert learn_echo([(LONG, LONG[:30]), (OTHER, OTHER)]) is None


@given(
    st.sampled_from(sorted(WAYS)),
    st.none() | st.integers(10, 60),
    st.sampled_from(["", "…", "..."]),
    st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=6),
)
def test_what_is_learned_explains_what_was_shown(
    way: str, cut: int | None, ending: str, prompts: list[str]
) -> None:
    """Whatever a list does by one rule is explained by what is learned, for every sample."""
    rule = Echo(way, cut, ending if cut is not None else "")
    samples = [(prompt, rule.of(prompt)) for prompt in prompts]
    learned = learn_echo(samples)
    if learned is not None:
        assert all(learned.explains(sent, shown) for sent, shown in samples)
    else:  # only white space at the place of the cut hides where it was
        assert cut is not None


@pytest.mark.parametrize(
    ("shown", "alike"),
    [
        (LONG, True),
        (LONG.upper(), True),
        (html.escape(LONG), True),
        (LONG[:40], True),
        (LONG[:40] + "…", True),
        ("A heron", False),
        ("A fox in the snow at dawn", False),
        (f"{LONG}, in the style of a watercolour", False),
        ("", False),
    ],
)
def test_what_could_be_the_same_prompt_is_noticed(shown: str, *, alike: bool) -> None:
    """An alteration that no known generation shows still keeps a doubt from being void."""
    assert resembles(LONG, shown) is alike


def test_prompts_of_signs_alone_are_compared_as_they_are() -> None:
    """There are no letters to compare in an emoji."""
    assert resembles("🦊🦊", " 🦊🦊")
    assert not resembles("🦊🦊", "🐻")
