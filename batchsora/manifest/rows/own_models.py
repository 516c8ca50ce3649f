"""A person's own column of models: of shoes or cars, under the name of ours."""

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Final

from batchsora.manifest.errors import RowProblem
from batchsora.manifest.raw import RawRow, RawTable
from batchsora.manifest.rows.columns import way_to_map
from batchsora.manifest.rows.headers import meaning
from batchsora.manifest.rows.model_columns import names_models

PEEKED: Final = 200
"""Rows whose cells tell whether a column has names of models."""


def own_models(
    file: str, table: RawTable, said: Mapping[str, str], results: Collection[int]
) -> list[RowProblem]:
    """Find columns named as ours of whose cells none looks like a model that makes videos.

    Args:
        said: which column of ours a header means, by the header, if a person said so.
        results: the places of the results of an earlier export.
    """
    found = []
    for place, header in enumerate(table.headers):
        if header in said or place in results or meaning(header) != "model":
            continue
        rows = (raw for raw in islice(table.rows(), PEEKED) if isinstance(raw, RawRow))
        cells = [raw.cells[place] for raw in rows if place < len(raw.cells)]
        if "".join(cells).strip() and not names_models(cells):
            found.append(
                RowProblem(
                    file,
                    "names no model that makes videos",
                    f"{way_to_map(header, '')} keeps it as your own column, "
                    f"{way_to_map(header, 'model')} has its cells read as models "
                    "('batchsora models' lists them).",
                    row=table.header_row,
                    column=header,
                )
            )
    return found
