"""The pictures of rows: found, extracted from workbooks, converted, and checked."""
