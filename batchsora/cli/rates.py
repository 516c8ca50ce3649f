"""The option that says how much of the line downloads may take."""

from typing import Any

import click


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


rate_option = click.option(
    "--download-rate",
    type=Rate(),
    metavar="RATE",
    help="Bytes a second for all downloads together, like 2M or 500K.  [default: no limit]",
)
