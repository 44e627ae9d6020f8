"""One question per module: the docstring asks it, ``SPEC`` says how it is searched."""
