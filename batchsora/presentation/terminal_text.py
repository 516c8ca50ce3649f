"""Text for people: names of states, and what foreign text may do on a terminal."""

import re
from typing import Final

# Controls, invisible marks (such as those that change the writing direction) and lone surrogates:
# Unicode's categories Cc, Cf and Cs (tested), without line feed, tab and U+200D, which joins emoji.
_CONTROLS: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    "\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f\ud800-\udfff"
)
_EMOJI: Final = "[\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"

UNSEEN: Final = re.compile(f"[{_CONTROLS}\t\u200d]")
"""What could control or deceive a terminal, tabs and U+200D included, but not line ends."""

_DRIVES: Final = re.compile(f"[{_CONTROLS}]")
_LONE_JOINER: Final = re.compile(f"\u200d(?!{_EMOJI})|(?<!{_EMOJI})(?<!{_EMOJI}\ufe0f)\u200d")


def clean(text: str) -> str:
    """Replace what could control or deceive a terminal, but line ends, tabs and joined emoji."""
    shown = _DRIVES.sub("\ufffd", text)
    return _LONE_JOINER.sub("\ufffd", shown) if "\u200d" in shown else shown


def state_text(state: str) -> str:
    """Return a state for people: an attempt in doubt is unconfirmed."""
    return "unconfirmed" if state == "in_doubt" else str(state).replace("_", " ")


def cells(text: str) -> int:
    """Return how many cells of a terminal a line takes; some characters take two or none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - for those who see a terminal

    return cell_len(text)
