"""``python -m batchsora`` is the command ``batchsora``."""

import sys

from batchsora.children import handed_arguments
from batchsora.cli import main

if __name__ == "__main__":
    main(handed_arguments(sys.argv[1:]))
