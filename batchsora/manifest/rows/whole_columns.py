"""Read many rows at once, column by column: the quick way for a million ordinary rows.

Rows that are not ordinary are read one by one (:mod:`batchsora.manifest.rows.rows`), which names
what is wrong. Both return the same rows to the byte (a test checks it).
"""

from collections.abc import Callable, Sequence
from itertools import takewhile
from json import dumps
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from batchsora.manifest import values
from batchsora.manifest.errors import CellError
from batchsora.manifest.raw import RawRow
from batchsora.manifest.rows.keys import Clash, key_of
from batchsora.manifest.rows.model_columns import prompt_problem
from batchsora.manifest.rows.rows import Options, RowReader
from batchsora.manifest.rows.rules import ID, PROMPT
from batchsora.providers.model import Model
from jobs.model.provider import GenerationRequest
from jobs.model.spec import JobSpec, SpecRow, beyond, hashed, spec_row

encoded: Callable[[str], str] = encode_basestring_ascii


class Terms(NamedTuple):
    """The values of a row's columns with few different values.

    ``hashed`` is their part of the fingerprint, ``kind`` of price, ``rest`` the fields of
    :class:`~jobs.model.spec.SpecRow` between the prompt and the cells.
    """

    hashed: str
    kind: str
    orientation: str
    duration: int | None
    rest: tuple[Any, ...]
    beyond: str  # of the key of a row without id
    model: Model


class ColumnReader:
    """Reads the rows of one manifest in lumps.

    Shares the keys of ``reader`` and what it remembers; ``kind_of`` returns a request's price kind.
    """

    def __init__(self, reader: RowReader, kind_of: Callable[[GenerationRequest], str]) -> None:
        self._reader = reader
        self._kind_of = kind_of
        self._terms: dict[tuple[str, ...], Terms | None] = {}
        names = [encoded(name).replace("%", "%%") for name in reader.names]
        self._cells = "{" + ", ".join(f"{name}: %s" for name in names) + "}"

    def read(self, lump: Sequence[RawRow]) -> list[SpecRow]:
        """Return the first rows of a lump that are ordinary, as many as can be read at once."""
        reader = self._reader
        cells = [raw.cells for raw in lump]
        if set(map(len, cells)) != {reader.width}:
            return []
        columns = list(zip(*cells, strict=True))
        if any("".join(columns[place]).strip() for place in reader.unusual):
            return []
        try:
            prompts = PROMPT.read_all(columns[reader.prompt])
            ids = None if reader.id is None else ID.read_all(columns[reader.id])
        except CellError:
            return []
        terms = [term for row in cells if (term := self._term(row))]
        if len(terms) < len(cells):
            return []
        if any(prompt_problem(*one) for one in zip(prompts, (t.model for t in terms), strict=True)):
            return []
        numbers = [raw.row for raw in lump]
        keys = self._keys(ids, numbers, prompts, terms)
        template, pick, from_content = self._cells, reader.pick, reader.id is None
        make = SpecRow._make
        return [
            make(
                (
                    key,
                    from_content,
                    number,
                    hashed(f"[{encoded(prompt)}, {one.hashed}]"),
                    one.kind,
                    prompt,
                    *one.rest,
                    template % tuple(map(encoded, pick(row))),
                )
            )
            # the keys are those of the first rows
            for key, number, prompt, one, row in zip(
                keys, numbers, prompts, terms, cells, strict=False
            )
        ]

    def _term(self, row: Sequence[str]) -> Terms | None:
        """Parse the cells with few different values; None if they are not ordinary."""
        said = tuple(self._reader.repeating(row))
        if said not in self._terms:
            if len(self._terms) == values.REMEMBERED:
                self._terms.clear()
            options = self._reader.options(row)
            self._terms[said] = None if options is None else self._written(options)
        return self._terms[said]

    def _written(self, options: Options) -> Terms | None:
        if options.count != 1:
            return None
        if options.model.needs:
            return None
        request = options.request("", {})
        kind, priority = self._kind_of(request), options.priority
        spec = JobSpec("", False, 0, request, options.campaign, priority)
        rest = spec_row(spec, kind)[SpecRow._fields.index("prompt") + 1 : -1]
        said = dumps([options.orientation, options.duration, None, *beyond(request)])[1:-1]
        return Terms(
            said,
            kind,
            options.orientation,
            options.duration,
            rest,
            "".join(f"\0{dumps(part)}" for part in beyond(request)),
            options.model,
        )

    def _keys(
        self,
        ids: Sequence[str | None] | None,
        numbers: Sequence[int],
        prompts: Sequence[str],
        terms: Sequence[Terms],
    ) -> list[str]:
        """Return the keys of the first rows, up to one without or whose key is taken."""
        taken = self._reader.keys
        if ids is not None:
            own = [key for key in takewhile(bool, ids) if key]
            return own[: taken.of_ids(own, numbers[: len(own)])]
        keys: list[str] = []
        for number, prompt, term in zip(numbers, prompts, terms, strict=True):
            key = key_of(prompt, term.orientation, term.duration, term.beyond)
            found = taken.of_content(key, number, 1)
            if isinstance(found, Clash):
                break
            keys += found
        return keys
