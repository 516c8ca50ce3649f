"""``python -m batchsora`` is the command ``batchsora``."""

from batchsora.cli import main

if __name__ == "__main__":
    main()
