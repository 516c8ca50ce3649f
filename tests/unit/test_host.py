import socket
from pathlib import Path

import pytest

from jobs.model.host import is_same_host, this_host


def test_a_machine_is_known_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renamed machine is the same one; one of the same name with another id is not."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("4c1f6d5c3f5b4a0f9be2f1f5d27f7d11\n")
    other.write_text("a01b6d5c3f5b4a0f9be2f1f5d27f7d22\n")
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    before = this_host({}, one)
    assert before.startswith("laptop (")
    assert "4c1f6d5c" not in before, "the id itself is nobody's business"
    assert not is_same_host(before, this_host({}, other))
    monkeypatch.setattr(socket, "gethostname", lambda: "renamed")
    assert this_host({}, one).startswith("renamed (")
    assert is_same_host(before, this_host({}, one))


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_without_an_id_the_name_has_to_do(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In many containers the file is absent or empty."""
    file = tmp_path / "machine-id"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(socket, "gethostname", lambda: "c0ffee")
    first = this_host({}, file)
    assert is_same_host(first, this_host({}, file))
    monkeypatch.setattr(socket, "gethostname", lambda: "c0ffef")
    assert not is_same_host(first, this_host({}, file))


def test_the_environment_goes_first(tmp_path: Path) -> None:
    """It names a container that is made new each time."""
    one = tmp_path / "one"
    one.write_text("4c1f6d5c3f5b4a0f9be2f1f5d27f7d11\n")
    named = this_host({"BATCHSORA_HOST": "night-shift"}, one)
    assert named.startswith("night-shift (")
    assert is_same_host(named, this_host({"BATCHSORA_HOST": " night-shift "}, tmp_path / "none"))
    assert not is_same_host(named, this_host({"BATCHSORA_HOST": "day-shift"}, one))
    assert not is_same_host(named, this_host({"BATCHSORA_HOST": ""}, one))
