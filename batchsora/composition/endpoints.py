"""Where to buy, and the token for it."""

from dataclasses import dataclass, field
from typing import Final

from jobs.services.runner import Owner

SANDBOX_ORIGIN: Final = "sandbox"
"""What a sandbox's database is bound to: no address, so that no account can use it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to buy, and the token for it.

    Attributes:
        origin: the database is bound to it.
        private_files: files may come from loopback and private addresses.
    """

    base_url: str
    token: str = field(repr=False)
    origin: str = ""
    private_files: bool = False

    @property
    def owner(self) -> Owner:
        """Return the account of these generations."""
        return Owner(self.origin, self.token)
