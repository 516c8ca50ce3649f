"""What the application and the engine ask of the job table, as intentions with typed values.

One module a role: ``queries`` (what people ask), ``control`` (what people say), ``loading``
(manifests come in, files are kept). ``seen`` and ``selection`` are the values that go out and in.
:class:`jobs.store.Store` is the SQLite side of each.
"""
