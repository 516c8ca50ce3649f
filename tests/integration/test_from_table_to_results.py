"""Text tables as people download them go from file to results in the same file, and nothing more.

Without a word about their columns, as they come from a German Excel and from Google Sheets.
"""

import csv
from collections import Counter
from pathlib import Path

import pytest
from support.shell import Shell

from batchsora.sandbox.world import World

RUN = ("run", "m.csv", "--budget", "9", "--yes", "--no-download", "--rate", "0")
GERMAN = (
    "Nr;Video idea;Length (sec);Format;Notes;Preis\r\n"
    '1;"Ein Café am Fluß; Abend";10,0;16:9;Größe;1.234,50\r\n'
    "2;Kühe auf der Alm;15;Portrait;;\r\n"
)
GOOGLE = (
    "Video idea,Aspect ratio (16:9 / 9:16),Duration (sec),No. of copies,Done,Notes\r\n"
    '"A kite, red",16:9,10,1,FALSE,x\r\n'
    "A heron,9:16,15,,TRUE,\r\n"
    ",,,,FALSE,\r\n"
    ",,,,FALSE,\r\n"
)
GERMAN_ROWS = [("Ein Café am Fluß; Abend", "16:9", 10), ("Kühe auf der Alm", "9:16", 15)]
GOOGLE_ROWS = [("A kite, red", "16:9", 10), ("A heron", "9:16", 15)]
TABLES = {
    "German Excel's CSV UTF-8": (GERMAN.encode("utf-8-sig"), (), GERMAN_ROWS),
    "German Excel's CSV": (GERMAN.encode("cp1252"), ("--encoding", "cp1252"), GERMAN_ROWS),
    "Google Sheets": (GOOGLE.encode(), (), GOOGLE_ROWS),
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """A provider, and an empty folder with a token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-table")
    return World(time_scale=2000.0)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("which", TABLES)
def test_a_table_gets_its_results_without_a_word_about_its_columns(
    which: str, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each row is bought once as it is seen, and what was in the file is there to the byte."""
    written, words, wanted = TABLES[which]
    Path("m.csv").write_bytes(written)
    call = Shell(capfd)
    assert call(*RUN, "--poll-interval", "0.05", *words).code == 0
    said = Counter((one.prompt, one.orientation, one.duration) for one in world.made)
    assert said == Counter(wanted)
    assert call("export", "--in-place").code == 0
    encoding = "cp1252" if words else "utf-8-sig"
    after = Path("m.csv").read_bytes()
    lines = written.decode(encoding).splitlines()
    kept = after.decode(encoding).splitlines()
    assert len(kept) == len(lines)
    assert all(new.startswith(old) for new, old in zip(kept, lines, strict=True))
    assert after.startswith(b"\xef\xbb\xbf") == written.startswith(b"\xef\xbb\xbf")
    with Path("m.csv").open(encoding=encoding, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="," if which == "Google Sheets" else ";"))
    assert [row["status"] for row in rows[:2]] == ["completed", "completed"]
    assert not any(row["status"] for row in rows[2:])
    assert call(*RUN, "--poll-interval", "0.05", *words).code == 0
    assert len(world.made) == 2
