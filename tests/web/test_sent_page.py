"""The page over a database that somebody sent: what it names is no path of ours."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from PIL import Image
from support.site import QUICK, Folder, client, serving

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World


def test_the_page_makes_no_thumbnail_elsewhere(tmp_path: Path) -> None:
    """Over HTTP: ``/thumbs/1.jpg`` makes folders and a file beside the sent folder."""
    path = tmp_path / "sent"
    path.mkdir()
    Image.new("RGB", (320, 240), (90, 120, 200)).save(path / "kite.png")
    digest = hashlib.sha256((path / "kite.png").read_bytes()).hexdigest()
    (path / "night.csv").write_text("id,prompt,image\nkite,a kite,kite.png\n")
    with SandboxServer(World(time_scale=2000.0)) as api:
        folder = Folder(path, api)
        assert folder.call("run", "night.csv", "--budget", "5", *QUICK) == 0
        with closing(sqlite3.connect(path / "batchsora.db")) as file, file:
            file.execute(
                "UPDATE job SET image = json_set(image, '$.sha256', ?)",
                (f"../../../new/folder/{digest}",),
            )
            file.execute("UPDATE account SET seal = NULL, token_hash = NULL, token_salt = NULL")
        (path / ".batchsora" / "thumbs").mkdir(parents=True, exist_ok=True)
        with serving(folder) as site, client(site) as http:
            http.get("/thumbs/1.jpg")
    assert not (tmp_path / "new").exists()
