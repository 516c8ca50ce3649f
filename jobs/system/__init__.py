"""What differs between systems: locks, files, signals, processes, and words for a shell.

Nothing else in ``jobs`` and ``batchsora`` names it (``tests/unit/test_system.py``). Which of two
parts is taken depends on whether the system has POSIX's locks, not on its name, so tests can hide
them. Both parts have the same functions, by the same contract.

What Windows does not keep:

- It has no owner or mode that says who may read a file: a new file has the rights of its folder.
- It sets no bound to the memory of a process that reads a foreign file, only to its time.
- It renames and deletes no file that is open: a video that is being played stays as it is.
"""

import sys
from importlib.util import find_spec

from .signals import stop_signals

if sys.platform != "win32" and find_spec("fcntl") is not None:
    from .posix import (
        BROWSERS_SEE_HOME,
        DETACHED,
        OPEN_FILES_STAY,
        OWN_GROUP,
        account,
        bound_process,
        create,
        delete_locked,
        end_with_input,
        is_alive,
        is_private,
        is_readable_by_others,
        keep_mode,
        open_to_append,
        open_to_change,
        open_to_read,
        quote,
        read_at,
        rename_locked,
        rename_new,
        replace,
        since_boot,
        sync,
        sync_file,
        sync_folder,
        truncate,
        try_lock,
        wait_until_writable,
        was_killed,
        was_timed_out,
        write_at,
    )
else:
    from .windows import (
        BROWSERS_SEE_HOME,
        DETACHED,
        OPEN_FILES_STAY,
        OWN_GROUP,
        account,
        bound_process,
        create,
        delete_locked,
        end_with_input,
        is_alive,
        is_private,
        is_readable_by_others,
        keep_mode,
        open_to_append,
        open_to_change,
        open_to_read,
        quote,
        read_at,
        rename_locked,
        rename_new,
        replace,
        since_boot,
        sync,
        sync_file,
        sync_folder,
        truncate,
        try_lock,
        wait_until_writable,
        was_killed,
        was_timed_out,
        write_at,
    )

__all__ = [
    "BROWSERS_SEE_HOME",
    "DETACHED",
    "OPEN_FILES_STAY",
    "OWN_GROUP",
    "account",
    "bound_process",
    "create",
    "delete_locked",
    "end_with_input",
    "is_alive",
    "is_private",
    "is_readable_by_others",
    "keep_mode",
    "open_to_append",
    "open_to_change",
    "open_to_read",
    "quote",
    "read_at",
    "rename_locked",
    "rename_new",
    "replace",
    "since_boot",
    "stop_signals",
    "sync",
    "sync_file",
    "sync_folder",
    "truncate",
    "try_lock",
    "wait_until_writable",
    "was_killed",
    "was_timed_out",
    "write_at",
]
