"""What the account's list and its balance prove: decisions, without a database."""
