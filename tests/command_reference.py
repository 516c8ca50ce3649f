"""Writes ``docs/commands.md`` from the command line's own ``--help``, and the sandbox's faults.

``make docs`` runs it; ``tests/unit/test_docs_commands.py`` holds that it would change nothing.
"""

import sys
from pathlib import Path

import click

from batchsora.cli import COMMANDS, group
from batchsora.sandbox.table import INTRODUCTION, as_markdown

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "commands.md"
SANDBOX_PAGE = DOCS / "sandbox.md"

HEAD = """\
# Commands

Written by `make docs` from `--help`; exit codes are in [design.md](design.md#exit-codes).
"""

SANDBOX_HEAD = f"""\
# The sandbox

`batchsora sandbox` serves the provider's API on this machine: real little videos, no money, any
token. `run --sandbox` starts one of its own, in which nothing goes wrong; in that of `demo` one row
fails, and the answer to another is lost.

```sh
batchsora sandbox --port 8765 --faults drop=0.1,list=lossy:0.2 &
RUNBLOB_API_KEY=test batchsora --base-url http://127.0.0.1:8765 run prompts.csv --yes
curl http://127.0.0.1:8765/__ledger
```

`GET /__ledger` is the truth: what was made and charged, whatever was answered. With `--state FILE`
it outlives a restart, with other faults if need be.

It has the paths of every family of models ([api.md](api.md)): Sora, Veo, Kling, Kling O1 and O3.
Each answers in its own fields, and the faults hold for all of them; what a family does not show
(a list of O1 and O3, times of Kling) no fault can alter. The reason of a failure is in
`error_message` of Sora, `error` of Veo, `description` of Kling. Where no price is announced, the
sandbox makes one up, the same at each start. The provider's own Python package, which speaks Veo
and Kling, works with it: `RunBlob(base_url=…)`.

`--faults` says what goes wrong; `--faults help` prints the tables below.
{INTRODUCTION}
"""


def sandbox_reference() -> str:
    """Write the page of the sandbox, with all its faults."""
    return f"{SANDBOX_HEAD}\n{as_markdown()}\n"


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
    SANDBOX_PAGE.write_text(sandbox_reference(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} and {SANDBOX_PAGE.name} written\n")
