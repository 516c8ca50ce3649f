"""Families of models, their ids and the kinds of their prices, and what their lists can show."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """What a price depends on (money.md, *Kinds*).

    Attributes:
        family: the model's (:class:`Family`).
        model: by the provider's name, which may have slashes.
        variant: of the request, as far as its price depends on it: ``15+image``.
    """

    provider: str
    family: str
    model: str
    variant: str

    @property
    def key(self) -> str:
        """Name the kind in the database: ``runblob/sora/15+image``, ``runblob/kling/k_2/5``.

        A model that has the name of its family is not named again.
        """
        model = "" if self.model == self.family else f"{self.model}/"
        return f"{kinds_of(self.provider, self.family)}{model}{self.variant}"

    @classmethod
    def parse(cls, key: str) -> "Kind":
        """Read a :attr:`key`, or raise ValueError."""
        provider, _, rest = key.partition("/")
        family, _, rest = rest.partition("/")
        model, _, variant = rest.rpartition("/")
        if not (provider and family and variant):
            raise ValueError(f"not a kind of price: {key!r}")
        return cls(provider, family, model or family, variant)


def kinds_of(provider: str, family: str) -> str:
    """Return how the keys of all kinds of a family begin (:attr:`Kind.key`)."""
    return f"{provider}/{family}/"


FIRST_MODEL: Final = "sora"
"""The model of requests that name none, and its family: databases knew their rows before there was
another one."""


class EvidenceClass(StrEnum):
    """What a family can show of a generation whose answer was lost (money.md, *Classes*)."""

    MARKED = "marked"
    """Its list shows the mark that we put into each request: it names the attempt."""

    LISTED = "listed"
    """Its list, newest first, shows prompts and times."""

    ORDERED = "ordered"
    """Its list, newest first, shows prompts and no times: our own beside it say when it was."""

    LATE = "late"
    """Its list shows a generation when it has ended."""

    BLIND = "blind"
    """It has no list: a person looks a lost answer up."""


@dataclass(frozen=True, slots=True)
class Family:
    """Models of a provider that share one list and one space of ids.

    The name is unique among all providers; ids of its generations begin with it (:func:`named_id`).
    """

    provider: str
    name: str
    evidence: EvidenceClass

    @property
    def has_list(self) -> bool:
        """Return whether its generations are shown otherwise than by id."""
        return self.evidence is not EvidenceClass.BLIND


@dataclass(frozen=True, slots=True)
class Times:
    """How long a generation takes, in seconds, before any was seen.

    Attributes:
        young: below it, it is looked at rarely: none is faster.
        expected: the most it usually takes; later, looks are rarer.
        longest: after it, it never ends well.
    """

    young: float
    expected: float
    longest: float


_SIGN: Final = ":"  # no provider has it in its ids


def named_id(family: str, provider_id: str) -> str:
    """Name a generation uniquely among all families: ``veo:6f9a``; the first one's have no name."""
    return provider_id if family == FIRST_MODEL else f"{family}{_SIGN}{provider_id}"


def family_of(generation_id: str) -> str:
    """Return the family of a generation (:func:`named_id`)."""
    family, sign, _ = generation_id.partition(_SIGN)
    return family if sign else FIRST_MODEL


def provider_id(generation_id: str) -> str:
    """Return a generation's id as the provider knows it."""
    family, sign, rest = generation_id.partition(_SIGN)
    return rest if sign else family
