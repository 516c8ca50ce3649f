"""The store: every question to the job table and every change of it.

``database`` opens it, ``writer`` commits in groups; ``*_store`` are the roles of :mod:`jobs.ports`,
where each method is described; then by decision: ``loading`` (a manifest comes in), ``claims``
(money is held, intents are written), ``outcomes`` (how a POST ended), ``looks`` (how a generation
ended), ``files``, ``accounts`` (balance and prices), ``steering`` (what a person asks for),
``views`` and ``browsing`` (what people ask, beside :mod:`jobs.queries`).

Every function takes a connection first. One that changes something needs a writing transaction
(:func:`jobs.store.bound.writes`, :func:`~jobs.store.bound.commits`); the others read on any.
"""

from .database import Store

__all__ = ["Store"]
