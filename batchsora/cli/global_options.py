"""The options that every command takes, before or after its name."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from batchsora.cli.common import GLOBALS, Cli
from batchsora.cli.configured import check_found
from batchsora.cli.flags import add, decode
from batchsora.option_kinds import options_of
from batchsora.options import GlobalOptions

F = TypeVar("F", bound=Callable[..., Any])


def _expect_json(context: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's own
    """Take ``--json`` before anything else on the line can be wrong."""
    context.ensure_object(Cli).take("json", value, context.get_parameter_source("json"))
    return value


def _configure(context: click.Context, _: click.Parameter, value: str | None) -> str | None:
    context.ensure_object(Cli).configure(context, value)
    return value


def global_options(function: F) -> F:
    """Add the options that every command takes; its function gets the :class:`Cli` first."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        context = click.get_current_context()
        decode(context)
        kwargs |= {name: context.params[name] for name in kwargs if name in context.params}
        cli = context.ensure_object(Cli)
        for name in GLOBALS:
            cli.take(name, kwargs.pop(name), context.get_parameter_source(name))
        cli.start()
        check_found(cli.configuration, context)
        return function(cli, *args, **kwargs)

    command: Any = wrapper
    for known in reversed([*options_of(GlobalOptions).values()]):
        command = add(known, **_MORE.get(known.name, {}))(command)
    return command  # type: ignore[no-any-return]


_MORE: Final[Mapping[str, Mapping[str, Any]]] = {
    "config": {"is_eager": True, "callback": _configure},
    "json": {"is_eager": True, "callback": _expect_json},
}
