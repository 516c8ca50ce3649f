"""The engine: the durable job table, the money ledger, the scheduler, the poller, the retry policy.

It knows generations (a prompt, an image, an orientation, a duration, a price) and no wire format.
"""
