"""Forms that may be sent once: a double click, *back* and *reload* never buy twice.

Each form carries a token of ours. The first one who sends it takes it; whoever sends it again is
led to what the first one began.
"""

import secrets
from collections import OrderedDict
from typing import Final

from starlette.requests import Request

MOST: Final = 2000
"""Forms that are remembered. One that was forgotten buys nothing: it is shown again."""


class FormTokens:
    """Knows which forms were given out, and what came of those that were sent."""

    def __init__(self) -> None:
        self._given: OrderedDict[str, str | None] = OrderedDict()

    def token(self) -> str:
        """Make the token of a form."""
        token = secrets.token_urlsafe(16)
        self._given[token] = None
        if len(self._given) > MOST:
            self._given.popitem(last=False)
        return token

    def knows(self, token: str) -> bool:
        """Return whether a form was given out by this server, and is remembered."""
        return token in self._given

    def came(self, token: str) -> str | None:
        """Return the address of what a form began; None when it began nothing yet."""
        return self._given.get(token)

    def used(self, token: str, address: str) -> None:
        """Remember what a form began.

        Between :meth:`came` and this nothing may be awaited: another request would begin it again.
        """
        self._given[token] = address


def form_tokens_of(request: Request) -> FormTokens:
    """Return the forms of this server."""
    state = request.app.state
    if not hasattr(state, "form_tokens"):
        state.form_tokens = FormTokens()
    found: FormTokens = state.form_tokens
    return found
