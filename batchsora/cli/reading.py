"""Options that say how a manifest is read, alike in every command that reads one."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from batchsora.app.manifests import Source

F = TypeVar("F", bound=Callable[..., Any])

_DELIMITERS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def _delimiter(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    found = None if text is None else _DELIMITERS.get(text.lower(), text)
    if found is not None and (len(found) != 1 or found in '"\r\n\0'):
        raise click.BadParameter("give one character, or tab, comma, semicolon or pipe")
    return found


def _encoding(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    try:
        "".encode(name or "utf-8")
    except (LookupError, ValueError) as error:
        raise click.BadParameter(
            f"{name!r} is no encoding; often it is cp1252, or utf-16"
        ) from error
    return name


def _columns(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> dict[str, str]:
    """Read ``HEADER=COLUMN``; a header may have a ``=`` of its own; ``HEADER=``: own."""
    from batchsora.manifest.headers import SYNONYMS, meaning

    found: dict[str, str] = {}
    for text in said:
        header, equals, name = text.rpartition("=")
        column = meaning(name) if name.strip() else ""
        if not equals or not header.strip() or column is None:
            raise click.BadParameter(f"{text!r}: write HEADER=COLUMN, of {', '.join(SYNONYMS)}")
        if column and column in found.values():
            raise click.BadParameter(f"two headers can't both be {column!r}")
        found[header] = column
    return found


def _defaults(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> dict[str, str]:
    """Read ``COLUMN=VALUE``."""
    from batchsora.manifest.headers import SYNONYMS, meaning

    found: dict[str, str] = {}
    for text in said:
        name, equals, value = text.partition("=")
        column = meaning(name)
        if not equals or column in (None, "id"):
            known = ", ".join(name for name in SYNONYMS if name != "id")
            raise click.BadParameter(f"{text!r}: write COLUMN=VALUE, of {known}")
        found[str(column)] = value
    return found


_OPTIONS: Final = (
    click.option("--sheet", metavar="NAME", help="Of a workbook; default: the first."),
    click.option(
        "--include-hidden/--no-include-hidden",
        default=None,
        help="Read the rows of a sheet that are hidden, too.",
    ),
    click.option(
        "--ignore-pictures/--no-ignore-pictures",
        default=None,
        help="Buy rows over whose cells pictures lie as if there were none.",
    ),
    click.option(
        "--embedded-images/--no-embedded-images",
        default=None,
        help="Use the pictures over or in a row's cells as its image.",
    ),
    click.option(
        "--map",
        "columns",
        multiple=True,
        callback=_columns,
        metavar="HEADER=COLUMN",
        help="What a column means, as 'What you see=prompt'; 'Size=' leaves it alone.",
    ),
    click.option(
        "--default",
        "column_defaults",
        multiple=True,
        callback=_defaults,
        metavar="COLUMN=VALUE",
        help="What empty cells say, as duration=15.",
    ),
    click.option("--prompt", help="As --default prompt=…; for a folder of pictures."),
    click.option(
        "--delimiter",
        metavar="CHAR",
        callback=_delimiter,
        help="Between cells, where it is not told.",
    ),
    click.option(
        "--encoding", metavar="NAME", callback=_encoding, help="Of a file that is not UTF-8."
    ),
    click.option(
        "--images",
        type=click.Path(exists=True, file_okay=False),
        metavar="DIR",
        help="Another folder to look for pictures in.",
    ),
    click.option(
        "--fit-images/--no-fit-images",
        default=None,
        help="Convert and shrink pictures that would be refused.",
    ),
    click.option(
        "--allow-outside", is_flag=True, help="Accept images outside the manifest's folder."
    ),
)
NAMES: Final = (
    "sheet", "include_hidden", "ignore_pictures", "embedded_images", "columns", "column_defaults",
    "prompt", "delimiter", "encoding", "images", "fit_images", "allow_outside",
)  # fmt: skip


def reading_options(function: F) -> F:
    """Add the options; the command gets them together, as the function ``source`` of a path."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        said = {name: kwargs.pop(name) for name in NAMES}
        return function(*args, source=functools.partial(_source, said), **kwargs)

    command: Any = wrapper
    for option in reversed(_OPTIONS):
        command = option(command)
    return command  # type: ignore[no-any-return]


def _source(said: Mapping[str, Any], path: Any) -> "Source":
    from batchsora.app.manifests import Source
    from batchsora.manifest.raw import Reading

    defaults = dict(said["column_defaults"])
    if said["prompt"] is not None:
        defaults["prompt"] = said["prompt"]
    return Source(
        path,
        Reading(
            sheet=said["sheet"],
            delimiter=said["delimiter"],
            encoding=said["encoding"],
            columns=said["columns"],
            defaults=defaults,
            include_hidden=said["include_hidden"],
            ignore_pictures=said["ignore_pictures"],
            embedded_images=said["embedded_images"],
            images=None if said["images"] is None else os.path.realpath(said["images"]),
        ),
        allow_outside=said["allow_outside"],
        fit_images=said["fit_images"],
    )
