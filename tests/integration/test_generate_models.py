"""Single videos of any model: the options of ``generate`` are checked as a manifest's cells are."""

from pathlib import Path

import pytest
from support.shell import Shell

from batchsora.sandbox.world import World

PROMPT = "a tram in the rain at dawn"
QUICK = ("--poll-interval", "0.05", "--yes", "--wait", "--json")


@pytest.fixture
def world() -> World:
    """The provider, quickly."""
    return World(time_scale=2000.0)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("said", "made"),
    [
        ([], ("sora", 10, "9:16")),
        (["--model", "Veo 3 Fast"], ("veo_3_fast", None, "16:9")),
        (["--model", "veo_3_fast", "--orientation", "9:16"], ("veo_3_fast", None, "9:16")),
        (["--model", "kling_2.6", "--duration", "10"], ("kling_2.6", 10, "16:9")),
        (["--model", "kling_o3", "--duration", "15"], ("kling_o3", 15, "16:9")),
    ],
)
def test_it_is_of_the_model_that_was_said(
    call: Shell, world: World, said: list[str], made: tuple[str, int | None, str]
) -> None:
    """By the model's own defaults."""
    done = call("generate", PROMPT, *said, *QUICK)
    assert done.code == 0, done.err
    (one,) = world.made
    assert (one.model, one.duration, one.orientation) == made
    assert done.json["model"] == made[0]


@pytest.mark.usefixtures("api")
def test_parameters_are_sent(call: Shell, world: World) -> None:
    said = ["--model", "veo_3_fast", "--seed", "77", "--param", "watermark_text=mine=yours"]
    assert call("generate", PROMPT, *said, *QUICK).code == 0
    (one,) = world.made
    assert one.seed == 77
    other = ["--model", "kling_2.6", "--negative-prompt", "rain", "--param", "cfg_scale=0.7"]
    assert call("generate", PROMPT, *other, *QUICK).code == 0
    exported = call("export", "--batch", "adhoc", "-o", "all.csv")
    assert exported.code == 0, exported.err
    text = Path("all.csv").read_text()
    for cell in ("mine=yours", "rain", "0.7", "77"):
        assert cell in text


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["--model", "veo_3_fats"], "--model: unknown model (found 'veo_3_fats')"),
        (["--model", "veo_3_fast", "--duration", "10"], "--duration: veo_3_fast leaves no choice"),
        (["--seed", "7"], "--seed: sora takes no seed"),
        (["--model", "kling_2.6", "--param", "cfg_scale=7"], "--param cfg_scale: not a value of"),
        (["--param", "nope=7"], "--param nope: sora takes no nope"),
        (["--model", "kling_o1", "--end-image", "x.png"], "--end-image: image not found"),
        (
            ["--model", "sora", "--end-image", "https://example.com/x.png"],
            "--end-image: sora takes",
        ),
        (["--model", "kling_o1", "--reference-image", "x.png"], "--reference-image: image not"),
        (["--negative-prompt", "rain"], "--negative-prompt: sora takes no negative_prompt"),
    ],
)
def test_what_it_does_not_take_is_an_error_of_that_option(
    call: Shell, world: World, said: list[str], told: str
) -> None:
    """Before anything is paid, with a remedy for what was typed, not for a table."""
    done = call("generate", PROMPT, *said, "--yes")
    assert done.code == 2
    assert told in done.err
    assert "--map" not in done.err
    assert "cell" not in done.err
    assert world.made == []


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("said", ["x", "=7", " =7"])
def test_a_parameter_has_a_name_and_a_value(call: Shell, said: str) -> None:
    done = call("generate", PROMPT, "--param", said)
    assert done.code == 2
    assert "is not NAME=VALUE" in done.err
