"""The flags of :mod:`batchsora.options` for click, those of every command, and ``--help``."""

import functools
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from batchsora.cli.common import GLOBALS, Cli
from batchsora.cli.configured import check_found
from batchsora.cli.picking import batches
from batchsora.option_kinds import Group, Kind, Option, options_of, usd
from batchsora.options import GlobalOptions
from jobs.system import quote

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M")

COLUMN: Final = 30  # longest name of an option beside which its text begins, as click has it


class Usd(click.ParamType[Decimal]):
    """An amount in US dollars, kept as a decimal."""

    name = "usd"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        """Read an amount; a leading dollar sign is allowed."""
        try:
            return value if isinstance(value, Decimal) else usd(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class UsdOrNone(click.ParamType[Decimal | str]):
    """An amount in US dollars, or ``none`` for no budget."""

    name = "usd|none"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal | str:
        """Read an amount; ``none`` stays as it is."""
        return NONE if str(value).lower() == NONE else Usd().convert(value, param, ctx)


NONE: Final = "none"
"""Removes a budget."""


class Rate(click.ParamType[int]):
    """Bytes a second."""

    name = "rate"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Read a rate."""
        from batchsora.fetch.pace import rate_of

        try:
            return rate_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _caps(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, Decimal]:
    caps: dict[str, Decimal] = {}
    for value in values:
        name, sign, amount = value.rpartition("=")
        if not sign or not name:
            raise click.BadParameter(f"{value!r}: write it like summer=2.50")
        caps[name] = Usd().convert(amount, None, None)
    return caps


def _columns(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> dict[str, str]:
    """Read ``HEADER=COLUMN``; a header may contain ``=``, and ``HEADER=`` is no column of ours."""
    from batchsora.manifest.rows.headers import NAMES, meaning

    found: dict[str, str] = {}
    for text in said:
        header, equals, name = text.rpartition("=")
        column = meaning(name) if name.strip() else ""
        if not equals or not header.strip() or column is None:
            raise _no_column(text, "HEADER=COLUMN", name if equals else "", NAMES, header)
        if column and column in found.values():
            raise click.BadParameter(f"two headers can't both be {column!r}")
        found[header] = column
    return found


def _no_column(
    text: str, form: str, name: str, known: Sequence[str], header: str = ""
) -> click.BadParameter:
    """Make the error for a column that is none of ours, with the nearest one."""
    from batchsora.presentation.errors import meant

    near = meant(name, known)
    if name and not near and header in known:
        turned = quote(f"{name}={header}")
        return click.BadParameter(f"{text!r}: the header comes first: write --map {turned}")
    return click.BadParameter(
        f"{text!r}: {f'{near} Write' if near else 'write'} {form}, of {', '.join(known)}"
    )


def _defaults(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> dict[str, str]:
    """Read ``COLUMN=VALUE``."""
    from batchsora.manifest.rows.headers import NAMES, meaning

    found: dict[str, str] = {}
    for text in said:
        name, equals, value = text.partition("=")
        column = meaning(name)
        if not equals or column in (None, "id"):
            known = tuple(name for name in NAMES if name != "id")
            raise _no_column(text, "COLUMN=VALUE", name if equals else "", known)
        found[str(column)] = value
    return found


_PAIRS: Final = {"campaign_budgets": _caps, "columns": _columns, "defaults": _defaults}


class Flag(click.Option):
    """An option with a heading in ``--help``, and a default that is shown but not set."""

    def __init__(
        self,
        decls: Any = None,
        *,
        group: Group | None = None,
        stands_for: str = "",
        **more: Any,
    ) -> None:
        super().__init__(decls, **more)
        self.group = group
        self._stands_for = stands_for

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what ``--help`` adds in brackets."""
        extra = super().get_help_extra(ctx)
        return {**extra, "default": self._stands_for} if self._stands_for else extra


class Grouped(click.Command):
    """A command whose ``--help`` has its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options: the command's own first, then each group, with one column of texts."""
        rows: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Options", *Group)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and not isinstance(param, click.Argument):
                title = Group.OTHER if "--help" in param.opts else "Options"
                rows[getattr(param, "group", title)].append(record)
        widths = [len(words) for found in rows.values() for words, _ in found]
        width = max((one for one in widths if one <= COLUMN), default=0)
        for title, found in rows.items():
            if found:
                with formatter.section(title):
                    formatter.write_dl([(words.ljust(width), text) for words, text in found])


def add(option: Option, **more: Any) -> Callable[[F], F]:
    """Return the decorator that adds an option's flag, or its switches, to a command."""
    group = option.group
    if option.switches:
        flags = [
            click.option(f"--{one.flag}", is_flag=True, help=one.help, cls=Flag, group=group)
            for one in option.switches
        ]
        return lambda function: functools.reduce(lambda f, add: add(f), reversed(flags), function)
    names = [f"--{option.flag}", option.dest]
    if option.short:
        names.insert(0, f"-{option.short}")
    known: dict[str, Any] = {"help": option.help, "hidden": option.hidden}
    known["envvar"] = option.variable or None
    if option.kind is Kind.FLAG and option.negatable:
        names[0] = f"--{option.flag}/--no-{option.flag}"
        known["default"] = None
    elif option.kind is Kind.FLAG:
        known["is_flag"] = True
    else:
        known |= {"type": _type(option), "metavar": option.metavar or option.unit.upper() or None}
        known["stands_for"] = option.shown_default
        if option.kind is Kind.PAIRS:
            known |= {"multiple": True, "callback": _PAIRS[option.name]}
        elif option.default is not None:
            known |= {"default": option.default, "show_default": True, "stands_for": ""}
        if option.check is not None:
            known["callback"] = functools.partial(_checked, option.check)
        if option.completes:
            known["shell_complete"] = batches
    return click.option(*names, cls=Flag, group=group, **(known | more))


def _type(option: Option) -> Any:
    if option.choices:
        return click.Choice(option.choices)
    if option.kind in (Kind.NUMBER, Kind.WHOLE):
        if option.least is None and option.most is None:
            return int if option.kind is Kind.WHOLE else float
        limits: Any = (option.least, option.most)
        return click.IntRange(*limits) if option.kind is Kind.WHOLE else click.FloatRange(*limits)
    return {
        "file": click.Path(dir_okay=False),
        "folder": click.Path(file_okay=False, path_type=Path),
        "existing folder": click.Path(exists=True, file_okay=False),
    }.get(option.path) or _TYPES.get(option.kind, str)


_TYPES: Final[Mapping[Kind, Any]] = {Kind.USD: Usd(), Kind.RATE: Rate()}


def _checked(check: Callable[[str], str], _: Any, __: Any, text: str | None) -> str | None:
    try:
        return None if text is None else check(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def options(model: type[M], command: str, into: str = "options") -> Callable[[F], F]:
    """Return the decorator that adds a model's flags to a command, which gets the model."""
    known = [option for one in options_of(model).values() if (option := one.of(command))]
    names = [switch.dest for option in known for switch in option.switches]
    names += [option.dest for option in known if not option.switches]

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            context = click.get_current_context()
            decode(context)  # kwargs have the texts as they were typed
            said = {name: context.params.get(name, kwargs.pop(name)) for name in names}
            return function(*args, **{into: read(model, command, said)}, **kwargs)

        found: Any = wrapper
        for option in reversed(known):
            found = add(option)(found)
        return found  # type: ignore[no-any-return]

    return decorate


def read(model: type[M], command: str, said: Mapping[str, Any]) -> M:
    """Return a model with the values of a command's line; some exclude each other."""
    values: dict[str, Any] = {}
    for name, one in options_of(model).items():
        if (option := one.of(command)) is None:
            continue
        if option.switches:
            chosen = [one for one in option.switches if said[one.dest]]
            if len(chosen) > 1:
                raise click.UsageError(
                    f"use {' or '.join(f'--{c.flag}' for c in chosen)}, not both"
                )
            values[name] = chosen[0].value if chosen else option.default
            continue
        values[name] = value = said[option.dest]
        if option.not_with and value is not None and values[option.not_with] is not None:
            raise click.UsageError(f"use --{option.not_with} or --{option.flag}, not both")
    return model(**values)


PATHS: Final = ("db",)  # options that are a path or an address
LONGEST_SHOWN: Final = 60  # characters of a text that is refused: enough to know it again


def decode(context: click.Context) -> None:
    """Read texts that the locale could not decode as UTF-8; paths keep their bytes.

    Python keeps such bytes as surrogates, which no database, request or UTF-8 file takes.

    Raises:
        click.BadParameter: a text is not UTF-8 either.
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
        cli.context, cli.sandbox = context, bool(context.params.get("sandbox"))
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
