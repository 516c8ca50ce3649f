"""Questions that people wait for, in plain SQL: what lists, states and histories show.

``status``, ``jobs`` and ``show`` answer before an ORM would be imported, so that nothing here knows
one: every function takes SQLite's own connection. :mod:`jobs.store` asks the same questions by the
same functions, on the connection below its own.
"""
