"""What is known of a model before anything of it is bought: what it takes, costs and can show.

One file of ``batchsora/providers/runblob/catalog`` says it (docs/models.md). Whatever checks,
plans, shows, sends or imitates a model reads it here.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final

from jobs.model.families import EvidenceClass, Family, Kind, Times
from jobs.model.money import Micros
from jobs.model.provider import GenerationRequest, Parameter

START: Final = "start"
END: Final = "end"
START_WITH_END: Final = "start_with_end"


class ParameterType(StrEnum):
    """What a parameter's value is."""

    WHOLE = "whole"
    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class ParameterRule:
    """A parameter that a model takes, by the provider's name.

    Attributes:
        least, most: of a number; of a text its length in characters. None: no limit.
        choices: of a choice.
        needed: the model makes nothing without it.
        help: what it does, for people.
    """

    type: ParameterType
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    needed: bool = False
    help: str = ""

    def takes(self, value: Any) -> bool:
        """Return whether a value is of its type, one of its choices, and within its limits."""
        match self.type:
            case ParameterType.WHOLE:
                return type(value) is int and self._is_within(value)
            case ParameterType.NUMBER:
                return type(value) in (int, float) and self._is_within(value)
            case ParameterType.TEXT:
                return type(value) is str and self._is_within(len(value))
            case ParameterType.FLAG:
                return type(value) is bool
            case ParameterType.CHOICE:
                return value in self.choices

    def _is_within(self, size: float) -> bool:
        above = self.least is None or size >= self.least
        return above and (self.most is None or size <= self.most)


@dataclass(frozen=True, slots=True)
class ImageRule:
    """An image that a model takes in a role.

    Attributes:
        file: the field for its bytes as base64; empty: it takes addresses alone.
        address: the field for its address; empty: it takes files alone.
        listed: the field is a list, which all images with it share, in the order of their roles.
        bare: the base64 stands alone, without ``data:`` in front.
    """

    file: str = ""
    address: str = ""
    listed: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    """An announced price, where it was read and when."""

    micros: Micros
    source: str
    read_on: date


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model of a provider.

    Attributes:
        provider: its name (:data:`batchsora.providers.registry.PROVIDERS`).
        family: whose list and ids it shares (:class:`jobs.model.families.Family`).
        evidence: what a lost answer means: what its family's list can show.
        times: how long a generation takes, before any was seen.
        orientations: that it takes, the default first.
        durations: in seconds, the default first; none: it leaves no choice.
        shortest_prompt: in characters, as ``longest_prompt``.
        largest_image: in bytes, decoded.
        images: that it takes, by their roles: ``start``, ``end``, ``reference_1`` …; for a
            start image beside an end image ``start_with_end``, where that has other fields.
        together: which roles one request may have, one set of which must have all that it has.
        needs: roles that each request must have.
        parameters: what a request may say beside the fields that all have.
        mark: the parameter that the family's list gives back; None: there is none.
        prices: announced ones, by the variant of the kind; the others are learned.
        priced_by: parameters that the price depends on beside duration and image.
        generate: the path of a submission.
        generations: the path of the list and, with an id behind it, of a look.
        fields: the names of a request's own fields on the wire, where they have others; an empty
            name: the field is not sent.
        as_text: fields whose numbers are sent as text.
    """

    provider: str
    family: str
    name: str
    evidence: EvidenceClass
    times: Times
    orientations: tuple[str, ...]
    durations: tuple[int, ...]
    shortest_prompt: int
    longest_prompt: int
    largest_image: int
    generate: str
    generations: str
    images: Mapping[str, ImageRule] = field(default_factory=dict)
    together: tuple[frozenset[str], ...] = ()
    needs: frozenset[str] = frozenset()
    parameters: Mapping[str, ParameterRule] = field(default_factory=dict)
    mark: str | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    priced_by: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    as_text: frozenset[str] = frozenset()

    def kind(
        self,
        duration: int | None,
        *,
        with_image: bool,
        parameters: Mapping[str, Parameter] | None = None,
    ) -> Kind:
        """Return the kind, which has one price."""
        said = parameters or {}
        chosen = [f"+{name}={said[name]}" for name in self.priced_by if name in said]
        variant = f"{'video' if duration is None else duration}{'+image' if with_image else ''}"
        return Kind(self.provider, self.family, self.name, variant + "".join(chosen))

    def kind_of(self, request: GenerationRequest) -> Kind:
        """Return the kind of a request for this model."""
        with_image = request.image is not None or bool(request.images)
        return self.kind(request.duration, with_image=with_image, parameters=request.parameters)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return the kinds that can be bought without a parameter that changes the price."""
        images = (True,) if self.needs else (False, True) if self.images else (False,)
        durations = self.durations or (None,)
        return tuple(self.kind(s, with_image=image) for s in durations for image in images)

    @property
    def seconds(self) -> str:
        """Return the durations, for people."""
        return " or ".join(map(str, self.durations))

    @property
    def roles(self) -> Sequence[str]:
        """Return the roles of images that a request may have."""
        return [role for role in self.images if role != START_WITH_END]

    def image_rule(self, role: str, roles: Container[str]) -> ImageRule:
        """Return how an image is sent beside those of other roles."""
        paired = role == START and END in roles and START_WITH_END in self.images
        return self.images[START_WITH_END if paired else role]

    def field(self, name: str) -> str:
        """Return the name on the wire of a request's own field; empty: it is not sent."""
        return self.fields.get(name, name)


def families(models: Mapping[str, Model]) -> dict[str, Family]:
    """Return the families of models.

    Raises:
        ValueError: models of one family say different things of its list.
    """
    found: dict[str, Family] = {}
    for model in models.values():
        family = Family(model.provider, model.family, model.evidence)
        if found.setdefault(model.family, family) != family:
            raise ValueError(f"{model.name}: other models of {model.family} say {family.evidence}")
    return found
