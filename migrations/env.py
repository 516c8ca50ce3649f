"""Runs the migrations on the database that ``jobs.schema`` names."""

import sqlite3

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from jobs.shape import guard
from jobs.tables import Base

database = context.config.attributes["database"]


def connect() -> sqlite3.Connection:
    """Open the file; WAL is a property of the file, so it is set once, here."""
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    guard(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
with engine.connect() as connection:
    # one transaction around all steps: an upgrade that is cut off never happened
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True)
    context.run_migrations()
    connection.exec_driver_sql("COMMIT")
