"""A run: it buys, polls, settles, and ends."""
