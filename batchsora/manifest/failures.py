"""The words that spreadsheets show where a formula has failed, or has not ended yet."""

import re
from typing import Final

FAILURES: Final = frozenset(
    # Excel
    {"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"}
    | {"#BLOCKED!", "#CONNECT!", "#FIELD!", "#GETTING_DATA", "#UNKNOWN!", "#BUSY!", "#PYTHON!"}
    | {"#EXTERNAL!", "#TIMEOUT!", "#DATA!"}
    # Google Sheets, Numbers
    | {"#ERROR!", "LOADING...", "LOADING\N{HORIZONTAL ELLIPSIS}"}
    # Excel and LibreOffice in German, French, Spanish, Italian, Portuguese, Dutch and Polish
    | {"#NV", "#WERT!", "#BEZUG!", "#ZAHL!", "#ÜBERLAUF!", "#KALK!"}
    | {"#VALEUR!", "#NOM?", "#NOMBRE!", "#NUL!", "#PROPAGATION!", "#CALCUL!"}
    | {"#¿NOMBRE?", "#¡VALOR!", "#¡REF!", "#¡DIV/0!", "#¡NUM!", "#¡NULO!", "#VALOR!"}
    | {"#N/D", "#NOME?", "#VALORE!", "#RIF!", "#NUM!", "#NULLO!", "#NÚM!", "#NULO!"}
    | {"#WAARDE!", "#VERW!", "#NAAM?", "#GETAL!", "#DEEL/0!", "#LEEG!"}
    | {"#N/B", "#NB", "#ARG!", "#ADR!", "#NAZWA?", "#LICZBA!", "#DZIEL/0!", "#ZERO!"}
)
"""In capitals."""
_LONGEST: Final = max(map(len, FAILURES))
_OTHER: Final = re.compile(r"ERR:\d{3}|FEHLER:\d{3}|#{3,}")
"""LibreOffice's numbered ones; and a number or date that is wider than its column."""


def failed(text: str) -> bool:
    """Whether a cell says nothing but that its formula has failed, or has not ended."""
    word = text.strip()
    if len(word) > max(_LONGEST, 255):
        return False
    word = word.upper()
    return word in FAILURES or _OTHER.fullmatch(word) is not None
