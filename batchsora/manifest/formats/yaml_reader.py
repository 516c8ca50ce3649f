"""Reads YAML: a mapping with ``jobs`` and settings, or a bare list of jobs or of prompts."""

from pathlib import Path

from batchsora.manifest.formats.tree_table import TreeTable, table_of
from batchsora.manifest.formats.yaml_tree import read_tree
from batchsora.manifest.raw import PLAIN, Reading


def open_yaml(path: Path, reading: Reading = PLAIN) -> TreeTable:
    """Read a YAML manifest.

    Raises:
        ManifestError: it is not YAML, or not a manifest.
    """
    return table_of(path, read_tree(path, reading.encoding))
