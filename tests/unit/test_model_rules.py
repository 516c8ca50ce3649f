"""What a model's file says of a parameter, and what a price kind is called."""

from typing import Any

import pytest

from batchsora.presentation.request_words import kind_text, model_text
from batchsora.providers.model import ParameterRule, ParameterType

WHOLE = ParameterRule(ParameterType.WHOLE, least=1, most=9)
NUMBER = ParameterRule(ParameterType.NUMBER, least=0, most=1)
TEXT = ParameterRule(ParameterType.TEXT, most=3)
FLAG = ParameterRule(ParameterType.FLAG)
CHOICE = ParameterRule(ParameterType.CHOICE, choices=("fast", "fine"))
TAKEN = [
    (WHOLE, [1, 9], [0, 10, 1.0, "1", True, None]),
    (NUMBER, [0, 0.5, 1.0], [-0.1, 1.1, "0.5", True, float("nan")]),
    (TEXT, ["", "abc"], ["abcd", 3, None]),
    (FLAG, [True, False], [1, "true", None]),
    (CHOICE, ["fast", "fine"], ["Fast", "", None]),
]


@pytest.mark.parametrize(("rule", "good", "bad"), TAKEN, ids=lambda one: getattr(one, "type", ""))
def test_a_value_is_of_its_type_and_within_its_limits(
    rule: ParameterRule, good: list[Any], bad: list[Any]
) -> None:
    """The sandbox asks the same of a request as a manifest of a cell."""
    assert [value for value in good if not rule.takes(value)] == []
    assert [value for value in bad if rule.takes(value)] == []


@pytest.mark.parametrize(
    ("kind", "said", "model"),
    [
        ("runblob/sora/15+image", "15 s, with image", "sora"),
        ("runblob/kling/kling_2.6/5", "kling_2.6, 5 s", "kling_2.6"),
        ("runblob/veo/veo_3_fast/video", "veo_3_fast", "veo_3_fast"),
        ("of another program", "of another program", None),
    ],
)
def test_a_kind_in_words(kind: str, said: str, model: str | None) -> None:
    """One that can't be read is shown as it is."""
    assert (kind_text(kind), model_text(kind)) == (said, model)
