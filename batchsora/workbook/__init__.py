"""Workbooks (.xlsx): safe opening of foreign ones, results written into a copy, and new ones."""
