"""The tables by which it is decided whose fault a failed look or a refused submission is."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchsora.providers.runblob.adapter import GATEWAY, outcome_of
from batchsora.providers.runblob.causes import Cause, cause_of, names_callback, names_row, quotes
from batchsora.providers.runblob.errors import InDoubtError, InsufficientCreditsError
from jobs.evidence.blame import Blame, Heard, same_words
from jobs.model.provider import (
    About,
    Accepted,
    ForbiddenError,
    GenerationRequest,
    InDoubt,
    ProviderError,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
    ThrottledError,
    TokenRefusedError,
    UnknownGenerationError,
    UnreachableError,
    WrongAddressError,
)
from jobs.model.states import FailureKind
from jobs.runtime.provider_health import AFTER_DOUBTS, Patience, ProviderHealth
from jobs.runtime.troubles import RAREST, Troubles, is_outage

WORDS: list[tuple[str, Cause | None]] = [
    ("INSUFFICIENT_CREDITS", Cause.FUNDS),
    ("insufficientBalance", Cause.FUNDS),
    ("Account balance not enough", Cause.FUNDS),
    ("You have run out of credits", Cause.FUNDS),
    ("Your credit balance is too low", Cause.FUNDS),
    ("insufficient_quota: check your plan and billing details", Cause.FUNDS),
    ("Payment required", Cause.FUNDS),
    ("Please top up your account", Cause.FUNDS),
    ("账户余额不足", Cause.FUNDS),
    ("ACCOUNT_SUSPENDED", Cause.ACCOUNT),
    ("Your account has been temporarily suspended", Cause.ACCOUNT),
    ("The organization is deactivated.", Cause.ACCOUNT),
    ("user banned", Cause.ACCOUNT),
    ("This API key is disabled", Cause.ACCOUNT),
    ("Quota exceeded for this month", Cause.ACCOUNT),
    ("You exceeded your current quota", Cause.ACCOUNT),
    ("Daily limit reached", Cause.ACCOUNT),
    ("You have reached your monthly generation limit", Cause.ACCOUNT),
    ("Your account has been suspended for violating our content policy", Cause.ACCOUNT),
    ("Concurrency limit reached", Cause.BUSY),
    ("Rate limit exceeded: 5 requests per minute", Cause.BUSY),
    ("Slow down: at most 5 videos once per minute", Cause.BUSY),
    ("Only 24 frames per second are supported", None),
    ("Too many concurrent requests. Limit: 1 concurrent requests", Cause.BUSY),  # Anthropic
    ("request reached max concurrency: 1, please try again after 1 seconds", Cause.BUSY),  # Kimi
    ("parallel task over resource pack limit", Cause.BUSY),  # Kling
    ("Maximum allowed number of concurrent jobs", Cause.BUSY),  # Midjourney
    ("Rate limit reached, try again in 20 seconds", Cause.BUSY),
    ("Concurrent camera movements are not supported", None),
    ("Frame rate limit exceeded", None),
    ("Frame rate limit of 30 fps exceeded", None),
    ("Rate limit of 30 fps exceeded", None),
    ("Too many active subjects in one scene", None),
    ("Content policy violation; violations may get your account suspended", None),
    ("This prompt violates our content policy and was blocked", None),
    ("prompt: a poster that says 'insufficient funds'", None),
    ("A man suspended from a bridge is not allowed", None),
    ("duration: Input should be 10 or 15", None),
    ("The image is too large", None),
    ("Internal server error", None),
    ("", None),
]


@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_the_words_tell_whose_fault_it_is(words: str, expected: Cause | None) -> None:
    """Under any status: money, the account, or passing; a prompt's own refusal is none of them."""
    assert cause_of([words]) is expected


PROMPT = "Recharge your life: he can't pay, out of money, and his account is suspended"
OF_THE_ROW: list[tuple[str, Cause | None]] = [
    ('The text "Recharge your life" is not allowed', None),
    ("The text 'Recharge your life' is not allowed", None),
    ("Not allowed: \u201cInsufficient funds\u201d", None),
    ("Not allowed: \u00abTop up\u00bb and `billing`", None),
    ("Not allowed: 'he can't get a top-up'", None),
    ('Not allowed: "no credits, a quota that was exceeded, and mor\u2026', None),
    ("Refused: Recharge your life: he can't pay, out of money, and his account is suspended", None),
    ("Refused: RECHARGE YOUR LIFE, he can't pay", None),
    ("Refused: recharge", None),
    ("Refused: his account is suspended", None),
    ("The image exceeds the plan limit of 20 MB", None),
    ("Exceeded the plan limit of 20 MB", None),
    ("Video limit of 15 seconds exceeded", None),
    ("Your plan limit of 500 characters was exceeded", None),
    ("prompt must not speak of billing", None),
    ("The prompt mentions a payment required", None),
    ("field 'prompt': top up", None),
    ("[prompt] is about an unpaid bill", None),
    # about the account all the same
    ("Please recharge your account", None),  # the word stands in the prompt: others will tell
    ("Please top up: 'Recharge your life' costs more", Cause.FUNDS),
    ("Your account's balance is too low; it isn't enough", Cause.FUNDS),
    ('"Insufficient balance"', Cause.FUNDS),
    ("Insufficient balance for a video of 15 seconds", Cause.FUNDS),
    ("Daily limit of 600 seconds reached", Cause.ACCOUNT),
    ("Image generation quota exceeded", Cause.ACCOUNT),
    ("This account is suspended", None),  # as above
    ("Billing is not set up", Cause.FUNDS),
    ("This organization is suspended", Cause.ACCOUNT),
    ("Video limit of 15 exceeded", Cause.ACCOUNT),
    ("Too many requests: 'Recharge your life'", Cause.BUSY),
]


@pytest.mark.parametrize(("words", "expected"), OF_THE_ROW)
def test_what_quotes_or_measures_the_row_tells_nothing_of_the_account(
    words: str, expected: Cause | None
) -> None:
    """Quoted text, the row's own words, its fields and its measures are left out first."""
    assert cause_of([words], PROMPT) is expected


OF_MONEY = (
    "recharge insufficient funds balance is too low top-up account suspended quota exceeded "
    "plan limit reached ' \" ` 20 MB your prompt: a kite no credits, may lead to"
)
SAID = st.lists(st.sampled_from(OF_MONEY.split()), max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Forbidden: 'Recharge your life'", True),
        ("Recharge your life is not a permitted slogan", True),
        (f"Refused: {PROMPT}", True),
        ('Not permitted: "suspended"', True),
        ("Forbidden", False),
        ('Not permitted: "to sell"', False),
        ("his account is banned", False),  # nobody can tell: others will
        (f"Your plan does not include: {PROMPT}", False),
        ("Your account is suspended: 'Recharge your life'", False),
        ("your account is banned", False),
        ('Unknown value for "cat"', False),
        ("", False),
    ],
)
def test_what_quotes_the_prompt_is_about_the_row(words: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """In quotation marks, or three words of it in a row; without a prompt nothing quotes it."""
    assert quotes([words], PROMPT) is expected
    assert not quotes([words], "")


@given(before=st.sampled_from(["Refused: ", "", "Not allowed ", "prompt: "]), prompt=SAID)
@example(before="Refused: ", prompt="funds ' recharge ' insufficient")
def test_a_refusal_that_says_the_prompt_again_never_concerns_the_account(
    before: str, prompt: str
) -> None:
    """Whatever the prompt speaks of, bare or quoted, whole or in other letters."""
    for told in (prompt, prompt.upper(), f'"{prompt}"', f"\u201c{prompt}\u201d"):
        assert cause_of([f"{before}{told}"], prompt) is None


@given(st.text() | SAID, st.text() | SAID)
def test_no_words_break_the_table_of_causes(words: str, prompt: str) -> None:
    """Neither the words nor the prompt can be such that nothing is decided."""
    assert cause_of([words], prompt) in {None, *Cause}
    assert quotes([words], prompt) in {True, False}


@pytest.mark.parametrize(
    ("words", "row", "callback"),
    [
        ("prompt: too long", True, False),
        ("image_url: URL is not reachable", True, False),
        ("callback_url: URL is not reachable", False, True),
        ("The webhook URL must be https", False, True),
        ("Your request was flagged by moderation", True, False),
        ("Bad request", False, False),
        ("model: unknown", False, False),
    ],
)
def test_what_a_refusal_names(words: str, row: bool, callback: bool) -> None:  # noqa: FBT001 - a table's columns
    """A field of the row, the address for callbacks, or nothing."""
    assert (names_row([words]), names_callback([words])) == (row, callback)


@pytest.mark.parametrize("status", [*GATEWAY, 500, 409, 418])
def test_a_doubt_stays_one_whatever_its_words(status: int) -> None:
    """The cause stops the run; it never turns a doubt into "not created"."""
    error = InDoubtError("x", status=status, details=["Quota exceeded"])
    expected = InDoubt("x", RefusalCause.ACCOUNT, gateway=status in GATEWAY)
    assert outcome_of(error, with_image=False) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TokenRefusedError("401"), False),
        (ThrottledError("429"), False),
        (UnreachableError("500"), True),
        (ForbiddenError("403"), False),
        (UnknownGenerationError("404"), False),
        (WrongAddressError("HTML"), False),
        (ProviderError("410"), False),
    ],
)
def test_only_silence_towards_one_look_is_an_outage(
    error: ProviderError,
    expected: bool,  # noqa: FBT001
) -> None:
    """What the provider answers to one look concerns it alone, or is handled by its kind."""
    assert is_outage([error], answered=False) is expected


GONE, SILENT, REFUSED = ProviderError("410"), UnreachableError("500"), ForbiddenError("403")


@pytest.mark.parametrize(
    ("errors", "answered", "expected"),
    [
        ([], False, False),
        ([SILENT], False, True),
        ([SILENT], True, False),
        ([GONE], False, False),
        ([GONE, GONE], False, False),
        ([GONE] * 3, False, True),
        ([GONE] * 3, True, False),
        ([GONE, GONE, REFUSED], False, False),
        ([GONE, SILENT, SILENT], False, False),
    ],
)
def test_an_outage_is_what_fails_for_all(
    errors: list[ProviderError],
    answered: bool,  # noqa: FBT001 - a table's columns
    expected: bool,  # noqa: FBT001
) -> None:
    """Silence towards all, or three that fail in the same way, and nothing that was answered."""
    assert is_outage(errors, answered=answered) is expected


def test_looks_at_one_in_trouble_grow_rare() -> None:
    """Doubled, ten minutes at most, and forgotten when it is seen."""
    troubles = Troubles()
    delays = []
    for _ in range(12):
        troubles.note(7)
        delays.append(troubles.delay(7, 5.0))
    assert delays[:3] == [10.0, 20.0, 40.0]
    assert delays[-1] == RAREST
    troubles.clear(7)
    assert 7 not in troubles


REQUEST = GenerationRequest("a kite", "9:16", 10)


def refused(words: str, about: About = About.UNKNOWN) -> Rejected:
    return Rejected(FailureKind.VALIDATION, words, about)


def test_the_third_equal_refusal_is_the_runs_and_puts_the_others_back() -> None:
    """Ids and numbers in the words differ, what they say does not."""
    blame = Blame()
    outcomes = [
        blame.judge(n, refused(f"request {n} is not valid"), REQUEST, own_callback=True)
        for n in range(5)
    ]
    assert [type(outcome) for outcome in outcomes] == [Rejected] * 2 + [Refused] * 3
    assert blame.put_back() == [0, 1]
    assert blame.put_back() == []


def test_an_acceptance_or_other_words_begin_the_count_again() -> None:
    """Two, an acceptance, two of it, two of another kind: every one is its row's."""
    blame = Blame()
    said = [refused("a"), refused("a"), Accepted("g", None), refused("a"), refused("a")]
    said += [refused("b"), refused("b"), refused("prompt", About.ROW)]
    judged = [blame.judge(n, outcome, REQUEST, own_callback=True) for n, outcome in enumerate(said)]
    assert judged == said
    assert blame.put_back() == []


@pytest.mark.parametrize("cause", [RefusalCause.FUNDS, RefusalCause.ACCOUNT])
def test_words_about_the_account_stop_the_run_at_the_third_time(cause: RefusalCause) -> None:
    """Whatever they are; an acceptance between begins the count again. No row fails by them."""
    blame = Blame()
    told = [Refused(cause, words, sure=False) for words in ("a", "top up", "no credit")]
    judged = [
        blame.judge(n, one, REQUEST, own_callback=True) for n, one in enumerate([*told, told[0]])
    ]
    assert judged == [*told[:2], Refused(cause, "no credit"), Refused(cause, "a")]
    assert blame.put_back() == []
    blame = Blame()
    said = [*told[:2], Accepted("g", None), *told[:2], refused("x"), told[0]]
    judged = [blame.judge(n, one, REQUEST, own_callback=True) for n, one in enumerate(said)]
    assert judged == said


def test_words_about_the_account_put_back_rows_that_were_refused_access_before() -> None:
    """They are one streak, whichever comes third."""
    access = Refused(RefusalCause.ACCESS, "Forbidden", sure=False)
    funds = Refused(RefusalCause.FUNDS, "top up", sure=False)
    blame = Blame()
    said = [access, funds, funds]
    judged = [blame.judge(n, one, REQUEST, own_callback=True) for n, one in enumerate(said)]
    assert judged == [refused("Forbidden"), funds, Refused(RefusalCause.FUNDS, "top up")]
    assert blame.put_back() == [0]


@pytest.mark.parametrize(
    "said",
    [
        refused("a"),
        refused("a", About.UNCLEAR),
        Refused(RefusalCause.ACCESS, "a", sure=False),
    ],
)
@pytest.mark.parametrize("heard", Heard)
def test_a_row_that_hears_it_again_after_others_were_taken_is_to_blame(
    said: SubmitOutcome, heard: Heard
) -> None:
    """However many do, and it counts in no streak; what was only heard before counts as ever.

    But for rows that all heard it long after the account had taken others: they are to blame too.
    """
    blame = Blame()
    asked = [GenerationRequest(f"a kite {n}", "9:16", 10) for n in range(9)]
    judged = [
        blame.judge(n, said, one, own_callback=True, heard=heard) for n, one in enumerate(asked)
    ]
    last = Rejected if heard in (Heard.AFTER_OTHERS, Heard.AND_OTHERS_TAKEN) else Refused
    assert [type(one) for one in judged] == [Rejected] * 2 + [last] * 7
    assert blame.put_back() == ([] if last is Rejected else [0, 1])
    assert {one.kind for one in judged if isinstance(one, Rejected)} == {FailureKind.VALIDATION}


@pytest.mark.parametrize("newly", range(4))
def test_one_row_that_hears_it_newly_puts_back_those_that_hear_it_again(newly: int) -> None:
    """It may be the account's after all: every row of the streak stays queued."""
    blame = Blame()
    for number in range(4):
        heard = Heard.NEVER if number == newly else Heard.AFTER_OTHERS
        judged = blame.judge(number, refused("a"), REQUEST, own_callback=True, heard=heard)
    assert isinstance(judged, Refused)
    assert len(blame.put_back()) == (3 if newly == 3 else 2)
    assert blame.cut_off() == ([], None)


@pytest.mark.parametrize(
    ("status", "sure"), [(402, True), (429, True), (400, False), (403, False), (422, False)]
)
def test_only_words_of_money_need_the_balance(status: int, sure: bool) -> None:  # noqa: FBT001 - a table's column
    """A 402 says it by itself, and a 429 passes for no row's own."""
    error = InsufficientCreditsError("x", status=status)
    assert outcome_of(error, with_image=False) == Refused(RefusalCause.FUNDS, "x", sure=sure)


@pytest.mark.parametrize(("own", "kind"), [(True, Rejected), (False, Refused)])
def test_the_callbacks_address_is_its_owners_fault(own: bool, kind: type) -> None:  # noqa: FBT001 - a table's column
    """The row's own fails the row, the run's stops the run."""
    judged = Blame().judge(
        1, refused("callback_url: bad", About.CALLBACK), REQUEST, own_callback=own
    )
    assert isinstance(judged, kind)


def test_words_without_what_varies() -> None:
    """A request's id and a time make no other refusal."""
    assert same_words("Invalid request 8f3a-22 at 12:30") == same_words(
        "invalid  request b1 at 7:1"
    )
    assert same_words("bad model") != same_words("bad size")


class ManualClock:
    """A clock that stands."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_doubts_in_a_row_shut_the_gate_for_submissions_alone() -> None:
    """From the third on, ever longer; those under way together count once."""
    clock = ManualClock()
    gate = ProviderHealth(clock, random.Random(1))  # type: ignore[arg-type]
    waits = []
    for _ in range(6):
        clock.seconds += gate.shut_for
        waits.append(gate.doubted("x", gateway=False))
        assert gate.closed_for == 0
    assert waits[:2] == [0.0, 0.0]
    assert all(
        least <= wait <= 1.2 * least
        for wait, least in zip(waits[2:], AFTER_DOUBTS[1:], strict=False)
    )
    assert gate.probing
    gate.doubted("x", gateway=False)
    assert gate.shut_for <= 1.2 * AFTER_DOUBTS[-1]
    gate.served()
    assert (gate.shut_for, gate.probing) == (0.0, False)


@pytest.mark.parametrize(
    ("failures", "now", "over"),
    [
        ([], 9999.0, False),
        ([(0.0, 0.0)], 9999.0, False),  # nobody tried again since
        ([(0.0, 0.0), (50.0, 0.0)], 99.0, False),
        ([(0.0, 0.0), (50.0, 0.0)], 101.0, True),
        ([(0.0, 500.0), (50.0, 0.0)], 501.0, False),  # it asked for that
        ([(0.0, 500.0), (500.0, 900.0)], 561.0, True),  # once
    ],
)
def test_patience(failures: list[tuple[float, float]], now: float, over: bool) -> None:  # noqa: FBT001 - a table's column
    """A hundred seconds, or one longer wait that was asked for."""
    patience = Patience(100.0)
    for at, asked_until in failures:
        patience.failed(at, asked_until)
    assert patience.is_over(now) is over
    patience.succeeded()
    assert not patience.is_over(now)
