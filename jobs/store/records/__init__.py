"""The rows that the store reads, a type for each shape that is selected.

A field stands for a column, in the order of the statement, and is ``None`` only where its column
may be ``NULL`` there. Both are checked: the names whenever a statement is first run
(:class:`jobs.store.prepared.Prepared`, :func:`jobs.store.prepared.read`), the types in
``tests/unit/test_store_rows.py``. Named tuples, because a claim makes thousands of them in a turn:
they cost what the driver's own rows cost.

``accounts`` has the account, budgets, prices and batches, ``attempts`` and ``jobs`` what the engine
asks of these, ``views`` what people and the application ask. What a job asks for is one field of
them, a row itself (:class:`jobs.model.spec.AskedRow`).
"""
