"""Files of ours where somebody else may write as well: no link of theirs is followed."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Make a new file, for its owner alone, that takes a name's place once it is complete.

    Whatever has the name, a link as well, is replaced and not written through. The file is made
    under a name that nobody guesses, so that nothing can wait there.

    Args:
        target: the name.

    Yields:
        The empty file to write.
    """
    draft = target.with_name(f".{secrets.token_hex(16)}.part")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        yield draft
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_small(path: Path, most: int) -> bytes:
    """Read a small file of ours, where somebody else may have put a pipe, a device or a link.

    Args:
        path: the file; a link is not followed.
        most: bytes that it has at the most.

    Raises:
        OSError: it can't be read, is no regular file, or is larger.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes", str(path))
    return content


def refuse_foreign_link(path: Path) -> None:
    """Make sure that a name is no link that another user made; one's own leads where it leads.

    Raises:
        OSError: it is one.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if path.is_symlink() and found.st_uid not in (0, os.geteuid()):
        raise OSError(errno.ELOOP, "it is a link that another user made", str(path))


def refuse_planted_link(path: Path) -> None:
    """Check that a name is not a link, but for those of the system (``/dev/stderr``).

    Raises:
        OSError: it is one; it may have come in a folder that was sent.
    """
    if path.absolute().parent not in (Path("/dev"), Path("/dev/fd")):
        refuse_foreign_link(path)
        refuse_link(path, "name the file itself")


def refuse_link(path: Path, remedy: str) -> None:
    """Check that a name is not a link, whoever made it: it may have come in a folder that was sent.

    Args:
        path: the name; nothing there is fine.
        remedy: what a person can do about it.

    Raises:
        OSError: it is one.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"it is a link, which is not followed: {remedy}", str(path))


def made_folder(path: Path) -> Path:
    """Return a folder of ours, made for its owner alone where it is missing.

    Raises:
        OSError: it can't be made, or is a link.
    """
    refuse_link(path, "move it away")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
