"""Workbooks, as people see them: one module for each format, and what all of them share."""
