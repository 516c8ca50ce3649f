"""Foreign files that a library reads, read in a process apart, with bounds on what they may cost.

A library that is handed 1 KB may take gigabytes, or minutes, or break; no limit of a thread stops
it. So it works in a process of its own, which holds no token and no setting of ours, has so much
processor time and memory, answers through a pipe that is read up to a limit, and ends with us.
What it may cost grows with the file: nothing small takes the machine down, and a large sheet is
read as ever.
"""

from batchsora.apart.asking import ApartError, Bounds, Spool, ask, bounds_for

__all__ = ["ApartError", "Bounds", "Spool", "ask", "bounds_for"]
