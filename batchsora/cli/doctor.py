"""``batchsora doctor``: check the setup and suggest fixes."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click
from click.core import ParameterSource

from batchsora.cli.common import GLOBALS, Cli
from batchsora.cli.configured import check_found, defaults
from batchsora.cli.flags import global_options
from batchsora.cli.text import Painted

if TYPE_CHECKING:
    from batchsora.settings import Settings
    from batchsora.usecases.doctor import Check

SOURCES: Final = {
    ParameterSource.PROMPT: "flag",
    ParameterSource.COMMANDLINE: "flag",
    ParameterSource.ENVIRONMENT: "environment",
    ParameterSource.DEFAULT_MAP: "file",
    ParameterSource.DEFAULT: "default",
}
PRECEDENCE: Final = ("flag", "environment", "manifest", "file", "default")


@click.command("doctor", short_help="Check the setup and suggest fixes.")
@click.argument("manifest", required=False, type=click.Path(path_type=Path))
@click.option(
    "--reset-day", is_flag=True, help="First move spending that is dated in the future to today."
)
@global_options
def doctor_command(cli: Cli, /, manifest: Path | None, *, reset_day: bool) -> int:
    """Check token, API, clock, balance, database, disk, versions, terminal and settings.

    Nothing is written (except by --reset-day) or paid, and other runs are not disturbed.
    It works without network, token and database. With MANIFEST the settings include the
    manifest's own.

    \b
    Examples:
      batchsora doctor
      batchsora doctor prompts.csv --json
    """
    from batchsora.usecases.doctor import exit_of_checks

    if reset_day:
        _reset_day(cli)
    checks: list[Check] = []
    root = click.get_current_context().find_root()
    _check_configuration(cli, root, checks)
    settings, rows = _settings(cli, root, manifest, checks)
    checks += _examine(
        settings, Path(next(row["value"] for row in rows if row["setting"] == "download"))
    )
    code = exit_of_checks(checks)
    document = {
        "checks": [_as_json(check) for check in checks],
        "settings": rows,
        "precedence": list(PRECEDENCE),
        "exit": int(code),
    }
    cli.result(document, lambda: _text(checks, rows))
    return int(code)


def _reset_day(cli: Cli) -> None:
    """Move spending that is dated in the future to today."""
    from batchsora.composition.databases import working_store
    from batchsora.composition.ownership import owner_of

    settings = cli.settings()
    with working_store(settings.database, cli.deps.clock, lambda: owner_of(settings)) as store:
        gone = store.control.reset_day(cli.deps.clock.now())
    cli.say(
        f"what was spent on {', '.join(gone)} now counts today"
        if gone
        else "no spending is dated in the future: nothing was changed"
    )


def _check_configuration(cli: Cli, root: click.Context, checks: "list[Check]") -> None:
    """Check that every command can use the file."""
    from batchsora.settings import SettingsError
    from batchsora.usecases.doctor import fine, wrong

    error = cli.configuration_error
    file = cli.configuration
    if file is not None:
        group = cast("click.Group", root.command)
        try:
            for name in group.list_commands(root):
                one = cast("click.Command", group.get_command(root, name))
                defaults(file, one, click.Context(one, info_name=name, parent=root))
        except SettingsError as found:
            error = found
    if error is not None:
        checks.append(
            wrong("configuration", str(error), "fix the file; until then every command stops at it")
        )
    elif file is None:
        checks.append(fine("configuration", "no batchsora.toml here; 'batchsora init' writes one"))
    else:
        checks.append(fine("configuration", str(file.path)))


def _settings(
    cli: Cli, root: click.Context, manifest: Path | None, checks: "list[Check]"
) -> "tuple[Settings | None, list[dict[str, Any]]]":
    """Return the effective settings, and where each comes from."""
    from batchsora.config import KEYS
    from batchsora.settings import DEFAULT_BASE_URL, DEFAULT_DATABASE, SettingsError
    from batchsora.usecases.doctor import wrong

    settings: Settings | None = None
    try:
        settings = cli.settings()
    except SettingsError as error:
        checks.append(wrong("settings", str(error), "until then the other checks are skipped"))
    run = cast("click.Command", cast("click.Group", root.command).get_command(root, "run"))
    asked = click.Context(run, info_name="run", parent=root)
    try:
        run.parse_args(asked, [])
        check_found(cli.configuration, asked)
    except (SettingsError, click.UsageError) as error:
        checks.append(wrong("settings", str(error), "'batchsora run' would stop at it"))
    known = {"db": DEFAULT_DATABASE, "base_url": DEFAULT_BASE_URL}
    rows = []
    for key, option in KEYS.items():
        name = option.dest
        value, source = asked.params.get(name), asked.get_parameter_source(name)
        if name in GLOBALS:
            value, source = cli.option(name), cli.source(name)
        value = known.get(name, option.shown_default or None) if value is None else value
        rows.append(
            {
                "setting": key,
                "value": _shown(value),
                "source": SOURCES[source or ParameterSource.DEFAULT],
            }
        )
    if manifest is not None:
        _add_manifest(manifest, rows, checks)
    return settings, rows


def _shown(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _add_manifest(manifest: Path, rows: list[dict[str, Any]], checks: "list[Check]") -> None:
    """Show the manifest's own budget where it takes precedence."""
    from batchsora.manifest.errors import ManifestError
    from batchsora.manifest.read import open_manifest
    from batchsora.usecases.doctor import fine, wrong

    try:
        opened = open_manifest(manifest, allow_outside=False)
    except ManifestError as error:
        checks.append(
            wrong("manifest", str(error), f"fix it; 'batchsora plan {manifest}' shows the errors")
        )
        return
    checks.append(fine("manifest", f"{manifest}: batch {opened.name!r}"))
    (budget,) = (row for row in rows if row["setting"] == "budget")
    rank = PRECEDENCE.index
    if opened.budget is not None and rank(budget["source"]) > rank("manifest"):
        budget |= {"value": str(opened.budget), "source": "manifest"}


def _examine(settings: "Settings | None", download: Path) -> "list[Check]":
    from batchsora.usecases import doctor
    from batchsora.usecases.doctor_database import look_at_database

    here = [*doctor.look_at_versions(), doctor.look_at_terminal(os.environ)]
    if settings is None:
        return here
    token, found = doctor.look_for_token(settings, os.environ)
    return [
        found,
        *doctor.look_at_api(settings, token),
        *look_at_database(settings, token),
        *doctor.look_at_folders(settings.database, download),
        *here,
    ]


def _as_json(check: "Check") -> dict[str, Any]:
    found = asdict(check)
    return {"check": found["name"], **{name: found[name] for name in ("state", "found", "remedy")}}


def _text(checks: "list[Check]", rows: list[dict[str, Any]]) -> Painted:
    """Return the text for people: one check a line, on a terminal laid out to its width."""
    from batchsora.cli.text import Column, table
    from batchsora.presentation.terminal_text import clean

    lines = [
        [check.state, check.name, check.found + (f" -> {check.remedy}" if check.remedy else "")]
        for check in checks
    ]
    shown = (
        table(lines, [Column(), Column(), Column(folds=True)])
        if sys.stdout.isatty()
        else clean("\n".join(f"{state:<8} {name:<13} {said}" for state, name, said in lines))
    )
    settings = table(
        [[row["setting"], row["value"] or "-", row["source"]] for row in rows],
        [Column("setting"), Column("value", folds=True), Column("from")],
    )
    order = " > ".join(PRECEDENCE)
    return Painted(f"{shown}\n\neffective settings ({order}):\n\n{settings}")
