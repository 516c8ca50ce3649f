"""Options from the environment: ``BATCHSORA_``, the command, the option as it is typed."""

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.core import ParameterSource

from batchsora.cli import COMMANDS, group
from batchsora.cli.common import GLOBALS, Cli

SAMPLES = {
    "model": "kling",
    "file-name": "{id}-7",
    "cap": "summer=2.50",
    "map": "Idea=prompt",
    "default": "duration=15",
    "delimiter": "semicolon",
    "encoding": "cp1252",
    "time-zone": "Europe/Berlin",
    "token-file": "token.txt",
    "download-rate": "2M",
}
"""Values of options that don't take any word."""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Give every command as the command line loads it."""
    root = click.Context(group, **group.context_settings)  # commands remember their --help
    for name in COMMANDS:
        command = group.get_command(root, name)
        assert command is not None
        yield name, command


def options() -> Iterator[tuple[str, click.Option]]:
    """Give every option of every command."""
    for name, command in commands():
        for param in command.params:
            if isinstance(param, click.Option):
                yield name, param


def typed(option: click.Option) -> str:
    """Name an option as a person types it."""
    return max(option.opts, key=len).removeprefix("--")


def variable(command: str, option: click.Option) -> str:
    """Name an option in the environment, as docs/configuration.md does."""
    return f"BATCHSORA_{command}_{typed(option)}".replace("-", "_").upper()


def sample(option: click.Option) -> str:
    """Give a value that is not the option's default."""
    if isinstance(option.type, click.Choice):
        return str(option.type.choices[-1])
    if typed(option) in SAMPLES:
        return SAMPLES[typed(option)]
    return "7"


def make_sample(option: click.Option, value: str) -> None:
    """Make the file or folder that the value of an option names, where there must be one."""
    if typed(option) == "config":
        Path(value).touch()
    elif typed(option) == "images":
        Path(value).mkdir()


def read(name: str, command: click.Command, *line: str) -> click.Context:
    """Read a command's line, without running it."""
    needed = [
        param.type.choices[0] if isinstance(param.type, click.Choice) else "x"
        for param in command.params
        if isinstance(param, click.Argument) and param.required
    ]
    root = click.Context(group, info_name="batchsora", obj=Cli(), **group.context_settings)
    return command.make_context(name, [*line, *map(str, needed)], parent=root)


ALL = [pytest.param(name, option, id=variable(name, option)) for name, option in options()]


@pytest.mark.parametrize(("name", "option"), ALL)
def test_every_option_is_named_in_the_environment_as_on_the_line(
    name: str, option: click.Option, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same value, and it is known to come from there; a flag goes before it."""
    monkeypatch.chdir(tmp_path)
    command = dict(commands())[name]
    value = sample(option)
    make_sample(option, value)
    line = [f"--{typed(option)}"] + ([] if option.is_flag else [value])
    on_the_line = read(name, command, *line)
    assert option.name is not None
    assert on_the_line.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    monkeypatch.setenv(variable(name, option), "1" if option.is_flag else value)
    by_environment = read(name, command)
    assert by_environment.get_parameter_source(option.name) is ParameterSource.ENVIRONMENT
    assert by_environment.params == on_the_line.params
    both = read(name, command, *line)
    assert both.get_parameter_source(option.name) is ParameterSource.COMMANDLINE


@pytest.mark.parametrize(("name", "option"), ALL)
def test_the_names_that_counted_before_still_count(
    name: str, option: click.Option, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those that click gives by itself, after the variables in the command's code."""
    monkeypatch.chdir(tmp_path)
    value = "1" if option.is_flag else sample(option)
    make_sample(option, value)
    assert option.name is not None
    monkeypatch.setenv(f"BATCHSORA_{name}_{option.name}".upper(), value)
    found = read(name, dict(commands())[name])
    assert found.get_parameter_source(option.name) is ParameterSource.ENVIRONMENT


def test_no_two_options_of_a_command_have_one_name() -> None:
    """Neither the new name nor the old one of an option is another option's."""
    for name, command in commands():
        own = [param for param in command.params if isinstance(param, click.Option)]
        names = [{typed(one).replace("-", "_"), one.name} for one in own]
        counted = Counter(word for both in names for word in both)
        assert counted.most_common(1)[0][1] == 1, name


def test_global_options_have_one_name_for_all_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``BATCHSORA_DB`` and its like go before nothing but a default."""
    monkeypatch.chdir(tmp_path)
    for name in ("db", "base_url", "token_file", "log_file"):
        assert name in GLOBALS
        monkeypatch.setenv(f"BATCHSORA_{name.upper()}", "here")
    for name, command in commands():
        found = read(name, command)
        values = {key: found.params[key] for key in ("db", "base_url", "token_file", "log_file")}
        assert set(values.values()) == {"here"}, name


@pytest.mark.parametrize(
    ("given", "line", "name", "expected"),
    [
        ("BATCHSORA_JOBS_STATUS=failed", "jobs", "states", ("failed",)),
        ("'BATCHSORA_JOBS_STATUS=failed queued'", "jobs", "states", ("failed", "queued")),
        ("BATCHSORA_CANCEL_ALL=1", "cancel", "everything", True),
        ("BATCHSORA_CANCEL_ALL=0", "cancel", "everything", False),
        ("BATCHSORA_RUN_DOWNLOAD=films", "run", "folder", Path("films")),
        ("BATCHSORA_EXPORT_OUTPUT=a.csv", "export", "target", Path("a.csv")),
        ("BATCHSORA_EXPORT_OUTPUT=", "export", "target", None),
        ("BATCHSORA_EXPORT_O=a.csv", "export", "target", None),
        ("BATCHSORA_VERSION=1", "jobs", "json", False),
    ],
)
def test_what_they_stand_for(
    given: str,
    line: str,
    name: str,
    expected: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Several values are parted by blanks, a flag is on or off, and an empty one is none."""
    monkeypatch.chdir(tmp_path)
    variable, _, value = shlex.split(given)[0].partition("=")
    monkeypatch.setenv(variable, value)
    assert read(line, dict(commands())[line]).params[name] == expected
