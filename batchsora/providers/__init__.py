"""The providers that videos are bought of: the registry, what models are, a package for each."""
