"""Texts that the locale can't read or write: they work, or end in plain words, never as a bug."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOCALES = {
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "coerced": {"LC_ALL": "C", "PYTHONUTF8": "0"},
    "utf-8": {"LC_ALL": "C.UTF-8"},
    "latin-1 output": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "latin-1"},
    "ascii output": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii:strict"},
}
SNOWMAN = "ñ☃".encode()
NOT_UTF8 = b"x\xff\xfe"
RUN = (b"run", b"--sandbox", b"--yes", b"--no-download", b"--poll-interval", b"0.2")
DB = (b"--db", b"batchsora-sandbox.db")


def called(folder: Path, locale: str, *words: bytes) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    environment.pop("LANG", None)
    done = subprocess.run(
        [sys.executable, "-m", "batchsora", *words],
        cwd=folder,
        env=environment | LOCALES[locale],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "backslashreplace")
    assert "a bug" not in said, said
    assert "Traceback" not in said, said
    return done.returncode, said


@pytest.mark.parametrize("locale", LOCALES)
def test_a_name_that_the_locale_can_not_read_is_read_all_the_same(
    tmp_path: Path, locale: str
) -> None:
    """It is loaded, found again, listed and written under the very name that was typed."""
    (tmp_path / "night.csv").write_text("id,prompt\nñ☃,a kite ☃\n", "utf-8")
    assert called(tmp_path, locale, *RUN, b"night.csv", b"--name", SNOWMAN)[0] == 0
    for words in (
        (b"status", b"--batch", SNOWMAN),
        (b"wait", b"--batch", SNOWMAN),
        (b"show", SNOWMAN),
        (b"jobs", b"--json", b"--batch", SNOWMAN),
        (b"export", b"-o", SNOWMAN + b".csv", b"--batch", SNOWMAN),
        (b"pause", SNOWMAN),
        (b"rm", SNOWMAN, b"--yes"),
    ):
        code, said = called(tmp_path, locale, *words, *DB)
        assert code == 0, said
    assert "☃" in (tmp_path / "ñ☃.csv").read_text("utf-8-sig")


@pytest.mark.parametrize("locale", ["ascii", "coerced"])
@pytest.mark.parametrize(
    "words",
    [
        (b"--name", SNOWMAN),
        (b"--default", b"campaign=" + SNOWMAN),
        (b"--map", SNOWMAN + b"=campaign"),
    ],
)
def test_options_that_the_locale_can_not_read_are_read_all_the_same(
    tmp_path: Path, locale: str, words: tuple[bytes, ...]
) -> None:
    """Also those that are names and values at once."""
    (tmp_path / "night.csv").write_text("id,prompt,ñ☃\na,a kite,ñ☃\n", "utf-8")
    code, said = called(tmp_path, locale, b"plan", b"night.csv", b"--json", *words)
    assert code == 0, said
    assert "ñ☃" in said
    assert "udc" not in said


@pytest.mark.parametrize("locale", ["ascii", "ascii output"])
@pytest.mark.parametrize(
    "words",
    [
        (*RUN, b"night.csv", b"--name", NOT_UTF8),
        (*RUN, b"night.csv", b"--cap", NOT_UTF8 + b"=2"),
        (*RUN, NOT_UTF8 + b".csv"),
        (b"plan", NOT_UTF8 + b".csv"),
        (b"plan", b"surrogate.json"),
        (b"generate", NOT_UTF8, b"--sandbox"),
        (b"run", b"--callback-base", NOT_UTF8),
        (b"--" + NOT_UTF8,),
        (NOT_UTF8,),
        (b"plan", b"night.csv", b"--base-url", b"http://" + NOT_UTF8),
    ],
)
def test_what_is_no_text_ends_in_plain_words(
    tmp_path: Path, locale: str, words: tuple[bytes, ...]
) -> None:
    """Usage, not a bug; nothing is bought."""
    (tmp_path / "night.csv").write_text("id,prompt\na,a kite\n")
    (tmp_path / "surrogate.json").write_text('[{"id": "a", "prompt": "a \\ud800 kite"}]')
    with Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + NOT_UTF8 + b".csv")).open("w") as file:
        file.write("id,prompt\na,a kite\n")
    code, said = called(tmp_path, locale, *words)
    assert code == 2, said
