"""What the engine asks of its store: one Protocol for each role, with its values.

A method is one intention: one transaction, one group commit (``async``) or one snapshot. Nothing of
a database goes in or out, so that another store can replace the SQLite one (:mod:`jobs.store`). A
``decide`` is called inside the transaction, perhaps more than once, and must change nothing.
"""
