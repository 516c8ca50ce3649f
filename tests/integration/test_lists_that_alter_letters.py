"""A list may alter what is not ASCII alone, where all that the database knows is English."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual

from jobs.model.provider import Generation, GenerationRequest
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import EarlierWork, find_earlier
from jobs.store import holding

CYRILLIC = "цапля и лодка в высоком тростнике на закате, номер {} из серии, и так до самого конца"
ENGLISH = "a heron and a boat in tall reeds at dusk, number {} of a series, and so on until the end"
FRENCH = "un café près de la mer, numéro {} d'une série, et ainsi de suite jusqu'à la fin du jour"
EMOJI = "a fox 🦊 runs through snow, number {} of a series, and so on until the end of the day"
CHINESE = "黄昏高高的芦苇丛中有一只苍鹭和一条小船系列第{}号一直到最后湖面上起了雾远处有山"

Alter = Callable[[str], str]
WAYS: dict[str, Alter] = {
    "cut by bytes": lambda prompt: prompt.encode()[:80].decode(errors="ignore"),
    "question marks": lambda prompt: prompt.encode("ascii", "replace").decode(),
    "left out": lambda prompt: prompt.encode("ascii", "ignore").decode(),
    "another encoding": lambda prompt: prompt.encode().decode("latin-1"),
    "escaped": lambda prompt: prompt.encode("ascii", "backslashreplace").decode(),
    "cut at what has 17 bits": lambda prompt: prompt.partition("🦊")[0],
    "without accents": lambda prompt: prompt.translate(str.maketrans("éèàù", "eeau")),
    "other letters": lambda prompt: prompt.translate(
        {n: "abvgdejziiklmnoprstufhccss-y-eua"[n - 0x430] for n in range(0x430, 0x450)}
    ),
    "control": lambda prompt: prompt[:80],
}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine whose videos take ten minutes."""
    made = Engine(tmp_path, Invariants(), takes=600.0)
    made.announce(s10=120_000, s15=120_000)
    return made


def show(engine: Engine, alter: Alter) -> None:
    """Let the list alter prompts."""
    pages = type(engine.provider).generations

    async def altered(_: str, limit: int, offset: int) -> Sequence[Generation]:
        page = await pages(engine.provider, "sora", limit, offset)
        return [replace(one, prompt=alter(one.prompt or "")) for one in page]

    engine.provider.generations = altered  # type: ignore[method-assign]


def others(engine: Engine, *prompts: str) -> None:
    """Let the database that was lost buy videos."""
    for prompt in prompts:
        engine.provider.make(GenerationRequest(prompt, "9:16", 10))


def night(engine: Engine) -> EarlierWork:
    """Look and run, as `batchsora run` does."""
    work = run_virtual(find_earlier(engine.store, engine.provider, engine.clock, Sought([1])))
    engine.store.adoption.hold_back(work)
    engine.run(looked_at=engine.clock.now(), looked_for=work.looked_at)
    return work


def bought(engine: Engine, prompts: Sequence[str]) -> list[int]:
    """Count how often this database bought each."""
    sent = [prompt for prompt, _ in engine.provider.posts]
    return [sent.count(prompt) for prompt in prompts]


def load(engine: Engine, prompts: Sequence[str]) -> None:
    """Load a sheet of these."""
    engine.load([spec(f"r{n}", prompt, row=n) for n, prompt in enumerate(prompts)])


def later(engine: Engine) -> None:
    """Let an hour pass."""
    engine.clock.start += timedelta(hours=1)


@pytest.mark.parametrize("known", ["english", "nothing"])
@pytest.mark.parametrize(
    ("way", "prompt"),
    [
        ("cut by bytes", CYRILLIC),
        ("cut by bytes", CHINESE),
        ("question marks", CYRILLIC),
        ("question marks", FRENCH),
        ("left out", EMOJI),
        ("another encoding", CYRILLIC),
        ("another encoding", FRENCH),
        ("escaped", CHINESE),
        ("cut at what has 17 bits", EMOJI),
        ("without accents", FRENCH),
        ("other letters", CYRILLIC),
        ("control", CYRILLIC),
    ],
)
def test_what_a_lost_database_bought_is_not_bought_again(
    engine: Engine, way: str, prompt: str, known: str
) -> None:
    """What is known is English, or nothing; the rows bought since are not."""
    show(engine, WAYS[way])
    rows = [ENGLISH.format(n) for n in range(3)] + [prompt.format(n) for n in range(3)]
    rows = [f"{n} {row}" for n, row in enumerate(rows)]
    if known == "english":
        load(engine, rows[:3])
        engine.run()
    else:
        others(engine, *rows[:3])
    later(engine)
    others(engine, *rows[3:])
    later(engine)
    load(engine, rows)
    work = night(engine)
    assert bought(engine, rows[3:]) == [0, 0, 0], work


@pytest.mark.parametrize("emoji", [0, 3])
def test_a_list_that_cuts_prompts_as_javascript_does(engine: Engine, emoji: int) -> None:
    """An emoji counts as two there; one known prompt is just short enough to be shown whole."""
    show(engine, lambda text: text.encode("utf-16-le")[:160].decode("utf-16-le", "replace"))
    rows = [f"{n} {ENGLISH.format(n)}" for n in range(5)]
    rows[0] = rows[0][:79]
    rows[3:] = [f"{n} {chr(0x1F600) * emoji} {ENGLISH.format(n)}" for n in (3, 4)]
    load(engine, rows[:3])
    engine.run()
    later(engine)
    others(engine, *rows[3:])
    later(engine)
    load(engine, rows)
    work = night(engine)
    assert bought(engine, rows[3:]) == [0, 0], work


@pytest.mark.parametrize("prompt", [CYRILLIC, FRENCH, EMOJI, CHINESE])
@pytest.mark.parametrize("known", ["nothing", "english", "others' english", "the same letters"])
def test_a_first_purchase_waits_for_nothing_that_it_can_not_be(
    engine: Engine, known: str, prompt: str
) -> None:
    """An empty account, one whose videos are all ours, or a list that shows such letters."""
    ours = [ENGLISH.format(n) for n in range(3)] if known == "english" else []
    if ours:
        load(engine, ours)
        engine.run()
    elif known == "others' english":
        others(engine, "a kite in the wind")
    elif known == "the same letters":
        others(engine, prompt.format(7))
    later(engine)
    rows = [prompt.format(n) for n in range(3)]
    load(engine, [*ours, *rows])
    work = night(engine)
    # the price: what others made may be what becomes of a prompt that begins with such a letter
    waits = known == "others' english" and prompt in (CYRILLIC, CHINESE)
    assert bought(engine, rows) == [0 if waits else 1] * 3
    assert bool(work.trouble) is waits


def test_a_word_is_enough_and_what_it_bought_tells_the_rest(engine: Engine) -> None:
    """The next sheet of such letters waits no more; what is made later is found as ever."""
    others(engine, "a kite in the wind")
    first = [CYRILLIC.format(n) for n in range(2)]
    load(engine, first)
    work = night(engine)
    assert "letters like 'ц', and generation gen-0 may have such a prompt" in work.trouble
    assert bought(engine, first) == [0, 0]
    engine.store.write(lambda c: holding.overrule(c, Sought([1]), engine.clock.now()))
    later(engine)
    later(engine)
    assert night(engine).trouble == ""
    assert bought(engine, first) == [1, 1]
    load(engine, [*first, CYRILLIC.format(8)])
    later(engine)
    others(engine, "a kestrel above the dunes")
    assert night(engine).trouble == ""
    assert bought(engine, [CYRILLIC.format(8)]) == [1]
