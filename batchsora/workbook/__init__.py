"""Workbooks (.xlsx): opening foreign ones safely, results written into a copy, and new ones."""
