"""What a lost answer means, by the class of evidence of a model (docs/models.md)."""

from collections.abc import Mapping
from typing import Final

from jobs.model.families import EvidenceClass

LOST: Final[Mapping[EvidenceClass, str]] = {
    EvidenceClass.MARKED: "a lost answer is settled by itself, exactly",
    EvidenceClass.LISTED: (
        "a lost answer is settled by itself, unless others buy the same prompt at the same time"
    ),
    EvidenceClass.ORDERED: (
        "settled by itself where your purchases before and after show when it was made, as the "
        "account's list shows no times; else it waits for you"
    ),
    EvidenceClass.LATE: (
        "a lost answer is settled once the video has ended, up to an hour later; its money stays "
        "reserved until then"
    ),
    EvidenceClass.BLIND: (
        "the provider can't show what was lost: an unconfirmed row must be looked up by hand, and "
        "its money stays reserved until then"
    ),
}
"""In one sentence each."""

PLAIN: Final = (EvidenceClass.MARKED, EvidenceClass.LISTED)
"""Classes that need no word before a run."""
