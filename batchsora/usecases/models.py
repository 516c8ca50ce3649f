"""List the models that videos can be bought of, and what each takes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from batchsora.manifest.errors import CellError
from batchsora.manifest.rows.model_columns import model_of, wanted
from batchsora.presentation.evidence_words import LOST, PLAIN
from batchsora.presentation.request_words import model_text
from batchsora.providers.model import Model
from batchsora.providers.registry import MODELS
from batchsora.settings import SettingsError
from jobs.model.money import usd_text


def models_json(name: str | None = None) -> list[dict[str, Any]]:
    """Return the models for scripts, or the one of a name.

    Raises:
        SettingsError: there is none of that name.
    """
    return [_json(model) for model in _chosen(name)]


def models_rows() -> list[list[str]]:
    """Return a line for each model: name, length, formats, price, images that it takes."""
    return [
        [
            model.name,
            f"{', '.join(map(str, model.durations))} s" if model.durations else "its own",
            " ".join(model.orientations),
            _announced(model) or "learned",
            ", ".join(_images(model)).replace(" image", "") or "none",
        ]
        for model in MODELS.values()
    ]


def model_lines(name: str) -> Iterator[str]:
    """Return all that is known of a model, for people.

    Raises:
        SettingsError: there is none of that name.
    """
    (model,) = _chosen(name)
    yield f"{model.name}, a model of {model.provider}"
    yield f"  length      {f'{model.seconds} s' if model.durations else 'no choice'}"
    yield f"  format      {' or '.join(model.orientations)}"
    yield f"  prompt      {model.shortest_prompt} to {model.longest_prompt} characters"
    yield f"  images      {', '.join(_images(model)) or 'none'}"
    for parameter, rule in model.parameters.items():
        yield f"  {parameter:<11} {wanted(rule)}{rule.help and f': {rule.help}'}"
    yield f"  price       {_announced(model) or 'learned from the first video'}"
    yield f"  unconfirmed {LOST[model.evidence]}"


def lost_answers(kinds: Iterable[str]) -> dict[str, str]:
    """Return what a lost answer means where it needs a word, by the models of price kinds."""
    names = {name for kind in kinds if (name := model_text(kind)) is not None}
    means: dict[str, list[str]] = {}
    for model in (MODELS[name] for name in sorted(names & MODELS.keys())):
        if model.evidence not in PLAIN:
            means.setdefault(LOST[model.evidence], []).append(model.name)
    return {", ".join(models): words for words, models in means.items()}


def _announced(model: Model) -> str:
    """Return the announced prices; empty: there are none."""
    told = {price.micros for price in model.prices.values()}
    if not told:
        return ""
    amounts = " to ".join(f"${usd_text(amount)}" for amount in sorted({min(told), max(told)}))
    return amounts if len(model.prices) == len(model.kinds) else f"from {amounts}"


def _images(model: Model) -> list[str]:
    references = [role for role in model.roles if role.startswith("reference")]
    others = [f"{role} image" for role in model.roles if role not in references]
    return [*others, *([f"{len(references)} reference images"] if references else [])]


def _chosen(name: str | None) -> list[Model]:
    if name is None:
        return list(MODELS.values())
    try:
        return [model_of(name)]
    except CellError as error:
        raise SettingsError(f"unknown model {name!r}. {error.remedy}") from error


def _json(model: Model) -> dict[str, Any]:
    parameters: Mapping[str, Any] = {
        name: {
            "type": str(rule.type),
            "least": rule.least,
            "most": rule.most,
            "choices": list(rule.choices),
            "needed": rule.needed,
            "help": rule.help,
        }
        for name, rule in model.parameters.items()
    }
    return {
        "model": model.name,
        "provider": model.provider,
        "family": model.family,
        "durations": list(model.durations),
        "orientations": list(model.orientations),
        "prompt_characters": [model.shortest_prompt, model.longest_prompt],
        "images": list(model.roles),
        "parameters": parameters,
        "prices": {
            variant: {
                "usd": usd_text(price.micros),
                "source": price.source,
                "read_on": price.read_on.isoformat(),
            }
            for variant, price in model.prices.items()
        },
        "evidence": str(model.evidence),
        "lost_answer": LOST[model.evidence],
    }
