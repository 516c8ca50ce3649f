"""How fast jobs go from their submission to their completion, beside other ways to do it.

Each contestant does the same jobs on one core against a provider on the other, at the same number
in flight, and polls as often. What is compared is the tool: those that leave the HTTP client to
their user get the best one, which is batchsora's own transport or a connection for each thread.
"""

from .table import main

__all__ = ["main"]
