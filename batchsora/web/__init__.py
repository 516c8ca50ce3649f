"""The page: watch, review and steer batches in a browser (docs/web.md).

A server of its own beside whatever runs: it reads the same database, changes it by the same
functions as the command line, and starts runs as processes of their own, which outlive it.
"""
