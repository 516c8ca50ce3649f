"""The store: every question to the job table and every change of it.

``database`` opens it, ``writer`` commits in groups; ``control_store``, ``load_store`` and
``query_store`` are the roles of :mod:`jobs.ports`; then by decision: ``loading`` (a manifest comes
in), ``claims`` (money is held, intents are written), ``outcomes`` (what came of a POST), ``looks``
(what came of a generation), ``files``, ``accounts`` (balance and prices), ``steering`` (what a
person says), ``views`` and ``browsing`` (what people ask, beside :mod:`jobs.queries`).
"""

from .database import Store

__all__ = ["Store"]
