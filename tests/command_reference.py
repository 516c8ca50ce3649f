"""Writes ``docs/commands.md`` from the command line's own ``--help``.

``make docs`` runs it; ``tests/unit/test_docs_commands.py`` holds that it would change nothing.
"""

import sys
from pathlib import Path

import click

from batchsora.cli import COMMANDS, group

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"

HEAD = """\
# Commands

Written by `make docs` from `--help`; exit codes are in [design.md](design.md#exit-codes).
"""


def reference() -> str:
    """Write every command's help, at the width of a terminal."""
    root = click.Context(
        group,
        info_name="batchsora",
        terminal_width=80,
        max_content_width=80,
        help_option_names=["-h", "--help"],
    )
    parts = [HEAD, _section("batchsora", group.get_help(root))]
    for name in COMMANDS:
        command = group.get_command(root, name)
        if command is None:
            raise ValueError(f"no command {name!r}")
        context = click.Context(
            command, info_name=name, parent=root, terminal_width=80, max_content_width=80
        )
        parts.append(_section(f"batchsora {name}", command.get_help(context)))
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} written\n")
