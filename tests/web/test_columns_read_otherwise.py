"""What was said of columns counts for those columns: another separator or encoding makes others."""

import httpx
import pytest
from web.test_manifest_page import upload
from web.test_mapping_on_the_page import said, words_of

EITHER = "prompt,notes;duration\nA kite,red;15\n"
FRENCH = "prompt,durée\nA kite,15\n".encode("cp1252")


def test_a_column_said_of_one_separator_is_not_said_of_another(http: httpx.Client) -> None:
    """Commas make ``notes;duration`` somebody's own; semicolons then make it ``duration``."""
    address = upload(http, "m.csv", EITHER)
    _, form = said(http, address, delimiter="comma")
    shown, form = said(http, address, **form, **{"column-1": "-"})
    assert "carried along: notes;duration" in words_of(shown)
    again = form | {"delimiter": "semicolon", "column-0": "prompt", "column-1": "-"}
    shown, form = said(http, address, **again)
    assert "carried along: duration" not in words_of(shown)


def test_what_is_said_after_the_separator_counts(http: httpx.Client) -> None:
    address = upload(http, "m.csv", EITHER)
    _, form = said(http, address, delimiter="semicolon")
    shown, _ = said(http, address, **form, **{"column-0": "prompt", "column-1": "-"})
    assert "carried along: duration" in words_of(shown)


@pytest.mark.parametrize(("encoding", "counts"), [("cp1252", True), ("cp1251", False)])
def test_a_column_said_of_one_encoding_is_not_said_of_another(
    http: httpx.Client, encoding: str, *, counts: bool
) -> None:
    address = upload(http, "m.csv", FRENCH)
    _, form = said(http, address, encoding="cp1252")
    shown, _ = said(http, address, **form | {"encoding": encoding, "column-1": "-"})
    assert ("is not read as 'duration'" not in words_of(shown)) == counts
