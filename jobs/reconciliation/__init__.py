"""Unconfirmed attempts are settled, and what the account has already is taken over."""
