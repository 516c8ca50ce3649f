"""Each option is said once, and is found wherever it can be set."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, make_dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from batchsora import Batch, config
from batchsora.cli import COMMANDS, group, name_as_typed
from batchsora.cli.common import GLOBALS, Cli
from batchsora.cli.configured import defaults
from batchsora.cli.flags import Flag, Grouped, options
from batchsora.keywords import run_options
from batchsora.option_kinds import Found, Group, Kind, Option, option, options_of, words_of
from batchsora.options import GlobalOptions, ReadingOptions, RunKeywords, RunOptions
from batchsora.usecases.scaffold import configuration

MODELS = (GlobalOptions, ReadingOptions, RunOptions)
FEW = 8
"""A command with no more options of its own needs no headings."""

More = make_dataclass(
    "More",
    [
        (
            "most_failures",
            int,
            option(
                Kind.WHOLE,
                "Failures after which the run ends.",
                3,
                least=1,
                most=9,
                group=Group.PACE,
                found=Found.COUNTS,
                keyword=True,
            ),
        )
    ],
    bases=(RunOptions,),
    frozen=True,
    kw_only=True,
)
"""The options of a run, with one more."""


@click.command("run", cls=Grouped)
@options(More, "run")
@click.pass_context
def more(context: click.Context, /, options: Any) -> None:
    """Keep what was said."""
    context.obj = options


name_as_typed(more)


def said(*words: str, **how: Any) -> Any:
    """Return the options of a line."""
    with more.make_context(
        "run", list(words), auto_envvar_prefix="BATCHSORA_RUN", **how
    ) as context:
        more.invoke(context)
        return context.obj


def commands() -> Iterator[tuple[str, click.Command]]:
    """Give every command."""
    root = click.Context(group, **group.context_settings)  # commands remember their --help
    for name in COMMANDS:
        command = group.get_command(root, name)
        assert command is not None
        yield name, command


def known() -> Iterator[Any]:
    """Give every option of each command that takes it."""
    for name, _ in commands():
        for model in MODELS:
            for one in options_of(model).values():
                found = one if model is GlobalOptions else one.of(name)
                if found is not None and (name == "run" or found is not one):
                    yield pytest.param(name, found, id=f"{name} {one.name}")


@pytest.mark.parametrize(("name", "one"), list(known()))
def test_it_is_a_flag_of_its_commands(name: str, one: Option) -> None:
    """With the same type, range, default, heading and words."""
    found = {param.name: param for param in dict(commands())[name].params}
    if one.switches:
        assert [found[switch.dest].help for switch in one.switches] == [  # type: ignore[attr-defined]
            switch.help for switch in one.switches
        ]
        return
    flag = found[one.dest]
    assert isinstance(flag, Flag)
    assert (flag.help, flag.group, flag.hidden) == (one.help, one.group, one.hidden)
    assert f"--{one.flag}" in flag.opts
    assert not one.variable or flag.envvar == one.variable
    if isinstance(flag.type, click.IntRange | click.FloatRange):
        assert (flag.type.min, flag.type.max) == (one.least, one.most)
    else:
        assert one.most is None
    if one.kind is not Kind.FLAG and one.default is not None:
        assert flag.default == one.default


def test_one_more_option_is_a_flag_a_variable_a_key_and_a_keyword(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It was said in one place, and everything else is made from that."""
    monkeypatch.chdir(tmp_path)
    assert said().most_failures == 3
    assert said("--most-failures", "4").most_failures == 4
    with pytest.raises(click.BadParameter, match=r"range 1<=x<=9"):
        said("--most-failures", "10")
    monkeypatch.setenv("BATCHSORA_RUN_MOST_FAILURES", "5")
    assert said().most_failures == 5
    monkeypatch.delenv("BATCHSORA_RUN_MOST_FAILURES")

    keys = config.keys_of(GlobalOptions, More)
    monkeypatch.setattr(config, "KEYS", keys)
    Path("batchsora.toml").write_text("most-failures = 6\n")
    file = config.find_configuration(None, ["run"])
    assert file is not None
    assert said(default_map=defaults(file, more, click.Context(more))).most_failures == 6
    file.check_found("run", "most-failures")
    assert "# Failures after which the run ends.\n# most-failures = 3\n" in configuration(keys)

    assert run_options({"most_failures": 7}, More).most_failures == 7
    with pytest.raises(ValueError, match="most_failures must be from 1 to 9, not 0"):
        run_options({"most_failures": 0}, More)
    assert words_of(More(most_failures=8)) == ["--most-failures=8"]
    text = more.get_help(click.Context(more))
    assert text.index("\nPace:") < text.index("--most-failures") < text.index("\nFiles:")


def test_keywords_are_the_options_that_say_so() -> None:
    """What mypy lets a program say is what is understood."""
    keywords = {name for name, one in options_of(RunOptions).items() if one.keyword}
    assert keywords == set(RunKeywords.__annotations__)
    reading = {name for name, one in options_of(ReadingOptions).items() if one.keyword}
    about = {"manifest", "name", "database", "base_url", "token", "sandbox"}
    assert set(inspect.signature(Batch).parameters) - about == reading


@pytest.mark.parametrize(
    "one", [o for o in options_of(RunOptions).values() if o.keyword and o.least is not None]
)
def test_a_keyword_has_the_range_of_its_flag(one: Option) -> None:
    """The ends are taken, and what lies beyond them is not."""
    assert one.least is not None
    whole = one.kind is Kind.WHOLE
    step = 1 if whole else 0.001
    for value in (one.least, one.most):
        if value is not None:
            assert getattr(run_options({one.name: value}), one.name) == value
    with pytest.raises(ValueError, match=one.name):
        run_options({one.name: one.least - step})
    if one.most is not None:
        with pytest.raises(ValueError, match=one.name):
            run_options({one.name: one.most + step})
    with pytest.raises((TypeError, ValueError), match=one.name):
        run_options({one.name: float("nan")})


def test_each_key_of_the_configuration_is_an_option() -> None:
    """And no consent is one: that would be given by a file in passing."""
    flags = {one.flag: one for model in MODELS for one in options_of(model).values()}
    assert all(flags[key] == one for key, one in config.KEYS.items())
    assert not set(config.KEYS) & {"yes", "moved", "allow-outside", "skip-invalid"}


def test_globals_are_those_of_every_command() -> None:
    """The command line keeps them apart from a command's own."""
    assert set(options_of(GlobalOptions)) == set(GLOBALS)
    assert Cli().option("db") is None


@pytest.mark.parametrize("line", [(), ("--budget", "2"), ("--cap", "a=1", "--redo-changed")])
def test_options_that_are_written_as_a_line_are_read_the_same(line: tuple[str, ...]) -> None:
    """The page starts a process with the options that it means."""
    found = said(*line, "--yes", "--max-in-flight", "7", "--download", "films")
    assert said(*words_of(found)) == found


def test_at_a_default_a_word_is_written_where_that_is_wanted() -> None:
    """Else the configuration of whoever reads the line would count."""
    assert words_of(RunOptions()) == []
    assert words_of(RunOptions(), besides=["max_in_flight"]) == ["--max-in-flight=16"]


def test_what_excludes_each_other() -> None:
    """Two answers to one question are none."""
    for words in (
        ("--first", "1", "--sample", "2"),
        ("--redo-changed", "--keep-both"),
        ("--adopt-existing", "--buy-again"),
    ):
        flags = [word for word in words if word.startswith("--")]
        with pytest.raises(click.UsageError, match=f"use {' or '.join(flags)}, not both"):
            said(*words)


@pytest.mark.parametrize(
    ("command", "flag", "most"),
    [
        ("plan", "rate", None),
        ("run", "rate", 10_000),
        ("wait", "poll_interval", 86400),
        ("run", "poll_interval", 604800),
        ("resolve", "grace", None),
    ],
)
def test_a_command_keeps_the_range_that_it_has_always_had(
    command: str, flag: str, most: float | None
) -> None:
    """Lines and configurations of earlier versions go on to be taken."""
    (param,) = (one for one in dict(commands())[command].params if one.name == flag)
    assert isinstance(param.type, click.FloatRange)
    assert param.type.max == most


def test_options_do_not_change() -> None:
    """They go from the edge to where the policies are made."""
    with pytest.raises(FrozenInstanceError):
        RunOptions().rate = 1.0  # type: ignore[misc]


def test_commands_with_many_options_have_headings() -> None:
    """In their order; the global ones are the last."""
    for name, command in commands():
        own = [one for one in command.params if isinstance(one, click.Option)]
        many = len([one for one in own if one.name not in GLOBALS]) > FEW
        assert isinstance(command, Grouped) is many, name
        root = click.Context(group, **group.context_settings)
        text = command.get_help(click.Context(command, info_name=name, parent=root))
        titles = re.findall(r"(?m)^(\w[\w ]*):$", text)
        wanted = [title for title in ("Options", *Group) if title in titles]
        assert titles == wanted if many else titles == ["Options"], name
