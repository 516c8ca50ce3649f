"""Which jobs are meant: of a run that may buy them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sought:
    """Which queued rows a run may buy, once it is known what there is of them already.

    A look says nothing of other rows, and changes none of them.

    Attributes:
        batch_ids: whose rows.
        named: a person named the batches, and so asks for all of them; else only for what was
            asked for before.
        rows: of the manifests, by batch, where only some were picked; what was asked for by name
            is sought all the same.
        jobs: by number, where just these are sought, of whatever batch.
        noted: they were noted: what is written concerns no row that came or was changed since.
    """

    batch_ids: Sequence[int]
    named: bool = True
    rows: Mapping[int, Collection[int]] = field(default_factory=dict)
    jobs: Collection[int] | None = None
    noted: bool = False
