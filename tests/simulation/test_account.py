"""The account of the simulated nights answers in the sandbox's manners."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.loop import EPOCH

from batchsora.sandbox.answers import Span
from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.world import LONGEST, World
from jobs.model.provider import (
    ForbiddenError,
    GenerationPhase,
    InDoubt,
    ProviderError,
    RefusalCause,
    Refused,
    Rejected,
    Throttled,
    TokenRefusedError,
    UnknownGenerationError,
    UnreachableError,
    WrongAddressError,
)
from simulation.world import Account, Letter

QUOTA = Refused(RefusalCause.FUNDS, "quota")


class Setting:
    """An account in some manners, and the true time."""

    def __init__(self, faults: str = "", **account: Any) -> None:
        self.moment = EPOCH
        read = Faults.parse(faults)
        self.account = Account(
            world=World(manners=read.manners, fail=read.fail),
            faults=Faults(),
            chance=random.Random(1),
            now=self.now,
            skew=timedelta(0),
            lag=read.lag,
            late_by=0.0,
            flaky=0.0,
            on_made=lambda _: None,
            **account,
        )

    def now(self) -> datetime:
        return self.moment

    def post(self, prompt: str = "a fox") -> Any:
        body = {"prompt": prompt, "orientation": "9:16", "duration": 10}
        letter = Letter(body, "key", Fault.NONE, self.moment)
        self.account.letters.append(letter)
        outcome = self.account.receive(letter)
        self.moment += timedelta(seconds=1)
        return outcome

    def buy(self, count: int) -> list[str]:
        """Buy some, a second apart; gives their ids, oldest first."""
        return [self.post(f"fox {number}").generation_id for number in range(count)]

    def shown(self, limit: int = 100, offset: int = 0) -> list[str]:
        return [item.id for item in self.account.page("sora", limit, offset)]


def test_by_default_it_is_well_mannered() -> None:
    """All, newest first, with their own prompts, but for what the echo of each does."""
    setting = Setting()
    ids = setting.buy(5)
    assert setting.shown() == ids[::-1]
    assert setting.shown(2, 2) == ids[2:0:-1]
    assert [item.prompt and item.prompt.strip() for item in setting.account.page("sora", 1, 0)] == [
        "fox 4"
    ]
    assert setting.account.trouble() is None


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ("list=frozen", lambda _: []),
        ("list=frozen:2s", lambda ids: ids[1::-1]),
        ("list=frozen:2:5", lambda ids: ids[::-1]),
        ("list=frozen:3", lambda ids: ids[2::-1]),
        ("list=newest:2", lambda ids: ids[:2:-1]),
        ("list=oldest-first", lambda ids: ids),
        ("list=oldest-first+capped:2", lambda ids: ids[:2]),
        ("upper-ids", lambda ids: ids[::-1]),  # read in lower case
        ("lag=3", lambda ids: ids[2::-1]),
    ],
)
def test_the_list_has_its_manners(faults: str, expected: Callable[[list[str]], list[str]]) -> None:
    """What the sandbox's list shows is what the nights' list shows, after five seconds."""
    setting = Setting(faults)
    ids = setting.buy(5)
    assert setting.shown() == expected(ids)


def test_a_frozen_list_is_frozen_for_its_time() -> None:
    setting = Setting("list=frozen:2:10")
    ids = setting.buy(5)
    assert setting.shown() == ids[1::-1]
    setting.moment += timedelta(seconds=5)
    assert setting.shown() == ids[::-1]


def test_a_lossy_list_loses_the_same_ones() -> None:
    setting = Setting("list=lossy:0.3+unordered")
    ids = setting.buy(40)
    shown = setting.shown()
    assert shown == setting.shown()
    assert 10 < len(shown) < 40
    assert set(shown) < set(ids)
    assert all(setting.account.look(i).id == i for i in ids)


ERRORS: list[tuple[str, type[ProviderError]]] = [
    ("401", TokenRefusedError),
    ("403", ForbiddenError),
    ("html403", ForbiddenError),
    ("404", WrongAddressError),
    ("405", WrongAddressError),
    ("html", WrongAddressError),
    ("shape", WrongAddressError),
    ("410", ProviderError),
    ("422", ProviderError),
    ("500", UnreachableError),
    ("hang-up", UnreachableError),
]


@pytest.mark.parametrize(("word", "error"), ERRORS)
def test_reads_meet_answers(word: str, error: type[ProviderError]) -> None:
    """The list, a single look and all reads, each as the adapter would say it."""
    setting = Setting(f"list={word}")
    (made,) = setting.buy(1)
    with pytest.raises(ProviderError) as met:
        setting.shown()
    assert type(met.value) is error
    assert setting.account.look(made).id == made
    setting = Setting(f"sick-as={word}")
    (made,) = setting.buy(1)
    with pytest.raises(ProviderError) as met:
        setting.account.look(made)
    assert type(met.value) is (UnknownGenerationError if word == "404" else error)
    assert setting.shown() == [made]
    setting = Setting(f"outage=5:9:reads:{word}")
    assert setting.account.trouble() is None
    setting.moment += timedelta(seconds=5)
    assert type(setting.account.trouble()) is error


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        ("posts=400", Rejected),
        ("posts=403", Refused),
        ("posts=402", Refused),
        ("posts=405", Refused),
        ("posts=418", InDoubt),
        ("posts=hang-up", InDoubt),
        ("throttled", Throttled),
        ("quota=0:400", Refused),
        ("outage=0:9:posts", InDoubt),
        ("outage=0:9:all:429", Throttled),
    ],
)
def test_purchases_are_refused(faults: str, outcome: type) -> None:
    """Nothing is made."""
    setting = Setting(faults)
    assert isinstance(setting.post(), outcome)
    assert setting.account.world.made == []


def test_the_account_is_refused_for_a_time() -> None:
    """In the words that a night chooses; before and after it buys."""
    setting = Setting(refusals=((Span(1, 3), QUOTA),), cut_off=(Span(4, 5),))
    outcomes = [setting.post() == QUOTA for _ in range(4)]
    assert outcomes == [False, True, True, False]
    assert len(setting.account.world.made) == 2
    assert isinstance(setting.account.trouble(), UnreachableError)
    assert setting.account.is_cut_off()
    setting.moment += timedelta(seconds=1)
    assert setting.account.trouble() is None


def test_views_have_their_manners() -> None:
    """Prompts, states, reasons and times."""
    setting = Setting("echo=strip+cut:3,failure=UNSAFE_CONTENT,odd-time=none")
    (made,) = setting.buy(1)
    setting.moment += timedelta(seconds=LONGEST)
    view = setting.account.look(made)
    assert (view.prompt, view.message, view.created_at) == ("fox", "UNSAFE_CONTENT", None)
    assert (view.phase, view.said_state) == (GenerationPhase.FAILED, None)
    setting = Setting("list=altered:none,status-completed=frobnicated,address=none")
    (made,) = setting.buy(1)
    setting.moment += timedelta(seconds=LONGEST)
    view = setting.account.look(made)
    assert (view.phase, view.said_state) == (GenerationPhase.UNKNOWN, "frobnicated")
    assert (view.failure, view.video_url) == (None, None)
    assert view.prompt is not None
    assert setting.account.page("sora", 1, 0)[0].prompt is None


@pytest.mark.parametrize("moment", ["year1", "year9999", "epoch"])
def test_odd_times_are_what_the_reader_makes_of_them(moment: str) -> None:
    """No time of ours, and nothing overflows on the way."""
    setting = Setting(f"odd-time={moment}")
    (made,) = setting.buy(1)
    shown = setting.account.look(made).created_at
    assert shown is None or abs(shown - EPOCH) > timedelta(days=10_000)
