import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.names import safe_name

# Letters that file systems confuse, characters that they refuse, and names that mean a device.
TRICKY = st.text(
    'aAäÄßẞ\u0131\u0130iI\ufb01K\u212ae\u0301.- _~#/\\:*?"<>|\0\n\u202e\ud800🪁0f', max_size=12
)
DEVICES = st.sampled_from(["con", "CON.txt", "nul", "com1", "LPT9", "com\u00b9", "aux.mp4", "prn."])
KEYS = st.text(max_size=200) | TRICKY | DEVICES


def same_file(one: str, other: str) -> bool:
    """Say whether the least discerning file system takes two names for one."""

    def folded(name: str) -> str:
        return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name.upper()).casefold())

    return folded(one) == folded(other)


@given(KEYS)
def test_every_name_is_safe_everywhere(key: str) -> None:
    """No key makes a name that a file system refuses, a shell misreads or a folder escapes by."""
    name = safe_name(key)
    assert name == safe_name(key)
    assert 0 < len(name.encode("utf-8")) <= 120
    assert unicodedata.normalize("NFC", name) == name
    assert not set(name) & set('<>:"/\\|?*\0\n')
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in name)
    assert name[0] not in ".-~ "
    assert name[-1] not in ". "
    assert name.split(".")[0].lower() not in (
        "con",
        "prn",
        "aux",
        "nul",
        "com1",
        "lpt9",
        "com\u00b9",
    )


@given(KEYS, KEYS)
def test_different_keys_have_different_files(one: str, other: str) -> None:
    """Also where case and Unicode forms are not told apart."""
    assert one == other or not same_file(safe_name(one), safe_name(other))


@given(KEYS)
def test_a_key_that_looks_like_a_name_is_no_other_keys_name(key: str) -> None:
    """The name made for one key, used as a key itself, gets another file."""
    name = safe_name(key)
    assert name == key or not same_file(safe_name(name), name)


@pytest.mark.parametrize("key", ["intro", "shot-01", "scene_2#3", "0001", "v1.2", "bär"])
def test_a_plain_key_is_its_own_name(key: str) -> None:
    """People find their rows by name."""
    assert safe_name(key) == key


def test_other_keys_keep_what_can_be_kept() -> None:
    """The readable part stays in front of the hash."""
    assert safe_name("Shot 01/take 2").startswith("Shot_01_take_2-")
    assert safe_name("CON").startswith("video_CON-")
    assert safe_name("").startswith("video-")
