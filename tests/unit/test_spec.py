"""What a job's row asks for: hashes that databases hold, and columns that leave nothing out."""

import json
from dataclasses import replace

import pytest

from jobs.model.families import Kind
from jobs.model.provider import GenerationRequest, ImageRef
from jobs.model.spec import (
    AskedRow,
    JobSpec,
    SpecRow,
    asked_key,
    asked_row,
    fingerprint,
    request_key,
    request_of,
    spec_row,
)

KITE = GenerationRequest("a red kite", "9:16", 10)
CAFE = GenerationRequest(
    "A café  at dawn",
    "16:9",
    15,
    ImageRef("a.png", "/x/a.png", "ab" * 32, 5, "image/png"),
    "https://example.com/hook",
)
SNOW = GenerationRequest("雪", "9:16", 10, ImageRef("https://example.com/t.jpg"))
SEEDED = replace(CAFE, model="veo", parameters={"seed": 7, "negative_prompt": "rain"})


@pytest.mark.parametrize(
    ("request_", "hashed", "folded"),
    [
        (KITE, "8ce122d10a41ad61e493d05bddc990e5", "8ce122d10a41ad61e493d05bddc990e5"),
        (CAFE, "151de0a68af0614f9092d100af5c9900", "e92cf81f27c9dc620db6e6662c7062fa"),
        (SNOW, "847e06857da0373c6414d8950ecfe8b7", "847e06857da0373c6414d8950ecfe8b7"),
    ],
)
def test_hashes_of_the_first_model_are_those_of_older_databases(
    request_: GenerationRequest, hashed: str, folded: str
) -> None:
    """Others would make each row an edit, and what was paid for would be bought again."""
    assert fingerprint(request_) == hashed
    assert request_key(request_) == folded


def test_model_and_parameters_decide_which_video_comes_out() -> None:
    """Each value is another video; the order of names and the callback are none."""
    others = [
        replace(KITE, model="veo"),
        replace(KITE, parameters={"seed": 1}),
        replace(KITE, parameters={"seed": 2}),
        replace(KITE, parameters={"seed": "1"}),
        replace(KITE, parameters={"seed": True}),
        replace(KITE, model="veo", parameters={"seed": 1}),
    ]
    assert len({fingerprint(one) for one in [KITE, *others]}) == 7
    turned = replace(SEEDED, parameters=dict(reversed(SEEDED.parameters.items())))
    assert fingerprint(turned) == fingerprint(SEEDED)
    assert fingerprint(replace(SEEDED, callback_url=None)) == fingerprint(SEEDED)


@pytest.mark.parametrize("request_", [KITE, CAFE, SNOW, SEEDED])
def test_columns_give_the_request_back(request_: GenerationRequest) -> None:
    """Nothing is left out, whichever way the columns go; the model stands in the kind."""
    kind = Kind("runblob", request_.model, request_.model, "10").key
    asked = asked_row(request_, kind)
    assert request_of(asked) == request_
    assert asked_key(asked) == request_key(request_)
    written = spec_row(JobSpec("a", key_from_content=False, row=2, request=request_), kind)
    read = written._asdict()
    read = {name: read[name] for name in AskedRow._fields}
    read["image"] = None if read["image"] is None else json.loads(read["image"])
    for name in ("parameters", "images"):
        read[name] = json.loads(read[name])
    assert AskedRow(**read) == asked


def test_columns_of_a_request_stand_together() -> None:
    """Statements select them as one: a new one is in all of them."""
    first = SpecRow._fields.index(AskedRow._fields[0])
    assert SpecRow._fields[first : first + len(AskedRow._fields)] == AskedRow._fields


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("runblob/sora/10", Kind("runblob", "sora", "sora", "10")),
        ("runblob/sora/15+image", Kind("runblob", "sora", "sora", "15+image")),
        ("runblob/veo/veo_3_fast/video", Kind("runblob", "veo", "veo_3_fast", "video")),
        ("fal/fal/kling-video/v2.1/pro/5", Kind("fal", "fal", "kling-video/v2.1/pro", "5")),
    ],
)
def test_a_kind_is_read_as_it_is_written(key: str, kind: Kind) -> None:
    """A model's name may have slashes."""
    assert Kind.parse(key) == kind
    assert kind.key == key


@pytest.mark.parametrize("key", ["", "sora", "runblob/sora", "runblob//10", "/sora/10", "a/b/"])
def test_what_names_no_model_is_no_kind(key: str) -> None:
    """A row must not be sent as another model's."""
    with pytest.raises(ValueError, match="not a kind of price"):
        Kind.parse(key)
