"""Runs the migrations on the database that ``jobs.database.schema`` names."""

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from jobs.database.schema import open_file
from jobs.database.tables import Base

database = context.config.attributes["database"]
engine = create_engine("sqlite://", creator=lambda: open_file(database), poolclass=NullPool)
with engine.connect() as connection:
    # one transaction around all steps: an upgrade that is cut off never happened
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True)
    context.run_migrations()
    connection.exec_driver_sql("COMMIT")
