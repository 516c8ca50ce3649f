"""One contract for files, locks, signals and words; CI runs it as on POSIX and as on Windows."""

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from batchsora import children
from batchsora.tables import TableError, write_table
from jobs import system
from jobs.system import stop_signals


def test_one_handle_locks_a_file_until_it_is_closed(tmp_path: Path) -> None:
    """The lock is of the handle: not of the process, and not of the name."""
    path = tmp_path / "lock"
    first = system.open_to_change(path, mode=0o600)
    second = system.open_to_change(path)
    assert system.try_lock(first)
    assert not system.try_lock(second)
    os.close(first)
    assert system.try_lock(second)
    os.close(second)


_HOLD = """
import pathlib, sys
from batchsora.tables import TableError, write_table
from jobs import system
handle = system.open_to_change(pathlib.Path(sys.argv[1]), mode=0o600)
print(system.try_lock(handle), flush=True)
sys.stdin.read()
"""


def test_a_lock_ends_with_a_killed_process(tmp_path: Path, project: Path) -> None:
    """What the runner's lock promises."""
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=project,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        handle = system.open_to_change(path)
        assert not system.try_lock(handle)
        holder.kill()
        holder.wait()
        assert system.try_lock(handle)
        os.close(handle)


def test_a_locked_file_can_be_read_and_written(tmp_path: Path) -> None:
    """Windows keeps others from the byte that is locked: it lies behind all content."""
    path = tmp_path / "part"
    handle = system.create(path)
    assert system.try_lock(handle)
    system.write_at(handle, b"video", 0)
    assert path.read_bytes() == b"video"
    os.close(handle)


def test_bytes_are_read_and_written_at_their_places(tmp_path: Path) -> None:
    """Also by several threads at once, and the file's own place stays."""
    handle = system.create(tmp_path / "file")
    blocks = [bytes([number]) * 1000 for number in range(50)]
    os.write(handle, b"head")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: system.write_at(handle, blocks[n], n * 1000), range(50)))
        read = list(threads.map(lambda n: system.read_at(handle, 1000, n * 1000), range(50)))
    assert read == blocks
    assert os.lseek(handle, 0, os.SEEK_CUR) == len(b"head")
    system.truncate(handle, 10)
    assert system.read_at(handle, 1000, 4) == b"\0" * 6
    system.sync(handle)
    os.close(handle)


def test_no_link_is_followed(tmp_path: Path) -> None:
    """Neither to read, nor to write, nor to make what it leads to."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError) as refused:  # noqa: PT011 - its number follows
        system.open_to_change(link, mode=0o600)
    assert refused.value.errno == errno.ELOOP
    assert not (tmp_path / "victim").exists()
    (tmp_path / "victim").write_text("kept")
    for opened in (
        system.open_to_read,
        system.open_to_change,
        lambda path: system.open_to_append(path, 0o600),
        system.create,
    ):
        with pytest.raises(OSError):  # noqa: PT011 - ELOOP, or that the name is taken
            opened(link)
    os.close(system.open_to_read(link, follow=True))


def test_a_new_name_is_taken_once(tmp_path: Path) -> None:
    """Who comes second is told, and the first one's file stays."""
    target = tmp_path / "target"
    for number, content in enumerate(("first", "second")):
        draft = tmp_path / f"draft{number}"
        draft.write_text(content)
        if not number:
            system.rename_new(draft, target)
        else:
            with pytest.raises(FileExistsError):
                system.rename_new(draft, target)
    assert target.read_text() == "first"


@pytest.mark.parametrize("rename", [system.replace, system.rename_new])
def test_a_new_name_waits_for_who_looks_at_the_file(
    tmp_path: Path, rename: Callable[[Path, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a virus scanner opens what was just written, for a moment."""
    draft = tmp_path / "draft"
    draft.write_text("secret")
    with draft.open() as looking:
        monkeypatch.setattr(time, "sleep", lambda _: looking.close())
        rename(draft, tmp_path / "target")
        assert looking.closed == system.OPEN_FILES_STAY
    assert (tmp_path / "target").read_text() == "secret"


def test_a_locked_file_gets_its_name_and_is_closed(tmp_path: Path) -> None:
    """It replaces what has the name; so does a file that is closed."""
    target = tmp_path / "target"
    for content in (b"first", b"second"):
        handle = system.create(tmp_path / "part")
        assert system.try_lock(handle)
        system.write_at(handle, content, 0)
        system.rename_locked(handle, tmp_path / "part", target)
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(handle)
        assert target.read_bytes() == content
    system.sync_file(target)
    system.sync_folder(tmp_path)
    handle = system.open_to_change(target)
    assert system.try_lock(handle)
    system.delete_locked(handle, target)
    assert not list(tmp_path.iterdir())


def test_a_table_that_is_open_elsewhere(tmp_path: Path) -> None:
    """Windows replaces no workbook that is open in Excel: nothing is lost, and it says why."""
    target = tmp_path / "done.csv"
    target.write_text("before")
    with target.open() as elsewhere:
        if system.OPEN_FILES_STAY:
            with pytest.raises(TableError, match="Close it in the program that has it open"):
                write_table(target, ["a"], [{"a": "1"}])
        else:
            write_table(target, ["a"], [{"a": "1"}])
        assert elsewhere.read() == "before"
    write_table(target, ["a"], [{"a": "2"}])
    assert "2" in target.read_text()
    assert list(tmp_path.iterdir()) == [target]


class WithoutHandlers(asyncio.SelectorEventLoop):
    """A loop like those of Windows, which take no handlers of signals."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("loop", [None, WithoutHandlers])
def test_a_signal_is_heard_in_the_loop(loop: type[WithoutHandlers] | None) -> None:
    """It waits for no instruction to end, and what was before is restored."""
    before = signal.getsignal(signal.SIGINT)

    async def main() -> None:
        heard = asyncio.Event()
        with stop_signals(heard.set):
            signal.raise_signal(signal.SIGINT)
            await asyncio.wait_for(heard.wait(), 60)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
    assert signal.getsignal(signal.SIGINT) == before


def test_whoever_runs_is_alive_where_that_is_told() -> None:
    """None is no answer: there the lock is asked (jobs/database/lock.py)."""
    assert system.is_alive(os.getpid()) is not False
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert not system.is_alive(gone.pid)


def test_a_process_apart_ends_when_nobody_waits_for_it() -> None:
    """Its input is closed with its parent."""
    code = "from jobs import system; system.end_with_input()\nwhile True: pass"
    with children.apart(f"import sys; sys.path.append({str(Path.cwd())!r}); {code}") as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) != 0


@pytest.mark.parametrize(
    "text", ["prompts.csv", "my prompts.csv", "it's", 'a "b"', "$(x)", "a;b", "", "back\\", "`x`"]
)
def test_a_quoted_argument_is_one_word(text: str) -> None:
    """What a message tells people to type is what they mean."""
    found = system.quote(text)
    assert found == text or (found[0] in "'\"" and found[0] == found[-1])


@pytest.mark.posix  # permissions of files
def test_who_may_read_a_file(tmp_path: Path) -> None:
    """Its mode says it, and a replaced file keeps the mode."""
    path = tmp_path / "token"
    handle = system.create(path)
    try:
        assert system.is_private(path.stat())
        assert not system.is_readable_by_others(path.stat().st_mode)
        system.keep_mode(handle, 0o644)
        assert not system.is_private(path.stat())
        assert system.is_readable_by_others(path.stat().st_mode)
    finally:
        os.close(handle)


@pytest.mark.posix  # signals in exit codes
def test_how_a_process_ended() -> None:
    """By its bound of time, without memory, or by itself."""
    assert system.was_timed_out(-signal.SIGXCPU)
    assert system.was_killed(-signal.SIGKILL)
    assert not any(judge(1) for judge in (system.was_timed_out, system.was_killed))


def test_time_since_the_start_of_the_machine_goes_on() -> None:
    """The same boot, and later; None where a system does not tell."""
    first, second = system.since_boot(), system.since_boot()
    if first is None or second is None:
        assert first is second is None
        return
    (boot, early), (same, late) = first.rsplit(":", 1), second.rsplit(":", 1)
    assert boot == same
    assert float(early) <= float(late)


@pytest.mark.posix  # select on pipes
def test_a_full_pipe_is_waited_for() -> None:
    """Until there is room again."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, b"x" * 65536):
            pass
    with ThreadPoolExecutor(1) as apart:
        waiting = apart.submit(system.wait_until_writable, writing)
        assert not waiting.done()
        os.read(reading, 1_000_000)
        waiting.result(60)
    os.close(reading)
    os.close(writing)
