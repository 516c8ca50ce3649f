"""``batchsora schema``: what YAML and JSON manifests may say, for editors."""

import click

from batchsora.cli.common import Cli
from batchsora.cli.global_options import global_options
from batchsora.cli.text import Painted


@click.command("schema", short_help="Print the JSON Schema of manifests, for your editor.")
@global_options
@click.pass_obj
def command(cli: Cli, /) -> int:
    """Print a JSON Schema (2020-12) of YAML and JSON manifests.

    With it an editor completes keys and values, explains them, and underlines errors: an unknown
    key, an unsupported duration, a prompt that is too long.

    \b
    Example:
      first:    batchsora schema > manifest.schema.json
      in YAML:  # yaml-language-server: $schema=manifest.schema.json
      in JSON:  "$schema": "manifest.schema.json",
    """
    import json

    from batchsora.manifest.schema import json_schema

    schema = json_schema()
    cli.result(schema, lambda: Painted(json.dumps(schema, indent=2)))
    return 0
