"""Which generations of the account may be what a queued row asks for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.evidence.elsewhere import MARGIN, Elsewhere, since_when
from jobs.evidence.matching import Clocks, Use, WantedRow, match, use_of
from jobs.model.clock import PRECISION
from jobs.model.provider import Generation, GenerationPhase

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DONE, WAITS, RUNS = (
    GenerationPhase.COMPLETED,
    GenerationPhase.PENDING,
    GenerationPhase.PROCESSING,
)
FAILED, UNKNOWN = GenerationPhase.FAILED, GenerationPhase.UNKNOWN


def made(name: str, hours: float | None = 1.0, phase: GenerationPhase = DONE) -> Generation:
    """Make a generation of the prompt ``p`` that is some hours old."""
    created = None if hours is None else NOW - hours * HOUR
    url = f"http://videos/{name}.mp4" if phase is DONE else None
    return Generation(name, phase, prompt="p", created_at=created, video_url=url)


def row(job_id: int, fingerprint: str = "f", **more: object) -> WantedRow:
    """Make a queued row of the prompt ``p``."""
    return replace(WantedRow(job_id, "p", fingerprint, fingerprint), **more)


@pytest.mark.parametrize(
    ("phase", "hours", "url", "use"),
    [
        (DONE, 1, "http://v", Use.TAKEN_OVER),
        (DONE, 1000, "http://v", Use.TAKEN_OVER),
        (DONE, 1, None, Use.WAITS),
        (WAITS, 1, None, Use.TAKEN_OVER),
        (WAITS, 25, None, Use.WAITS),
        (WAITS, None, None, Use.WAITS),
        (RUNS, 23, None, Use.TAKEN_OVER),
        (RUNS, 25, None, Use.WAITS),
        (UNKNOWN, 1, None, Use.WAITS),
        (UNKNOWN, 1, "http://v", Use.WAITS),
        (FAILED, 1, None, Use.NOTHING),
        (FAILED, 1000, "http://v", Use.NOTHING),
    ],
)
def test_what_a_generation_means_for_a_row(
    phase: GenerationPhase, hours: float | None, url: str | None, use: Use
) -> None:
    """Sound ones are taken over, doubtful ones make the row wait, failed ones are nothing."""
    assert use_of(replace(made("g", hours, phase), video_url=url), NOW) is use


@pytest.mark.parametrize(
    ("rows", "generations", "expected"),
    [
        # equal rows: by count, the oldest first, in the rows' order
        (["f", "f"], [made("new", 1), made("old", 5)], {0: ("old", True), 1: ("new", True)}),
        (["f", "f", "f"], [made("one")], {0: ("one", True)}),
        (["f"], [made("new", 1), made("old", 5)], {0: ("old", True)}),
        # what can't be taken over comes last, and makes its row wait
        (
            ["f", "f"],
            [made("stuck", 30, RUNS), made("done", 1)],
            {0: ("done", True), 1: ("stuck", False)},
        ),
        (["f"], [made("dead", 1, FAILED)], {}),
        # rows that differ: each waits, and nothing is taken over
        (["f", "g"], [made("one")], {0: ("one", False), 1: ("one", False)}),
        (
            ["f", "g", "h"],
            [made("b", 2), made("a", 3)],
            {0: ("a", False), 1: ("b", False), 2: ("a", False)},
        ),
        (["f", "f", "g"], [made("one")], dict.fromkeys(range(3), ("one", False))),
    ],
)
def test_rows_are_matched_by_the_whole_request(
    rows: list[str], generations: list[Generation], expected: dict[int, tuple[str, bool]]
) -> None:
    """The list shows prompts alone: where that does not tell rows apart, a person must."""
    wanted = [row(number, fingerprint) for number, fingerprint in enumerate(rows)]
    found = match(wanted, generations, {}, Clocks(NOW))
    assert {m.job_id: (m.generation.id, m.takeable) for m in found.matches} == expected
    assert {one.job_id for one in found.others} == set(range(len(rows))) - expected.keys()


@pytest.mark.parametrize(
    ("since", "created_since", "ahead", "waits"),
    [
        (NOW - 2 * HOUR, None, timedelta(0), True),
        (NOW - HOUR / 2, None, timedelta(0), False),
        (NOW - 2 * HOUR, NOW - HOUR / 2, timedelta(0), False),
        (NOW - HOUR / 2, NOW - 2 * HOUR, timedelta(0), True),
        (NOW - 2 * HOUR, None, 2 * HOUR, False),
    ],
)
def test_a_row_that_waits_for_a_retry_looks_for_newer_ones_alone(
    since: datetime, created_since: datetime | None, ahead: timedelta, *, waits: bool
) -> None:
    """What was made before its own generation is somebody else's, and was there when it began."""
    one = row(1, since=since, created_since=created_since)
    found = match([one], [made("g", 1)], {}, Clocks(NOW + ahead, ahead))
    assert [m.job_id for m in found.matches] == ([1] if waits else [])


# rows (True: overruled two hours ago) and generations, by their age in hours → job: generation
OVERRULED = [
    ([True], [3], {}),
    ([True], [None], {}),  # nothing says that it is news, and a person has said to buy it
    ([True], [2 - 1 / 3600], {}),  # as precise as clocks are
    ([True], [1], {0: 1}),
    ([True], [3, 1], {0: 1}),
    ([True, False], [3], {}),  # the one that there was is the first row's, whatever it does
    ([False, True], [3], {0: 3}),
    ([True, False], [4, 3], {1: 3}),
    ([True, True], [3, 1], {0: 1}),
]


@pytest.mark.parametrize(("rows", "ages", "expected"), OVERRULED)
def test_a_persons_word_covers_what_there_was(
    rows: list[bool], ages: list[float | None], expected: dict[int, float]
) -> None:
    """What turned up later does not count as overruled."""
    word = NOW - 2 * HOUR
    wanted = [row(n, overruled_at=word if said else None) for n, said in enumerate(rows)]
    found = match(wanted, [made(str(age), age) for age in ages], {}, Clocks(NOW))
    assert {m.job_id: float(m.generation.id) for m in found.matches} == expected


def test_a_prompt_in_doubt_is_left_to_its_doubt() -> None:
    """What is shown of it may belong to the doubt."""
    found = match([row(1)], [made("g")], {"p": NOW}, Clocks(NOW))
    assert (found.matches, [one.job_id for one in found.others]) == ((), [1])


@pytest.mark.parametrize(("age", "found"), [(3, []), (25, []), (28, [1]), (400, [1])])
def test_beside_a_doubt_what_is_older_by_far_is_not_the_doubts(age: int, found: list[int]) -> None:
    """By a day and two hours: so much may two clocks differ that nothing has compared."""
    matched = match([row(1)], [made("g", age)], {"p": NOW}, Clocks(NOW)).matches
    assert [one.job_id for one in matched] == found


@given(st.lists(st.sampled_from("fg"), max_size=6), st.integers(0, 6))
def test_nothing_is_given_to_two(fingerprints: list[str], count: int) -> None:
    """Whatever is taken over is taken over once; equal rows beyond the count are bought."""
    generations = [made(f"g{n}", n + 1) for n in range(count)]
    rows = [row(number, one) for number, one in enumerate(fingerprints)]
    found = match(rows, generations, {}, Clocks(NOW))
    taken = [m.generation.id for m in found.matches if m.takeable]
    assert len(taken) == len(set(taken))
    alike = len(set(fingerprints)) <= 1
    expected = min(len(rows), count) if alike else len(rows) * (count > 0)
    assert len(found.matches) == expected
    assert alike or not taken


@pytest.mark.parametrize(
    ("generation", "noted"),
    [
        (made("g", -0.01), True),
        (made("g", 0.01), False),
        (made("g", None), False),
        (replace(made("g", -0.01), prompt=None), False),
        (made("g", -0.01, FAILED), False),
        (made("ours", -0.01), False),
        (made("g", -0.01, WAITS), True),
    ],
)
def test_what_others_make_is_noticed(generation: Generation, *, noted: bool) -> None:
    """Only what is newer than the run, alive, and nobody's of ours."""
    elsewhere = Elsewhere(NOW)
    elsewhere.note([generation], None, {"ours"})
    assert elsewhere.made("sora", " p\n") == ((generation.id,) if noted else ())
    assert elsewhere.made("sora", "q") == ()


def test_the_providers_clock_is_heeded() -> None:
    """A provider an hour ahead shows an old generation with a time that only looks new."""
    elsewhere = Elsewhere(NOW)
    elsewhere.note([made("old", -0.5)], HOUR, ())
    assert elsewhere.made("sora", "p") == ()
    elsewhere.note([made("new", -1.5)], HOUR, ())
    assert elsewhere.made("sora", "p") == ("new",)


def test_since_when_others_are_news() -> None:
    """From the look before buying on, or from the run's beginning where there was none."""
    assert since_when(NOW, NOW - HOUR) == NOW - HOUR - MARGIN
    assert since_when(NOW, None) == NOW + PRECISION


def test_what_others_had_made_when_a_person_overruled_it_is_no_news() -> None:
    """By our clock, whatever the provider's says; what they make later is."""
    elsewhere = Elsewhere(NOW - HOUR)
    elsewhere.note([made("a", -0.5), made("b", -1.5)], HOUR, ())
    assert elsewhere.made("sora", "p") == ("a", "b")
    assert elsewhere.made("sora", "p", NOW - HOUR / 2) == ("b",)
    assert elsewhere.made("sora", "p", NOW + HOUR / 2) == ()
