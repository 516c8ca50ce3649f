"""Workbooks, as people see them: one module for each format, and what all of them share.

::

    model      what a book gives: its sheets, their rows, and what lies beside and over these
    shown      numbers and moments as they are shown
    covered    merged cells, and rows that are one text merged over the columns
    xlsx ods old    the formats
"""
