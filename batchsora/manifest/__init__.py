"""Manifests: from a spreadsheet or a YAML file of prompts to the jobs that they ask for."""
