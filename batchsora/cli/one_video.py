"""What may be said of a single video, as options and as columns of a manifest."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option("--model", help="Model: 'batchsora models' lists them.  [default: sora]"),
    click.option("--image", help="Start image: a path, a URL or a data URI."),
    click.option("--end-image", help="End image, of models that take one."),
    click.option(
        "--reference-image", "references", multiple=True, help="Reference image; can be repeated."
    ),
    click.option("--orientation", help="Format, as 9:16 or 16:9.  [default: the model's first]"),
    click.option("--duration", help="Seconds, as the model takes them.  [default: its shortest]"),
    click.option("--seed", "model_seed", help="Seed, of models that take one."),
    click.option("--negative-prompt", help="What the video must not show, of models that take it."),
    click.option(
        "--param",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="Another parameter of the model; can be repeated.",
    ),
    click.option("--campaign", help="Campaign whose budget it counts in."),
    click.option(
        "--callback-url", metavar="URL", help="URL that the API calls when the video has ended."
    ),
)


def one_video(command: F) -> F:
    """Give a command the options of a single video."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def columns_of(flags: Mapping[str, Any]) -> dict[str, str]:
    """Return what was said of a single video, by the columns of a manifest."""
    from batchsora.usecases.generate import OPTIONS

    said = {name: flags["model_seed" if name == "seed" else name] for name in OPTIONS}
    said |= {f"reference_image_{n}": one for n, one in enumerate(flags["references"], 1)}
    for one in flags["parameters"]:
        name, sign, value = one.partition("=")
        if not (sign and name.strip()):
            raise click.BadParameter(f"{one!r} is not NAME=VALUE", param_hint="'--param'")
        said[f"param.{name.strip()}"] = value
    return {name: value for name, value in said.items() if value is not None}
