"""Which jobs are meant: of lists, of a page, of a gallery, of a run that may buy them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ..model.states import ASKED_BY_NAME, FOUND, HeldBack


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are meant; what is empty leaves all."""

    batch: str | None = None
    states: Sequence[str] = ()
    kinds: Sequence[str] = ()  # of failure
    campaigns: Sequence[str] = ()
    keys: Sequence[str] = ()  # of jobs, or their numbers as "#12"
    search: str = ""  # words of which all stand in prompt, key or error, in any case
    made_by: Sequence[str] = ()  # how the keys of their price kinds begin, of which one does


EVERYTHING: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which jobs of a batch are meant, as :class:`Wanted`; what is empty leaves all."""

    states: Sequence[str] = ()
    kinds: Sequence[str] = ()
    campaigns: Sequence[str] = ()
    search: str = ""
    made_by: Sequence[str] = ()


class Verdict(StrEnum):
    """What a person thinks of a video."""

    FAVOURITE = "favourite"
    REJECTED = "rejected"


NONE: Final = "none"  # of videos that nobody has judged, for :attr:`Shelf.verdict`


@dataclass(frozen=True, slots=True)
class Shelf:
    """Which videos of a batch are meant, and in which order."""

    which: Filter = field(default_factory=Filter)
    verdict: str = ""  # of Verdict, or NONE; empty leaves all
    by_row: bool = False  # in the manifest's order, variants of a row together; else newest first


@dataclass(frozen=True, slots=True)
class Sought:
    """Which queued rows a run may buy; a look says nothing of other rows, and changes none of them.

    Attributes:
        named: a person named the batches, and so asks for all of them; else only for what was asked
            for before.
        rows: of the manifests, by batch, where only some were picked; what was asked for by name is
            sought all the same.
        jobs: by number, where just these are sought, of whatever batch.
        kinds: how the keys of their kinds begin, where only one family is sought
            (:func:`jobs.model.families.kinds_of`).
        noted: they were noted (:meth:`jobs.ports.loading.LoadStore.note`): what is written concerns
            no row that came or was changed since.
    """

    batch_ids: Sequence[int]
    named: bool = True
    rows: Mapping[int, Collection[int]] = field(default_factory=dict)
    jobs: Collection[int] | None = None
    noted: bool = False
    kinds: str = ""

    def overruled(self, *, again: bool) -> tuple[HeldBack, ...]:
        """List why rows are held back that a run overrules; ``again``: for what exists, too."""
        return (ASKED_BY_NAME if self.named else ()) + (FOUND if again else ())
