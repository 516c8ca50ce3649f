"""Lost answers that a callback to the attempt's own address settles, once the provider agrees."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.provider import SORA_LIST, Made

from batchsora.composition.callbacks import attempt_in, own_address
from jobs.model.families import EvidenceClass, Family
from jobs.model.provider import GenerationRequest, UnreachableError
from jobs.model.states import AttemptState, JobState

ADDRESS = "https://videos.example/hooks/a-secret"
BLIND = Family("fake", "kling-o1", EvidenceClass.BLIND)


def test_an_address_names_one_attempt() -> None:
    """Of one database: a copy that goes on has other keys under the same numbers."""
    address = own_address(ADDRESS, 7, "k1")
    assert attempt_in(address, ADDRESS) == 7
    assert own_address(ADDRESS, 7, "k1") == address
    others = {own_address(ADDRESS, 8, "k1"), own_address(ADDRESS, 7, "k2")}
    assert address not in others | {own_address(f"{ADDRESS}x", 7, "k1")}


@pytest.mark.parametrize(
    "end",
    ["", "/", "/7", "/7-", f"/7-{'g' * 32}", f"/7-{'a' * 33}", f"/-7-{'a' * 32}", f"/07-{'a' * 32}",
     f"/{'9' * 19}-{'a' * 32}", f"-7-{'a' * 32}", f"/7-{'a' * 32}/", f"/\u0667-{'a' * 32}"],
)  # fmt: skip
def test_other_paths_name_none(end: str) -> None:
    assert attempt_in(ADDRESS + end, ADDRESS) is None


class Called(Engine):
    """An engine of a model without a list, whose first answer is lost, and which is called back.

    ``calls``: which generation is named for it, after a minute; None: the one that was made.
    """

    def __init__(self, folder: Path, calls: str | None = None, **provider: Any) -> None:
        families = {"sora": SORA_LIST, BLIND.name: BLIND}
        super().__init__(folder, families=families, **provider)
        self.calls = calls
        self.provider.on_post = self._posted

    def _posted(self, request: GenerationRequest) -> None:
        if request.callback_url is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(60, self.call, request.callback_url, request.prompt)

    def call(self, address: str, prompt: str) -> None:
        """Do what the page does with a callback to an attempt's own address."""
        number = attempt_in(address, ADDRESS)
        made = [one for one in self.provider.made if one.prompt == prompt]
        if number is not None and (self.calls or made):
            self.store.control.name_generations({number: self.calls or made[-1].id})

    def night(self) -> None:
        """Run its row, beside one that takes five minutes."""
        rows = [spec("r1", "a heron", row=1, model="kling_o1", duration=10)]
        self.load([*rows, spec("r2", "a lake", row=2)])
        self.run(callback_of=lambda number, key: own_address(ADDRESS, number, key))

    def foreign(self, prompt: str) -> Made:
        return self.provider.make(spec("x", prompt, model="kling_o1", duration=10).request)


def test_what_no_list_shows_is_settled(tmp_path: Path) -> None:
    """A blind model's lost answer, which would wait for a person."""
    engine = Called(tmp_path, script={"a heron": ["made"]})
    engine.night()
    job = engine.jobs()["r1"]
    assert job.state == JobState.COMPLETED
    (attempt,) = [one for one in engine.attempts() if one.job_id == job.id]
    made = [one for one in engine.provider.made if one.prompt == "a heron"]
    assert [attempt.generation_id] == [one.id for one in made]
    assert engine.budget("account").held_micros == 0


@pytest.mark.parametrize(
    ("prompt", "named"), [("a boat", "gen-0"), (None, "gen-77"), (None, "../../etc/passwd")]
)
def test_what_the_provider_does_not_confirm_is_not_believed(
    tmp_path: Path, prompt: str | None, named: str
) -> None:
    engine = Called(tmp_path, named, script={"a heron": ["made"]})
    if prompt is not None:
        engine.foreign(prompt)
    engine.night()
    job = engine.jobs()["r1"]
    assert job.state == JobState.IN_DOUBT
    (attempt,) = [one for one in engine.attempts() if one.job_id == job.id]
    assert attempt.announced_as == named


def test_what_another_attempt_has_stays_there(tmp_path: Path) -> None:
    """The lake's, which is named for the heron, under the same prompt even."""
    engine = Called(tmp_path, script={"a heron": ["made"]})
    engine.night()
    first, lake = engine.attempts()
    engine.store.control.name_generations({first.id: lake.generation_id})
    engine.run()
    assert engine.attempts()[1].generation_id == lake.generation_id
    assert engine.attempts()[0].generation_id != lake.generation_id


def test_one_that_comes_after_the_answer_changes_nothing(tmp_path: Path) -> None:
    engine = Called(tmp_path)
    engine.night()
    assert {one.state for one in engine.attempts()} == {AttemptState.COMPLETED}
    assert {one.announced_as for one in engine.attempts()} == {None}


def test_a_void_that_is_called_back_is_its_rows_video(tmp_path: Path) -> None:
    """A person said that it was never made: it is not bought again before that is looked at."""
    engine = Called(tmp_path, "nothing-yet", script={"a heron": ["made"]})
    engine.night()
    doubt = engine.attempts()[0]
    assert doubt.state == AttemptState.IN_DOUBT
    assert engine.store.doubts.void(doubt.id, "a person looked", engine.clock.now())
    made = next(one.id for one in engine.provider.made if one.prompt == "a heron")
    engine.store.control.name_generations({doubt.id: made})
    engine.run()
    assert engine.jobs()["r1"].state == JobState.COMPLETED
    assert engine.attempts()[0].generation_id == made
    assert len(engine.provider.made) == 2


def test_it_is_asked_again_when_the_provider_could_not_say(tmp_path: Path) -> None:
    engine = Called(tmp_path, script={"a heron": ["made"]})
    look, failed = engine.provider.generation, []

    async def generation(name: str) -> Any:
        if not failed:
            failed.append(name)
            raise UnreachableError("503")
        return await look(name)

    engine.provider.generation = generation  # type: ignore[method-assign]
    engine.night()
    assert failed
    assert engine.jobs()["r1"].state == JobState.COMPLETED
