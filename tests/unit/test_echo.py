"""What a list does to prompts, learned from what it shows of generations that are known."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.evidence.echo import WAYS, Echo, EchoLearner, Likeness, learn_echo, learn_most, resembles

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


@pytest.mark.parametrize(
    ("shown", "prompt", "shortest", "found"),
    [
        ([LONG[:40]], LONG, 8, [LONG[:40]]),
        ([LONG[:40]], LONG, 40, [LONG[:40]]),
        ([LONG[:40]], LONG, 41, []),
        ([LONG[:40] + "…"], LONG, 80, [LONG[:40] + "…"]),
        ([LONG[:13] + "&am", LONG[:30], "A heron", OTHER], LONG, 8, [LONG[:30], LONG[:13] + "&am"]),
        ([LONG.upper(), html.escape(LONG)], LONG, 900, [LONG.upper(), html.escape(LONG)]),
        ([LONG], LONG[:40], 8, []),
        (["?!", ""], "...", 0, []),
        ([], LONG, 8, []),
    ],
)
def test_prompts_that_could_be_a_sent_one_are_found(
    shown: list[str], prompt: str, shortest: int, found: list[str]
) -> None:
    """Altered ones of the same letters, and beginnings that a cut may have left."""
    assert list(Likeness(shown, (shortest,) * 3).of(prompt)) == found


@given(st.lists(st.text("abc ", max_size=14), max_size=12), st.text("abc ", max_size=14))
def test_each_that_resembles_a_sent_prompt_is_found(shown: list[str], prompt: str) -> None:
    """However many begin alike."""
    expected = [one for one in dict.fromkeys(shown) if resembles(prompt, one) and one.split()]
    expected = expected if prompt.split() else []
    assert sorted(Likeness(dict.fromkeys(shown)).of(prompt)) == sorted(expected)


def test_a_list_that_leaves_a_sign_out_rewrites_nothing() -> None:
    """What has the same letters is found as it is; the others tell how prompts are shown."""
    fox = ("a fox ✨", "a fox")
    assert learn_echo([fox, (LONG, LONG)]) is None
    assert learn_most([fox, (LONG, LONG)]) == Echo()
    assert learn_most([fox, (LONG, LONG[:50])]) == Echo(cut=50)
    assert learn_most([fox, (LONG, f"4k: {LONG}")]) is None


def test_a_cut_at_a_space_is_learned_from_the_others() -> None:
    """The space that it leaves at the end may be gone."""
    samples = [("a heron in reeds at dawn", "a heron in"), ("a boat at the pier", "a boat at t")]
    assert learn_echo(samples) == Echo(cut=11)


def test_what_a_list_does_is_learned_page_by_page() -> None:
    """It tells when that changes; what can't be told is no way at all."""
    learner = EchoLearner()
    assert not learner.heed([(SHORT, SHORT)])
    assert learner.heed([(LONG, LONG[:50])])
    assert learner.echo == Echo(cut=50)
    assert not learner.heed([(LONG, LONG[:50]), (OTHER, OTHER[:50])])
    assert learner.heed([(OTHER, f"4k: {OTHER}")])
    assert learner.echo is None
