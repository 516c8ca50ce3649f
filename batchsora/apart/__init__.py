"""Foreign files that a library reads, in a separate process with bounds on what they may cost.

A library that is handed 1 KB may take gigabytes or minutes, or crash; no limit of a thread stops
it. The process holds no token and no setting of ours, has limited processor time and memory,
answers through a pipe that is read up to a limit, and ends with us. Larger files may cost more.
"""

from batchsora.apart.asking import ApartError, Bounds, Spool, ask, bounds_for

__all__ = ["ApartError", "Bounds", "Spool", "ask", "bounds_for"]
