"""Files of ours where somebody else may write as well: nobody else's link is followed."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .. import system


@contextmanager
def replaced(target: Path, *, mode: int = 0o600, durable: bool = False) -> Iterator[Path]:
    """Yield an empty file that takes a name's place once it is complete.

    Whatever has the name, a link as well, is replaced and not written through. The file is made
    under a name that nobody guesses.

    Args:
        mode: its permissions, less the umask; for its owner alone by default.
        durable: content and name survive a power cut.
    """
    draft = target.with_name(f".{secrets.token_hex(16)}.part{target.suffix}")
    os.close(system.create(draft, mode))
    try:
        yield draft
        if durable:
            system.sync_file(draft)
        system.replace(draft, target)
        if durable:
            with suppress(PermissionError):  # a folder that we may write to, and not read
                system.sync_folder(target.parent)
    except BaseException:  # an interrupt, too, leaves no litter
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def read_small(path: Path, most: int) -> bytes:
    """Read a small file of ours, where somebody else may have put a pipe, a device or a link.

    Raises:
        OSError: it can't be read, is a link, is not a regular file, or has more than ``most``
            bytes.
    """
    with open(system.open_to_read(path), "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes", str(path))
    return content


def refuse_foreign_link(path: Path) -> None:
    """Raise OSError if a name is a link that another user made; one's own is followed."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if path.is_symlink() and found.st_uid not in (0, system.account()):
        raise OSError(errno.ELOOP, "it is a link that another user made", str(path))


def refuse_planted_link(path: Path) -> None:
    """Raise OSError if a name is a link, other than the system's (``/dev/stderr``)."""
    if path.absolute().parent not in (Path("/dev"), Path("/dev/fd")):
        refuse_foreign_link(path)
        refuse_link(path, "name the file itself")


def refuse_link(path: Path, remedy: str) -> None:
    """Raise OSError with a remedy if a name is a link, whoever made it: it may have been sent."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"it is a link, which is not followed: {remedy}", str(path))


def made_folder(path: Path, *inside: str) -> Path:
    """Return a folder of ours, made for its owner alone where it is missing, and folders inside it.

    Raises:
        OSError: it can't be made, is a link, or :func:`refuse_foreign_folder` refuses it.
    """
    for folder in (path, *(path.joinpath(*inside[: n + 1]) for n in range(len(inside)))):
        refuse_link(folder, "move it away")
        folder.mkdir(mode=0o700, exist_ok=True)
        refuse_foreign_folder(folder)
    return path.joinpath(*inside)


def refuse_foreign_folder(path: Path) -> None:
    """Raise OSError, with what to do, if somebody else chooses what is in a folder of ours.

    Besides its owner (:func:`is_foreign`), whoever may write in it can replace what we keep there.
    That counts unless they could replace the folder itself as well: on a disk without permissions
    everybody may write everywhere, and a group may share a folder. In a folder with the sticky bit,
    such as ``/tmp``, nobody replaces what others made. A missing folder is fine.
    """
    try:
        found, around = path.lstat(), path.parent.stat()
    except FileNotFoundError:
        return
    if is_foreign(path, found):
        raise OSError(
            errno.EPERM,
            f"it belongs to another account (number {found.st_uid}), which could change what is "
            "kept there: move it away, or use a database in a folder of your own",
            str(path),
        )
    if _others_who_may_write(found) & ~_others_who_may_replace(found, around):
        raise OSError(
            errno.EPERM,
            "other accounts can write in it: move it away, or if what is in it is yours, 'chmod "
            f"go-w {path}'",
            str(path),
        )


def _others_who_may_write(found: os.stat_result) -> int:
    return found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _others_who_may_replace(found: os.stat_result, around: os.stat_result) -> int:
    """Return, as mode bits, which others may rename what is in the folder ``around``."""
    if around.st_mode & stat.S_ISVTX:
        return 0
    if around.st_mode & stat.S_IWOTH:
        return stat.S_IWGRP | stat.S_IWOTH
    same = found.st_gid == around.st_gid
    return around.st_mode & stat.S_IWGRP if same else 0


def is_foreign(path: Path, found: os.stat_result) -> bool:
    """Check whether a file or folder may have been put there by somebody who must not choose it.

    It is ours if it belongs to this account, to root, or to the owner of the folder it is in, who
    could put anything there at any time. So nothing is foreign where all files show one owner (a
    memory stick, a host's folder in a container, Windows), and root in a container may use what the
    host's user made. Where a file system shows another owner than who made a file (root as nobody),
    a file made for a moment shows which owner this account has there.
    """
    around = path.resolve().parent
    if found.st_uid in (0, around.stat().st_uid):
        return False
    return found.st_uid not in (system.account(), _shown_as(around))


def _shown_as(folder: Path) -> int | None:
    """Return which owner a new file has in a folder; None if none can be made."""
    probe = folder / f".{secrets.token_hex(16)}.part"
    try:
        number = system.create(probe)
    except OSError:
        return None
    try:
        return os.fstat(number).st_uid
    finally:
        os.close(number)
        probe.unlink(missing_ok=True)
