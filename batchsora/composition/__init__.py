"""Settings become a provider, a store and a clock: where everything is put together."""
