"""Texts of the command line and the environment that the locale could not read.

Python keeps such bytes as surrogates, which no database, request or file in UTF-8 takes. A path
stays as it is: the file system gets its bytes back.
"""

from typing import Any, Final

import click

PATHS: Final = ("db",)
"""Options that are paths, and are not declared as such: they may be an address too."""

LONGEST_SHOWN: Final = 60
"""Characters of a text that is refused: enough to know it again."""


def decode(context: click.Context) -> None:
    """Read what is left of a command's texts as UTF-8, whatever the locale says.

    Raises:
        click.BadParameter: it is no UTF-8 either.
    """
    for param in context.command.params:
        name = param.name or ""
        if name not in PATHS and not isinstance(param.type, click.Path):
            context.params[name] = _decoded(context.params.get(name), param, context)


def _decoded(value: Any, param: click.Parameter, context: click.Context) -> Any:
    if isinstance(value, tuple):
        return tuple(_decoded(one, param, context) for one in value)
    if isinstance(value, dict):
        return {
            _decoded(key, param, context): _decoded(one, param, context)
            for key, one in value.items()
        }
    if type(value) is not str:
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        try:
            # the bytes as they were typed, in what nearly every terminal writes
            return value.encode("utf-8", "surrogateescape").decode()
        except UnicodeError:
            shown = value[:LONGEST_SHOWN].encode("ascii", "backslashreplace").decode()
            raise click.BadParameter(
                f"{shown} is not UTF-8. Type it again, or set the terminal's encoding to UTF-8.",
                ctx=context,
                param=param,
            ) from None
    return value
