"""Stopping a process as a person does, or as a power cut does, on each system."""

import signal
import subprocess
from typing import Any, Final

CTRL_C: Final[signal.Signals] = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)
"""What stops another process: on Windows Ctrl-C reaches only ourselves, and Ctrl-Break a group."""

REACHABLE: Final[dict[str, Any]] = {
    "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
}
"""Arguments of Popen for a process that is to be stopped so."""

STOPS: Final = [CTRL_C] if hasattr(signal, "CTRL_BREAK_EVENT") else [CTRL_C, signal.SIGTERM]

KILLED: Final = -9 if hasattr(signal, "SIGKILL") else int(signal.SIGTERM)
"""The exit code of a process that killed itself: see ``tests/crash/dying.py``."""
