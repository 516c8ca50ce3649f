"""One table with every model in every format: bought, paid for and fetched like any other."""

from collections import Counter
from pathlib import Path

import av
import pytest
from support.shell import Shell

from batchsora.providers.registry import MODELS
from batchsora.sandbox.mp4 import UNSAID
from batchsora.sandbox.world import World
from jobs.model.families import provider_id
from jobs.model.money import to_usd

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes")
ROWS = {
    f"{model.name}-{orientation.replace(':', 'x')}": (model, orientation, duration)
    for model in MODELS.values()
    for orientation, duration in zip(
        model.orientations, 3 * (model.durations or (None,)), strict=False
    )
}


@pytest.fixture
def world() -> World:
    """The provider, quickly."""
    return World(time_scale=2000.0)


@pytest.mark.usefixtures("api")
def test_each_has_its_video(call: Shell, world: World) -> None:
    """Its price is what the provider took, its file is of the format and length of its row."""
    lines = [
        f"{key},{key} {'in the evening ' * 4},{model.name},{orientation},{duration or ''}"
        for key, (model, orientation, duration) in ROWS.items()
    ]
    head = "id,prompt,model,orientation,duration"
    Path("night.csv").write_text("\n".join([head, *lines]))
    said = call("run", "night.csv", *QUICK, "--budget", "90")
    assert said.code == 0, said.err
    made = {one.id: one for one in world.made}
    assert Counter(one.model for one in made.values()) == Counter(
        model.name for model, *_ in ROWS.values()
    )
    jobs = {one["job"]: one for one in call("jobs", "--json").json}
    assert jobs.keys() == ROWS.keys()
    for key, (model, orientation, duration) in ROWS.items():
        job = jobs[key]
        own = made[provider_id(job["generation_id"])]
        assert (own.model, own.orientation, own.duration) == (model.name, orientation, duration)
        assert (job["status"], float(job["price"])) == ("completed", float(to_usd(own.price)))
        width, height = map(int, orientation.split(":"))
        with av.open(f"videos/night/{key}.mp4") as container:
            shape = container.streams.video[0].codec_context
            assert (shape.width > shape.height) - (shape.width < shape.height) == (
                (width > height) - (width < height)
            )
            assert container.duration == (duration or UNSAID) * av.time_base


@pytest.mark.usefixtures("api")
def test_before_it_buys_a_run_says_of_what_an_answer_may_be_lost(call: Shell) -> None:
    """Once for all models of a class, and nothing of those that are settled by themselves."""
    models = ("sora", "veo_3_fast", "kling_o1", "kling_2.1", "kling_o3", "kling_2.6")
    lines = [f"r{n},a kite over the bay {n},{model}" for n, model in enumerate(models)]
    Path("night.csv").write_text("\n".join(["id,prompt,model", *lines]))
    planned = call("plan", "night.csv").out
    assert "kling_o1, kling_o3: the provider can't show what was lost" in planned
    said = call("run", "night.csv", *QUICK, "--budget", "9").err.splitlines()
    told = [line for line in said if line.startswith(("kling", "sora", "veo"))]
    assert [line.partition(":")[0] for line in told] == [
        "kling_2.1, kling_2.6",
        "kling_o1, kling_o3",
    ]
    assert "must be looked up by hand" in told[1]
