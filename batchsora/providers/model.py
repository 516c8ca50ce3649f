"""What is known of a model before anything of it is bought: what it takes, and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.model.money import Micros
from jobs.model.provider import Kind


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a provider. Whatever checks, plans, shows or imitates it reads it here.

    Attributes:
        provider: its name (:data:`batchsora.providers.registry.PROVIDERS`).
        orientations: that it takes, the default first.
        durations: in seconds, the default first.
        longest_prompt: in characters.
        largest_image: in bytes, decoded.
        prices: announced ones in micros, by the variant of the kind; the others are learned.
        parameters: names of what a request may say beside the fields that all have.
    """

    provider: str
    name: str
    orientations: tuple[str, ...]
    durations: tuple[int, ...]
    longest_prompt: int
    largest_image: int
    prices: Mapping[str, Micros]
    parameters: frozenset[str] = frozenset()

    def kind(self, duration: int, *, with_image: bool) -> Kind:
        """Return the kind, which has one price."""
        return Kind(self.provider, self.name, f"{duration}{'+image' if with_image else ''}")

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return the kinds that can be bought."""
        images = (False, True)
        return tuple(self.kind(s, with_image=image) for s in self.durations for image in images)

    @property
    def seconds(self) -> str:
        """Return the durations, for people."""
        return " or ".join(map(str, self.durations))
