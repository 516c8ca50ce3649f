"""The fields by which a person says how a text table is written: offered, and understood.

They are offered where a file can't be read without them, or was not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from batchsora.manifest.raw import Reading
from batchsora.web.uploads import Form

ENCODINGS: Final[Mapping[str, str]] = {
    "utf-8": "UTF-8",
    "cp1252": "Western European (Windows)",
    "mac-roman": "Western European (Mac)",
    "iso8859-15": "Western European (ISO)",
    "cp1250": "Central European (Windows)",
    "cp1251": "Cyrillic (Windows)",
    "cp1253": "Greek (Windows)",
    "cp1254": "Turkish (Windows)",
    "cp1255": "Hebrew (Windows)",
    "cp1256": "Arabic (Windows)",
    "utf-16-le": "UTF-16, little end first",
    "utf-16-be": "UTF-16, big end first",
    "shift_jis": "Japanese (Shift JIS)",
    "euc_jp": "Japanese (EUC)",
    "gbk": "Chinese, simplified (GBK)",
    "big5": "Chinese, traditional (Big5)",
    "euc_kr": "Korean (EUC)",
}
"""What can be said of a text's letters: all that an error names, and their nearest kin."""

DELIMITERS: Final[Mapping[str, tuple[str, str]]] = {
    "comma": (",", "commas"),
    "semicolon": (";", "semicolons"),
    "tab": ("\t", "tabs"),
    "bar": ("|", "vertical bars"),
}
"""What can be said to stand between cells, by a word."""

FIELDS: Final = ("encoding", "delimiter")


@dataclass(frozen=True, slots=True)
class Written:
    """What is offered of how a text table is written.

    Attributes:
        encodings: with their names for people; empty where that is not asked.
        delimiters: by a word, with their names; empty where that is not asked.
    """

    encodings: Mapping[str, str]
    delimiters: Mapping[str, str]


def written_said(form: Form) -> Reading:
    """Return what a form says of how a text table is written."""
    encoding, delimiter = form.text("encoding"), DELIMITERS.get(form.text("delimiter"))
    return Reading(
        encoding=encoding if encoding in ENCODINGS else None,
        delimiter=None if delimiter is None else delimiter[0],
    )


def written_of(form: Form, words: str, before: Reading) -> Written:
    """Return what is offered.

    Args:
        form: what was said.
        words: what was found, the options in it that are a remedy.
        before: how the file was read before, as far as that is known.
    """
    encoding = "--encoding" in words or before.encoding or form.text("encoding")
    delimiter = "--delimiter" in words or before.delimiter or form.text("delimiter")
    return Written(
        ENCODINGS if encoding else {},
        {word: name for word, (_, name) in DELIMITERS.items()} if delimiter else {},
    )
