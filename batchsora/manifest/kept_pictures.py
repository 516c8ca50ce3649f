"""The folder beside a database that keeps pictures for it: fitted ones, and embedded ones.

A row names its picture by a file, and is sent minutes or weeks after it was loaded: so a file here
appears whole, survives a power cut, and never changes, because its name says what it holds.
"""

import os
import uuid
from pathlib import Path

from jobs.files import made_folder


def keep(folder: Path, name: str, data: bytes) -> Path:
    """Write a picture under a name that says what it holds; it appears whole or not at all.

    Args:
        folder: made where it is not there.
        name: of the file.
        data: its bytes.

    Returns:
        Its absolute path.

    Raises:
        OSError: it can't be written, or the folder is a link or somebody else's.
    """
    made_folder(folder)
    final = folder.absolute() / name
    draft = final.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Another process at the same picture has made the same bytes.
        draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)
    handle = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(handle)  # the row will name this file, also after a power cut
    finally:
        os.close(handle)
    return final
