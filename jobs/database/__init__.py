"""The SQLite file: its tables, how it comes to be, and who may open it."""
