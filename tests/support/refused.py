"""What people read of an error that is raised."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from batchsora.presentation.errors import message


@contextmanager
def refused(kind: type[BaseException], match: str) -> Iterator[None]:
    """Check that an error of a kind is raised, whose message for people matches a pattern."""
    with pytest.raises(kind) as caught:
        yield
    assert re.search(match, message(caught.value))
