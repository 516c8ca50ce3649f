"""Words and shapes for people and scripts, shared by command line, page and report."""
