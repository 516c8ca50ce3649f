"""The RunBlob Sora API: its client, and the adapter that gives it to the engine."""
