"""The pictures of rows: found, embedded in workbooks, made fit, and checked."""
