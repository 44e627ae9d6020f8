"""The card check: what only a graphics card can say, in eight minutes. ``python -m benchmarks.card`` is the command."""
