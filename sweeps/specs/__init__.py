"""Specs of sweeps, one per module: the docstring asks a question, ``SPEC`` defines the search that answers it."""
