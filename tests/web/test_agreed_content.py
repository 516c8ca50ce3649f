"""What a person agreed to is a file's content: another one is not bought in its place."""

import hashlib
import os
import re
from pathlib import Path

import pytest
from support.another import another, as_root, fill, open_to_all
from support.site import Folder, Site, client, serving
from web.test_manifest_page import form_of, upload

from batchsora.settings import SettingsError

OWN = "id,prompt\na,what its owner wants\n"
OTHER = "id,prompt\na,what another wants..\n"
"""As many rows, as many bytes, the same price."""

SWAP = """
found = os.stat(sys.argv[1])
os.rename(sys.argv[1], sys.argv[1] + ".gone")
with open(sys.argv[1], "w") as file:
    file.write(sys.argv[2])
os.utime(sys.argv[1], ns=(found.st_atime_ns, found.st_mtime_ns))
"""


def prepare(folder: Path) -> None:
    """Have runs be quick."""
    (folder / "batchsora.toml").write_text("poll-interval = 0.05\nrate = 0\n")


def ended(site: Site) -> list[str]:
    """Wait for what was started; gives what it said."""
    found = site.web.launcher.all()
    for one in found:
        one.process.wait(60)
    return [one.said() for one in found]


def replaced(path: Path) -> None:
    """Put another content there, of the same size and time."""
    found = path.stat()
    path.write_text(OTHER)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_another_content_is_asked_about_again(world: Folder) -> None:
    """Its number of rows, price, size and time may be the same; pressing again buys it."""
    prepare(world.path)
    with serving(world) as site, client(site) as http:
        address = upload(http, "summer.csv", OWN)
        form = form_of(http, address, budget="1")
        (kept,) = site.web.manifest_folder.glob("u*/summer.csv")
        replaced(kept)
        answer = http.post(f"{address}/start", data=form)
        assert answer.status_code == 422
        assert "The file has changed since: Buy 1 video" in answer.text
        assert ended(site) == []
        agreed = re.search(r'name="agreed" value="([^"]+)"', answer.text)
        assert agreed is not None
        assert http.post(f"{address}/start", data=form | {"agreed": agreed[1]}).status_code == 204
        ended(site)
    assert world.bought() == ["what another wants.."]


def test_what_is_started_loads_no_other_content(
    world: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be exchanged after the button was pressed, before the run reads it."""
    prepare(world.path)
    with serving(world) as site, client(site) as http:
        address = upload(http, "summer.csv", OWN)
        form = form_of(http, address, budget="1")
        (kept,) = site.web.manifest_folder.glob("u*/summer.csv")
        start = site.web.launcher.start

        def late(*words: str) -> object:
            replaced(kept)
            return start(*words)  # type: ignore[arg-type]

        monkeypatch.setattr(site.web.launcher, "start", late)
        assert http.post(f"{address}/start", data=form).status_code == 204
        (said,) = ended(site)
    assert "has changed since you agreed to it; nothing was loaded or bought" in said
    assert world.bought() == []


def test_a_run_takes_the_content_that_it_was_told(world: Folder) -> None:
    """With its hash it is loaded, with another one it is refused."""
    (world.path / "own.csv").write_text(OWN)
    digest = hashlib.sha256(OWN.encode()).hexdigest()
    words = ("run", "own.csv", "--budget", "1", "--no-download")
    assert world.call(*words, f"--manifest-sha256={'0' * 64}") == 2
    assert world.bought() == []
    assert world.call(*words, f"--manifest-sha256={digest}") == 0
    assert world.bought() == ["what its owner wants"]


@as_root
def test_who_made_the_side_folder_chooses_nothing(world: Folder) -> None:
    """Made before the page was started, or put in its place while it is open."""
    with open_to_all() as work:
        fill(work, world.path)
        folder = Folder(work, world.api, world.before)
        another("os.makedirs(sys.argv[1])", work / ".batchsora/manifests")
        with pytest.raises(SettingsError, match="belongs to another account"), serving(folder):
            pytest.fail("the page was opened")
        (work / ".batchsora").rename(work / "theirs")
        work.chmod(0o777)
        with serving(folder) as site, client(site) as http:
            (work / ".batchsora").rename(work / "mine")
            another("os.makedirs(sys.argv[1])", work / ".batchsora/manifests")
            answer = http.post("/manifests", files={"file": ("summer.csv", OWN.encode())})
            assert answer.status_code == 409
            assert "belongs to another account" in answer.text


@as_root
def test_who_exchanges_a_file_beside_the_database_is_asked_about(world: Folder) -> None:
    """In a folder where others may rename files, under whatever time and size it has."""
    with open_to_all(0o777) as work:
        fill(work, world.path)
        prepare(work)
        (work / "summer.csv").write_text(OWN)
        folder = Folder(work, world.api, world.before)
        with serving(folder) as site, client(site) as http:
            page = http.get("/manifests/new").text
            found = re.search(r'href="(/manifests/b\w+)"[^>]*>\s*summer\.csv', page)
            assert found is not None, page
            form = form_of(http, found[1], budget="1")
            another(SWAP, work / "summer.csv", OTHER)
            answer = http.post(f"{found[1]}/start", data=form)
            assert "The file has changed since" in answer.text
            assert ended(site) == []
        assert folder.bought() == []
