"""Headers that resemble a column of models: each is asked about, by the right name."""

import pytest

from batchsora.manifest.rows.columns import understand
from batchsora.manifest.rows.headers import meaning


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("start image", "image"),
        ("start frame", "image"),
        ("First frame", "image"),
        ("end frame", "end_image"),
        ("Last frame", "end_image"),
        ("End image (optional)", "end_image"),
        ("Seed (0-1000)", "seed"),
        ("3. Seed", "seed"),
        ("Negative prompt\n(what must not be seen)", "negative_prompt"),
        ("Reference image 1", "reference_image_1"),
        ("ReferenceImage2", "reference_image_2"),
        ("speed", None),
        ("Prompt (negative)", None),
    ],
)
def test_headers_of_models_mean(header: str, name: str | None) -> None:
    assert meaning(header) == name


@pytest.mark.parametrize(
    ("header", "like"),
    [
        ("sed", "seed"),
        ("Seeds", "seed"),
        ("Random seed", "seed"),
        ("Seed no.", "seed"),
        ("negativ prompt", "negative_prompt"),
        ("Negative prompts", "negative_prompt"),
        ("negative", "negative_prompt"),
        ("Neg. prompt", "negative_prompt"),
        ("Prompt (negative)", "negative_prompt"),
        ("Negativer Prompt", "negative_prompt"),
        ("negaitve_prompt", "negative_prompt"),
        ("End picture", "end_image"),
        ("Final frame", "end_image"),
        ("image_tail", "end_image"),
        ("End image URL", "end_image"),
        ("end_iamge", "end_image"),
        ("Endbild", "end_image"),
        ("ref image 1", "reference_image_1"),
        ("Ref. picture 3", "reference_image_3"),
        ("refrence image 2", "reference_image_2"),
        ("Reference image", "image"),
        ("cfg scale", "param.cfg_scale"),
        ("CFG", "param.cfg_scale"),
        ("Guidance scale", "param.cfg_scale"),
        ("cfg_scal", "param.cfg_scale"),
        ("Watermark text", "param.watermark_text"),
    ],
)
def test_what_resembles_a_column_of_models_is_asked_about(header: str, like: str) -> None:
    """By its own name, not by that of a column of all models."""
    columns = understand("m.csv", ["prompt", header], 1)
    assert columns.suspicious == (header,)
    assert [f"={like}'" in one.remedy for one in columns.warnings] == [True]
    said = understand("m.csv", ["prompt", header], 1, {header: like})
    assert (said.known[like], said.suspicious) == (1, ())
    own = understand("m.csv", ["prompt", header], 1, {header: ""})
    assert (own.suspicious, own.warnings, own.carried) == ((), (), (0, 1))


@pytest.mark.parametrize("header", ["Reference", "Reference image", "refs", "Referenzbild"])
def test_references_count_where_models_are_named(header: str) -> None:
    """The first that is free."""
    columns = understand("m.csv", ["prompt", "model", header], 1)
    assert "'reference_image_1'" in columns.warnings[0].problem
    columns = understand("m.csv", ["prompt", "model", "reference_image_1", header], 1)
    assert "'reference_image_2'" in columns.warnings[0].problem


@pytest.mark.parametrize(
    "header",
    [
        *("Speed", "Need", "Feed", "Mode", "Modell", "Reference", "Ref. no.", "Guidance", "Ending"),
        *("Time frame", "End date", "Last name", "Negative feedback", "Last image date", "Tail"),
    ],
)
def test_honest_headers_are_a_persons_own(header: str) -> None:
    assert understand("m.csv", ["prompt", header], 1).suspicious == ()
