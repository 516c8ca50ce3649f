"""The lists of an account's families, as a run reads them to settle what is unconfirmed."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from ..evidence.account_list import Reading, read_back
from ..evidence.elsewhere import FAR
from ..evidence.order import Order
from ..model.families import EvidenceClass, Family, Kind
from ..model.provider import ProviderError, ThrottledError, TokenRefusedError
from ..ports.job_store import JobStore
from ..runtime.run_context import RunContext


def families_of(kinds: Iterable[str]) -> AbstractSet[str]:
    """Return the families of kinds, by their keys."""
    return {Kind.parse(kind).family for kind in kinds}


def order_of(store: JobStore, family: Family, shown_by: Mapping[str, datetime]) -> Order | None:
    """Return what says when something of a family was created, if its list shows no times.

    ``shown_by``: when some of it were shown already, by our clock.
    """
    if family.evidence is not EvidenceClass.ORDERED:
        return None
    return Order(store.doubts.known, shown_by)


class AccountLists:
    """Reads them, each as far back as needed."""

    def __init__(self, context: RunContext) -> None:
        self._run = context
        self._queued_at_first: AbstractSet[str] | None = None
        self._shown_by: dict[str, Mapping[str, datetime]] = {}
        self.looked_far = False
        """Whether no older purchase of others, in a list that can be read, may be refunded."""

    @property
    def listed(self) -> AbstractSet[str]:
        """Return the families that have a list."""
        return {name for name, family in self._run.provider.families.items() if family.has_list}

    @property
    def ordered(self) -> AbstractSet[str]:
        """Return the families whose list may show no times."""
        families = self._run.provider.families.items()
        return {name for name, one in families if one.evidence is EvidenceClass.ORDERED}

    def under_way(self) -> AbstractSet[str]:
        """Return the families that have a list, and of which something of ours is under way."""
        return families_of(self._run.store.doubts.kinds_under_way()) & self.listed

    def bought_of(self) -> AbstractSet[str]:
        """Return the families that have a list, and of which this run buys, or has under way."""
        if self._queued_at_first is None:
            kinds = self._run.store.doubts.kinds_queued()
            self._queued_at_first = families_of(kinds) & self.listed
        return self._queued_at_first | self.under_way()

    async def read(
        self, needed: Mapping[str, datetime], *, with_others: bool
    ) -> tuple[Sequence[Reading], Mapping[str, ProviderError]]:
        """Read lists; return them, and the errors of those that are needed and can't be read.

        Args:
            needed: families, and back to when each is needed, by the provider's clock.
            with_others: read also those of all whose generations may change the balance.
        """
        since = dict(needed)
        far = self._run.clock.now() - FAR  # once a run: what others bought may be refunded
        if with_others:
            oldest = min(needed.values())
            others = self.under_way() if self.looked_far else self.listed
            since = {**dict.fromkeys(others, oldest), **since}
            if not self.looked_far:
                since = {name: min(back, far) for name, back in since.items()}
        readings: list[Reading] = []
        missed: dict[str, ProviderError] = {}
        for name, back in since.items():
            try:
                reading = await self._read_back(name, back)
            except (ThrottledError, TokenRefusedError):
                raise
            except ProviderError as error:
                if name in needed:
                    missed[name] = error
                continue
            readings.append(reading)
            self._run.note_others(reading.generations)
        # a family that we never bought of, and whose list can't be read, is as if it had none
        ours = {*needed, *self.under_way()}
        covered = {one.family for one in readings if one.covers(far)}
        self.looked_far |= with_others and ours <= covered
        return readings, missed

    async def _read_back(self, family: str, since: datetime) -> Reading:
        clock, before = self._run.clock, self._shown_by.get(family, {})
        order = order_of(self._run.store, self._run.provider.families[family], before)
        reading = await read_back(self._run.provider, clock, family, since, order)
        if order is not None:
            now = clock.now()
            self._shown_by[family] = {
                one.id: before.get(one.id, now) for one in reading.generations
            }
        return reading
